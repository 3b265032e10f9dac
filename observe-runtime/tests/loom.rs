//! Every order of the steps of a writer and the collector, tried by loom.
//!
//! `chunk.rs` is compiled here as it is, with models in place of what orders its accesses (`sync.rs` of the journal):
//! the committed length and the count of an `Arc` are loom's atomics with std's orderings, and each word of a chunk is
//! a cell of loom's, which tells a read or write that nothing puts before or after another one.
#![allow(unreachable_pub, dead_code, reason = "a part of the runtime, without its users")]

#[path = "../src/journal/chunk.rs"]
mod chunk;

/// The models.
mod sync {
    use std::ops::{Deref, Range};

    pub(super) use loom::sync::atomic::{Ordering, fence};
    use loom::{
        cell::UnsafeCell,
        sync::atomic::{AtomicBool, AtomicU64, AtomicUsize},
    };

    pub(super) struct Length(AtomicU64);

    impl Length {
        pub(super) fn new(_place: &'static std::sync::atomic::AtomicU64) -> Self {
            Self(AtomicU64::new(0))
        }

        pub(super) fn load(&self) -> usize {
            self.0.load(Ordering::Acquire) as usize
        }

        pub(super) fn store(&self, len: usize) {
            self.0.store(len as u64, Ordering::Release);
        }
    }

    #[derive(Default)]
    pub(super) struct Last(AtomicU64);

    impl Last {
        pub(super) fn get(&self) -> Option<usize> {
            (self.0.load(Ordering::Acquire) as usize).checked_sub(1)
        }

        pub(super) fn set(&self, len: Option<usize>) {
            self.0.store(len.map_or(0, |len| len as u64 + 1), Ordering::Release);
        }
    }

    #[derive(Default)]
    pub(super) struct Flag(AtomicBool);

    impl Flag {
        pub(super) fn get(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }

        pub(super) fn set(&self, value: bool) {
            self.0.store(value, Ordering::Relaxed);
        }
    }

    /// A cell for each word.
    pub(super) struct Watch(Vec<UnsafeCell<()>>);

    impl Watch {
        pub(super) fn new(len: usize) -> Self {
            Self((0..len.div_ceil(8)).map(|_| UnsafeCell::new(())).collect())
        }

        pub(super) fn read(&self, bytes: Range<usize>) {
            self.0[bytes.start / 8..bytes.end.div_ceil(8)].iter().for_each(|cell| cell.with(|_| ()));
        }

        pub(super) fn write(&self, bytes: Range<usize>) {
            self.0[bytes.start / 8..bytes.end.div_ceil(8)].iter().for_each(|cell| cell.with_mut(|_| ()));
        }
    }

    /// `Arc` with the orderings of the standard library's. Loom's own has a `strong_count` that synchronizes, which
    /// that one has not.
    pub(super) struct Arc<T>(Option<std::sync::Arc<Counted<T>>>);

    struct Counted<T> {
        count: AtomicUsize,
        value: T,
    }

    impl<T> Arc<T> {
        pub(super) fn new(value: T) -> Self {
            Self(Some(std::sync::Arc::new(Counted { count: AtomicUsize::new(1), value })))
        }

        fn counted(&self) -> &Counted<T> {
            self.0.as_deref().expect("a handle is empty only while it is unwrapped")
        }

        pub(super) fn strong_count(this: &Self) -> usize {
            this.counted().count.load(Ordering::Relaxed)
        }

        pub(super) fn try_unwrap(mut this: Self) -> Result<T, Self> {
            let unwrapped =
                this.counted().count.compare_exchange(1, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
            if !unwrapped {
                return Err(this);
            }
            fence(Ordering::Acquire);
            let counted = this.0.take().and_then(std::sync::Arc::into_inner);
            Ok(counted.expect("the other handles are gone: their count is").value)
        }
    }

    impl<T> Deref for Arc<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.counted().value
        }
    }

    impl<T> Clone for Arc<T> {
        fn clone(&self) -> Self {
            self.counted().count.fetch_add(1, Ordering::Relaxed);
            Self(self.0.clone())
        }
    }

    impl<T> Drop for Arc<T> {
        fn drop(&mut self) {
            if let Some(counted) = &self.0
                && counted.count.fetch_sub(1, Ordering::Release) == 1
            {
                fence(Ordering::Acquire);
            }
        }
    }
}

use chunk::{Chunk, Segment, Tail};
use loom::thread;
use observe_wire::journal::chunk::HEADER;
use sync::Arc;

/// Entries that a chunk here has room for; each is one word.
const ENTRIES: usize = 3;

fn chunk() -> Chunk {
    Segment::heap(HEADER + ENTRIES * 8).unwrap().cut(HEADER + ENTRIES * 8).pop().unwrap()
}

/// Writes `first`, `first + 1` and so on, up to the end of the chunk.
fn write(mut tail: Tail, first: u64) {
    for n in first..first + ENTRIES as u64 {
        tail.free()[..8].copy_from_slice(&n.to_le_bytes());
        tail.commit(8);
    }
    assert_eq!(tail.room(), 0);
}

/// How many entries are there; they must be whole, and those that were written first.
fn read(chunk: &Chunk, first: u64) -> usize {
    let bytes = chunk.committed();
    assert_eq!(bytes.len() % 8, 0);
    for (word, n) in bytes.chunks(8).zip(first..) {
        assert_eq!(word, n.to_le_bytes());
    }
    bytes.len() / 8
}

#[test]
fn a_reader_sees_whole_commits_in_their_order() {
    loom::model(|| {
        let (tail, chunk) = chunk().open(1);
        let writer = thread::spawn(move || write(tail, 10));
        let once = read(&chunk, 10);
        let again = read(&chunk, 10);
        assert!(once <= again, "what was seen stays");
        writer.join().unwrap();
        assert_eq!(read(&chunk, 10), ENTRIES);
    });
}

#[test]
fn a_chunk_whose_thread_has_left_it_shows_all_that_was_written() {
    loom::model(|| {
        let (tail, chunk) = chunk().open(1);
        let writer = thread::spawn(move || write(tail, 10));
        if Chunk::is_left(&chunk) {
            assert_eq!(read(&chunk, 10), ENTRIES, "left, and yet something is to come");
            assert!(Chunk::reclaim(chunk).is_ok());
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_chunk_is_had_by_value_only_when_its_thread_has_left_it() {
    loom::model(|| {
        let (tail, chunk) = chunk().open(1);
        let writer = thread::spawn(move || write(tail, 10));
        match Chunk::reclaim(chunk) {
            Ok(chunk) => assert_eq!(read(&chunk, 10), ENTRIES),
            Err(chunk) => {
                writer.join().unwrap();
                assert!(Chunk::reclaim(chunk).is_ok());
            }
        }
    });
}

#[test]
fn a_chunk_goes_from_one_thread_to_the_next_without_a_race() {
    loom::model(|| {
        let (tail, chunk) = chunk().open(1);
        let first = thread::spawn(move || write(tail, 10));
        let before = read(&chunk, 10);
        assert!(before <= ENTRIES);
        let Ok(mut chunk) = Chunk::reclaim(chunk) else {
            first.join().unwrap();
            return;
        };
        chunk.clear();
        let (tail, chunk) = chunk.open(2);
        let second = thread::spawn(move || write(tail, 20));
        read(&chunk, 20);
        second.join().unwrap();
        first.join().unwrap();
        assert_eq!(read(&chunk, 20), ENTRIES);
    });
}

#[test]
fn a_chunk_goes_from_the_collector_to_a_thread_through_a_lock_without_a_race() {
    loom::model(|| {
        let free = std::sync::Arc::new(loom::sync::Mutex::new(None));
        let (tail, chunk) = chunk().open(1);
        write(tail, 10);
        let taker = {
            let free = std::sync::Arc::clone(&free);
            thread::spawn(move || {
                let taken: Option<Chunk> = free.lock().unwrap().take();
                taken.map(|chunk| {
                    let (tail, reader) = chunk.open(2);
                    write(tail, 20);
                    reader
                })
            })
        };
        assert_eq!(read(&chunk, 10), ENTRIES);
        let chunk = Chunk::reclaim(chunk).unwrap_or_else(|_: Arc<Chunk>| panic!("its tail is gone"));
        *free.lock().unwrap() = Some(chunk);
        if let Some(reader) = taker.join().unwrap() {
            assert_eq!(read(&reader, 20), ENTRIES);
        }
    });
}

#[test]
fn who_sees_a_change_was_told_that_the_chunk_has_some() {
    loom::model(|| {
        let (mut tail, chunk) = chunk().open(1);
        let writer = thread::spawn(move || {
            tail.commit(8);
            tail.has_changes();
            tail.commit(8);
        });
        if chunk.committed().len() > 8 {
            assert!(chunk.may_have_changes());
        }
        writer.join().unwrap();
    });
}
