//! LLM observability: annotate a function, run, and see every conversation.
#![forbid(unsafe_code)]

// The expansion of `#[observe]` names `::observe`, which this crate's own tests and examples do too.
extern crate self as observe;

#[cfg(feature = "local")]
mod local;
mod setup;

pub use observe_macros::observe;
pub use observe_runtime::{
    CurrentSpan, Guard, InSpan, Level, ObserveExt, Report, Scope, Scoped, Span, SpanId, SpanType, Status,
    TraceId, Usage, carry, current_span, current_span_id, current_trace_id, destination, flush, session,
};
#[cfg(feature = "tokio")]
pub use observe_runtime::{spawn, spawn_blocking};

pub use setup::{Builder, builder, init};

/// Where the local destination writes: `$OBSERVE_DIR/observe.db`, else `observe/observe.db` in the user's data directory.
///
/// # Errors
/// If `OBSERVE_DIR` is not set and the user has no home directory.
#[cfg(feature = "local")]
pub fn database_path() -> Result<std::path::PathBuf, observe_store::NoDataDirectory> {
    observe_store::default_path()
}

#[doc(hidden)]
pub use observe_runtime::__private;

/// The examples of the README, compiled by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
