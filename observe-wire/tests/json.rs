//! OTLP's JSON says what its protobuf says, in both directions, for us and for OpenTelemetry's own messages.

mod common;

use common::{record, resource, span};
use observe_wire::{
    DecodeError, Dialect, Encoder, ExportResponse, Extras, Limits, SpanError, decode, decode_json,
    export_response_json, to_json,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value as Any},
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Link},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use prost::Message as _;
use serde_json::{Value, json};

proptest! {
    #[test]
    fn json_says_what_protobuf_says(
        resource in resource(),
        spans in vec(span(), 1..4),
        records in vec(record(), 0..2),
        dialect in select(Dialect::ALL),
    ) {
        let mut encoder = Encoder::in_dialect(&resource, dialect, &Extras::default());
        spans.iter().for_each(|span| encoder.push(span));
        records.iter().for_each(|record| encoder.push_record(record));
        let protobuf = encoder.take();
        let json = to_json(&protobuf).unwrap();
        let limits = Limits::default();
        prop_assert_eq!(decode_json(&json, &limits), decode(&protobuf, &limits));
        // OpenTelemetry's own messages read the same from both.
        let request: ExportTraceServiceRequest = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(request, ExportTraceServiceRequest::decode(&*protobuf).unwrap());
    }

    #[test]
    fn a_damaged_json_body_does_no_harm(
        spans in vec(span(), 1..3),
        damage in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
        is_cut: bool,
    ) {
        let mut encoder = Encoder::new(&Default::default());
        spans.iter().for_each(|span| encoder.push(span));
        let mut body = to_json(&encoder.take()).unwrap();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if is_cut {
            body.truncate(cut.index(body.len()));
        }
        if let Ok(decoded) = decode_json(&body, &Limits::default()) {
            let taken: usize = decoded.resources.iter().map(|r| r.spans.len()).sum();
            prop_assert!(taken as u64 + decoded.rejected <= spans.len() as u64);
            prop_assert_eq!(decoded.rejected > 0, decoded.reason.is_some());
        }
    }

    #[test]
    fn bytes_that_are_no_protobuf_do_no_harm(body in vec(any::<u8>(), 0..400)) {
        if let Ok(json) = to_json(&body) {
            serde_json::from_slice::<Value>(&json).unwrap();
        }
    }
}

/// A span with a value of every kind that OTLP has, also those that we never send.
fn foreign() -> ExportTraceServiceRequest {
    let attribute = |key: &str, value| KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    };
    let list = ArrayValue { values: vec![AnyValue { value: Some(Any::IntValue(i64::MIN)) }] };
    let attributes = vec![
        attribute("text", Any::StringValue("a \"quoted\"\n\u{1F600}".into())),
        attribute("bool", Any::BoolValue(true)),
        attribute("int", Any::IntValue(i64::MAX)),
        attribute("double", Any::DoubleValue(0.1)),
        attribute("list", Any::ArrayValue(list)),
        attribute("bytes", Any::BytesValue(vec![0, 255, 7, 8])),
        KeyValue { key: "empty".into(), value: Some(AnyValue { value: None }), ..Default::default() },
    ];
    let link =
        Link { trace_id: vec![3; 16], span_id: vec![4; 8], trace_state: "a=b".into(), ..Default::default() };
    let span = Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        trace_state: "k=v".into(),
        parent_span_id: vec![1; 8],
        flags: 257,
        name: "foreign".into(),
        kind: 2,
        start_time_unix_nano: u64::MAX,
        end_time_unix_nano: 1,
        attributes,
        dropped_attributes_count: 3,
        links: vec![link],
        dropped_links_count: 4,
        status: Some(Status { message: "late".into(), code: 2 }),
        ..Default::default()
    };
    let scope_spans = ScopeSpans { spans: vec![span], schema_url: "https://s".into(), ..Default::default() };
    let resource_spans = ResourceSpans {
        scope_spans: vec![scope_spans],
        schema_url: "https://r".into(),
        ..Default::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

#[test]
fn every_field_of_a_foreign_request_is_carried_both_ways() {
    let request = foreign();
    let protobuf = request.encode_to_vec();
    let ours: ExportTraceServiceRequest = serde_json::from_slice(&to_json(&protobuf).unwrap()).unwrap();
    assert_eq!(ours, request);
    let theirs = serde_json::to_vec(&request).unwrap();
    let decoded = decode_json(&theirs, &Limits::default()).unwrap();
    assert_eq!(decoded, decode(&protobuf, &Limits::default()).unwrap());
    let metadata = &decoded.resources[0].spans[0].metadata;
    assert_eq!((&metadata["bytes"], &metadata["int"]), (&json!("00ff0708"), &json!(i64::MAX)));
}

#[test]
fn ids_are_hexadecimal_and_wide_integers_are_text() {
    let body: Value = serde_json::from_slice(&to_json(&foreign().encode_to_vec()).unwrap()).unwrap();
    let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    assert_eq!(span["traceId"], "abababababababababababababababab");
    assert_eq!(
        (&span["spanId"], &span["parentSpanId"]),
        (&json!("cdcdcdcdcdcdcdcd"), &json!("0101010101010101"))
    );
    assert_eq!((&span["kind"], &span["status"]["code"], &span["flags"]), (&json!(2), &json!(2), &json!(257)));
    assert_eq!(span["startTimeUnixNano"], "18446744073709551615");
    assert_eq!(span["attributes"][2], json!({"key": "int", "value": {"intValue": "9223372036854775807"}}));
    assert_eq!(span["attributes"][5], json!({"key": "bytes", "value": {"bytesValue": "AP8HCA=="}}));
}

#[test]
fn numbers_that_json_lacks_keep_their_names() {
    for (number, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "Infinity"), (f64::NEG_INFINITY, "-Infinity")] {
        let mut request = foreign();
        let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
        span.attributes[3].value = Some(AnyValue { value: Some(Any::DoubleValue(number)) });
        let protobuf = request.encode_to_vec();
        let json = to_json(&protobuf).unwrap();
        assert!(String::from_utf8_lossy(&json).contains(&format!("{{\"doubleValue\":\"{name}\"}}")));
        assert_eq!(decode_json(&json, &Limits::default()), decode(&protobuf, &Limits::default()));
    }
}

fn of_spans(spans: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
}

const IDS: &str = r#""traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"00f067aa0ba902b7""#;

#[test]
fn what_other_senders_write_differently_is_read() {
    let attributes = r#"[
        {"key": "number", "value": {"intValue": 7}},
        {"key": "half", "value": {"stringValue": "a\ud83d"}},
        {"key": "null", "value": null},
        {"key": "unknown", "value": {"stringValue": "x", "later": {"a": [1]}}}
    ]"#;
    let span = format!(
        r#"{{{IDS}, "parentSpanId": "", "name": "answer", "kind": "SPAN_KIND_CLIENT", "startTimeUnixNano": 5,
        "endTimeUnixNano": "9", "status": {{"code": "STATUS_CODE_ERROR"}}, "events": null, "unheardOf": [{{}}],
        "attributes": {attributes}}}"#
    );
    let decoded = decode_json(of_spans(&span).as_bytes(), &Limits::default()).unwrap();
    let span = &decoded.resources[0].spans[0];
    assert_eq!(span.trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!((span.parent_id, span.start.0, span.end.unwrap().0), (None, 5, 9));
    assert_eq!(span.status, observe_model::Status::Error);
    let expected = json!({"number": 7, "half": "a\u{fffd}", "null": null, "unknown": "x"});
    assert_eq!(Value::Object(span.metadata.clone().into_owned()), expected);
}

#[test]
fn a_fault_in_one_span_rejects_that_span_alone() {
    let good = format!(r#"{{{IDS},"name":"good"}}"#);
    for (bad, reason) in [
        (format!(r#"{{{IDS},"name":5}}"#), SpanError::Malformed),
        (format!(r#"{{{IDS},"attributes":{{"a":1}}}}"#), SpanError::Malformed),
        (format!(r#"{{{IDS},"events":[7]}}"#), SpanError::Malformed),
        (format!(r#"{{{IDS},"attributes":[{{"key":"a","value":"text"}}]}}"#), SpanError::Malformed),
        (format!(r#"{{{IDS},"parentSpanId":"no id"}}"#), SpanError::InvalidId),
        (r#"{"traceId":"0102","spanId":"00f067aa0ba902b7"}"#.to_owned(), SpanError::InvalidId),
        ("{}".to_owned(), SpanError::InvalidId),
    ] {
        let body = of_spans(&format!("{good},{bad},{good}"));
        let decoded = decode_json(body.as_bytes(), &Limits::default()).unwrap();
        assert_eq!((decoded.rejected, decoded.reason), (1, Some(reason)), "{bad}");
        assert_eq!(decoded.resources[0].spans.len(), 2, "{bad}");
    }
}

#[test]
fn values_are_read_as_deep_as_the_limit_and_no_deeper() {
    let nested = |depth: usize, open: &str, close: &str| {
        let value = format!("{}{{\"intValue\":7}}{}", open.repeat(depth), close.repeat(depth));
        format!(r#"{{{IDS},"attributes":[{{"key":"x","value":{value}}}]}}"#)
    };
    let lists = |depth| nested(depth, r#"{"arrayValue":{"values":["#, "]}}");
    let maps = |depth| nested(depth, r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}");
    for within in [lists(32), maps(32)] {
        for beyond in [lists(33), maps(33), lists(10_000)] {
            let body = of_spans(&format!("{within},{beyond}"));
            let decoded = decode_json(body.as_bytes(), &Limits::default()).unwrap();
            assert_eq!((decoded.rejected, decoded.reason), (1, Some(SpanError::TooDeep)));
            assert_eq!(decoded.resources[0].spans.len(), 1);
        }
    }
    // Nor does the depth of what nobody knows cost the stack.
    let unknown = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(decode_json(unknown.as_bytes(), &Limits::default()), Ok(Default::default()));
}

#[test]
fn a_value_nested_too_deep_for_any_reader_is_left_out_and_nothing_else() {
    let deep = (0..150).fold(AnyValue { value: Some(Any::IntValue(7)) }, |value, _| AnyValue {
        value: Some(Any::ArrayValue(ArrayValue { values: vec![value] })),
    });
    let mut request = foreign();
    request.resource_spans[0].scope_spans[0].spans[0].attributes[0].value = Some(deep);
    let json = String::from_utf8(to_json(&request.encode_to_vec()).unwrap()).unwrap();
    assert_eq!(json.matches("arrayValue").count(), 102, "100, the one left empty, and the other attribute's");
    assert!(json.contains(r#""arrayValue":{"values":[]}}"#) && json.contains(r#""name":"foreign""#));
}

#[test]
fn a_body_beyond_a_limit_or_of_another_form_is_refused() {
    let spans = of_spans(&format!(r#"{{{IDS}}},{{{IDS}}},{{{IDS}}}"#));
    let limits = Limits { spans: 2, ..Default::default() };
    assert_eq!(decode_json(spans.as_bytes(), &limits), Err(DecodeError::TooManySpans { limit: 2 }));
    let limits = Limits { bytes: spans.len() - 1, ..Default::default() };
    let too_large = DecodeError::TooLarge { limit: spans.len() - 1 };
    assert_eq!(decode_json(spans.as_bytes(), &limits), Err(too_large));
    let values = of_spans(&format!(r#"{{{IDS},"attributes":[{{}},{{}},{{}},{{}}]}}"#));
    let limits = Limits { values: 3, ..Default::default() };
    assert_eq!(decode_json(values.as_bytes(), &limits), Err(DecodeError::TooManyValues { limit: 3 }));
    for text in
        ["", "null", "[]", "5", "{", r#"{"resourceSpans":5}"#, r#"{"resourceSpans":[5]}"#, "{} {}", "\u{0}"]
    {
        assert_eq!(decode_json(text.as_bytes(), &Limits::default()), Err(DecodeError::Malformed), "{text}");
    }
    assert_eq!(decode_json(b"\xff", &Limits::default()), Err(DecodeError::Malformed));
    assert_eq!(decode_json(b"{}", &Limits::default()), Ok(Default::default()));
    assert_eq!(to_json(b"\xff"), Err(DecodeError::Malformed));
    assert_eq!(to_json(b"").unwrap(), b"{}");
}

#[test]
fn an_answer_in_json_is_read_back() {
    for (rejected, message, expected) in [
        (0, "", json!({})),
        (2, "too \"old\"", json!({"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too \"old\""}})),
    ] {
        let body = export_response_json(rejected, message);
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
        let read = ExportResponse { rejected, message: message.to_owned() };
        assert_eq!(ExportResponse::decode_json(&body), Ok(read));
    }
}
