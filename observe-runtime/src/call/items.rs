//! What comes out of a stream or an iterator, one after the other: the output of the call that returned it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use observe_wire::journal::entry::{Ending, Field};

use observe_model::{Failure, SpanId};

use super::{Call, Going, change, end, end_with_text, later::Detach, note_failure};
use crate::{
    capture::{self, Capture},
    journal::Draft,
    panic_text,
};

/// A call whose output comes in items. Dropped before its end, it was abandoned.
#[derive(Debug)]
pub struct Items {
    call: Going,
    /// Whether items are captured.
    capture: bool,
    array: Array,
    /// An item came.
    began: bool,
    /// An item was an `Err`.
    failed: bool,
}

/// The items as the elements of a JSON array, up to the capture limit.
#[derive(Debug, Default)]
struct Array {
    /// The array without its closing bracket, as the journal holds it.
    bytes: Vec<u8>,
    /// It holds raw segments.
    raw: bool,
    /// Items that were left out.
    cut: u64,
}

impl Array {
    /// Appends an item, if there is room for it.
    fn push(&mut self, put: impl FnOnce(&mut Draft<'_>)) {
        if self.cut > 0 {
            self.cut += 1;
            return;
        }
        let before = self.bytes.len();
        self.bytes.push(if before == 0 { b'[' } else { b',' });
        // Written where everything that is captured is, and taken from there: what it calls is not recorded.
        let written = Draft::aside(&mut self.bytes, put);
        self.raw |= written == Some(true);
        if written.is_none() || (before > 0 && self.bytes.len() > capture::limit()) {
            self.bytes.truncate(before);
            self.cut = 1;
        }
    }

    /// Writes the array.
    fn put(&self, draft: &mut Draft<'_>) {
        if self.bytes.is_empty() {
            draft.put(b"[");
        } else {
            draft.put_captured(&self.bytes, self.raw);
        }
        if self.cut > 0 {
            draft.put(if self.bytes.is_empty() { b"\"$cut: " } else { b",\"$cut: " });
            draft.put(itoa::Buffer::new().format(self.cut).as_bytes());
            draft.put(b" more\"");
        }
        draft.put(b"]");
    }
}

impl Items {
    pub(super) fn new(call: Going, capture: bool) -> Self {
        Self { call, capture, array: Array::default(), began: false, failed: false }
    }

    /// Whether items are wanted.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.call.is_recording()
    }

    /// An item came, which `put` writes.
    fn came(&mut self, put: impl FnOnce(&mut Draft<'_>)) {
        if let Some(span) = self.span()
            && !self.began
        {
            self.began = true;
            change(span, Field::First, |_| {});
        }
        if self.capture {
            self.array.push(put);
        }
    }

    /// Runs `step` with the span in force. If it panics, the span has ended.
    #[inline]
    pub(super) fn within<R>(&mut self, step: impl FnOnce() -> R) -> R {
        struct Unwound<'a>(&'a mut Items);
        impl Drop for Unwound<'_> {
            fn drop(&mut self) {
                self.0.unwound();
            }
        }
        if !self.call.is_live() {
            return step();
        }
        let guard = Unwound(self);
        let result = guard.0.call.step(step);
        std::mem::forget(guard);
        result
    }

    #[cold]
    fn unwound(&mut self) {
        if let Some(span) = self.call.span() {
            if self.capture {
                change(span, Field::Output, |draft| self.array.put(draft));
            }
            end_with_text(span, Ending::Panicked, &panic_text::last());
        }
        self.leave();
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self) {
        self.close(Ending::Returned);
    }

    /// Nobody wants what is still to come, if anything is: `size_hint` may know that nothing is.
    pub(super) fn dropped(&mut self, size_hint: impl FnOnce() -> (usize, Option<usize>)) {
        if self.is_recording() {
            // The user's code, in a destructor: a panic while another one unwinds would end the process.
            let is_over = !std::thread::panicking()
                && catch_unwind(AssertUnwindSafe(size_hint)).is_ok_and(|hint| hint.1 == Some(0));
            self.close(if is_over { Ending::Returned } else { Ending::Abandoned });
        }
    }

    fn close(&mut self, ending: Ending) {
        if let Some(span) = self.call.span() {
            end(span, ending, |draft| {
                if self.capture {
                    self.array.put(draft);
                }
                self.capture
            });
        }
        self.leave();
    }
}

/// What the macro says of a call, it says here of each item.
impl Call for Items {
    #[inline]
    fn span(&self) -> Option<SpanId> {
        self.call.span()
    }

    /// The span has ended: nothing of it is kept.
    fn leave(&mut self) {
        self.call.leave();
        self.array = Array::default();
    }

    fn returned(&mut self, item: &dyn Capture) {
        self.came(|draft| capture::put_any(draft, item));
    }

    fn returned_nothing(&mut self) {
        self.came(|draft| draft.put(b"null"));
    }

    /// The first item that is an error tells why the span failed.
    #[cold]
    fn failed(&mut self, failure: &Failure) {
        let text = &*failure.text();
        if let Some(span) = self.span()
            && !self.failed
        {
            self.failed = true;
            if failure.kind.is_some() {
                note_failure(span, failure);
            }
            change(span, Field::Failed, |draft| capture::put(draft, text));
        }
        self.came(|draft| {
            draft.put(b"{\"$error\":");
            capture::put(draft, text);
            draft.put(b"}");
        });
    }
}

/// What a stream gives out is no part of the call.
impl Detach for Items {
    fn detach(&mut self) -> Going {
        Going::none()
    }
}

/// A copy of an iterator is not observed: its items are not those that the call returned.
impl Clone for Items {
    fn clone(&self) -> Self {
        Self::new(Going::none(), false)
    }
}
