//! The questions a store answers, and the shape of the answers: the JSON of `/api/v1` and of `--json`.

use observe_model::{
    Details, Level, Metadata, Metric, Score, SpanId, SpanType, Status, Timestamp, TraceId, TraceUpdate, Usage,
};
use serde::Serialize;

/// Which sessions, newest activity first.
#[derive(Debug, Clone, Default)]
pub struct SessionQuery {
    /// Only those of this project.
    pub project: Option<String>,
    /// At most so many; 0 means 50, more than 1000 means 1000.
    pub limit: usize,
    /// Where the page before ended: its [`Page::next`].
    pub after: Option<String>,
}

/// Which traces, newest start first.
#[derive(Debug, Clone, Default)]
pub struct TraceQuery {
    /// Only those of this project.
    pub project: Option<String>,
    /// Only those of this session.
    pub session: Option<String>,
    /// Only those whose trace status is this.
    pub status: Option<Status>,
    /// At most so many; 0 means 50, more than 1000 means 1000.
    pub limit: usize,
    /// Where the page before ended: its [`Page::next`].
    pub after: Option<String>,
}

/// Which scores or metrics, newest first.
#[derive(Debug, Clone, Default)]
pub struct RecordQuery {
    /// Only those of this project.
    pub project: Option<String>,
    /// Only those of this name.
    pub name: Option<String>,
    /// Only those about this trace or a span of it.
    pub trace: Option<TraceId>,
    /// Only those about this session, or about a trace that was known to belong to it.
    pub session: Option<String>,
    /// At most so many; 0 means 50, more than 1000 means 1000.
    pub limit: usize,
    /// Where the page before ended: its [`Page::next`].
    pub after: Option<String>,
}

/// A score or metric, and the project of the process that recorded it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded<T> {
    /// The project.
    pub project: String,
    /// The score or metric.
    #[serde(flatten)]
    pub record: T,
}

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to pass as `after` for the page that follows; `None` at the end.
    pub next: Option<String>,
}

/// What is summed over the spans of a trace, or the traces of a session.
///
/// A span's usage counts only if no span below it reports any, and its cost likewise: an agent's numbers often
/// repeat those of the model calls that it made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Spans.
    pub spans: u64,
    /// Spans that ended in an error.
    pub errors: u64,
    /// Spans of level warning.
    pub warnings: u64,
    /// Spans of level debug.
    pub debugs: u64,
    /// Spans that were not recorded because the journal was full.
    pub dropped: u64,
    /// Tokens; a bucket that no span reported is absent.
    pub usage: Usage,
    /// US dollars; absent when no span's cost is known.
    pub cost: Option<f64>,
}

/// One row of the session list.
#[derive(Debug, Clone, Serialize)]
pub struct SessionSummary {
    /// The project it belongs to.
    pub project: String,
    /// Its id, as the application chose it.
    pub session: String,
    /// Whom it was for: the user of its newest trace that has one.
    pub user: Option<String>,
    /// Traces in it.
    pub traces: u64,
    /// Traces in it whose status is error.
    pub failed_traces: u64,
    /// Sums over all its spans.
    pub totals: Totals,
    /// Start of its first trace.
    pub start: Timestamp,
    /// Last end (or start, while running) seen in it.
    pub end: Timestamp,
    /// `end - start`.
    pub duration_ns: u64,
    /// Sum of its traces' durations.
    pub active_ns: u64,
    /// First 200 characters of its first trace's input, as JSON text that may be cut.
    pub first_input: Option<String>,
    /// First 200 characters of its last trace's output, as JSON text that may be cut.
    pub last_output: Option<String>,
}

/// A session and its traces, first turn first.
#[derive(Debug, Clone, Serialize)]
pub struct Session {
    /// The row of the list.
    #[serde(flatten)]
    pub summary: SessionSummary,
    /// Its traces in the order of their start, with their root's whole input and output.
    pub turns: Vec<Trace>,
}

/// One row of the trace list.
#[derive(Debug, Clone, Serialize)]
pub struct TraceSummary {
    /// The project it belongs to.
    pub project: String,
    /// Its id.
    pub trace_id: TraceId,
    /// What it was said to be called, else the root span's name; while no root has arrived, that of the earliest span
    /// whose parent has not.
    pub name: String,
    /// The session it belongs to: the root's, else that of the earliest span which has one.
    pub session: Option<String>,
    /// The user it is for, likewise.
    pub user: Option<String>,
    /// Every tag of its spans.
    pub tags: Vec<String>,
    /// The root's status. While no root has arrived: running if any span is, else that of the span that gives the name.
    pub status: Status,
    /// Why it was said to have failed, else the root's error text.
    pub status_message: Option<String>,
    /// Start of its first span.
    pub start: Timestamp,
    /// End of its last span; `None` while it runs.
    pub end: Option<Timestamp>,
    /// From the first start to the last end (or start) seen.
    pub duration_ns: u64,
    /// First 200 characters of what was said to have gone in, else of the root's input, as JSON text that may be cut.
    pub input: Option<String>,
    /// First 200 characters of what was said to have come out, else of the root's output, as JSON text that may be cut.
    pub output: Option<String>,
    /// The version of what it is a run of.
    pub version: Option<String>,
    /// The release of the application.
    pub release: Option<String>,
    /// Where the application runs.
    pub environment: Option<String>,
    /// Whether anybody with a link may see it.
    pub public: Option<bool>,
    /// Sums over its spans.
    pub totals: Totals,
}

/// A trace and its spans, parents before children, siblings by start.
#[derive(Debug, Clone, Serialize)]
pub struct Trace {
    /// The row of the list.
    #[serde(flatten)]
    pub summary: TraceSummary,
    /// The session's trace before this one, if it has a session.
    pub previous: Option<TraceId>,
    /// The session's trace after this one.
    pub next: Option<TraceId>,
    /// What was said of it as a whole, from inside: its summary, its input and output in full.
    pub said: Option<TraceUpdate>,
    /// Scores about it and its spans, newest first; the latest 1000.
    pub scores: Vec<Recorded<Score>>,
    /// Metrics about it and its spans, likewise.
    pub metrics: Vec<Recorded<Metric>>,
    /// Its spans. In a session's turns: all of them as well, so that a turn shows its tree.
    pub spans: Vec<SpanDetail>,
}

/// One span of a trace.
#[derive(Debug, Clone, Serialize)]
pub struct SpanDetail {
    /// Its id.
    pub span_id: SpanId,
    /// Its parent's id, whether or not that span has arrived.
    pub parent_id: Option<SpanId>,
    /// 0 for a root or a span whose parent has not arrived.
    pub depth: u32,
    /// What is shown.
    pub name: String,
    /// What kind of step it is.
    pub span_type: SpanType,
    /// How it stands.
    pub status: Status,
    /// The error's text.
    pub status_message: Option<String>,
    /// How much it deserves attention.
    pub level: Level,
    /// When it began.
    pub start: Timestamp,
    /// Nanoseconds from the trace's start to this span's.
    pub offset_ns: u64,
    /// Nanoseconds from its start to its end; `None` while it runs.
    pub duration_ns: Option<u64>,
    /// What went in: any JSON, exactly as recorded; a JSON string if what was recorded is not JSON.
    pub input: Option<Box<serde_json::value::RawValue>>,
    /// What came out, likewise.
    pub output: Option<Box<serde_json::value::RawValue>>,
    /// The span's metadata.
    pub metadata: Metadata,
    /// The metadata of the scope it began in.
    pub trace_metadata: Metadata,
    /// Its session.
    pub session: Option<String>,
    /// Its user.
    pub user: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The model it called.
    pub model: Option<String>,
    /// The tokens it used.
    pub usage: Usage,
    /// What it cost in US dollars.
    pub cost: Option<f64>,
    /// What its input cost.
    pub cost_input: Option<f64>,
    /// What its output cost.
    pub cost_output: Option<f64>,
    /// Version of the component.
    pub version: Option<String>,
    /// `module::path::function`.
    pub function: Option<String>,
    /// `path/to/file.rs:12`.
    pub location: Option<String>,
    /// Spans begun inside it that were not recorded because the journal was full.
    pub dropped: u64,
    /// States, events, links, errors, prompt, parameters, tools, time to the first token: what only some spans have.
    pub details: Option<Details>,
}
