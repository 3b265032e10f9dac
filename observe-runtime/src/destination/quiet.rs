//! Sinks and forks: while the process forks no sink writes, and what a child must not share is closed.

use std::{
    cell::Cell,
    mem::{self, ManuallyDrop},
    sync::{
        Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::Sink;
use crate::fork::PerProcess;

/// How long a fork waits for a write to end. If it takes longer, the child records nothing, and says so.
const LIMIT: Duration = Duration::from_secs(1);

/// Read while a sink works, written while the process forks.
static WORK: RwLock<()> = RwLock::new(());

type Sinks = Vec<Weak<Mutex<dyn Sink>>>;

/// All sinks of this process.
static SINKS: PerProcess<Mutex<Sinks>> = PerProcess::new(Mutex::new(Vec::new()));

/// Whether the last fork found everything at rest.
static AT_REST: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Held while the thread forks. No destructor: a thread may fork late.
    static HELD: Cell<ManuallyDrop<Option<RwLockWriteGuard<'static, ()>>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
}

/// Keeps the process from forking at rest while a sink works.
pub(super) fn working() -> RwLockReadGuard<'static, ()> {
    WORK.read().unwrap_or_else(PoisonError::into_inner)
}

/// Has [`Sink::close`] called before each fork from here on.
pub(super) fn register(sink: Weak<Mutex<dyn Sink>>) {
    let mut sinks = SINKS.get().lock().unwrap_or_else(PoisonError::into_inner);
    sinks.retain(|sink| sink.strong_count() > 0);
    sinks.push(sink);
}

/// Waits until no sink works, has them close what they have open, and keeps them from working until [`let_go`].
pub(crate) fn hold() {
    let deadline = Instant::now() + LIMIT;
    let held = loop {
        match WORK.try_write() {
            Ok(held) => break Some(held),
            Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if Instant::now() > deadline => break None,
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    };
    if held.is_some() {
        // Nobody else locks one for long now.
        let sinks = mem::take(&mut *SINKS.get().lock().unwrap_or_else(PoisonError::into_inner));
        for sink in sinks.iter().filter_map(Weak::upgrade) {
            sink.lock().unwrap_or_else(PoisonError::into_inner).close();
        }
        SINKS.get().lock().unwrap_or_else(PoisonError::into_inner).extend(sinks);
    }
    AT_REST.store(held.is_some(), Ordering::Relaxed);
    HELD.with(|slot| slot.set(ManuallyDrop::new(held)));
}

/// Ends [`hold`].
pub(crate) fn let_go() {
    HELD.with(|slot| drop(ManuallyDrop::into_inner(slot.replace(ManuallyDrop::new(None)))));
}

/// Leaves the sinks to the process from which this one was forked; for its only thread.
pub(crate) fn begin_anew() {
    SINKS.renew(Mutex::default());
}

/// Whether a forked process may have sinks of its own.
pub(crate) fn was_at_rest() -> bool {
    AT_REST.load(Ordering::Relaxed)
}
