//! Attributes as plain JSON: what we send, read by OpenTelemetry's own messages, and what others may send.

use std::collections::BTreeMap;

use observe_model::{Resource, Span};
use observe_wire::{DecodedResource, Dialect, Encoder, Extras, Limits, decode_json};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

/// Attributes by key.
pub(crate) type Said = BTreeMap<String, Value>;

/// What an encoder's body holds, as OpenTelemetry's own messages have it in JSON.
pub(crate) fn sent(encoder: &mut Encoder) -> Value {
    let request = ExportTraceServiceRequest::decode(&*encoder.take()).unwrap();
    serde_json::to_value(request).unwrap()["resourceSpans"][0].take()
}

/// The one span that `span` is sent as.
pub(crate) fn sent_span(span: &Span<'_>, dialect: Dialect) -> Value {
    let mut encoder = Encoder::in_dialect(&Resource::default(), dialect, &Extras::default());
    encoder.push(span);
    sent(&mut encoder)["scopeSpans"][0]["spans"][0].take()
}

/// Attributes of OTLP's JSON by key, each of which may stand there once.
pub(crate) fn by_key(attributes: &Value) -> Said {
    let list = attributes.as_array().map_or(&[][..], Vec::as_slice);
    let said: Said =
        list.iter().map(|a| (a["key"].as_str().unwrap().to_owned(), plain(&a["value"]))).collect();
    assert_eq!(said.len(), list.len(), "{attributes}");
    said
}

fn plain(value: &Value) -> Value {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => value["values"].as_array().unwrap().iter().map(plain).collect(),
        _ => value.clone(),
    }
}

/// A value as an attribute of OTLP's JSON has it.
fn any_value(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({"stringValue": text}),
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(n) if n.is_i64() => json!({"intValue": n.to_string()}),
        Value::Number(n) => json!({"doubleValue": n}),
        Value::Array(items) => {
            json!({"arrayValue": {"values": items.iter().map(any_value).collect::<Vec<_>>()}})
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn attributes(said: Value) -> Value {
    said.as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| json!({"key": key, "value": any_value(value)}))
        .collect()
}

/// What is read of a span that somebody else sends with these attributes.
pub(crate) fn read(said: Value) -> Span<'static> {
    let span = json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7", "name": "foreign",
        "startTimeUnixNano": "10", "endTimeUnixNano": "20", "attributes": attributes(said),
    });
    read_all(&json!({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "foreign"}, "spans": [span]}]}]}))
        .remove(0)
        .spans
        .remove(0)
}

/// What is read of a request in JSON.
pub(crate) fn read_all(request: &Value) -> Vec<DecodedResource> {
    let decoded = decode_json(request.to_string().as_bytes(), &Limits::default()).unwrap();
    assert_eq!((decoded.rejected, decoded.reason), (0, None));
    decoded.resources
}
