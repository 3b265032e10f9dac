//! Scopes in force until a guard is dropped.
//!
//! Guards may be dropped in any order. What each of them must restore lies in a list of the thread's: a guard that is
//! dropped while another one entered inside it is in force leaves to that one what it would have restored.

use std::{cell::Cell, fmt, marker::PhantomData, mem::ManuallyDrop, sync::Arc, thread};

use observe_model::SpanId;
use observe_wire::journal::entry::Ending;

use super::{Plan, running::Open};
use crate::context::{self, Context, Stamp};

/// What one guard put in force, and what it must restore.
struct Frame {
    number: u64,
    inner: Context,
    outer: Context,
    /// `None` where inside and outside share their attributes.
    outer_stamp: Option<Option<Arc<Stamp>>>,
    /// Its guard was dropped while a call in whose inside it was not entered was in force: that call will restore
    /// what the guard had put there.
    dead: bool,
}

/// So many dead frames are kept on a thread; a program that is right has none.
const DEAD: usize = 32;

thread_local! {
    /// No destructor, so that it works in other destructors; empty, and so without memory, when no guard is left.
    static FRAMES: Cell<ManuallyDrop<Vec<Frame>>> = const { Cell::new(ManuallyDrop::new(Vec::new())) };
    static NUMBER: Cell<u64> = const { Cell::new(0) };
}

/// Nothing inside may call this again: it would see no frames.
fn with_frames<R>(look: impl FnOnce(&mut Vec<Frame>) -> R) -> R {
    let mut frames = ManuallyDrop::into_inner(FRAMES.replace(ManuallyDrop::new(Vec::new())));
    let result = look(&mut frames);
    if frames.is_empty() {
        frames = Vec::new();
    }
    FRAMES.set(ManuallyDrop::new(frames));
    result
}

/// Keeps a scope in force on its thread until it is dropped; made by `enter` of each kind of scope.
///
/// Guards that are dropped in another order than the reverse of their making leave nothing of theirs in force once the
/// last one of them is gone.
#[must_use = "dropped at once, the guard ends its scope before anything is in it"]
pub struct ScopeGuard {
    number: u64,
    open: Open,
    /// The thread was unwinding already when it was made.
    was_panicking: bool,
    /// What it restores belongs to the thread.
    not_send: PhantomData<*mut ()>,
}

impl fmt::Debug for ScopeGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeGuard").field("open", &self.open).finish_non_exhaustive()
    }
}

impl ScopeGuard {
    pub(super) fn enter(plan: Plan) -> Self {
        let was_panicking = thread::panicking();
        if plan.is_empty() {
            return Self { number: 0, open: Open::Nothing, was_panicking, not_send: PhantomData };
        }
        let (ambient, open) = plan.begin().into_parts();
        let outer = context::current();
        if ambient.context == outer {
            return Self { number: 0, open, was_panicking, not_send: PhantomData };
        }
        let inner = ambient.context.guarded();
        context::set(inner);
        let outer_stamp = (inner.stamp != outer.stamp).then(|| context::replace_stamp(ambient.stamp));
        let number = NUMBER.get() + 1;
        NUMBER.set(number);
        with_frames(|frames| frames.push(Frame { number, inner, outer, outer_stamp, dead: false }));
        Self { number, open, was_panicking, not_send: PhantomData }
    }
}

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        let unwound = thread::panicking() && !self.was_panicking;
        self.open.end(if unwound { Ending::Panicked } else { Ending::Returned });
        if self.number != 0 {
            with_frames(|frames| leave(frames, self.number));
        }
    }
}

/// Takes the frame out of the list and its context out of force.
fn leave(frames: &mut Vec<Frame>, number: u64) {
    let Some(at) = frames.iter().position(|frame| frame.number == number) else { return };
    let current = context::current();
    let inner = frames[at].inner;
    if current == inner {
        restore(frames.remove(at));
    } else if let Some(next) = frames.iter().position(|frame| frame.outer == inner) {
        let outer = frames[at].outer;
        let stamp = frames[at].outer_stamp.take();
        frames[next].outer = outer;
        if stamp.is_some() {
            frames[next].outer_stamp = stamp;
        }
        frames.remove(at);
    } else {
        bury(frames, at, current);
    }
}

/// A call or poll around which the guard was not entered is in force. If it runs inside the guard's scope, it will put
/// that back when it ends, and [`settle`] takes it away again.
#[cold]
fn bury(frames: &mut Vec<Frame>, at: usize, current: Context) {
    frames[at].dead = true;
    if let Some(Some(stamp)) = &frames[at].outer_stamp
        && stamp.number == current.stamp
    {
        // The guard's own may lie there, if a poll ended while it was in force.
        context::replace_stamp(Some(Arc::clone(stamp)));
    }
    if frames.iter().filter(|frame| frame.dead).count() > DEAD
        && let Some(oldest) = frames.iter().position(|frame| frame.dead)
    {
        frames.remove(oldest);
    }
}

/// Puts in force what was before the frame's guard.
fn restore(frame: Frame) {
    context::set(frame.outer);
    if let Some(stamp) = frame.outer_stamp {
        context::replace_stamp(stamp);
    }
}

/// Takes out of force what guards left there that are gone. For contexts of guards only.
#[cold]
pub(crate) fn settle() {
    with_frames(|frames| {
        let left = |frames: &[Frame]| {
            let current = context::current();
            frames.iter().position(|frame| frame.dead && frame.inner == current)
        };
        while let Some(at) = left(frames) {
            restore(frames.remove(at));
        }
    });
}

/// The context of a call, which has `span`, around the guards that were made inside it and are in force.
#[cold]
pub(crate) fn around_guards(span: SpanId) -> Option<Context> {
    with_frames(|frames| {
        let mut outers = frames.iter().map(|frame| frame.outer);
        outers.find(|outer| outer.is_plain() && outer.span() == Some(span))
    })
}

/// The attributes of this number, if a guard keeps them to restore them.
#[cold]
pub(crate) fn stamp_kept(number: u64) -> Option<Arc<Stamp>> {
    with_frames(|frames| {
        let kept = frames.iter().filter_map(|frame| frame.outer_stamp.as_ref()?.as_ref());
        kept.filter(|stamp| stamp.number == number).map(Arc::clone).next_back()
    })
}
