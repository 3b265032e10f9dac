//! After a `fork`: the child begins anew, and the parent notices nothing.
//!
//! The child has one thread, a copy of the one that forked, and a copy of all memory in whatever state it was; the
//! collector and the destinations' threads are gone, and locks that they held stay locked for ever. So nothing of the
//! parent's is used again: the child has its own pool, book and runtime ([`PerProcess`]), its thread lets go of its
//! chunk, which may lie in a file of the parent's, and draws other ids. The span that forked stays the parent of what
//! the child begins, but the child says no more of it. Threads and files come back with the child's first span.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use crate::{context, destination::quiet, ids, journal, lifecycle, process::Hooks, propagate, site::Site};

/// A value of which a forked process gets another one, made by [`PerProcess::renew`]. The former stay as they are.
pub(crate) struct PerProcess<T> {
    value: T,
    next: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { value, next: OnceLock::new() }
    }

    /// This process's.
    pub(crate) fn get(&self) -> &T {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        &last.value
    }

    /// Puts `value` in its place: for the only thread of a new process.
    pub(crate) fn renew(&self, value: T) {
        let mut last = self;
        while let Some(next) = last.next.get() {
            last = next;
        }
        let _ = last.next.set(Box::new(Self::new(value)));
    }
}

/// The process was forked, and nothing has begun in it so far.
static NEW_CHILD: AtomicBool = AtomicBool::new(false);

/// Whether the process was forked and nothing has begun in it; `true` for the first to ask, who sees to it.
pub(crate) fn take_new_child() -> bool {
    NEW_CHILD.load(Ordering::Relaxed) && NEW_CHILD.swap(false, Ordering::Relaxed)
}

/// What to do about forks, and about the end of the process.
pub(crate) fn hooks(exit: fn()) -> Hooks {
    Hooks { exit, before_fork, forked, in_child }
}

fn before_fork() {
    quiet::hold();
    Site::hold();
}

fn forked() {
    Site::let_go();
    quiet::let_go();
}

fn in_child() {
    forked();
    quiet::begin_anew();
    context::leave_process();
    ids::begin_anew();
    journal::begin_anew();
    propagate::begin_anew();
    lifecycle::begin_anew();
    NEW_CHILD.store(true, Ordering::Relaxed);
}
