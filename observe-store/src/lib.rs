//! Where spans rest and are asked for.
//!
//! [`Store`] is what the rest of the workspace sees; [`SqliteStore`] is the one that needs nothing but a file.
#![forbid(unsafe_code)]

mod query;

pub use query::{
    Page, Session, SessionQuery, SessionSummary, SpanDetail, Totals, Trace, TraceQuery, TraceSummary,
};
