//! What a scope promises: spans by hand, traces by hand, and attributes for everything that begins inside.

mod support;

use std::{panic::catch_unwind, sync::Barrier, task::Poll};

use observe::{
    Level, ObserveExt, Span, SpanId, SpanType, Status, TraceId, Usage, agent, attributes, current_span,
    observe, session, span, trace_context,
};
use serde_json::json;
use support::{id, input, memory, named, names, output, trace, tree};

#[observe(skip_all)]
fn leaf(name: &str) {
    current_span().name(name);
}

#[observe(skip_all)]
async fn async_leaf(name: &str) {
    current_span().name(name);
    tokio::task::yield_now().await;
}

#[observe(
    name = "rerank",
    as_type = "retriever",
    model = "m-1",
    version = "2",
    level = "warning",
    metadata = { top: 3, api_key: "x" },
    session = "s",
    user = "u",
    tags = ["a", "b"]
)]
async fn by_macro(docs: &[&str]) {
    tokio::task::yield_now().await;
}

#[tokio::test]
async fn a_span_by_hand_is_recorded_like_one_of_the_attribute() {
    let trace_id = id("by hand");
    let docs = ["one", "two"];
    by_macro(&docs).with_trace_id(trace_id).await;
    let here = line!() + 1;
    span("rerank")
        .as_type(SpanType::Retriever)
        .input(json!({ "docs": docs }))
        .model("m-1")
        .version("2")
        .level(Level::Warning)
        .metadata("top", 3)
        .metadata("api_key", "x")
        .session("s")
        .user("u")
        .tags(["a", "b"])
        .trace_id(trace_id)
        .scope(tokio::task::yield_now())
        .await;
    let [one, other]: [Span<'static>; 2] = trace(trace_id).try_into().unwrap();
    let said = |s: &Span<'static>| {
        let s = s.clone();
        let kinds = (s.span_type, s.status, s.level, s.parent_id, input(&s), output(&s));
        (kinds, s.name, s.model, s.version, s.metadata, s.attributes)
    };
    assert_eq!(said(&one), said(&other));
    assert_eq!(other.metadata["api_key"], "[redacted]");
    let code = other.code.unwrap();
    assert_eq!((&*code.file, code.line), (file!(), here));
}

#[test]
fn a_span_without_a_name_is_called_by_its_type_or_its_operation_and_model() {
    let trace_id = id("unnamed");
    trace_context(trace_id, None).sync_scope(|| {
        span(SpanType::Tool).sync_scope(|| {});
        span("").as_type(SpanType::Chain).sync_scope(|| {});
        span(SpanType::Generation).sync_scope(|| current_span().model("gpt-4o"));
        span(SpanType::Generation).sync_scope(|| {});
        span(SpanType::Embedding).model("e5").sync_scope(|| {});
        span(format!("step {}", 1)).as_type(SpanType::Generation).model("gpt-4o").sync_scope(|| {});
    });
    let expected = ["tool", "chain", "chat gpt-4o", "generation", "embeddings e5", "step 1"];
    assert_eq!(names(&trace(trace_id)), expected);
}

#[tokio::test]
async fn what_a_scope_returns_is_captured_only_if_asked() {
    let trace_id = id("outputs");
    trace_context(trace_id, None)
        .scope(async {
            assert_eq!(span("silent").scope(async { 7 }).await, 7);
            span("asked").sync_scope(|| current_span().output(7));
        })
        .await;
    let spans = trace(trace_id);
    assert_eq!(named(&spans, "silent").output, None);
    assert_eq!(output(named(&spans, "asked")), 7);
}

#[tokio::test]
async fn a_call_of_a_client_is_a_span_with_what_was_asked_and_answered() {
    let trace_id = id("client");
    let answer = || json!({"model": "m-1", "usage": {"prompt_tokens": 3, "completion_tokens": 4}});
    let ask = |name: &'static str| span(name).as_type(SpanType::Generation).trace_id(trace_id).input("why?");
    let asked = ask("asked").call(async { Ok::<_, String>(answer()) }).await;
    assert_eq!(asked, Ok(answer()));
    assert_eq!(ask("blocking").sync_call(|| Ok::<_, String>(answer())), Ok(answer()));
    let refused = ask("refused").call(async { Err::<(), _>("too many requests") }).await;
    assert_eq!(refused, Err("too many requests"));
    let spans = trace(trace_id);
    for name in ["asked", "blocking"] {
        let span = named(&spans, name);
        assert_eq!((input(span), output(span), span.status), (json!("why?"), answer(), Status::Ok), "{name}");
        assert_eq!((span.model.as_deref(), span.usage), (Some("m-1"), Usage::new(3, 4)), "{name}");
    }
    let refused = named(&spans, "refused");
    assert_eq!(
        (refused.status, refused.status_message.as_deref()),
        (Status::Error, Some("too many requests"))
    );
    assert_eq!(refused.output, None);
}

#[tokio::test]
async fn a_span_by_hand_ends_as_its_block_did() {
    let trace_id = id("endings");
    let in_trace = || trace_context(trace_id, None);
    let failed: Result<(), String> =
        in_trace().scope(span("async err").try_scope(async { Err("no".to_owned()) })).await;
    assert_eq!(failed, Err("no".to_owned()));
    let kept = in_trace().sync_scope(|| span("ok").try_sync_scope(|| Ok::<_, String>(1)));
    assert_eq!(kept, Ok(1));
    let failed = in_trace().sync_scope(|| span("err").try_sync_scope(|| "x".parse::<i32>()));
    assert!(failed.is_err());
    let _ = catch_unwind(|| in_trace().sync_scope(|| span("panics").sync_scope(|| panic!("broken"))));
    let _ = catch_unwind(|| {
        let _trace = in_trace().enter();
        let _span = span("guard panics").enter();
        panic!("broken too");
    });
    let panicking = in_trace().scope(span("async panics").scope(async { panic!("broken later") }));
    assert!(tokio::spawn(panicking).await.is_err());
    let mut cut = Box::pin(in_trace().scope(span("cancelled").scope(std::future::pending::<()>())));
    assert!(futures_poll(cut.as_mut()).await.is_pending());
    drop(cut);
    drop(in_trace().scope(span("never polled").scope(async {})));
    assert_eq!(observe::current_trace_id(), None);
    let spans = trace(trace_id);
    let ended = |name| {
        let span = named(&spans, name);
        (span.status, span.status_message.as_deref().unwrap_or_default().to_owned())
    };
    assert_eq!(ended("async err"), (Status::Error, "no".to_owned()));
    assert_eq!(ended("ok").0, Status::Ok);
    assert_eq!(ended("err"), (Status::Error, "invalid digit found in string".to_owned()));
    for (name, message) in
        [("panics", "broken"), ("guard panics", "broken too"), ("async panics", "broken later")]
    {
        let (status, text) = ended(name);
        assert!(
            status == Status::Error && text.starts_with("panicked at ") && text.ends_with(message),
            "{text}"
        );
    }
    assert_eq!(ended("cancelled").0, Status::Cancelled);
    assert_eq!(spans.len(), 7, "{:?}", names(&spans));
}

/// Polls once.
async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await
}

#[tokio::test]
async fn a_scope_stamps_everything_begun_inside_and_an_inner_one_wins() {
    let trace_id = id("stamps");
    trace_context(trace_id, None)
        .scope(async {
            let outer = attributes()
                .user("u")
                .session("s")
                .tags(["a", "b"])
                .metadata("k", 1)
                .metadata("only outer", true)
                .version("1")
                .name("weather-query")
                .environment("staging");
            outer
                .scope(span("root").scope(async {
                    async_leaf("before").await;
                    let inner = attributes().user("v").tags(["c", "a"]).metadata("k", 2).version("2");
                    inner.scope(async_leaf("inner")).await;
                    span("own version").version("9").sync_scope(|| {});
                    async_leaf("after").await;
                }))
                .await;
            leaf("outside");
        })
        .await;
    let spans = trace(trace_id);
    for name in ["root", "before", "after", "own version"] {
        let span = named(&spans, name);
        let a = &span.attributes;
        assert_eq!((a.user.as_deref(), a.session.as_deref()), (Some("u"), Some("s")), "{name}");
        assert_eq!((a.tags.join(","), &a.metadata["k"]), ("a,b".to_owned(), &json!(1)), "{name}");
        let named = (a.name.as_deref(), a.environment.as_deref());
        assert_eq!(named, (Some("weather-query"), Some("staging")), "{name}");
        assert_eq!(span.version.as_deref(), Some(if name == "own version" { "9" } else { "1" }), "{name}");
    }
    let inner = named(&spans, "inner");
    let a = &inner.attributes;
    assert_eq!((a.user.as_deref(), a.session.as_deref()), (Some("v"), Some("s")));
    assert_eq!((a.tags.join(","), &a.metadata["k"]), ("a,b,c".to_owned(), &json!(2)));
    assert_eq!((&a.metadata["only outer"], inner.version.as_deref()), (&json!(true), Some("2")));
    assert!(named(&spans, "outside").attributes.is_empty());
}

#[tokio::test]
async fn a_call_is_given_its_trace_and_its_parent_from_outside() {
    let (trace_id, parent) = (id("given"), SpanId::from_seed("remote"));
    let place = |name: &str| {
        let spans = memory().spans();
        let span = named(&spans, name).clone();
        (span.trace_id, span.parent_id)
    };
    trace_context(trace_id, parent)
        .scope(async {
            assert_eq!(observe::current_trace_id(), Some(trace_id));
            assert_eq!(current_span().output("said of a span that is not here").id(), None);
            async_leaf("given by scope").await;
        })
        .await;
    trace_context(trace_id, parent).sync_scope(|| leaf("given to sync"));
    async_leaf("given an id").with_trace_id(trace_id).await;
    async_leaf("given both").with_trace_id(trace_id).with_parent(parent).await;
    async_leaf("given both the other way").with_parent(parent).with_trace_id(trace_id).await;
    let other = id("given, another");
    span("another trace")
        .trace_id(other)
        .scope(async {
            async_leaf("given inside another").with_trace_id(trace_id).await;
            async_leaf("given what is there").with_trace_id(other).await;
            async_leaf("given nothing").with_trace_id(None).with_parent(None).await;
        })
        .await;
    trace(trace_id);
    for name in ["given by scope", "given to sync", "given both", "given both the other way"] {
        assert_eq!(place(name), (trace_id, Some(parent)), "{name}");
    }
    for name in ["given an id", "given inside another"] {
        assert_eq!(place(name), (trace_id, None), "{name}");
    }
    let spans = trace(other);
    assert_eq!(tree(&spans), "another trace\n given what is there\n given nothing\n");
}

#[tokio::test]
async fn an_agent_is_a_trace_by_hand_whose_attributes_everything_inside_has() {
    let trace_id = TraceId::from_seed("agent trace");
    memory();
    agent("support-bot")
        .model("gpt-4")
        .version("2.1")
        .tags(["prod"])
        .metadata("tier", "gold")
        .user("u")
        .session("s")
        .trace_id(trace_id)
        .input("help")
        .scope(async {
            leaf("step");
            agent("helper").sync_scope(|| leaf("inner step"));
        })
        .await;
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "support-bot\n step\n helper\n  inner step\n");
    let root = named(&spans, "support-bot");
    assert_eq!(
        (root.span_type, root.model.as_deref(), input(root)),
        (SpanType::Agent, Some("gpt-4"), json!("help"))
    );
    for span in &spans {
        let a = &span.attributes;
        assert_eq!((a.tags.join(","), &a.metadata["tier"]), ("prod".to_owned(), &json!("gold")));
        assert_eq!((a.user.as_deref(), a.session.as_deref()), (Some("u"), Some("s")));
        assert_eq!(span.version.as_deref(), Some("2.1"));
    }
}

#[tokio::test]
async fn a_lazy_trace_exists_from_its_first_span_on_and_not_without_one() {
    let trace_id = id("lazy");
    let inert = |name: &'static str| agent(name).trace_id(trace_id).lazy();
    inert("none").scope(async { assert_eq!(observe::current_span_id(), None) }).await;
    inert("none").sync_scope(|| session("s").sync_scope(|| {}));
    drop(inert("none").enter());
    agent("lazy root")
        .trace_id(trace_id)
        .tags(["t"])
        .model("m")
        .lazy()
        .scope(async {
            assert_eq!(observe::current_span_id(), None);
            session("s").scope(async_leaf("first")).await;
            current_span().output("said of the root");
            async_leaf("second").in_current_span().await;
            std::thread::spawn(observe::carry(|| leaf("third"))).join().unwrap();
        })
        .await;
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "lazy root\n first\n second\n third\n");
    let (root, first) = (named(&spans, "lazy root"), named(&spans, "first"));
    assert!(root.start <= first.start && root.end >= first.end);
    assert_eq!(
        (root.status, root.span_type, output(root)),
        (Status::Ok, SpanType::Agent, json!("said of the root"))
    );
    assert_eq!((root.attributes.session.as_deref(), root.attributes.tags.join(",")), (None, "t".to_owned()));
    assert_eq!(
        (first.attributes.session.as_deref(), first.attributes.tags.join(",")),
        (Some("s"), "t".to_owned())
    );
}

#[test]
fn a_lazy_trace_that_threads_begin_at_once_has_one_root() {
    const THREADS: usize = 8;
    for round in 0..50 {
        let trace_id = id(&format!("lazy race {round}"));
        let barrier = Barrier::new(THREADS);
        agent("root").trace_id(trace_id).lazy().sync_scope(|| {
            std::thread::scope(|threads| {
                for _ in 0..THREADS {
                    threads.spawn(observe::carry(|| {
                        barrier.wait();
                        leaf("child");
                    }));
                }
            });
        });
        let spans = trace(trace_id);
        let root = named(&spans, "root");
        let children: Vec<_> = spans.iter().filter(|s| s.parent_id == Some(root.span_id)).collect();
        assert_eq!((spans.len(), children.len()), (THREADS + 1, THREADS));
        assert!(children.iter().all(|child| root.start <= child.start));
    }
}

#[tokio::test]
async fn lazy_scopes_within_each_other_and_within_a_span_begin_from_the_outside_in() {
    let trace_id = id("lazy nested");
    span("root")
        .trace_id(trace_id)
        .scope(async {
            agent("outer").lazy().scope(agent("inner").lazy().scope(async_leaf("first"))).await;
            agent("empty").lazy().scope(agent("too").lazy().scope(async {})).await;
        })
        .await;
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "root\n outer\n  inner\n   first\n");
    let starts: Vec<_> = ["root", "outer", "inner", "first"].iter().map(|n| named(&spans, n).start).collect();
    assert!(starts.is_sorted());
}

#[test]
fn a_lazy_scope_that_has_ended_begins_nothing_any_more() {
    let late =
        agent("ended").trace_id(id("lazy ended")).lazy().sync_scope(|| observe::carry(|| leaf("orphan")));
    late();
    assert!(trace(id("lazy ended")).is_empty());
    let spans = memory().spans();
    assert_eq!(named(&spans, "orphan").parent_id, None);
    assert!(spans.iter().all(|s| s.name != "ended"));
}

#[test]
fn what_a_captured_value_calls_is_not_recorded() {
    struct Calls;
    impl serde::Serialize for Calls {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            leaf("from a value");
            serializer.serialize_str("value")
        }
    }
    let trace_id = id("calls");
    let lazily = agent("lazy").trace_id(trace_id).lazy();
    lazily.sync_scope(|| span("root").input(Calls).metadata("k", Calls).sync_scope(|| leaf("child")));
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "lazy\n root\n  child\n");
    assert_eq!(
        (input(named(&spans, "root")), &named(&spans, "root").metadata["k"]),
        (json!("value"), &json!("value"))
    );
}

#[test]
fn odd_values_are_kept_as_given() {
    let trace_id = id("odd");
    let (control, huge) = ("\u{0}\u{1b}[31m\u{202e}\n", "x".repeat(10 << 20));
    session(control)
        .user(" ")
        .tag(control)
        .tag(huge.as_str())
        .metadata("", f64::NAN)
        .trace_id(trace_id)
        .sync_scope(|| {
            span(control).metadata("\u{0}", u128::MAX).sync_scope(|| leaf("inside"));
            span("").session("").user("").sync_scope(|| {});
        });
    let spans = trace(trace_id);
    assert_eq!(names(&spans), ["inside", control, "span"]);
    for span in &spans {
        let a = &span.attributes;
        assert_eq!((a.session.as_deref(), a.user.as_deref()), (Some(control), Some(" ")));
        assert!(a.tags == [control, &huge], "tags differ");
        assert_eq!(a.metadata.len(), 1);
    }
    assert_eq!(named(&spans, control).metadata.len(), 1);
}
