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
//! 4. A tail's `start` and `next` point into its chunk, in this order: `start` to the byte at `committed`, `next` no further
//!    than behind the last one. So does `last`, which does not change: whatever is below it has [`SHORT`] bytes of the chunk
//!    from there on.
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
        (Tail { start: memory, next: memory, last, chunk: Arc::clone(&chunk) }, chunk)
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

/// The right to write a chunk. What is written is pending until it is committed.
pub(crate) struct Tail {
    /// The first byte that is not committed.
    start: NonNull<u8>,
    /// The first free byte.
    next: NonNull<u8>,
    /// In front of it, there is room for [`SHORT`] bytes.
    last: NonNull<u8>,
    chunk: Arc<Chunk>,
}

/// A [`Tail`] between two entries, as its thread keeps it.
///
/// What changes with every entry stands between what does not: beside it, it would be read back together with it, which
/// waits until all that the processor has still to write is in its cache, this thread's journal above all.
#[repr(C)]
pub(crate) struct Rest {
    last: NonNull<u8>,
    /// The first byte that is not committed.
    next: NonNull<u8>,
    chunk: Arc<Chunk>,
}

impl Rest {
    /// The right to go on writing.
    #[inline(always)]
    pub(crate) fn resume(self) -> Tail {
        let Self { last, next, chunk } = self;
        Tail { start: next, next, last, chunk }
    }
}

// SAFETY: a tail is the only writer wherever it is (invariant 2), and the memory is not tied to a thread.
unsafe impl Send for Tail {}

impl Tail {
    /// What is to be kept until the next entry. What is pending is given up.
    #[inline(always)]
    pub(crate) fn rest(self) -> Rest {
        let Self { start, last, chunk, .. } = self;
        Rest { last, next: start, chunk }
    }

    /// The free bytes, down to the end of the chunk. What they hold is left over or zero.
    #[inline(always)]
    pub(crate) fn free(&mut self) -> &mut [u8] {
        let room = self.room();
        self.chunk.watch.write(self.written()..self.written() + room);
        // SAFETY: invariants 1 to 4: initialised memory above `committed`, which only this tail touches.
        unsafe { std::slice::from_raw_parts_mut(self.next.as_ptr(), room) }
    }

    /// The bytes that are written and not committed.
    #[inline(always)]
    pub(crate) fn pending(&mut self) -> &mut [u8] {
        self.chunk.watch.write(self.committed()..self.written());
        // SAFETY: as for `free`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.pending_len()) }
    }

    /// How many bytes are written and not committed.
    #[inline(always)]
    pub(crate) fn pending_len(&self) -> usize {
        self.next.addr().get() - self.start.addr().get()
    }

    /// How many bytes are free.
    #[inline(always)]
    pub(crate) fn room(&self) -> usize {
        self.chunk.header.addr().get() + self.chunk.capacity - self.next.addr().get()
    }

    /// Whether so many bytes are free. It may be denied of a few that are.
    #[inline(always)]
    fn has_room_for(&self, len: usize) -> bool {
        len <= SHORT && self.next < self.last
    }

    /// Counts the next `len` free bytes as written. False, and nothing is done, if it is not at once clear that there are
    /// so many.
    #[inline(always)]
    pub(crate) fn skip(&mut self, len: usize) -> bool {
        let has_room = self.has_room_for(len);
        if has_room {
            // SAFETY: invariant 4, and there is room for `len` bytes.
            self.next = unsafe { self.next.add(len) };
        }
        has_room
    }

    /// Counts the first `len` free bytes as written; as many as there are if `len` is more.
    #[inline(always)]
    pub(crate) fn advance(&mut self, len: usize) {
        let len = len.min(self.room());
        // SAFETY: invariant 4: `len` bytes from `next` on are inside the chunk.
        self.next = unsafe { self.next.add(len) };
    }

    /// Counts as written what is free up to the next multiple of [`ALIGN`].
    #[inline(always)]
    pub(crate) fn align(&mut self) {
        let len = self.next.addr().get().wrapping_neg() % ALIGN;
        // SAFETY: invariants 1 and 4: the chunk ends at such a multiple and not below `next`, so it is not passed.
        self.next = unsafe { self.next.add(len) };
    }

    /// Gives the next `len` free bytes to `write`, and counts them as written if it says so. False if it does not, or if it
    /// is not at once clear that there are so many.
    #[inline(always)]
    pub(crate) fn fill(&mut self, len: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        let next = self.next;
        if !self.has_room_for(len) {
            return false;
        }
        self.chunk.watch.write(self.written()..self.written() + len);
        // SAFETY: as for `free`: there is room for `len` bytes.
        let filled = write(unsafe { std::slice::from_raw_parts_mut(next.as_ptr(), len) });
        if filled {
            // SAFETY: invariant 4, and there was room for `len` bytes.
            self.next = unsafe { next.add(len) };
        }
        filled
    }

    /// Writes `bytes` and counts the first `len` of them as written. False if it is not at once clear that there is room
    /// for all of them.
    #[inline(always)]
    pub(crate) fn put_padded<const N: usize>(&mut self, bytes: [u8; N], len: usize) -> bool {
        let next = self.next;
        if !self.has_room_for(N) {
            return false;
        }
        self.chunk.watch.write(self.written()..self.written() + N);
        // SAFETY: as for `free`: there is room for `N` bytes; an array of bytes has no alignment.
        unsafe { next.cast().write(bytes) };
        // SAFETY: invariant 4, and there was room for `N` bytes.
        self.next = unsafe { next.add(len.min(N)) };
        true
    }

    /// Takes back what is written, down to the first `len` bytes since the last commit.
    pub(crate) fn rewind(&mut self, len: usize) {
        let back = self.pending_len().saturating_sub(len);
        // SAFETY: invariant 4: so many bytes in front of `next` are inside the chunk.
        self.next = unsafe { self.next.sub(back) };
    }

    /// Bytes that the chunk takes from the pool.
    pub(crate) fn capacity(&self) -> usize {
        self.chunk.capacity
    }

    /// Ends writing, and gives a reader's handle.
    pub(crate) fn leave(self) -> Arc<Chunk> {
        self.chunk
    }

    /// Says, before it is published, that something will be said of a span beside its start and end.
    pub(crate) fn has_changes(&mut self) {
        self.chunk.changes.set(true);
    }

    /// How many bytes are written, committed or not.
    #[inline(always)]
    fn written(&self) -> usize {
        self.next.addr().get() - self.chunk.header.addr().get() - HEADER
    }

    /// How many bytes are committed.
    pub(crate) fn committed(&self) -> usize {
        self.written() - self.pending_len()
    }

    /// Makes what is written visible to the reader.
    #[inline(always)]
    pub(crate) fn publish(&mut self) {
        let written = self.written();
        self.chunk.watch.write(written - self.pending_len()..written);
        self.start = self.next;
        self.chunk.committed.store(written);
    }

    /// Makes the first `len` free bytes visible to the reader, with what is pending.
    pub(crate) fn commit(&mut self, len: usize) {
        self.advance(len);
        self.publish();
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
