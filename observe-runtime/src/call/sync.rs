//! A call that runs to its end on this thread.

use std::fmt;

use observe_model::{Failure, SpanId};
use observe_wire::journal::entry::{Ending, Field};

use super::{Outer, Place, Start, change, end, end_with_text, note_failure, outcomes};
use crate::{
    capture::{self, Slot},
    context, panic_text,
    site::{Key, Site},
};

/// An observed call on this thread. Dropped before its end, it was unwound through.
#[derive(Debug)]
pub struct SyncCall {
    /// `None` for a call that is not observed.
    live: Option<LiveSync>,
}

#[derive(Debug)]
struct LiveSync {
    /// `None` for a call that is not recorded but keeps its context in force.
    span: Option<SpanId>,
    outer: Outer,
}

impl SyncCall {
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
        self.live = Some(LiveSync { span: None, outer: Outer { context: outer, stamp: None } });
        start.begin(site, outer, &site.note.name);
    }

    /// Begins a span of `site` at `place`.
    pub fn start_at(&mut self, start: &mut Start, site: &'static Site, place: &Place) {
        let outer = context::settled();
        let (at, stamp) = place.enter(outer, &site.note.name);
        self.live = Some(LiveSync { span: None, outer: Outer { context: outer, stamp } });
        start.begin(site, at, &site.note.name);
    }

    /// Begins the span.
    #[inline(never)]
    pub fn enter(&mut self, start: &mut Start) {
        if let Some(live) = &mut self.live {
            live.span = start.commit();
        }
    }

    #[inline]
    fn leave(&mut self) {
        if let Some(live) = &mut self.live {
            live.outer.restore();
        }
        self.live = None;
    }

    #[cold]
    #[inline(never)]
    fn unwound(&mut self) {
        if let Some(span) = self.span() {
            end_with_text(span, Ending::Panicked, &panic_text::last());
        }
        self.leave();
    }
}

impl Drop for SyncCall {
    #[inline(always)]
    fn drop(&mut self) {
        if self.live.is_some() {
            self.unwound();
        }
    }
}
