//! OpenInference: Phoenix's attributes, which MLflow, Langfuse and others read too, and a few `observe.*` of our own
//! for what it has no word for.
//!
//! `docs/WIRE.md` is this file as a table; change both together.

use std::borrow::Cow;

use observe_model::{Cost, Details, Level, Resource, Span, SpanType, TraceAttributes, Usage};

use super::{
    Draft, fill,
    own::{self, fill_metadata, json, object},
    payload::{self, JSON, TEXT, literal, looks_nested},
};
use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::{
        SPAN_ATTRIBUTES as SPAN, key, put_const_text, put_double, put_int, put_text, put_text_after,
        put_texts,
    },
};

/// OpenInference's word for each span type, and whether `observe.span.type` stands beside it: where it is the word for
/// plain spans too, which are the most and go without.
const fn kind(span_type: SpanType) -> (&'static str, bool) {
    match span_type {
        SpanType::Generation => ("LLM", false),
        SpanType::Embedding => ("EMBEDDING", false),
        SpanType::Retriever => ("RETRIEVER", false),
        SpanType::Tool => ("TOOL", false),
        SpanType::Agent => ("AGENT", false),
        SpanType::Guardrail => ("GUARDRAIL", false),
        SpanType::Evaluator => ("EVALUATOR", false),
        SpanType::Span => (PLAIN, false),
        SpanType::Chain | SpanType::Event => (PLAIN, true),
    }
}

/// The word for a plain span. From others than us it means a chain.
const PLAIN: &str = "CHAIN";

/// The attributes of a resource.
pub(crate) fn of_resource(resource: &Resource) -> Vec<(&'static str, &str)> {
    let Resource { project, service, release, environment } = resource;
    let mut attributes = vec![("openinference.project.name", &**project), ("service.name", service)];
    attributes.extend(release.as_deref().map(|release| ("service.version", release)));
    attributes.extend(environment.as_deref().map(|name| ("deployment.environment.name", name)));
    attributes
}

/// Appends what a span says in attributes.
pub(crate) fn put(out: &mut Vec<u8>, span: &Span<'_>) {
    put_site(out, span);
    put_scope(out, &span.attributes, !span.metadata.is_empty());
    if let Some(input) = &span.input {
        put_input(out, input.as_bytes());
    }
    if let Some(output) = &span.output {
        put_output(out, output.as_bytes());
    }
    put_rest(out, span);
}

/// The mime type of input or output, followed by its key, and where the key's attribute begins.
macro_rules! payload {
    ($what:literal, $mime:ident) => {
        const {
            let (mime, value) = (concat!($what, ".mime_type"), concat!($what, ".value"));
            let mut head = [0; concat!($what, ".mime_type", $what, ".value").len() + 16 + $mime.len()];
            let at = put_const_text(&mut head, 0, SPAN, mime, $mime);
            put_const_text(&mut head, at, SPAN, value, "");
            &(head, at)
        }
    };
}

/// Appends what mostly depends on the call site alone: the kind of OTLP's own, type, code and level.
pub(crate) fn put_site(out: &mut Vec<u8>, span: &Span<'_>) {
    // SPAN_KIND_CLIENT for what calls a model, as the GenAI conventions have it, else SPAN_KIND_INTERNAL.
    let calls = matches!(span.span_type, SpanType::Generation | SpanType::Embedding);
    out.extend_from_slice(&[6 << 3, if calls { 3 } else { 1 }]);
    let (bytes, length) = &TYPES[span.span_type as usize];
    out.extend_from_slice(bytes);
    out.truncate(out.len() - (bytes.len() - length));
    own::put_code(out, span);
    if span.level != Level::Default {
        own::put_level(out, span.level);
    }
}

/// The attributes that say the type of a span, padded to one size, and their length: a copy of fixed size is cheaper.
static TYPES: [([u8; 72], usize); SpanType::ALL.len()] = {
    let mut types = [([0; 72], 0); SpanType::ALL.len()];
    let mut i = 0;
    while i < types.len() {
        let span_type = SpanType::ALL[i];
        let (kind, and_own) = kind(span_type);
        let entry = &mut types[span_type as usize];
        entry.1 = put_const_text(&mut entry.0, 0, SPAN, "openinference.span.kind", kind);
        if and_own {
            entry.1 = put_const_text(&mut entry.0, entry.1, SPAN, "observe.span.type", span_type.as_str());
        }
        i += 1;
    }
    types
};

/// Appends what depends on the scope alone; for a span whose metadata it is `merged` with later, without that.
pub(crate) fn put_scope(out: &mut Vec<u8>, scope: &TraceAttributes, merged: bool) {
    if let Some(session) = &scope.session {
        put_text(out, key!(SPAN, "session.id"), session.as_bytes());
    }
    if let Some(user) = &scope.user {
        put_text(out, key!(SPAN, "user.id"), user.as_bytes());
    }
    if !scope.tags.is_empty() {
        put_texts(out, SPAN, "tag.tags", &scope.tags);
    }
    if !scope.metadata.is_empty() {
        let json = object(scope.metadata.iter());
        own::put_scope_metadata(out, &json);
        if !merged {
            put_text(out, key!(SPAN, "metadata"), &json);
        }
    }
    let unsaid = own::Scope {
        name: scope.name.as_deref(),
        version: scope.version.as_deref(),
        release: scope.release.as_deref(),
        environment: scope.environment.as_deref(),
        public: scope.public,
        ..own::Scope::default()
    };
    own::put_scope(out, &unsaid);
}

/// What stands before a short JSON input, and where in it the last attribute begins.
pub(crate) const INPUT: (&[u8; 58], usize) = {
    let (head, at) = payload!("input", JSON);
    (head, *at)
};
/// What stands before a short JSON output, and where in it the last attribute begins.
pub(crate) const OUTPUT: (&[u8; 60], usize) = {
    let (head, at) = payload!("output", JSON);
    (head, *at)
};

/// Appends input of any kind: JSON in UTF-8.
#[inline(never)]
pub(crate) fn put_input(out: &mut Vec<u8>, input: &[u8]) {
    let (text, text_at) = payload!("input", TEXT);
    match literal(input) {
        None => put_text_after(out, INPUT.0, INPUT.1, input),
        Some(input) => put_text_after(out, text, *text_at, &input),
    }
}

/// Appends output of any kind: JSON in UTF-8.
#[inline(never)]
pub(crate) fn put_output(out: &mut Vec<u8>, output: &[u8]) {
    let (text, text_at) = payload!("output", TEXT);
    match literal(output) {
        None => put_text_after(out, OUTPUT.0, OUTPUT.1, output),
        Some(output) => put_text_after(out, text, *text_at, &output),
    }
}

/// Appends what only some spans have.
pub(crate) fn put_rest(out: &mut Vec<u8>, span: &Span<'_>) {
    put_metadata(out, span);
    own::put_status(out, span.status);
    if let Some(version) = &span.version {
        own::put_version(out, version);
    }
    own::put_dropped(out, span);
    match (&span.model, span.span_type) {
        (None, _) => {}
        (Some(model), SpanType::Embedding) => {
            put_text(out, key!(SPAN, "embedding.model_name"), model.as_bytes())
        }
        (Some(model), _) => put_text(out, key!(SPAN, "llm.model_name"), model.as_bytes()),
    }
    put_cost(out, &span.cost.finite());
    put_usage(out, &span.usage);
    if let Some(details) = &span.details {
        put_details(out, details);
    }
}

/// Appends the span's own metadata, which [`put_scope`] left its scope's to be merged with.
pub(crate) fn put_metadata(out: &mut Vec<u8>, span: &Span<'_>) {
    let (metadata, inherited) = (&span.metadata, &span.attributes.metadata);
    if !metadata.is_empty() {
        if !inherited.is_empty() {
            own::put_metadata(out, &object(metadata.iter()));
        }
        let inherited = inherited.iter().filter(|(key, _)| !metadata.contains_key(key.as_str()));
        put_text(out, key!(SPAN, "metadata"), &object(inherited.chain(metadata.iter())));
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
    if !parameters.is_empty() {
        put_text(out, key!(SPAN, "llm.invocation_parameters"), &json(parameters));
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

/// Appends what the call cost, in US dollars.
fn put_cost(out: &mut Vec<u8>, cost: &Cost) {
    if let Some(dollars) = cost.input {
        put_double(out, key!(SPAN, "llm.cost.prompt"), dollars);
    }
    if let Some(dollars) = cost.output {
        put_double(out, key!(SPAN, "llm.cost.completion"), dollars);
    }
    if let Some(dollars) = cost.total {
        put_double(out, key!(SPAN, "llm.cost.total"), dollars);
    }
}

/// Appends token counts; OpenInference's sums include the cached, audio and reasoning ones.
fn put_usage(out: &mut Vec<u8>, usage: &Usage) {
    // A sum is sent only where its plain part is known: else it would be read back as a plain part of zero.
    let prompt = usage.input.and(usage.total_input());
    let completion = usage.output.and(usage.total_output());
    let total = prompt.zip(completion).map(|(prompt, completion)| prompt.saturating_add(completion));
    if let Some(n) = prompt {
        put_int(out, key!(SPAN, "llm.token_count.prompt"), n);
    }
    if let Some(n) = usage.cache_read {
        put_int(out, key!(SPAN, "llm.token_count.prompt_details.cache_read"), n);
    }
    if let Some(n) = usage.cache_write {
        put_int(out, key!(SPAN, "llm.token_count.prompt_details.cache_write"), n);
    }
    if let Some(n) = usage.input_audio {
        put_int(out, key!(SPAN, "llm.token_count.prompt_details.audio"), n);
    }
    if let Some(n) = completion {
        put_int(out, key!(SPAN, "llm.token_count.completion"), n);
    }
    if let Some(n) = usage.reasoning {
        put_int(out, key!(SPAN, "llm.token_count.completion_details.reasoning"), n);
    }
    if let Some(n) = usage.output_audio {
        put_int(out, key!(SPAN, "llm.token_count.completion_details.audio"), n);
    }
    if let Some(n) = total {
        put_int(out, key!(SPAN, "llm.token_count.total"), n);
    }
}

/// Reads what is in OpenInference's words.
pub(crate) fn read(draft: &mut Draft<'_>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    let Draft { span, scope, details } = draft;
    let models =
        ["llm.model_name", "embedding.model_name", "llm.response.model_name", "llm.request.model_name"];
    fill(&mut span.model, || a.text(&models).map(Cow::Owned));
    if span.input.is_none() {
        span.input = payload::read(a, "input.mime_type", &["input.value"], looks_nested)?;
    }
    if span.output.is_none() {
        span.output = payload::read(a, "output.mime_type", &["output.value"], looks_nested)?;
    }
    if a.has_any("llm.") {
        payload::read_flat(a, "llm.input_messages", &mut span.input, span.metadata.to_mut())?;
        payload::read_flat(a, "llm.output_messages", &mut span.output, span.metadata.to_mut())?;
    }
    if span.usage.is_unknown() {
        span.usage = usage(a);
    }
    if span.cost.is_unknown() {
        span.cost = Cost {
            input: a.double(&["llm.cost.prompt"]),
            output: a.double(&["llm.cost.completion"]),
            total: a.double(&["llm.cost.total"]),
        };
    }
    let session = ["session.id", "group.id", "session_id", "conversation_id", "group_id"];
    fill(&mut scope.session, || a.text(&session));
    fill(&mut scope.user, || a.text(&["user.id", "enduser.id"]));
    if scope.tags.is_empty() {
        scope.tags = a.texts("tag.tags")?;
    }
    match a.has("observe.trace.metadata") {
        // Of ours, and both are said apart as well.
        true => a.forget("metadata"),
        false => fill_metadata(span.metadata.to_mut(), a.object("metadata")?.unwrap_or_default()),
    }
    fill_metadata(&mut details.parameters, a.object("llm.invocation_parameters")?.unwrap_or_default());
    Ok(())
}

/// The span type that is said; `ours` tells what [`PLAIN`] means.
pub(crate) fn span_type(a: &mut Attributes<'_>, ours: bool) -> Option<SpanType> {
    a.text_like("openinference.span.kind", |text| of_kind(text, ours))
}

/// The span type of an OpenInference kind; the two that we lack become their nearest.
fn of_kind(text: &str, ours: bool) -> Option<SpanType> {
    match text {
        "RERANKER" => Some(SpanType::Retriever),
        "PROMPT" => Some(SpanType::Chain),
        PLAIN if !ours => Some(SpanType::Chain),
        _ => SpanType::ALL.iter().copied().find(|&t| kind(t) == (text, false)),
    }
}

/// Tokens in buckets that do not overlap, from sums that include the details.
fn usage(a: &mut Attributes<'_>) -> Usage {
    let mut usage = Usage {
        cache_read: a.count(&["llm.token_count.prompt_details.cache_read"]),
        cache_write: a.count(&["llm.token_count.prompt_details.cache_write"]),
        input_audio: a.count(&["llm.token_count.prompt_details.audio"]),
        reasoning: a.count(&["llm.token_count.completion_details.reasoning"]),
        output_audio: a.count(&["llm.token_count.completion_details.audio"]),
        ..Usage::default()
    };
    let prompt = a.count(&["llm.token_count.prompt"]);
    let completion = a.count(&["llm.token_count.completion"]);
    usage.input = prompt.map(|sum| plain(sum, usage.total_input()));
    usage.output = completion.map(|sum| plain(sum, usage.total_output()));
    if prompt.is_some() && completion.is_some() {
        a.forget("llm.token_count.total");
    }
    usage
}

/// What is left of `sum` without its details. Details above the sum were not part of it: some senders count so.
pub(crate) fn plain(sum: u64, details: Option<u64>) -> u64 {
    sum.checked_sub(details.unwrap_or(0)).unwrap_or(sum)
}
