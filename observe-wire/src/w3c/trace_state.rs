//! `tracestate`: what each tracing system on the way wants back, `key=value` by `key=value`.

use std::{collections::HashSet, fmt};

use super::trim;

/// So many members a list may have.
const MEMBERS: usize = 32;

/// So many characters are passed on.
const LENGTH: usize = 512;

/// Members longer than this go first when there are too many characters.
const LONG: usize = 128;

/// What other tracing systems have sent along with the trace, to be passed on as it came.
///
/// ```
/// use observe_wire::w3c::TraceState;
/// let state = TraceState::parse(["congo=t61rcWkgMzE", " rojo=00f067aa0ba902b7 "]).unwrap();
/// assert_eq!(state.to_string(), "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
/// assert!(TraceState::parse(["Upper=1"]).is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceState(String);

impl TraceState {
    /// The list in these headers, in their order. `None` if it is empty, or if any of it is invalid, which spoils the
    /// whole. Of a list that is longer than 512 characters, members of more than 128 characters are left out first,
    /// then the last ones.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let headers = headers.into_iter().flat_map(|header| header.split(','));
        let mut members: Vec<&str> = headers.map(trim).filter(|member| !member.is_empty()).collect();
        let keys: HashSet<&str> = members.iter().filter_map(|member| key_of(member)).collect();
        if members.is_empty() || members.len() > MEMBERS || keys.len() != members.len() {
            return None;
        }
        let len = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>() - 1;
        while len(&members) > LENGTH {
            let long = members.iter().rposition(|member| member.len() > LONG);
            members.remove(long.unwrap_or(members.len() - 1));
            if members.is_empty() {
                return None;
            }
        }
        Some(Self(members.join(",")))
    }
}

/// The key of a valid member.
fn key_of(member: &str) -> Option<&str> {
    let (key, value) = member.split_once('=')?;
    (is_key(key) && is_value(value)).then_some(key)
}

/// A name of 256 characters, or a tenant of 241, `@` and a system of 14.
fn is_key(key: &str) -> bool {
    let is_part = |part: &str, limit: usize| {
        let begins = part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let allowed = |b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
        begins && part.len() <= limit && part.bytes().all(allowed)
    };
    match key.split_once('@') {
        Some((tenant, system)) => is_part(tenant, 241) && is_part(system, 14),
        None => is_part(key, 256),
    }
}

/// Printable ASCII without comma and equals sign, not empty; blanks at its end were trimmed.
fn is_value(value: &str) -> bool {
    let allowed = |b| matches!(b, b' '..=b'~') && b != b',' && b != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(allowed)
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
