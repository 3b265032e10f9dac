//! The bound on the journal's memory, and the hand-over of chunks between threads and collector.
//!
//! A lock is taken once per chunk, which holds some four hundred spans, never per span.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::Thread,
    time::Duration,
};

use super::{
    chunk::{Chunk, Segment, Tail},
    directory::Directory,
    spill::{Piece, Spill},
};
use crate::{
    fork::{self, PerProcess},
    lifecycle,
};

/// Size of a chunk; a payload that does not fit gets a larger one of its own.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Size of a segment, from which chunks are cut.
const SEGMENT: usize = 16 * CHUNK;

/// What may lie in the journal before new spans are dropped, in bytes: in plain memory.
const IN_MEMORY: usize = 40 * 1024 * 1024;

/// The same in files, of which a part is in memory.
const IN_FILES: usize = 240 * 1024 * 1024;

/// Bytes of chunks that are written and read in memory. Beyond that, a thread copies a chunk to disk when it leaves it, and
/// has its memory back at once: the collector is far behind, and reads what is still there first.
const RESIDENT: usize = 16 * 1024 * 1024;

/// Whether that is possible.
const CAN_RELEASE: bool = cfg!(all(unix, feature = "mapped"));

/// What ends and changes of spans that were let in may use beyond the budget, so that they always fit.
const RESERVE: usize = 16 * 1024 * 1024;

/// So many bytes taken since the collector looked wake it before its time.
const WAKE_AFTER: usize = 8 * CHUNK;

/// So many chunks are kept ready at least, and at most, so that a thread rarely has to make them itself.
const READY: usize = 16;
const MOST_READY: usize = SPARES;

/// So many chunks are kept of those that are given back, since they are in memory. The files of the others are deleted.
const SPARES: usize = 4 * READY;

struct Pool {
    /// Empty chunks of the usual size, those that were in use last at the end.
    free: VecDeque<Chunk>,
    /// Chunks that a thread took and the collector has not seen yet, oldest first.
    taken: Vec<Piece>,
    /// Bytes of all chunks that are not free.
    used: usize,
    /// Bytes of the chunks in `taken`.
    unseen: usize,
    /// Chunks taken so far.
    sequence: u64,
    /// Chunks taken when they were last made ready.
    provided: u64,
    /// Where segments lie that must outlive the process.
    directory: Option<Directory>,
    /// Where they lay before that failed: locked, since this process goes on reading what is there.
    left: Option<Directory>,
    /// Why they do not any more.
    problem: Option<String>,
    collector: Option<Thread>,
}

/// What is under a lock, and what waits.
struct Shared {
    pool: Mutex<Pool>,
    /// Told of every chunk that is given back.
    freed: Condvar,
    /// Locked before the pool, and for as long as a chunk is copied: the collector must not miss it.
    spill: Mutex<Spill>,
}

impl Shared {
    const fn new() -> Self {
        Self { pool: Mutex::new(Pool::new()), freed: Condvar::new(), spill: Mutex::new(Spill::new()) }
    }
}

static SHARED: PerProcess<Shared> = PerProcess::new(Shared::new());

/// Bytes of the chunks that are not free and that nobody took out of memory.
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// How long a thread waits for room before its new span is dropped.
static WAIT_MILLIS: AtomicU64 = AtomicU64::new(0);

/// Spans that were not recorded because the journal was full.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Payloads of recorded spans that were not recorded because the journal was full.
static PAYLOADS_LOST: AtomicU64 = AtomicU64::new(0);

/// Whether the collector sleeps without a timer, so that the next entry must wake it.
static ASLEEP: AtomicBool = AtomicBool::new(false);

fn pool() -> MutexGuard<'static, Pool> {
    SHARED.get().pool.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spill() -> MutexGuard<'static, Spill> {
    SHARED.get().spill.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leaves everything to the process from which this one was forked; for its only thread.
pub(super) fn begin_anew() {
    // The file that this process shares would keep the parent's directory locked when the parent is gone.
    if let Ok(mut parents) = SHARED.get().pool.try_lock() {
        (parents.directory, parents.left) = (None, None);
    }
    SHARED.renew(Shared::new());
    IN_USE.store(0, Ordering::Relaxed);
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
            free: VecDeque::new(),
            taken: Vec::new(),
            used: 0,
            unseen: 0,
            sequence: 0,
            provided: 0,
            directory: None,
            left: None,
            problem: None,
            collector: None,
        }
    }

    /// Whether so many bytes more may be taken.
    fn has_room_for(&self, bytes: usize, class: Class) -> bool {
        let reserve = if class == Class::Follow { RESERVE } else { 0 };
        let (used, limit) = match CAN_RELEASE && self.directory.is_some() {
            true => (self.used, IN_FILES),
            false => (IN_USE.load(Ordering::Relaxed), IN_MEMORY),
        };
        used + bytes <= limit + reserve
    }

    /// A new segment: a file where there is a directory for it, else plain memory.
    fn segment(&mut self, len: usize) -> Option<Segment> {
        if let Some(directory) = &mut self.directory {
            match directory.segment(len) {
                Ok(segment) => return Some(segment),
                Err(error) => self.leave_directory(&error),
            }
        }
        Segment::heap(len)
    }

    /// Ends keeping the journal in files, because that failed.
    fn leave_directory(&mut self, error: &io::Error) {
        if let Some(directory) = self.directory.take() {
            self.problem = Some(unkept(directory.path(), error));
            self.left = Some(directory);
        }
    }

    fn chunk(&mut self, capacity: usize) -> Option<Chunk> {
        if capacity > CHUNK {
            return self.segment(capacity)?.cut(capacity).pop();
        }
        if self.free.is_empty() {
            self.free = self.segment(SEGMENT)?.cut(CHUNK).into();
        }
        self.free.pop_back()
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
    let mut pool = pool();
    if !pool.has_room_for(capacity, class) {
        if class == Class::Start {
            pool = wait_for(pool, capacity);
        }
        if !pool.has_room_for(capacity, class) {
            return None;
        }
    }
    let chunk = pool.chunk(capacity)?;
    pool.sequence += 1;
    let (tail, chunk) = chunk.open(pool.sequence);
    pool.used += capacity;
    IN_USE.fetch_add(capacity, Ordering::Relaxed);
    pool.taken.push(Piece::Chunk(Arc::clone(&chunk)));
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

/// Waits, as long as the settings allow, until there is room for a new span's `bytes`.
#[cold]
fn wait_for(mut pool: MutexGuard<'static, Pool>, bytes: usize) -> MutexGuard<'static, Pool> {
    let limit = Duration::from_millis(WAIT_MILLIS.load(Ordering::Relaxed));
    if limit.is_zero() {
        return pool;
    }
    if let Some(collector) = &pool.collector {
        collector.unpark();
    }
    match SHARED.get().freed.wait_timeout_while(pool, limit, |pool| !pool.has_room_for(bytes, Class::Start)) {
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

/// Moves to `pieces` those chunks that threads have taken since the last call.
pub(crate) fn taken(pieces: &mut Vec<Piece>) {
    // One that is being copied is waited for.
    let _spill = spill();
    let mut pool = pool();
    pieces.append(&mut pool.taken);
    pool.unseen = 0;
}

/// Leaves a chunk for another one, and has it wait on disk if there is too much in memory.
pub(crate) fn leave(tail: Tail) {
    if IN_USE.load(Ordering::Relaxed) <= RESIDENT {
        return;
    }
    match move_to_disk(tail.leave()) {
        Ok(chunk) => make_free(chunk),
        Err(chunk) => take_out(&chunk),
    }
}

/// Copies a chunk to disk, from where the collector will read it. The chunk, which nobody needs any more; or, where it
/// stays as it is, back: the collector has seen it, it is a large one, or there is no place.
fn move_to_disk(chunk: Arc<Chunk>) -> Result<Chunk, Arc<Chunk>> {
    if !CAN_RELEASE || chunk.capacity() > CHUNK || !chunk.is_in_file() {
        return Err(chunk);
    }
    let mut spill = spill();
    let place = {
        let pool = pool();
        let place = pool.taken.iter().rposition(|piece| piece.is(&chunk));
        place.filter(|_| pool.directory.is_some())
    };
    let Some(place) = place else { return Err(chunk) };
    // Not under the pool's lock. What was taken keeps its place meanwhile.
    let spilled = match spill.put(&chunk, || pool().directory.as_mut().map(Directory::next)) {
        Ok(spilled) => Piece::Spilled(Arc::new(spilled)),
        Err(error) => {
            pool().leave_directory(&error);
            return Err(chunk);
        }
    };
    if let Some(piece) = pool().taken.get_mut(place) {
        *piece = spilled;
    }
    Chunk::reclaim(chunk)
}

/// Takes a chunk, which lies in a file, out of memory.
fn take_out(chunk: &Chunk) {
    if chunk.release() {
        IN_USE.fetch_sub(chunk.capacity(), Ordering::Relaxed);
    }
}

/// Takes a chunk, which is read and waits for its spans to arrive, out of memory if there is much, or if it was before.
pub(crate) fn set_aside(piece: &Piece) {
    if let Piece::Chunk(chunk) = piece
        && (chunk.is_released() || IN_USE.load(Ordering::Relaxed) > RESIDENT * 3 / 2)
    {
        take_out(chunk);
    }
}

/// Gives back a chunk whose entries are no longer needed by anyone.
pub(crate) fn give_back(piece: Piece) {
    let capacity = piece.capacity();
    match piece {
        Piece::Chunk(chunk) => {
            // Nobody else has it: it was left, and no copies of the handle are made.
            if let Ok(chunk) = Chunk::reclaim(chunk) {
                make_free(chunk);
            }
        }
        Piece::Spilled(spilled) => spilled.clear(),
    }
    let mut pool = pool();
    pool.used = pool.used.saturating_sub(capacity);
    drop(pool);
    SHARED.get().freed.notify_all();
}

/// Makes the memory of a chunk that nobody needs free.
fn make_free(mut chunk: Chunk) {
    if !chunk.is_released() {
        IN_USE.fetch_sub(chunk.capacity(), Ordering::Relaxed);
    }
    chunk.clear();
    let mut pool = pool();
    if chunk.capacity() == CHUNK && pool.free.len() < SPARES {
        pool.free.push_back(chunk);
    } else {
        // Not under the lock: a file may be deleted. Until all of it is given back, this part need not be in memory.
        drop(pool);
        chunk.release();
        drop(chunk);
    }
}

/// Whether the journal is far from full.
pub(crate) fn is_roomy() -> bool {
    let eighth = if CAN_RELEASE { IN_FILES / 8 } else { IN_MEMORY / 8 };
    pool().has_room_for(eighth, Class::Start)
}

/// Makes chunks ready ahead of the threads that will take them: twice as many as they took since the last call, but no more
/// than are in memory at a time, since they have those back that they leave then.
pub(crate) fn provide() {
    let mut pool = pool();
    let taken = usize::try_from(pool.sequence - pool.provided).unwrap_or(usize::MAX);
    pool.provided = pool.sequence;
    let most = RESIDENT.saturating_sub(IN_USE.load(Ordering::Relaxed)) / CHUNK;
    let want = taken.saturating_mul(2).min(most).clamp(READY, MOST_READY);
    while pool.free.len() < want {
        let path = pool.directory.as_mut().map(Directory::next);
        // Not under the lock: it takes a while to write a file's blocks.
        drop(pool);
        let made = match path {
            Some(path) => Directory::segment_at(path, SEGMENT),
            None => Segment::heap(SEGMENT).ok_or_else(|| io::ErrorKind::OutOfMemory.into()),
        };
        pool = self::pool();
        match made {
            Ok(segment) => segment.cut(CHUNK).into_iter().for_each(|chunk| pool.free.push_front(chunk)),
            Err(error) => return pool.leave_directory(&error),
        }
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

/// The file that stands for the destination `name` beside this process's journal, if that is kept in files below `root`.
#[allow(dead_code, reason = "not every build has a destination that writes there")]
pub(crate) fn owed(root: &Path, name: &str) -> Option<PathBuf> {
    let pool = pool();
    let directory = pool.directory.as_ref().filter(|d| d.path().parent() == Some(root));
    directory.map(|directory| directory.owed(name))
}

/// Why the journal is not kept in files although it should be; once.
pub(crate) fn take_problem() -> Option<String> {
    pool().problem.take()
}

/// Ends keeping the journal in files, and removes them: everything in them has arrived.
pub(crate) fn remove_directory() {
    let directories = {
        let mut pool = pool();
        [pool.directory.take(), pool.left.take()]
    };
    directories.into_iter().flatten().for_each(Directory::remove);
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

#[cfg(test)]
mod tests {
    use observe_wire::journal::{any_below, recover_dead};

    use super::*;

    #[test]
    fn a_directory_that_was_left_is_nobody_elses_while_its_process_lives() {
        let root = tempfile::tempdir().unwrap();
        let mut pool = Pool::new();
        pool.directory = Some(Directory::create(root.path(), &["local".to_owned()]).unwrap());
        pool.leave_directory(&io::ErrorKind::StorageFull.into());
        let recover = || recover_dead(root.path(), "local", |_, _| Ok(())).unwrap();
        recover();
        assert!(any_below(root.path()), "it was taken for that of a dead process");
        drop(pool);
        recover();
        assert!(!any_below(root.path()));
    }
}
