//! What Langfuse and InteractiveAI are told, and what is read of senders that speak as they do.

use std::{borrow::Cow, collections::BTreeMap};

use observe_model::{
    Cost, Details, Json, Level, Metadata, Metric, Prompt, Record, Resource, Score, ScoreValue, Span, SpanId,
    SpanType, State, Target, Timestamp, TraceAttributes, TraceId, TraceUpdate, Usage,
};
use observe_wire::{Dialect, Encoder, Extras, Limits, decode};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    resource::v1::Resource as ProtoResource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan},
};
use prost::Message as _;
use serde_json::{Value, json};

fn object(value: Value) -> Metadata {
    value.as_object().unwrap().clone()
}

fn begun() -> Span<'static> {
    Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "answer", Timestamp(10))
}

fn json_of(attribute: &KeyValue) -> (String, Value) {
    let value = match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
        any_value::Value::StringValue(text) => json!(text),
        any_value::Value::IntValue(n) => json!(n),
        any_value::Value::BoolValue(value) => json!(value),
        any_value::Value::DoubleValue(n) => json!(n),
        other => json!(format!("{other:?}")),
    };
    (attribute.key.clone(), value)
}

/// The attributes of the resource and of the span.
fn sent(resource: &Resource, span: &Span<'_>, dialect: Dialect) -> [BTreeMap<String, Value>; 2] {
    let mut encoder = Encoder::in_dialect(resource, dialect, &Extras::default());
    encoder.push(span);
    let request = ExportTraceServiceRequest::decode(&*encoder.take()).unwrap();
    let ResourceSpans { resource, scope_spans, .. } = &request.resource_spans[0];
    let of = |attributes: &[KeyValue]| attributes.iter().map(json_of).collect();
    [of(&resource.as_ref().unwrap().attributes), of(&scope_spans[0].spans[0].attributes)]
}

fn said(span: &Span<'_>, dialect: Dialect) -> BTreeMap<String, Value> {
    let [_, said] = sent(&Resource::default(), span, dialect);
    said
}

#[test]
fn every_span_type_is_an_observation_of_the_platforms_type_and_the_traces_own_words_stand_apart() {
    let trace = TraceUpdate {
        input: Some(Json::of("asked")),
        output: Some(Json::of("answered")),
        ..TraceUpdate::default()
    };
    for dialect in [Dialect::Langfuse, Dialect::InteractiveAi] {
        for span_type in SpanType::ALL.iter().copied() {
            let details = Some(Box::new(Details { trace: Some(trace.clone()), ..Details::default() }));
            let said = said(&Span { span_type, input: Some("1".into()), details, ..begun() }, dialect);
            assert_eq!(said["langfuse.observation.type"], span_type.as_str());
            assert_eq!(
                (&said["langfuse.trace.input"], &said["langfuse.trace.output"]),
                (&json!("asked"), &json!("answered"))
            );
            assert_eq!(said["langfuse.observation.input"], "1");
        }
    }
}

#[test]
fn tokens_do_not_overlap_and_their_total_is_their_sum() {
    let usage = Usage {
        cache_read: Some(400),
        cache_write: Some(20),
        input_audio: Some(3),
        reasoning: Some(50),
        output_audio: Some(7),
        ..Usage::new(600, 200)
    };
    let cost = Cost { input: Some(f64::NAN), ..0.25.into() };
    let said = said(&Span { usage, cost, ..begun() }, Dialect::Langfuse);
    let details = |name: &str| -> Value {
        serde_json::from_str(said[&format!("langfuse.observation.{name}")].as_str().unwrap()).unwrap()
    };
    let expected = json!({
        "input": 600, "output": 200, "total": 1280, "input_cached_tokens": 400, "input_cache_creation": 20,
        "input_audio_tokens": 3, "output_reasoning_tokens": 50, "output_audio_tokens": 7,
    });
    assert_eq!(details("usage_details"), expected);
    assert_eq!(details("cost_details"), json!({"total": 0.25}));
}

fn unfit(attributes: &TraceAttributes, trace: Option<TraceUpdate>, dialect: Dialect) -> Option<&'static str> {
    let details = trace.map(|trace| Box::new(Details { trace: Some(trace), ..Details::default() }));
    let mut encoder = Encoder::in_dialect(&Resource::default(), dialect, &Extras::default());
    encoder.push(&Span { attributes: Cow::Borrowed(attributes), details, ..begun() });
    encoder.unfit()
}

#[test]
fn a_value_that_is_too_long_is_kept_from_the_platform_and_told_to_our_reader() {
    let long = || "ä".repeat(201);
    let attributes = TraceAttributes {
        session: Some(long()),
        user: Some("ä".repeat(200)),
        name: Some(long()),
        version: Some(long()),
        tags: vec![long(), "short".into()],
        metadata: object(json!({"long": long(), "short": "s"})),
        environment: Some("Prod".into()),
        ..TraceAttributes::default()
    };
    let span = Span { attributes: Cow::Borrowed(&attributes), ..begun() };
    for dialect in [Dialect::Langfuse, Dialect::InteractiveAi] {
        let said = said(&span, dialect);
        assert_eq!(said["user.id"], "ä".repeat(200));
        for key in ["session.id", "langfuse.trace.name", "langfuse.version", "langfuse.environment"] {
            assert!(!said.contains_key(key), "{key}");
        }
        assert!(!said.contains_key("langfuse.trace.metadata.long"));
        assert!(said["langfuse.trace.metadata.short"].as_str().unwrap().contains('s'));
        assert!(!said["langfuse.trace.tags"].as_str().unwrap().contains("ä"));
        assert_eq!(unfit(&attributes, None, dialect), Some("a session id may have at most 200 characters"));
        for (unsaid, why) in [
            (
                TraceAttributes { environment: attributes.environment.clone(), ..Default::default() },
                "40 char",
            ),
            (TraceAttributes { tags: attributes.tags.clone(), ..Default::default() }, "a tag may"),
            (TraceAttributes { metadata: attributes.metadata.clone(), ..Default::default() }, "metadata"),
        ] {
            assert!(unfit(&unsaid, None, dialect).unwrap().contains(why));
        }
        assert_eq!(unfit(TraceAttributes::none(), None, dialect), None);
        // Said from inside the trace it is not limited.
        let whole = TraceAttributes { metadata: attributes.metadata.clone(), ..Default::default() };
        let trace = TraceUpdate { attributes: whole.clone(), ..Default::default() };
        assert_eq!(unfit(&whole, Some(trace), dialect), None);
    }
}

#[test]
fn an_environment_that_langfuse_refuses_is_named_in_opentelemetrys_word() {
    for (name, is_fine) in
        [("production", true), ("eu_1-b", true), ("Production", false), ("langfuse-x", false)]
    {
        let resource = Resource { environment: Some(name.into()), ..Resource::default() };
        let [process, span] = sent(&resource, &begun(), Dialect::Langfuse);
        assert_eq!(process.contains_key("langfuse.environment"), is_fine);
        assert_eq!(span.contains_key("langfuse.environment"), is_fine);
        assert_eq!(process.contains_key("deployment.environment.name"), !is_fine);
    }
}

#[test]
fn states_are_shown_among_the_metadata_and_hide_none_of_it() {
    let state = |name: &str| State { name: name.into(), value: Json::of(&json!({"step": 1})) };
    let states = vec![state(State::BEFORE), state(State::AFTER)];
    let span = Span {
        metadata: Cow::Owned(object(json!({"state_after": "mine"}))),
        details: Some(Box::new(Details { states, ..Details::default() })),
        ..begun()
    };
    let said = said(&span, Dialect::Langfuse);
    assert_eq!(said["langfuse.observation.metadata.state_before"], r#"{"step":1}"#);
    assert_eq!(said["langfuse.observation.metadata.state_after"], r#""mine""#);
    assert_eq!(said["observe.metadata"], r#"{"state_after":"mine"}"#);
}

#[test]
fn a_prompts_version_is_a_number_where_it_is_one() {
    for (version, expected) in [("3", json!(3)), ("v3", json!("v3")), ("03", json!("03"))] {
        let prompt = Some(Prompt { name: "p".into(), version: Some(version.into()) });
        let details = Some(Box::new(Details { prompt, ..Details::default() }));
        let said = said(&Span { details, ..begun() }, Dialect::Langfuse);
        assert_eq!(said["langfuse.observation.prompt.name"], "p");
        assert_eq!(said["langfuse.observation.prompt.version"], expected);
    }
}

/// Reads a span with these texts as attributes, from a sender that names its scope so.
fn read(scope: &str, attributes: &[(&str, &str)]) -> Span<'static> {
    let attribute = |(key, text): &(&str, &str)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue((*text).to_owned())) }),
        ..KeyValue::default()
    };
    let span = ProtoSpan {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        end_time_unix_nano: 1,
        attributes: attributes.iter().map(attribute).collect(),
        ..ProtoSpan::default()
    };
    let scope = Some(InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() });
    let resource = Some(ProtoResource {
        attributes: vec![attribute(&("langfuse.release", "r1"))],
        ..ProtoResource::default()
    });
    let scope_spans = vec![ScopeSpans { scope, spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    let request = ExportTraceServiceRequest { resource_spans };
    decode(&request.encode_to_vec(), &Limits::default()).unwrap().resources.remove(0).spans.remove(0)
}

#[test]
fn levels_tags_and_usage_are_read_by_all_the_names_that_senders_use() {
    for (name, level) in [
        ("TRACE", Level::Debug),
        ("warn", Level::Warning),
        ("CRITICAL", Level::Error),
        ("SUCCESS", Level::Default),
    ] {
        assert_eq!(read("x", &[("langfuse.observation.level", name)]).level, level);
    }
    for tags in [r#"["a","b","a"]"#, "a, b"] {
        assert_eq!(read("x", &[("langfuse.trace.tags", tags)]).attributes.tags, ["a", "b"]);
    }
    let details = r#"{"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}"#;
    let span = read("x", &[("langfuse.observation.usage_details", details)]);
    assert_eq!((span.usage, span.metadata.len()), (Usage::new(7, 2), 0));
    let details = r#"{"input": 7, "input_pages": 2, "total": 9}"#;
    let span = read("x", &[("langfuse.observation.usage_details", details)]);
    assert_eq!(span.usage, Usage { input: Some(7), ..Usage::default() });
    assert_eq!(span.metadata["langfuse.observation.usage_details"]["input_pages"], 2);
}

#[test]
fn a_payload_and_metadata_are_what_their_sender_meant() {
    let input = |text| read("x", &[("langfuse.observation.input", text)]).input.unwrap();
    for (text, json) in [
        ("hello", "\"hello\""),
        ("{\"a\": 1}", "{\"a\": 1}"),
        ("{broken", "\"{broken\""),
        ("7", "7"),
        ("\"quoted\"", "\"\\\"quoted\\\"\""),
    ] {
        assert_eq!(input(text), json);
    }
    let entry =
        |scope, text| read(scope, &[("langfuse.trace.metadata.k", text)]).attributes.metadata["k"].clone();
    assert_eq!(entry("langfuse-sdk", "\"7\""), "7");
    assert_eq!(entry("langfuse-sdk", "7"), 7);
    assert_eq!(entry("langfuse-sdk", "plain"), "plain");
    assert_eq!(entry("interactiveai-sdk", "7"), "7");
    assert_eq!(entry("interactiveai-sdk", "[7]"), json!([7]));
    assert_eq!(read("x", &[("langfuse.release", "r1")]).attributes.release, None, "the process says it");
    assert_eq!(read("x", &[("langfuse.release", "r2")]).attributes.release.as_deref(), Some("r2"));
}

fn json_score(record: &Record, dialect: Dialect) -> Value {
    serde_json::from_slice(&dialect.score(record, Some("Not allowed")).unwrap()).unwrap()
}

#[test]
fn scores_and_metrics_have_the_type_that_the_platform_knows() {
    let target = Target { session: Some("s".into()), ..Target::default() };
    let score = |value: ScoreValue| {
        let target = target.clone();
        Record::Score(Score { id: "i".into(), name: "n".into(), value, target, ..Score::default() })
    };
    let yes = score(true.into());
    let expected = json!({
        "id": "i", "sessionId": "s", "name": "n", "value": 1.0, "dataType": "BOOLEAN",
        "timestamp": "1970-01-01T00:00:00.000000Z",
    });
    assert_eq!(json_score(&yes, Dialect::Langfuse), expected);
    let text = score(ScoreValue::Text("free".into()));
    assert_eq!(json_score(&text, Dialect::Langfuse)["dataType"], "TEXT");
    assert_eq!(json_score(&text, Dialect::InteractiveAi)["data_type"], "CATEGORICAL");
    let metric = Record::Metric(Metric {
        name: "chars".into(),
        value: 5.0,
        unit: Some("chars".into()),
        tags: vec!["chat".into()],
        target: target.clone(),
        ..Metric::default()
    });
    let said = json_score(&metric, Dialect::InteractiveAi);
    assert_eq!((&said["value"], &said["data_type"]), (&json!(5.0), &json!("NUMERIC")));
    assert_eq!(said["metadata"], json!({"unit": "chars", "tags": ["chat"]}));
    let corrected = Record::Score(Score {
        correction: Some(Json::of(&json!({"right": 1}))),
        author: Some("ada".into()),
        metadata: object(json!({"author": "mine"})),
        target: Target { trace_id: TraceId::from_int(1), span_id: SpanId::from_int(2), ..target },
        ..Score::default()
    });
    let said = json_score(&corrected, Dialect::Langfuse);
    assert_eq!(said["metadata"], json!({"author": "mine", "correction": {"right": 1}}));
    assert_eq!((&said["observationId"], said.get("sessionId")), (&json!("0000000000000002"), None));
    assert_eq!(Dialect::Langfuse.score(&Record::Score(Score::default()), None), None, "it has no target");
}
