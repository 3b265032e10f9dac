//! One observed call, as the macro drives it: place it ([`Place`]), capture its arguments ([`Start`]), run it
//! ([`SyncCall`], [`AsyncCall`]), capture what it returned.

mod future;
mod place;
mod start;
mod sync;

pub use self::{
    future::AsyncCall,
    place::{MaybeId, Place},
    start::Start,
    sync::SyncCall,
};

use std::sync::Arc;

use observe_model::{Failure, SpanId};
use observe_wire::journal::entry::{self, Ending, Field, Kind};
use serde::Serialize;

use crate::{
    capture, clock,
    context::{self, Context, Stamp},
    journal::Draft,
};

/// What a running call must put back when it ends.
#[derive(Debug)]
struct Outer {
    context: Context,
    /// The stamp that was in force before, if the call put its own in force.
    stamp: Option<Option<Arc<Stamp>>>,
}

impl Outer {
    #[inline]
    fn restore(&mut self) {
        context::set(self.context);
        if let Some(stamp) = self.stamp.take() {
            context::replace_stamp(stamp);
        }
    }
}

/// Writes an end with what `payload` puts.
#[inline]
pub(crate) fn end(span: SpanId, ending: Ending, payload: impl FnOnce(&mut Draft) -> bool) {
    let ticks = clock::ticks();
    if let Ok(mut draft) = Draft::begin::<16>(Kind::End, 0) {
        let filled = payload(&mut draft);
        draft.commit(ending as u8, filled, |bytes| *bytes = entry::moment(span.to_int(), ticks));
    }
}

/// Writes an end with a text.
#[cold]
pub(crate) fn end_with_text(span: SpanId, ending: Ending, text: &str) {
    end(span, ending, |draft| {
        capture::put(draft, text);
        true
    });
}

/// Writes a change of `span`.
pub(crate) fn change(span: SpanId, field: Field, payload: impl FnOnce(&mut Draft)) {
    let ticks = clock::ticks();
    if let Ok(mut draft) = Draft::begin::<16>(Kind::Change, 0) {
        payload(&mut draft);
        draft.commit(field as u8, true, |bytes| *bytes = entry::moment(span.to_int(), ticks));
    }
}

/// Notes an error with its sources; what ends the span with it says its text alone.
pub(crate) fn note_failure(span: SpanId, failure: &Failure) {
    #[derive(Serialize)]
    struct Noted<'a> {
        errors: [&'a Failure; 1],
    }
    change(span, Field::Details, |draft| capture::put(draft, &Noted { errors: [failure] }));
}

/// What both kinds of call offer the macro.
macro_rules! outcomes {
    () => {
        /// A call that is not observed. No constant: that would be copied whole, and this writes one word.
        #[inline(always)]
        #[expect(clippy::new_without_default, reason = "only the macro makes calls")]
        pub fn new() -> Self {
            Self { live: None }
        }

        /// Whether there is anything to do when the body has run.
        #[inline(always)]
        pub fn is_live(&self) -> bool {
            self.live.is_some()
        }

        /// Whether an output is wanted.
        #[inline(always)]
        pub fn is_recording(&self) -> bool {
            self.span().is_some()
        }

        #[inline(always)]
        fn span(&self) -> Option<SpanId> {
            self.live.as_ref()?.span
        }

        /// Ends the span with the value that `put` writes.
        #[inline]
        pub fn returned(&mut self, put: impl FnOnce(&mut Slot<'_>)) {
            if let Some(span) = self.span() {
                end(span, Ending::Returned, |draft| {
                    let mut slot = Slot { draft, filled: false };
                    put(&mut slot);
                    slot.filled
                });
            }
            self.leave();
        }

        /// Ends the span with an error.
        #[cold]
        pub fn failed(&mut self, failure: &Failure) {
            if let Some(span) = self.span() {
                if failure.kind.is_some() {
                    note_failure(span, failure);
                }
                end_with_text(span, Ending::Error, &failure.text());
            }
            self.leave();
        }

        /// Names the span.
        pub fn name(&mut self, name: impl fmt::Display) {
            self.text(Field::Name, &name);
        }

        /// Says which model it calls.
        pub fn model(&mut self, model: impl fmt::Display) {
            self.text(Field::Model, &model);
        }

        /// Says which version of the component runs.
        pub fn version(&mut self, version: impl fmt::Display) {
            self.text(Field::Version, &version);
        }

        /// Adds metadata.
        pub fn metadata(&mut self, key: &'static Key, put: impl FnOnce(&mut Slot<'_>)) {
            if let Some(span) = self.span() {
                change(span, Field::Metadata, |draft| {
                    key.put(draft);
                    if let Some(first) = draft.first() {
                        *first = b'{';
                    }
                    let mut slot = Slot { draft: &mut *draft, filled: false };
                    if key.is_secret() {
                        slot.draft.put(capture::REDACTED);
                    } else {
                        put(&mut slot);
                        if !slot.filled {
                            draft.put(b"null");
                        }
                    }
                    draft.put(b"}");
                });
            }
        }

        fn text(&mut self, field: Field, text: &dyn fmt::Display) {
            if let Some(span) = self.span() {
                change(span, field, |draft| capture::put_text(draft, text));
            }
        }
    };
}
use outcomes;

/// Gives `body` back. Its bound makes the compiler take the closure as `FnOnce`, so that it may give away what it captured.
#[inline(always)]
pub fn once<R, F: FnOnce() -> R>(body: F) -> F {
    body
}
