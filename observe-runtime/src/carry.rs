//! Taking the context over tasks and threads.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use crate::context::Ambient;

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

/// [`ObserveExt::in_current_span`] for every future.
pub trait ObserveExt: Sized {
    /// The same future, polled in the context that is current now.
    ///
    /// ```
    /// use observe_runtime::ObserveExt;
    /// # fn spawn_somewhere(_: impl Future) {}
    /// spawn_somewhere(async { /* the same trace and session as outside */ }.in_current_span());
    /// ```
    fn in_current_span(self) -> InSpan<Self>;
}

impl<F: Future> ObserveExt for F {
    fn in_current_span(self) -> InSpan<Self> {
        InSpan { future: self, ambient: Ambient::current() }
    }
}

pin_project_lite::pin_project! {
    /// A future that takes its context with it; made by [`ObserveExt::in_current_span`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct InSpan<F> {
        #[pin]
        future: F,
        ambient: Ambient,
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = this.ambient.enter();
        this.future.poll(task)
    }
}

/// [`tokio::spawn`], in the context that is current now.
///
/// # Panics
///
/// Like [`tokio::spawn`], outside a tokio runtime.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

/// [`tokio::task::spawn_blocking`], in the context that is current now.
///
/// # Panics
///
/// Like [`tokio::task::spawn_blocking`], outside a tokio runtime.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn spawn_blocking<F, R>(body: F) -> tokio::task::JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    tokio::task::spawn_blocking(carry(body))
}
