//! What Trajectory is told is read back, and looks as its own client's requests do.

mod common;

use std::borrow::Cow;

use common::traces::{by_id, micros, something, trace, walk};
use observe_model::{
    Details, Event, Failure, Json, Level, Metric, Record, Score, ScoreValue, Span, SpanId, SpanType, State,
    Status, Timestamp, TraceAttributes, TraceId, Usage,
};
use observe_wire::platform::{
    Key, Post, Writer,
    trajectory::{Reader, TraceWriter, UPSERT},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

fn told(trace: &[Span<'static>], records: &[Record]) -> Vec<Post> {
    let (mut writer, mut posts) = TraceWriter::begin("support", trace[0].trace_id, &trace[0]);
    walk(trace, &trace[0], &mut |span, starts| {
        posts.extend(if starts { writer.start(span) } else { writer.end(span) });
    });
    posts.extend(records.iter().filter_map(|record| writer.record(record)));
    posts.extend(writer.finish(&trace[0]));
    posts
}

fn read<'p>(posts: impl IntoIterator<Item = &'p Post>) -> Reader {
    let mut reader = Reader::default();
    posts.into_iter().for_each(|post| reader.take(&post.path, &post.body).unwrap());
    reader
}

/// What Trajectory carries of a trace, as `platform/trajectory.rs` says.
fn carried(mut trace: Vec<Span<'static>>) -> Vec<Span<'static>> {
    for span in &mut trace {
        let start = micros(span.start);
        let seconds = span.duration().map(|nanos| nanos as f64 / 1e9);
        span.end = seconds.map(|seconds| Timestamp(start.0.saturating_add((seconds * 1e9).round() as u64)));
        span.start = start;
        (span.input, span.output) = (something(span.input.take()), something(span.output.take()));
        span.cost = span.cost.finite();
        span.details = span.details.take().filter(|details| !details.is_empty());
    }
    trace
}

proptest! {
    #[test]
    fn it_gives_back_what_it_was_told(trace in trace()) {
        let posts = told(&trace, &[]);
        prop_assert_eq!(posts.iter().map(|post| post.spans).sum::<u64>(), trace.len() as u64);
        prop_assert_eq!(by_id(read(&posts).spans()), by_id(carried(trace)));
    }

    #[test]
    fn the_later_state_of_a_trace_wins_in_whatever_order_it_comes(trace in trace()) {
        let posts = told(&trace, &[]);
        prop_assert_eq!(read(posts.iter().rev()).spans(), read(&posts).spans());
    }

    #[test]
    fn no_bytes_make_it_panic(
        path in prop_oneof![Just(UPSERT), Just("/traces/spans/batch/"), Just("/elsewhere")],
        body in prop_oneof![vec(any::<u8>(), 0..200), common::json().prop_map(|value| value.to_string().into_bytes())],
    ) {
        let mut reader = Reader::default();
        let _ = reader.take(path, &body);
        reader.spans();
        reader.records();
    }
}

/// A conversation's turn as the page on conversations tells it, with a call of a model inside.
fn example() -> Vec<Span<'static>> {
    let trace = TraceId::from_seed("turn");
    let attributes: Cow<'_, TraceAttributes> = Cow::Owned(TraceAttributes {
        session: Some("conv_123".to_owned()),
        user: Some("user_42".to_owned()),
        tags: vec!["chat".to_owned()],
        ..TraceAttributes::default()
    });
    let state = |name: &str, value: Value| State { name: name.to_owned(), value: Json::of(&value) };
    let root = Span {
        end: Some(Timestamp(3_500_000_000)),
        status: Status::Ok,
        input: Some(r#"{"message":"Hello!"}"#.into()),
        output: Some(r#""Hi there""#.into()),
        attributes: attributes.clone(),
        details: Some(Box::new(Details {
            states: vec![state(State::BEFORE, json!({"stage": "pre"})), state(State::AFTER, json!(2))],
            events: vec![Event {
                name: "greeting_chars".to_owned(),
                at: Timestamp(3_000_000_000),
                attributes: [
                    ("metric.value", json!(8.0)),
                    ("metric.unit", json!("chars")),
                    ("metric.tags", json!(["chat"])),
                ]
                .map(|(key, value)| (key.to_owned(), value))
                .into_iter()
                .collect(),
            }],
            ..Details::default()
        })),
        ..Span::begin(trace, SpanId::from_seed("root"), "greet_user", Timestamp(2_000_000_500))
    };
    let call = Span {
        parent_id: Some(root.span_id),
        span_type: SpanType::Generation,
        end: Some(Timestamp(3_250_000_000)),
        status: Status::Error,
        status_message: Some("no answer: timed out".into()),
        level: Level::Error,
        input: Some("[1]".into()),
        model: Some("gpt-4".into()),
        usage: Usage { cache_read: Some(40), ..Usage::new(60, 20) },
        cost: 0.25.into(),
        attributes,
        details: Some(Box::new(Details {
            errors: vec![Failure {
                kind: Some("Timeout".to_owned()),
                message: "no answer".to_owned(),
                sources: vec!["timed out".to_owned()],
            }],
            ..Details::default()
        })),
        ..Span::begin(trace, SpanId::from_seed("call"), "ask", Timestamp(2_250_000_000))
    };
    vec![root, call]
}

fn body(post: &Post) -> Value {
    serde_json::from_slice(&post.body).unwrap()
}

/// The keys of the JSON object `text`, in their order.
fn keys(text: &[u8]) -> Vec<String> {
    #[derive(Default)]
    struct Keys(Vec<String>);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Keys::default();
                    while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                        keys.0.push(key);
                    }
                    Ok(keys)
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_slice::<Keys>(text).unwrap().0
}

#[test]
fn a_trace_is_put_there_when_it_begins_and_again_when_it_ends() {
    let posts = told(&example(), &[]);
    let [first, last] = [&posts[0], &posts[1]].map(body);
    assert_eq!(posts.iter().map(|post| &*post.path).collect::<Vec<_>>(), [UPSERT, UPSERT]);
    assert_eq!((&first["update_id"], &last["update_id"]), (&json!(1), &json!(2)));
    assert_eq!((&first["trace_spans"], &first["duration"]), (&json!([]), &json!(0.0)));
    // Every key of the client's, in its order, and the same start both times.
    let expected = [
        "trace_id",
        "name",
        "project_name",
        "created_at",
        "duration",
        "trace_spans",
        "evaluation_runs",
        "offline_mode",
        "parent_trace_id",
        "parent_name",
        "customer_id",
        "tags",
        "metadata",
        "update_id",
        "evaluation_id",
        "is_evaluation",
        "conversation_id",
        "user_id",
    ];
    assert_eq!(keys(&posts[0].body), expected);
    assert_eq!(keys(&posts[1].body), expected);
    assert_eq!(first["created_at"], "1970-01-01T00:00:02+00:00");
    for key in
        expected.iter().filter(|key| !["duration", "trace_spans", "metadata", "update_id"].contains(key))
    {
        assert_eq!(first[key], last[key], "{key}");
    }
    assert_eq!(last["duration"], 1.499_999_5);
    assert_eq!((&last["conversation_id"], &last["user_id"]), (&json!("conv_123"), &json!("user_42")));
    assert_eq!((&last["project_name"], &last["offline_mode"]), (&json!("support"), &json!(true)));
    assert_eq!(last["parent_trace_id"], Value::Null);
}

#[test]
fn what_is_not_set_of_a_conversation_is_left_out() {
    let mut trace = example();
    trace.iter_mut().for_each(|span| span.attributes = Cow::default());
    for post in told(&trace, &[]) {
        let keys = keys(&post.body);
        assert!(!keys.iter().any(|key| key == "conversation_id" || key == "user_id"), "{keys:?}");
    }
}

#[test]
fn a_span_has_every_key_of_the_clients_and_completes_as_its_twentieth_state() {
    let posts = told(&example(), &[]);
    let last = body(&posts[1]);
    let (root, call) = (&last["trace_spans"][0], &last["trace_spans"][1]);
    let expected = [
        "span_id",
        "trace_id",
        "parent_span_id",
        "depth",
        "function",
        "span_type",
        "created_at",
        "duration",
        "inputs",
        "output",
        "error",
        "usage",
        "state_before",
        "state_after",
        "agent_name",
        "has_evaluation",
        "additional_metadata",
        "update_id",
    ];
    assert_eq!(keys(root.to_string().as_bytes()).len(), expected.len());
    assert!(expected.iter().all(|key| root.get(key).is_some()), "{root}");
    assert_eq!((&root["depth"], &call["depth"]), (&json!(0), &json!(1)));
    assert_eq!((&root["parent_span_id"], &call["parent_span_id"]), (&Value::Null, &root["span_id"]));
    assert_eq!((&root["update_id"], &call["update_id"]), (&json!(20), &json!(20)));
    assert_eq!((&root["inputs"], &call["inputs"]), (&json!({"message": "Hello!"}), &json!({"input": [1]})));
    assert_eq!(
        (&root["state_before"], &root["state_after"]),
        (&json!({"stage": "pre"}), &json!({"value": 2}))
    );
    assert_eq!((&root["span_type"], &call["span_type"]), (&json!("span"), &json!("llm")));
    assert_eq!(
        call["error"],
        json!({"type": "Timeout", "message": "no answer: timed out", "traceback": ["timed out"]})
    );
    assert_eq!(
        call["usage"],
        json!({
            "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cache_creation_input_tokens": null,
            "cache_read_input_tokens": 40, "prompt_tokens_cost_usd": null, "completion_tokens_cost_usd": null,
            "total_cost_usd": 0.25, "model_name": "gpt-4",
        })
    );
    let id = |of: &Value| of.as_str().unwrap().to_owned();
    assert_ne!(id(&root["span_id"]), id(&call["span_id"]));
    for uuid in [id(&root["span_id"]), id(&root["trace_id"])] {
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
    }
}

#[test]
fn what_ends_after_its_trace_is_sent_by_itself() {
    let trace = example();
    let (root, call) = (&trace[0], &trace[1]);
    let mut posts = told(&trace[..1], &[]);
    let mut writer = TraceWriter::resume("org", root.trace_id, call);
    posts.extend(writer.start(call));
    posts.extend(writer.end(call));
    assert_eq!((&*posts[2].path, posts[2].spans), ("/traces/spans/batch/", 1));
    let late = body(&posts[2]);
    let span = &late["spans"][0];
    assert_eq!((&late["organization_id"], &span["span_state"]), (&json!("org"), &json!("completed")));
    assert_eq!(span["parent_span_id"], body(&posts[1])["trace_spans"][0]["span_id"]);
    assert_eq!(by_id(read(&posts).spans()), by_id(carried(trace)));
}

#[test]
fn a_span_of_which_more_is_said_after_its_end_is_there_once() {
    let mut trace = example();
    let (mut writer, mut posts) = TraceWriter::begin("support", trace[0].trace_id, &trace[0]);
    for output in ["1", "2"] {
        trace[1].output = Some(output.into());
        writer.start(&trace[1]);
        writer.end(&trace[1]);
    }
    posts.extend(writer.finish(&trace[0]));
    assert_eq!(by_id(read(&posts).spans()), by_id(carried(trace)));
    assert_eq!(body(&posts[1])["trace_spans"].as_array().unwrap().len(), 2);
}

#[test]
fn metrics_and_scores_are_in_the_traces_metadata() {
    let trace = example();
    let score = |name: &str, value: ScoreValue| {
        Record::Score(Score { id: name.to_owned(), name: name.to_owned(), value, ..Score::default() })
    };
    let metric = |name: &str, value| {
        Record::Metric(Metric { id: name.to_owned(), name: name.to_owned(), value, ..Metric::default() })
    };
    // The first was also said inside the span.
    let records = [
        metric("greeting_chars", 8.0),
        metric("latency", 1.5),
        score("reward_score", ScoreValue::Numeric(0.5)),
        score("mood", ScoreValue::Text("fine".to_owned())),
    ];
    let posts = told(&trace, &records);
    assert_eq!(posts[1].spans, 6);
    let metadata = &body(&posts[1])["metadata"];
    assert_eq!(metadata["reward_score"], 0.5);
    let metrics = metadata["user_metrics"].as_array().unwrap();
    assert_eq!(metrics.len(), 2);
    assert_eq!(
        metrics[1],
        json!({
            "ts": "1970-01-01T00:00:03+00:00", "event_name": "greeting_chars", "value": 8.0, "unit": "chars",
            "tags": ["chat"], "properties": {}, "user_id": "user_42", "conversation_id": "conv_123",
        })
    );
    let reader = read(&posts);
    let names = reader.records().into_iter().map(|record| match record {
        Record::Score(score) => score.name,
        Record::Metric(metric) => metric.name,
    });
    assert_eq!(names.collect::<Vec<_>>(), ["reward_score", "mood", "latency", "greeting_chars"]);
    assert_eq!(by_id(reader.spans()), by_id(carried(trace)));
    // Several rewards go by their names.
    let two = [score("quality", ScoreValue::Numeric(0.25)), score("safe", ScoreValue::Boolean(true))];
    assert_eq!(
        body(&told(&example(), &two)[1])["metadata"]["reward_score"],
        json!({"quality": 0.25, "safe": 1.0})
    );
}

#[test]
fn what_its_own_client_sends_is_read() {
    // As `trajectoryevals` 0.0.3 sends the stream of a span's states, and 0.0.7 a trace.
    let trace_id = "7b0d8a35-0d3c-4a0e-9f5e-0c6d1f0a9b11";
    let span = |update_id: u32, output: Value, duration: Value| {
        json!({
            "span_id": "0a4f8d0e-92b1-4a5a-8f0b-4f6f7a1c2d3e", "trace_id": trace_id, "parent_span_id": null, "depth": 0,
            "function": "greet", "span_type": "function", "created_at": "2026-11-01T10:00:00.250000+00:00",
            "duration": duration, "inputs": {"name": "Ada"}, "output": output, "error": null,
            "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "model_name": "gpt-4o",
                "prompt_tokens_cost_usd": null, "completion_tokens_cost_usd": null, "total_cost_usd": 0.5},
            "state_before": {"n": 1}, "state_after": null, "agent_name": null, "has_evaluation": false,
            "additional_metadata": null, "update_id": update_id,
            "expected_tools": null, "span_state": "completed", "queued_at": 1.5,
        })
    };
    let trace = json!({
        "trace_id": trace_id, "name": "greet", "project_name": "p", "created_at": "2026-11-01T10:00:00.250000+00:00",
        "duration": 0.5, "trace_spans": [], "evaluation_runs": [], "offline_mode": true, "tags": ["a"],
        "metadata": {"reward_score": 0.75, "plan": "pro"}, "update_id": 2, "conversation_id": "c",
    });
    let post = |path: &str, body: &Value| Post {
        path: path.to_owned(),
        body: body.to_string().into_bytes(),
        spans: 0,
        key: Key::BEGIN,
    };
    let batch = json!({"spans": [span(20, json!("Hello"), json!(0.5)), span(3, json!(null), json!(null))], "organization_id": "o"});
    let reader = read(&[post("/traces/spans/batch/", &batch), post(UPSERT, &trace)]);
    let spans = reader.spans();
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    assert_eq!((span.output.as_deref(), span.status), (Some(r#""Hello""#), Status::Ok));
    assert_eq!((span.end.unwrap().since(span.start), span.cost.total), (500_000_000, Some(0.5)));
    assert_eq!((span.usage, span.attributes.session.as_deref()), (Usage::new(10, 2), Some("c")));
    assert_eq!(span.attributes.metadata.get("plan"), Some(&json!("pro")));
    assert_eq!(span.details.as_ref().unwrap().states[0].name, State::BEFORE);
    let Record::Score(score) = &reader.records()[0] else { panic!() };
    assert_eq!((&*score.name, &score.value), ("reward_score", &ScoreValue::Numeric(0.75)));
}
