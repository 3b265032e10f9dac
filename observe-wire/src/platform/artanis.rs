//! Artanis, both ways. A trace there is one piece of work with an input, an output and states: the steps inside it are
//! folded into it, each as a state whose key is the path to it.
//!
//! What was learned of it: its client for Python, 0.17.0, and <https://docs.artanis.ai>.
//!
//! Not carried: where a function stands ([`Span::code`](observe_model::Span::code)); nanoseconds of the first span's times; its id, unless it has what
//! only our own object can say; its parent in another service; attributes that were set further inside than on the first
//! span; an empty session; an output of `null`, and an input but for the trace's own, which are the same as none; in what order
//! the first span's states were said, but for the one before the others; a score's id, author and metadata, and its name unless it stands in the comment; a metric's id. The first span's own
//! metadata becomes the trace's.

mod read;
mod write;

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use observe_model::{
    Cost, Details, Json, Level, Metadata, SpanId, SpanType, Status, Timestamp, TraceId, Usage,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{from_micros, is_default_level, is_zero, to_micros};

pub use read::Reader;
pub use write::{TraceWriter, record};

/// The paths that are posted to.
const TRACES: &str = "/api/v1/traces";
const OBSERVATIONS: &str = "/api/v1/observations";
const FEEDBACK: &str = "/api/v1/feedback";

/// What the id of every trace begins with.
const PREFIX: &str = "trace_";

/// The name of scores that are feedback and nothing else, which is not said in the comment.
const FEEDBACK_NAME: &str = "feedback";

/// The id that Artanis knows the trace by: 16 bytes, as its own are, so that sending it again is harmless.
///
/// ```
/// use observe_model::TraceId;
/// let id = observe_wire::platform::artanis::id_of(TraceId::from_seed("your-trace-id"));
/// assert_eq!(id, "trace_8hwLj8LTnkHBCx_bgCQQGw");
/// ```
pub fn id_of(id: TraceId) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(id.to_bytes()))
}

/// Our id of a trace that Artanis knows by `name`: the one it was made from, else one that belongs to it.
fn trace_id_of(name: &str) -> TraceId {
    let bytes = name.strip_prefix(PREFIX).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let bytes = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    bytes.and_then(TraceId::from_bytes).unwrap_or_else(|| TraceId::from_seed(name))
}

/// A time as Artanis writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct At(Timestamp);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_micros(self.0, "Z"))
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let at = from_micros(&text).ok_or_else(|| serde::de::Error::custom("expected a time in UTC"))?;
        Ok(Self(at))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TraceBody {
    trace_id: String,
    name: String,
    timestamp: At,
    status: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    Running,
    Completed,
}

#[derive(Debug, Serialize, Deserialize)]
struct Observation {
    trace_id: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    data: Json,
    timestamp: At,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Input,
    Output,
    State,
}

#[derive(Debug, Serialize, Deserialize)]
struct Feedback {
    trace_id: String,
    rating: Value,
    timestamp: At,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correction: Option<Json>,
}

/// The output of a trace that failed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Failed {
    error: Option<String>,
    status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Json>,
}

/// A step inside a trace, as the data of a state; of the first span what has no other place.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Step {
    span_id: Option<SpanId>,
    /// None directly below the first span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent_id: Option<SpanId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    span_type: Option<SpanType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<Json>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<Json>,
    #[serde(default, skip_serializing_if = "is_default_level")]
    level: Level,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Usage::is_unknown")]
    usage: Usage,
    #[serde(default, skip_serializing_if = "Cost::is_unknown")]
    cost: Cost,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<Box<Details>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    dropped: u64,
}

/// Keys of a trace's metadata that we write, and read.
const USER: &str = "user_id";
const TAGS: &str = "tags";
const MODEL: &str = "model";
const TYPE: &str = "type";
const LEVEL: &str = "level";
const VERSION: &str = "version";
const RELEASE: &str = "release";
const ENVIRONMENT: &str = "environment";
const PUBLIC: &str = "public";
const USAGE: &str = "usage";
const COST: &str = "cost";
