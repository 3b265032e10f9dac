//! The program of the recordings, in our model.

use std::borrow::Cow;

use observe_model::{
    Cost, Details, Failure, Json, Level, Metadata, Record, Resource, Score, ScoreValue, Span, SpanId,
    SpanType, Status, Target, Timestamp, TraceAttributes, TraceId, TraceUpdate, Usage,
};
use observe_wire::Dialect;
use serde_json::{Value, json};

pub(crate) fn resource() -> Resource {
    Resource {
        project: "demo".into(),
        service: "unknown_service:python".into(),
        release: Some("rel-9".into()),
        environment: Some("staging".into()),
    }
}

pub(crate) fn object(value: Value) -> Metadata {
    value.as_object().unwrap().clone()
}

pub(crate) fn payload(value: Value) -> Option<Cow<'static, str>> {
    Some(value.to_string().into())
}

/// A span of the program that returned, below another.
pub(crate) fn step(name: &'static str, span_type: SpanType) -> Span<'static> {
    Span {
        parent_id: Some(SpanId::from_seed("parent")),
        span_type,
        status: Status::Ok,
        end: Some(Timestamp(1_704_164_646_000_000_000)),
        ..Span::begin(
            TraceId::from_seed("your-trace-id"),
            SpanId::from_seed(name),
            name,
            Timestamp(1_704_164_644_000_000_000),
        )
    }
}

/// A turn of the conversation.
pub(crate) fn turn(dialect: Dialect) -> TraceAttributes {
    let metadata = match dialect {
        Dialect::Langfuse => json!({"source": "web-app", "n": 5, "s": "123"}),
        _ => json!({"source": "web-app"}),
    };
    TraceAttributes {
        name: Some("weather-query".into()),
        session: Some("session-abc".into()),
        user: Some("user-123".into()),
        tags: vec!["production".into(), "weather".into()],
        metadata: object(metadata),
        version: Some("1.2".into()),
        ..TraceAttributes::default()
    }
}

/// The turn: an agent that searches and asks a model.
pub(crate) fn spans_of_a_turn(dialect: Dialect) -> Vec<Span<'static>> {
    let is_langfuse = dialect == Dialect::Langfuse;
    let attributes: Cow<TraceAttributes> = Cow::Owned(turn(dialect));
    let question = || payload(json!({"args": ["What is AI?"], "kwargs": {}}));
    let search = Span {
        input: payload(json!({"args": ["What is AI?"], "kwargs": {"limit": 2}})),
        output: payload(json!(["r1", "r2"])),
        attributes: attributes.clone(),
        ..step("search", SpanType::Tool)
    };
    let parameters = match is_langfuse {
        true => json!({"temperature": 0.7}),
        false => json!({"temperature": 0.7, "stop": ["x"]}),
    };
    let total = Some(0.00022);
    let completion = Span {
        input: question(),
        output: payload(json!("ok é")),
        model: Some("gpt-4o".into()),
        usage: Usage::new(12, 5),
        cost: match is_langfuse {
            true => Cost { total, ..Cost::default() },
            false => Cost { total, ..Cost::new(0.00012, 0.0001) },
        },
        details: Some(Box::new(Details {
            parameters: object(parameters),
            time_to_first: Some(1_678_000_000),
            ..Details::default()
        })),
        attributes: attributes.clone(),
        ..step("completion", SpanType::Generation)
    };
    let agent = Span {
        parent_id: None,
        input: question(),
        output: payload(json!({"answer": "ok é"})),
        attributes,
        ..step("agent-run", SpanType::Agent)
    };
    vec![search, completion, agent]
}

/// A request with every field, an event, and an error below it.
pub(crate) fn spans_of_a_request(dialect: Dialect) -> Vec<Span<'static>> {
    let event = Span {
        input: payload(json!({"key": "k"})),
        metadata: Cow::Owned(object(json!({"note": "plain metadata"}))),
        ..step("cache-hit", SpanType::Event)
    };
    let error = Failure { kind: Some("ValueError".into()), message: "boom".into(), sources: vec![] };
    let risky = Span {
        status: Status::Error,
        status_message: Some("ValueError: boom".into()),
        details: Some(Box::new(Details { errors: vec![error], ..Details::default() })),
        ..step("risky", SpanType::Tool)
    };
    let metadata = json!({"s": "text", "i": 7, "b": true, "f": 1.5, "d": {"k": [1]}, "n": null});
    let mut root = Span {
        parent_id: None,
        input: payload(json!({"query": "weather"})),
        metadata: Cow::Owned(object(metadata)),
        level: Level::Warning,
        status_message: Some("careful".into()),
        ..step("user-request", SpanType::Span)
    };
    if dialect == Dialect::InteractiveAi {
        let attributes = TraceAttributes {
            metadata: object(json!({"source": "web-app", "app_version": "2.1.0", "n": {"a": 1}})),
            public: Some(true),
            version: Some("v-trace".into()),
            ..turn(dialect)
        };
        root.output =
            payload(json!({"final": null, "nan": "NaN", "big": 1_u64 << 60, "when": "2024-01-02T00:00:00Z"}));
        root.version = Some("v-obs".into());
        root.details = Some(Box::new(Details {
            trace: Some(TraceUpdate {
                input: Some(Json::of(&json!({"query": "What's the weather?"}))),
                output: Some(Json::of("fine")),
                attributes: attributes.clone(),
                ..TraceUpdate::default()
            }),
            ..Details::default()
        }));
        root.attributes = Cow::Owned(attributes);
    }
    vec![event, risky, root]
}

/// Values of the greatest length that is allowed, and longer ones.
pub(crate) fn spans_at_the_limits(dialect: Dialect) -> Vec<Span<'static>> {
    let attributes = match dialect {
        Dialect::Langfuse => TraceAttributes {
            user: Some("u".repeat(201)),
            session: Some("s1".into()),
            tags: vec!["a".into(), "b".into()],
            metadata: object(json!({"ok": "yes"})),
            ..TraceAttributes::default()
        },
        _ => TraceAttributes {
            user: Some("u".repeat(201)),
            session: Some("s".repeat(200)),
            tags: vec!["a".into(), "t".repeat(201), "b".into(), "c".into()],
            metadata: object(json!({"long": "m".repeat(201), "num": 5, "ok": "yes", "more": "1"})),
            ..TraceAttributes::default()
        },
    };
    let attributes: Cow<TraceAttributes> = Cow::Owned(attributes);
    let child = Span { attributes: attributes.clone(), ..step("child", SpanType::Chain) };
    let limits = Span { parent_id: None, attributes, ..step("limits", SpanType::Span) };
    let failed = Span {
        parent_id: None,
        input: payload(json!({"args": [1], "kwargs": {}})),
        status: Status::Error,
        status_message: Some("''".into()),
        ..step("fails", SpanType::Span)
    };
    match dialect {
        Dialect::Langfuse => vec![limits],
        _ => {
            let details = Details { given_parent: true, ..Details::default() };
            let details = Some(Box::new(details));
            vec![child, limits, failed, Span { details, ..step("downstream", SpanType::Span) }]
        }
    }
}

/// The scores of the program by their names.
pub(crate) fn score(name: &str, theirs: &Value) -> Record {
    let id = |snake: &str, camel: &str| theirs.get(snake).or(theirs.get(camel)).and_then(Value::as_str);
    let target = Target {
        trace_id: id("trace_id", "traceId").map(|id| id.parse().unwrap()),
        span_id: id("observation_id", "observationId").map(|id| id.parse().unwrap()),
        session: id("session_id", "sessionId").map(str::to_owned),
    };
    let (value, comment, metadata) = match name {
        "accuracy" => (ScoreValue::Numeric(0.95), Some("ok".to_owned()), json!({})),
        "sentiment" => ("positive".into(), None, json!({})),
        "thumbs" => (true.into(), None, json!({"m": 1})),
        _ => (ScoreValue::Numeric(0.5), None, json!({})),
    };
    Record::Score(Score {
        id: theirs["id"].as_str().unwrap().to_owned(),
        name: name.to_owned(),
        value,
        target,
        at: theirs["timestamp"].as_str().unwrap().parse().unwrap(),
        comment,
        metadata: object(metadata),
        ..Score::default()
    })
}
