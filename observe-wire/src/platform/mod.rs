//! What platforms that speak a JSON of their own are told of a trace, step by step: one file per platform, both directions
//! in it.
//!
//! A platform's [`Writer`] is told of the first span of a trace and of those below it as they begin and end, and gives the
//! [`Post`]s to be made, whose order matters; its `Reader` makes spans of such posts, from anybody. `docs/WIRE.md` says
//! which field travels where, and what is not carried.

pub mod artanis;
mod key;
pub mod tracium;
pub mod trajectory;

use observe_model::{Json, Level, Record, Span, Timestamp};
use serde::de::DeserializeOwned;

pub use key::Key;

/// A request of a platform's own: JSON that is posted to a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The path, from the platform's base address on.
    pub path: String,
    /// The body.
    pub body: Vec<u8>,
    /// Spans and records that have arrived with this one and those before it. 0 for one that only prepares others.
    pub spans: u64,
    /// What tells it from the others of its trace.
    pub key: Key,
}

/// Writes one trace, whose first span it was made with.
pub trait Writer: std::fmt::Debug + Send {
    /// A span below the first one begins; its parent, if that is in the trace, has begun before.
    fn start(&mut self, span: &Span<'_>) -> Vec<Post>;

    /// It ended.
    fn end(&mut self, span: &Span<'_>) -> Vec<Post>;

    /// A score or metric about the trace; what it gives no post for, it says when the trace ends.
    fn record(&mut self, record: &Record) -> Option<Post>;

    /// The trace ended, with its first span as it is now.
    fn finish(&mut self, root: &Span<'_>) -> Vec<Post>;
}

/// Bytes that a reader takes, in one post and in all together.
pub const LONGEST: usize = 64 << 20;

/// Why a post cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The platform has no such path; HTTP status 404.
    #[error("there is nothing at {0}")]
    NoSuchPath(String),
    /// More than [`LONGEST`]; HTTP status 413.
    #[error("there are more than {LONGEST} bytes: send less at a time")]
    TooLarge,
    /// Not what the path takes; HTTP status 400.
    #[error("the body is not what this path takes: {0}")]
    Malformed(String),
}

/// Counts what a reader took.
#[derive(Debug, Default)]
struct Taken(usize);

impl Taken {
    /// The body's JSON, if it is within the limit.
    fn read<T: DeserializeOwned>(&mut self, body: &[u8]) -> Result<T, ReadError> {
        self.0 = self.0.saturating_add(body.len());
        if self.0 > LONGEST {
            return Err(ReadError::TooLarge);
        }
        serde_json::from_slice(body).map_err(|error| ReadError::Malformed(error.to_string()))
    }
}

fn json_of(text: Option<&str>) -> Option<Json> {
    text.map(Json::from_text)
}

fn text_of(json: Option<Json>) -> Option<std::borrow::Cow<'static, str>> {
    json.map(|json| String::from(json.as_str()).into())
}

/// What the trace is called.
fn trace_name<'a>(root: &'a Span<'_>) -> &'a str {
    root.attributes.name.as_deref().unwrap_or(&root.name)
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_default_level(level: &Level) -> bool {
    *level == Level::Default
}

/// Microseconds in UTC, without a fraction where it is zero, as Python writes them; `zone` is `Z` or `+00:00`.
fn to_micros(at: Timestamp, zone: &str) -> String {
    let text = at.to_string();
    let (seconds, fraction) = text.split_once('.').unwrap_or((text.trim_end_matches('Z'), ""));
    match fraction.get(..6) {
        None | Some("000000") => format!("{seconds}{zone}"),
        Some(micros) => format!("{seconds}.{micros}{zone}"),
    }
}

/// Reads either form.
fn from_micros(text: &str) -> Option<Timestamp> {
    match text.strip_suffix("+00:00") {
        Some(local) => format!("{local}Z").parse().ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_does_and_read_back() {
        for (nanos, text) in [
            (1_500_000_000_123_456_789, "2017-07-14T02:40:00.123456"),
            (1_500_000_000_000_001_000, "2017-07-14T02:40:00.000001"),
            (1_500_000_000_000_000_999, "2017-07-14T02:40:00"),
            (0, "1970-01-01T00:00:00"),
        ] {
            for zone in ["Z", "+00:00"] {
                let written = to_micros(Timestamp(nanos), zone);
                assert_eq!(written, format!("{text}{zone}"));
                assert_eq!(from_micros(&written), Some(Timestamp(nanos / 1000 * 1000)));
            }
        }
        assert_eq!(from_micros("2017-07-14T02:40:00+02:00"), None);
    }
}
