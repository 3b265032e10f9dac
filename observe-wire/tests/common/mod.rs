//! Arbitrary spans, as the model allows them and the wire can carry them (`docs/WIRE.md`, "What is not carried").
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod traces;

use std::borrow::Cow;

use observe_model::{
    Code, Cost, Details, Event, Failure, Json, Level, Link, Metadata, Metric, Prompt, Record, Resource,
    Score, ScoreValue, Span, SpanId, SpanType, State, Status, Target, Timestamp, TraceAttributes, TraceId,
    TraceUpdate, Usage,
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
    let any = prop_oneof![json(), text().prop_map(Value::from)].prop_map(|value| value.to_string());
    prop_oneof![4 => any, 1 => messages()].prop_map(Cow::Owned)
}

/// Messages, as chat APIs and the GenAI conventions have them.
fn messages() -> impl Strategy<Value = String> {
    const FORMS: [fn(&Value, &Value) -> String; 3] = [
        |role, content| format!(r#"{{"role":{role},"content":{content}}}"#),
        |role, content| format!(r#"{{"content":{content},"role":{role}}}"#),
        |role, content| format!(r#"{{"role":{role},"parts":[{{"content":{content}}}]}}"#),
    ];
    let texts = vec((any::<String>().prop_map(Value::from), any::<String>().prop_map(Value::from)), 0..3);
    (0..FORMS.len(), texts, any::<bool>()).prop_map(|(form, texts, is_bare)| {
        let messages = texts.iter().map(|(role, content)| FORMS[form](role, content));
        let messages = messages.collect::<Vec<_>>().join(",");
        if is_bare { format!("[{messages}]") } else { format!(r#"{{"messages":[{messages}]}}"#) }
    })
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
    let texts = vec(option::of(text()), 6).prop_map(|texts| <[Option<String>; 6]>::try_from(texts).unwrap());
    (texts, option::of(any::<bool>()), vec(any::<String>(), 0..4), metadata()).prop_map(
        |([session, user, name, version, release, environment], public, tags, metadata)| {
            let mut attributes = TraceAttributes {
                name,
                session,
                user,
                tags: Vec::new(),
                metadata,
                version,
                release,
                environment,
                public,
            };
            tags.into_iter().for_each(|tag| attributes.add_tag(tag));
            attributes
        },
    )
}

/// Any value that OTLP has a type for.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("a number", |n| n.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec((any::<String>(), inner), 0..3).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// What a program records apart from input and output; null says nothing there.
fn any_json() -> impl Strategy<Value = Json> {
    json().prop_filter("it says nothing", |value| !value.is_null()).prop_map(|value| Json::of(&value))
}

fn target() -> impl Strategy<Value = Target> {
    (option::of(1..=u128::MAX), option::of(1..=u64::MAX), option::of(text())).prop_map(
        |(trace, span, session)| Target {
            trace_id: trace.and_then(TraceId::from_int),
            span_id: span.and_then(SpanId::from_int),
            session,
        },
    )
}

/// Any score or metric.
pub(crate) fn record() -> BoxedStrategy<Record> {
    let number = || any::<f64>().prop_filter("a number", |n| n.is_finite());
    let value = prop_oneof![
        number().prop_map(ScoreValue::Numeric),
        any::<bool>().prop_map(ScoreValue::Boolean),
        text().prop_map(ScoreValue::Categorical),
        text().prop_map(ScoreValue::Text),
    ];
    let score = (text(), text(), value, target(), any::<u64>(), (option::of(text()), option::of(text())))
        .prop_flat_map(|score| (Just(score), option::of(any_json()), metadata()))
        .prop_map(|((id, name, value, target, at, (comment, author)), correction, metadata)| {
            Record::Score(Score {
                id,
                name,
                value,
                target,
                at: Timestamp(at),
                comment,
                correction,
                metadata,
                author,
            })
        });
    let metric = (text(), text(), number(), option::of(text()), vec(text(), 0..3), target(), any::<u64>())
        .prop_map(|(id, name, value, unit, tags, target, at)| {
            Record::Metric(Metric { id, name, value, unit, tags, target, at: Timestamp(at) })
        });
    prop_oneof![score.boxed(), metric.boxed()].boxed()
}

/// What only some spans have; `None` if that is nothing.
fn details() -> BoxedStrategy<Option<Box<Details>>> {
    let attributes = || vec((any::<String>(), any_value()), 0..3).prop_map(Metadata::from_iter);
    let state = (text(), any_json()).prop_map(|(name, value)| State { name, value });
    let states = vec(state, 0..3).prop_map(|mut states| {
        let mut seen = std::collections::HashSet::new();
        states.retain(|state: &State| seen.insert(state.name.clone()));
        states
    });
    let event = (text(), any::<u64>(), attributes())
        .prop_filter("it would be read as an error", |(name, ..)| name != "exception")
        .prop_map(|(name, at, attributes)| Event { name, at: Timestamp(at), attributes });
    let link = (1..=u128::MAX, 1..=u64::MAX, attributes()).prop_map(|(trace, span, attributes)| Link {
        trace_id: TraceId::from_int(trace).unwrap(),
        span_id: SpanId::from_int(span).unwrap(),
        attributes,
    });
    let failure = (option::of(text()), text(), vec(text(), 0..3))
        .prop_map(|(kind, message, sources)| Failure { kind, message, sources });
    let prompt = (text(), option::of(text())).prop_map(|(name, version)| Prompt { name, version });
    let trace = (any::<u64>(), self::attributes(), vec(option::of(any_json()), 3), option::of(text()))
        .prop_map(|(at, attributes, mut json, failed)| TraceUpdate {
            at: Timestamp(at),
            attributes,
            input: json.pop().flatten(),
            output: json.pop().flatten(),
            summary: json.pop().flatten(),
            failed,
        });
    let lists =
        (states.boxed(), vec(event, 0..3).boxed(), vec(link, 0..2).boxed(), vec(failure, 0..3).boxed());
    let rest = (
        option::of(prompt),
        metadata(),
        option::of(any_json()),
        option::of(0..1_u64 << 50),
        option::of(trace),
        any::<bool>(),
    );
    let all = (lists, rest).prop_map(|((states, events, links, errors), rest)| {
        let (prompt, parameters, tools, time_to_first, trace, given_parent) = rest;
        Details {
            states,
            events,
            links,
            errors,
            prompt,
            parameters,
            tools,
            time_to_first,
            trace,
            given_parent,
        }
    });
    // Boxed: a strategy of this size by value is more than a test's stack takes.
    prop_oneof![2 => Just(None), 1 => all.prop_map(|d| (!d.is_empty()).then(|| Box::new(d)))].boxed()
}

/// Any span.
pub(crate) fn span() -> BoxedStrategy<Span<'static>> {
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
        details(),
    );
    let all = (ids.boxed(), kinds.boxed(), times.boxed(), texts.boxed(), rest.boxed());
    let span = all.prop_map(|(ids, kinds, times, texts, rest)| Span {
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
        details: rest.8,
        dropped: rest.7,
    });
    span.boxed()
}

/// Any resource.
pub(crate) fn resource() -> impl Strategy<Value = Resource> {
    (text(), text(), option::of(text()), option::of(text())).prop_map(
        |(project, service, release, environment)| Resource { project, service, release, environment },
    )
}
