//! OpenInference: Phoenix's attributes, which MLflow, Langfuse and others read too, and a few `observe.*` of our own
//! for what it has no word for. Reading also takes the GenAI conventions' names.
//!
//! `docs/WIRE.md` is this file as a table; change both together.

use std::borrow::Cow;

use observe_model::{Code, Cost, Level, Metadata, Resource, Span, SpanType, Status, TraceAttributes, Usage};
use serde::Serializer as _;
use serde_json::Value;

use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::{
        RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES as SPAN, key, put_bool, put_const_text, put_double, put_int,
        put_text, put_text_after, put_texts,
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

/// Appends the attributes of a resource.
pub(crate) fn put_resource(out: &mut Vec<u8>, resource: &Resource) {
    put_text(out, key!(RESOURCE_ATTRIBUTES, "openinference.project.name"), resource.project.as_bytes());
    put_text(out, key!(RESOURCE_ATTRIBUTES, "service.name"), resource.service.as_bytes());
    if let Some(release) = &resource.release {
        put_text(out, key!(RESOURCE_ATTRIBUTES, "service.version"), release.as_bytes());
    }
    if let Some(environment) = &resource.environment {
        put_text(out, key!(RESOURCE_ATTRIBUTES, "deployment.environment.name"), environment.as_bytes());
    }
}

/// Mime types of payloads.
const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

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
    if let Some(code) = &span.code {
        put_text(out, key!(SPAN, "code.function.name"), code.function.as_bytes());
        put_text(out, key!(SPAN, "code.file.path"), code.file.as_bytes());
        put_int(out, key!(SPAN, "code.line.number"), code.line.into());
    }
    if span.level != Level::Default {
        put_text(out, key!(SPAN, "observe.level"), span.level.as_str().as_bytes());
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

/// Appends what depends on the scope alone; for a span with metadata of its `own` without that which it is merged with.
pub(crate) fn put_scope(out: &mut Vec<u8>, scope: &TraceAttributes, own: bool) {
    if let Some(session) = &scope.session {
        put_text(out, key!(SPAN, "session.id"), session.as_bytes());
    }
    if let Some(user) = &scope.user {
        put_text(out, key!(SPAN, "user.id"), user.as_bytes());
    }
    if let Some(name) = &scope.name {
        put_text(out, key!(SPAN, "observe.trace.name"), name.as_bytes());
    }
    if let Some(version) = &scope.version {
        put_text(out, key!(SPAN, "observe.trace.version"), version.as_bytes());
    }
    if let Some(release) = &scope.release {
        put_text(out, key!(SPAN, "observe.trace.release"), release.as_bytes());
    }
    if let Some(environment) = &scope.environment {
        put_text(out, key!(SPAN, "observe.trace.environment"), environment.as_bytes());
    }
    if let Some(public) = scope.public {
        put_bool(out, key!(SPAN, "observe.trace.public"), public);
    }
    if !scope.tags.is_empty() {
        put_texts(out, SPAN, "tag.tags", &scope.tags);
    }
    if !scope.metadata.is_empty() {
        let json = object(scope.metadata.iter());
        put_text(out, key!(SPAN, "observe.trace.metadata"), &json);
        if !own {
            put_text(out, key!(SPAN, "metadata"), &json);
        }
    }
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

/// Entries as the text of a JSON object.
fn object<'m>(entries: impl Iterator<Item = (&'m String, &'m Value)>) -> Vec<u8> {
    let mut json = Vec::new();
    // JSON values with text keys, written to memory: neither can fail.
    let _ = serde_json::Serializer::new(&mut json).collect_map(entries);
    json
}

/// The text of a JSON string, which platforms show better; `None` if `json` is anything else.
fn literal(json: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !has_backslash(inner) {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_slice::<String>(json).ok().map(|text| Cow::Owned(text.into_bytes()))
}

/// Looks at eight bytes at a time: what is above the lowest zero byte of `word` may err, whether there is one does not.
fn has_backslash(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let found = words.iter().any(|word| {
        let word = u64::from_ne_bytes(*word) ^ u64::from_ne_bytes([b'\\'; 8]);
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
    });
    found || rest.contains(&b'\\')
}

/// Appends what only some spans have.
pub(crate) fn put_rest(out: &mut Vec<u8>, span: &Span<'_>) {
    let (own, inherited) = (&span.metadata, &span.attributes.metadata);
    if !own.is_empty() {
        if !inherited.is_empty() {
            put_text(out, key!(SPAN, "observe.metadata"), &object(own.iter()));
        }
        let inherited = inherited.iter().filter(|(key, _)| !own.contains_key(key.as_str()));
        put_text(out, key!(SPAN, "metadata"), &object(inherited.chain(own.iter())));
    }
    if !matches!(span.status, Status::Ok | Status::Error) {
        put_text(out, key!(SPAN, "observe.status"), span.status.as_str().as_bytes());
    }
    if let Some(version) = &span.version {
        put_text(out, key!(SPAN, "observe.version"), version.as_bytes());
    }
    if span.dropped > 0 {
        put_int(out, key!(SPAN, "observe.dropped_spans"), span.dropped);
    }
    match (&span.model, span.span_type) {
        (None, _) => {}
        (Some(model), SpanType::Embedding) => {
            put_text(out, key!(SPAN, "embedding.model_name"), model.as_bytes())
        }
        (Some(model), _) => put_text(out, key!(SPAN, "llm.model_name"), model.as_bytes()),
    }
    put_cost(out, &span.cost.finite());
    put_usage(out, &span.usage);
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

/// The resource that `attributes` describe.
pub(crate) fn resource(mut attributes: Attributes<'_>) -> Resource {
    let project = attributes.text(&["openinference.project.name"]);
    let service = attributes.text(&["service.name"]);
    let project = project.or_else(|| service.clone()).unwrap_or_else(|| "default".to_owned());
    Resource {
        service: service.unwrap_or_else(|| project.clone()),
        project,
        release: attributes.text(&["service.version"]),
        environment: attributes.text(&["deployment.environment.name", "deployment.environment"]),
    }
}

/// Reads into `span`, of which ids, name, times and OTLP status are known, what `attributes` say; whether it is `ours`
/// tells what its kind means.
pub(crate) fn read(
    span: &mut Span<'static>,
    mut attributes: Attributes<'_>,
    ours: bool,
) -> Result<(), Unreadable> {
    let a = &mut attributes;
    span.model = a
        .text(&[
            "llm.model_name",
            "embedding.model_name",
            "llm.response.model_name",
            "gen_ai.response.model",
            "llm.request.model_name",
            "gen_ai.request.model",
        ])
        .map(Cow::Owned);
    span.span_type = span_type(a, span.model.is_some(), ours);
    if let Some(status) = a.parsed("observe.status") {
        span.status = status;
    }
    if let Some(level) = a.parsed("observe.level") {
        span.level = level;
    }
    span.input = payload(
        a,
        "input.mime_type",
        &["input.value", "gen_ai.input.messages", "gen_ai.tool.call.arguments"],
    )?;
    span.output = payload(
        a,
        "output.mime_type",
        &["output.value", "gen_ai.output.messages", "gen_ai.tool.call.result"],
    )?;
    span.usage = usage(a);
    span.cost = Cost {
        input: a.double(&["llm.cost.prompt"]),
        output: a.double(&["llm.cost.completion"]),
        total: a.double(&["llm.cost.total", "gen_ai.usage.cost"]),
    };
    span.version = a.text(&["observe.version"]).map(Cow::Owned);
    span.code = code(a);
    span.dropped = a.count(&["observe.dropped_spans"]).unwrap_or_default();
    super::said::read_attributes(span, a)?;
    let mut scope = TraceAttributes {
        session: a.text(&["session.id", "gen_ai.conversation.id", "group.id"]),
        user: a.text(&["user.id", "enduser.id"]),
        tags: a.texts("tag.tags")?,
        metadata: Metadata::new(),
        name: a.text(&["observe.trace.name"]),
        version: a.text(&["observe.trace.version"]),
        release: a.text(&["observe.trace.release"]),
        environment: a.text(&["observe.trace.environment"]),
        public: a.bool("observe.trace.public"),
    };
    match a.object("observe.trace.metadata")? {
        Some(metadata) => {
            scope.metadata = metadata;
            span.metadata = Cow::Owned(a.object("observe.metadata")?.unwrap_or_default());
            a.forget("metadata");
        }
        None => span.metadata = Cow::Owned(a.object("metadata")?.unwrap_or_default()),
    }
    span.attributes = Cow::Owned(scope);
    attributes.rest_into(span.metadata.to_mut())
}

fn span_type(a: &mut Attributes<'_>, has_model: bool, ours: bool) -> SpanType {
    let kind = a.text_like("openinference.span.kind", |text| of_kind(text, ours));
    let operation = a.text_like("gen_ai.operation.name", of_operation);
    a.parsed("observe.span.type").or(kind).or(operation).unwrap_or(if has_model {
        SpanType::Generation
    } else {
        SpanType::Span
    })
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

/// The span type of an operation of the GenAI conventions.
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

/// Input or output as JSON text: a text that is not said to be JSON becomes a JSON string.
fn payload(
    a: &mut Attributes<'_>,
    mime: &str,
    keys: &[&str],
) -> Result<Option<Cow<'static, str>>, Unreadable> {
    let mime = a.text(&[mime]);
    let Some(text) = a.text(keys) else {
        return Ok(a.json(keys)?.map(|value| Cow::Owned(value.to_string())));
    };
    let is_json = match mime.as_deref() {
        Some(JSON) => true,
        // Nothing said: a text that reads as an object or array is one.
        None => text.starts_with(['{', '[']),
        Some(_) => false,
    };
    if is_json && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
        return Ok(Some(Cow::Owned(text)));
    }
    Ok(Some(Cow::Owned(Value::String(text).to_string())))
}

/// Tokens in buckets that do not overlap, from sums that include the details.
fn usage(a: &mut Attributes<'_>) -> Usage {
    let mut usage = Usage {
        cache_read: a
            .count(&["llm.token_count.prompt_details.cache_read", "gen_ai.usage.cache_read.input_tokens"]),
        cache_write: a.count(&[
            "llm.token_count.prompt_details.cache_write",
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
        ]),
        input_audio: a.count(&["llm.token_count.prompt_details.audio", "gen_ai.usage.audio.input_tokens"]),
        reasoning: a.count(&[
            "llm.token_count.completion_details.reasoning",
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
        ]),
        output_audio: a
            .count(&["llm.token_count.completion_details.audio", "gen_ai.usage.audio.output_tokens"]),
        ..Usage::default()
    };
    let prompt =
        a.count(&["llm.token_count.prompt", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]);
    let completion = a.count(&[
        "llm.token_count.completion",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
    ]);
    usage.input = prompt.map(|sum| plain(sum, usage.total_input()));
    usage.output = completion.map(|sum| plain(sum, usage.total_output()));
    if prompt.is_some() && completion.is_some() {
        a.forget("llm.token_count.total");
    }
    usage
}

/// What is left of `sum` without its details. Details above the sum were not part of it: some senders count so.
fn plain(sum: u64, details: Option<u64>) -> u64 {
    sum.checked_sub(details.unwrap_or(0)).unwrap_or(sum)
}

/// All three or none, so that what is there without the others stays in the metadata.
fn code(a: &mut Attributes<'_>) -> Option<Code<'static>> {
    let keys = ["code.function.name", "code.file.path", "code.line.number"];
    if !keys.iter().all(|key| a.has(key)) {
        return None;
    }
    let line = u32::try_from(a.count(&keys[2..])?).ok()?;
    Some(Code { function: a.text(&keys[..1])?.into(), file: a.text(&keys[1..2])?.into(), line })
}
