//! Which span is current: a small record in a thread-local that is set while a scope runs or a future is polled.
//!
//! It is swapped in and out by value, so a poll costs no allocation and no atomic operation, and nothing can leak
//! across an `.await`: what a poll set, its return restores, also when it unwinds.

use std::{
    cell::Cell,
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use observe_model::{SpanId, TraceAttributes, TraceId};

/// The position in a trace at which the next span begins. Zero stands for none: it is copied at every poll, so it is
/// kept to five words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    trace: [u64; 2],
    span: u64,
    /// [`Stamp::number`] of the attributes in force; 0 for none.
    pub(crate) stamp: u64,
    flags: u64,
}

/// The trace was not chosen to be recorded, so nothing below is.
const UNSAMPLED: u64 = 1;

/// `span` is not the innermost one: that one was dropped for want of room.
const DROPPED: u64 = 2;

impl Context {
    pub(crate) const NONE: Self = Self { trace: [0; 2], span: 0, stamp: 0, flags: 0 };

    #[inline]
    pub(crate) fn trace(&self) -> Option<TraceId> {
        TraceId::from_int(self.trace_number())
    }

    #[inline]
    pub(crate) fn has_trace(&self) -> bool {
        (self.trace[0] | self.trace[1]) != 0
    }

    /// The trace's id, 0 for none.
    #[inline]
    pub(crate) fn trace_number(&self) -> u128 {
        (u128::from(self.trace[0]) << 64) | u128::from(self.trace[1])
    }

    /// The innermost recorded span's id, 0 for none.
    #[inline]
    pub(crate) fn span_number(&self) -> u64 {
        self.span
    }

    /// The innermost span that is recorded.
    #[inline]
    pub(crate) fn span(&self) -> Option<SpanId> {
        SpanId::from_int(self.span)
    }

    /// The same in `trace`, which is recorded or not.
    #[inline]
    pub(crate) fn in_trace(mut self, trace: TraceId, is_sampled: bool) -> Self {
        let id = trace.to_int();
        self.trace = [(id >> 64) as u64, id as u64];
        self.flags = if is_sampled { 0 } else { UNSAMPLED };
        self
    }

    /// The same inside `span`.
    #[inline]
    pub(crate) fn in_span(mut self, span: Option<SpanId>) -> Self {
        self.span = span.map_or(0, SpanId::to_int);
        self.flags &= !DROPPED;
        self
    }

    /// The same inside a span that was dropped.
    pub(crate) fn in_dropped_span(mut self) -> Self {
        self.flags |= DROPPED;
        self
    }

    #[inline]
    pub(crate) fn is_unsampled(&self) -> bool {
        self.flags & UNSAMPLED != 0
    }

    /// Whether [`Context::span`] is the span whose code runs.
    pub(crate) fn is_in_recorded_span(&self) -> bool {
        self.flags == 0 && self.span != 0
    }
}

/// Trace attributes as spans carry them: numbered, so that a journal entry names them in eight bytes.
#[derive(Debug)]
pub(crate) struct Stamp {
    pub(crate) number: u64,
    pub(crate) attributes: TraceAttributes,
    /// The attributes as the journal holds them.
    pub(crate) encoded: Vec<u8>,
}

impl Stamp {
    /// `None` if there is nothing to stamp.
    pub(crate) fn new(attributes: TraceAttributes) -> Option<Arc<Self>> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        if attributes.is_empty() {
            return None;
        }
        let encoded = serde_json::to_vec(&attributes).unwrap_or_default();
        Some(Arc::new(Self { number: NUMBERS.fetch_add(1, Ordering::Relaxed), attributes, encoded }))
    }
}

/// No destructor, so that reading it never asks whether one was registered, and works in other destructors.
/// What it owns is always taken out again by the guard that put it in.
struct Slot {
    context: Cell<Context>,
    stamp: Cell<ManuallyDrop<Option<Arc<Stamp>>>>,
}

thread_local! {
    static CURRENT: Slot = const {
        Slot { context: Cell::new(Context::NONE), stamp: Cell::new(ManuallyDrop::new(None)) }
    };
}

/// The current context.
#[inline]
pub(crate) fn current() -> Context {
    CURRENT.with(|slot| slot.context.get())
}

/// Whether what runs now belongs to a trace that is not recorded.
#[inline]
pub(crate) fn is_unsampled() -> bool {
    current().is_unsampled()
}

/// Sets the current context's place in the trace; whoever calls this restores it.
#[inline]
pub(crate) fn set(context: Context) {
    CURRENT.with(|slot| slot.context.set(context));
}

/// Puts `stamp` in force and gives the one before; whoever calls this restores it.
pub(crate) fn replace_stamp(stamp: Option<Arc<Stamp>>) -> Option<Arc<Stamp>> {
    CURRENT.with(|slot| ManuallyDrop::into_inner(slot.stamp.replace(ManuallyDrop::new(stamp))))
}

/// The attributes in force.
pub(crate) fn current_stamp() -> Option<Arc<Stamp>> {
    let stamp = replace_stamp(None);
    let copy = stamp.clone();
    replace_stamp(stamp);
    copy
}

/// A context with the attributes that belong to it: what scopes, futures and closures carry.
#[derive(Debug)]
pub(crate) struct Ambient {
    pub(crate) context: Context,
    pub(crate) stamp: Option<Arc<Stamp>>,
}

impl Ambient {
    /// What is in force now.
    pub(crate) fn current() -> Self {
        Self { context: current(), stamp: current_stamp() }
    }

    /// The same with `attributes` laid over those in force.
    pub(crate) fn stamped(mut self, attributes: &TraceAttributes) -> Self {
        let mut merged = self.stamp.as_ref().map_or_else(TraceAttributes::default, |s| s.attributes.clone());
        merged.merge(attributes);
        self.stamp = Stamp::new(merged);
        self.context.stamp = self.stamp.as_ref().map_or(0, |s| s.number);
        self
    }

    /// Puts this in force until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        let outer = current();
        set(self.context);
        let outer_stamp =
            if self.context.stamp == outer.stamp { None } else { Some(replace_stamp(self.stamp.take())) };
        Entered { ambient: self, outer, outer_stamp }
    }
}

/// Restores what was in force before [`Ambient::enter`].
pub(crate) struct Entered<'a> {
    ambient: &'a mut Ambient,
    outer: Context,
    /// `None` where inside and outside share their attributes, the common case: nothing was swapped.
    outer_stamp: Option<Option<Arc<Stamp>>>,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        set(self.outer);
        if let Some(outer) = self.outer_stamp.take() {
            self.ambient.stamp = replace_stamp(outer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(name: &str) -> TraceAttributes {
        TraceAttributes { session: Some(name.into()), ..TraceAttributes::default() }
    }

    fn in_force() -> Option<String> {
        let stamp = current_stamp();
        assert_eq!(stamp.as_ref().map_or(0, |s| s.number), current().stamp);
        stamp.and_then(|s| s.attributes.session.clone())
    }

    #[test]
    fn entering_restores_what_was_in_force_also_when_it_unwinds() {
        let mut outer = Ambient::current().stamped(&session("outer"));
        {
            let _outer = outer.enter();
            assert_eq!(in_force().as_deref(), Some("outer"));
            let mut inner = Ambient::current().stamped(&session("inner"));
            let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _inner = inner.enter();
                assert_eq!(in_force().as_deref(), Some("inner"));
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(unwound.is_err());
            assert_eq!(in_force().as_deref(), Some("outer"));
            let _again = inner.enter();
            assert_eq!(in_force().as_deref(), Some("inner"));
        }
        assert_eq!(in_force(), None);
        assert_eq!(Ambient::current().context, Context::NONE);
    }
}
