//! What the answers of model providers say of themselves: the model that answered, and the tokens that it used.
//!
//! A function that calls a model usually returns what the provider sent, in the provider's own shape. These shapes are read:
//!
//! | Provider | Tokens in | Cached, reasoning |
//! |---|---|---|
//! | OpenAI chat and all who followed it | `usage.prompt_tokens`, `usage.completion_tokens` | within them, in `.._details` |
//! | OpenAI responses | `usage.input_tokens`, `usage.output_tokens` | within them, in `.._details` |
//! | Anthropic | the same | beside `input_tokens`: `cache_read_input_tokens`, `cache_creation_input_tokens` |
//! | Amazon Bedrock | `usage.inputTokens`, `usage.outputTokens` | beside them |
//! | Google Gemini | `usageMetadata.promptTokenCount`, `.candidatesTokenCount` | cached within, thoughts beside |
//! | Cohere | `usage.tokens.input_tokens`, `.output_tokens` | |
//! | Ollama | `prompt_eval_count`, `eval_count` | |

use std::borrow::Cow;

use observe_model::{Span, SpanType, Usage};
use serde::Deserialize;

/// Whether spans of this type are calls of a model.
#[inline(always)]
pub(crate) const fn is_model_call(span_type: SpanType) -> bool {
    matches!(span_type, SpanType::Generation | SpanType::Embedding)
}

/// Adds to the span of a model call what its output says of model and tokens, where nobody else said it.
pub(crate) fn fill(span: &mut Span<'_>) {
    let wants = is_model_call(span.span_type) && (span.model.is_none() || span.usage.is_unknown());
    let Some(output) = span.output.as_deref().filter(|output| wants && output.starts_with('{')) else {
        return;
    };
    // A field of another type than a provider's makes the whole no provider's answer.
    let Ok(answer) = serde_json::from_str::<Answer<'_>>(output) else { return };
    let (usage, model) = (answer.usage(), answer.model.or(answer.model_version).map(Cow::into_owned));
    // A model alone could be anything; with tokens, it is that of an answer.
    if span.model.is_none() && !usage.is_unknown() {
        span.model = model.map(Cow::Owned);
    }
    if span.usage.is_unknown() {
        span.usage = usage;
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "modelVersion")]
    model_version: Option<Cow<'a, str>>,
    #[serde(default)]
    usage: Option<Counts>,
    #[serde(default, rename = "usageMetadata", alias = "usage_metadata")]
    gemini: Option<Gemini>,
    #[serde(default)]
    prompt_eval_count: Option<u64>,
    #[serde(default)]
    eval_count: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Counts {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    #[serde(alias = "inputTokens")]
    input_tokens: Option<u64>,
    #[serde(alias = "outputTokens")]
    output_tokens: Option<u64>,
    #[serde(alias = "input_tokens_details")]
    prompt_tokens_details: Option<Parts>,
    #[serde(alias = "output_tokens_details")]
    completion_tokens_details: Option<Parts>,
    #[serde(alias = "cacheReadInputTokens")]
    cache_read_input_tokens: Option<u64>,
    #[serde(alias = "cacheWriteInputTokens")]
    cache_creation_input_tokens: Option<u64>,
    tokens: Option<Cohere>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parts {
    cached_tokens: Option<u64>,
    audio_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Cohere {
    #[serde(default)]
    input_tokens: Option<f64>,
    #[serde(default)]
    output_tokens: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Gemini {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Option<u64>,
    #[serde(alias = "candidates_token_count")]
    candidates_token_count: Option<u64>,
    #[serde(alias = "thoughts_token_count")]
    thoughts_token_count: Option<u64>,
    #[serde(alias = "cached_content_token_count")]
    cached_content_token_count: Option<u64>,
}

impl Answer<'_> {
    fn usage(&self) -> Usage {
        match (&self.usage, &self.gemini) {
            (Some(counts), _) => counts.usage(),
            (None, Some(gemini)) => Usage {
                input: without(gemini.prompt_token_count, [gemini.cached_content_token_count]),
                cache_read: gemini.cached_content_token_count,
                output: gemini.candidates_token_count,
                reasoning: gemini.thoughts_token_count,
                ..Usage::default()
            },
            (None, None) => {
                Usage { input: self.prompt_eval_count, output: self.eval_count, ..Usage::default() }
            }
        }
    }
}

impl Counts {
    fn usage(&self) -> Usage {
        if let Some(Cohere { input_tokens, output_tokens }) = self.tokens {
            let whole =
                |tokens: Option<f64>| tokens.filter(|tokens| *tokens >= 0.0).map(|tokens| tokens as u64);
            return Usage { input: whole(input_tokens), output: whole(output_tokens), ..Usage::default() };
        }
        let none = Parts::default();
        let of_input = self.prompt_tokens_details.as_ref().unwrap_or(&none);
        let of_output = self.completion_tokens_details.as_ref().unwrap_or(&none);
        // Those who count caches beside the input say so under names of their own.
        let (input, output) =
            (self.prompt_tokens.or(self.input_tokens), self.completion_tokens.or(self.output_tokens));
        Usage {
            input: without(input, [of_input.cached_tokens, of_input.audio_tokens]),
            cache_read: of_input.cached_tokens.or(self.cache_read_input_tokens),
            cache_write: self.cache_creation_input_tokens,
            input_audio: of_input.audio_tokens,
            output: without(output, [of_output.reasoning_tokens, of_output.audio_tokens]),
            reasoning: of_output.reasoning_tokens,
            output_audio: of_output.audio_tokens,
        }
    }
}

/// A sum without the parts of it that are known.
fn without<const N: usize>(sum: Option<u64>, parts: [Option<u64>; N]) -> Option<u64> {
    sum.map(|sum| parts.into_iter().flatten().fold(sum, u64::saturating_sub))
}

#[cfg(test)]
mod tests {
    use observe_model::{SpanId, Timestamp, TraceId};
    use serde_json::{Value, json};

    use super::*;

    fn filled(span_type: SpanType, output: &Value) -> Span<'static> {
        let mut span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "chat", Timestamp(1));
        (span.span_type, span.output) = (span_type, Some(output.to_string().into()));
        fill(&mut span);
        span
    }

    #[test]
    fn the_answer_of_every_provider_says_its_model_and_tokens() {
        let plain = |input, output| Usage::new(input, output);
        for (provider, answer, model, usage) in [
            (
                "OpenAI chat",
                json!({"id": "chatcmpl-1", "model": "gpt-4o-mini-2024-07-18", "choices": [{"message": {"content": "hi"}}],
                    "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
                        "prompt_tokens_details": {"cached_tokens": 60, "audio_tokens": 0},
                        "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0}}}),
                Some("gpt-4o-mini-2024-07-18"),
                Usage {
                    cache_read: Some(60),
                    input_audio: Some(0),
                    reasoning: Some(20),
                    output_audio: Some(0),
                    ..plain(40, 30)
                },
            ),
            (
                "OpenAI responses",
                json!({"object": "response", "model": "o4-mini", "usage": {"input_tokens": 81, "input_tokens_details": {"cached_tokens": 1},
                    "output_tokens": 1035, "output_tokens_details": {"reasoning_tokens": 832}, "total_tokens": 1116}}),
                Some("o4-mini"),
                Usage { cache_read: Some(1), reasoning: Some(832), ..plain(80, 203) },
            ),
            (
                "Anthropic",
                json!({"type": "message", "model": "claude-sonnet-4", "usage": {"input_tokens": 3, "cache_creation_input_tokens": 12,
                    "cache_read_input_tokens": 400, "output_tokens": 9}}),
                Some("claude-sonnet-4"),
                Usage { cache_read: Some(400), cache_write: Some(12), ..plain(3, 9) },
            ),
            (
                "Bedrock",
                json!({"output": {"message": {}}, "usage": {"inputTokens": 30, "outputTokens": 628, "totalTokens": 658}}),
                None,
                plain(30, 628),
            ),
            (
                "Gemini",
                json!({"candidates": [], "modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 20,
                    "candidatesTokenCount": 7, "thoughtsTokenCount": 5, "cachedContentTokenCount": 8, "totalTokenCount": 32}}),
                Some("gemini-2.5-flash"),
                Usage { cache_read: Some(8), reasoning: Some(5), ..plain(12, 7) },
            ),
            (
                "Cohere",
                json!({"usage": {"billed_units": {"input_tokens": 5.0}, "tokens": {"input_tokens": 71.0, "output_tokens": 14.0}}}),
                None,
                plain(71, 14),
            ),
            (
                "Ollama",
                json!({"model": "llama3.2", "prompt_eval_count": 26, "eval_count": 298}),
                Some("llama3.2"),
                plain(26, 298),
            ),
        ] {
            let span = filled(SpanType::Generation, &answer);
            assert_eq!((span.model.as_deref(), span.usage), (model, usage), "{provider}");
        }
    }

    #[test]
    fn what_was_said_stays_and_other_outputs_say_nothing() {
        let answer = json!({"model": "a", "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
        let mut span = filled(SpanType::Generation, &Value::Null);
        (span.model, span.usage) = (Some("mine".into()), Usage::new(7, 8));
        span.output = Some(answer.to_string().into());
        fill(&mut span);
        assert_eq!((span.model.as_deref(), span.usage), (Some("mine"), Usage::new(7, 8)));

        assert!(filled(SpanType::Tool, &answer).model.is_none());
        for other in [
            json!("text"),
            json!([answer]),
            json!({"model": "T"}),
            json!({"usage": "high"}),
            json!({"usage": {"prompt_tokens": -1}}),
        ] {
            let span = filled(SpanType::Generation, &other);
            assert_eq!((span.model, span.usage), (None, Usage::default()), "{other}");
        }
    }
}
