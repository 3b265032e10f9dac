//! `usage_details` and `cost_details`: one JSON object each, with any names for numbers, which do not overlap but for the
//! total.

use observe_model::{Cost, Metadata, Usage};
use serde::Serialize;
use serde_json::Value;

use crate::otlp::attributes::{Attributes, Unreadable};

/// Our buckets by the names that Langfuse's clients give them, beside their sum.
#[derive(Serialize)]
pub(super) struct UsageDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cached_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_creation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_audio_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_reasoning_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_audio_tokens: Option<u64>,
}

impl UsageDetails {
    pub(super) fn of(usage: &Usage) -> Self {
        Self {
            input: usage.input,
            output: usage.output,
            total: usage.total(),
            input_cached_tokens: usage.cache_read,
            input_cache_creation: usage.cache_write,
            input_audio_tokens: usage.input_audio,
            output_reasoning_tokens: usage.reasoning,
            output_audio_tokens: usage.output_audio,
        }
    }
}

/// Tokens by the names that Langfuse's clients give them. If some have others, all of it goes to the metadata too.
pub(super) fn usage(a: &mut Attributes<'_>, metadata: &mut Metadata) -> Result<Usage, Unreadable> {
    const KEY: &str = "langfuse.observation.usage_details";
    let Some(said) = a.object(KEY)? else { return Ok(Usage::default()) };
    let mut known = 0;
    let mut count = |names: &[&str]| {
        let count = names.iter().find_map(|name| said.get(*name)?.as_u64());
        known += usize::from(count.is_some());
        count
    };
    let usage = Usage {
        input: count(&["input", "input_tokens", "prompt_tokens", "promptTokens"]),
        output: count(&["output", "output_tokens", "completion_tokens", "completionTokens"]),
        cache_read: count(&["input_cached_tokens", "input_cache_read", "cache_read_input_tokens"]),
        cache_write: count(&["input_cache_creation", "cache_creation_input_tokens"]),
        input_audio: count(&["input_audio_tokens", "input_audio"]),
        reasoning: count(&["output_reasoning_tokens", "output_reasoning"]),
        output_audio: count(&["output_audio_tokens", "output_audio"]),
    };
    if !usage.is_unknown() {
        count(&["total", "total_tokens", "totalTokens"]);
    }
    if known < said.len() {
        metadata.entry(KEY).or_insert(Value::Object(said));
    }
    Ok(usage)
}

/// US dollars. If some have other names than ours, all of it goes to the metadata too.
pub(super) fn cost(a: &mut Attributes<'_>, metadata: &mut Metadata) -> Result<Cost, Unreadable> {
    const KEY: &str = "langfuse.observation.cost_details";
    let Some(said) = a.object(KEY)? else { return Ok(Cost::default()) };
    let dollars = |name: &str| said.get(name).and_then(Value::as_f64);
    let cost = Cost { input: dollars("input"), output: dollars("output"), total: dollars("total") };
    if [cost.input, cost.output, cost.total].into_iter().flatten().count() < said.len() {
        metadata.entry(KEY).or_insert(Value::Object(said));
    }
    Ok(cost)
}
