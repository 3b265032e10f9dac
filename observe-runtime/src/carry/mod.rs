//! Taking the context over tasks and threads.

#[cfg(feature = "tokio")]
mod task;
pub mod thread;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(feature = "tokio")]
pub use task::{JoinSet, spawn, spawn_blocking, spawn_local};

use futures_core::Stream;
use observe_model::{SpanId, TraceId};

use crate::{
    call::{MaybeId, Place},
    context::Ambient,
    scope::{Plan, Scoped},
};

/// Wraps `body` so that it runs in the context that is current now, wherever and whenever it is called.
///
/// For threads, thread pools and rayon:
///
/// ```
/// std::thread::spawn(observe_runtime::carry(|| { /* the same trace and session as outside */ }));
/// ```
pub fn carry<R>(body: impl FnOnce() -> R) -> impl FnOnce() -> R {
    let mut ambient = Ambient::current();
    move || {
        let _entered = ambient.enter();
        body()
    }
}

/// The context that is current now, to be put in force elsewhere, as often as need be.
///
/// For closures that are called more than once or are given something, as parallel iterators do:
///
/// ```
/// let context = observe_runtime::current_context();
/// let lengths = ["a", "bc"].map(|text| context.sync_scope(|| text.len()));
/// ```
pub fn current_context() -> CurrentContext {
    CurrentContext { ambient: Ambient::current() }
}

/// A trace, a span and a scope's attributes; made by [`current_context`].
#[derive(Debug, Clone)]
pub struct CurrentContext {
    ambient: Ambient,
}

impl CurrentContext {
    /// The same `future`, polled in this context.
    pub fn scope<F: Future>(&self, future: F) -> InSpan<F> {
        InSpan { inner: future, ambient: self.ambient.clone() }
    }

    /// Runs `body` in this context, on this thread.
    pub fn sync_scope<R>(&self, body: impl FnOnce() -> R) -> R {
        let mut ambient = self.ambient.clone();
        let _entered = ambient.enter();
        body()
    }
}

/// What every future can be given, and the context every stream too.
pub trait ObserveExt: Sized {
    /// The same future or stream, polled in the context that is current now.
    ///
    /// ```
    /// use observe_runtime::ObserveExt;
    /// # fn spawn_somewhere(_: impl Future) {}
    /// spawn_somewhere(async { /* the same trace and session as outside */ }.in_current_span());
    /// ```
    fn in_current_span(self) -> InSpan<Self>;

    /// The same future, in the trace `id`: the first span inside is a root of it. `None` leaves it to what is in force.
    ///
    /// It gives one call its trace and leaves its signature alone:
    ///
    /// ```
    /// use observe_runtime::{ObserveExt, TraceId};
    /// # async fn process(_: &str) {}
    /// # async fn example() {
    /// process("hello").with_trace_id(TraceId::from_seed("request-7")).await;
    /// # }
    /// ```
    #[doc(alias = "langfuse_trace_id")]
    fn with_trace_id(self, id: impl MaybeId<TraceId>) -> Scoped<Self>
    where
        Self: Future;

    /// The same future, under the span `id`, which may be one of another process: the first span inside has it as its
    /// parent. `None` leaves it to what is in force.
    #[doc(alias = "langfuse_parent_observation_id")]
    fn with_parent(self, id: impl MaybeId<SpanId>) -> Scoped<Self>
    where
        Self: Future;
}

// One implementation for both: the compiler cannot know that no type is a future and a stream.
impl<T> ObserveExt for T {
    fn in_current_span(self) -> InSpan<Self> {
        InSpan { inner: self, ambient: Ambient::current() }
    }

    fn with_trace_id(self, id: impl MaybeId<TraceId>) -> Scoped<Self>
    where
        Self: Future,
    {
        Scoped::new(Plan::of_place(Place::new().trace_id(id)), self)
    }

    fn with_parent(self, id: impl MaybeId<SpanId>) -> Scoped<Self>
    where
        Self: Future,
    {
        Scoped::new(Plan::of_place(Place::new().parent(id)), self)
    }
}

pin_project_lite::pin_project! {
    /// A future or stream that takes its context with it; made by [`ObserveExt::in_current_span`].
    #[derive(Debug)]
    #[must_use = "futures and streams do nothing unless polled"]
    pub struct InSpan<F> {
        #[pin]
        inner: F,
        ambient: Ambient,
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.ambient.enter();
        this.inner.poll(task)
    }
}

impl<S: Stream> Stream for InSpan<S> {
    type Item = S::Item;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = self.project();
        let _entered = this.ambient.enter();
        this.inner.poll_next(task)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
