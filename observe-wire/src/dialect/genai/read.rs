//! Reads what is in the words of the GenAI conventions, of any age, or in those of who came before them.

use std::borrow::Cow;

use observe_model::{Json, Prompt, Span, SpanType, Usage};
use serde_json::Value;

use super::{PARAMETERS, messages, others};
use crate::{
    dialect::{
        Draft, Sender, fill, futureagi,
        openinference::plain,
        own::fill_metadata,
        payload::{self, is_json, looks_nested},
    },
    otlp::attributes::{Attributes, Unreadable},
};

/// Reads what is in the conventions' words.
pub(crate) fn read(draft: &mut Draft<'_>, a: &mut Attributes<'_>, sender: &Sender) -> Result<(), Unreadable> {
    if sender.is_ours {
        // What we say besides of name, model and errors.
        for key in
            ["error.type", "gen_ai.provider.name", "gen_ai.system", "gen_ai.agent.name", "gen_ai.tool.name"]
        {
            a.forget(key);
        }
    }
    // Most spans say nothing of the kind.
    if !a.any(|key| key.starts_with("gen_ai.") || others::is_known(key)) {
        return Ok(());
    }
    futureagi::read(draft, a, sender)?;
    let Draft { span, scope, .. } = draft;
    fill(&mut span.model, || a.text(&["gen_ai.response.model", "gen_ai.request.model"]).map(Cow::Owned));
    if span.usage.is_unknown() {
        span.usage = usage(a);
    }
    if span.cost.is_unknown() {
        span.cost.total = a.double(&["gen_ai.usage.cost"]);
    }
    // Some say the session twice.
    let known = scope.session.clone();
    a.text_like("gen_ai.conversation.id", |text| (known.as_deref() == Some(text)).then_some(()));
    fill(&mut scope.session, || a.text(&["gen_ai.conversation.id"]));
    fill(&mut scope.name, || a.text(&["gen_ai.workflow.name"]));
    read_payloads(span, a)?;
    read_details(draft, a)?;
    others::read(draft, a)?;
    read_flat_messages(draft.span, a)
}

fn read_payloads(span: &mut Span<'static>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    if span.input.is_none() {
        let form = a.text_like("observe.input.form", messages::Form::named);
        let recorded = |text: &str| form.and_then(|form| messages::recorded(text, form)).map(json_or_text);
        span.input = a.text_like("gen_ai.input.messages", recorded);
    }
    if span.input.is_none() {
        let keys = [
            "gen_ai.input.messages",
            "gen_ai.tool.call.arguments",
            "gen_ai.retrieval.query.text",
            "gen_ai.prompt",
        ];
        span.input = payload::read(a, "observe.input.mime_type", &keys, looks_nested)?;
    }
    if span.output.is_none() {
        let form = a.text_like("observe.output.form", messages::Form::named);
        let recorded = |text: &str| form.and_then(|form| messages::recorded(text, form)).map(json_or_text);
        span.output = a.text_like("gen_ai.output.messages", recorded);
    }
    if span.output.is_none() {
        let keys = [
            "gen_ai.output.messages",
            "gen_ai.tool.call.result",
            "gen_ai.retrieval.documents",
            "gen_ai.completion",
        ];
        span.output = payload::read(a, "observe.output.mime_type", &keys, looks_nested)?;
    }
    Ok(())
}

/// JSON text as it is, anything else as a JSON string.
fn json_or_text(text: String) -> Cow<'static, str> {
    Cow::Owned(if is_json(&text) { text } else { Value::String(text).to_string() })
}

/// Messages in one attribute for each of their fields.
fn read_flat_messages(span: &mut Span<'static>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    for key in ["gen_ai.input.messages", "gen_ai.prompt"] {
        payload::read_flat(a, key, &mut span.input, span.metadata.to_mut())?;
    }
    for key in ["gen_ai.output.messages", "gen_ai.completion"] {
        payload::read_flat(a, key, &mut span.output, span.metadata.to_mut())?;
    }
    Ok(())
}

fn read_details(draft: &mut Draft<'_>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    let details = &mut draft.details;
    fill_metadata(&mut details.parameters, a.object("gen_ai.request.parameters")?.unwrap_or_default());
    for name in PARAMETERS {
        if let Some(value) = a.json(&[&format!("gen_ai.request.{name}")])? {
            details.parameters.entry(*name).or_insert(value);
        }
    }
    fill(&mut details.tools, || a.text(&["gen_ai.tool.definitions"]).map(Json::from_text));
    fill(&mut details.prompt, || {
        let version = a.text(&["gen_ai.prompt.version", "gen_ai.prompt.template.version"]);
        a.text(&["gen_ai.prompt.name", "gen_ai.prompt.template.name"]).map(|name| Prompt { name, version })
    });
    fill(&mut details.time_to_first, || {
        let seconds = a.double(&["gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"]);
        seconds.filter(|s| *s >= 0.0).map(|seconds| (seconds * 1e9).round() as u64)
    });
    Ok(())
}

/// The span type that is said.
pub(crate) fn span_type(a: &mut Attributes<'_>) -> Option<SpanType> {
    let kind = futureagi::span_type(a);
    let operation = a.text_like("gen_ai.operation.name", of_operation);
    kind.or(operation).or(others::span_type(a))
}

/// The span type of an operation.
fn of_operation(text: &str) -> Option<SpanType> {
    Some(match text {
        "chat" | "text_completion" | "generate_content" | "completion" | "generate" => SpanType::Generation,
        "embeddings" => SpanType::Embedding,
        "invoke_agent" | "create_agent" => SpanType::Agent,
        "execute_tool" => SpanType::Tool,
        "invoke_workflow" => SpanType::Chain,
        "retrieval" => SpanType::Retriever,
        _ => return None,
    })
}

/// Tokens in buckets that do not overlap, from sums that include the details.
fn usage(a: &mut Attributes<'_>) -> Usage {
    let mut usage = Usage {
        cache_read: a.count(&[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.input_tokens.cache_read",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_read_tokens",
        ]),
        cache_write: a.count(&[
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.input_tokens.cache_write",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_tokens",
        ]),
        input_audio: a.count(&["gen_ai.usage.audio.input_tokens", "gen_ai.usage.input_tokens.audio"]),
        reasoning: a.count(&[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.output_tokens.reasoning",
            "gen_ai.usage.reasoning_tokens",
        ]),
        output_audio: a.count(&["gen_ai.usage.audio.output_tokens", "gen_ai.usage.output_tokens.audio"]),
        ..Usage::default()
    };
    let input = a.count(&[
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
    ]);
    let output = a.count(&[
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ]);
    usage.input = input.map(|sum| plain(sum, usage.total_input()));
    usage.output = output.map(|sum| plain(sum, usage.total_output()));
    if input.is_some() && output.is_some() {
        a.forget("gen_ai.usage.total_tokens");
        a.forget("llm.usage.total_tokens");
    }
    usage
}
