//! Which trace, parent and session a span belongs to: across awaits, tasks, threads and scopes.

mod support;

use std::time::Duration;

use observe::{ObserveExt, SpanId, TraceId, carry, observe, session};
use support::{id, memory, named, trace, tree};

#[observe(trace_id = trace, skip_all)]
async fn root<F: Future>(trace: TraceId, inside: F) -> F::Output {
    inside.await
}

#[observe(name = name, skip_all)]
async fn step(name: &str) {
    tokio::task::yield_now().await;
    leaf(name);
    tokio::task::yield_now().await;
}

#[observe(name = format!("{name}/leaf"), skip_all)]
fn leaf(name: &str) {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_calls_build_one_tree_across_await_join_and_select() {
    let trace_id = id("tree");
    root(trace_id, async {
        step("first").await;
        tokio::join!(step("left"), step("right"));
        tokio::select! { biased; () = step("won") => {}, () = std::future::pending() => {} }
    })
    .await;
    assert_eq!(observe::current_trace_id(), None);
    let expected = "root\n first\n  first/leaf\n left\n  left/leaf\n right\n  right/leaf\n won\n  won/leaf\n";
    assert_eq!(tree(&trace(trace_id)), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_take_the_context_along() {
    let trace_id = id("spawned");
    root(trace_id, async {
        observe::spawn(step("spawned")).await.unwrap();
        observe::spawn_blocking(|| leaf("blocking")).await.unwrap();
        tokio::spawn(step("by hand").in_current_span()).await.unwrap();
        let thread = std::thread::spawn(carry(|| leaf("thread")));
        thread.join().unwrap();
        tokio::spawn(step("bare")).await.unwrap();
    })
    .await;
    let spans = trace(trace_id);
    let expected = "root\n spawned\n  spawned/leaf\n blocking/leaf\n by hand\n  by hand/leaf\n thread/leaf\n";
    assert_eq!(tree(&spans), expected, "a bare tokio::spawn begins a trace of its own");
}

fn session_of(spans: &[observe::Span<'static>], name: &str) -> Option<String> {
    named(spans, name).attributes.session.clone()
}

#[tokio::test]
async fn a_scope_stamps_what_begins_inside_and_nothing_else() {
    let trace_id = id("scope");
    root(trace_id, async {
        step("before").await;
        session("s")
            .user("u")
            .tag("a")
            .metadata("n", 1)
            .scope(async {
                step("inside").await;
                session("inner").tags(["b", "a"]).sync_scope(|| leaf("inner"));
                step("again").await;
            })
            .await;
        session("").scope(step("empty")).await;
        step("after").await;
    })
    .await;
    let spans = trace(trace_id);
    for name in ["root", "before", "before/leaf", "empty", "after"] {
        assert_eq!(session_of(&spans, name), None, "{name}");
        assert!(named(&spans, name).attributes.is_empty(), "{name}");
    }
    for name in ["inside", "inside/leaf", "again"] {
        assert_eq!(session_of(&spans, name).as_deref(), Some("s"), "{name}");
        assert_eq!(named(&spans, name).attributes.user.as_deref(), Some("u"));
    }
    let inner = &named(&spans, "inner/leaf").attributes;
    assert_eq!((inner.session.as_deref(), inner.user.as_deref()), (Some("inner"), Some("u")));
    assert_eq!(inner.tags, ["a", "b"]);
    assert_eq!(serde_json::json!(inner.metadata), serde_json::json!({"n": 1}));
}

#[observe(trace_id = trace, session = session, user = 7, tags = ["x", session], skip_all)]
async fn handle(trace: TraceId, session: &str) {
    step("handled").await;
}

#[tokio::test]
async fn session_user_and_tags_of_the_attribute_reach_the_children() {
    let trace_id = id("handle");
    handle(trace_id, "ticket").await;
    step("outside").await;
    let spans = trace(trace_id);
    for name in ["handle", "handled", "handled/leaf"] {
        let attributes = &named(&spans, name).attributes;
        assert_eq!(
            (attributes.session.as_deref(), attributes.user.as_deref()),
            (Some("ticket"), Some("7")),
            "{name}"
        );
        assert_eq!(attributes.tags, ["x", "ticket"]);
    }
}

#[test]
fn a_session_is_any_text_of_any_length_and_needs_no_user() {
    let trace_id = id("any session");
    let texts = ["user-7_report_2024-01-17", "ticket #4711, r\u{e9}ouvert", &*"thread/".repeat(100)];
    for text in texts {
        session(text).trace_id(trace_id).sync_scope(|| leaf("any"));
    }
    let spans = trace(trace_id);
    let said: Vec<_> =
        spans.iter().map(|s| (s.attributes.session.as_deref(), s.attributes.user.as_deref())).collect();
    assert_eq!(said, texts.map(|text| (Some(text), None)));
}

/// A trace id and a parent from a caller in another process.
#[observe(trace_id = trace, parent = parent, skip_all)]
fn remote(trace: TraceId, parent: Option<SpanId>) {
    assert_eq!(observe::current_trace_id(), Some(trace));
    leaf("remote");
}

#[test]
fn a_trace_and_a_parent_can_be_given() {
    let (trace_id, parent) = (id("remote"), SpanId::from_seed("caller"));
    remote(trace_id, Some(parent));
    let spans = trace(trace_id);
    assert_eq!(named(&spans, "remote").parent_id, Some(parent));
    assert_eq!(named(&spans, "remote/leaf").parent_id, Some(named(&spans, "remote").span_id));
    assert_eq!(observe::current_span_id(), None);
}

#[test]
fn ids_inside_are_those_that_are_recorded() {
    #[observe(trace_id = trace, skip_all)]
    fn ids(trace: TraceId) -> (Option<TraceId>, Option<SpanId>) {
        (observe::current_trace_id(), observe::current_span_id())
    }
    let trace_id = id("ids");
    let (inside, span) = ids(trace_id);
    assert_eq!(inside, Some(trace_id));
    assert_eq!(Some(trace(trace_id)[0].span_id), span);
}

#[test]
fn four_thousand_interleaved_tasks_keep_their_sessions_apart() {
    memory();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let conversation = |n: usize| async move {
        let trace_id = TraceId::from_seed(format!("conversation {n}"));
        session(format!("session {n}"))
            .scope(root(trace_id, async {
                observe::spawn(step("spawned")).await.unwrap();
                step("awaited").await;
            }))
            .await;
        trace_id
    };
    let ids = runtime.block_on(async {
        let tasks: Vec<_> = (0..4_000).map(|n| tokio::spawn(conversation(n))).collect();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.unwrap());
        }
        ids
    });
    assert!(observe::flush(Duration::from_secs(30)).complete);
    let mut by_trace = std::collections::HashMap::<_, Vec<_>>::new();
    for span in memory().spans() {
        by_trace.entry(span.trace_id).or_default().push(span);
    }
    for (n, id) in ids.into_iter().enumerate() {
        let spans = &by_trace[&id];
        assert_eq!(spans.len(), 5);
        assert!(
            spans.iter().all(|s| s.attributes.session.as_deref() == Some(&format!("session {n}"))),
            "{n}"
        );
    }
}

#[test]
fn it_works_on_a_current_thread_runtime_and_flushes_from_inside_it() {
    let trace_id = id("current thread");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        root(trace_id, step("inside")).await;
        assert!(observe::flush(Duration::from_secs(60)).complete);
    });
    assert_eq!(tree(&trace(trace_id)), "root\n inside\n  inside/leaf\n");
}

#[test]
fn a_parent_that_is_given_with_its_trace_is_told_from_one_that_calls() {
    let parent = SpanId::from_seed("elsewhere");
    let given = |name: &str, spans: &[observe::Span<'static>]| {
        named(spans, name).details.as_ref().is_some_and(|details| details.given_parent)
    };
    let trace_id = id("given");
    observe::trace_context(trace_id, parent).sync_scope(|| {
        observe::span("first").sync_scope(|| leaf("first"));
        leaf("second");
    });
    let spans = trace(trace_id);
    assert_eq!(spans.iter().filter(|span| span.parent_id == Some(parent)).count(), 2);
    assert_eq!(["first", "first/leaf", "second/leaf"].map(|name| given(name, &spans)), [true, false, true]);

    // Who calls in headers has the trace; who names no trace is in the one around.
    let called = id("called");
    let header = format!("00-{called}-{parent}-01");
    observe::propagate::extract(&[("traceparent", &*header)]).sync_scope(|| leaf("called"));
    let around = id("around");
    observe::trace_context(around, None).sync_scope(|| {
        observe::trace_context(around, parent).sync_scope(|| leaf("around"));
        observe::trace_context(None, parent).sync_scope(|| leaf("inside"));
    });
    for (trace_id, name) in [(called, "called/leaf"), (around, "around/leaf"), (around, "inside/leaf")] {
        let spans = trace(trace_id);
        assert_eq!((named(&spans, name).parent_id, given(name, &spans)), (Some(parent), false), "{name}");
    }
}
