//! The bound on the journal's memory, and the hand-over of chunks between threads and collector.
//!
//! A lock is taken once per chunk, which holds some four hundred spans, never per span.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::thread::Thread;

use super::chunk::{Chunk, Tail};

/// Size of a chunk; a payload that does not fit gets a larger one of its own.
pub(crate) const CHUNK: usize = 64 * 1024;

/// What may lie in the journal unread, in bytes, before new spans are dropped.
pub(crate) const BUDGET: usize = 48 * 1024 * 1024;

/// What ends and changes of spans that were let in may use beyond the budget, so that they always fit.
const RESERVE: usize = 16 * 1024 * 1024;

/// So many chunks taken since the collector looked wake it before its time.
const WAKE_AFTER: usize = 8;

struct Pool {
    /// Empty chunks of the usual size.
    free: Vec<Chunk>,
    /// Chunks that a thread took and the collector has not seen yet, oldest first.
    taken: Vec<Arc<Chunk>>,
    /// Bytes of all chunks that are not free.
    used: usize,
    collector: Option<Thread>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), taken: Vec::new(), used: 0, collector: None });

/// Spans that were not recorded because the journal was full.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Whether the collector sleeps without a timer, so that the next entry must wake it.
static ASLEEP: AtomicBool = AtomicBool::new(false);

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an entry can be left out when memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A new span: dropped, and counted, when the budget is used up.
    Start,
    /// Belongs to a span that was let in.
    Follow,
}

/// A chunk with at least `need` bytes; `None` when the budget or the system's memory is used up.
pub(crate) fn take(need: usize, class: Class) -> Option<Tail> {
    let capacity = if need <= CHUNK { CHUNK } else { need.checked_next_power_of_two()? };
    let limit = match class {
        Class::Start => BUDGET,
        Class::Follow => BUDGET + RESERVE,
    };
    let mut pool = pool();
    if pool.used + capacity > limit {
        return None;
    }
    let free = if capacity == CHUNK { pool.free.pop() } else { None };
    let (tail, chunk) = free.or_else(|| Chunk::new(capacity))?.open();
    pool.used += capacity;
    pool.taken.push(chunk);
    if pool.taken.len() == WAKE_AFTER
        && let Some(collector) = &pool.collector
    {
        collector.unpark();
    }
    Some(tail)
}

/// Moves to `chunks` those that threads have taken since the last call.
pub(crate) fn taken(chunks: &mut Vec<Arc<Chunk>>) {
    chunks.append(&mut pool().taken);
}

/// Gives back a chunk that was read to its end.
pub(crate) fn give_back(chunk: Chunk) {
    let mut pool = pool();
    pool.used = pool.used.saturating_sub(chunk.capacity());
    if chunk.capacity() == CHUNK {
        pool.free.push(chunk);
    }
}

/// Counts a span that was not recorded.
#[cold]
pub(crate) fn count_dropped() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
}

/// Spans not recorded so far.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Names the thread that reads.
pub(crate) fn set_collector(thread: Thread) {
    pool().collector = Some(thread);
}

/// Says that the collector is about to sleep until [`wake`], or that it no longer is.
pub(crate) fn set_asleep(asleep: bool) {
    ASLEEP.store(asleep, Ordering::SeqCst);
}

/// After an entry: wakes the collector if it sleeps. One relaxed load where it does not.
#[inline]
pub(crate) fn wrote() {
    if ASLEEP.load(Ordering::Relaxed) {
        wake();
    }
}

/// Wakes the collector.
#[cold]
pub(crate) fn wake() {
    ASLEEP.store(false, Ordering::Relaxed);
    if let Some(collector) = &pool().collector {
        collector.unpark();
    }
}
