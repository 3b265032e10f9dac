//! The context goes along: over tasks, task sets, threads, pools, and every way that a future is moved about.

mod support;

use std::{collections::HashMap, time::Duration};

use futures_util::StreamExt as _;
use observe::{JoinSet, ObserveExt, TraceId, carry, current_context, observe, session, thread};
use rayon::prelude::*;
use support::{id, memory, named, trace, tree};
use tokio::task::LocalSet;

#[observe(trace_id = trace, skip_all)]
fn root<T>(trace: TraceId, inside: impl FnOnce() -> T) -> T {
    inside()
}

#[observe(name = "root", trace_id = trace, skip_all)]
async fn root_task<F: Future>(trace: TraceId, inside: F) -> F::Output {
    inside.await
}

#[observe(name = name, skip_all)]
fn leaf(name: &str) -> usize {
    name.len()
}

#[observe(name = name, skip_all)]
async fn step(name: &str) -> usize {
    tokio::task::yield_now().await;
    leaf("leaf")
}

/// The trace's lines, sorted: what runs at once has no order.
fn sorted(id: TraceId) -> Vec<String> {
    let mut lines: Vec<_> = tree(&trace(id)).lines().map(ToOwned::to_owned).collect();
    lines.sort();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_sets_tasks_are_in_the_trace_of_who_spawns_them() {
    let trace_id = id("join set");
    let runtime = tokio::runtime::Handle::current();
    let (lengths, collected) = root_task(trace_id, async {
        let mut tasks = JoinSet::new();
        tasks.spawn(step("spawn"));
        tasks.spawn_on(step("spawn on"), &runtime);
        tasks.spawn_blocking(|| leaf("blocking"));
        tasks.spawn_blocking_on(|| leaf("blocking on"), &runtime);
        assert_eq!(tasks.len(), 4, "the rest is tokio's");
        let mut lengths = Vec::new();
        while let Some(length) = tasks.join_next().await {
            lengths.push(length.unwrap());
        }
        let collected: JoinSet<usize> = ["first", "second"].map(step).into_iter().collect();
        (lengths, collected.join_all().await)
    })
    .await;
    assert_eq!(lengths.len() + collected.len(), 6);
    let expected = [
        "  leaf",
        "  leaf",
        "  leaf",
        "  leaf",
        " blocking",
        " blocking on",
        " first",
        " second",
        " spawn",
        " spawn on",
        "root",
    ];
    assert_eq!(sorted(trace_id), expected);
}

#[tokio::test]
async fn tasks_of_a_local_set_are_in_the_trace_of_who_spawns_them() {
    let trace_id = id("local set");
    let local = LocalSet::new();
    local
        .run_until(root_task(trace_id, async {
            // What is not `Send` may go along.
            let shared = std::rc::Rc::new("local");
            observe::spawn_local(async move { step(&shared).await }).await.unwrap();
            let mut tasks = JoinSet::new();
            tasks.spawn_local(step("set"));
            tasks.join_next().await.unwrap().unwrap();
        }))
        .await;
    root_task(trace_id, async {
        let mut tasks = JoinSet::new();
        tasks.spawn_local_on(step("set on"), &local);
        local.run_until(tasks.join_next()).await.unwrap().unwrap();
    })
    .await;
    let expected = ["  leaf", "  leaf", "  leaf", " local", " set", " set on", "root", "root"];
    assert_eq!(sorted(trace_id), expected);
}

#[test]
fn threads_are_in_the_trace_of_who_spawns_them() {
    let trace_id = id("threads");
    session("of the threads").sync_scope(|| {
        root(trace_id, || {
            thread::spawn(|| leaf("thread")).join().unwrap();
            let builder = thread::Builder::new().name("named").stack_size(256 * 1024);
            let name = builder.spawn(|| (leaf("builder"), std::thread::current().name().map(str::to_owned)));
            assert_eq!(name.unwrap().join().unwrap().1.as_deref(), Some("named"));
            let borrowed = String::from("scoped");
            let sum: usize = thread::scope(|scope| {
                let outer = scope.spawn(|| leaf(&borrowed));
                let nested = scope.spawn(move || scope.spawn(|| leaf("nested")).join().unwrap());
                let built = thread::Builder::new().spawn_scoped(scope, || leaf("built")).unwrap();
                outer.join().unwrap() + nested.join().unwrap() + built.join().unwrap()
            });
            assert_eq!(sum, 17);
        });
    });
    let expected = [" builder", " built", " nested", " scoped", " thread", "root"];
    assert_eq!(sorted(trace_id), expected);
    assert!(trace(trace_id).iter().all(|s| s.attributes.session.as_deref() == Some("of the threads")));
}

#[test]
fn rayon_takes_the_context_along_by_join_scope_and_parallel_iterators() {
    let trace_id = id("rayon");
    root(trace_id, || {
        rayon::join(carry(|| leaf("left")), carry(|| leaf("right")));
        // What a closure does that is called more than once, or is given something: in this context.
        let context = current_context();
        rayon::scope(|scope| {
            for name in ["a", "b"] {
                let context = &context;
                scope.spawn(move |_| _ = context.sync_scope(|| leaf(name)));
            }
        });
        let lengths: Vec<_> = (0..100).into_par_iter().map(|_| context.sync_scope(|| leaf("item"))).collect();
        assert_eq!(lengths.iter().sum::<usize>(), 400);
    });
    let lines = sorted(trace_id);
    assert_eq!(lines[..4], [" a", " b", " item", " item"]);
    assert_eq!(lines[102..], [" left", " right", "root"]);
    rayon::broadcast(|_| assert_eq!(observe::current_trace_id(), None, "nothing stays behind on the pool"));
}

#[tokio::test]
async fn combinators_keep_each_future_in_its_own_context() {
    use futures_util::{FutureExt, StreamExt, future, stream};
    let trace_id = id("combinators");
    root_task(trace_id, async {
        future::join_all([step("all"), step("all")]).await;
        future::select(step("won").boxed(), future::pending::<()>()).await;
        step("then").then(|_| step("after")).await;
        let buffered = stream::iter(0..3).map(|_| step("buffered")).buffer_unordered(2);
        assert_eq!(buffered.count().await, 3);
        // A future that is carried keeps its context wherever it is polled.
        let carried = session("carried").sync_scope(|| step("carried").in_current_span());
        tokio::spawn(carried).await.unwrap();
        let context = session("scoped").sync_scope(current_context);
        tokio::spawn(context.scope(step("scoped"))).await.unwrap();
        step("outside").await;
    })
    .await;
    let spans = trace(trace_id);
    let root = spans.iter().find(|s| s.parent_id.is_none()).unwrap().span_id;
    for span in spans.iter().filter(|s| s.name != "root" && s.name != "leaf") {
        assert_eq!(span.parent_id, Some(root), "{}", span.name);
        let session = match &*span.name {
            name @ ("carried" | "scoped") => Some(name),
            _ => None,
        };
        assert_eq!(span.attributes.session.as_deref(), session, "{}", span.name);
    }
    assert_eq!(spans.len(), 1 + 2 * 11);
}

/// A future that is polled on another thread each time, as a work-stealing runtime might.
async fn wander<F: Future<Output: Send> + Send>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|task| {
        let waker = task.waker();
        std::thread::scope(|scope| {
            let poll = || future.as_mut().poll(&mut std::task::Context::from_waker(waker));
            scope.spawn(poll).join().unwrap()
        })
    })
    .await
}

#[tokio::test]
async fn a_future_that_moves_between_threads_at_every_await_keeps_its_context_and_leaves_none_behind() {
    let trace_id = id("wandering");
    let inside = async {
        step("before").await;
        session("inner").scope(step("inside")).await;
        step("after").await;
    };
    wander(session("outer").scope(root_task(trace_id, inside))).await;
    assert_eq!(observe::current_trace_id(), None);
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "root\n before\n  leaf\n inside\n  leaf\n after\n  leaf\n");
    for span in &spans {
        let inner = span.name == "inside" || span.parent_id == Some(support::named(&spans, "inside").span_id);
        assert_eq!(span.attributes.session.as_deref(), Some(if inner { "inner" } else { "outer" }));
    }
}

#[tokio::test]
async fn a_future_that_is_dropped_half_way_leaves_no_context_behind() {
    let trace_id = id("dropped");
    {
        let mut half = Box::pin(session("dropped").scope(root_task(trace_id, async {
            step("done").await;
            std::future::pending::<()>().await;
        })));
        assert!(tokio::time::timeout(Duration::from_millis(1), &mut half).await.is_err());
        assert_eq!((observe::current_trace_id(), observe::current_span_id()), (None, None));
    }
    let after = id("after dropped");
    root_task(after, step("after")).await;
    assert!(trace(after).iter().all(|s| s.attributes.session.is_none()));
    assert_eq!(tree(&trace(trace_id)), "root\n done\n  leaf\n");
}

#[test]
fn ten_thousand_interleaved_tasks_keep_apart() {
    memory();
    let conversation = |n: usize| async move {
        let trace_id = TraceId::from_seed(format!("tasks {n}"));
        let work = async move {
            let mut tasks = JoinSet::new();
            for _ in 0..2 {
                tasks.spawn(step("task"));
            }
            tasks.join_all().await;
            if n.is_multiple_of(100) {
                observe::spawn_blocking(|| leaf("blocking")).await.unwrap();
            }
            step("awaited").await;
        };
        session(format!("session {n}")).scope(root_task(trace_id, work)).await;
        trace_id
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    // In parts, so that the journal, which is bounded, has room for all.
    let mut ids = Vec::new();
    for part in 0..10 {
        let tasks: Vec<_> = (0..1_000).map(|n| runtime.spawn(conversation(part * 1_000 + n))).collect();
        ids.extend(tasks.into_iter().map(|task| runtime.block_on(task).unwrap()));
        let report = observe::flush(Duration::from_secs(60));
        assert!(report.complete && report.dropped == 0, "{report:?}");
    }
    let mut by_trace = HashMap::<_, Vec<_>>::new();
    for span in memory().spans() {
        by_trace.entry(span.trace_id).or_default().push(span);
    }
    for (n, id) in ids.into_iter().enumerate() {
        let mut lines: Vec<_> = tree(&by_trace[&id]).lines().map(ToOwned::to_owned).collect();
        lines.sort();
        let blocking: &[&str] = if n.is_multiple_of(100) { &[" blocking"] } else { &[] };
        let expected =
            [&["  leaf", "  leaf", "  leaf", " awaited"], blocking, &[" task", " task", "root"]].concat();
        assert_eq!(lines, expected, "{n}");
        let session = format!("session {n}");
        assert!(by_trace[&id].iter().all(|s| s.attributes.session.as_deref() == Some(&*session)), "{n}");
    }
}

#[tokio::test]
async fn a_stream_is_polled_in_the_context_that_it_was_given() {
    support::memory();
    #[observe]
    fn item(n: u32) -> u32 {
        n
    }
    #[observe(trace_id = id("carried stream"), skip_all)]
    fn begin() -> std::pin::Pin<Box<observe::InSpan<impl futures_util::Stream<Item = u32>>>> {
        let items = futures_util::stream::iter(0..3).then(|n| async move {
            tokio::task::yield_now().await;
            item(n)
        });
        Box::pin(session("conversation").sync_scope(|| items.in_current_span()))
    }
    let mut stream = begin();
    assert_eq!(futures_util::Stream::size_hint(&stream).0, 3);
    let other = TraceId::from_seed("around the stream");
    let sum = async {
        let mut sum = 0;
        while let Some(n) = stream.next().await {
            assert_eq!(
                observe::current_trace_id(),
                Some(other),
                "it is in force at a poll and never between"
            );
            sum += n;
        }
        sum
    };
    assert_eq!(sum.with_trace_id(other).await, 3);
    let spans = trace(id("carried stream"));
    let root = named(&spans, "begin").span_id;
    let items: Vec<_> = spans.iter().filter(|span| span.name == "item").collect();
    assert_eq!(items.len(), 3);
    for span in items {
        assert_eq!((span.parent_id, span.attributes.session.as_deref()), (Some(root), Some("conversation")));
    }
    assert!(trace(other).is_empty());
}
