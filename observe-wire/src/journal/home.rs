//! The directories in which journals lie: one below a common root for each process, locked while the process lives.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Name of the locked file in a process's directory.
pub(super) const LOCK: &str = "lock";

/// Ending of the names of journal files.
pub(super) const ENDING: &str = "journal";

/// Ending of the names of the files that each stand for a destination which does not have all that is in the journal.
const OWED: &str = "owed";

/// So long after its last change, nobody is about to make the lock in a directory.
pub(super) const LOCKED_BY: Duration = Duration::from_secs(60);

/// A process's directory, locked.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
}

impl Home {
    /// Makes and locks a directory for this process below `root`, which is made if need be. `owed` names the destinations
    /// that must have what is in it before it is removed.
    ///
    /// # Errors
    /// If the directory cannot be made, written or locked.
    pub fn create<N: AsRef<str>>(root: &Path, owed: impl IntoIterator<Item = N>) -> io::Result<Self> {
        make_private(root)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = root.join(format!("{}-{now:x}", std::process::id()));
        make_private(&path)?;
        for name in owed {
            File::create(owed_to(&path, name.as_ref()))?;
        }
        // Last, and by its name only when it is locked: a directory without a lock is passed over.
        let unnamed = path.join(format!("{LOCK}.new"));
        let lock = File::create_new(&unnamed)?;
        lock.try_lock()?;
        fs::rename(unnamed, path.join(LOCK))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the process's file with this number.
    pub fn file(&self, number: u64) -> PathBuf {
        self.path.join(format!("{number:06}.{ENDING}"))
    }

    /// The file that stands for the destination `name`, which may note there what it has got:
    /// [`ReceiptFile`](super::receipts::ReceiptFile).
    pub fn owed(&self, name: &str) -> PathBuf {
        owed_to(&self.path, name)
    }

    /// Removes the directory with everything in it. What cannot be removed is left to the next [`recover_dead`](super::recover_dead).
    pub fn remove(self) {
        let _ = remove(&self.path);
    }
}

/// The file that stands for the destination `name`.
pub(super) fn owed_to(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.{OWED}"))
}

/// Whether some destination does not have what is in `directory`.
pub(super) fn is_owed(directory: &Path) -> io::Result<bool> {
    any_owed(directory, |_| true)
}

/// Whether one of the files that stand for destinations is one of `these`.
pub(super) fn any_owed(directory: &Path, these: impl Fn(&Path) -> bool) -> io::Result<bool> {
    let paths = fs::read_dir(directory)?.flatten().map(|entry| entry.path());
    let mut owed = paths.filter(|path| path.extension().is_some_and(|ending| ending == OWED));
    Ok(owed.any(|path| these(&path)))
}

/// Removes a directory whose process was killed before it had made the lock, or while it removed everything: nothing in it is
/// needed by anybody. A younger one may be about to get its lock.
pub(super) fn clear_away(path: &Path) {
    let age = fs::metadata(path).and_then(|of| of.modified()).ok().and_then(|at| at.elapsed().ok());
    if age.is_some_and(|age| age > LOCKED_BY) {
        let _ = fs::remove_dir_all(path);
    }
}

/// A directory that only its owner can look into: journals hold what the program said.
fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Removes a journal, which somebody else may be doing too. The lock goes first: whoever is killed meanwhile leaves nothing
/// that is taken for a journal.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let _ = fs::remove_file(path.join(LOCK));
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether there is any directory below `root`, be its process dead or alive.
pub fn any_below(root: &Path) -> bool {
    fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
}
