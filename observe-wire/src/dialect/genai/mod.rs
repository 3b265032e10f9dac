//! The OpenTelemetry GenAI conventions, as of 1.41 and with the names they had before (`gen_ai.system`,
//! `gen_ai.usage.prompt_tokens`), and a few `observe.*` of our own for what they have no word for.
//!
//! `docs/WIRE.md` is this file as a table; change both together.

mod messages;
mod others;
mod read;

use observe_model::{
    Cost, Details, Metadata, Resource, Score, ScoreValue, Span, SpanType, Status, TraceAttributes, Usage,
};
use serde_json::Value;

pub(crate) use messages::chat;
pub(crate) use read::{read, span_type};

use super::{
    Dialect, openinference,
    own::{self, object},
    payload::{self, looks_nested},
    said::{EVALUATION, label, put_event},
};
use crate::otlp::protobuf::{
    EVENT_ATTRIBUTES as EVENT, SPAN_ATTRIBUTES as SPAN, key, put_any_attribute, put_double, put_int, put_text,
};

/// Request parameters that have an attribute each.
const PARAMETERS: &[&str] = &[
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "stop_sequences",
    "frequency_penalty",
    "presence_penalty",
    "choice.count",
];

/// The attributes of a resource.
pub(crate) fn of_resource(resource: &Resource) -> Vec<(&'static str, &str)> {
    let Resource { project, service, release, environment } = resource;
    let said = [
        (own::PROJECT, Some(&**project)),
        ("service.name", Some(&**service)),
        ("service.version", release.as_deref()),
        ("deployment.environment.name", environment.as_deref()),
    ];
    said.into_iter().filter_map(|(key, text)| Some((key, text?))).collect()
}

/// The operation that each span type is; `None` for those that the conventions have no word for.
const fn operation(span_type: SpanType) -> Option<&'static str> {
    Some(match span_type {
        SpanType::Generation => "chat",
        SpanType::Embedding => "embeddings",
        SpanType::Agent => "invoke_agent",
        SpanType::Tool => "execute_tool",
        SpanType::Chain => "invoke_workflow",
        SpanType::Retriever => "retrieval",
        SpanType::Span | SpanType::Evaluator | SpanType::Guardrail | SpanType::Event => return None,
    })
}

/// Appends what a span says in attributes.
pub(crate) fn put(out: &mut Vec<u8>, span: &Span<'_>, dialect: Dialect) {
    let is_old = dialect == Dialect::GenAiLegacy;
    let calls = matches!(span.span_type, SpanType::Generation | SpanType::Embedding | SpanType::Retriever);
    // SPAN_KIND_CLIENT for what is called elsewhere, else SPAN_KIND_INTERNAL.
    out.extend_from_slice(&[6 << 3, if calls { 3 } else { 1 }]);
    match operation(span.span_type) {
        Some(name) => put_text(out, key!(SPAN, "gen_ai.operation.name"), name.as_bytes()),
        None => own::put_span_type(out, span.span_type),
    }
    put_scope(out, &span.attributes, is_old);
    put_named(out, span, is_old);
    put_payloads(out, span, is_old);
    put_usage(out, &span.usage, is_old);
    put_cost(out, &span.cost.finite());
    if let Some(details) = &span.details {
        put_details(out, details);
    }
    if !span.metadata.is_empty() {
        own::put_metadata(out, &object(span.metadata.iter()));
    }
    own::put_code(out, span);
    own::put_standing(out, span);
}

/// What the whole trace is said to be.
fn put_scope(out: &mut Vec<u8>, scope: &TraceAttributes, is_old: bool) {
    if let Some(session) = &scope.session {
        match is_old {
            true => put_text(out, key!(SPAN, "session.id"), session.as_bytes()),
            false => put_text(out, key!(SPAN, "gen_ai.conversation.id"), session.as_bytes()),
        }
    }
    if let Some(user) = &scope.user {
        put_text(out, key!(SPAN, "enduser.id"), user.as_bytes());
    }
    if let Some(name) = scope.name.as_ref().filter(|_| !is_old) {
        put_text(out, key!(SPAN, "gen_ai.workflow.name"), name.as_bytes());
    }
    if !scope.metadata.is_empty() {
        own::put_scope_metadata(out, &object(scope.metadata.iter()));
    }
    let unsaid = own::Scope {
        name: scope.name.as_deref().filter(|_| is_old),
        version: scope.version.as_deref(),
        release: scope.release.as_deref(),
        environment: scope.environment.as_deref(),
        public: scope.public,
        tags: &scope.tags,
        ..own::Scope::default()
    };
    own::put_scope(out, &unsaid);
}

/// What is called, and what went wrong.
fn put_named(out: &mut Vec<u8>, span: &Span<'_>, is_old: bool) {
    match span.span_type {
        SpanType::Agent if !is_old => put_text(out, key!(SPAN, "gen_ai.agent.name"), span.name.as_bytes()),
        SpanType::Tool if !is_old => put_text(out, key!(SPAN, "gen_ai.tool.name"), span.name.as_bytes()),
        _ => {}
    }
    if let Some(model) = &span.model {
        put_text(out, key!(SPAN, "gen_ai.request.model"), model.as_bytes());
    }
    if let Some(provider) = provider(span) {
        match is_old {
            true => put_text(out, key!(SPAN, "gen_ai.system"), provider.as_bytes()),
            false => put_text(out, key!(SPAN, "gen_ai.provider.name"), provider.as_bytes()),
        }
    }
    if span.status == Status::Error {
        let kind = span.details.as_ref().and_then(|details| details.errors.first()?.kind.as_deref());
        put_text(out, key!(SPAN, "error.type"), kind.unwrap_or("_OTHER").as_bytes());
    }
}

/// Who serves the model: what the span's metadata says, else what the model's name tells.
pub(super) fn provider<'s>(span: &'s Span<'_>) -> Option<&'s str> {
    const BY_NAME: &[(&str, &str)] = &[
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4", "openai"),
        ("text-embedding-", "openai"),
        ("claude", "anthropic"),
        ("gemini", "gcp.gemini"),
        ("mistral", "mistral_ai"),
        ("command", "cohere"),
        ("deepseek", "deepseek"),
        ("grok", "x_ai"),
        ("sonar", "perplexity"),
    ];
    let said = span.metadata.get("gen_ai.provider.name").and_then(Value::as_str);
    let of_model =
        |model: &str| BY_NAME.iter().find(|(start, _)| model.starts_with(start)).map(|(_, name)| *name);
    said.or_else(|| of_model(span.model.as_deref()?))
}

/// Whether the conventions have messages for spans of this type.
const fn has_messages(span_type: SpanType) -> bool {
    matches!(span_type, SpanType::Generation | SpanType::Agent | SpanType::Chain)
}

/// Appends input and output: messages, a tool's arguments and result, and for the others OpenInference's words, which
/// most readers know too.
fn put_payloads(out: &mut Vec<u8>, span: &Span<'_>, is_old: bool) {
    if let Some(input) = &span.input {
        match span.span_type {
            kind if has_messages(kind) && is_old => {
                let (text, mime) = payload::native(input, looks_nested);
                put_text(out, key!(SPAN, "gen_ai.prompt"), &text);
                put_mime(out, key!(SPAN, "observe.input.mime_type"), mime);
            }
            kind if has_messages(kind) => {
                let (messages, form) = messages::of(input, "user", None);
                put_text(out, key!(SPAN, "gen_ai.input.messages"), &messages);
                put_mime(out, key!(SPAN, "observe.input.form"), form.map(messages::Form::as_str));
            }
            SpanType::Tool if !is_old => {
                let (text, mime) = payload::native(input, looks_nested);
                put_text(out, key!(SPAN, "gen_ai.tool.call.arguments"), &text);
                put_mime(out, key!(SPAN, "observe.input.mime_type"), mime);
            }
            _ => openinference::put_input(out, input.as_bytes()),
        }
    }
    if let Some(output) = &span.output {
        match span.span_type {
            kind if has_messages(kind) && is_old => {
                let (text, mime) = payload::native(output, looks_nested);
                put_text(out, key!(SPAN, "gen_ai.completion"), &text);
                put_mime(out, key!(SPAN, "observe.output.mime_type"), mime);
            }
            kind if has_messages(kind) => {
                let finish = if span.status == Status::Error { "error" } else { "stop" };
                let (messages, form) = messages::of(output, "assistant", Some(finish));
                put_text(out, key!(SPAN, "gen_ai.output.messages"), &messages);
                put_mime(out, key!(SPAN, "observe.output.form"), form.map(messages::Form::as_str));
            }
            SpanType::Tool if !is_old => {
                let (text, mime) = payload::native(output, looks_nested);
                put_text(out, key!(SPAN, "gen_ai.tool.call.result"), &text);
                put_mime(out, key!(SPAN, "observe.output.mime_type"), mime);
            }
            _ => openinference::put_output(out, output.as_bytes()),
        }
    }
}

/// Appends how a payload is to be read, where its text does not tell.
fn put_mime<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], mime: Option<&str>) {
    if let Some(mime) = mime {
        put_text(out, head, mime.as_bytes());
    }
}

/// Appends token counts; the sums include the cached, audio and reasoning ones.
fn put_usage(out: &mut Vec<u8>, usage: &Usage, is_old: bool) {
    // A sum is sent only where its plain part is known: else it would be read back as a plain part of zero.
    let input = usage.input.and(usage.total_input());
    let output = usage.output.and(usage.total_output());
    match (input, is_old) {
        (None, _) => {}
        (Some(n), false) => put_int(out, key!(SPAN, "gen_ai.usage.input_tokens"), n),
        (Some(n), true) => put_int(out, key!(SPAN, "gen_ai.usage.prompt_tokens"), n),
    }
    match (output, is_old) {
        (None, _) => {}
        (Some(n), false) => put_int(out, key!(SPAN, "gen_ai.usage.output_tokens"), n),
        (Some(n), true) => put_int(out, key!(SPAN, "gen_ai.usage.completion_tokens"), n),
    }
    if let Some(n) = usage.cache_read {
        put_int(out, key!(SPAN, "gen_ai.usage.cache_read.input_tokens"), n);
    }
    if let Some(n) = usage.cache_write {
        put_int(out, key!(SPAN, "gen_ai.usage.cache_creation.input_tokens"), n);
    }
    if let Some(n) = usage.input_audio {
        put_int(out, key!(SPAN, "gen_ai.usage.audio.input_tokens"), n);
    }
    if let Some(n) = usage.reasoning {
        put_int(out, key!(SPAN, "gen_ai.usage.reasoning.output_tokens"), n);
    }
    if let Some(n) = usage.output_audio {
        put_int(out, key!(SPAN, "gen_ai.usage.audio.output_tokens"), n);
    }
}

/// Appends what the call cost, in US dollars, for which the conventions have no word but many readers this one.
fn put_cost(out: &mut Vec<u8>, cost: &Cost) {
    if let Some(dollars) = cost.total() {
        put_double(out, key!(SPAN, "gen_ai.usage.cost"), dollars);
    }
    if cost.input.is_some() || cost.output.is_some() {
        own::put_cost(out, cost);
    }
}

/// Appends what only some spans have.
fn put_details(out: &mut Vec<u8>, details: &Details) {
    let Details { prompt, parameters, tools, time_to_first, .. } = details;
    if let Some(prompt) = prompt {
        put_text(out, key!(SPAN, "gen_ai.prompt.name"), prompt.name.as_bytes());
        if let Some(version) = &prompt.version {
            put_text(out, key!(SPAN, "gen_ai.prompt.version"), version.as_bytes());
        }
    }
    let mut unsaid = Metadata::new();
    for (name, value) in parameters {
        if PARAMETERS.contains(&name.as_str()) && is_attribute(value) {
            put_any_attribute(out, SPAN, &format!("gen_ai.request.{name}"), value);
        } else {
            unsaid.insert(name.clone(), value.clone());
        }
    }
    if !unsaid.is_empty() {
        own::put_parameters(out, &object(unsaid.iter()));
    }
    if let Some(tools) = tools {
        put_text(out, key!(SPAN, "gen_ai.tool.definitions"), tools.as_str().as_bytes());
    }
    if let Some(nanos) = time_to_first {
        put_double(out, key!(SPAN, "gen_ai.response.time_to_first_chunk"), *nanos as f64 / 1e9);
    }
    own::put_details(out, details);
    own::put_given_parent(out, details);
}

/// Whether an attribute can be exactly this, and every reader of attributes can read it.
fn is_attribute(value: &Value) -> bool {
    match value {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(number) => number.is_i64() || number.is_f64(),
        Value::Array(items) => !items.is_empty() && items.iter().all(Value::is_string),
        Value::Null | Value::Object(_) => false,
    }
}

/// Appends a score as the conventions' event.
pub(super) fn put_evaluation(out: &mut Vec<u8>, score: &Score) {
    put_event(out, score.at, EVALUATION, |out| {
        put_text(out, key!(EVENT, "gen_ai.evaluation.name"), score.name.as_bytes());
        if let ScoreValue::Numeric(number) = &score.value {
            put_double(out, key!(EVENT, "gen_ai.evaluation.score.value"), *number);
        }
        if let Some(label) = label(&score.value) {
            put_text(out, key!(EVENT, "gen_ai.evaluation.score.label"), label.as_bytes());
        }
        if let Some(comment) = &score.comment {
            put_text(out, key!(EVENT, "gen_ai.evaluation.explanation"), comment.as_bytes());
        }
    });
}
