//! The data of observe, and nothing that moves: ids, spans, the attributes of a trace, usage and cost, scores, metrics,
//! resource, time.
//!
//! Everything that a program records, a store keeps and a wire format carries is one of these types.
#![forbid(unsafe_code)]

mod attributes;
mod details;
mod id;
mod json;
mod resource;
mod score;
mod span;
mod time;
mod usage;

pub use attributes::{TraceAttributes, TraceUpdate};
pub use details::{Details, Event, Failure, Link, Prompt, State};
pub use id::{ParseIdError, SpanId, TraceId};
pub use json::Json;
pub use resource::Resource;
pub use score::{Metric, Number, Record, Score, ScoreValue, Target};
pub use span::{Code, Level, ParseNameError, Span, SpanType, Status};
pub use time::{ParseTimestampError, Timestamp};
pub use usage::{Cost, Price, Usage};

/// A free map of names to JSON values; numbers stay numbers.
pub type Metadata = serde_json::Map<String, serde_json::Value>;
