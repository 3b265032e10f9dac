//! `baggage`: what the application wants to know at the other end, `key=value;property` by `key=value;property`.

use std::fmt::{self, Write};

use super::trim;

/// So many members are passed on.
const MEMBERS: usize = 64;

/// So many bytes are passed on.
const LENGTH: usize = 8192;

/// Names and values that travel with a request.
///
/// ```
/// use observe_wire::w3c::Baggage;
/// let mut baggage = Baggage::parse(["user.id=ada%20l;secret, tier=gold"]);
/// assert_eq!(baggage.get("user.id"), Some("ada l"));
/// baggage.set("session.id", "42, or so");
/// assert_eq!(baggage.to_string(), "user.id=ada%20l;secret,tier=gold,session.id=42%2C%20or%20so");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baggage {
    members: Vec<Member>,
    /// Bytes of the header.
    len: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    key: String,
    /// Decoded.
    value: String,
    /// The whole member as it travels, properties included.
    text: String,
}

impl Baggage {
    /// The members in these headers, in their order. An invalid one is left out, and so is what goes beyond 64 members
    /// or 8192 bytes.
    pub fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut baggage = Self::default();
        for member in headers.into_iter().flat_map(|header| header.split(',')) {
            if let Some(member) = Member::parse(member) {
                baggage.push(member);
            }
        }
        baggage
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of `key`, decoded; of the last one if there are several.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members.iter().rfind(|member| member.key == key).map(|member| &*member.value)
    }

    /// All keys and decoded values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.members.iter().map(|member| (&*member.key, &*member.value))
    }

    /// Sets `key`, in place of what it had. Whether that was possible: a key is made of letters, digits and
    /// ``!#$%&'*+-.^_`|~``, and there may be no more than 64 members and 8192 bytes.
    pub fn set(&mut self, key: &str, value: &str) -> bool {
        if !is_token(key) {
            return false;
        }
        self.remove(key);
        let text = format!("{key}={}", encode(value));
        self.push(Member { key: key.to_owned(), value: value.to_owned(), text })
    }

    fn remove(&mut self, key: &str) {
        self.members.retain(|member| member.key != key);
        self.len = self.members.iter().map(|member| member.text.len() + 1).sum::<usize>().saturating_sub(1);
    }

    fn push(&mut self, member: Member) -> bool {
        let comma = usize::from(!self.members.is_empty());
        let len = self.len + comma + member.text.len();
        let fits = self.members.len() < MEMBERS && len <= LENGTH;
        if fits {
            self.members.push(member);
            self.len = len;
        }
        fits
    }
}

impl Member {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let (key, value) = parts.next()?.split_once('=')?;
        let (key, value) = (trim(key), trim(value));
        if !is_token(key) || !value.bytes().all(is_octet) {
            return None;
        }
        let mut member = Self { key: key.to_owned(), value: decode(value), text: format!("{key}={value}") };
        for property in parts {
            let (key, value) = property.split_once('=').map_or((property, None), |(k, v)| (k, Some(trim(v))));
            let key = trim(key);
            if !is_token(key) || !value.unwrap_or_default().bytes().all(is_octet) {
                return None;
            }
            let _ = match value {
                Some(value) => write!(member.text, ";{key}={value}"),
                None => write!(member.text, ";{key}"),
            };
        }
        Some(member)
    }
}

/// A `token` of HTTP.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A `baggage-octet`: printable ASCII without blank, quote, comma, semicolon and backslash.
fn is_octet(b: u8) -> bool {
    b.is_ascii_graphic() && !b"\",;\\".contains(&b)
}

/// More than the specification asks for is encoded, so that no reader mistakes it.
fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for b in value.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => text.push(b.into()),
            _ => _ = write!(text, "%{b:02X}"),
        }
    }
    text
}

/// What is no percent-encoding stays as it is; what is no UTF-8 becomes U+FFFD.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |at: usize| tail.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, member) in self.members.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{}", member.text)?;
        }
        Ok(())
    }
}
