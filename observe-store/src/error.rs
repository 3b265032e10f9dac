//! What can go wrong, each as one sentence that says what to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ffi;

/// Why a store could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A reader was pointed at a file that does not exist.
    #[error("there is no database at {0}: run an observed program first, or name another file")]
    Missing(PathBuf),
    /// The database's directory cannot be made or written.
    #[error(
        "cannot write the directory {path} ({source}): make it writable, or choose another with OBSERVE_DIR"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be opened or written.
    #[error("cannot write {0}: make the file and its directory writable, or choose another with OBSERVE_DIR")]
    Unwritable(PathBuf),
    /// No space is left; nothing of this write was stored.
    #[error("cannot write {0} because the disk is full: free some space")]
    DiskFull(PathBuf),
    /// Another process held the database for longer than a writer waits (60 s).
    #[error("cannot write {0} because another process keeps it locked: try again, or end that process")]
    Busy(PathBuf),
    /// The file is damaged or not a database. [`SqliteStore::recover`](crate::SqliteStore::recover) sets it aside.
    #[error("the database {0} is damaged: open it for writing to have it set aside and a new one begun")]
    Corrupt(PathBuf),
    /// The file is damaged, and cannot be set aside while another store has it open.
    #[error(
        "the database {0} is damaged and still in use: end the other programs that write it, then try again"
    )]
    CorruptInUse(PathBuf),
    /// The damaged file could not be renamed.
    #[error("the database {path} is damaged and cannot be renamed ({source}): move it away yourself")]
    SetAside {
        /// The damaged file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer version of this program wrote the file, which is left as it is.
    #[error("the database {path} has schema {found} and this program knows {known}: update this program")]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The file's schema version.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// The file is a database of another program, and is left as it is.
    #[error("{0} is a database of another program: name another file")]
    Foreign(PathBuf),
    /// A page cursor that this list did not give out.
    #[error("the page cursor is not valid: start again from the first page")]
    Cursor,
    /// The process was forked while its parent had a store open.
    #[error(
        "cannot open {0} in this process, because the one from which it was forked had a database open: close stores before you fork"
    )]
    Inherited(PathBuf),
    /// Anything else that SQLite reports.
    #[error("the database {path} failed ({source}): if it happens again, report it")]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Whether the file is damaged, so that [`SqliteStore::recover`](crate::SqliteStore::recover) helps.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt(_) | Self::CorruptInUse(_))
    }

    /// Gives SQLite's many codes their few names.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        let Some(code) = source.sqlite_error() else {
            return Self::Sqlite { path, source: source.into() };
        };
        match (code.code, code.extended_code) {
            // The shared-memory file of the WAL cannot grow either on a full disk.
            (Code::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => Self::DiskFull(path),
            (Code::DatabaseBusy | Code::DatabaseLocked, _) => Self::Busy(path),
            (Code::DatabaseCorrupt | Code::NotADatabase, _) => Self::Corrupt(path),
            (Code::CannotOpen | Code::ReadOnly | Code::PermissionDenied, _) => Self::Unwritable(path),
            _ => Self::Sqlite { path, source: source.into() },
        }
    }

    /// The same for what the file system says of the database's `directory`.
    pub(crate) fn directory(directory: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull(directory.to_owned()),
            _ => Self::Directory { path: directory.to_owned(), source },
        }
    }
}
