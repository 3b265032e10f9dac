//! A call that is polled.

use std::{
    fmt,
    future::Future,
    mem::ManuallyDrop,
    panic::UnwindSafe,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use observe_model::SpanId;
use observe_wire::journal::entry::{Ending, Field};
use pin_project_lite::pin_project;

use super::{Call, Live, More, Place, Slot, Whereabouts, end, end_with_text, outcomes};
use crate::{
    capture::Capture,
    context::{self, Ambient, Outer},
    panic_text,
    site::Site,
};

/// An observed future. Dropped before its end, it was cancelled.
///
/// It begins in its first poll, and the body is polled in the same one, so its context stays in force meanwhile as a
/// synchronous call's does. Only a body that has to wait takes it along.
#[derive(Debug)]
pub struct AsyncCall {
    pub(super) live: Slot,
}

/// What a future that waits takes along.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) ambient: Ambient,
    /// What to put back when the poll is over. While the body is not polled there is none; it stays if the body unwinds.
    outer: Option<Outer>,
}

outcomes!(AsyncCall);

/// Runs `body` with the span in force at every poll. The call must have begun in this poll.
#[inline]
pub fn run<R, F: Future<Output = R>>(call: &mut AsyncCall, body: F) -> Run<'_, F> {
    Run { body, call }
}

impl AsyncCall {
    /// What the body took along when it first had to wait.
    #[inline]
    fn away(&mut self) -> Option<&mut Away> {
        match &mut self.live.0.as_mut()?.more.as_mut()?.place {
            Whereabouts::Away(away) => Some(away),
            Whereabouts::Here { .. } => None,
        }
    }

    /// Puts in force what the body took along; whether it had to wait before.
    #[inline]
    fn resume(&mut self) -> bool {
        let away = self.away();
        away.map(|away| away.outer = Some(away.ambient.put())).is_some()
    }

    /// Puts back what was in force before the poll, if the body had to wait before it or has to wait now.
    #[inline]
    fn pause(&mut self, was_away: bool, is_pending: bool) {
        if was_away {
            self.away().map(Away::leave);
        } else if is_pending && is_live(self) {
            self.suspend();
        }
    }

    /// Takes along what is in force, and puts back what was before.
    #[cold]
    #[inline(never)]
    fn suspend(&mut self) {
        let Some(live) = &*self.live.0 else { return };
        let (span, parent, inner) = (live.span, live.parent, live.inner());
        let ambient = Ambient { context: inner, stamp: context::stamp(inner.stamp) };
        let place = Whereabouts::Away(Away { ambient, outer: None });
        let more = Some(Box::new(More { span: self.live.span(), place }));
        self.live.leave();
        self.live = Slot(ManuallyDrop::new(Some(Live { span, parent, more })));
    }

    #[cold]
    #[inline(never)]
    fn cut_short(&mut self) {
        let span = self.live.span();
        let is_between_polls = self.away().is_some_and(|away| !away.leave());
        match span {
            Some(span) if is_between_polls => end(span, Ending::Cancelled, |_| false),
            Some(span) => end_with_text(span, Ending::Panicked, &panic_text::last()),
            None => {}
        }
        self.live.leave();
    }
}

impl Away {
    /// Puts back what was in force before the poll; whether there was one.
    fn leave(&mut self) -> bool {
        self.outer.take().map(|outer| self.ambient.put_back(outer)).is_some()
    }
}

impl Call for AsyncCall {
    #[inline]
    fn span(&self) -> Option<SpanId> {
        self.live.span()
    }

    #[inline]
    fn leave(&mut self) {
        self.live.leave();
    }

    #[inline]
    fn returned(&mut self, value: &dyn Capture) {
        self.live.returned(value);
    }
}

impl Drop for AsyncCall {
    #[inline]
    fn drop(&mut self) {
        if !self.live.is_off() {
            self.cut_short();
        }
    }
}

pin_project! {
    /// A future with its span in force at every poll.
    #[derive(Debug)]
    pub struct Run<'a, F> {
        #[pin]
        body: F,
        call: &'a mut AsyncCall,
    }
}

/// A panic leaves a call that has ended, and of the body what it would leave without the call.
impl<F: UnwindSafe> UnwindSafe for Run<'_, F> {}

impl<F: Future> Future for Run<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        let was_away = this.call.resume();
        let polled = this.body.poll(task);
        this.call.pause(was_away, polled.is_pending());
        polled
    }
}
