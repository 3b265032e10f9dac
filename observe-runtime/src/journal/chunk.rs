//! One piece of journal memory: a thread writes its tail while the collector reads its head.
//!
//! Chunks are cut from segments, which are plain memory or files mapped into it. A chunk's header, in the format of
//! `observe_wire::journal::chunk`, lies in that memory too, so that a file can be read after its process died.
//!
//! Invariants, on which every `unsafe` block here rests:
//!
//! 1. A segment's memory is initialised, aligned to 8 bytes, and lives as long as the segment; each chunk holds its
//!    segment and is the only one with its part of it, which begins and ends at multiples of 8. Nobody else writes a mapped file: it lies in a directory that
//!    its process locks.
//! 2. There is at most one [`Tail`] per chunk: [`Chunk::open`] makes it and takes the chunk by value, and only a chunk
//!    that nobody else holds can be had by value again ([`Chunk::reclaim`]).
//! 3. Bytes below `committed` never change while the chunk is shared; only the tail touches bytes at or above it.
//! 4. A tail's `start` points into its chunk, to the byte at `committed`. So does `last`, which does not change: whatever is
//!    below it has [`SHORT`] bytes of the chunk from there on. `start + clear` is no further than `last`, unless `clear` is 0.
//! 5. `committed` only grows while the chunk is shared, by a store with `Release` that follows the writes it covers;
//!    readers load it with `Acquire`.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::atomic::AtomicU64,
};

use observe_wire::journal::{
    chunk::{ARRIVED_AT, CAPACITY_AT, COMMITTED_AT, HEADER, MAGIC, SEQUENCE_AT},
    entry::ALIGN,
};

use super::sync::{Arc, Flag, Last, Length, Ordering, Watch, fence};

/// Bytes for which whoever writes asks at once whether there is room: one comparison, that fails a little early.
pub(crate) const SHORT: usize = 264;

/// Memory from which chunks are cut.
pub(crate) struct Segment {
    memory: NonNull<u8>,
    len: usize,
    owner: Owner,
}

enum Owner {
    Heap(Layout),
    #[cfg(feature = "mapped")]
    File(mapped::File),
}

// SAFETY: a segment's memory is reached through its chunks alone, each of which has a part of its own.
unsafe impl Send for Segment {}
// SAFETY: as above.
unsafe impl Sync for Segment {}

impl Segment {
    /// Plain memory of `len` bytes; `None` if the system has none.
    pub(crate) fn heap(len: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len, 8).ok().filter(|l| l.size() > 0)?;
        // SAFETY: the layout's size is not zero.
        let memory = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { memory, len, owner: Owner::Heap(layout) })
    }

    /// A new file of `len` bytes, mapped. It is deleted with the segment.
    ///
    /// # Errors
    /// If the file cannot be made or mapped, or the disk is full: its blocks are written here, so that touching the
    /// memory later cannot fail.
    #[cfg(feature = "mapped")]
    pub(crate) fn file(path: std::path::PathBuf, len: usize) -> std::io::Result<Self> {
        let (memory, file) = mapped::File::create(path, len)?;
        Ok(Self { memory, len, owner: Owner::File(file) })
    }

    /// Whether [`Segment::release`] does anything.
    fn is_file(&self) -> bool {
        match &self.owner {
            Owner::Heap(_) => false,
            #[cfg(feature = "mapped")]
            Owner::File(_) => true,
        }
    }

    /// Takes a part out of memory where it lies in a file too: touched again, it comes back from there.
    fn release(&self, offset: usize, len: usize) {
        match &self.owner {
            Owner::Heap(_) => _ = (offset, len),
            #[cfg(feature = "mapped")]
            Owner::File(file) => file.release(offset, len),
        }
    }

    /// Cuts the segment into chunks of `capacity` bytes, header included, or up to seven less.
    pub(crate) fn cut(self, capacity: usize) -> Vec<Chunk> {
        let capacity = capacity / ALIGN * ALIGN;
        let (count, memory) = (self.len / capacity.max(HEADER + 8), self.memory);
        let segment = std::sync::Arc::new(self);
        let chunk = |n| {
            // SAFETY: `n * capacity + capacity <= len`: inside the segment's memory.
            let header = unsafe { memory.add(n * capacity) };
            // SAFETY: invariant 1; the place is aligned, every access to it while the chunk is shared is atomic, and
            // `Length` lives no longer than the chunk, which holds the segment.
            let place = |at| unsafe { AtomicU64::from_ptr(header.as_ptr().add(at).cast()) };
            let mut chunk = Chunk {
                header,
                capacity,
                committed: Length::new(place(COMMITTED_AT)),
                arrived: Length::new(place(ARRIVED_AT)),
                watch: Watch::new(capacity - HEADER),
                changes: Flag::default(),
                released: Last::default(),
                sequence: 0,
                segment: std::sync::Arc::clone(&segment),
            };
            chunk.put_number(CAPACITY_AT, capacity as u64);
            chunk.put_number(0, MAGIC);
            chunk
        };
        (0..count).map(chunk).collect()
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        match &self.owner {
            // SAFETY: invariant 1; the memory came from `alloc_zeroed` with this layout.
            Owner::Heap(layout) => unsafe { dealloc(self.memory.as_ptr(), *layout) },
            #[cfg(feature = "mapped")]
            Owner::File(file) => file.delete(),
        }
    }
}

/// Memory that one thread writes and the collector reads.
pub(crate) struct Chunk {
    header: NonNull<u8>,
    /// Bytes, header included.
    capacity: usize,
    committed: Length,
    /// For whoever reads the file.
    arrived: Length,
    watch: Watch,
    changes: Flag,
    released: Last,
    sequence: u64,
    segment: std::sync::Arc<Segment>,
}

// SAFETY: invariants 2 to 5 order every access to the memory.
unsafe impl Send for Chunk {}
// SAFETY: as above; `&Chunk` gives read access to committed bytes alone.
unsafe impl Sync for Chunk {}

impl Chunk {
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether it lies in a file.
    pub(crate) fn is_in_file(&self) -> bool {
        self.segment.is_file()
    }

    /// Its place in the order in which chunks are taken.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Writes a number of the header other than the lengths.
    fn put_number(&mut self, at: usize, number: u64) {
        debug_assert!(at < HEADER && ![COMMITTED_AT, ARRIVED_AT].contains(&at));
        // SAFETY: invariant 1, and `&mut self`: nobody reads the header meanwhile.
        unsafe { self.header.as_ptr().add(at).cast::<[u8; 8]>().write(number.to_le_bytes()) };
    }

    /// What has been written so far.
    #[inline]
    pub(crate) fn committed(&self) -> &[u8] {
        let len = self.committed.load();
        self.watch.read(0..len);
        // SAFETY: invariants 1, 3 and 5: these bytes are written, visible and final while `self` is shared.
        unsafe { std::slice::from_raw_parts(self.header.as_ptr().add(HEADER), len) }
    }

    /// Whether something may be said of a span in what has been written so far, beside its start and end. Asked after
    /// [`Chunk::committed`], it is true of all that this gave.
    #[inline]
    pub(crate) fn may_have_changes(&self) -> bool {
        self.changes.get()
    }

    /// How many bytes [`Chunk::committed`] gives. Asked of one that was taken out of memory, it does not touch it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.released.get().unwrap_or_else(|| self.committed.load())
    }

    /// Takes the chunk, to which nothing more is written, out of memory if it lies in a file too; whoever touches it again
    /// has it come back from there. Whether it was in memory, for all that [`Chunk::is_released`] knows.
    pub(crate) fn release(&self) -> bool {
        if !self.segment.is_file() {
            return false;
        }
        let was_released = self.is_released();
        self.released.set(Some(self.len()));
        let offset = self.header.addr().get() - self.segment.memory.addr().get();
        self.segment.release(offset, self.capacity);
        !was_released
    }

    /// Whether it was taken out of memory since it was opened. It may be back.
    pub(crate) fn is_released(&self) -> bool {
        self.released.get().is_some()
    }

    /// Notes, for whoever reads the file if the process is killed, that all spans which end in the first `len` bytes have
    /// arrived. For one thread alone.
    pub(crate) fn set_arrived(&self, len: usize) {
        self.arrived.store(len);
    }

    /// Forgets what was written. In a file, nothing is left to recover.
    pub(crate) fn clear(&mut self) {
        self.changes.set(false);
        self.released.set(None);
        // In this order: killed in between, the process leaves nothing there.
        self.committed.store(0);
        self.arrived.store(0);
    }

    /// Empties the chunk and gives the right to write it, once, with a second handle for the reader. `sequence` is its
    /// place in the order in which chunks are taken.
    pub(crate) fn open(mut self, sequence: u64) -> (Tail, Arc<Self>) {
        self.clear();
        self.sequence = sequence;
        self.put_number(SEQUENCE_AT, sequence);
        // SAFETY: a capacity is larger than the header.
        let memory = unsafe { self.header.add(HEADER) };
        // SAFETY: inside the chunk's memory, and with `SHORT` bytes of it behind any byte in front; none is in a small chunk.
        let last = unsafe { memory.add((self.capacity - HEADER).saturating_sub(SHORT - 1)) };
        let chunk = Arc::new(self);
        let clear = last.addr().get() - memory.addr().get();
        (Tail { start: memory, last, clear, chunk: Arc::clone(&chunk) }, chunk)
    }

    /// Whether the tail is gone and nobody else reads: what [`Chunk::committed`] gives from now on is all that there will
    /// be. The count alone does not say that: reading it orders nothing.
    pub(crate) fn is_left(handle: &Arc<Self>) -> bool {
        let is_left = Arc::strong_count(handle) == 1;
        fence(Ordering::Acquire);
        is_left
    }

    /// The chunk by value if its tail is gone and nobody else reads it; else the handle back.
    pub(crate) fn reclaim(handle: Arc<Self>) -> Result<Self, Arc<Self>> {
        Arc::try_unwrap(handle)
    }
}

/// The right to write a chunk. Places are told by their distance from the first byte that is not committed.
pub(crate) struct Tail {
    /// That byte.
    start: NonNull<u8>,
    /// In front of it, there is room for [`SHORT`] bytes.
    last: NonNull<u8>,
    /// At a place below it, there is room for [`SHORT`] bytes.
    clear: usize,
    chunk: Arc<Chunk>,
}

// SAFETY: a tail is the only writer wherever it is (invariant 2), and the memory is not tied to a thread.
unsafe impl Send for Tail {}

impl Tail {
    /// The bytes that are not committed, down to the end of the chunk. What they hold is left over or zero.
    pub(crate) fn free(&mut self) -> &mut [u8] {
        let room = self.room();
        self.watch(0, room);
        // SAFETY: invariants 1 to 4: initialised memory above `committed`, which only this tail touches.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), room) }
    }

    /// How many bytes are not committed.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.chunk.capacity - HEADER - self.committed()
    }

    /// From now on until the next commit, only what is below `most` can be written at once.
    #[inline(always)]
    pub(crate) fn cap(&mut self, most: usize) {
        self.clear = self.clear.min(most);
    }

    /// Whether at once [`SHORT`] bytes can be written at this place. It may be denied where they could.
    #[inline(always)]
    pub(crate) fn is_clear(&self, at: usize) -> bool {
        at < self.clear
    }

    /// Gives the `len` bytes at this place to `write`. False if it says so, or if it is not clear that there are so many.
    #[inline(always)]
    pub(crate) fn fill(&mut self, at: usize, len: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        if !self.is_clear(at) || len > SHORT {
            return false;
        }
        self.watch(at, len);
        // SAFETY: as for `free`: the place is below `clear` and there is room for `len` bytes (invariant 4).
        write(unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(at), len) })
    }

    /// Writes `bytes` at this place. False if it is not clear that there is room for them.
    #[inline(always)]
    pub(crate) fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> bool {
        const { assert!(N <= SHORT) }
        if !self.is_clear(at) {
            return false;
        }
        self.watch(at, N);
        // SAFETY: as for `fill`; an array of bytes has no alignment.
        unsafe { self.start.add(at).cast().write(bytes) };
        true
    }

    /// Bytes that the chunk takes from the pool.
    pub(crate) fn capacity(&self) -> usize {
        self.chunk.capacity
    }

    /// Ends writing, and gives a reader's handle.
    pub(crate) fn leave(self) -> Arc<Chunk> {
        self.chunk
    }

    /// Says, before it is committed, that something will be said of a span beside its start and end.
    pub(crate) fn has_changes(&mut self) {
        self.chunk.changes.set(true);
    }

    /// How many bytes are committed.
    #[inline(always)]
    pub(crate) fn committed(&self) -> usize {
        self.start.addr().get() - self.chunk.header.addr().get() - HEADER
    }

    /// Makes the first `len` bytes visible to the reader; as many as there are if `len` is more.
    pub(crate) fn commit(&mut self, len: usize) {
        self.publish(len.min(self.room()));
    }

    /// Writes these words from the first byte on, little-endian, and makes the first `len` bytes visible to the reader.
    /// False, and nothing is done, if it is not clear that there are so many.
    #[inline(always)]
    pub(crate) fn commit_with<const WORDS: usize>(
        &mut self,
        header: [u8; 8],
        words: [u64; WORDS],
        len: usize,
    ) -> bool {
        const { assert!(8 + WORDS * 8 <= SHORT) }
        if !self.is_clear(len) {
            return false;
        }
        self.watch(0, 8 + WORDS * 8);
        let start = self.start;
        // SAFETY: as for `put`: what is below a place that is clear is clear, so there is room for `SHORT` bytes.
        unsafe { start.cast().write(header) };
        for (n, word) in words.into_iter().enumerate() {
            // SAFETY: as above.
            unsafe { start.add(8 + n * 8).cast().write(word.to_le_bytes()) };
        }
        self.publish(len);
        true
    }

    /// Makes the first `len` bytes visible to the reader, of which there must be as many.
    #[inline(always)]
    fn publish(&mut self, len: usize) {
        let committed = self.committed() + len;
        self.chunk.watch.write(committed - len..committed);
        // SAFETY: invariant 4: `len` bytes from `start` on are inside the chunk.
        self.start = unsafe { self.start.add(len) };
        self.clear = self.last.addr().get().saturating_sub(self.start.addr().get());
        self.chunk.committed.store(committed);
    }

    /// Tells the model which bytes are written.
    #[inline(always)]
    fn watch(&self, at: usize, len: usize) {
        let begin = self.committed() + at;
        self.chunk.watch.write(begin..begin + len);
    }
}

#[cfg(feature = "mapped")]
mod mapped {
    //! A file in memory.

    use std::{
        fs,
        io::{self, Write},
        path::PathBuf,
        ptr::NonNull,
    };

    use memmap2::MmapMut;
    #[cfg(unix)]
    use memmap2::UncheckedAdvice;

    pub(super) struct File {
        /// Keeps the memory.
        map: MmapMut,
        path: PathBuf,
    }

    impl File {
        pub(super) fn create(path: PathBuf, len: usize) -> io::Result<(NonNull<u8>, Self)> {
            let mut file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
            let made = Self::fill_and_map(&mut file, len);
            if made.is_err() {
                let _ = fs::remove_file(&path);
            }
            let mut map = made?;
            let memory = NonNull::new(map.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
            Ok((memory, Self { map, path }))
        }

        fn fill_and_map(file: &mut fs::File, len: usize) -> io::Result<MmapMut> {
            let zeros = [0; 64 * 1024];
            let mut left = len;
            while left > 0 {
                let piece = left.min(zeros.len());
                file.write_all(&zeros[..piece])?;
                left -= piece;
            }
            // SAFETY: the file is new, of this length, in a directory that this process locks: nobody else writes or
            // shortens it while it is mapped.
            unsafe { MmapMut::map_mut(&*file) }
        }

        /// Takes a part out of memory. Where the system cannot, it stays.
        pub(super) fn release(&self, offset: usize, len: usize) {
            // SAFETY: a shared mapping of a file: what was written is in the file's pages, and every access from now on,
            // of whichever thread, finds it there again. So it is for the neighbours on a page that is not all ours.
            #[cfg(unix)]
            let _ = unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, len) };
            #[cfg(not(unix))]
            let _ = (&self.map, offset, len);
        }

        pub(super) fn delete(&self) {
            // Whatever stays behind is removed by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
