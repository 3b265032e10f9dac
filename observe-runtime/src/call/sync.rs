//! A call that runs to its end on this thread.

use std::{fmt, mem::ManuallyDrop};

use observe_model::SpanId;
use observe_wire::journal::entry::{Ending, Field};

use super::{Call, Place, Slot, end, end_with_text, outcomes};
use crate::{capture::Capture, context, panic_text, site::Site};

/// An observed call on this thread. Dropped before its end, it was unwound through.
#[derive(Debug)]
pub struct SyncCall {
    pub(super) live: Slot,
}

outcomes!(SyncCall);

impl SyncCall {
    #[cold]
    #[inline(never)]
    fn unwound(&mut self) {
        if let Some(span) = self.live.span() {
            if std::thread::panicking() {
                end_with_text(span, Ending::Panicked, &panic_text::last());
            } else {
                // The body is in its own function and left it early.
                end(span, Ending::Returned, |_| false);
            }
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

    #[inline]
    fn returned(&mut self, value: &dyn Capture) {
        self.live.returned(value);
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
