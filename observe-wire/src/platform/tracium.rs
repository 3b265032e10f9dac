//! Tracium, both ways. A trace there is the run of an agent: it is created, its spans are posted as they begin and again as
//! they end, and it is completed or fails.
//!
//! An agent without an input, which is how spans of `agent(..)` begin, is the trace and nothing else; any other first
//! span is the trace and its first span. What was learned of it: its client for Python, 1.5.10, and
//! <https://docs.tracium.ai>.
//!
//! Not carried:
//!
//! - of every span: its parent, which is the nearest one before it of a depth less by one; its attributes, but for the
//!   trace's session, user, tags, version and metadata, and that last only if it did not fail; its own metadata, level, cost,
//!   version, code, states, events, links, prompt, parameters, time to the first token, how errors came about, how many spans
//!   were dropped below it; a model that is the first span's too; an input or output of `null`; nanoseconds;
//! - of usage: which tokens were audio or reasoning; sums of which the plain part is not known;
//! - of a trace: its input and output apart from its first span's; of one that failed, its summary; an empty one;
//! - of an agent that is the trace alone: its id and times, usage and tools; of one that failed, its output, and how it failed; else the order of the keys in
//!   its output;
//! - names of the root apart from the trace's; characters that Tracium does not take in an agent's name, and what is longer
//!   than it takes; inputs and outputs beyond 100,000 bytes, and long strings in base64.

mod read;
mod value;
mod write;

use observe_model::{SpanType, Status};
use serde::{Deserialize, Serialize};

pub use read::Reader;
pub use write::{Settings, TraceWriter};

/// The path that creates a trace; its answer names it.
pub const CREATE: &str = "/agents/traces";

/// Tags that carry the session and the user.
const SESSION: &str = "session:";
const USER: &str = "user:";

/// What Tracium's client calls a span of this type.
fn type_name(span_type: SpanType) -> &'static str {
    match span_type {
        SpanType::Generation => "llm",
        other => other.as_str(),
    }
}

/// The other way; any other word is a span.
fn type_of(name: &str) -> SpanType {
    match name {
        "llm" => SpanType::Generation,
        other => other.parse().unwrap_or_default(),
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Running => "in_progress",
        Status::Ok => "completed",
        Status::Error => "failed",
        other => other.as_str(),
    }
}

fn status_of(name: &str) -> Status {
    match name {
        "in_progress" => Status::Running,
        "completed" => Status::Ok,
        "failed" => Status::Error,
        // A word of the sender's own, said when the span ended.
        other => other.parse().unwrap_or(Status::Ok),
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct CreateBody {
    agent_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SpansBody {
    spans: Vec<SpanBody>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SpanBody {
    id: String,
    span_type: String,
    status: String,
    started_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<String>,
    name: String,
    depth_level: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<observe_model::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<observe_model::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<observe_model::Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
}

/// What ends a trace, either way.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct EndBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<observe_model::Metadata>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    llm_steps: Vec<LlmStep>,
}

/// A kind of model call in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct LlmStep {
    name: String,
    model: Option<String>,
    system_prompt: Option<String>,
}
