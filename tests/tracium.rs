//! What Tracium gets, beside what its own client sends for the same.

#[path = "support/recorder.rs"]
mod recorder;
#[path = "support/wire.rs"]
mod wire;

use std::time::Duration;

use observe::{
    SpanType, Usage, agent, current_span, current_trace,
    destination::{Tracium, TraciumSettings},
    session, span,
};
use recorder::Recorder;
use serde_json::{Value, json};

/// What is different, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("user-agent: TraciumSDK/1.5.10, observe/0.1.0", "we say who we are"),
    ("x-tracium-sdk-version: 1.5.10, nothing", "and are no version of that"),
    ("accept-encoding: gzip, deflate, nothing", "answers are a few bytes"),
    ("POST /agents/traces trace_id: nothing, 32 digits", SAME_AGAIN),
    ("POST /agents/traces trace_id: a UUID, 32 digits", SAME_AGAIN),
    ("POST /agents/traces trace_id: \"my-custom_id-1\", 32 digits", OUR_FORM),
    ("POST /agents/traces workspace_id: nothing, \"ws-1\"", "the workspace is set once, not for each trace"),
    (
        "POST /agents/traces tags: [\"production\",\"support\"], [\"session:conv_abc\",\"user:user-123\",\"production\",\"support\",\"urgent\"]",
        "session and user have no field, and theirs are lost with the metadata; the trace is told when it has ended, with all its tags",
    ),
    (
        "POST /agents/traces/*/complete tags: [\"production\",\"support\",\"urgent\"], [\"session:conv_abc\",\"user:user-123\",\"production\",\"support\",\"urgent\"]",
        "the same",
    ),
    ("POST /agents/traces/*/spans spans id: a UUID, 16 digits", SAME_AGAIN),
    ("POST /agents/traces/*/spans spans id: \"span-A\", 16 digits", OUR_FORM),
    ("POST /agents/traces/*/spans spans input: nothing, {\"query\":\"What is AI?\"}", KNOWN),
    ("POST /agents/traces/*/spans spans input: nothing, {\"query\":\"How does it work?\"}", KNOWN),
    (
        "POST /agents/traces/*/spans spans input: nothing, [{\"content\":\"be brief\",\"role\":\"system\"},{\"content\":\"What is AI?\",\"role\":\"user\"}]",
        KNOWN,
    ),
    (
        "POST /agents/traces/*/spans spans input: nothing, [{\"content\":\"be brief\",\"role\":\"system\"},{\"content\":\"How does it work?\",\"role\":\"user\"}]",
        KNOWN,
    ),
    (
        "POST /agents/traces/*/spans no-model in_progress: ours alone",
        "every span is told when it begins; theirs leaves out model calls without a model, and waits for them below",
    ),
    (
        "POST /agents/traces/*/spans spans error: \"Traceback (most recent call last):\\n  File \\\"scenario.py\\\", line 66, in <module>\\n    raise ValueError(\\\"boom\\\")\\nValueError: boom\\n\", \"boom\"",
        "an error of Rust is its text",
    ),
    (
        "POST /agents/traces/*/fail error: \"Traceback (most recent call last):\\n  File \\\"scenario.py\\\", line 66, in <module>\\n    raise ValueError(\\\"boom\\\")\\nValueError: boom\", \"boom\"",
        "the same",
    ),
];

const SAME_AGAIN: &str = "what is sent again is the same one";
const OUR_FORM: &str = "ids that a program chooses are of our form";
const KNOWN: &str = "what went in is known when a span is told of, also if it was said later";

/// The request of theirs that each of ours is to be held against. Theirs creates the second trace while the first is still
/// being told in the background.
const PAIRS: [Option<usize>; 34] = [
    Some(0),
    Some(2),
    Some(3),
    Some(4),
    Some(5),
    Some(6),
    Some(7),
    Some(8),
    Some(1),
    Some(9),
    Some(10),
    Some(11),
    Some(12),
    Some(13),
    Some(14),
    Some(15),
    Some(16),
    Some(17),
    Some(18),
    Some(19),
    Some(20),
    Some(21),
    Some(22),
    Some(23),
    Some(24),
    None,
    Some(25),
    Some(26),
    Some(27),
    Some(28),
    Some(29),
    Some(30),
    Some(31),
    Some(32),
];

fn flush() {
    let report = observe::flush(Duration::from_secs(30));
    let (name, counts) = &report.destinations[0];
    assert_eq!(
        (name.as_str(), report.complete, counts.failed, counts.dropped),
        ("tracium", true, 0, 0),
        "{report:?}"
    );
}

fn turn(question: &str) {
    let bot = agent("support-bot").model("gpt-4").tags(["production", "support"]).version("2.1.0");
    bot.sync_scope(|| {
        current_trace().tags(["urgent"]);
        span("plan").as_type(SpanType::Agent).input(json!({"q": question})).sync_scope(|| {
            span("search").as_type(SpanType::Tool).input(json!({"query": question})).sync_scope(|| {
                current_span().output(["r1", "r2"]);
            });
            span("completion").as_type(SpanType::Generation).sync_scope(|| {
                let input =
                    json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": question}]);
                let usage = Usage { cache_read: Some(2), cache_write: Some(1), ..Usage::new(9, 5) };
                current_span().model("gpt-4o").input(input).output("ok é").usage(usage);
            });
            current_span().output(json!({"a": "done"}));
        });
        current_trace().summary(json!({"total_tokens": 17, "outcome": "success"}));
    });
    flush();
}

#[test]
fn tracium_gets_what_its_own_client_sends() {
    let recorder = Recorder::start();
    let settings = TraciumSettings {
        url: recorder.url(),
        workspace: Some("ws-1".to_owned()),
        tenant: Some("tenant-7".to_owned()),
        ..TraciumSettings::new("sk_live_testtesttest")
    };
    let _observe = observe::builder().destination(Tracium::new(settings)).init();
    let answers =
        |n: usize| recorder.answer("/agents/traces", 200, &json!({"id": format!("srv-{n:04}")}).to_string());

    for (n, question) in ["What is AI?", "How does it work?"].into_iter().enumerate() {
        answers(n + 1);
        session("conv_abc").user("user-123").sync_scope(|| turn(question));
    }
    answers(3);
    let _ = agent("error-handler")
        .try_sync_scope(|| span("risky").as_type(SpanType::Tool).try_sync_scope(|| Err::<(), _>("boom")));
    flush();
    answers(4);
    agent("manual-fail").sync_scope(|| {
        span("c").as_type(SpanType::Chain).sync_scope(|| {
            current_span().mark_failed("soft failure");
        });
        current_trace().mark_failed("Operation failed: reason");
    });
    flush();
    agent("lazy-none").lazy().sync_scope(|| ());
    flush();
    answers(5);
    agent("lazy-one").lazy().sync_scope(|| span("no-model").as_type(SpanType::Generation).sync_scope(|| ()));
    flush();
    answers(6);
    agent("eager-empty").sync_scope(|| ());
    flush();
    answers(7);
    agent("limits").sync_scope(|| {
        span("big").as_type(SpanType::Tool).input("x".repeat(150_000)).sync_scope(|| {
            let img = format!("data:image/png;base64,{}", "A".repeat(3000));
            current_span().output(json!({"img": img, "short": "data:abc"}));
        });
    });
    flush();

    let (ours, theirs) = (recorder.requests(), wire::recorded(include_str!("data/wire/tracium.json")));
    let found: Vec<_> = wire::differences(&ours, &theirs, &PAIRS).into_iter().collect();
    let mut listed: Vec<_> = DIFFERENT.iter().map(|(difference, _)| (*difference).to_owned()).collect();
    listed.sort();
    assert_eq!(found, listed);
    // What is posted of a trace goes where the answer to its creation says.
    let names: Vec<Value> = ours.iter().map(|request| request.path.split('/').nth(3).into()).collect();
    assert!(
        names[1..8].iter().all(|name| name == "srv-0001")
            && names[31..].iter().all(|name| name == "srv-0007")
    );
}
