//! Bodies that nobody meant well: no panic, no more memory than the limits allow, and one bad span costs only itself.

mod common;

use common::span;
use observe_model::Resource;
use observe_wire::{DecodeError, Dialect, Encoder, Extras, Limits, SpanError, decode};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use prost::Message as _;

proptest! {
    #[test]
    fn random_bytes_do_no_harm(body in vec(any::<u8>(), 0..400)) {
        let _ = decode(&body, &Limits::default());
        let _ = observe_wire::ExportResponse::decode(&body);
    }

    #[test]
    fn a_damaged_body_does_no_harm(
        spans in vec(span(), 1..3),
        damage in vec((any::<Index>(), any::<u8>()), 1..8),
        cut in any::<Index>(),
        is_cut: bool,
        dialect in select(Dialect::ALL),
    ) {
        let mut encoder = Encoder::in_dialect(&Resource::default(), dialect, &Extras::default());
        spans.iter().for_each(|span| encoder.push(span));
        let mut body = encoder.take();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if is_cut {
            body.truncate(cut.index(body.len()));
        }
        if let Ok(decoded) = decode(&body, &Limits::default()) {
            let taken: usize = decoded.resources.iter().map(|r| r.spans.len()).sum();
            prop_assert!(taken as u64 + decoded.rejected <= body.len() as u64);
            prop_assert_eq!(decoded.rejected > 0, decoded.reason.is_some());
        }
    }
}

proptest! {
    #[test]
    fn a_key_of_any_dialect_may_have_any_value(spans in vec(vec((select(KEYS), any_value()), 0..12), 1..4)) {
        let span = |attributes: Vec<(&str, AnyValue)>| Span {
            attributes: attributes
                .into_iter()
                .map(|(key, value)| KeyValue { key: key.into(), value: Some(value), ..Default::default() })
                .collect(),
            ..good()
        };
        let (sent, scopes) = (spans.len(), ["", "observe", "langfuse-sdk", "interactiveai-sdk"]);
        let spans: Vec<_> = spans.into_iter().map(span).collect();
        for name in scopes {
            let scope = Some(InstrumentationScope { name: name.into(), ..Default::default() });
            let scope_spans = vec![ScopeSpans { scope, spans: spans.clone(), ..Default::default() }];
            let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
            let request = ExportTraceServiceRequest { resource_spans };
            let decoded = decode(&request.encode_to_vec(), &Limits::default()).unwrap();
            let taken: usize = decoded.resources.iter().map(|r| r.spans.len() + r.records.len()).sum();
            prop_assert_eq!(taken, sent, "a value that means nothing costs nothing but itself");
        }
    }
}

/// Keys that are read as something.
const KEYS: &[&str] = &[
    "input.value",
    "input.mime_type",
    "openinference.span.kind",
    "llm.token_count.prompt",
    "metadata",
    "tag.tags",
    "session.id",
    "observe.record",
    "observe.states",
    "observe.trace.said",
    "observe.trace.tags",
    "observe.metadata",
    "observe.level",
    "observe.input.integers",
    "observe.input.mime_type",
    "langfuse.observation.type",
    "langfuse.observation.input",
    "langfuse.observation.level",
    "langfuse.observation.metadata",
    "langfuse.observation.metadata.k",
    "langfuse.observation.metadata.",
    "langfuse.observation.usage_details",
    "langfuse.observation.cost_details",
    "langfuse.observation.model.parameters",
    "langfuse.observation.completion_start_time",
    "langfuse.observation.prompt.version",
    "langfuse.trace.tags",
    "langfuse.trace.input",
    "langfuse.trace.metadata",
    "langfuse.trace.public",
    "gen_ai.operation.name",
    "gen_ai.span.kind",
    "gen_ai.conversation.id",
    "gen_ai.input.messages",
    "gen_ai.input.messages.0.message.role",
    "gen_ai.input.messages.0",
    "gen_ai.output.messages",
    "gen_ai.output.messages.4294967295.a.b",
    "gen_ai.prompt",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.name",
    "gen_ai.completion.00.content",
    "gen_ai.tool.definitions.0.tool.json_schema",
    "gen_ai.request.temperature",
    "gen_ai.request.parameters",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cost",
    "gen_ai.response.time_to_first_chunk",
    "observe.input.form",
    "observe.cost",
    "observe.parent.given",
    "langfuse.internal.as_root",
    "observe.parameters",
    "mlflow.spanType",
    "mlflow.spanInputs",
    "ai.operationId",
    "ai.telemetry.metadata.tags",
    "input",
    "input_tokens",
    "output_tokens",
];

fn any_value() -> impl Strategy<Value = AnyValue> {
    const TEXTS: &[&str] = &[
        "",
        "7",
        "-1",
        "\"",
        "[0]",
        "[1,18446744073709551615]",
        "{\"input\":1.5,\"x\":[]}",
        "null",
        "a,b",
        "ERROR",
        "\"2024-01-02T03:04:05.678000Z\"",
        "0001-01-01T00:00:00Z",
        "[\"12345678901234567\"]",
        "chat",
        "[{\"role\":\"user\",\"parts\":[{\"content\":\"x\"}]}]",
        "[{\"role\":1,\"parts\":[]},{\"parts\":0}]",
    ];
    let value = |value| AnyValue { value: Some(value) };
    prop_oneof![
        Just(AnyValue::default()),
        select(TEXTS).prop_map(move |text| value(Value::StringValue(text.into()))),
        any::<String>().prop_map(move |text| value(Value::StringValue(text))),
        any::<i64>().prop_map(move |n| value(Value::IntValue(n))),
        any::<f64>().prop_map(move |n| value(Value::DoubleValue(n))),
        any::<bool>().prop_map(move |b| value(Value::BoolValue(b))),
        vec(any::<u8>(), 0..9).prop_map(move |bytes| value(Value::BytesValue(bytes))),
        (0..4_usize).prop_map(nested),
    ]
}

fn good() -> Span {
    Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "good".into(), ..Default::default() }
}

fn with(value: AnyValue) -> Span {
    let attribute = KeyValue { key: "x".into(), value: Some(value), ..Default::default() };
    Span { attributes: vec![attribute], ..good() }
}

fn body(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn nested(depth: usize) -> AnyValue {
    let inner = AnyValue { value: Some(Value::IntValue(7)) };
    (0..depth).fold(inner, |value, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue { values: vec![value] })),
    })
}

#[test]
fn a_span_with_a_bad_id_is_rejected_and_the_others_are_taken() {
    for bad in [
        Span { trace_id: vec![], ..good() },
        Span { trace_id: vec![0; 16], ..good() },
        Span { trace_id: vec![1; 15], ..good() },
        Span { span_id: vec![0; 8], ..good() },
        Span { span_id: vec![1; 16], ..good() },
        Span { parent_span_id: vec![1; 7], ..good() },
    ] {
        let decoded = decode(&body(vec![good(), bad.clone(), good()]), &Limits::default()).unwrap();
        assert_eq!((decoded.rejected, decoded.reason), (1, Some(SpanError::InvalidId)), "{bad:?}");
        assert_eq!(decoded.resources[0].spans.len(), 2);
    }
}

#[test]
fn a_text_that_is_not_utf_8_rejects_its_span_alone() {
    let mut bytes = body(vec![good(), Span { name: "bad!".into(), ..good() }]);
    let at = bytes.windows(4).position(|w| w == b"bad!").unwrap();
    bytes[at] = 0xff;
    let decoded = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!((decoded.rejected, decoded.reason), (1, Some(SpanError::Malformed)));
    assert_eq!(decoded.resources[0].spans[0].name, "good");
}

#[test]
fn values_are_read_as_deep_as_the_limit_and_no_deeper() {
    let limits = Limits { depth: 4, ..Default::default() };
    let decoded = decode(&body(vec![with(nested(4)), with(nested(5))]), &limits).unwrap();
    assert_eq!((decoded.rejected, decoded.reason), (1, Some(SpanError::TooDeep)));
    assert_eq!(decoded.resources[0].spans[0].metadata["x"], serde_json::json!([[[[7]]]]));
    // Far deeper than the stack could go. Built by hand: prost recurses too.
    let array = |value: Vec<u8>| field(0x2a, &field(0x0a, &value));
    let value = (0..5_000).fold(vec![0x18, 7], |value, _| array(value));
    let attribute = [field(0x0a, b"x"), field(0x12, &value)].concat();
    let span = [good().encode_to_vec(), field(0x4a, &attribute)].concat();
    let decoded = decode(&field(0x0a, &field(0x12, &field(0x12, &span))), &Limits::default()).unwrap();
    assert_eq!((decoded.rejected, decoded.reason), (1, Some(SpanError::TooDeep)));
}

/// A length-delimited field, by its tag.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

#[test]
fn a_body_beyond_a_limit_is_refused_with_that_limit() {
    let spans = body(vec![good(); 3]);
    let limits = Limits { spans: 2, ..Default::default() };
    assert_eq!(decode(&spans, &limits), Err(DecodeError::TooManySpans { limit: 2 }));
    let limits = Limits { bytes: spans.len() - 1, ..Default::default() };
    assert_eq!(decode(&spans, &limits), Err(DecodeError::TooLarge { limit: spans.len() - 1 }));
    let limits = Limits { values: 3, ..Default::default() };
    assert!(decode(&body(vec![with(nested(2))]), &limits).is_ok());
    assert_eq!(decode(&body(vec![with(nested(3))]), &limits), Err(DecodeError::TooManyValues { limit: 3 }));
    let list = KeyValue {
        key: "metadata".into(),
        value: Some(AnyValue { value: Some(Value::StringValue("[1,2,3]".into())) }),
        ..Default::default()
    };
    let spans = body(vec![Span { attributes: vec![list], ..good() }]);
    assert_eq!(decode(&spans, &limits), Err(DecodeError::TooManyValues { limit: 3 }));
}

#[test]
fn what_is_not_protobuf_is_malformed() {
    for text in ["{\"resourceSpans\":[]}", "<html>", "\u{0}"] {
        assert_eq!(decode(text.as_bytes(), &Limits::default()), Err(DecodeError::Malformed), "{text}");
    }
    assert_eq!(decode(&[], &Limits::default()), Ok(Default::default()));
}
