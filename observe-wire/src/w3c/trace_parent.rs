//! `traceparent`: `00-{trace id}-{span id}-{flags}`, all in lower-case hexadecimal digits.

use std::{fmt, str::FromStr};

use observe_model::{SpanId, TraceId};

use super::trim;

/// Which trace and span a request belongs to.
///
/// ```
/// use observe_wire::w3c::TraceParent;
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = text.parse()?;
/// assert!(parent.sampled);
/// assert_eq!(parent.to_string(), text);
/// # Ok::<_, observe_wire::w3c::ParseTraceParentError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The span that sent it: the parent of what the receiver begins.
    pub parent_id: SpanId,
    /// Whether the sender may have recorded its span. The other flags that a sender sets are not passed on, as the
    /// specification asks of those who do not know them.
    pub sampled: bool,
}

/// A text that is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a traceparent must be `00-`, 32 lower-case hexadecimal digits, `-`, 16 of them, `-` and 2 of them, no id all zero"
)]
pub struct ParseTraceParentError;

impl FromStr for TraceParent {
    type Err = ParseTraceParentError;

    fn from_str(text: &str) -> Result<Self, ParseTraceParentError> {
        parse(trim(text)).ok_or(ParseTraceParentError)
    }
}

fn parse(text: &str) -> Option<TraceParent> {
    let (version, rest) = text.split_once('-')?;
    let (trace, rest) = rest.split_once('-')?;
    let (parent, rest) = rest.split_once('-')?;
    // What a later version adds stands behind another dash.
    let (flags, has_more) = rest.split_once('-').map_or((rest, false), |(flags, _)| (flags, true));
    let version = byte(version).filter(|version| *version != 0xff && (*version != 0 || !has_more));
    version?;
    Some(TraceParent {
        trace_id: trace.parse().ok()?,
        parent_id: parent.parse().ok()?,
        sampled: byte(flags)? & 1 != 0,
    })
}

/// Two lower-case hexadecimal digits.
fn byte(text: &str) -> Option<u8> {
    let is_lower_hex = text.len() == 2 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    u8::from_str_radix(text, 16).ok().filter(|_| is_lower_hex)
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace_id, self.parent_id, u8::from(self.sampled))
    }
}
