//! What the tests look at: two sessions of a shop's assistant and a trace without a session.

use std::borrow::Cow;

use observe_model::{
    Code, Cost, Level, Resource, Span, SpanId, SpanType, Status, Timestamp, TraceAttributes, TraceId, Usage,
};
use observe_store::Store;
use serde_json::json;

/// 2026-03-01 12:00 UTC.
const NOON: u64 = 1_772_366_400_000_000_000;
const MS: u64 = 1_000_000;

/// The project that everything belongs to.
pub(crate) fn shop() -> Resource {
    Resource { project: "shop".into(), service: "assistant".into(), ..Resource::default() }
}

/// The session `support/7` (three turns; in the second a tool fails and spans were dropped), `support/8` (one turn, failed, no tokens known)
/// and a trace that still runs.
pub(crate) fn fill(store: &mut impl Store) {
    let turns = [
        ("Where is my order 1001?", "It left our house on Monday\nand arrives tomorrow."),
        ("Can it go to my office instead?", "Yes. I have changed the address."),
        ("Thank you!", "You are welcome."),
    ];
    for (n, (question, answer)) in turns.into_iter().enumerate() {
        store.write(&shop(), &turn("support/7", n as u64, question, answer)).unwrap();
    }
    let mut failed = turn("support/8", 0, "Hello?", "");
    for span in &mut failed {
        (span.usage, span.cost) = (Usage::default(), Cost::default());
    }
    failed[0].status = Status::Error;
    failed[0].status_message = Some("the model did not answer within 30 s".into());
    failed[0].output = None;
    store.write(&shop(), &failed).unwrap();
    let running = Span::begin(
        TraceId::from_seed("index"),
        SpanId::from_seed("index"),
        "index_catalogue",
        Timestamp(NOON),
    );
    store.write(&shop(), &[running]).unwrap();
}

/// The trace of the second turn of `support/7`.
pub(crate) fn failing_trace() -> TraceId {
    TraceId::from_seed("support/7 1")
}

fn turn(session: &str, number: u64, question: &str, answer: &str) -> Vec<Span<'static>> {
    let trace = TraceId::from_seed(format!("{session} {number}"));
    let id = |name: &str| SpanId::from_seed(format!("{session} {number} {name}"));
    let start = NOON + number * 60_000 * MS;
    let attributes = TraceAttributes {
        session: Some(session.into()),
        user: Some("ann".into()),
        tags: vec!["beta".into()],
        metadata: json!({ "channel": "web" }).as_object().cloned().unwrap(),
        ..TraceAttributes::default()
    };
    let span = |name: &'static str, span_type, parent: Option<&str>, from: u64, to: u64| {
        let mut span = Span::begin(trace, id(name), name, Timestamp(start + from * MS));
        span.parent_id = parent.map(id);
        (span.span_type, span.status) = (span_type, Status::Ok);
        span.end = Some(Timestamp(start + to * MS));
        span.attributes = Cow::Owned(attributes.clone());
        span
    };
    let text = |value: serde_json::Value| Some(Cow::Owned(value.to_string()));

    let mut root = span("assist", SpanType::Agent, None, 0, 900);
    root.input = text(json!({ "question": question }));
    root.output = text(json!(answer));
    root.code = Some(Code { function: "shop::assist".into(), file: "src/assist.rs".into(), line: 12 });

    let mut search = span("find_orders", SpanType::Retriever, Some("assist"), 10, 60);
    search.input = text(json!({ "query": question, "limit": 3 }));
    search.output = text(json!([{ "order": 1001, "score": 7.5, "big": 12345678901234567890_u64 }]));
    search.metadata = std::borrow::Cow::Owned(json!({ "index": "orders" }).as_object().cloned().unwrap());

    let mut tool = span("change_address", SpanType::Tool, Some("assist"), 70, 320);
    tool.input = text(json!({ "order": 1001, "lines": "1 Main Street\nSpringfield" }));
    tool.version = Some("2.1".into());
    if number == 1 {
        root.dropped = 3;
        (tool.status, tool.level) = (Status::Error, Level::Warning);
        tool.status_message = Some("address service refused: unknown street".into());
    } else {
        tool.output = text(json!(true));
    }

    let mut model = span("complete", SpanType::Generation, Some("assist"), 330, 890);
    model.input = text(json!({ "messages": [{ "role": "user", "content": question }] }));
    model.output = text(json!(answer));
    model.model = Some("small-1".into());
    model.usage = Usage {
        input: Some(120),
        cache_read: Some(40),
        cache_write: Some(8),
        input_audio: Some(1),
        output: Some(30),
        reasoning: Some(12),
        output_audio: Some(2),
    };
    model.cost = 0.0021.into();
    vec![root, search, tool, model]
}
