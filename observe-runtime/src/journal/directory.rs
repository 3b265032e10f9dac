//! The directory of this process's journal files; the format is `observe_wire::journal`'s.

use std::{
    io,
    path::{Path, PathBuf},
};

use observe_wire::journal::Home;

use super::chunk::Segment;

/// A directory that this process locks, and the number of the next file in it.
#[derive(Debug)]
pub(crate) struct Directory {
    home: Home,
    files: u64,
}

impl Directory {
    /// Makes a directory below `root`, for the destinations that `owed` names.
    ///
    /// # Errors
    /// If it cannot be made or locked.
    pub(crate) fn create(root: &Path, owed: &[String]) -> io::Result<Self> {
        Home::create(root, owed).map(|home| Self { home, files: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        self.home.path()
    }

    /// The file that stands for the destination `name`.
    pub(crate) fn owed(&self, name: &str) -> PathBuf {
        self.home.owed(name)
    }

    /// The path of the next file.
    pub(crate) fn next(&mut self) -> PathBuf {
        self.files += 1;
        self.home.file(self.files)
    }

    /// A segment in the next file.
    pub(crate) fn segment(&mut self, len: usize) -> io::Result<Segment> {
        Self::segment_at(self.next(), len)
    }

    /// A segment in the file `path`.
    #[cfg(feature = "mapped")]
    pub(crate) fn segment_at(path: PathBuf, len: usize) -> io::Result<Segment> {
        Segment::file(path, len)
    }

    /// Without mapped files there is nothing that outlives the process.
    #[cfg(not(feature = "mapped"))]
    pub(crate) fn segment_at(_path: PathBuf, _len: usize) -> io::Result<Segment> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes it with everything in it.
    pub(crate) fn remove(self) {
        self.home.remove();
    }
}
