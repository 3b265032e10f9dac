//! The directories in which journals lie: one below a common root for each process, locked while the process lives.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use observe_model::{Resource, Span};

use super::{Recovered, recover};

/// Name of the locked file in a process's directory.
const LOCK: &str = "lock";

/// Ending of the names of journal files.
const ENDING: &str = "journal";

/// Ending of the names of directories that could not be read.
const DAMAGED: &str = "damaged";

/// A process's directory, locked.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    /// Unlocked by the system when the process ends, however it ends.
    _lock: File,
}

impl Home {
    /// Makes and locks a directory for this process below `root`, which is made if need be.
    ///
    /// # Errors
    /// If the directory cannot be made, written or locked.
    pub fn create(root: &Path) -> io::Result<Self> {
        make_private(root)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = root.join(format!("{}-{now:x}", std::process::id()));
        make_private(&path)?;
        let lock = File::create_new(path.join(LOCK))?;
        lock.try_lock()?;
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

    /// Removes the directory with everything in it. What cannot be removed is left to the next [`recover_dead`].
    pub fn remove(self) {
        let _ = fs::remove_dir_all(&self.path);
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

/// Recovers the journals below `root` whose processes are gone: gives their spans to `write`, process by process, and
/// removes a journal once all of its spans were written. Several may do this at once: a journal is locked meanwhile.
///
/// # Errors
/// What the system said of a journal that could not be read, or `write` of its spans; that journal stays. The others
/// are recovered all the same, and the first error is returned.
pub fn recover_dead(
    root: &Path,
    mut write: impl FnMut(&Resource, Vec<Span<'static>>) -> io::Result<()>,
) -> io::Result<Recovered> {
    let mut all = Recovered::default();
    let mut first_error = None;
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        Err(error) => return Err(error),
    };
    for entry in entries.flatten().filter(|e| e.path().extension().is_none_or(|ending| ending != DAMAGED)) {
        match recover_one(&entry.path(), &mut write) {
            Ok(Some(recovered)) => {
                all.spans += recovered.spans;
                all.interrupted += recovered.interrupted;
            }
            Ok(None) => {}
            Err(error) => {
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.map_or(Ok(all), Err)
}

/// Whether there is any directory below `root`, be its process dead or alive.
pub fn any_below(root: &Path) -> bool {
    fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
}

/// Spans handed to `write` at once.
const BATCH: usize = 1024;

/// `None` if the process lives, or another one is recovering it.
fn recover_one(
    path: &Path,
    write: &mut impl FnMut(&Resource, Vec<Span<'static>>) -> io::Result<()>,
) -> io::Result<Option<Recovered>> {
    let lock = match File::options().write(true).open(path.join(LOCK)) {
        Ok(lock) => lock,
        // Its process is about to make the lock, or the journal is being removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|e| e == ENDING) {
            files.push(fs::read(file)?);
        }
    }
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let (mut batch, mut process, mut written) = (Vec::new(), Resource::default(), Ok(()));
    let recovered = recover(&files, |resource, span| {
        batch.push(span.clone().into_owned());
        process.clone_from(resource);
        if batch.len() >= BATCH && written.is_ok() {
            written = write(resource, std::mem::take(&mut batch));
        }
    });
    written?;
    if !batch.is_empty() {
        write(&process, batch)?;
    }
    let recovered =
        recovered.map_err(|error| error.to_string()).and_then(|recovered| match recovered.damaged {
            0 => Ok(recovered),
            bytes => Err(format!(
                "{bytes} bytes are damaged; the {} spans in the others were recovered",
                recovered.spans
            )),
        });
    match recovered {
        Ok(recovered) => {
            fs::remove_dir_all(path)?;
            Ok(Some(recovered))
        }
        // Kept for whoever wants to look, but not read again at every start.
        Err(error) => {
            let aside = path.with_extension(DAMAGED);
            fs::rename(path, &aside)?;
            Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", aside.display())))
        }
    }
}
