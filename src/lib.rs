//! Observability for programs that call language models: annotate a function, run, and see every conversation.
//!
//! ```
//! use observe::{observe, session};
//!
//! #[observe(as_type = "retriever")]
//! fn search(query: &str, limit: usize) -> Vec<String> {
//!     vec![format!("about {query}"); limit]
//! }
//!
//! #[observe(as_type = "agent")]
//! fn answer(question: &str) -> String {
//!     search(question, 2).join(", ")
//! }
//!
//! let _observe = observe::init(); // records from here on; flushes when it is dropped
//! session("conversation-1").user("ada").sync_scope(|| answer("spans"));
//! ```
//!
//! - [`observe`](macro@observe) records the calls of a function: what went in, what came out, how it ended.
//! - [`session`] opens a scope whose traces belong to one conversation, [`attributes`] one with a user, tags and the like.
//! - [`span`] and [`agent`] record a block of code as `#[observe]` does a function, and [`SpanScope::call`] the call of
//!   somebody's client; [`trace_context`] says in which trace.
//! - [`current_span`] adds to the span that is open, [`current_trace`] to its trace; [`score`] judges either, [`metric`]
//!   leaves a number with it; [`current_trace_id`] and [`current_span_id`] name it.
//! - [`ObserveExt::in_current_span`], [`carry`], [`current_context`], [`mod@thread`] and, with tokio, [`spawn`],
//!   [`spawn_blocking`] and [`JoinSet`] take the context to other tasks and threads; [`propagate`] to other processes.
//! - [`init`] begins to record, [`builder`] does so with settings from code, [`flush`] says what became of the spans.
//! - [`trace_url`] names the page that shows the current trace.
//! - [`destination`] holds the places that spans can be sent to, and the trait for one of your own.
//!
//! # Across services
//!
//! With the features `http` and `tower`, a trace goes from service to service in the headers of requests. See [`propagate`].
//!
//! ```
//! use observe::{observe, propagate::{self, ExtractLayer}};
//!
//! /// Called: what it begins is a part of the caller's trace.
//! #[observe]
//! async fn chat() -> &'static str {
//!     "hello"
//! }
//! let app: axum::Router = axum::Router::new().route("/chat", axum::routing::post(chat)).layer(ExtractLayer);
//!
//! /// Calls: whoever is called hears of the trace.
//! #[observe(skip(client))]
//! async fn ask(client: &reqwest::Client, url: &str) -> reqwest::Result<String> {
//!     client.post(url).headers(propagate::headers()).send().await?.text().await
//! }
//! ```
//!
//! # Features
//!
//! | | |
//! |---|---|
//! | `local` (default) | the SQLite file that the `observe` command shows |
//! | `otlp` (default) | the OTLP destination |
//! | `artanis`, `tracium`, `trajectory` (default) | the destinations of these names |
//! | `tokio` (default) | `spawn`, `spawn_blocking`, `spawn_local` and `JoinSet` |
//! | `http` | `propagate` for the headers of the `http` package: reqwest, hyper, axum |
//! | `tower` | a layer for axum and other `tower` services |
//! | `off` | compiles all of it out |
//!
//! A library that annotates its functions depends on this crate without default features; whether anything is recorded is
//! up to the application that calls [`init`].
#![forbid(unsafe_code)]

// The expansion of `#[observe]` names `::observe`, which this crate's own tests and examples do too.
extern crate self as observe;

#[cfg(feature = "local")]
mod local;
mod setup;

pub use observe_macros::observe;
pub use observe_runtime::{
    AgentScope, Cost, CurrentContext, Details, Event, Failure, Guard, InSpan, Json, Level, Link, Metric,
    NewMetric, NewScore, Number, ObserveExt, Price, Prompt, Report, Scope, ScopeGuard, Scoped, Score,
    ScoreValue, Span, SpanHandle, SpanId, SpanName, SpanScope, SpanType, State, Status, Target, TraceHandle,
    TraceId, Usage, agent, attributes, carry, current_context, current_span, current_span_id, current_trace,
    current_trace_id, destination, flush, flush_async, metric, propagate, score, session, span, thread,
    trace_context, trace_url, trace_url_for, trace_urls_for,
};
#[cfg(feature = "tokio")]
pub use observe_runtime::{JoinSet, spawn, spawn_blocking, spawn_local};

pub use setup::{Builder, builder, init};

/// Where the local destination writes: `observe.db` in [`Builder::dir`] or `$OBSERVE_DIR`, else `observe/observe.db` in the user's data directory.
///
/// # Errors
/// If neither is set and the user has no home directory.
#[cfg(feature = "local")]
pub fn database_path() -> Result<std::path::PathBuf, observe_store::NoDataDirectory> {
    local::current_database()
}

#[doc(hidden)]
pub use observe_runtime::__private;

/// The examples of the README, compiled by `cargo test --doc`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
