//! Others read what we write, and we read what others write: checked against OpenTelemetry's own messages.

mod common;

use std::{borrow::Cow, collections::HashMap};

use common::{resource, span};
use observe_model::{
    Code, Level, Record, Resource, Score, ScoreValue, Span, SpanId, SpanType, Status, Target, Timestamp,
    TraceAttributes, TraceId, Usage,
};
use observe_wire::{Dialect, Encoder, ExportResponse, Extras, Limits, decode, export_response};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    resource::v1::Resource as ProtoResource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status as ProtoStatus, span::Event},
};
use proptest::prelude::*;
use prost::Message as _;
use serde_json::json;

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, v: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value(v)), ..Default::default() }
}

/// Attributes by key; a key given twice would be lost on many platforms.
fn by_key(attributes: &[KeyValue]) -> HashMap<&str, Value> {
    let map: HashMap<_, _> =
        attributes.iter().map(|a| (a.key.as_str(), a.value.clone().unwrap().value.unwrap())).collect();
    assert_eq!(map.len(), attributes.len(), "{attributes:?}");
    map
}

fn encode(resource: &Resource, span: &Span<'_>) -> ResourceSpans {
    let mut encoder = Encoder::new(resource);
    encoder.push(span);
    let mut request = ExportTraceServiceRequest::decode(&*encoder.take()).unwrap();
    assert_eq!((request.resource_spans.len(), request.resource_spans[0].scope_spans.len()), (1, 1));
    request.resource_spans.remove(0)
}

fn encode_span(span: &Span<'_>) -> ProtoSpan {
    encode(&Resource::default(), span).scope_spans.remove(0).spans.remove(0)
}

/// The one span of a foreign body.
fn read(resource: Vec<KeyValue>, span: ProtoSpan) -> (Resource, Span<'static>) {
    let span = ProtoSpan { trace_id: vec![1; 16], span_id: vec![2; 8], ..span };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(ProtoResource { attributes: resource, ..Default::default() }),
            scope_spans: vec![ScopeSpans { spans: vec![span], ..Default::default() }],
            ..Default::default()
        }],
    };
    let mut decoded = decode(&request.encode_to_vec(), &Limits::default()).unwrap().resources.remove(0);
    (decoded.resource, decoded.spans.remove(0))
}

fn read_attributes(attributes: Vec<KeyValue>) -> Span<'static> {
    read(vec![], ProtoSpan { attributes, ..Default::default() }).1
}

fn begun() -> Span<'static> {
    Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "answer", Timestamp(10))
}

#[test]
fn every_field_arrives_under_its_key() {
    let attributes = TraceAttributes {
        session: Some("conv".into()),
        user: Some("ada".into()),
        tags: vec!["prod".into(), "eu".into()],
        metadata: json!({"plan": "free", "n": 1}).as_object().unwrap().clone(),
        ..TraceAttributes::default()
    };
    let span = Span {
        parent_id: Some(SpanId::from_seed("p")),
        span_type: SpanType::Generation,
        status: Status::Error,
        status_message: Some("no tool answered".into()),
        level: Level::Warning,
        end: Some(Timestamp(20)),
        input: Some(r#"{"q":"why?"}"#.into()),
        output: Some(r#""two\nlines""#.into()),
        metadata: std::borrow::Cow::Owned(json!({"plan": "paid"}).as_object().unwrap().clone()),
        model: Some("gpt-4o".into()),
        usage: Usage {
            cache_read: Some(400),
            cache_write: Some(20),
            input_audio: Some(3),
            reasoning: Some(50),
            output_audio: Some(7),
            ..Usage::new(600, 200)
        },
        cost: 0.25.into(),
        details: None,
        version: Some("2.1".into()),
        code: Some(Code { function: "chat::answer".into(), file: "src/chat.rs".into(), line: 70_000 }),
        dropped: 12,
        attributes: Cow::Owned(attributes),
        ..begun()
    };
    let sent = encode_span(&span);
    assert_eq!(sent.trace_id, span.trace_id.to_bytes());
    assert_eq!(sent.span_id, span.span_id.to_bytes());
    assert_eq!(sent.parent_span_id, SpanId::from_seed("p").to_bytes());
    assert_eq!((sent.name.as_str(), sent.kind), ("answer", 3));
    assert_eq!((sent.start_time_unix_nano, sent.end_time_unix_nano), (10, 20));
    assert_eq!(sent.status, Some(ProtoStatus { code: 2, message: "no tool answered".into() }));
    let [event] = &sent.events[..] else { panic!("{:?}", sent.events) };
    assert_eq!((event.name.as_str(), event.time_unix_nano), ("exception", 20));
    assert_eq!(by_key(&event.attributes), HashMap::from([("exception.message", text("no tool answered"))]));
    let tags = ArrayValue { values: vec![value(text("prod")), value(text("eu"))] };
    let expected = HashMap::from([
        ("openinference.span.kind", text("LLM")),
        ("input.value", text(r#"{"q":"why?"}"#)),
        ("input.mime_type", text("application/json")),
        ("output.value", text("two\nlines")),
        ("output.mime_type", text("text/plain")),
        ("session.id", text("conv")),
        ("user.id", text("ada")),
        ("tag.tags", Value::ArrayValue(tags)),
        ("metadata", text(r#"{"n":1,"plan":"paid"}"#)),
        ("observe.trace.metadata", text(r#"{"n":1,"plan":"free"}"#)),
        ("observe.metadata", text(r#"{"plan":"paid"}"#)),
        ("llm.model_name", text("gpt-4o")),
        ("llm.token_count.prompt", Value::IntValue(1023)),
        ("llm.token_count.prompt_details.cache_read", Value::IntValue(400)),
        ("llm.token_count.prompt_details.cache_write", Value::IntValue(20)),
        ("llm.token_count.prompt_details.audio", Value::IntValue(3)),
        ("llm.token_count.completion", Value::IntValue(257)),
        ("llm.token_count.completion_details.reasoning", Value::IntValue(50)),
        ("llm.token_count.completion_details.audio", Value::IntValue(7)),
        ("llm.token_count.total", Value::IntValue(1280)),
        ("llm.cost.total", Value::DoubleValue(0.25)),
        ("observe.level", text("warning")),
        ("observe.version", text("2.1")),
        ("observe.dropped_spans", Value::IntValue(12)),
        ("code.function.name", text("chat::answer")),
        ("code.file.path", text("src/chat.rs")),
        ("code.line.number", Value::IntValue(70_000)),
    ]);
    let mut sent = by_key(&sent.attributes);
    // Objects keep no order of their own.
    let metadata = |v: &Value| match v {
        Value::StringValue(text) => serde_json::from_str::<serde_json::Value>(text).unwrap(),
        other => panic!("{other:?}"),
    };
    for key in ["metadata", "observe.trace.metadata"] {
        assert_eq!(metadata(&sent[key]), metadata(&expected[key]));
        sent.insert(key, expected[key].clone());
    }
    assert_eq!(sent, expected);
}

#[test]
fn every_span_type_has_the_nearest_openinference_kind() {
    for (span_type, kind, own, otlp) in [
        (SpanType::Span, "CHAIN", None, 1),
        (SpanType::Generation, "LLM", None, 3),
        (SpanType::Agent, "AGENT", None, 1),
        (SpanType::Tool, "TOOL", None, 1),
        (SpanType::Chain, "CHAIN", Some("chain"), 1),
        (SpanType::Retriever, "RETRIEVER", None, 1),
        (SpanType::Embedding, "EMBEDDING", None, 3),
        (SpanType::Evaluator, "EVALUATOR", None, 1),
        (SpanType::Guardrail, "GUARDRAIL", None, 1),
        (SpanType::Event, "CHAIN", Some("event"), 1),
    ] {
        let sent = encode_span(&Span { span_type, model: Some("m".into()), ..begun() });
        let attributes = by_key(&sent.attributes);
        assert_eq!(attributes["openinference.span.kind"], text(kind));
        assert_eq!(attributes.get("observe.span.type"), own.map(text).as_ref());
        assert_eq!(sent.kind, otlp);
        let model = if span_type == SpanType::Embedding { "embedding.model_name" } else { "llm.model_name" };
        assert_eq!(attributes[model], text("m"));
    }
}

#[test]
fn a_score_is_an_annotation_in_openinferences_words() {
    let target = Target {
        trace_id: Some(TraceId::from_seed("t")),
        span_id: Some(SpanId::from_seed("s")),
        session: Some("s-1".to_owned()),
    };
    let mut encoder = Encoder::new(&Resource::default());
    let mut push = |id: &str, value: ScoreValue, comment: Option<&str>| {
        let score = Score {
            id: id.into(),
            name: "quality".into(),
            value,
            target: target.clone(),
            ..Score::default()
        };
        encoder.push_record(&Record::Score(Score {
            comment: comment.map(Into::into),
            at: Timestamp(7),
            ..score
        }));
    };
    push("1", 0.5.into(), Some("to the point"));
    push("2", true.into(), None);
    push("3", "kind".into(), None);
    let request = ExportTraceServiceRequest::decode(&*encoder.take()).unwrap();
    let spans = &request.resource_spans[0].scope_spans[0].spans;
    let annotation = |span: &ProtoSpan| {
        let attributes = by_key(&span.attributes);
        let part = |name| attributes.get(&*format!("annotations.0.annotation.{name}")).cloned();
        (part("name"), part("score"), part("label"), part("explanation"))
    };
    let name = || Some(text("quality"));
    assert_eq!(
        annotation(&spans[0]),
        (name(), Some(Value::DoubleValue(0.5)), None, Some(text("to the point")))
    );
    assert_eq!(annotation(&spans[1]), (name(), None, Some(text("true")), None));
    assert_eq!(annotation(&spans[2]), (name(), None, Some(text("kind")), None));
    // It lies below the span that it is about, which the same score sent again does not double.
    for span in spans {
        assert_eq!(span.trace_id, TraceId::from_seed("t").to_bytes());
        assert_eq!(span.parent_span_id, SpanId::from_seed("s").to_bytes());
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (7, 7));
        let attributes = by_key(&span.attributes);
        assert_eq!(attributes["openinference.span.kind"], text("EVALUATOR"));
        assert_eq!(attributes["session.id"], text("s-1"));
    }
    assert_ne!(spans[0].span_id, spans[1].span_id);
}

#[test]
fn every_status_has_its_otlp_code() {
    for (status, code, own) in [
        (Status::Running, 0, Some("running")),
        (Status::Ok, 1, None),
        (Status::Error, 2, None),
        (Status::Cancelled, 0, Some("cancelled")),
        (Status::Abandoned, 0, Some("abandoned")),
        (Status::Interrupted, 2, Some("interrupted")),
    ] {
        let sent = encode_span(&Span { status, ..begun() });
        assert_eq!(sent.status.unwrap().code, code);
        assert_eq!(by_key(&sent.attributes).get("observe.status"), own.map(text).as_ref());
        assert_eq!(sent.end_time_unix_nano, 0);
        assert!(sent.events.is_empty());
    }
}

#[test]
fn resource_and_scope_are_written_once() {
    let resource = Resource {
        project: "docs".into(),
        service: "api".into(),
        release: Some("a1b2".into()),
        environment: Some("staging".into()),
    };
    let sent = encode(&resource, &begun());
    assert_eq!(
        by_key(&sent.resource.unwrap().attributes),
        HashMap::from([
            ("openinference.project.name", text("docs")),
            ("service.name", text("api")),
            ("service.version", text("a1b2")),
            ("deployment.environment.name", text("staging")),
        ])
    );
    assert_eq!(sent.scope_spans[0].scope.as_ref().unwrap().name, "observe");
}

proptest! {
    #[test]
    fn any_span_is_valid_otlp(resource in resource(), span in span()) {
        let sent = encode(&resource, &span).scope_spans.remove(0).spans.remove(0);
        let attributes = by_key(&sent.attributes);
        prop_assert_eq!(&sent.name, &span.name);
        prop_assert_eq!(sent.status.unwrap().message, span.status_message.as_deref().unwrap_or_default());
        prop_assert_eq!(sent.end_time_unix_nano, span.end.map_or(0, |end| end.0));
        prop_assert_eq!(attributes.contains_key("input.value"), span.input.is_some());
        let session = span.attributes.session.as_deref().map(text);
        prop_assert_eq!(attributes.get("session.id"), session.as_ref());
        let line = span.code.map(|code| Value::IntValue(code.line.into()));
        prop_assert_eq!(attributes.get("code.line.number"), line.as_ref());
    }

    #[test]
    fn any_span_is_valid_otlp_in_every_dialect(resource in resource(), span in span()) {
        for dialect in Dialect::ALL {
            let mut encoder = Encoder::in_dialect(&resource, *dialect, &Extras::default());
            encoder.push(&span);
            let mut request = ExportTraceServiceRequest::decode(&*encoder.take()).unwrap();
            let mut spans = request.resource_spans.remove(0);
            by_key(&spans.resource.take().unwrap().attributes);
            let sent = spans.scope_spans.remove(0).spans.remove(0);
            by_key(&sent.attributes);
            prop_assert_eq!(&sent.name, &span.name);
            prop_assert_eq!(sent.end_time_unix_nano, span.end.map_or(0, |end| end.0));
        }
    }

    #[test]
    fn an_answer_is_opentelemetrys(rejected in 0..i64::MAX, message in "\\PC{1,20}") {
        let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: message.clone() };
        let response = ExportTraceServiceResponse { partial_success: Some(partial) };
        prop_assert_eq!(
            ExportTraceServiceResponse::decode(&*export_response(rejected as u64, &message)).unwrap(), response.clone());
        let read = ExportResponse { rejected: rejected as u64, message };
        prop_assert_eq!(ExportResponse::decode(&response.encode_to_vec()), Ok(read));
    }
}

#[test]
fn genai_conventions_are_read() {
    let span = read_attributes(vec![
        attribute("gen_ai.operation.name", text("chat")),
        attribute("gen_ai.request.model", text("gpt-4o")),
        attribute("gen_ai.response.model", text("gpt-4o-2024")),
        attribute("gen_ai.conversation.id", text("conv")),
        attribute("gen_ai.usage.input_tokens", Value::IntValue(1000)),
        attribute("gen_ai.usage.cache_read.input_tokens", Value::IntValue(300)),
        attribute("gen_ai.usage.cache_creation.input_tokens", Value::IntValue(100)),
        attribute("gen_ai.usage.output_tokens", Value::IntValue(50)),
        attribute("gen_ai.usage.reasoning.output_tokens", Value::IntValue(20)),
        attribute("gen_ai.input.messages", text(r#"[{"role":"user"}]"#)),
        attribute("gen_ai.output.messages", text("hello")),
    ]);
    assert_eq!(span.span_type, SpanType::Generation);
    assert_eq!(span.model.as_deref(), Some("gpt-4o-2024"));
    assert_eq!(span.attributes.session.as_deref(), Some("conv"));
    let usage =
        Usage { cache_read: Some(300), cache_write: Some(100), reasoning: Some(20), ..Usage::new(600, 30) };
    assert_eq!(span.usage, usage);
    assert_eq!(span.input.as_deref(), Some(r#"[{"role":"user"}]"#));
    assert_eq!(span.output.as_deref(), Some(r#""hello""#));
    assert_eq!(
        serde_json::Value::Object(span.metadata.into_owned()),
        json!({"gen_ai.request.model": "gpt-4o"})
    );
}

#[test]
fn details_beyond_their_sum_were_not_part_of_it() {
    let span = read_attributes(vec![
        attribute("gen_ai.usage.input_tokens", Value::IntValue(10)),
        attribute("gen_ai.usage.cache_write.input_tokens", Value::IntValue(100)),
    ]);
    assert_eq!(span.usage, Usage { input: Some(10), cache_write: Some(100), ..Usage::default() });
}

#[test]
fn every_genai_operation_and_openinference_kind_has_a_span_type() {
    for (key, name, span_type) in [
        ("gen_ai.operation.name", "text_completion", SpanType::Generation),
        ("gen_ai.operation.name", "embeddings", SpanType::Embedding),
        ("gen_ai.operation.name", "invoke_agent", SpanType::Agent),
        ("gen_ai.operation.name", "execute_tool", SpanType::Tool),
        ("gen_ai.operation.name", "invoke_workflow", SpanType::Chain),
        ("gen_ai.operation.name", "retrieval", SpanType::Retriever),
        ("openinference.span.kind", "CHAIN", SpanType::Chain),
        ("openinference.span.kind", "RERANKER", SpanType::Retriever),
        ("openinference.span.kind", "PROMPT", SpanType::Chain),
        ("llm.model_name", "gpt-4o", SpanType::Generation),
        ("unheard.of", "", SpanType::Span),
    ] {
        assert_eq!(read_attributes(vec![attribute(key, text(name))]).span_type, span_type, "{name}");
    }
}

#[test]
fn what_the_model_has_no_field_for_goes_to_the_metadata_with_its_type() {
    let list =
        Value::ArrayValue(ArrayValue { values: vec![value(text("a")), value(Value::BoolValue(true))] });
    let map = KeyValueList { values: vec![attribute("k", Value::DoubleValue(0.5))] };
    let span = read_attributes(vec![
        attribute("http.status", Value::IntValue(-200)),
        attribute("list", list),
        attribute("map", Value::KvlistValue(map)),
        attribute("bytes", Value::BytesValue(vec![0xca, 0xfe])),
        attribute("nan", Value::DoubleValue(f64::NAN)),
        attribute("observe.status", text("unheard of")),
        attribute("llm.token_count.prompt", Value::IntValue(-1)),
        attribute("tag.tags", text("not a list")),
        attribute("metadata", text(r#"{"own": 1}"#)),
        attribute("own", text("the metadata's stays")),
        KeyValue { key: "empty".into(), ..Default::default() },
    ]);
    let expected = json!({
        "http.status": -200, "list": ["a", true], "map": {"k": 0.5}, "bytes": "cafe", "nan": "NaN",
        "observe.status": "unheard of", "llm.token_count.prompt": -1, "tag.tags": "not a list", "own": 1, "empty": null,
    });
    assert_eq!(serde_json::Value::Object(span.metadata.into_owned()), expected);
}

#[test]
fn negative_counts_and_halves_of_characters_cost_only_themselves() {
    let half = r#"{"text":"a\ud800"}"#;
    let span = read_attributes(vec![
        attribute("llm.token_count.prompt", Value::IntValue(-1)),
        attribute("llm.token_count.prompt_details.cache_read", Value::IntValue(i64::MIN)),
        attribute("llm.token_count.completion", Value::IntValue(7)),
        attribute("input.value", text(half)),
        attribute("input.mime_type", text("application/json")),
        attribute("metadata", text(half)),
        attribute("session.id", text("\0\u{1b}[31m")),
        attribute("own", text("stays")),
    ]);
    assert_eq!((span.usage.total_input(), span.usage.total_output()), (None, Some(7)));
    assert_eq!(
        (span.input.as_deref(), span.attributes.session.as_deref()),
        (Some(half), Some("\0\u{1b}[31m"))
    );
    let expected = json!({
        "llm.token_count.prompt": -1, "llm.token_count.prompt_details.cache_read": i64::MIN, "metadata": half,
        "own": "stays",
    });
    assert_eq!(serde_json::Value::Object(span.metadata.into_owned()), expected);
}

#[test]
fn a_payload_is_json_text_whatever_was_sent() {
    for (sent, mime, expected) in [
        (text("plain"), Some("text/plain"), r#""plain""#),
        (text("[1]"), Some("text/plain"), r#""[1]""#),
        (text("[1]"), Some("application/json"), "[1]"),
        (text("[1"), Some("application/json"), r#""[1""#),
        (text("[1]"), None, "[1]"),
        (text("12 apples"), None, r#""12 apples""#),
        (Value::ArrayValue(ArrayValue { values: vec![value(text("a"))] }), None, r#"["a"]"#),
    ] {
        let mut attributes = vec![attribute("input.value", sent)];
        attributes.extend(mime.map(|mime| attribute("input.mime_type", text(mime))));
        let span = read_attributes(attributes);
        assert_eq!(span.input.as_deref(), Some(expected));
        assert!(span.metadata.is_empty());
    }
}

#[test]
fn the_project_is_the_named_one_else_the_service_else_default() {
    let project = attribute("openinference.project.name", text("p"));
    let service = attribute("service.name", text("s"));
    for (attributes, expected) in [
        (vec![project.clone(), service.clone()], ("p", "s")),
        (vec![project], ("p", "p")),
        (vec![service], ("s", "s")),
        (vec![], ("default", "default")),
    ] {
        let resource = read(attributes, ProtoSpan::default()).0;
        assert_eq!((resource.project.as_str(), resource.service.as_str()), expected);
    }
}

#[test]
fn status_and_error_text_are_read_from_other_senders() {
    let status = |code, end| {
        let status = Some(ProtoStatus { code, ..Default::default() });
        read(vec![], ProtoSpan { status, end_time_unix_nano: end, ..Default::default() }).1.status
    };
    assert_eq!(
        [status(0, 0), status(0, 5), status(1, 5), status(2, 5)],
        [Status::Running, Status::Ok, Status::Ok, Status::Error]
    );
    let event = Event {
        name: "exception".into(),
        attributes: vec![
            attribute("exception.type", text("ValueError")),
            attribute("exception.message", text("too cold")),
        ],
        ..Default::default()
    };
    let span =
        read(vec![], ProtoSpan { events: vec![event], parent_span_id: vec![0; 8], ..Default::default() }).1;
    assert_eq!(span.status_message.as_deref(), Some("too cold"));
    assert_eq!(span.parent_id, None);
}
