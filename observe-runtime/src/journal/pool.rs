//! The bound on the journal's memory, and the hand-over of chunks between threads and collector.
//!
//! A lock is taken once per chunk, which holds some four hundred spans, never per span.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::Thread,
    time::Duration,
};

use super::{
    chunk::{Chunk, Segment, Tail},
    directory::Directory,
};
use crate::{
    fork::{self, PerProcess},
    lifecycle,
};

/// Size of a chunk; a payload that does not fit gets a larger one of its own.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Size of a segment, from which chunks are cut.
const SEGMENT: usize = 16 * CHUNK;

/// What may lie in the journal unread, in bytes, before new spans are dropped.
pub(crate) const BUDGET: usize = 40 * 1024 * 1024;

/// What ends and changes of spans that were let in may use beyond the budget, so that they always fit.
const RESERVE: usize = 16 * 1024 * 1024;

/// So many bytes taken since the collector looked wake it before its time.
const WAKE_AFTER: usize = 8 * CHUNK;

/// So many chunks are kept ready, so that a thread rarely has to make them itself.
const READY: usize = 16;

struct Pool {
    /// Empty chunks of the usual size.
    free: Vec<Chunk>,
    /// Chunks that a thread took and the collector has not seen yet, oldest first.
    taken: Vec<Arc<Chunk>>,
    /// Bytes of all chunks that are not free.
    used: usize,
    /// Bytes of the chunks in `taken`.
    unseen: usize,
    /// Chunks taken so far.
    sequence: u64,
    /// Where segments lie that must outlive the process.
    directory: Option<Directory>,
    /// Why they do not any more.
    problem: Option<String>,
    collector: Option<Thread>,
}

static POOL: PerProcess<(Mutex<Pool>, Condvar)> = PerProcess::new((Mutex::new(Pool::new()), Condvar::new()));

/// How long a thread waits for room before its new span is dropped.
static WAIT_MILLIS: AtomicU64 = AtomicU64::new(0);

/// Spans that were not recorded because the journal was full.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Payloads of recorded spans that were not recorded because the journal was full.
static PAYLOADS_LOST: AtomicU64 = AtomicU64::new(0);

/// Whether the collector sleeps without a timer, so that the next entry must wake it.
static ASLEEP: AtomicBool = AtomicBool::new(false);

fn pool() -> MutexGuard<'static, Pool> {
    POOL.get().0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Told of every chunk that is given back.
fn freed() -> &'static Condvar {
    &POOL.get().1
}

/// Leaves everything to the process from which this one was forked; for its only thread.
pub(super) fn begin_anew() {
    // The file that this process shares would keep the parent's directory locked when the parent is gone.
    if let Ok(mut parents) = POOL.get().0.try_lock() {
        parents.directory = None;
    }
    POOL.renew((Mutex::new(Pool::new()), Condvar::new()));
    DROPPED.store(0, Ordering::Relaxed);
    PAYLOADS_LOST.store(0, Ordering::Relaxed);
    ASLEEP.store(false, Ordering::Relaxed);
}

/// Whether an entry can be left out when memory is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A new span: dropped, and counted, when the budget is used up.
    Start,
    /// Belongs to a span that was let in.
    Follow,
}

impl Pool {
    const fn new() -> Self {
        Self {
            free: Vec::new(),
            taken: Vec::new(),
            used: 0,
            unseen: 0,
            sequence: 0,
            directory: None,
            problem: None,
            collector: None,
        }
    }

    /// A new segment: a file where there is a directory for it, else plain memory.
    fn segment(&mut self, len: usize) -> Option<Segment> {
        if let Some(directory) = &mut self.directory {
            match directory.segment(len) {
                Ok(segment) => return Some(segment),
                Err(error) => {
                    self.problem = Some(unkept(directory.path(), &error));
                    self.directory = None;
                }
            }
        }
        Segment::heap(len)
    }

    fn chunk(&mut self, capacity: usize) -> Option<Chunk> {
        if capacity > CHUNK {
            return self.segment(capacity)?.cut(capacity).pop();
        }
        if self.free.is_empty() {
            self.free = self.segment(SEGMENT)?.cut(CHUNK);
        }
        self.free.pop()
    }
}

/// A chunk with room for `need` bytes; `None` when the budget or the system's memory is used up.
pub(crate) fn take(need: usize, class: Class) -> Option<Tail> {
    take_with_chunk(need, class).map(|(tail, _)| tail)
}

/// [`take`], with the reader's handle.
pub(crate) fn take_with_chunk(need: usize, class: Class) -> Option<(Tail, Arc<Chunk>)> {
    if fork::take_new_child() {
        lifecycle::start_again();
    }
    let need = need.checked_add(observe_wire::journal::chunk::HEADER)?;
    let capacity = need.checked_next_multiple_of(CHUNK)?;
    let limit = match class {
        Class::Start => BUDGET,
        Class::Follow => BUDGET + RESERVE,
    };
    let mut pool = pool();
    if pool.used + capacity > limit {
        if class == Class::Start {
            pool = wait_for(pool, limit.checked_sub(capacity)?);
        }
        if pool.used + capacity > limit {
            return None;
        }
    }
    let chunk = pool.chunk(capacity)?;
    pool.sequence += 1;
    let (tail, chunk) = chunk.open(pool.sequence);
    pool.used += capacity;
    pool.taken.push(Arc::clone(&chunk));
    let before = pool.unseen;
    pool.unseen += capacity;
    if before < WAKE_AFTER
        && pool.unseen >= WAKE_AFTER
        && let Some(collector) = &pool.collector
    {
        collector.unpark();
    }
    Some((tail, chunk))
}

/// Waits, as long as the settings allow, until no more than `used` bytes are in use.
#[cold]
fn wait_for(mut pool: MutexGuard<'static, Pool>, used: usize) -> MutexGuard<'static, Pool> {
    let limit = Duration::from_millis(WAIT_MILLIS.load(Ordering::Relaxed));
    if limit.is_zero() {
        return pool;
    }
    if let Some(collector) = &pool.collector {
        collector.unpark();
    }
    match freed().wait_timeout_while(pool, limit, |pool| pool.used > used) {
        Ok((waited, _)) => pool = waited,
        Err(poisoned) => pool = poisoned.into_inner().0,
    }
    pool
}

/// Sets how long a thread waits for room before its new span is dropped; zero for not at all.
pub(crate) fn set_wait(limit: Duration) {
    WAIT_MILLIS.store(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

/// Whether threads wait for room rather than drop their spans.
pub(crate) fn waits() -> bool {
    WAIT_MILLIS.load(Ordering::Relaxed) > 0
}

/// Moves to `chunks` those that threads have taken since the last call.
pub(crate) fn taken(chunks: &mut Vec<Arc<Chunk>>) {
    let mut pool = pool();
    chunks.append(&mut pool.taken);
    pool.unseen = 0;
}

/// Gives back a chunk whose entries are no longer needed by anyone.
pub(crate) fn give_back(mut chunk: Chunk) {
    chunk.clear();
    let mut pool = pool();
    pool.used = pool.used.saturating_sub(chunk.capacity());
    if chunk.capacity() == CHUNK {
        pool.free.push(chunk);
    }
    drop(pool);
    freed().notify_all();
}

/// Whether the journal is far from full.
pub(crate) fn is_roomy() -> bool {
    pool().used < BUDGET / 8 * 7
}

/// Makes chunks ready ahead of the threads that will take them.
pub(crate) fn provide() {
    if pool().free.len() >= READY {
        return;
    }
    // Outside the lock for as long as it takes to write a file's blocks.
    let directory = pool().directory.as_mut().map(Directory::next);
    let segment = match directory {
        Some(path) => Directory::segment_at(path, SEGMENT).ok(),
        None => Segment::heap(SEGMENT),
    };
    if let Some(segment) = segment {
        pool().free.extend(segment.cut(CHUNK));
    }
}

fn unkept(path: &Path, error: &io::Error) -> String {
    format!(
        "the journal cannot be kept in {} ({error}): what is recorded from here on is lost if the process is killed",
        path.display()
    )
}

/// Begins to keep the journal in files below `root`, for the destinations that `owed` names. Whether that is possible.
pub(crate) fn keep_in(root: &Path, owed: &[String]) -> bool {
    let made = Directory::create(root, owed);
    let mut pool = pool();
    pool.problem = made.as_ref().err().map(|error| unkept(root, error));
    pool.directory = made.ok();
    pool.directory.is_some()
}

/// Why the journal is not kept in files although it should be; once.
pub(crate) fn take_problem() -> Option<String> {
    pool().problem.take()
}

/// Ends keeping the journal in files, and removes them: everything in them has arrived.
pub(crate) fn remove_directory() {
    let directory = pool().directory.take();
    if let Some(directory) = directory {
        directory.remove();
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

/// Counts a payload for which there was no room.
#[cold]
pub(crate) fn count_lost_payload() {
    PAYLOADS_LOST.fetch_add(1, Ordering::Relaxed);
}

/// Payloads lost so far.
pub(crate) fn payloads_lost() -> u64 {
    PAYLOADS_LOST.load(Ordering::Relaxed)
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
