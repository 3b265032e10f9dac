//! Spans that travel: recorded here, sent as OTLP, received by the viewer, found in its store.

use std::time::Duration;

use observe::{
    Status, TraceId, Usage,
    destination::{Otlp, OtlpSettings},
    observe, session,
};
use observe_store::{SqliteStore, Store};
use observe_viewer::Viewer;

#[observe(as_type = "agent", trace_id = trace, skip(trace))]
async fn answer(trace: TraceId, question: &str) -> String {
    let _ = fails();
    generate(question).await
}

#[observe(as_type = "generation", model = "small")]
async fn generate(prompt: &str) -> String {
    observe::current_span().usage(Usage::new(3, 4));
    prompt.to_uppercase()
}

#[observe(as_type = "tool")]
fn fails() -> Result<(), &'static str> {
    Err("no \"connection\"")
}

#[tokio::test]
async fn spans_sent_by_otlp_are_found_in_the_receivers_store() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("observe.db");
    // It takes nothing without the key, which every request carries as a header.
    let receiver = Viewer::new(database.clone()).token("s3cret");
    let viewer = receiver.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let settings = OtlpSettings {
        headers: vec![("Authorization".to_owned(), "Bearer s3cret".to_owned())],
        ..OtlpSettings::new(format!("http://{}/v1/traces", viewer.addr))
    };
    let _observe = observe::builder().project("sender").destination(Otlp::new(settings)).init();

    let trace_id = TraceId::from_seed("travels");
    session("s").user("u").tag("t").scope(answer(trace_id, "why?")).await;
    let report = tokio::task::spawn_blocking(|| observe::flush(Duration::from_secs(60))).await.unwrap();
    let (name, counts) = &report.destinations[0];
    assert_eq!(
        (&**name, counts.accepted, counts.sent, counts.failed, report.complete),
        ("otlp", 3, 3, 0, true)
    );

    let store = SqliteStore::open_read_only(&database).unwrap();
    let trace = store.trace(trace_id).unwrap().unwrap();
    let told: Vec<_> = trace
        .spans
        .iter()
        .map(|s| {
            (
                &*s.name,
                s.span_type.as_str(),
                s.status,
                s.input.as_ref().map(|v| v.get()),
                s.output.as_ref().map(|v| v.get()),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("answer", "agent", Status::Ok, Some(r#"{"question":"why?"}"#), Some(r#""WHY?""#)),
            ("fails", "tool", Status::Error, None, None),
            ("generate", "generation", Status::Ok, Some(r#"{"prompt":"why?"}"#), Some(r#""WHY?""#)),
        ]
    );
    assert_eq!(trace.spans[1].status_message.as_deref(), Some("no \"connection\""));
    assert_eq!((trace.spans[2].model.as_deref(), trace.spans[2].usage), (Some("small"), Usage::new(3, 4)));
    let summary = trace.summary;
    assert_eq!(
        (&*summary.project, summary.session.as_deref(), summary.user.as_deref()),
        ("sender", Some("s"), Some("u"))
    );
    assert_eq!(summary.tags, ["t"]);
}
