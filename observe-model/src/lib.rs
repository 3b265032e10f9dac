//! The data of observe, and nothing that moves: ids, spans, the attributes of a trace, usage, resource, time.
//!
//! Everything that a program records, a store keeps and a wire format carries is one of these types.
#![forbid(unsafe_code)]

mod attributes;
mod id;
mod resource;
mod span;
mod time;
mod usage;

pub use attributes::TraceAttributes;
pub use id::{ParseIdError, SpanId, TraceId};
pub use resource::Resource;
pub use span::{Code, Level, ParseNameError, Span, SpanType, Status};
pub use time::{ParseTimestampError, Timestamp};
pub use usage::Usage;

/// A free map of names to JSON values; numbers stay numbers.
pub type Metadata = serde_json::Map<String, serde_json::Value>;
