//! A call that runs to its end on this thread.

use std::{fmt, mem::ManuallyDrop};

use observe_model::SpanId;
use observe_wire::journal::entry::{Ending, Field};

use super::{Call, Place, Slot, Start, end_with_text, outcomes};
use crate::{context, panic_text, site::Site};

/// An observed call on this thread. Dropped before its end, it was unwound through.
#[derive(Debug)]
pub struct SyncCall {
    live: Slot,
}

impl SyncCall {
    outcomes!();

    #[cold]
    #[inline(never)]
    fn unwound(&mut self) {
        if let Some(span) = self.live.span() {
            end_with_text(span, Ending::Panicked, &panic_text::last());
        }
        self.live.leave();
    }
}

impl Call for SyncCall {
    #[inline]
    fn span(&self) -> Option<SpanId> {
        self.live.span()
    }

    #[inline]
    fn leave(&mut self) {
        self.live.leave();
    }
}

impl Drop for SyncCall {
    #[inline]
    fn drop(&mut self) {
        if !self.live.is_off() {
            self.unwound();
        }
    }
}
