//! A call that goes on outside the body that made what it returned.

use std::mem;

use observe_model::SpanId;
use observe_wire::journal::entry::Ending;

use super::{Call, Live, More, Slot, Whereabouts, end, end_with_text};
use crate::{
    context::{self, Ambient},
    panic_text,
};

/// A call whose body has run, with what is in force while it goes on. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct Going {
    /// `None` for a call that is not observed.
    live: Option<GoingOn>,
}

#[derive(Debug)]
struct GoingOn {
    /// `None` for a call that is not recorded but has its context in force.
    span: Option<SpanId>,
    ambient: Ambient,
}

impl Going {
    /// A call that is not observed.
    #[inline]
    pub(super) fn none() -> Self {
        Self { live: None }
    }

    /// What was in `slot`, which is put out of force.
    pub(super) fn of(slot: &mut Slot) -> Self {
        let span = slot.span();
        let ambient = away(slot).or_else(|| {
            let inner = slot.0.as_ref()?.inner();
            let ambient = Ambient { context: inner, stamp: context::stamp(inner.stamp) };
            slot.leave();
            Some(ambient)
        });
        Self { live: ambient.map(|ambient| GoingOn { span, ambient }) }
    }

    /// Whether the call is observed.
    #[inline]
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Whether an output is wanted.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.span().is_some()
    }

    /// Runs `step` with the span in force.
    #[inline]
    pub(super) fn step<R>(&mut self, step: impl FnOnce() -> R) -> R {
        let Some(live) = &mut self.live else { return step() };
        let _entered = live.ambient.enter();
        step()
    }

    /// Runs `step` with the span in force. If it panics, the span has ended.
    #[inline]
    pub(super) fn within<R>(&mut self, step: impl FnOnce() -> R) -> R {
        struct Unwound<'a>(&'a mut Going);
        impl Drop for Unwound<'_> {
            fn drop(&mut self) {
                if let Some(span) = self.0.span() {
                    end_with_text(span, Ending::Panicked, &panic_text::last());
                }
                self.0.leave();
            }
        }
        let guard = Unwound(self);
        let result = guard.0.step(step);
        mem::forget(guard);
        result
    }
}

/// What a future that had to wait took along.
fn away(slot: &mut Slot) -> Option<Ambient> {
    if !matches!(slot.0.as_ref()?.more.as_deref()?.place, Whereabouts::Away(_)) {
        return None;
    }
    let Some(Live { more: Some(more), .. }) = slot.0.take() else { return None };
    match *more {
        More { place: Whereabouts::Away(away), .. } => Some(away.ambient),
        More { place: Whereabouts::Here { .. }, .. } => None,
    }
}

impl Call for Going {
    #[inline]
    fn span(&self) -> Option<SpanId> {
        self.live.as_ref()?.span
    }

    #[inline]
    fn leave(&mut self) {
        self.live = None;
    }
}

impl Drop for Going {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.span() {
            end(span, Ending::Cancelled, |_| false);
        }
    }
}
