//! Where spans rest and are asked for.
//!
//! [`Store`] is what the rest of the workspace sees; [`SqliteStore`] is the one that needs nothing but a file.
#![forbid(unsafe_code)]

mod path;
mod query;

pub use path::{NoDataDirectory, default_path};
pub use query::{
    Page, Session, SessionQuery, SessionSummary, SpanDetail, Totals, Trace, TraceQuery, TraceSummary,
};
