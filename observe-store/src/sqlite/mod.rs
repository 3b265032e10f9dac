//! The store in one SQLite file.

mod cells;
mod cursor;
mod ingest;
mod inherited;
mod lists;
mod open;
mod pages;
mod payload;
mod records;
mod rollup;
mod schema;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use observe_model::{Metric, Record, Resource, Score, Span, TraceId};
use rusqlite::Connection;

use crate::{
    Error, Page, RecordQuery, Recorded, Session, SessionQuery, SessionSummary, Store, Trace, TraceQuery,
    TraceSummary,
};

/// A [`Store`] in one SQLite file, which any number of processes may write and read at once.
///
/// A writer waits up to 60 s for another to finish. Each store has its own connection; open one per thread.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    /// Held while the file is open for writing, so that nobody renames it meanwhile; see `open`.
    _lock: Option<File>,
    set_aside: Option<PathBuf>,
    writes: u64,
    /// Behind the connection, which is closed first.
    _opened: inherited::Opened,
}

impl SqliteStore {
    /// Opens the database at `path` for writing and reading; creates it and its directory (for the owner's eyes
    /// only) where they are missing, and brings an older schema up to date.
    ///
    /// A file that is damaged or no database at all is renamed to `<name>.corrupt-<time>` and a new one begun:
    /// [`set_aside`](Self::set_aside) tells. Damage deeper in the file shows later as an error with
    /// [`is_corrupt`](Error::is_corrupt); then call [`recover`](Self::recover).
    ///
    /// # Errors
    /// When the file or its directory cannot be written, the disk is full, or the file belongs to another program
    /// or a newer version of this one; it is then left as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        open::for_writing(path.as_ref(), open::Check::Beginning)
    }

    /// Opens the database at `path` for reading: [`Store::write`] fails.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such file; else as [`open`](Self::open), and
    /// [`Error::Corrupt`] if the file is damaged, which a reader does not set aside.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, Error> {
        open::for_reading(path.as_ref())
    }

    /// Closes the database and opens it again after a check of the whole file, which takes about a second per
    /// gigabyte. A damaged file is set aside as [`open`](Self::open) does.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::CorruptInUse`] while another process has the damaged file open.
    pub fn recover(self) -> Result<Self, Error> {
        let path = self.path.clone();
        // The file must be closed, and our own lock gone, before it can be renamed. What closing might write into
        // it would only add to the damage; whether this setting succeeds changes nothing else.
        let _ = open::leave_wal_on_close(&self.connection, true);
        drop(self);
        open::for_writing(&path, open::Check::Whole)
    }

    /// Where the damaged file went that was found on opening, if one was.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads in one transaction, so that all statements see the same state.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let transaction = self.connection.unchecked_transaction().map_err(|e| self.error(e))?;
        read(&transaction).map_err(|e| self.error(e))
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        Error::sqlite(&self.path, source)
    }
}

impl SqliteStore {
    fn ingest(
        &mut self,
        resource: &Resource,
        spans: &[Span<'_>],
        replaces: ingest::Replaces,
    ) -> Result<(), Error> {
        if spans.is_empty() {
            return Ok(());
        }
        ingest::write(&mut self.connection, resource, spans, replaces)
            .map_err(|source| Error::sqlite(&self.path, source))?;
        self.writes += 1;
        Ok(())
    }
}

impl Store for SqliteStore {
    fn write(&mut self, resource: &Resource, spans: &[Span<'_>]) -> Result<(), Error> {
        self.ingest(resource, spans, ingest::Replaces::All)
    }

    fn write_missing(&mut self, resource: &Resource, spans: &[Span<'_>]) -> Result<(), Error> {
        self.ingest(resource, spans, ingest::Replaces::Open)
    }

    fn write_records(&mut self, resource: &Resource, records: &[Record]) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        records::write(&mut self.connection, resource, records)
            .map_err(|source| Error::sqlite(&self.path, source))?;
        self.writes += 1;
        Ok(())
    }

    fn scores(&self, query: &RecordQuery) -> Result<Page<Recorded<Score>>, Error> {
        let after = query.after.as_deref().map(cursor::decode).transpose()?;
        self.read(|connection| records::scores(connection, query, after))
    }

    fn metrics(&self, query: &RecordQuery) -> Result<Page<Recorded<Metric>>, Error> {
        let after = query.after.as_deref().map(cursor::decode).transpose()?;
        self.read(|connection| records::metrics(connection, query, after))
    }

    fn sessions(&self, query: &SessionQuery) -> Result<Page<SessionSummary>, Error> {
        let after = query.after.as_deref().map(cursor::decode).transpose()?;
        self.read(|connection| lists::sessions(connection, query, after))
    }

    fn session(&self, project: Option<&str>, id: &str) -> Result<Option<Session>, Error> {
        self.read(|connection| pages::session(connection, project, id))
    }

    fn traces(&self, query: &TraceQuery) -> Result<Page<TraceSummary>, Error> {
        let after = query.after.as_deref().map(cursor::decode).transpose()?;
        self.read(|connection| lists::traces(connection, query, after))
    }

    fn trace(&self, id: TraceId) -> Result<Option<Trace>, Error> {
        self.read(|connection| pages::trace(connection, id))
    }

    fn change_counter(&self) -> Result<u64, Error> {
        // SQLite counts what other connections committed; our own writes are added. Both only grow.
        let others: i64 = self
            .connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|e| self.error(e))?;
        Ok((others as u64).wrapping_add(self.writes))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use observe_model::{SpanId, Timestamp};

    use super::*;

    fn write(store: &mut SqliteStore, seed: &str, input: String) -> Result<(), Error> {
        let id = TraceId::from_seed(seed);
        let mut span = Span::begin(id, SpanId::from_seed(seed), "span", Timestamp(1));
        span.input = Some(input.into());
        store.write(&Resource::default(), &[span])
    }

    #[test]
    fn a_full_disk_loses_that_write_whole_and_nothing_before_or_after() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(directory.path().join("observe.db")).unwrap();
        write(&mut store, "before", "1".into()).unwrap();
        let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        let limit = |store: &SqliteStore, n: i64| {
            store.connection.pragma_update_and_check(None, "max_page_count", n, |_| Ok(())).unwrap();
        };
        limit(&store, pages + 1);
        let random: String =
            (0..20_000_u32).map(|n| SpanId::from_seed(n.to_be_bytes()).to_string()).collect();
        let error = write(&mut store, "during", random.clone()).unwrap_err();
        assert!(matches!(error, Error::DiskFull(_)) && !error.is_corrupt(), "{error}");
        assert!(store.trace(TraceId::from_seed("during")).unwrap().is_none());
        limit(&store, 100_000);
        write(&mut store, "after", random).unwrap();
        assert_eq!(store.traces(&TraceQuery::default()).unwrap().items.len(), 2);
    }

    #[test]
    fn a_lock_that_another_process_keeps_is_busy_and_not_corrupt() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(directory.path().join("observe.db")).unwrap();
        let other = SqliteStore::open(store.path()).unwrap();
        other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        store.connection.busy_timeout(Duration::ZERO).unwrap();
        let error = write(&mut store, "s", "1".into()).unwrap_err();
        assert!(matches!(error, Error::Busy(_)) && !error.is_corrupt(), "{error}");
        other.connection.execute_batch("COMMIT").unwrap();
        write(&mut store, "s", "1".into()).unwrap();
    }
}
