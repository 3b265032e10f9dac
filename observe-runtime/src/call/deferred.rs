//! A future that a function returned: the call goes on until it is ready.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{
    Going,
    later::{AsFuture, Defer, DeferWith},
};

pin_project_lite::pin_project! {
    /// A returned future, with its span in force at every poll.
    #[must_use = "futures do nothing unless polled"]
    pub struct ObservedFuture<F, O> {
        #[pin]
        future: F,
        // Behind the future: what that drops is dropped while the call goes on.
        call: Going,
        outcome: O,
    }
}

impl<F, O> ObservedFuture<F, O> {
    #[inline]
    pub(super) fn new(future: F, call: Going, outcome: O) -> Self {
        Self { future, call, outcome }
    }
}

/// A copy is not observed: the call is that of the original.
impl<F: Clone, O: Clone> Clone for ObservedFuture<F, O> {
    fn clone(&self) -> Self {
        Self::new(self.future.clone(), Going::none(), self.outcome.clone())
    }
}

impl<F: Future> Defer<AsFuture> for F {
    type Call = Going;
    type Value = F::Output;
}

impl<F: Future, O> DeferWith<AsFuture, O> for F {
    type Deferred = ObservedFuture<F, O>;
    #[inline]
    fn defer(self, call: Going, _capture: bool, outcome: O) -> Self::Deferred {
        ObservedFuture::new(self, call, outcome)
    }
}

impl<F: Future, U, O: Fn(&mut Going, F::Output) -> U> Future for ObservedFuture<F, O> {
    type Output = U;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<U> {
        let this = self.project();
        let future = this.future;
        this.call.within(|| future.poll(task)).map(|value| (this.outcome)(this.call, value))
    }
}

impl<F: fmt::Debug, O> fmt::Debug for ObservedFuture<F, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.future.fmt(f)
    }
}
