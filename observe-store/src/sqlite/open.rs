//! Opening, and setting a damaged file aside.
//!
//! Renaming a SQLite file under a process that has it open would mix up its `-wal` file with the new one's. So
//! every writer holds a shared lock on `<name>.lock` for as long as it is open, and only who gets that lock
//! exclusively renames. A reader holds none: it never deletes a `-wal` file, and goes on with the file it opened.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use observe_model::Timestamp;
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::inherited::Opened;
use super::{SqliteStore, schema};
use crate::Error;

/// How long a writer waits for others: on a busy machine they may come first many times.
const BUSY: Duration = Duration::from_secs(60);
/// How long a damaged file may be in use by others until that is an error.
const DAMAGED: Duration = Duration::from_secs(5);
/// How long a writer waits between two tries. SQLite's own waiting grows to ten times as long, behind writers that come
/// again at once.
const PAUSE: Duration = Duration::from_millis(10);
/// What the `-wal` file is cut back to after a burst of writing, in bytes.
const WAL_LIMIT: u64 = 16 << 20;

/// How much of the file is read in search of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// Its header and schema: takes no time.
    Beginning,
    /// All of it.
    Whole,
}

pub(super) fn for_writing(path: &Path, check: Check) -> Result<SqliteStore, Error> {
    let opened = Opened::new(path)?;
    create_directory(path)?;
    let lock = open_lock(path)?;
    lock.lock_shared().map_err(|e| Error::directory(parent(path), e))?;
    match connect(path, check) {
        Ok(connection) => Ok(store(connection, path, Some(lock), None, opened)),
        Err(Error::Corrupt(_)) => {
            lock_alone(&lock, path, DAMAGED)?;
            // Another process may have been quicker and set it aside already.
            let (connection, aside) = match connect(path, check) {
                Err(Error::Corrupt(_)) => {
                    let aside = set_aside(path)?;
                    (connect(path, Check::Beginning)?, Some(aside))
                }
                other => (other?, None),
            };
            lock.unlock().and_then(|()| lock.lock_shared()).map_err(|e| Error::directory(parent(path), e))?;
            Ok(store(connection, path, Some(lock), aside, opened))
        }
        Err(other) => Err(other),
    }
}

pub(super) fn for_reading(path: &Path) -> Result<SqliteStore, Error> {
    if !path.try_exists().map_err(|e| Error::directory(parent(path), e))? {
        return Err(Error::Missing(path.to_owned()));
    }
    let opened = Opened::new(path)?;
    let open = || -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(|e| Error::sqlite(path, e))?;
        let ready = leave_wal_on_close(&connection, true).and_then(|()| configure(&mut connection));
        ready.map_err(|e| Error::sqlite(path, e))?;
        Ok(connection)
    };
    let mut connection = open()?;
    if schema::version(&connection, path)? < schema::KNOWN {
        // An older program wrote it, or one is creating it at this moment: either way a writer brings it up to date.
        drop(connection);
        drop(SqliteStore::open(path)?);
        connection = open()?;
    }
    Ok(store(connection, path, None, None, opened))
}

fn store(
    connection: Connection,
    path: &Path,
    lock: Option<File>,
    set_aside: Option<PathBuf>,
    opened: Opened,
) -> SqliteStore {
    connection.set_prepared_statement_cache_capacity(32);
    SqliteStore { connection, path: path.to_owned(), _lock: lock, set_aside, writes: 0, _opened: opened }
}

/// Opens the file, makes sure that it is ours and sound, and brings it up to date.
fn connect(path: &Path, check: Check) -> Result<Connection, Error> {
    let error = |e| Error::sqlite(path, e);
    let is_new = !path.try_exists().unwrap_or(true);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(error)?;
    if is_new {
        // Before the first byte is in it, and before `-wal` and `-shm` inherit its mode.
        keep_private(path).map_err(|e| Error::directory(parent(path), e))?;
    }
    leave_wal_on_close(&connection, true).map_err(error)?;
    configure(&mut connection).map_err(error)?;
    let version = schema::version(&connection, path)?;
    if check == Check::Whole {
        check_whole(&connection, path)?;
    }
    leave_wal_on_close(&connection, false).map_err(error)?;
    switch_to_wal(&connection).map_err(error)?;
    if version < schema::KNOWN {
        schema::migrate(&mut connection).map_err(error)?;
    }
    Ok(connection)
}

/// Whether closing leaves the `-wal` file as it is, rather than write it into a file that is not ours or damaged.
pub(super) fn leave_wal_on_close(connection: &Connection, leave: bool) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave).map(drop)
}

/// Whether a writer that has waited this often waits once more; then it has.
fn wait(times: i32) -> bool {
    let waits = u32::try_from(times).is_ok_and(|times| PAUSE * times < BUSY);
    if waits {
        thread::sleep(PAUSE);
    }
    waits
}

fn configure(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait))?;
    connection.pragma_update(None, "foreign_keys", false)?;
    // With WAL this keeps the file sound through a power cut; only the last writes may be lost.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_LIMIT as i64, |_| Ok(()))
}

/// SQLite does not wait for the other writers here, so this does.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(e)
                if e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && begun.elapsed() < BUSY =>
            {
                thread::sleep(PAUSE);
            }
            other => return other,
        }
    }
}

fn check_whole(connection: &Connection, path: &Path) -> Result<(), Error> {
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|e| Error::sqlite(path, e))?;
    if verdict == "ok" { Ok(()) } else { Err(Error::Corrupt(path.to_owned())) }
}

fn create_directory(path: &Path) -> Result<(), Error> {
    let directory = parent(path);
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|e| Error::directory(directory, e))
}

/// Prompts are nobody else's business, also where the directory was there before.
fn keep_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The directory that `path` lies in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `path` with `suffix` after its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn open_lock(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(beside(path, ".lock"))
        .map_err(|e| Error::directory(parent(path), e))
}

/// Turns the shared lock into an exclusive one, unless somebody keeps the file open.
fn lock_alone(lock: &File, path: &Path, patience: Duration) -> Result<(), Error> {
    let begun = Instant::now();
    // Between the two locks there must be none: two processes that keep their shared one would wait for ever.
    lock.unlock().map_err(|e| Error::directory(parent(path), e))?;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::WouldBlock) if begun.elapsed() < patience => thread::sleep(PAUSE),
            Err(fs::TryLockError::WouldBlock) => return Err(Error::CorruptInUse(path.to_owned())),
            Err(fs::TryLockError::Error(e)) => return Err(Error::directory(parent(path), e)),
        }
    }
}

/// Renames the damaged file and what belongs to it; the caller holds the lock alone.
fn set_aside(path: &Path) -> Result<PathBuf, Error> {
    let time: String =
        Timestamp::now().to_string().chars().take(19).filter(|c| *c != '-' && *c != ':').collect();
    let mut aside = beside(path, &format!(".corrupt-{time}Z"));
    for n in 2.. {
        // A name that cannot be looked at cannot be renamed to either, which then is the error.
        if !matches!(aside.try_exists(), Ok(true)) {
            break;
        }
        aside = beside(path, &format!(".corrupt-{time}Z-{n}"));
    }
    // The database last: next to a missing one, SQLite would delete a `-wal` file that was left behind.
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(beside(path, suffix), beside(&aside, suffix)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !suffix.is_empty() => {}
            Err(source) => return Err(Error::SetAside { path: path.to_owned(), source }),
            Ok(()) => {}
        }
    }
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_not_renamed_while_another_writer_has_it_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("observe.db");
        let other = SqliteStore::open(&path).unwrap();
        let lock = open_lock(&path).unwrap();
        lock.lock_shared().unwrap();
        let error = lock_alone(&lock, &path, Duration::ZERO).unwrap_err();
        assert!(matches!(error, Error::CorruptInUse(_)) && error.is_corrupt(), "{error}");
        drop(other);
        lock_alone(&lock, &path, Duration::ZERO).unwrap();
    }
}
