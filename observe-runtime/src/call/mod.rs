//! One observed call, as the macro drives it: place it ([`Place`]), capture its arguments ([`Start`]), run it
//! ([`SyncCall`], [`AsyncCall`]), capture what it returned. A future, stream or iterator that it returned goes on inside
//! the call ([`Later`]).
//!
//! What the expansion calls is inlined where the compiler optimises, and never `always`: without optimisation that would be
//! a copy for it to compile at every annotated function.

mod boxed;
mod deferred;
mod going;
mod items;
mod iterator;
mod later;
mod place;
pub mod polled;
mod start;
mod stream;
pub mod sync;

pub use self::{
    later::{AsBoxed, AsFuture, AsIterator, AsStream, InOption, InResult, Later, Now, insist, is_recording},
    place::{MaybeId, Place},
};

pub(crate) use self::start::Start;
use self::{
    going::Going,
    items::Items,
    polled::{AsyncCall, Away},
    sync::SyncCall,
};

use std::{fmt, marker::PhantomData, mem::ManuallyDrop, sync::Arc};

use observe_model::{Failure, SpanId};
use observe_wire::journal::entry::{Ending, Field, Kind};
use serde::Serialize;

use crate::{
    capture::{self, Capture},
    clock,
    context::{self, Context, Stamp},
    journal::Draft,
    scope,
};

/// What a call must know whose span differs from its surroundings by more than its own id.
#[derive(Debug)]
struct More {
    /// The call's span, if it is recorded.
    span: Option<SpanId>,
    place: Whereabouts,
}

#[derive(Debug)]
enum Whereabouts {
    /// In force.
    Here {
        inner: Context,
        outer: Context,
        /// The stamp that was in force before, if the call put its own in force.
        stamp: Option<Option<Arc<Stamp>>>,
    },
    /// A future between its polls, or in one after the first.
    Away(Away),
}

/// A call that is observed and has not ended.
#[derive(Debug)]
struct Live {
    /// Its span, which is in force; of no meaning if there is more.
    span: SpanId,
    /// The span that was in force before.
    parent: u64,
    more: Option<Box<More>>,
}

/// [`Live`] where there is such a call. What it owns is always taken out by [`Slot::leave`]: the calls' own `Drop` sees to
/// that, and nothing is asked again behind it.
#[derive(Debug)]
struct Slot(ManuallyDrop<Option<Live>>);

impl Slot {
    #[inline]
    fn is_off(&self) -> bool {
        self.0.is_none()
    }

    /// The span, if it is recorded and has not ended.
    #[inline]
    fn span(&self) -> Option<SpanId> {
        let live = self.0.as_ref()?;
        match &live.more {
            None => Some(live.span),
            Some(more) => more.span,
        }
    }

    /// Ends the span with `value`. Apart, so that what calls it stays small.
    #[inline(never)]
    fn returned(&mut self, value: &dyn Capture) {
        if let Some(span) = self.span() {
            end_with::<1>(span, value);
        }
        self.leave();
    }

    /// Puts back what was in force before.
    #[inline]
    fn leave(&mut self) {
        match &*self.0 {
            Some(Live { span, parent, more: None }) if context::is_span(*span) => {
                context::set_span(*parent);
                self.0 = ManuallyDrop::new(None);
            }
            Some(_) => self.leave_from_elsewhere(),
            None => {}
        }
    }

    // Apart, so that what is taken out is no burden to the usual way.
    #[cold]
    #[inline(never)]
    fn leave_from_elsewhere(&mut self) {
        match self.0.take() {
            Some(Live { more: Some(mut more), .. }) => more.leave(),
            Some(live) => live.leave_from_elsewhere(),
            None => {}
        }
    }
}

impl Live {
    /// What is in force inside the call, be it so now or not.
    #[cold]
    #[inline(never)]
    fn inner(&self) -> Context {
        if let Some(Whereabouts::Here { inner, .. }) = self.more.as_ref().map(|more| &more.place) {
            return *inner;
        }
        let current = context::current();
        if context::is_span(self.span) { current } else { scope::around_guards(self.span).unwrap_or(current) }
    }

    /// Puts back what was in force where a guard that was made inside the call is still there.
    fn leave_from_elsewhere(&self) {
        context::set(self.inner());
        context::set_span(self.parent);
    }
}

impl More {
    fn leave(&mut self) {
        if let Whereabouts::Here { outer, stamp, .. } = &mut self.place {
            context::set(*outer);
            if let Some(stamp) = stamp.take() {
                context::replace_stamp(stamp);
            }
        }
    }
}

/// Writes an end with what `payload` puts.
#[inline]
pub(crate) fn end(span: SpanId, ending: Ending, payload: impl FnOnce(&mut Draft<'_>) -> bool) {
    write(Kind::End, ending as u8, span, payload);
}

/// Writes what is said of `span` at this moment, and what `payload` puts; whether that is a payload.
#[inline(always)]
fn write(kind: Kind, code: u8, span: SpanId, payload: impl FnOnce(&mut Draft<'_>) -> bool) {
    let ticks = clock::ticks();
    // What is lost is counted where it is.
    let _ = Draft::write::<16, _>(kind, 0, |mut draft| {
        let filled = payload(&mut draft);
        draft.commit((kind, code), filled, [span.to_int(), ticks]);
    });
}

/// Writes the end of a span that returned `value`; `PLACE` as in [`capture::put_here`].
#[inline(always)]
fn end_with<const PLACE: u8>(span: SpanId, value: &dyn Capture) {
    end(span, Ending::Returned, |draft| {
        capture::put_here::<PLACE>(draft, value);
        true
    });
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
pub(crate) fn change(span: SpanId, field: Field, payload: impl FnOnce(&mut Draft<'_>)) {
    write(Kind::Change, field as u8, span, |draft| {
        payload(draft);
        true
    });
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
pub trait Call {
    /// The span, if it is recorded and has not ended.
    fn span(&self) -> Option<SpanId>;

    /// Ends what the call put in force.
    fn leave(&mut self);

    /// Ends the span with `value`.
    fn returned(&mut self, value: &dyn Capture) {
        if let Some(span) = self.span() {
            end_with::<2>(span, value);
        }
        self.leave();
    }

    /// Ends the span without an output.
    fn returned_nothing(&mut self) {
        if let Some(span) = self.span() {
            end(span, Ending::Returned, |_| false);
        }
        self.leave();
    }

    /// Ends the span with an error.
    #[cold]
    fn failed(&mut self, failure: &Failure) {
        if let Some(span) = self.span() {
            if failure.kind.is_some() {
                note_failure(span, failure);
            }
            end_with_text(span, Ending::Error, &failure.text());
        }
        self.leave();
    }

    /// Makes `value` the input.
    fn input(&self, value: &dyn Capture) {
        if let Some(span) = self.span() {
            change(span, Field::Input, |draft| capture::put_any(draft, value));
        }
    }

    /// Adds metadata.
    fn metadata(&self, key: &str, value: &dyn Capture) {
        if let Some(span) = self.span() {
            change(span, Field::Metadata, |draft| {
                draft.put(b"{");
                capture::put(draft, key);
                draft.put(b":");
                if capture::is_secret(key) {
                    draft.put(capture::REDACTED);
                } else {
                    capture::put_any(draft, value);
                }
                draft.put(b"}");
            });
        }
    }

    /// Sets a text of the span.
    fn text(&self, field: Field, text: &dyn fmt::Display) {
        if let Some(span) = self.span() {
            change(span, field, |draft| capture::put_text(draft, text));
        }
    }
}

/// What the macro calls, beside each kind of call: functions, for a method takes the compiler a look-up at every place.
macro_rules! outcomes {
    ($call:ident) => {
        /// A call that is not observed. No constant: that would be copied whole, and this writes one word.
        #[inline]
        pub fn new() -> $call {
            $call { live: Slot(ManuallyDrop::new(None)) }
        }

        /// Whether there is anything to do when the body has run.
        #[inline]
        pub fn is_live(call: &$call) -> bool {
            !call.live.is_off()
        }

        /// Begins a span of `site` where the context says, with these arguments; whether it is recorded.
        #[inline]
        pub fn begin(call: &mut $call, site: &'static Site, arguments: &[&dyn Capture]) -> bool {
            !context::is_plainly_left_out() && call.live.begin(site, arguments)
        }

        /// The same at `place`.
        pub fn begin_at(
            call: &mut $call,
            site: &'static Site,
            place: &Place,
            arguments: &[&dyn Capture],
        ) -> bool {
            call.live.begin_at(site, place, arguments)
        }

        /// Whether an output is wanted.
        #[inline]
        pub fn is_recording(call: &$call) -> bool {
            call.span().is_some()
        }

        /// Ends the span of a call that returned `()`.
        #[inline]
        pub fn returned_nothing(call: &mut $call) {
            if is_live(call) {
                Call::returned_nothing(call);
            }
        }

        /// Names the span.
        pub fn name(call: &$call, name: impl fmt::Display) {
            call.text(Field::Name, &name);
        }

        /// Says which model it calls.
        pub fn model(call: &$call, model: impl fmt::Display) {
            call.text(Field::Model, &model);
        }

        /// Says which version of the component runs.
        pub fn version(call: &$call, version: impl fmt::Display) {
            call.text(Field::Version, &version);
        }
    };
}
use outcomes;

/// Gives `body` back. Its bound makes the compiler take the closure as `FnOnce`, so that it may give away what it captured.
#[inline]
pub fn once<R, F: FnOnce() -> R>(body: F) -> F {
    body
}

/// A value of a type, for the compiler to read. Never called.
pub fn never<T>() -> T {
    loop {
        std::thread::park();
    }
}

/// A type that has no name: what one function returns, told to the compiler for the body inside it.
#[derive(Debug)]
pub struct Same<T>(PhantomData<fn() -> T>);

impl<T> Same<T> {
    /// Of whichever type it turns out to be.
    #[inline]
    #[expect(clippy::new_without_default, reason = "only the macro makes it")]
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// The value, which is of the type.
    #[inline]
    pub fn is(self, value: T) -> T {
        value
    }

    /// A value of the type. Never called.
    pub fn never(self) -> T {
        never()
    }
}

impl<T> Clone for Same<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Same<T> {}
