//! A call that is polled.

use std::{
    fmt,
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    task::{Context as TaskContext, Poll},
};

use observe_model::SpanId;
use observe_wire::journal::entry::{Ending, Field};

use super::{Call, Live, More, Place, Slot, Start, Whereabouts, end, end_with_text, outcomes};
use crate::{
    context::{self, Ambient},
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
    /// Set while the body is polled; stays set if that unwinds.
    polled: bool,
}

impl AsyncCall {
    outcomes!();

    /// Runs `body` with the span in force at every poll. The call must have begun in this poll.
    #[inline]
    pub fn run<'a, F: Future>(&'a mut self, body: Pin<&'a mut F>) -> Run<'a, F> {
        Run { body, call: self }
    }

    /// What the body took along when it first had to wait.
    #[inline]
    fn away(&mut self) -> Option<&mut Away> {
        match &mut self.live.0.as_mut()?.more.as_mut()?.place {
            Whereabouts::Away(away) => Some(away),
            Whereabouts::Here { .. } => None,
        }
    }

    /// Takes along what is in force, and puts back what was before.
    #[cold]
    #[inline(never)]
    fn suspend(&mut self) {
        let Some(live) = &*self.live.0 else { return };
        let (span, parent, inner) = (live.span, live.parent, live.inner());
        let ambient = Ambient { context: inner, stamp: context::stamp(inner.stamp) };
        let place = Whereabouts::Away(Away { ambient, polled: false });
        let more = Some(Box::new(More { span: self.live.span(), place }));
        self.live.leave();
        self.live = Slot(ManuallyDrop::new(Some(Live { span, parent, more })));
    }

    #[cold]
    #[inline(never)]
    fn cut_short(&mut self) {
        if let Some(span) = self.live.span() {
            if self.away().is_some_and(|away| !away.polled) {
                end(span, Ending::Cancelled, |_| false);
            } else {
                end_with_text(span, Ending::Panicked, &panic_text::last());
            }
        }
        self.live.leave();
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
}

impl Drop for AsyncCall {
    #[inline]
    fn drop(&mut self) {
        if !self.live.is_off() {
            self.cut_short();
        }
    }
}

/// A future with its span in force at every poll. The body is borrowed: moving it here would copy it.
#[derive(Debug)]
pub struct Run<'a, F> {
    body: Pin<&'a mut F>,
    call: &'a mut AsyncCall,
}

impl<F: Future> Future for Run<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let Self { body, call } = &mut *self;
        let Some(away) = call.away() else {
            let polled = body.as_mut().poll(task);
            if polled.is_pending() && call.is_live() {
                call.suspend();
            }
            return polled;
        };
        away.polled = true;
        let polled = {
            let _entered = away.ambient.enter();
            body.as_mut().poll(task)
        };
        away.polled = false;
        polled
    }
}
