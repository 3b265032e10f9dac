//! One piece of journal memory: a thread writes its tail while the collector reads its head.
//!
//! Invariants, on which every `unsafe` block here rests:
//!
//! 1. The memory is `capacity` bytes, zeroed when it was made, and lives as long as its `Chunk`.
//! 2. There is at most one [`Tail`] per chunk: [`Chunk::open`] makes it and takes the chunk by value, and only a chunk
//!    that nobody else holds can be had by value again ([`Chunk::reclaim`]).
//! 3. Bytes below `committed` never change while the chunk is shared; only the tail touches bytes at or above it.
//! 4. `committed` only grows, by a store with `Release` that follows the writes it covers; readers load it with
//!    `Acquire`.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Memory that one thread writes and the collector reads.
pub(crate) struct Chunk {
    memory: NonNull<u8>,
    capacity: usize,
    committed: AtomicUsize,
}

// SAFETY: invariants 2 to 4 order every access to the memory.
unsafe impl Send for Chunk {}
// SAFETY: as above; `&Chunk` gives read access to committed bytes alone.
unsafe impl Sync for Chunk {}

impl Chunk {
    fn layout(capacity: usize) -> Option<Layout> {
        Layout::from_size_align(capacity, 8).ok().filter(|l| l.size() > 0)
    }

    /// A chunk of `capacity` bytes; `None` if the system has no memory for it.
    pub(crate) fn new(capacity: usize) -> Option<Self> {
        let layout = Self::layout(capacity)?;
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { memory, capacity, committed: AtomicUsize::new(0) })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// What has been written so far.
    pub(crate) fn committed(&self) -> &[u8] {
        let len = self.committed.load(Ordering::Acquire);
        // SAFETY: invariants 1, 3 and 4: these bytes are written, visible and final while `self` is shared.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), len) }
    }

    /// Empties the chunk and gives the right to write it, once, with a second handle for the reader.
    pub(crate) fn open(mut self) -> (Tail, Arc<Self>) {
        *self.committed.get_mut() = 0;
        let (memory, capacity) = (self.memory, self.capacity);
        let chunk = Arc::new(self);
        (Tail { memory, committed: 0, capacity, chunk: Arc::clone(&chunk) }, chunk)
    }

    /// The chunk by value if its tail is gone and nobody else reads it; else the handle back.
    pub(crate) fn reclaim(handle: Arc<Self>) -> Result<Self, Arc<Self>> {
        Arc::try_unwrap(handle)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(layout) = Self::layout(self.capacity) {
            // SAFETY: invariant 1; the memory came from `alloc_zeroed` with this layout.
            unsafe { dealloc(self.memory.as_ptr(), layout) };
        }
    }
}

/// The right to write a chunk.
pub(crate) struct Tail {
    memory: NonNull<u8>,
    committed: usize,
    capacity: usize,
    chunk: Arc<Chunk>,
}

// SAFETY: a tail is the only writer wherever it is (invariant 2), and the memory is not tied to a thread.
unsafe impl Send for Tail {}

impl Tail {
    /// The bytes that are not yet committed, down to the end of the chunk. What they hold is left over or zero.
    #[inline]
    pub(crate) fn free(&mut self) -> &mut [u8] {
        // SAFETY: invariants 1 to 3: initialised memory above `committed`, which only this tail touches.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.memory.as_ptr().add(self.committed),
                self.capacity - self.committed,
            )
        }
    }

    /// How many bytes are free.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.capacity - self.committed
    }

    /// Makes the first `len` free bytes visible to the reader; as many as there are if `len` is more.
    #[inline]
    pub(crate) fn commit(&mut self, len: usize) {
        self.committed += len.min(self.room());
        self.chunk.committed.store(self.committed, Ordering::Release);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    #[cfg(test)]
    fn is_of(&self, chunk: &Arc<Chunk>) -> bool {
        Arc::ptr_eq(&self.chunk, chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_whole_commits_while_they_are_written() {
        let (mut tail, chunk) = Chunk::new(1 << 16).unwrap().open();
        let writer = std::thread::spawn(move || {
            for n in 0..8192_u64 {
                tail.free()[..8].copy_from_slice(&n.to_le_bytes());
                tail.commit(8);
            }
            assert_eq!(tail.room(), 0);
            tail.commit(8);
        });
        let mut seen = 0;
        while seen < 8192 {
            let bytes = chunk.committed();
            for word in bytes[seen * 8..].chunks(8) {
                assert_eq!(word, (seen as u64).to_le_bytes());
                seen += 1;
            }
        }
        writer.join().unwrap();
        let chunk = Chunk::reclaim(chunk).unwrap_or_else(|_| panic!("the tail is gone"));
        let (tail, again) = chunk.open();
        assert!(tail.is_of(&again) && again.committed().is_empty());
        assert!(Chunk::reclaim(again).is_err(), "a chunk with a tail cannot be had by value");
    }
}
