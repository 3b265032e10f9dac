//! What Artanis gets, beside what its own client sends for the same.

#[path = "support/recorder.rs"]
mod recorder;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use observe::{
    TraceId, current_span, current_trace_id,
    destination::{Artanis, ArtanisSettings},
    score, session, span,
};
use recorder::Recorder;
use serde_json::json;

/// What is different, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("user-agent: artanis-python/0.1.0, observe/0.1.0", "we say who we are"),
    ("accept-encoding: gzip, deflate, nothing", "answers are a few bytes"),
    (
        "POST /api/v1/observations output: ours alone",
        "a trace without an output would be shown as running for ever, so one that failed gets what happened",
    ),
    ("POST /api/v1/traces failing-op completed: ours alone", "and ends"),
    (
        "POST /api/v1/traces metadata: nothing, {\"level\":\"error\"}",
        "there is no field for the level of a trace that failed",
    ),
];

/// The request of theirs that each of ours is to be held against.
const PAIRS: [Option<usize>; 15] = [
    // What went in is known when a call begins, the state only when it is said, so it comes second. Theirs came out of order:
    // they are posted by two threads.
    Some(0),
    Some(2),
    Some(1),
    Some(4),
    Some(3),
    Some(5),
    Some(6),
    Some(7),
    Some(8),
    Some(9),
    Some(10),
    Some(11),
    Some(12),
    None,
    None,
];

fn flush() {
    let report = observe::flush(Duration::from_secs(30));
    let (name, counts) = &report.destinations[0];
    assert_eq!(
        (name.as_str(), report.complete, counts.failed, counts.dropped),
        ("artanis", true, 0, 0),
        "{report:?}"
    );
}

fn turn(question: serde_json::Value, output: serde_json::Value) -> TraceId {
    let id = span("answer-question").input(&question).sync_scope(|| {
        if question.get("model").is_some() {
            current_span().state("documents", json!([{"id": "doc1", "score": 0.95}]));
        }
        current_span().output(&output);
        current_trace_id().unwrap()
    });
    flush();
    id
}

#[test]
fn artanis_gets_what_its_own_client_sends() {
    let recorder = Recorder::start();
    let settings = ArtanisSettings { url: recorder.url(), ..ArtanisSettings::new("sk_test_key") };
    let _observe = observe::builder().destination(Artanis::new(settings)).init();

    let one = session("conversation_abc123").user("user-123").tags(["prod", "chat"]).sync_scope(|| {
        turn(
            json!({"question": "What is AI? é😀", "model": "gpt-4", "temperature": 0.7}),
            json!({"answer": "Artificial Intelligence", "usage": {"input": 12, "output": 5}}),
        )
    });
    let two = session("conversation_abc123")
        .user("user-123")
        .sync_scope(|| turn(json!({"question": "How does it work?"}), json!("By processing data")));
    score("feedback", true).on_trace(one).record();
    flush();
    score("feedback", 0.25)
        .comment("too short")
        .correction(json!({"answer": "longer"}))
        .on_trace(two)
        .record();
    flush();
    let nothing = None::<u8>;
    let input = json!({"x": f64::NAN, "none": nothing, "big": 2_f64.powi(70)});
    let _ = span("failing-op").input(&input).try_sync_scope(|| Err::<(), _>("boom"));
    flush();

    let (ours, theirs) = (recorder.requests(), wire::recorded(include_str!("data/wire/artanis.json")));
    let found: Vec<_> = wire::differences(&ours, &theirs, &PAIRS).into_iter().collect();
    let mut listed: Vec<_> = DIFFERENT.iter().map(|(difference, _)| (*difference).to_owned()).collect();
    listed.sort();
    assert_eq!(found, listed);
    let output = ours[13].json();
    assert_eq!(output["data"], json!({"error": "boom", "status": "error"}));
    // One trace, one id: that of ours.
    for (id, requests) in [(one, &ours[..5]), (two, &ours[5..9])] {
        let id = observe_wire::platform::artanis::id_of(id);
        assert!(requests.iter().all(|request| request.json()["trace_id"] == id));
    }
    assert_eq!(ours[0].json()["timestamp"], ours[4].json()["timestamp"]);
}
