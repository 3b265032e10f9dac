//! What services tell each other about the trace they work on, in HTTP headers or environment variables.
//!
//! [W3C Trace Context](https://www.w3.org/TR/trace-context/) (`traceparent`, `tracestate`) and
//! [W3C Baggage](https://www.w3.org/TR/baggage/) (`baggage`). What a specification calls invalid is left out as it says;
//! nothing here fails otherwise.

mod baggage;
mod trace_parent;
mod trace_state;

pub use baggage::Baggage;
pub use trace_parent::{ParseTraceParentError, TraceParent};
pub use trace_state::TraceState;

/// Name of the header that names trace and span.
pub const TRACEPARENT: &str = "traceparent";

/// Name of the header in which each tracing system keeps its own.
pub const TRACESTATE: &str = "tracestate";

/// Name of the header that carries what the application says.
pub const BAGGAGE: &str = "baggage";

/// Optional white space of HTTP headers.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
