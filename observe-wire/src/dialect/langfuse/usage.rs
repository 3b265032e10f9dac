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

/// Tokens by the names that Langfuse's clients give them. Of what has another name, all goes to the metadata.
pub(super) fn usage(a: &mut Attributes<'_>, metadata: &mut Metadata) -> Result<Usage, Unreadable> {
    const KEY: &str = "langfuse.observation.usage_details";
    let Some(mut said) = a.object(KEY)? else { return Ok(Usage::default()) };
    let whole = said.clone();
    let mut take = |keys: &[&str]| {
        let key = keys.iter().find(|key| said.get(**key).is_some_and(Value::is_u64))?;
        said.remove(*key)?.as_u64()
    };
    let usage = Usage {
        input: take(&["input", "input_tokens", "prompt_tokens", "promptTokens"]),
        output: take(&["output", "output_tokens", "completion_tokens", "completionTokens"]),
        cache_read: take(&["input_cached_tokens", "input_cache_read", "cache_read_input_tokens"]),
        cache_write: take(&["input_cache_creation", "cache_creation_input_tokens"]),
        input_audio: take(&["input_audio_tokens", "input_audio"]),
        reasoning: take(&["output_reasoning_tokens", "output_reasoning"]),
        output_audio: take(&["output_audio_tokens", "output_audio"]),
    };
    if !usage.is_unknown() {
        take(&["total", "total_tokens", "totalTokens"]);
    }
    if !said.is_empty() {
        metadata.entry(KEY).or_insert(Value::Object(whole));
    }
    Ok(usage)
}

/// US dollars. Of what has another name than ours, all goes to the metadata.
pub(super) fn cost(a: &mut Attributes<'_>, metadata: &mut Metadata) -> Result<Cost, Unreadable> {
    const KEY: &str = "langfuse.observation.cost_details";
    let Some(mut said) = a.object(KEY)? else { return Ok(Cost::default()) };
    let whole = said.clone();
    let mut take =
        |key: &str| said.get(key).is_some_and(Value::is_number).then(|| said.remove(key))??.as_f64();
    let cost = Cost { input: take("input"), output: take("output"), total: take("total") };
    if !said.is_empty() {
        metadata.entry(KEY).or_insert(Value::Object(whole));
    }
    Ok(cost)
}
