//! A chat model behind an OpenAI-compatible HTTP endpoint: OpenAI itself, or a server on this machine.

use std::{env, time::Duration};

use observe::Usage;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::answer::Prompt;

const INSTRUCTIONS: &str = "Answer the question in at most three sentences, from the passages and the tool results \
    below alone. Name the passage you used. If they do not answer it, say so.";

/// Where the model is and what it is called.
pub(crate) struct Endpoint {
    client: reqwest::Client,
    url: String,
    api_key: Option<String>,
    pub(crate) model: String,
}

/// Why the model gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("the model's endpoint cannot be reached or read")]
    Http(#[from] reqwest::Error),
    #[error("the model's endpoint answered {status}: {body}")]
    Refused { status: reqwest::StatusCode, body: String },
    #[error("the model's endpoint answered without a message")]
    Empty,
}

impl Endpoint {
    /// Reads `OPENAI_API_KEY`, `OPENAI_BASE_URL` and `OPENAI_MODEL`. A local server needs no key, OpenAI no URL.
    pub(crate) fn from_env() -> Result<Option<Self>, EndpointError> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let (api_key, base) = (set("OPENAI_API_KEY"), set("OPENAI_BASE_URL"));
        if api_key.is_none() && base.is_none() {
            return Ok(None);
        }
        let base = base.unwrap_or_else(|| "https://api.openai.com/v1".to_owned());
        Ok(Some(Self {
            client: reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?,
            url: format!("{}/chat/completions", base.trim_end_matches('/')),
            api_key,
            model: set("OPENAI_MODEL").unwrap_or_else(|| "gpt-4o-mini".to_owned()),
        }))
    }

    /// Asks the model, and records on the current span which model answered and the tokens it says it used.
    pub(crate) async fn complete(&self, prompt: &Prompt) -> Result<String, EndpointError> {
        let body = json!({ "model": self.model, "messages": messages(prompt) });
        let mut request = self.client.post(&self.url).json(&body);
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key);
        }
        let response = request.send().await?;
        let status = response.status();
        if !status.is_success() {
            return Err(EndpointError::Refused { status, body: response.text().await? });
        }
        let completion: Completion = response.json().await?;
        if let Some(model) = completion.model {
            // The server knows best: `gpt-4o-mini` is answered by `gpt-4o-mini-2024-07-18`.
            observe::current_span().model(model);
        }
        if let Some(tokens) = completion.usage {
            observe::current_span().usage(tokens.into());
        }
        completion.choices.into_iter().find_map(|choice| choice.message.content).ok_or(EndpointError::Empty)
    }
}

/// The prompt as chat messages: instructions with the evidence, the conversation so far, the question.
fn messages(prompt: &Prompt) -> Vec<Message> {
    let mut evidence = INSTRUCTIONS.to_owned();
    for result in &prompt.tools {
        evidence.push_str(&format!("\n\nThe {} says: {}", result.tool, result.text));
    }
    for hit in &prompt.passages {
        evidence.push_str(&format!("\n\nPassage [{}]:\n{}", hit.passage.source, hit.passage.text));
    }
    let mut messages = vec![Message { role: "system", content: evidence }];
    for exchange in &prompt.history {
        messages.push(Message { role: "user", content: exchange.question.clone() });
        messages.push(Message { role: "assistant", content: exchange.answer.clone() });
    }
    messages.push(Message { role: "user", content: prompt.question.clone() });
    messages
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
}

#[derive(Deserialize)]
struct Completion {
    model: Option<String>,
    choices: Vec<Choice>,
    usage: Option<Tokens>,
}

#[derive(Deserialize)]
struct Choice {
    message: Reply,
}

#[derive(Deserialize)]
struct Reply {
    content: Option<String>,
}

/// Tokens as OpenAI counts them: each detail is contained in its total.
#[derive(Deserialize)]
struct Tokens {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize, Default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    audio_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
    audio_tokens: Option<u64>,
}

impl From<Tokens> for Usage {
    /// Takes the details out of the totals, because the buckets of `Usage` never overlap.
    fn from(tokens: Tokens) -> Self {
        let (prompt, completion) = (
            tokens.prompt_tokens_details.unwrap_or_default(),
            tokens.completion_tokens_details.unwrap_or_default(),
        );
        let rest = |total: Option<u64>, details: [Option<u64>; 2]| {
            total.map(|total| details.into_iter().flatten().fold(total, u64::saturating_sub))
        };
        Self {
            input: rest(tokens.prompt_tokens, [prompt.cached_tokens, prompt.audio_tokens]),
            cache_read: prompt.cached_tokens,
            input_audio: prompt.audio_tokens,
            output: rest(tokens.completion_tokens, [completion.reasoning_tokens, completion.audio_tokens]),
            reasoning: completion.reasoning_tokens,
            output_audio: completion.audio_tokens,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_is_counted_twice() {
        let tokens: Tokens = serde_json::from_value(json!({
            "prompt_tokens": 1000, "prompt_tokens_details": { "cached_tokens": 400 },
            "completion_tokens": 200, "completion_tokens_details": { "reasoning_tokens": 150, "audio_tokens": 0 },
        }))
        .unwrap();
        let usage = Usage::from(tokens);
        assert_eq!((usage.input, usage.cache_read), (Some(600), Some(400)));
        assert_eq!((usage.output, usage.reasoning, usage.output_audio), (Some(50), Some(150), Some(0)));
        assert_eq!(usage.total(), Some(1200));
    }
}
