//! Future AGI's own attributes, as its client writes them since 1.0, which are OpenInference's for the most part and in
//! many others look like the GenAI conventions' without being those.
//!
//! `docs/WIRE.md` is this file as a table; change both together.

use std::{
    borrow::Cow,
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::LazyLock,
};

use observe_model::{Cost, Details, Json, Metadata, Resource, Score, ScoreValue, Span, SpanType, Usage};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Draft, Sender, fill, genai, openinference,
    own::{self, json},
    said::label,
};
use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::{SPAN_ATTRIBUTES as SPAN, key, put_double, put_int, put_text, put_text_attribute},
};

/// What the resource's `metadata` has of what else we know of a process.
const SERVICE: &str = "service.name";
const RELEASE: &str = "service.version";
const ENVIRONMENT: &str = "deployment.environment.name";

/// The seven attributes of a resource, of which the platform wants each: all texts.
///
/// The client's for an experiment, which has a version and tags, are for the caller to replace.
pub(crate) fn of_resource(resource: &Resource) -> Vec<(&'static str, Cow<'_, str>)> {
    static VERSION_ID: LazyLock<String> = LazyLock::new(random_uuid);
    let Resource { project, service, release, environment } = resource;
    let mut metadata = Metadata::new();
    let said = [
        (SERVICE, Some(service).filter(|service| *service != project)),
        (RELEASE, release.as_ref()),
        (ENVIRONMENT, environment.as_ref()),
    ];
    for (key, text) in said {
        metadata.extend(text.map(|text| (key.to_owned(), Value::from(text.as_str()))));
    }
    vec![
        ("project_name", Cow::Borrowed(project)),
        ("project_type", "observe".into()),
        ("project_version_name", "DEFAULT_PROJECT_VERSION_NAME".into()),
        ("project_version_id", VERSION_ID.as_str().into()),
        ("eval_tags", "[]".into()),
        ("metadata", Value::Object(metadata).to_string().into()),
        ("semantic_convention", "fi".into()),
    ]
}

/// A UUID of version 4, from the randomness that the standard library keeps hash maps safe with.
fn random_uuid() -> String {
    let [high, low] = [(), ()].map(|()| RandomState::new().build_hasher().finish());
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
    let (d, e) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}")
}

/// Reads what [`of_resource`] says beside the project.
pub(crate) fn read_resource(resource: &mut Resource, a: &mut Attributes<'_>) {
    let Ok(Some(mut metadata)) = a.object("metadata") else { return };
    let mut text = |key| match metadata.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    if let Some(service) = text(SERVICE).filter(|_| resource.service == resource.project) {
        resource.service = service;
    }
    fill(&mut resource.release, || text(RELEASE));
    fill(&mut resource.environment, || text(ENVIRONMENT));
}

/// The kind of each span type, and whether ours has to stand beside it.
const fn kind(span_type: SpanType) -> (&'static str, bool) {
    match span_type {
        SpanType::Generation => ("LLM", false),
        SpanType::Embedding => ("EMBEDDING", false),
        SpanType::Retriever => ("RETRIEVER", false),
        SpanType::Tool => ("TOOL", false),
        SpanType::Agent => ("AGENT", false),
        SpanType::Guardrail => ("GUARDRAIL", false),
        SpanType::Evaluator => ("EVALUATOR", false),
        SpanType::Chain => ("CHAIN", false),
        SpanType::Span | SpanType::Event => ("CHAIN", true),
    }
}

/// Appends what a span says in attributes. Its kind comes last, as the client writes it.
pub(crate) fn put(out: &mut Vec<u8>, span: &Span<'_>) {
    // SPAN_KIND_INTERNAL, which is what the client says of each.
    out.extend_from_slice(&[6 << 3, 1]);
    if let Some(input) = &span.input {
        openinference::put_input(out, input.as_bytes());
    }
    if span.span_type == SpanType::Tool {
        put_text(out, key!(SPAN, "gen_ai.tool.name"), span.name.as_bytes());
    }
    openinference::put_scope(out, &span.attributes, !span.metadata.is_empty());
    if let Some(session) = &span.attributes.session {
        put_text(out, key!(SPAN, "gen_ai.conversation.id"), session.as_bytes());
    }
    openinference::put_metadata(out, span);
    put_model(out, span);
    put_usage(out, &span.usage);
    put_cost(out, &span.cost.finite());
    if let Some(details) = &span.details {
        put_details(out, details);
    }
    if let Some(output) = &span.output {
        openinference::put_output(out, output.as_bytes());
    }
    own::put_code(out, span);
    own::put_standing(out, span);
    let (kind, and_own) = kind(span.span_type);
    if and_own {
        own::put_span_type(out, span.span_type);
    }
    put_text(out, key!(SPAN, "gen_ai.span.kind"), kind.as_bytes());
}

/// Appends the model, who serves it, and the messages that went to it and came from it.
fn put_model(out: &mut Vec<u8>, span: &Span<'_>) {
    if let Some(provider) = genai::provider(span) {
        put_text(out, key!(SPAN, "gen_ai.provider.name"), provider.as_bytes());
    }
    if let Some(model) = &span.model {
        put_text(out, key!(SPAN, "gen_ai.request.model"), model.as_bytes());
    }
    if span.span_type == SpanType::Generation {
        put_messages(out, "gen_ai.input.messages", span.input.as_deref());
        put_messages(out, "gen_ai.output.messages", span.output.as_deref());
    }
}

/// Appends the messages that a payload consists of, one attribute for each field.
fn put_messages(out: &mut Vec<u8>, key: &str, payload: Option<&str>) {
    for (n, message) in payload.and_then(genai::chat).into_iter().flatten().enumerate() {
        for (field, raw) in [("role", message.role), ("content", message.content)] {
            if let Ok(text) = serde_json::from_str::<Cow<'_, str>>(raw.get()) {
                put_text_attribute(out, SPAN, &format!("{key}.{n}.message.{field}"), &text);
            }
        }
    }
}

/// Appends token counts; the sums include their details.
fn put_usage(out: &mut Vec<u8>, usage: &Usage) {
    // A sum is sent only where its plain part is known: else it would be read back as a plain part of zero.
    let input = usage.input.and(usage.total_input());
    let output = usage.output.and(usage.total_output());
    if let Some(n) = input {
        put_int(out, key!(SPAN, "gen_ai.usage.input_tokens"), n);
    }
    if let Some(n) = output {
        put_int(out, key!(SPAN, "gen_ai.usage.output_tokens"), n);
    }
    if let Some((input, output)) = input.zip(output) {
        put_int(out, key!(SPAN, "gen_ai.usage.total_tokens"), input.saturating_add(output));
    }
    if let Some(n) = usage.cache_read {
        put_int(out, key!(SPAN, "gen_ai.usage.input_tokens.cache_read"), n);
    }
    if let Some(n) = usage.cache_write {
        put_int(out, key!(SPAN, "gen_ai.usage.input_tokens.cache_write"), n);
    }
    if let Some(n) = usage.input_audio {
        put_int(out, key!(SPAN, "gen_ai.usage.input_tokens.audio"), n);
    }
    if let Some(n) = usage.reasoning {
        put_int(out, key!(SPAN, "gen_ai.usage.output_tokens.reasoning"), n);
    }
    if let Some(n) = usage.output_audio {
        put_int(out, key!(SPAN, "gen_ai.usage.output_tokens.audio"), n);
    }
}

/// Appends what the call cost, in US dollars.
fn put_cost(out: &mut Vec<u8>, cost: &Cost) {
    if let Some(dollars) = cost.input {
        put_double(out, key!(SPAN, "gen_ai.cost.input"), dollars);
    }
    if let Some(dollars) = cost.output {
        put_double(out, key!(SPAN, "gen_ai.cost.output"), dollars);
    }
    if let Some(dollars) = cost.total {
        put_double(out, key!(SPAN, "gen_ai.cost.total"), dollars);
    }
}

/// Appends what only some spans have.
fn put_details(out: &mut Vec<u8>, details: &Details) {
    let Details { prompt, parameters, tools, time_to_first, .. } = details;
    if let Some(prompt) = prompt {
        put_text(out, key!(SPAN, "gen_ai.prompt.template.name"), prompt.name.as_bytes());
        if let Some(version) = &prompt.version {
            put_text(out, key!(SPAN, "gen_ai.prompt.template.version"), version.as_bytes());
        }
    }
    if !parameters.is_empty() {
        put_text(out, key!(SPAN, "gen_ai.request.parameters"), &json(parameters));
    }
    if let Some(tools) = tools {
        put_tools(out, tools);
    }
    if let Some(nanos) = time_to_first {
        put_double(out, key!(SPAN, "gen_ai.server.time_to_first_token"), *nanos as f64 / 1e9);
    }
    own::put_details(out, details);
    own::put_given_parent(out, details);
}

/// Appends each tool's definition by itself, where together they are the array that was said, to the byte.
fn put_tools(out: &mut Vec<u8>, tools: &Json) {
    let each: Vec<&RawValue> = serde_json::from_str(tools.as_str()).unwrap_or_default();
    let texts: Vec<_> = each.iter().map(|tool| tool.get()).collect();
    if texts.is_empty() || format!("[{}]", texts.join(",")) != tools.as_str() {
        return put_text(out, key!(SPAN, "gen_ai.tool.definitions"), tools.as_str().as_bytes());
    }
    for (n, text) in texts.iter().enumerate() {
        put_text_attribute(out, SPAN, &format!("gen_ai.tool.definitions.{n}.tool.json_schema"), text);
    }
}

/// Appends a score in the words that the client has for it, though it never says them.
pub(super) fn put_evaluation(out: &mut Vec<u8>, score: &Score) {
    put_text(out, key!(SPAN, "gen_ai.evaluation.name"), score.name.as_bytes());
    if let ScoreValue::Numeric(number) = &score.value {
        put_double(out, key!(SPAN, "gen_ai.evaluation.score.value"), *number);
    }
    if let Some(label) = label(&score.value) {
        put_text(out, key!(SPAN, "gen_ai.evaluation.score.label"), label.as_bytes());
    }
    if let Some(comment) = &score.comment {
        put_text(out, key!(SPAN, "gen_ai.evaluation.explanation"), comment.as_bytes());
    }
    if let Some(span) = score.target.span_id {
        put_text(out, key!(SPAN, "gen_ai.evaluation.target_span_id"), span.to_string().as_bytes());
    }
}

/// The span type that is said, by the key of today's client or that of its first ones.
pub(super) fn span_type(a: &mut Attributes<'_>) -> Option<SpanType> {
    let said = a.text_like("gen_ai.span.kind", of_kind);
    said.or(a.text_like("fi.span.kind", of_kind))
}

fn of_kind(text: &str) -> Option<SpanType> {
    let text = text.to_ascii_uppercase();
    match text.as_str() {
        "RERANKER" | "VECTOR_DB" => Some(SpanType::Retriever),
        "A2A_CLIENT" | "A2A_SERVER" => Some(SpanType::Agent),
        "CONVERSATION" => Some(SpanType::Chain),
        "UNKNOWN" => Some(SpanType::Span),
        _ => SpanType::ALL.iter().copied().find(|&t| kind(t) == (&*text, false)),
    }
}

/// A tool as the client says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    json_schema: String,
}

/// Reads what is in Future AGI's words alone.
pub(super) fn read(draft: &mut Draft<'_>, a: &mut Attributes<'_>, sender: &Sender) -> Result<(), Unreadable> {
    let Draft { span, details, .. } = draft;
    if sender.is_ours {
        // They are the input and output once more.
        a.forget_any("gen_ai.input.messages.");
        a.forget_any("gen_ai.output.messages.");
    }
    if span.cost.is_unknown() {
        span.cost = Cost {
            input: a.double(&["gen_ai.cost.input"]),
            output: a.double(&["gen_ai.cost.output"]),
            total: a.double(&["gen_ai.cost.total"]),
        };
    }
    if let Some(tools) = a.list("gen_ai.tool.definitions.")? {
        let said = serde_json::from_value::<Vec<Tool>>(tools.clone()).ok();
        let tools = match said {
            Some(tools) => {
                let texts: Vec<_> =
                    tools.into_iter().map(|tool| Json::from_text(tool.json_schema).to_string()).collect();
                Json::from_text(format!("[{}]", texts.join(",")))
            }
            None => Json::of(&tools),
        };
        fill(&mut details.tools, || Some(tools));
    }
    Ok(())
}
