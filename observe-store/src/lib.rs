//! Where spans rest and are asked for.
//!
//! [`Store`] is what the rest of the workspace sees; [`SqliteStore`] is the one that needs nothing but a file.
//! What its tables, columns and roll-ups mean is written in `docs/STORE.md`.
//!
//! ```
//! use observe_model::{Resource, Span, SpanId, Status, Timestamp, TraceId};
//! use observe_store::{SqliteStore, Store, TraceQuery};
//!
//! let directory = tempfile::tempdir()?;
//! let mut store = SqliteStore::open(directory.path().join("observe.db"))?;
//! let mut span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "answer", Timestamp::now());
//! span.status = Status::Ok;
//! store.write(&Resource { project: "demo".into(), ..Resource::default() }, &[span])?;
//! assert_eq!(store.traces(&TraceQuery::default())?.items[0].name, "answer");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod path;
mod query;
mod sqlite;
mod tree;

use observe_model::{Metric, Record, Resource, Score, Span, TraceId};

pub use error::Error;
pub use path::{NoDataDirectory, default_path};
pub use query::{
    Page, RecordQuery, Recorded, Session, SessionQuery, SessionSummary, SpanDetail, Totals, Trace,
    TraceQuery, TraceSummary,
};
pub use sqlite::SqliteStore;

/// Takes spans in and answers questions about them.
///
/// Writing the same span again replaces it, so that re-sending is harmless; only a span that has ended is never
/// set back to running by a write that arrives late.
pub trait Store: Send {
    /// Writes `spans`, all recorded by the process `resource`, all of them or none.
    ///
    /// # Errors
    /// When nothing was written, and why: the disk is full, the file is damaged, another process held it too long.
    fn write(&mut self, resource: &Resource, spans: &[Span<'_>]) -> Result<(), Error>;

    /// [`write`](Store::write), but a span that has ended here stays as it is. For what a journal brings back of a
    /// process that was killed: it may know less of a span than the process had written before.
    ///
    /// # Errors
    /// As [`write`](Store::write).
    fn write_missing(&mut self, resource: &Resource, spans: &[Span<'_>]) -> Result<(), Error>;

    /// Writes scores and metrics, recorded by the process `resource`, all of them or none. One of an id that the project
    /// has already replaces that.
    ///
    /// # Errors
    /// As [`write`](Store::write).
    fn write_records(&mut self, resource: &Resource, records: &[Record]) -> Result<(), Error>;

    /// One page of the scores that `query` asks for, newest first.
    ///
    /// # Errors
    /// [`Error::Cursor`] if `query.after` is no cursor of this list; else when the store cannot be read.
    fn scores(&self, query: &RecordQuery) -> Result<Page<Recorded<Score>>, Error>;

    /// One page of the metrics that `query` asks for, newest first.
    ///
    /// # Errors
    /// As [`scores`](Store::scores).
    fn metrics(&self, query: &RecordQuery) -> Result<Page<Recorded<Metric>>, Error>;

    /// One page of the sessions that `query` asks for, newest activity first.
    ///
    /// # Errors
    /// [`Error::Cursor`] if `query.after` is no cursor of this list; else when the store cannot be read.
    fn sessions(&self, query: &SessionQuery) -> Result<Page<SessionSummary>, Error>;

    /// The session `id` of `project`, or of whichever project was active in it last; `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn session(&self, project: Option<&str>, id: &str) -> Result<Option<Session>, Error>;

    /// One page of the traces that `query` asks for, newest start first.
    ///
    /// # Errors
    /// [`Error::Cursor`] if `query.after` is no cursor of this list; else when the store cannot be read.
    fn traces(&self, query: &TraceQuery) -> Result<Page<TraceSummary>, Error>;

    /// The trace `id`; `None` if there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn trace(&self, id: TraceId) -> Result<Option<Trace>, Error>;

    /// A number that differs from the one this same store gave before if any process has written since.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn change_counter(&self) -> Result<u64, Error>;
}
