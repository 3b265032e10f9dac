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
//!
//! Of an answer that came as a stream, the pieces together say the same. A count that is negative is no count.

use std::borrow::Cow;

use observe_model::{Span, SpanType, Usage};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Whether spans of this type are calls of a model.
#[inline(always)]
pub(crate) const fn is_model_call(span_type: SpanType) -> bool {
    matches!(span_type, SpanType::Generation | SpanType::Embedding)
}

/// Adds to the span of a model call what its output says of model and tokens, where nobody else said it.
pub(crate) fn fill(span: &mut Span<'_>) {
    let wants = is_model_call(span.span_type) && (span.model.is_none() || span.usage.is_unknown());
    let Some(output) = span.output.as_deref().filter(|_| wants) else { return };
    let said = match output.as_bytes().first() {
        Some(b'{') => said(output),
        // A list that did not come as a stream may be of answers to several questions.
        Some(b'[') if span.details.as_ref().is_some_and(|details| details.time_to_first.is_some()) => {
            said_in_pieces(output)
        }
        _ => None,
    };
    let Some((model, usage)) = said else { return };
    // A model alone could be anything; with tokens, it is that of an answer.
    if span.model.is_none() && !usage.is_unknown() {
        span.model = model.map(Cow::Owned);
    }
    if span.usage.is_unknown() {
        span.usage = usage;
    }
}

type Said = (Option<String>, Usage);

/// What an answer says. A field of another type than a provider's makes the whole no provider's answer.
fn said(answer: &str) -> Option<Said> {
    let answer: Answer<'_> = serde_json::from_str(answer).ok()?;
    let usage = answer.usage();
    Some((answer.model.or(answer.model_version).map(Cow::into_owned), usage))
}

/// What the pieces of a stream say, whose counts are sums so far: of each bucket the last one counts. Anthropic's first
/// piece and the last one of OpenAI's responses hold an answer within.
fn said_in_pieces(pieces: &str) -> Option<Said> {
    #[derive(Deserialize)]
    struct Holds<'a> {
        #[serde(borrow, alias = "response")]
        message: Option<&'a RawValue>,
    }
    let pieces: Vec<&RawValue> = serde_json::from_str(pieces).ok()?;
    let (mut model, mut usage) = (None, Usage::default());
    for piece in pieces.into_iter().map(RawValue::get).filter(|piece| piece.starts_with('{')) {
        let within = serde_json::from_str::<Holds<'_>>(piece).ok().and_then(|holds| holds.message);
        for (its_model, its_usage) in
            [within.map(RawValue::get), Some(piece)].into_iter().flatten().filter_map(said)
        {
            model = model.or(its_model);
            usage = later(&usage, &its_usage);
        }
    }
    Some((model, usage))
}

/// What is known by now, each bucket by itself.
fn later(before: &Usage, now: &Usage) -> Usage {
    Usage {
        input: now.input.or(before.input),
        cache_read: now.cache_read.or(before.cache_read),
        cache_write: now.cache_write.or(before.cache_write),
        input_audio: now.input_audio.or(before.input_audio),
        output: now.output.or(before.output),
        reasoning: now.reasoning.or(before.reasoning),
        output_audio: now.output_audio.or(before.output_audio),
    }
}

/// A count of tokens: a number that is not negative. Some providers write `71.0`.
#[derive(Clone, Copy)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = || number.as_f64().filter(|tokens| *tokens >= 0.0).map(|tokens| tokens as u64);
        Ok(Self(number.as_u64().or_else(whole)))
    }
}

fn count(count: Option<Count>) -> Option<u64> {
    count?.0
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
    prompt_eval_count: Option<Count>,
    #[serde(default)]
    eval_count: Option<Count>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Counts {
    prompt_tokens: Option<Count>,
    completion_tokens: Option<Count>,
    #[serde(alias = "inputTokens")]
    input_tokens: Option<Count>,
    #[serde(alias = "outputTokens")]
    output_tokens: Option<Count>,
    #[serde(alias = "input_tokens_details")]
    prompt_tokens_details: Option<Parts>,
    #[serde(alias = "output_tokens_details")]
    completion_tokens_details: Option<Parts>,
    #[serde(alias = "cacheReadInputTokens")]
    cache_read_input_tokens: Option<Count>,
    #[serde(alias = "cacheWriteInputTokens")]
    cache_creation_input_tokens: Option<Count>,
    tokens: Option<Cohere>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Parts {
    cached_tokens: Option<Count>,
    audio_tokens: Option<Count>,
    reasoning_tokens: Option<Count>,
}

#[derive(Deserialize)]
struct Cohere {
    #[serde(default)]
    input_tokens: Option<Count>,
    #[serde(default)]
    output_tokens: Option<Count>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Gemini {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Option<Count>,
    #[serde(alias = "candidates_token_count")]
    candidates_token_count: Option<Count>,
    #[serde(alias = "thoughts_token_count")]
    thoughts_token_count: Option<Count>,
    #[serde(alias = "cached_content_token_count")]
    cached_content_token_count: Option<Count>,
}

impl Answer<'_> {
    fn usage(&self) -> Usage {
        match (&self.usage, &self.gemini) {
            (Some(counts), _) => counts.usage(),
            (None, Some(gemini)) => {
                let cached = count(gemini.cached_content_token_count);
                Usage {
                    input: without(count(gemini.prompt_token_count), [cached]),
                    cache_read: cached,
                    output: count(gemini.candidates_token_count),
                    reasoning: count(gemini.thoughts_token_count),
                    ..Usage::default()
                }
            }
            (None, None) => Usage {
                input: count(self.prompt_eval_count),
                output: count(self.eval_count),
                ..Usage::default()
            },
        }
    }
}

impl Counts {
    fn usage(&self) -> Usage {
        if let Some(Cohere { input_tokens, output_tokens }) = self.tokens {
            let (input, output) = (count(input_tokens), count(output_tokens));
            return Usage { input, output, ..Usage::default() };
        }
        let none = Parts::default();
        let of_input = self.prompt_tokens_details.as_ref().unwrap_or(&none);
        let of_output = self.completion_tokens_details.as_ref().unwrap_or(&none);
        let (cached, reasoning) = (count(of_input.cached_tokens), count(of_output.reasoning_tokens));
        let (audio_in, audio_out) = (count(of_input.audio_tokens), count(of_output.audio_tokens));
        let input = count(self.prompt_tokens.or(self.input_tokens));
        let output = count(self.completion_tokens.or(self.output_tokens));
        Usage {
            input: without(input, [cached, audio_in]),
            // Those who count caches beside the input say so under names of their own.
            cache_read: cached.or(count(self.cache_read_input_tokens)),
            cache_write: count(self.cache_creation_input_tokens),
            input_audio: audio_in,
            output: without(output, [reasoning, audio_out]),
            reasoning,
            output_audio: audio_out,
        }
    }
}

/// A sum without the parts of it that are known.
fn without<const N: usize>(sum: Option<u64>, parts: [Option<u64>; N]) -> Option<u64> {
    sum.map(|sum| parts.into_iter().flatten().fold(sum, u64::saturating_sub))
}

#[cfg(test)]
mod tests {
    use observe_model::{Details, SpanId, Timestamp, TraceId};
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
            json!({"usage": {"prompt_tokens": "many"}}),
        ] {
            let span = filled(SpanType::Generation, &other);
            assert_eq!((span.model, span.usage), (None, Usage::default()), "{other}");
        }
    }

    #[test]
    fn a_negative_count_costs_only_itself() {
        let answer = json!({"model": "m", "usage": {"prompt_tokens": -3, "completion_tokens": 7}});
        let span = filled(SpanType::Generation, &answer);
        let usage = Usage { output: Some(7), ..Usage::default() };
        assert_eq!((span.model.as_deref(), span.usage), (Some("m"), usage));
        assert_eq!(span.output.as_deref(), Some(&*answer.to_string()), "what was recorded stays");
    }

    #[test]
    fn the_pieces_of_a_stream_say_what_the_whole_answer_would() {
        for (provider, pieces, model, usage) in [
            (
                "OpenAI chat",
                json!([
                    {"object": "chat.completion.chunk", "model": "gpt-4o", "choices": [{"delta": {"content": "h"}}], "usage": null},
                    {"object": "chat.completion.chunk", "model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}},
                ]),
                "gpt-4o",
                Usage::new(5, 2),
            ),
            (
                "OpenAI responses",
                json!([
                    {"type": "response.created", "response": {"model": "o4-mini", "usage": null}},
                    {"type": "response.output_text.delta", "delta": "h"},
                    {"type": "response.completed", "response": {"model": "o4-mini", "usage": {"input_tokens": 8, "output_tokens": 3}}},
                ]),
                "o4-mini",
                Usage::new(8, 3),
            ),
            (
                "Anthropic",
                json!([
                    {"type": "message_start", "message": {"model": "claude-sonnet-4", "usage": {"input_tokens": 25, "output_tokens": 1}}},
                    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "h"}},
                    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
                ]),
                "claude-sonnet-4",
                Usage::new(25, 15),
            ),
            (
                "Gemini",
                json!([
                    {"modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1}},
                    {"modelVersion": "gemini-2.5-flash", "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 9}},
                ]),
                "gemini-2.5-flash",
                Usage::new(4, 9),
            ),
            (
                "Ollama",
                json!([
                    {"model": "llama3.2", "response": "h", "done": false},
                    {"model": "llama3.2", "response": "", "done": true, "prompt_eval_count": 6, "eval_count": 2},
                ]),
                "llama3.2",
                Usage::new(6, 2),
            ),
        ] {
            let mut span = filled(SpanType::Generation, &pieces);
            assert_eq!(
                (span.model.take(), span.usage),
                (None, Usage::default()),
                "{provider}: no stream, no answer"
            );
            span.details = Some(Box::new(Details { time_to_first: Some(1), ..Details::default() }));
            fill(&mut span);
            assert_eq!((span.model.as_deref(), span.usage), (Some(model), usage), "{provider}");
        }
    }
}
