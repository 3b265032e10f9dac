//! What the tests look at: two sessions of a shop's assistant and a trace without a session.

use std::borrow::Cow;

use observe_model::{
    Code, Cost, Details, Event, Failure, Json, Level, Link, Metric, Prompt, Record, Resource, Score, Span,
    SpanId, SpanType, State, Status, Target, Timestamp, TraceAttributes, TraceId, TraceUpdate, Usage,
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
    let mut running =
        Span::begin(running_trace(), SpanId::from_seed("index"), "index_catalogue", Timestamp(NOON));
    let (elsewhere, span) = (failing_trace(), SpanId::from_seed("support/7 1 complete"));
    running.details = Some(Box::new(said(elsewhere, span, Timestamp(NOON + MS))));
    running.cost = Cost::new(0.001, 0.002);
    running.attributes = Cow::Owned(TraceAttributes {
        version: Some("3".into()),
        release: Some("r7".into()),
        environment: Some("staging".into()),
        public: Some(false),
        ..TraceAttributes::default()
    });
    store.write(&shop(), &[running]).unwrap();
    store.write_records(&shop(), &records()).unwrap();
}

/// Two scores and two metrics of a span of the failing trace, a score of that trace and one of its session.
fn records() -> [Record; 6] {
    let span_id = Some(SpanId::from_seed("support/7 1 complete"));
    let target = Target { trace_id: Some(failing_trace()), span_id, session: Some("support/7".into()) };
    let at = Timestamp(NOON + 120_000 * MS);
    let score = Score {
        id: "score-1".into(),
        name: "quality".into(),
        value: 0.5.into(),
        target: target.clone(),
        at,
        comment: Some("did not say that it failed".into()),
        correction: Some(Json::of("I could not change the address.")),
        metadata: json!({ "judge": "small-1" }).as_object().cloned().unwrap(),
        author: Some("ann".into()),
    };
    let metric = Metric {
        id: "metric-1".into(),
        name: "answer_chars".into(),
        value: 32.0,
        unit: Some("chars".into()),
        tags: vec!["chat".into()],
        target: target.clone(),
        at,
    };
    let whole = Target { span_id: None, ..target };
    let session = Target { trace_id: None, ..whole.clone() };
    [
        Record::Score(Score { id: "score-3".into(), target: session, ..score.clone() }),
        Record::Score(Score {
            id: "score-4".into(),
            name: "verdict".into(),
            value: "half right".into(),
            target: whole,
            ..score.clone()
        }),
        Record::Score(Score { id: "score-2".into(), value: true.into(), ..score.clone() }),
        Record::Score(score),
        Record::Metric(Metric { id: "metric-2".into(), ..metric.clone() }),
        Record::Metric(metric),
    ]
}

/// Everything that can be said of a span and of its trace.
fn said(trace: TraceId, span: SpanId, at: Timestamp) -> Details {
    let state = |name: &str, value: serde_json::Value| State { name: name.into(), value: Json::of(&value) };
    let object = |value: serde_json::Value| value.as_object().cloned().unwrap();
    Details {
        states: vec![state(State::BEFORE, json!({ "step": 1 })), state(State::AFTER, json!({ "step": 2 }))],
        events: vec![Event { name: "retry".into(), at, attributes: object(json!({ "attempt": 2 })) }],
        links: vec![Link {
            trace_id: trace,
            span_id: span,
            attributes: object(json!({ "why": "same order" })),
        }],
        errors: vec![Failure {
            kind: Some("shop::Refused".into()),
            message: "address service refused".into(),
            sources: vec!["unknown street".into()],
        }],
        prompt: Some(Prompt { name: "support".into(), version: Some("7".into()) }),
        parameters: object(json!({ "temperature": 0.2 })),
        tools: Some(Json::of(&json!([{ "name": "change_address" }]))),
        time_to_first: Some(120 * MS),
        given_parent: true,
        trace: Some(TraceUpdate {
            at,
            attributes: TraceAttributes {
                name: Some("change of address".into()),
                session: Some("support/7".into()),
                user: Some("ann".into()),
                tags: vec!["beta".into()],
                metadata: object(json!({ "tier": "premium" })),
                version: Some("3".into()),
                release: Some("r7".into()),
                environment: Some("staging".into()),
                public: Some(false),
            },
            input: Some(Json::of("Can it go to my office instead?")),
            output: Some(Json::of("Yes.")),
            summary: Some(Json::of(&json!({ "steps": 3 }))),
            failed: Some("the address was not changed".into()),
        }),
    }
}

/// The trace that still runs.
pub(crate) fn running_trace() -> TraceId {
    TraceId::from_seed("index")
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
