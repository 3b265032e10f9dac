//! A call that is polled.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use observe_model::{Failure, SpanId};
use observe_wire::journal::entry::{Ending, Field};

use super::{Outer, Place, Start, change, end, end_with_text, note_failure, outcomes};
use crate::{
    capture::{self, Slot},
    context::{self, Ambient, Context, Stamp},
    panic_text,
    site::{Key, Site},
};

/// An observed future. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct AsyncCall {
    /// `None` for a call that is not observed.
    live: Option<LiveAsync>,
}

#[derive(Debug)]
struct LiveAsync {
    /// `None` for a call that is not recorded but has its context in force.
    span: Option<SpanId>,
    ambient: Ambient,
    /// Set while the body is polled; stays set if that unwinds.
    polled: bool,
}

impl AsyncCall {
    outcomes!();

    /// Begins a span of `site` where the context says.
    #[inline(always)]
    pub fn start(&mut self, start: &mut Start, site: &'static Site) {
        if !context::is_unsampled() {
            self.begin(start, site);
        }
    }

    #[inline(never)]
    fn begin(&mut self, start: &mut Start, site: &'static Site) {
        let outer = context::current();
        start.begin(site, outer, &site.note.name);
        self.keep(outer, None);
    }

    /// Begins a span of `site` at `place`.
    pub fn start_at(&mut self, start: &mut Start, site: &'static Site, place: &Place) {
        let outer = context::settled();
        let (at, stamp) = place.enter(outer, &site.note.name);
        start.begin(site, at, &site.note.name);
        self.keep(outer, stamp);
    }

    /// Keeps what is in force for the polls, and puts back what was, but for as long as the start is being written.
    #[inline]
    fn keep(&mut self, outer: Context, outer_stamp: Option<Option<Arc<Stamp>>>) {
        let inner = context::current();
        let stamp = if inner.stamp == 0 { None } else { context::current_stamp() };
        self.live = Some(LiveAsync { span: None, ambient: Ambient { context: inner, stamp }, polled: false });
        Outer { context: outer, stamp: outer_stamp }.restore();
    }

    /// Begins the span.
    #[inline(never)]
    pub fn enter(&mut self, start: &mut Start) {
        if let Some(live) = &mut self.live {
            let _entered = live.ambient.enter();
            live.span = start.commit();
        }
    }

    /// Runs `body` with the span in force at every poll.
    #[inline(always)]
    pub fn run<'a, F: Future>(&'a mut self, body: Pin<&'a mut F>) -> Run<'a, F> {
        Run { body, call: self }
    }

    #[inline]
    fn leave(&mut self) {
        self.live = None;
    }

    #[cold]
    #[inline(never)]
    fn cut_short(&mut self) {
        if let Some(LiveAsync { span: Some(span), polled, .. }) = &self.live {
            if *polled {
                end_with_text(*span, Ending::Panicked, &panic_text::last());
            } else {
                end(*span, Ending::Cancelled, |_| false);
            }
        }
        self.leave();
    }
}

impl Drop for AsyncCall {
    #[inline(always)]
    fn drop(&mut self) {
        if self.live.is_some() {
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

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let Self { body, call } = &mut *self;
        let Some(live) = &mut call.live else {
            return body.as_mut().poll(task);
        };
        live.polled = true;
        let polled = {
            let _entered = live.ambient.enter();
            body.as_mut().poll(task)
        };
        live.polled = false;
        polled
    }
}
