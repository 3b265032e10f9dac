//! Trajectory, both ways. A trace there is one object that holds its spans: it is put there when it begins, without any,
//! and again, whole, when it ends.
//!
//! What was learned of it: its client for Python, `trajectoryevals` 0.0.7. That client also sends each change of a span to
//! `/traces/spans/batch/`, as objects without ids or contents; here everything is in the trace, and only what comes after its
//! end is sent there, in the form that an earlier client (0.0.3) had. What Trajectory has no field for stands in a span's `additional_metadata`, under the key `observe`.
//!
//! Not carried: nanoseconds of starts, by which ends move with them; a cost that is not finite; the first span's parent in another service; the id of a metric and whether it was
//! kept as a record; an input, output or state of `null`, which is the same as none.

mod read;
mod write;

use observe_model::{
    Code, Details, Json, Level, Metadata, Span, SpanId, SpanType, Status, TraceAttributes, TraceId, Usage,
};
use serde::{Deserialize, Serialize};

pub use read::Reader;
pub use write::TraceWriter;

/// The path that takes traces.
pub const UPSERT: &str = "/traces/upsert/";
/// The path that takes spans by themselves.
const BATCH: &str = "/traces/spans/batch/";

/// The key of a span's `additional_metadata` for what Trajectory has no field for.
const OWN: &str = "observe";

/// Keys of a trace's metadata.
const REWARD: &str = "reward_score";
const METRICS: &str = "user_metrics";
/// Our scores, whole.
const SCORES: &str = "scores";

/// What a trace's first and last posts count; a span's, as it began and as it ended.
const FIRST: u32 = 1;
const LAST: u32 = 2;
const COMPLETED: u32 = 20;

/// The id of a trace, as a UUID.
///
/// ```
/// use observe_model::TraceId;
/// let id = observe_wire::platform::trajectory::id_of(TraceId::from_seed("your-trace-id"));
/// assert_eq!(id, "f21c0b8f-c2d3-9e41-c10b-1fdb8024101b");
/// ```
pub fn id_of(id: TraceId) -> String {
    uuid(id.to_bytes())
}

/// The id of a span, as a UUID: its own bytes, and the first ones of its trace's.
fn span_id_of(trace: TraceId, span: SpanId) -> String {
    let mut bytes = [0; 16];
    let (own, of_trace) = bytes.split_at_mut(8);
    own.copy_from_slice(&span.to_bytes());
    of_trace.copy_from_slice(&trace.to_bytes()[..8]);
    uuid(bytes)
}

fn uuid(bytes: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// The bytes of a UUID.
fn bytes_of(uuid: &str) -> Option<[u8; 16]> {
    let hex: String = uuid.chars().filter(|c| *c != '-').collect();
    let is_hex = hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(&hex, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// What Trajectory's client calls a span of this type.
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

/// A trace, with the keys in the order in which the client has them. Those that are optional here are always there, but
/// for the last two.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct TraceBody {
    trace_id: String,
    name: String,
    project_name: String,
    created_at: String,
    /// Seconds.
    duration: f64,
    trace_spans: Vec<SpanBody>,
    evaluation_runs: Vec<Json>,
    offline_mode: bool,
    parent_trace_id: Option<String>,
    parent_name: Option<String>,
    customer_id: Option<String>,
    tags: Vec<String>,
    metadata: Metadata,
    update_id: u32,
    evaluation_id: Option<String>,
    is_evaluation: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
}

impl TraceBody {
    /// What its fields say that every span of it has.
    fn attributes(&self) -> TraceAttributes {
        let mut metadata = self.metadata.clone();
        [REWARD, METRICS, SCORES].iter().for_each(|key| drop(metadata.remove(*key)));
        let mut attributes = TraceAttributes {
            session: self.conversation_id.clone(),
            user: self.user_id.clone(),
            metadata,
            ..TraceAttributes::default()
        };
        self.tags.iter().for_each(|tag| attributes.add_tag(tag));
        attributes
    }
}

/// A span of a trace.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct SpanBody {
    span_id: String,
    trace_id: String,
    parent_span_id: Option<String>,
    depth: u32,
    function: String,
    span_type: String,
    created_at: String,
    /// Seconds.
    duration: Option<f64>,
    /// An object.
    inputs: Option<Json>,
    output: Option<Json>,
    error: Option<Failed>,
    usage: Option<Used>,
    /// Objects.
    state_before: Option<Json>,
    state_after: Option<Json>,
    agent_name: Option<String>,
    has_evaluation: bool,
    additional_metadata: Option<Metadata>,
    update_id: u32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Failed {
    #[serde(rename = "type")]
    kind: String,
    message: Option<String>,
    traceback: Vec<String>,
}

/// Tokens, and US dollars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Used {
    /// Cached ones included.
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    prompt_tokens_cost_usd: Option<f64>,
    completion_tokens_cost_usd: Option<f64>,
    total_cost_usd: Option<f64>,
    model_name: Option<String>,
}

impl Used {
    /// The buckets that its sums come from, as far as they tell.
    fn tokens(&self) -> Usage {
        let cached = [self.cache_read_input_tokens, self.cache_creation_input_tokens];
        let cached = cached.into_iter().flatten().fold(0, u64::saturating_add);
        Usage {
            // Where there are more of them than of all, they were not counted among those.
            input: self.prompt_tokens.map(|all| all.checked_sub(cached).unwrap_or(all)),
            cache_read: self.cache_read_input_tokens,
            cache_write: self.cache_creation_input_tokens,
            output: self.completion_tokens,
            ..Usage::default()
        }
    }
}

/// Spans by themselves.
#[derive(Debug, Serialize)]
struct BatchBody {
    spans: [Queued; 1],
    organization_id: String,
}

#[derive(Debug, Serialize)]
struct Queued {
    #[serde(flatten)]
    span: SpanBody,
    expected_tools: Option<Json>,
    /// What happened to it last.
    span_state: &'static str,
    /// Seconds since 1970.
    queued_at: f64,
}

impl BatchBody {
    fn of(body: SpanBody, span: &Span<'_>, organization: &str) -> Self {
        let queued_at = span.end.unwrap_or(span.start).0 as f64 / 1e9;
        let span_state = if span.end.is_some() { "completed" } else { "input" };
        let queued = Queued { span: body, expected_tools: None, span_state, queued_at };
        Self { spans: [queued], organization_id: organization.to_owned() }
    }
}

/// A metric, among a trace's metadata.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Measured {
    ts: String,
    event_name: String,
    value: f64,
    unit: Option<String>,
    tags: Vec<String>,
    properties: Metadata,
    user_id: Option<String>,
    conversation_id: Option<String>,
}

/// What Trajectory has no field for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Own {
    /// Where it is neither that of a success nor that of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<String>,
    #[serde(skip_serializing_if = "super::is_default_level")]
    level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Where the sums do not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    /// Where it is said apart from its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<(String, String, u32)>,
    /// Where they are not what the trace says.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<TraceAttributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<Details>>,
    #[serde(skip_serializing_if = "super::is_zero")]
    dropped: u64,
    /// The input is the value of `input` in `inputs`, which has to be an object.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    input_is_value: bool,
}

fn place_of(code: &Code<'_>) -> (String, String, u32) {
    (code.function.to_string(), code.file.to_string(), code.line)
}
