//! OpenInference: Phoenix's attributes, which MLflow, Langfuse and others read too, and a few `observe.*` of our own
//! for what it has no word for. Reading also takes the GenAI conventions' names.
//!
//! `docs/WIRE.md` is this file as a table; change both together.

use std::borrow::Cow;

use observe_model::{Code, Metadata, Resource, Span, SpanType, Status, TraceAttributes, Usage};
use serde::Serializer as _;
use serde_json::Value;

use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::{
        RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES as SPAN, constant, key, put_double, put_int, put_text, put_texts,
    },
};

/// OpenInference's word for each span type, and whether it means this type alone.
const fn kind(span_type: SpanType) -> (&'static str, bool) {
    match span_type {
        SpanType::Generation => ("LLM", true),
        SpanType::Embedding => ("EMBEDDING", true),
        SpanType::Chain => ("CHAIN", true),
        SpanType::Retriever => ("RETRIEVER", true),
        SpanType::Tool => ("TOOL", true),
        SpanType::Agent => ("AGENT", true),
        SpanType::Guardrail => ("GUARDRAIL", true),
        SpanType::Evaluator => ("EVALUATOR", true),
        SpanType::Span | SpanType::Event => ("CHAIN", false),
    }
}

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

/// Writes the attributes of spans, and remembers those of the trace, which many spans in a row share.
#[derive(Debug, Default)]
pub(crate) struct AttributeWriter {
    /// What `encoded` says. Compared by value: an address may be reused for another trace's attributes.
    last: TraceAttributes,
    encoded: Vec<u8>,
    /// How much of `encoded` holds for a span with metadata of its own: all but the last attribute, `metadata`.
    without_metadata: usize,
    scratch: Vec<u8>,
}

impl AttributeWriter {
    /// Appends all attributes of `span`.
    #[inline(always)]
    pub(crate) fn put(&mut self, out: &mut Vec<u8>, span: &Span<'_>) {
        put_type(out, span.span_type);
        if let Some(input) = &span.input {
            match literal(input) {
                Some(text) => {
                    put_text(out, key!(SPAN, "input.value"), text.as_bytes());
                    out.extend_from_slice(constant!(SPAN, "input.mime_type", "text/plain"));
                }
                None => {
                    put_text(out, key!(SPAN, "input.value"), input.as_bytes());
                    out.extend_from_slice(constant!(SPAN, "input.mime_type", "application/json"));
                }
            }
        }
        if let Some(output) = &span.output {
            match literal(output) {
                Some(text) => {
                    put_text(out, key!(SPAN, "output.value"), text.as_bytes());
                    out.extend_from_slice(constant!(SPAN, "output.mime_type", "text/plain"));
                }
                None => {
                    put_text(out, key!(SPAN, "output.value"), output.as_bytes());
                    out.extend_from_slice(constant!(SPAN, "output.mime_type", "application/json"));
                }
            }
        }
        if self.last != *span.attributes {
            self.remember(&span.attributes);
        }
        if span.metadata.is_empty() {
            out.extend_from_slice(&self.encoded);
        } else {
            self.put_metadata(out, &span.metadata);
        }
        if let Some(code) = &span.code {
            put_text(out, key!(SPAN, "code.function.name"), code.function.as_bytes());
            put_text(out, key!(SPAN, "code.file.path"), code.file.as_bytes());
            put_int(out, key!(SPAN, "code.line.number"), code.line.into());
        }
        if !matches!(span.status, Status::Ok | Status::Error) {
            put_text(out, key!(SPAN, "observe.status"), span.status.as_str().as_bytes());
        }
        if span.level != Default::default() {
            put_text(out, key!(SPAN, "observe.level"), span.level.as_str().as_bytes());
        }
        if let Some(version) = &span.version {
            put_text(out, key!(SPAN, "observe.version"), version.as_bytes());
        }
        if span.model.is_some() || span.cost.is_some() || !span.usage.is_unknown() {
            put_call(out, span);
        }
    }

    /// Encodes the attributes of another trace.
    #[inline(never)]
    fn remember(&mut self, attributes: &TraceAttributes) {
        self.last.clone_from(attributes);
        self.encoded.clear();
        let out = &mut self.encoded;
        if let Some(session) = &attributes.session {
            put_text(out, key!(SPAN, "session.id"), session.as_bytes());
        }
        if let Some(user) = &attributes.user {
            put_text(out, key!(SPAN, "user.id"), user.as_bytes());
        }
        if !attributes.tags.is_empty() {
            put_texts(out, SPAN, "tag.tags", &attributes.tags);
        }
        self.without_metadata = out.len();
        if !attributes.metadata.is_empty() {
            let json = object(&mut self.scratch, attributes.metadata.iter());
            put_text(out, key!(SPAN, "observe.trace.metadata"), json);
            self.without_metadata = out.len();
            put_text(out, key!(SPAN, "metadata"), json);
        }
    }

    /// Appends the attributes of the trace, and `metadata` for a span with metadata of its own, which wins.
    #[inline(never)]
    fn put_metadata(&mut self, out: &mut Vec<u8>, own: &Metadata) {
        out.extend_from_slice(self.encoded.get(..self.without_metadata).unwrap_or_default());
        let scope = &self.last.metadata;
        if !scope.is_empty() {
            put_text(out, key!(SPAN, "observe.metadata"), object(&mut self.scratch, own.iter()));
        }
        let inherited = scope.iter().filter(|(key, _)| !own.contains_key(key.as_str()));
        put_text(out, key!(SPAN, "metadata"), object(&mut self.scratch, inherited.chain(own)));
    }
}

/// Entries as the text of a JSON object, in a buffer that is used again.
fn object<'b, 'm>(
    buffer: &'b mut Vec<u8>,
    entries: impl Iterator<Item = (&'m String, &'m Value)>,
) -> &'b [u8] {
    buffer.clear();
    // JSON values with text keys, written to memory: neither can fail.
    let _ = serde_json::Serializer::new(&mut *buffer).collect_map(entries);
    buffer
}

#[inline(always)]
fn put_type(out: &mut Vec<u8>, span_type: SpanType) {
    const KIND: &str = "openinference.span.kind";
    const TYPE: &str = "observe.span.type";
    out.extend_from_slice(match span_type {
        SpanType::Generation => constant!(SPAN, KIND, kind(SpanType::Generation).0).as_slice(),
        SpanType::Embedding => constant!(SPAN, KIND, kind(SpanType::Embedding).0),
        SpanType::Retriever => constant!(SPAN, KIND, kind(SpanType::Retriever).0),
        SpanType::Tool => constant!(SPAN, KIND, kind(SpanType::Tool).0),
        SpanType::Agent => constant!(SPAN, KIND, kind(SpanType::Agent).0),
        SpanType::Guardrail => constant!(SPAN, KIND, kind(SpanType::Guardrail).0),
        SpanType::Evaluator => constant!(SPAN, KIND, kind(SpanType::Evaluator).0),
        SpanType::Chain | SpanType::Span | SpanType::Event => constant!(SPAN, KIND, kind(SpanType::Chain).0),
    });
    match span_type {
        SpanType::Span => out.extend_from_slice(constant!(SPAN, TYPE, SpanType::Span.as_str())),
        SpanType::Event => out.extend_from_slice(constant!(SPAN, TYPE, SpanType::Event.as_str())),
        _ => {}
    }
}

/// The text of a JSON string; `None` if `json` is anything else. Platforms show a text better than its JSON.
#[inline(always)]
fn literal(json: &str) -> Option<Cow<'_, str>> {
    if !json.starts_with('"') { None } else { unescape(json) }
}

fn unescape(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.get(1..)?.strip_suffix('"')?;
    if !inner.bytes().fold(false, |found, byte| found | (byte == b'\\')) {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(json).ok().map(Cow::Owned)
}

/// Appends what a call of a model used: OpenInference's token counts include the cached, audio and reasoning ones.
#[inline(never)]
fn put_call(out: &mut Vec<u8>, span: &Span<'_>) {
    match (&span.model, span.span_type) {
        (None, _) => {}
        (Some(model), SpanType::Embedding) => {
            put_text(out, key!(SPAN, "embedding.model_name"), model.as_bytes())
        }
        (Some(model), _) => put_text(out, key!(SPAN, "llm.model_name"), model.as_bytes()),
    }
    let usage = &span.usage;
    // A sum is sent only where its plain part is known: else it would be read back as a plain part of zero.
    let prompt = usage.input.and(usage.total_input());
    let completion = usage.output.and(usage.total_output());
    let total = prompt.and(completion).and(usage.total());
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
    if let Some(cost) = span.cost.filter(|cost| cost.is_finite()) {
        put_double(out, key!(SPAN, "llm.cost.total"), cost);
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

/// Reads into `span`, of which ids, name, times and OTLP status are known, what `attributes` say.
pub(crate) fn read(span: &mut Span<'static>, mut attributes: Attributes<'_>) -> Result<(), Unreadable> {
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
    span.span_type = span_type(a, span.model.is_some());
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
    span.cost = a.double(&["llm.cost.total", "gen_ai.usage.cost"]);
    span.version = a.text(&["observe.version"]).map(Cow::Owned);
    span.code = code(a);
    let mut scope = TraceAttributes {
        session: a.text(&["session.id", "gen_ai.conversation.id"]),
        user: a.text(&["user.id", "enduser.id"]),
        tags: a.texts("tag.tags")?,
        metadata: Metadata::new(),
    };
    match a.object("observe.trace.metadata")? {
        Some(metadata) => {
            scope.metadata = metadata;
            span.metadata = a.object("observe.metadata")?.unwrap_or_default();
            a.forget("metadata");
        }
        None => span.metadata = a.object("metadata")?.unwrap_or_default(),
    }
    span.attributes = Cow::Owned(scope);
    attributes.rest_into(&mut span.metadata)
}

fn span_type(a: &mut Attributes<'_>, has_model: bool) -> SpanType {
    let kind = a.text_like("openinference.span.kind", of_kind);
    let operation = a.text_like("gen_ai.operation.name", of_operation);
    a.parsed("observe.span.type").or(kind).or(operation).unwrap_or(if has_model {
        SpanType::Generation
    } else {
        SpanType::Span
    })
}

/// The span type of an OpenInference kind; the two that we lack become their nearest.
fn of_kind(text: &str) -> Option<SpanType> {
    match text {
        "RERANKER" => Some(SpanType::Retriever),
        "PROMPT" => Some(SpanType::Chain),
        _ => SpanType::ALL.iter().copied().find(|&t| kind(t) == (text, true)),
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
        Some("application/json") => true,
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
