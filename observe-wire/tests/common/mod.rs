//! Arbitrary spans, as the model allows them and the wire can carry them (`docs/WIRE.md`, "What is not carried").
#![allow(dead_code, reason = "each test uses a part")]

use std::borrow::Cow;

use observe_model::{
    Code, Cost, Level, Metadata, Resource, Span, SpanId, SpanType, Status, Timestamp, TraceAttributes,
    TraceId, Usage,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::Value;

/// Any text: empty, Unicode, control characters, and long enough for lengths of one, two and three bytes.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => any::<String>(),
        2 => "[a-z]{60,140}",
        1 => (".{1,4}", 1_000..6_000_usize).prop_map(|(text, times)| text.repeat(times)),
        1 => Just(String::new()),
    ]
}

fn cow() -> impl Strategy<Value = Cow<'static, str>> {
    text().prop_map(Cow::Owned)
}

/// Any JSON value, nested a little.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

fn metadata() -> impl Strategy<Value = Metadata> {
    // Few names, so that a span's own metadata often hides its scope's.
    let key = prop_oneof![3 => "[ab]", 1 => any::<String>()];
    prop_oneof![1 => Just(Metadata::new()), 1 => vec((key, json()), 1..4).prop_map(Metadata::from_iter)]
}

/// What a program records: JSON text, often a long string.
fn payload() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![json(), text().prop_map(Value::from)].prop_map(|value| Cow::Owned(value.to_string()))
}

fn usage() -> impl Strategy<Value = Usage> {
    vec(option::of(0..1_u64 << 60), 7).prop_map(|n| Usage {
        input: n[0],
        cache_read: n[1],
        cache_write: n[2],
        input_audio: n[3],
        output: n[4],
        reasoning: n[5],
        output_audio: n[6],
    })
}

fn code() -> impl Strategy<Value = Code<'static>> {
    (cow(), cow(), any::<u32>()).prop_map(|(function, file, line)| Code { function, file, line })
}

fn attributes() -> impl Strategy<Value = TraceAttributes> {
    let texts = vec(option::of(text()), 5).prop_map(|texts| <[Option<String>; 5]>::try_from(texts).unwrap());
    (texts, vec(any::<String>(), 0..4), metadata()).prop_map(
        |([session, user, name, version, environment], tags, metadata)| {
            let mut attributes =
                TraceAttributes { session, user, metadata, name, version, environment, ..Default::default() };
            tags.into_iter().for_each(|tag| attributes.add_tag(tag));
            attributes
        },
    )
}

/// Any span.
pub(crate) fn span() -> impl Strategy<Value = Span<'static>> {
    let ids = (1..=u128::MAX, 1..=u64::MAX, option::of(1..=u64::MAX));
    let kinds = (select(SpanType::ALL), select(Status::ALL), select(Level::ALL));
    let times = (any::<u64>(), option::of(1..=u64::MAX));
    let texts = (cow(), option::of(cow()), option::of(payload()), option::of(payload()));
    let dollars = || option::of(any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()));
    let cost =
        (dollars(), dollars(), dollars()).prop_map(|(input, output, total)| Cost { input, output, total });
    let dropped = prop_oneof![Just(0), 0..=i64::MAX as u64];
    let rest = (
        metadata(),
        option::of(cow()),
        usage(),
        cost,
        option::of(cow()),
        option::of(code()),
        attributes(),
        dropped,
    );
    (ids, kinds, times, texts, rest).prop_map(|(ids, kinds, times, texts, rest)| Span {
        trace_id: TraceId::from_int(ids.0).unwrap(),
        span_id: SpanId::from_int(ids.1).unwrap(),
        parent_id: ids.2.and_then(SpanId::from_int),
        name: texts.0,
        span_type: kinds.0,
        status: kinds.1,
        status_message: texts.1,
        level: kinds.2,
        start: Timestamp(times.0),
        end: times.1.map(Timestamp),
        input: texts.2,
        output: texts.3,
        metadata: std::borrow::Cow::Owned(rest.0),
        model: rest.1,
        usage: rest.2,
        cost: rest.3,
        version: rest.4,
        code: rest.5,
        attributes: Cow::Owned(rest.6),
        details: None,
        dropped: rest.7,
    })
}

/// Any resource.
pub(crate) fn resource() -> impl Strategy<Value = Resource> {
    (text(), text(), option::of(text()), option::of(text())).prop_map(
        |(project, service, release, environment)| Resource { project, service, release, environment },
    )
}
