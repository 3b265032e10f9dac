//! What Trajectory gets of a conversation: the requests that its own client's are documented to be.
//!
//! Different on purpose: no key is checked beforehand, and no spans are posted by themselves (what the client posts of them
//! has neither ids nor contents); the first span has ended in the last post; the two posts of a trace come in order and
//! with one start.

#[path = "support/recorder.rs"]
mod recorder;

use std::time::Duration;

use observe::{
    SpanType, Usage, current_span,
    destination::{Trajectory, TrajectorySettings},
    metric, score, session, span,
};
use recorder::{Recorder, Request};
use serde_json::{Value, json};

fn flush() {
    let report = observe::flush(Duration::from_secs(30));
    let (name, counts) = &report.destinations[0];
    assert_eq!((name.as_str(), report.complete, counts.failed, counts.dropped), ("trajectory", true, 0, 0));
}

/// A turn of the page on conversations.
fn turn(message: &str) {
    span("greet_user").input(json!({"message": message})).sync_scope(|| {
        current_span().state_before(json!({"stage": "pre"}));
        span("ask").as_type(SpanType::Generation).input("Hello?").sync_scope(|| {
            current_span().model("gpt-4o").usage(Usage::new(9, 5)).output("Hi there");
        });
        let failed = span("search").as_type(SpanType::Tool).try_sync_scope(|| Err::<(), _>("no results"));
        assert_eq!(failed, Err("no results"));
        current_span().state_after(json!({"stage": "post"})).output("Hi there");
        metric("greeting_chars", 8).unit("chars").tag("chat").persist().record();
        score("reward_score", 0.5).record();
    });
}

#[test]
fn trajectory_gets_each_turn_of_a_conversation_when_it_begins_and_when_it_ends() {
    let recorder = Recorder::start();
    let settings = TrajectorySettings { url: recorder.url(), ..TrajectorySettings::new("key", "org") };
    let _observe =
        observe::builder().project("conversation_demo").destination(Trajectory::new(settings)).init();
    session("conv_123").user("user_42").tags(["chat"]).sync_scope(|| {
        for message in ["Hello!", "And again."] {
            turn(message);
            flush();
        }
    });
    let requests = recorder.requests();
    assert_eq!(requests.iter().map(Request::line).collect::<Vec<_>>(), ["POST /traces/upsert/"; 4]);
    for request in &requests {
        let header = |name| request.header(name);
        assert_eq!(header("content-type"), Some("application/json"));
        assert_eq!((header("authorization"), header("x-organization-id")), (Some("Bearer key"), Some("org")));
        assert_eq!(header("content-encoding"), None);
    }
    let bodies: Vec<Value> = requests.iter().map(Request::json).collect();
    for (first, last) in [(&bodies[0], &bodies[1]), (&bodies[2], &bodies[3])] {
        assert_eq!((&first["update_id"], &last["update_id"]), (&json!(1), &json!(2)));
        assert_eq!(first["trace_spans"], json!([]));
        for key in ["trace_id", "name", "created_at", "conversation_id", "user_id", "project_name", "tags"] {
            assert_eq!(first[key], last[key], "{key}");
        }
        assert_eq!((&last["conversation_id"], &last["user_id"]), (&json!("conv_123"), &json!("user_42")));
        assert_eq!((&last["project_name"], &last["tags"]), (&json!("conversation_demo"), &json!(["chat"])));
    }
    assert_ne!(bodies[0]["trace_id"], bodies[2]["trace_id"]);
    let spans = bodies[1]["trace_spans"].as_array().unwrap();
    let names: Vec<_> =
        spans.iter().map(|span| (&span["function"], &span["span_type"], &span["depth"])).collect();
    assert_eq!(
        names,
        [
            (&json!("greet_user"), &json!("span"), &json!(0)),
            (&json!("ask"), &json!("llm"), &json!(1)),
            (&json!("search"), &json!("tool"), &json!(1)),
        ]
    );
    assert!(spans.iter().all(|span| span["update_id"] == 20 && span["duration"].is_f64()), "{spans:#?}");
    assert!(spans[1..].iter().all(|span| span["parent_span_id"] == spans[0]["span_id"]));
    assert_eq!(
        (&spans[0]["inputs"], &spans[0]["output"]),
        (&json!({"message": "Hello!"}), &json!("Hi there"))
    );
    assert_eq!(
        (&spans[0]["state_before"], &spans[0]["state_after"]),
        (&json!({"stage": "pre"}), &json!({"stage": "post"}))
    );
    assert_eq!(
        (&spans[1]["inputs"], &spans[1]["usage"]["model_name"]),
        (&json!({"input": "Hello?"}), &json!("gpt-4o"))
    );
    assert_eq!(spans[2]["error"]["message"], "no results");
    let metadata = &bodies[1]["metadata"];
    let metrics = metadata["user_metrics"].as_array().unwrap();
    assert_eq!(
        (metrics.len(), &metrics[0]["event_name"], &metrics[0]["unit"]),
        (1, &json!("greeting_chars"), &json!("chars"))
    );
    assert_eq!(metadata["reward_score"], 0.5);
}
