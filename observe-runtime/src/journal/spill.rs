//! Chunks that wait on disk for the collector, so that the memory they were written in is free at once.
//!
//! A chunk is copied behind the one before it into a file of the journal's directory, in the same format. A process may
//! be killed at any moment: a copy counts from the write on that gives its length, which is the last one, and the
//! original until it is cleared after that. In between both are there, which readers of the files know.

use std::{
    fs::{self, File},
    io::{self, IoSlice, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use observe_wire::journal::chunk::{ARRIVED_AT, CAPACITY_AT, COMMITTED_AT, HEADER, MAGIC};

use super::chunk::Chunk;
use crate::report::say_once;

/// Bytes of a file; deleted when no chunk in it is needed any more.
const FILE: u64 = 4 * 1024 * 1024;

/// So much memory of chunks that came back is kept: about as many as are read in one go.
const SPARES: usize = 16;

/// Memory for chunks that come back: fresh memory costs more than filling it.
#[derive(Default)]
pub(crate) struct Spares(Vec<Vec<u8>>);

/// Where chunks are copied to.
pub(super) struct Spill {
    file: Option<Arc<SpillFile>>,
    /// Bytes of it that are used.
    used: u64,
}

struct SpillFile {
    file: File,
    path: PathBuf,
}

impl Drop for SpillFile {
    fn drop(&mut self) {
        // Whatever stays behind is removed by the next start.
        let _ = fs::remove_file(&self.path);
    }
}

impl Spill {
    pub(super) const fn new() -> Self {
        Self { file: None, used: 0 }
    }

    /// Copies a chunk that is written to its end; `next` gives the path of the next file, should it take one.
    ///
    /// # Errors
    /// If it cannot be written. What was copied before stays.
    pub(super) fn put(
        &mut self,
        chunk: &Chunk,
        next: impl FnOnce() -> Option<PathBuf>,
    ) -> io::Result<Spilled> {
        let capacity = chunk.capacity() as u64;
        let file = match self.file.take().filter(|_| self.used + capacity <= FILE) {
            Some(file) => file,
            None => {
                self.used = 0;
                let path = next().ok_or(io::ErrorKind::NotFound)?;
                Arc::new(SpillFile::create(path, FILE.max(capacity))?)
            }
        };
        let (at, entries) = (self.used, chunk.committed());
        file.put(at, chunk.capacity(), entries)?;
        let spilled = Spilled {
            file: Arc::clone(&file),
            at,
            len: entries.len(),
            capacity: chunk.capacity(),
            may_have_changes: chunk.may_have_changes(),
            bytes: OnceLock::new(),
        };
        // The sequence number stands behind it.
        spilled.put_numbers(COMMITTED_AT, [entries.len() as u64, chunk.sequence()])?;
        self.used += capacity;
        self.file = Some(file);
        Ok(spilled)
    }
}

impl SpillFile {
    /// A file of `len` bytes, which take no room yet: so a chunk that is being written does not pass its end.
    fn create(path: PathBuf, len: u64) -> io::Result<Self> {
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let made = Self { file, path };
        made.file.set_len(len)?;
        Ok(made)
    }

    /// Writes a chunk, which holds nothing as yet, at byte `at`.
    fn put(&self, at: u64, capacity: usize, entries: &[u8]) -> io::Result<()> {
        let mut header = [0; HEADER];
        for (at, number) in [(0, MAGIC), (CAPACITY_AT, capacity as u64)] {
            header[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(at))?;
        // At once, so that the kernel gives it room in one piece.
        let mut rest = &mut [IoSlice::new(&header), IoSlice::new(entries)][..];
        while !rest.is_empty() {
            match file.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, at)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, bytes, at)
    }

    /// Elsewhere chunks stay in memory.
    #[cfg(not(unix))]
    fn read_at(&self, _bytes: &mut [u8], _at: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(not(unix))]
    fn write_at(&self, _bytes: &[u8], _at: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A chunk that waits on disk.
pub(crate) struct Spilled {
    file: Arc<SpillFile>,
    /// Where it begins in the file.
    at: u64,
    len: usize,
    capacity: usize,
    may_have_changes: bool,
    /// Its entries, while they are read.
    bytes: OnceLock<Vec<u8>>,
}

impl Spilled {
    /// Its entries, in the memory of `bytes`. What cannot be read is lost, which is said.
    fn read(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        // Mostly as long as before: nothing is filled in.
        bytes.resize(self.len, 0);
        if let Err(error) = self.file.read_at(&mut bytes, self.at + HEADER as u64) {
            say_once(&format!(
                "the journal cannot be read in {} ({error}): spans are lost",
                self.file.path.display()
            ));
            bytes.clear();
        }
        bytes
    }

    /// Forgets what is there: nothing is left to recover.
    pub(super) fn clear(&self) {
        // What cannot be cleared is sent again, if the process is killed.
        let _ = self.put_numbers(COMMITTED_AT, [0, 0]);
    }

    fn put_numbers<const N: usize>(&self, at: usize, numbers: [u64; N]) -> io::Result<()> {
        self.file.write_at(numbers.map(u64::to_le_bytes).as_flattened(), self.at + at as u64)
    }
}

/// A chunk as the collector has it.
#[derive(Clone)]
pub(crate) enum Piece {
    /// In memory, where its thread may still write it.
    Chunk(Arc<Chunk>),
    /// On disk.
    Spilled(Arc<Spilled>),
}

impl Piece {
    /// Whether it is this chunk.
    pub(crate) fn is(&self, chunk: &Arc<Chunk>) -> bool {
        matches!(self, Self::Chunk(own) if Arc::ptr_eq(own, chunk))
    }

    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.capacity(),
            Self::Spilled(spilled) => spilled.capacity,
        }
    }

    /// [`Chunk::committed`]. What is on disk is read, and in memory until [`Piece::unload`].
    #[inline]
    pub(crate) fn committed(&self) -> &[u8] {
        match self {
            Self::Chunk(chunk) => chunk.committed(),
            Self::Spilled(spilled) => spilled.bytes.get_or_init(|| spilled.read(Vec::new())),
        }
    }

    /// How many bytes [`Piece::committed`] gives.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Chunk(chunk) => chunk.len(),
            Self::Spilled(spilled) => spilled.bytes.get().map_or(spilled.len, Vec::len),
        }
    }

    /// [`Chunk::may_have_changes`].
    pub(crate) fn may_have_changes(&self) -> bool {
        match self {
            Self::Chunk(chunk) => chunk.may_have_changes(),
            Self::Spilled(spilled) => spilled.may_have_changes,
        }
    }

    /// [`Chunk::is_left`].
    pub(crate) fn is_left(&self) -> bool {
        match self {
            Self::Chunk(chunk) => Chunk::is_left(chunk),
            Self::Spilled(_) => true,
        }
    }

    /// [`Chunk::set_arrived`].
    pub(crate) fn set_arrived(&self, len: usize) {
        match self {
            Self::Chunk(chunk) => chunk.set_arrived(len),
            // What cannot be noted is sent again.
            Self::Spilled(spilled) => _ = spilled.put_numbers(ARRIVED_AT, [len as u64]),
        }
    }

    /// Reads what is on disk.
    pub(crate) fn load(&self, spares: &mut Spares) {
        if let Self::Spilled(spilled) = self {
            spilled.bytes.get_or_init(|| spilled.read(spares.0.pop().unwrap_or_default()));
        }
    }

    /// Takes out of memory what is on disk too. It comes back if need be.
    pub(crate) fn unload(&mut self, spares: &mut Spares) {
        let Self::Spilled(spilled) = self else { return };
        // What could not be read is not tried again.
        if let Some(spilled) = Arc::get_mut(spilled)
            && spilled.bytes.get().is_some_and(|bytes| bytes.len() == spilled.len)
            && let Some(bytes) = spilled.bytes.take()
            && spares.0.len() < SPARES
        {
            spares.0.push(bytes);
        }
    }
}

#[cfg(all(test, unix, feature = "mapped"))]
mod tests {
    use observe_wire::journal::chunk::chunks;

    use super::{super::chunk::Segment, *};

    const CAPACITY: usize = 4096;

    /// A chunk that its thread has left, which holds `text`.
    fn left(sequence: u64, text: &[u8]) -> Arc<Chunk> {
        let (mut tail, _) = Segment::heap(CAPACITY).unwrap().cut(CAPACITY).remove(0).open(sequence);
        tail.free()[..text.len()].copy_from_slice(text);
        tail.commit(text.len());
        tail.leave()
    }

    /// What a reader finds in a file, and how much of it is damaged.
    fn found(path: &std::path::Path) -> (Vec<(u64, Vec<u8>, usize)>, usize) {
        let file = fs::read(path).unwrap();
        let (chunks, damaged) = chunks(&file);
        let held = chunks.iter().filter(|chunk| !chunk.entries.is_empty());
        (held.map(|chunk| (chunk.sequence, chunk.entries.to_vec(), chunk.arrived)).collect(), damaged)
    }

    #[test]
    fn what_is_on_disk_is_what_the_chunk_held_until_it_is_given_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.journal");
        let (mut spill, mut spares) = (Spill::new(), Spares::default());
        let [mut one, two] = [(5, b"one entry"), (6, b"two, more")].map(|(sequence, text)| {
            let spilled = spill.put(&left(sequence, text), || Some(path.clone())).unwrap();
            (Piece::Spilled(Arc::new(spilled)), text)
        });
        for _ in 0..2 {
            assert_eq!((one.0.len(), one.0.committed(), two.0.committed()), (9, &one.1[..], &two.1[..]));
            one.0.unload(&mut spares);
            one.0.load(&mut spares);
        }
        one.0.set_arrived(3);
        let (first, second) = ((5, one.1.to_vec(), 3), (6, two.1.to_vec(), 0));
        assert_eq!(found(&path), (vec![first, second.clone()], 0));
        let Piece::Spilled(spilled) = &one.0 else { panic!("it lies on disk") };
        spilled.clear();
        assert_eq!(found(&path), (vec![second], 0));
        drop((one, two));
        assert!(path.exists(), "more may be put there");
        drop(spill);
        assert!(!path.exists());
    }

    #[test]
    fn a_process_killed_while_it_copies_leaves_no_damage() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.journal");
        let mut spill = Spill::new();
        spill.put(&left(5, b"whole"), || Some(path.clone())).unwrap();
        // Without its length, and some of it not at all.
        spill.file.as_ref().unwrap().put(CAPACITY as u64, CAPACITY, &[7; 1000]).unwrap();
        assert_eq!(found(&path), (vec![(5, b"whole".to_vec(), 0)], 0));
    }

    #[test]
    fn a_file_that_is_full_is_followed_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let mut spill = Spill::new();
        let mut paths = (1..).map(|number| directory.path().join(format!("{number}.journal")));
        let count = FILE as usize / CAPACITY + 1;
        let all: Vec<_> =
            (0..count).map(|_| spill.put(&left(1, b"text"), || paths.next()).unwrap()).collect();
        let files = || fs::read_dir(directory.path()).unwrap().count();
        assert_eq!((files(), found(&all[0].file.path).0.len()), (2, count - 1));
        drop(all);
        assert_eq!(files(), 1, "the full one is not needed any more");
    }

    #[test]
    fn what_cannot_be_read_is_lost_and_not_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.journal");
        let spilled = Spill::new().put(&left(1, b"text"), || Some(path)).unwrap();
        spilled.file.file.set_len(0).unwrap();
        let mut piece = Piece::Spilled(Arc::new(spilled));
        assert_eq!((piece.len(), piece.committed()), (4, &b""[..]));
        piece.unload(&mut Spares::default());
        assert_eq!(piece.len(), 0);
    }
}
