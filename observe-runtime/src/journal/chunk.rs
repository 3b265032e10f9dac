//! One piece of journal memory: a thread writes its tail while the collector reads its head.
//!
//! Chunks are cut from segments, which are plain memory or files mapped into it. A chunk's header, in the format of
//! `observe_wire::journal::chunk`, lies in that memory too, so that a file can be read after its process died.
//!
//! Invariants, on which every `unsafe` block here rests:
//!
//! 1. A segment's memory is initialised, aligned to 8 bytes, and lives as long as the segment; each chunk holds its
//!    segment and is the only one with its part of it. Nobody else writes a mapped file: it lies in a directory that
//!    its process locks.
//! 2. There is at most one [`Tail`] per chunk: [`Chunk::open`] makes it and takes the chunk by value, and only a chunk
//!    that nobody else holds can be had by value again ([`Chunk::reclaim`]).
//! 3. Bytes below `committed` never change while the chunk is shared; only the tail touches bytes at or above it.
//! 4. `committed` only grows while the chunk is shared, by a store with `Release` that follows the writes it covers;
//!    readers load it with `Acquire`.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use observe_wire::journal::chunk::{CAPACITY_AT, COMMITTED_AT, HEADER, MAGIC, SEQUENCE_AT};

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

    /// Cuts the segment into chunks of `capacity` bytes, header included.
    pub(crate) fn cut(self, capacity: usize) -> Vec<Chunk> {
        let (count, memory) = (self.len / capacity.max(HEADER + 8), self.memory);
        let segment = Arc::new(self);
        let chunk = |n| {
            let mut chunk = Chunk {
                // SAFETY: `n * capacity + capacity <= len`: inside the segment's memory.
                header: unsafe { memory.add(n * capacity) },
                capacity,
                _segment: Arc::clone(&segment),
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
    _segment: Arc<Segment>,
}

// SAFETY: invariants 2 to 4 order every access to the memory.
unsafe impl Send for Chunk {}
// SAFETY: as above; `&Chunk` gives read access to committed bytes alone.
unsafe impl Sync for Chunk {}

impl Chunk {
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    fn committed_len(&self) -> &AtomicU64 {
        // SAFETY: invariant 1; the place is aligned, and every access to it while the chunk is shared is atomic.
        unsafe { AtomicU64::from_ptr(self.header.as_ptr().add(COMMITTED_AT).cast()) }
    }

    /// Writes a number of the header other than the committed length.
    fn put_number(&mut self, at: usize, number: u64) {
        debug_assert!(at < HEADER && at != COMMITTED_AT);
        // SAFETY: invariant 1, and `&mut self`: nobody reads the header meanwhile.
        unsafe { self.header.as_ptr().add(at).cast::<[u8; 8]>().write(number.to_le_bytes()) };
    }

    /// What has been written so far.
    #[inline]
    pub(crate) fn committed(&self) -> &[u8] {
        let len = self.committed_len().load(Ordering::Acquire) as usize;
        // SAFETY: invariants 1, 3 and 4: these bytes are written, visible and final while `self` is shared.
        unsafe { std::slice::from_raw_parts(self.header.as_ptr().add(HEADER), len) }
    }

    /// Forgets what was written. In a file, nothing is left to recover.
    pub(crate) fn clear(&mut self) {
        self.committed_len().store(0, Ordering::Release);
    }

    /// Empties the chunk and gives the right to write it, once, with a second handle for the reader. `sequence` is its
    /// place in the order in which chunks are taken.
    pub(crate) fn open(mut self, sequence: u64) -> (Tail, Arc<Self>) {
        self.clear();
        self.put_number(SEQUENCE_AT, sequence);
        // SAFETY: a capacity is larger than the header.
        let memory = unsafe { self.header.add(HEADER) };
        let capacity = self.capacity - HEADER;
        let chunk = Arc::new(self);
        (Tail { memory, committed: 0, capacity, chunk: Arc::clone(&chunk) }, chunk)
    }

    /// The chunk by value if its tail is gone and nobody else reads it; else the handle back.
    pub(crate) fn reclaim(handle: Arc<Self>) -> Result<Self, Arc<Self>> {
        Arc::try_unwrap(handle)
    }
}

/// The right to write a chunk.
pub(crate) struct Tail {
    /// The first byte behind the header.
    memory: NonNull<u8>,
    committed: usize,
    /// Bytes behind the header.
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

    /// Bytes that the chunk takes from the pool.
    pub(crate) fn capacity(&self) -> usize {
        self.chunk.capacity
    }

    /// How many bytes are committed.
    pub(crate) fn committed(&self) -> usize {
        self.committed
    }

    /// Makes the first `len` free bytes visible to the reader; as many as there are if `len` is more.
    #[inline]
    pub(crate) fn commit(&mut self, len: usize) {
        self.committed += len.min(self.room());
        self.chunk.committed_len().store(self.committed as u64, Ordering::Release);
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

    pub(super) struct File {
        /// Keeps the memory.
        _map: MmapMut,
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
            Ok((memory, Self { _map: map, path }))
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

        pub(super) fn delete(&self) {
            // Whatever stays behind is removed by the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(capacity: usize) -> Chunk {
        Segment::heap(capacity).unwrap().cut(capacity).pop().unwrap()
    }

    #[test]
    fn a_reader_sees_whole_commits_while_they_are_written() {
        let (mut tail, chunk) = chunk(HEADER + (1 << 16)).open(1);
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
        let (tail, again) = chunk.open(2);
        assert!(again.committed().is_empty());
        let again = Chunk::reclaim(again).err().expect("a chunk with a tail cannot be had by value");
        drop(tail);
        assert!(Chunk::reclaim(again).is_ok());
    }

    #[test]
    fn chunks_of_a_segment_do_not_overlap() {
        let chunks = Segment::heap(4 * 128).unwrap().cut(128);
        assert_eq!(chunks.len(), 4);
        let mut open: Vec<_> = chunks.into_iter().zip(0..).map(|(c, n)| c.open(n)).collect();
        for (n, (tail, _)) in open.iter_mut().enumerate() {
            tail.free().fill(n as u8);
            tail.commit(64);
        }
        for (n, (_, chunk)) in open.iter().enumerate() {
            assert_eq!(chunk.committed(), [n as u8; 64]);
        }
    }

    #[cfg(feature = "mapped")]
    #[test]
    fn a_mapped_file_holds_what_was_committed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.journal");
        let chunk = Segment::file(path.clone(), 256).unwrap().cut(128).remove(0);
        let (mut tail, reader) = chunk.open(7);
        tail.free()[..8].copy_from_slice(b"entries!");
        tail.commit(8);
        let file = std::fs::read(&path).unwrap();
        let (chunks, damaged) = observe_wire::journal::chunk::chunks(&file);
        let told: Vec<_> = chunks.iter().map(|c| (c.sequence, c.entries)).collect();
        assert_eq!((told, damaged), (vec![(7, &b"entries!"[..]), (0, &b""[..])], 0));
        drop((tail, reader));
        assert!(!path.exists());
    }
}
