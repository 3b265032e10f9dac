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

use crate::{
    ids,
    propagate::{self, Carried, Inherited},
    scope::{self, Lazy},
    switch,
};

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

/// No trace has begun, and its root will with the first span: [`Stamp::lazy`].
const LAZY: u64 = 4;

/// A guard put it in force, which may be gone: see [`scope::settle`].
const GUARDED: u64 = 8;

/// The span is a parent that was given from outside, and not one that is open here.
const GIVEN: u64 = 16;

/// That parent was given with its trace: [`observe_model::Details::given_parent`].
const GIVEN_WITH_TRACE: u64 = 64;

/// Whether the trace is recorded goes by the name of its first span here, which has not begun. Always with [`UNSAMPLED`], so
/// that calls ask for nothing more.
const UNDECIDED: u64 = 32;

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
        self.flags &= !(DROPPED | GUARDED | GIVEN | GIVEN_WITH_TRACE);
        self
    }

    /// The same in `trace`, of which the name of the first span decides whether it is recorded.
    pub(crate) fn in_undecided_trace(self, trace: TraceId) -> Self {
        let mut inside = self.in_trace(trace, false);
        inside.flags |= UNDECIDED;
        inside
    }

    /// The same, decided: the first span is called `name`.
    #[cold]
    pub(crate) fn decided(self, name: &str) -> Self {
        match self.trace() {
            Some(trace) if self.flags & UNDECIDED != 0 => {
                self.in_trace(trace, switch::is_sampled(trace, name))
            }
            _ => self,
        }
    }

    /// The same under a parent that is not open here.
    pub(crate) fn under(self, parent: SpanId) -> Self {
        let mut inside = self.in_span(Some(parent));
        inside.flags |= GIVEN;
        inside
    }

    /// The same under a parent that the program gave with its trace.
    pub(crate) fn given_with_trace(mut self) -> Self {
        self.flags |= GIVEN_WITH_TRACE;
        self
    }

    /// Whether the parent was given with its trace.
    pub(crate) fn is_given_with_trace(&self) -> bool {
        self.flags & GIVEN_WITH_TRACE != 0
    }

    /// Whether the trace is known not to be recorded.
    pub(crate) fn is_left_out(&self) -> bool {
        self.flags & (UNSAMPLED | UNDECIDED) == UNSAMPLED
    }

    /// The same, put in force by a guard.
    pub(crate) fn guarded(mut self) -> Self {
        self.flags |= GUARDED;
        self
    }

    /// The context in which a span begins where there is no trace yet: in a new one, or inside a root that waited for
    /// its first span, which begins now. `name` is what the span is called.
    #[inline(never)]
    pub(crate) fn begin_trace(self, name: &str) -> Self {
        if self.flags & LAZY != 0
            && let Some(root) = lazy().and_then(|lazy| lazy.begin())
        {
            return self.inside(root);
        }
        match propagate::inherited() {
            Some(inherited) if self.span == 0 => self.below(inherited, name),
            _ => self.in_new_trace(name),
        }
    }

    fn in_new_trace(self, name: &str) -> Self {
        let trace = ids::trace_id();
        self.in_trace(trace, switch::is_sampled(trace, name))
    }

    /// The same where the process's environment says that roots belong.
    #[cold]
    fn below(self, inherited: &Inherited, name: &str) -> Self {
        let mut inside = match inherited.context {
            place if place.has_trace() => Self { stamp: self.stamp, ..place },
            _ => self.in_new_trace(name),
        };
        if let Some(stamp) = inherited.stamp.as_ref().filter(|_| self.stamp == 0) {
            // It may lie there when the trace has ended: without its number nobody reads it.
            drop(replace_stamp(Some(Arc::clone(stamp))));
            inside.stamp = stamp.number;
        }
        inside
    }

    /// The same inside `root`, which has begun; a parent that was given stays.
    fn inside(self, root: Self) -> Self {
        Self { stamp: self.stamp, span: if self.span == 0 { root.span } else { self.span }, ..root }
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

    /// Whether a span that begins here differs from its surroundings by its own id alone.
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        self.has_trace() && self.flags == 0
    }

    /// Whether [`Context::span`] is the span whose code runs.
    pub(crate) fn is_in_recorded_span(&self) -> bool {
        self.flags & (UNSAMPLED | DROPPED | GIVEN) == 0 && self.has_trace() && self.span != 0
    }
}

/// Trace attributes as spans carry them: numbered, so that a journal entry names them in eight bytes.
#[derive(Debug)]
pub(crate) struct Stamp {
    pub(crate) number: u64,
    pub(crate) attributes: TraceAttributes,
    /// The attributes as the journal holds them.
    pub(crate) encoded: Vec<u8>,
    /// The root that begins with the first span, where a context says that there is one.
    lazy: Option<Arc<Lazy>>,
    /// What came with the trace from outside.
    pub(crate) carried: Option<Arc<Carried>>,
}

impl Stamp {
    /// `None` if there is nothing to stamp.
    fn new(
        attributes: TraceAttributes,
        lazy: Option<Arc<Lazy>>,
        carried: Option<Arc<Carried>>,
    ) -> Option<Arc<Self>> {
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        if attributes.is_empty() && lazy.is_none() && carried.is_none() {
            return None;
        }
        let encoded = serde_json::to_vec(&attributes).unwrap_or_default();
        Some(Arc::new(Self {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            attributes,
            encoded,
            lazy,
            carried,
        }))
    }
}

/// No destructor, so that reading it never asks whether one was registered, and works in other destructors.
/// What it owns is always taken out again by the guard that put it in.
struct Slot {
    context: Cell<Context>,
    stamp: Cell<ManuallyDrop<Option<Arc<Stamp>>>>,
    /// Where the sequence of this thread's ids is; 0 before the first. Here because the thread's state is at hand then.
    last_id: Cell<u64>,
}

thread_local! {
    static CURRENT: Slot = const {
        Slot {
            context: Cell::new(Context::NONE),
            stamp: Cell::new(ManuallyDrop::new(None)),
            last_id: Cell::new(0),
        }
    };
}

/// The current context.
#[inline]
pub(crate) fn current() -> Context {
    CURRENT.with(|slot| slot.context.get())
}

/// What a span needs to know of a context of which it differs by its own id alone.
pub(crate) struct Plain {
    /// The innermost span's id, 0 for none.
    pub(crate) span: u64,
    /// As in [`Context`].
    pub(crate) stamp: u64,
}

/// The current context, if a span that begins here differs from it by its own id alone. Looked at where it lies.
#[inline(always)]
pub(crate) fn current_plain() -> Option<Plain> {
    CURRENT.with(|slot| {
        let here = slot.context.get();
        here.is_plain().then_some(Plain { span: here.span, stamp: here.stamp })
    })
}

/// Where what runs now stands: [`current`], or in the root that waited for its first span and has begun.
pub(crate) fn here() -> Context {
    let context = settled();
    if context.flags & LAZY == 0 {
        return context;
    }
    let root = lazy().and_then(|lazy| lazy.inside());
    root.map_or(context, |root| context.inside(root))
}

/// [`current`], without what guards left there that are gone.
pub(crate) fn settled() -> Context {
    if current().flags & GUARDED != 0 {
        scope::settle();
    }
    current()
}

/// Whether what runs now belongs to an ordinary trace that is not recorded. One test: [`Context::is_left_out`] has the
/// last word.
#[inline(always)]
pub(crate) fn is_plainly_left_out() -> bool {
    current().flags == UNSAMPLED
}

/// The root that waits, or waited, for its first span.
fn lazy() -> Option<Arc<Lazy>> {
    current_stamp().and_then(|stamp| stamp.lazy.clone())
}

/// Whether `span`, which began in a context that was plain, is what is in force, and no guard's context.
#[inline(always)]
pub(crate) fn is_span(span: SpanId) -> bool {
    let context = current();
    context.span == span.to_int() && context.flags == 0
}

/// Makes `span` the innermost span, of the same trace; whoever calls this restores the one before.
#[inline(always)]
pub(crate) fn set_span(span: u64) {
    CURRENT.with(|slot| slot.context.set(Context { span, ..slot.context.get() }));
}

/// Makes a step in the sequence of this thread's ids.
#[inline(always)]
pub(crate) fn with_last_id(step: impl FnOnce(u64) -> u64) -> u64 {
    CURRENT.with(|slot| {
        let next = step(slot.last_id.get());
        slot.last_id.set(next);
        next
    })
}

/// Sets the current context's place in the trace; whoever calls this restores it.
#[inline]
pub(crate) fn set(context: Context) {
    CURRENT.with(|slot| slot.context.set(context));
}

/// Notes that the current span is not open in this process, which was forked from the one that began it. What a guard put
/// in force stays as it is, since the guard looks for it.
pub(crate) fn leave_process() {
    let mut here = current();
    if here.span != 0 && here.flags & GUARDED == 0 {
        here.flags |= GIVEN;
        set(here);
    }
}

/// Puts `stamp` in force and gives the one before; whoever calls this restores it.
pub(crate) fn replace_stamp(stamp: Option<Arc<Stamp>>) -> Option<Arc<Stamp>> {
    CURRENT.with(|slot| ManuallyDrop::into_inner(slot.stamp.replace(ManuallyDrop::new(stamp))))
}

/// The attributes in force.
pub(crate) fn current_stamp() -> Option<Arc<Stamp>> {
    stamp(current().stamp)
}

/// The attributes of this number, which are in force or about to be.
pub(crate) fn stamp(number: u64) -> Option<Arc<Stamp>> {
    if number == 0 {
        return None;
    }
    let stamp = replace_stamp(None);
    let copy = stamp.clone().filter(|stamp| stamp.number == number);
    replace_stamp(stamp);
    // Others lie there where a guard outlived the call or the poll in which it was made.
    copy.or_else(|| scope::stamp_kept(number))
}

/// A context with the attributes that belong to it: what scopes, futures and closures carry.
#[derive(Debug, Clone)]
pub(crate) struct Ambient {
    pub(crate) context: Context,
    pub(crate) stamp: Option<Arc<Stamp>>,
}

impl Ambient {
    /// What is in force now.
    pub(crate) fn current() -> Self {
        Self { context: settled(), stamp: current_stamp() }
    }

    /// The same with `attributes` laid over those in force, and with what came along from outside, if it did.
    pub(crate) fn stamped(self, attributes: &TraceAttributes, carried: Option<Arc<Carried>>) -> Self {
        let inherited = propagate::inherited().and_then(|inherited| inherited.stamp.as_ref());
        let is_nowhere = carried.is_none() && !self.context.has_trace();
        let base = self.stamp.as_ref().or(inherited.filter(|_| is_nowhere));
        let mut merged = base.map_or_else(TraceAttributes::default, |base| base.attributes.clone());
        merged.merge(attributes);
        let lazy = base.and_then(|base| base.lazy.clone());
        let carried = carried.or_else(|| base.and_then(|base| base.carried.clone()));
        self.with_stamp(Stamp::new(merged, lazy, carried))
    }

    /// The same, outside of any trace until `lazy` begins.
    pub(crate) fn lazy(mut self, lazy: Arc<Lazy>) -> Self {
        let attributes = self.stamp.as_ref().map_or_else(TraceAttributes::default, |s| s.attributes.clone());
        let carried = self.stamp.as_ref().and_then(|stamp| stamp.carried.clone());
        self.context = Context { flags: LAZY, ..Context::NONE };
        self.with_stamp(Stamp::new(attributes, Some(lazy), carried))
    }

    fn with_stamp(mut self, stamp: Option<Arc<Stamp>>) -> Self {
        self.context.stamp = stamp.as_ref().map_or(0, |stamp| stamp.number);
        self.stamp = stamp;
        self
    }

    /// Puts this in force until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        let outer = self.put();
        Entered { ambient: self, outer: Some(outer) }
    }

    /// Puts this in force until [`Ambient::put_back`] of what it gives.
    #[inline]
    pub(crate) fn put(&mut self) -> Outer {
        let outer = current();
        set(self.context);
        let stamp =
            if self.context.stamp == outer.stamp { None } else { Some(replace_stamp(self.stamp.take())) };
        Outer { context: outer, stamp }
    }

    /// Puts back what was in force before.
    #[inline]
    pub(crate) fn put_back(&mut self, outer: Outer) {
        set(outer.context);
        if let Some(stamp) = outer.stamp {
            self.stamp = replace_stamp(stamp);
        }
    }
}

/// What was in force before [`Ambient::put`].
#[derive(Debug)]
pub(crate) struct Outer {
    context: Context,
    /// `None` where inside and outside share their attributes, the common case: nothing was swapped.
    stamp: Option<Option<Arc<Stamp>>>,
}

/// Restores what was in force before [`Ambient::enter`].
pub(crate) struct Entered<'a> {
    ambient: &'a mut Ambient,
    outer: Option<Outer>,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(outer) = self.outer.take() {
            self.ambient.put_back(outer);
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
        let mut outer = Ambient::current().stamped(&session("outer"), None);
        {
            let _outer = outer.enter();
            assert_eq!(in_force().as_deref(), Some("outer"));
            let mut inner = Ambient::current().stamped(&session("inner"), None);
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
