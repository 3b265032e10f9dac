//! No span of one session ever carries another's: whatever tasks do to their futures, and however scopes are nested.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    task::{Context, Poll, Waker},
};

use observe::{ObserveExt, Span, TraceId, attributes, current_span, observe, session, span};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;
use support::{id, trace};

/// What one scope sets.
#[derive(Debug, Clone)]
struct Layer {
    session: Option<String>,
    user: Option<String>,
    tags: Vec<String>,
    metadata: Vec<(String, u8)>,
    version: Option<String>,
    /// How it is entered.
    how: How,
    /// What is nested in it, one after the other.
    inner: Vec<Layer>,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Async,
    Sync,
    Guard,
}

fn word() -> impl Strategy<Value = String> {
    "[ab]{1,2}"
}

fn layer() -> impl Strategy<Value = Layer> {
    let one = (
        prop::option::of(word()),
        prop::option::of(word()),
        vec(word(), 0..3),
        vec((word(), any::<u8>()), 0..3),
        prop::option::of(word()),
        prop::sample::select(vec![How::Async, How::Sync, How::Guard]),
    );
    let leaf = one.prop_map(|(session, user, tags, metadata, version, how)| Layer {
        session,
        user,
        tags,
        metadata,
        version,
        how,
        inner: Vec::new(),
    });
    let leaf = leaf.boxed();
    leaf.clone().prop_recursive(4, 12, 3, move |inner| {
        (leaf.clone(), vec(inner, 0..3)).prop_map(|(layer, inner)| Layer { inner, ..layer })
    })
}

/// What a span must carry, by our own account of the rules.
#[derive(Debug, Clone, Default, PartialEq)]
struct Carried {
    session: Option<String>,
    user: Option<String>,
    tags: Vec<String>,
    metadata: BTreeMap<String, Value>,
    version: Option<String>,
}

impl Carried {
    fn inside(&self, layer: &Layer) -> Self {
        let mut tags = self.tags.clone();
        for tag in &layer.tags {
            if !tags.contains(tag) {
                tags.push(tag.clone());
            }
        }
        let mut metadata = self.metadata.clone();
        metadata.extend(layer.metadata.iter().map(|(name, n)| (name.clone(), Value::from(*n))));
        Self {
            session: layer.session.clone().or_else(|| self.session.clone()),
            user: layer.user.clone().or_else(|| self.user.clone()),
            tags,
            metadata,
            version: layer.version.clone().or_else(|| self.version.clone()),
        }
    }

    fn of(span: &Span<'_>) -> Self {
        let a = &span.attributes;
        Self {
            session: a.session.clone(),
            user: a.user.clone(),
            tags: a.tags.clone(),
            metadata: a.metadata.clone().into_iter().collect(),
            version: span.version.as_deref().map(ToOwned::to_owned),
        }
    }
}

type Expected = BTreeMap<String, Carried>;

/// Records a span, and what it must carry.
fn mark(expected: &mut Expected, carried: &Carried) {
    let name = format!("span {}", expected.len());
    span(name.clone()).sync_scope(|| {});
    expected.insert(name, carried.clone());
}

fn run<'a>(
    layer: &'a Layer,
    outer: &'a Carried,
    expected: &'a mut Expected,
) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    Box::pin(async move {
        let mut scope = attributes().tags(layer.tags.clone());
        for (name, value) in &layer.metadata {
            scope = scope.metadata(name, value);
        }
        if let Some(id) = &layer.session {
            scope = scope.session(id);
        }
        if let Some(id) = &layer.user {
            scope = scope.user(id);
        }
        if let Some(version) = &layer.version {
            scope = scope.version(version);
        }
        let carried = outer.inside(layer);
        match layer.how {
            How::Async => {
                scope
                    .scope(async {
                        mark(expected, &carried);
                        for inner in &layer.inner {
                            yield_now().await;
                            run(inner, &carried, expected).await;
                            mark(expected, &carried);
                        }
                    })
                    .await;
            }
            // Nothing awaits inside: what is nested is driven to its end on the spot.
            How::Sync => scope.sync_scope(|| {
                mark(expected, &carried);
                for inner in &layer.inner {
                    to_end(run(inner, &carried, expected));
                    mark(expected, &carried);
                }
            }),
            How::Guard => {
                let _guard = scope.enter();
                mark(expected, &carried);
                for inner in &layer.inner {
                    to_end(run(inner, &carried, expected));
                    mark(expected, &carried);
                }
            }
        }
        mark(expected, outer);
    })
}

/// Polls until it is done; what it waits for is only its turn.
fn to_end(mut future: Pin<Box<dyn Future<Output = ()> + '_>>) {
    while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {}
}

/// Pending once.
async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|task| {
        task.waker().wake_by_ref();
        if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nested_scopes_merge_tags_and_metadata_and_the_inner_one_wins(layer in layer(), seed in any::<u64>()) {
        let trace_id = id(&format!("nested {seed}"));
        let mut expected = Expected::new();
        to_end(Box::pin(async {
            let nothing = Carried::default();
            run(&layer, &nothing, &mut expected).with_trace_id(trace_id).await;
        }));
        prop_assert_eq!(observe::current_trace_id(), None);
        let recorded: Expected =
            trace(trace_id).iter().map(|span| (span.name.to_string(), Carried::of(span))).collect();
        prop_assert_eq!(recorded, expected);
    }
}

const TASKS: usize = 3_000;

#[observe(skip_all)]
async fn step(owner: usize) {
    current_span().metadata("owner", owner);
    yield_now().await;
    leaf(owner);
    yield_now().await;
}

#[observe(skip_all)]
fn leaf(owner: usize) {
    current_span().metadata("owner", owner);
}

/// Polls a future a few times, now and then, and drops it before its end.
async fn half_way(future: impl Future<Output = ()>) {
    let mut future = std::pin::pin!(future);
    for _ in 0..2 {
        std::future::poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await.is_ready();
        tokio::task::yield_now().await;
    }
}

/// What one task does, differently from its neighbours.
async fn work(owner: usize) {
    let inner = || session(format!("{owner}")).tag(format!("{owner}"));
    match owner % 6 {
        0 => step(owner).await,
        1 => half_way(async move { (step(owner).await, std::future::pending().await).1 }).await,
        2 => {
            let panics = async move {
                leaf(owner);
                yield_now().await;
                std::panic::resume_unwind(Box::new(()));
            };
            assert!(observe::spawn(panics).await.is_err());
        }
        // Begun here and polled by another task.
        3 => {
            let mut begun = Box::pin(inner().scope(step(owner)));
            std::future::poll_fn(|task| Poll::Ready(begun.as_mut().poll(task))).await.is_ready();
            tokio::spawn(begun).await.unwrap();
        }
        4 => {
            inner().sync_scope(|| leaf(owner));
            let _guard = observe::spawn_blocking(move || {
                let _guard = session(format!("{owner}")).enter();
                leaf(owner);
            });
            _guard.await.unwrap();
        }
        _ => {
            span("by hand").metadata("owner", owner).scope(step(owner)).await;
        }
    }
    leaf(owner);
}

#[test]
fn no_span_of_one_session_carries_anothers_among_thousands_of_tasks() {
    support::memory();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let trace_of = |owner: usize| TraceId::from_seed(format!("task {owner}"));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..TASKS)
            .map(|owner| {
                let scope = session(format!("{owner}")).user(format!("{owner}")).trace_id(trace_of(owner));
                tokio::spawn(async move {
                    scope.scope(span("task").metadata("owner", owner).scope(work(owner))).await;
                    assert_eq!(observe::current_trace_id(), None);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    assert!(observe::flush(std::time::Duration::from_secs(60)).complete);
    let mut seen = BTreeSet::new();
    for span in support::memory().spans() {
        let Some(owner) = span.metadata.get("owner").and_then(Value::as_u64) else { continue };
        let owner = owner as usize;
        seen.insert(owner);
        let a = &span.attributes;
        assert_eq!(a.session, Some(owner.to_string()), "{span:?}");
        assert_eq!(a.user, Some(owner.to_string()), "{span:?}");
        assert!(a.tags.iter().all(|tag| *tag == owner.to_string()), "{span:?}");
        assert_eq!(span.trace_id, trace_of(owner), "{span:?}");
    }
    assert_eq!(seen.len(), TASKS);
}
