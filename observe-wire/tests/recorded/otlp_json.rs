//! OTLP in JSON, as the recordings have it, beside OpenTelemetry's own messages.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value},
    trace::v1::Span as ProtoSpan,
};
use serde_json::{Value, json};

use super::compared::Said;

pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value of OTLP/JSON; JSON in a text is read, for blanks and escapes say nothing.
pub(crate) fn normal(value: &Value) -> Value {
    let text = value["stringValue"].as_str().filter(|text| text.starts_with(['{', '[']));
    text.and_then(|text| serde_json::from_str(text).ok())
        .map_or_else(|| value.clone(), |json: Value| json!({"json": json}))
}

pub(crate) fn attributes(list: &Value) -> impl Iterator<Item = (String, Value)> {
    array(list).iter().map(|a| (a["key"].as_str().unwrap().to_owned(), normal(&a["value"])))
}

/// What a recorded span says.
pub(crate) fn theirs(span: &Value) -> Said {
    let events = array(&span["events"]).iter().flat_map(|event| attributes(&event["attributes"]));
    let mut said: Said = attributes(&span["attributes"]).chain(events).collect();
    said.insert("kind".into(), span["kind"].clone());
    said.insert("flags".into(), span["flags"].clone());
    said.insert("parent".into(), span["parentSpanId"].is_string().into());
    said.insert("status.code".into(), span["status"]["code"].clone());
    said.insert("status.message".into(), span["status"]["message"].clone());
    said.retain(|_, value| !value.is_null());
    said
}

pub(crate) fn json_of(value: &Option<AnyValue>) -> Value {
    match value.as_ref().and_then(|value| value.value.as_ref()).unwrap() {
        any_value::Value::StringValue(text) => json!({"stringValue": text}),
        any_value::Value::BoolValue(value) => json!({"boolValue": value}),
        any_value::Value::IntValue(n) => json!({"intValue": n.to_string()}),
        any_value::Value::DoubleValue(n) => json!({"doubleValue": n}),
        any_value::Value::ArrayValue(list) => {
            let values: Vec<_> = list.values.iter().map(|v| json_of(&Some(v.clone()))).collect();
            json!({"arrayValue": {"values": values}})
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn our_attributes(list: &[KeyValue]) -> impl Iterator<Item = (String, Value)> {
    list.iter().map(|a| (a.key.clone(), normal(&json_of(&a.value))))
}

/// What a span of ours says.
pub(crate) fn ours(span: &ProtoSpan) -> Said {
    let events = span.events.iter().flat_map(|event| our_attributes(&event.attributes));
    let mut said: Said = our_attributes(&span.attributes).chain(events).collect();
    let status = span.status.clone().unwrap_or_default();
    assert_eq!(span.kind, 1);
    said.insert("kind".into(), "SPAN_KIND_INTERNAL".into());
    said.insert("parent".into(), (!span.parent_span_id.is_empty()).into());
    let code = ["", "STATUS_CODE_OK", "STATUS_CODE_ERROR"][status.code as usize];
    said.insert("status.code".into(), code.into());
    said.insert("status.message".into(), status.message.into());
    said.retain(|_, value| value != "");
    said
}

pub(crate) fn proto_value(value: &Value) -> Option<AnyValue> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let value = match value.as_object().unwrap().iter().next().unwrap() {
        (kind, value) if kind == "stringValue" => any_value::Value::StringValue(text(value)),
        (kind, value) if kind == "intValue" => any_value::Value::IntValue(text(value).parse().unwrap()),
        (kind, value) if kind == "boolValue" => any_value::Value::BoolValue(value.as_bool().unwrap()),
        (_, value) => any_value::Value::ArrayValue(ArrayValue {
            values: array(&value["values"]).iter().filter_map(proto_value).collect(),
        }),
    };
    Some(AnyValue { value: Some(value) })
}

pub(crate) fn proto_attributes(list: &Value) -> Vec<KeyValue> {
    let attribute = |a: &Value| KeyValue {
        key: a["key"].as_str().unwrap().to_owned(),
        value: proto_value(&a["value"]),
        ..KeyValue::default()
    };
    array(list).iter().map(attribute).collect()
}
