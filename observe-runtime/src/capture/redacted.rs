//! `redact(arg.field.path)`: a value with parts of it left out.

use std::fmt;

use observe_wire::journal::lenient;
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{REDACTED, is_secret, to_json};

/// A value without what stands at these paths of field names, each joined by dots.
///
/// A name is looked for whatever its case and underscores, so that `card_number` also means what serde renamed to
/// `cardNumber`; in an array it is looked for in every element. A number means an element, or is passed over where there is
/// no array, as in a newtype. A value that is not `Serialize` has no parts: its text is redacted whole.
pub struct Redacted<'a, T: ?Sized>(pub &'a T, pub &'static [&'static str]);

impl<T: ?Sized> fmt::Debug for Redacted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Serialize + ?Sized> Serialize for Redacted<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = to_json(self.0);
        let json = json.as_str();
        let mut redaction = Redaction { rest: json, kept: String::with_capacity(json.len()) };
        redaction.value(&self.1.iter().map(|path| Some(*path)).collect::<Vec<_>>());
        // How `serde_json` hands over text that is JSON already.
        let mut raw = serializer.serialize_struct("$serde_json::private::RawValue", 1)?;
        raw.serialize_field("$serde_json::private::RawValue", &redaction.kept)?;
        raw.end()
    }
}

/// A walk over JSON text, which is well-formed: we wrote it.
struct Redaction<'a> {
    rest: &'a str,
    kept: String,
}

/// What is left of the path to a secret; `None` where it ends.
type Path<'p> = Option<&'p str>;

impl<'a> Redaction<'a> {
    /// Copies the next value without what stands at `paths` in it.
    fn value(&mut self, paths: &[Path<'_>]) {
        if paths.is_empty() || paths.contains(&None) {
            let value = self.take_value();
            match paths.is_empty() {
                true => self.kept.push_str(value),
                false => self.kept.push_str(&String::from_utf8_lossy(REDACTED)),
            }
        } else if self.rest.starts_with('{') {
            self.members(|this| {
                let name = this.copy(string_len(this.rest)).trim_matches('"');
                this.copy(1);
                let inner: Vec<_> =
                    paths.iter().filter_map(|path| step(path, |at| is_name(at, name))).collect();
                this.value(&inner);
            });
        } else if self.rest.starts_with('[') {
            let mut at = 0usize;
            self.members(|this| {
                let index = at.to_string();
                let inner = paths.iter().filter_map(|path| match is_index(path) {
                    true => step(path, |at| at == index),
                    false => Some(*path),
                });
                this.value(&inner.collect::<Vec<_>>());
                at += 1;
            });
        } else {
            // Not where the path leads; but a number may stand for what a newtype holds.
            let inner: Vec<_> =
                paths.iter().filter(|path| is_index(path)).filter_map(|path| step(path, |_| true)).collect();
            self.value(&inner);
        }
    }

    /// Copies an array or object, `member` each member.
    fn members(&mut self, mut member: impl FnMut(&mut Self)) {
        self.copy(1);
        while !self.rest.starts_with(['}', ']']) && !self.rest.is_empty() {
            member(self);
            if self.rest.starts_with(',') {
                self.copy(1);
            }
        }
        self.copy(1);
    }

    fn copy(&mut self, len: usize) -> &'a str {
        let copied = self.take(len);
        self.kept.push_str(copied);
        copied
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Takes the next value whole.
    fn take_value(&mut self) -> &'a str {
        self.take(value_len(self.rest))
    }
}

/// JSON text without the values of the members whose names mean a secret, at any depth; `None` if there are none. Of
/// what is no JSON it takes what looks like them.
pub(super) fn without_secrets(json: &str) -> Option<String> {
    let (mut kept, mut from, mut at) = (None::<String>, 0, 0);
    while let Some(quote) = json.get(at..).and_then(|rest| rest.find('"')) {
        let literal = json.get(at + quote..).map(|rest| rest.get(..string_len(rest)).unwrap_or(rest))?;
        at += quote + literal.len();
        let Some(value) = json.get(at..).and_then(|rest| rest.trim_start().strip_prefix(':')) else {
            continue;
        };
        let value = value.trim_start();
        if names_secret(literal) {
            let kept = kept.get_or_insert_default();
            kept.push_str(json.get(from..json.len() - value.len()).unwrap_or_default());
            kept.push_str(&String::from_utf8_lossy(REDACTED));
            at = json.len() - value.len() + value_len(value);
            from = at;
        }
    }
    let kept = kept?;
    Some(kept + json.get(from..).unwrap_or_default())
}

/// Whether a member's name, with its quotes, means a secret.
fn names_secret(literal: &str) -> bool {
    match literal.contains('\\') {
        true => lenient::read::<String>(literal).is_some_and(|name| is_secret(&name)),
        false => is_secret(literal.trim_matches('"')),
    }
}

/// The length of the value that `text` begins with.
fn value_len(text: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => at += string_len(&text[at..]),
            b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
            b'}' | b']' if depth > 0 => (depth, at) = (depth - 1, at + 1),
            b',' | b'}' | b']' if depth == 0 => break,
            _ => at += 1,
        }
        if depth == 0 && matches!(byte, b'"' | b'}' | b']') {
            break;
        }
    }
    at
}

/// The length of the string that `text` begins with, quotes included.
fn string_len(text: &str) -> usize {
    let (bytes, mut at) = (text.as_bytes(), 1);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// The path behind its first part, if that `fits`.
fn step<'p>(path: &Path<'p>, fits: impl Fn(&str) -> bool) -> Option<Path<'p>> {
    let (first, rest) = match (*path)?.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => ((*path)?, None),
    };
    fits(first).then_some(rest)
}

fn is_index(path: &Path<'_>) -> bool {
    path.is_some_and(|path| path.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether a field of Rust may be recorded under `name`.
fn is_name(field: &str, name: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    letters(field) == letters(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(json: &str, paths: &[&str]) -> String {
        let mut redaction = Redaction { rest: json, kept: String::new() };
        redaction.value(&paths.iter().map(|path| Some(*path)).collect::<Vec<_>>());
        assert_eq!(redaction.rest, "");
        redaction.kept
    }

    #[test]
    fn what_stands_at_a_path_is_left_out_and_nothing_else() {
        let json = r#"{"id":7,"card":{"number":"41\"1]1","cardHolder":[1,{"x":2}],"ok":true},"number":[]}"#;
        assert_eq!(
            redacted(json, &["card.number", "card.card_holder"]),
            r#"{"id":7,"card":{"number":"[redacted]","cardHolder":"[redacted]","ok":true},"number":[]}"#
        );
        assert_eq!(redacted(json, &["card"]), r#"{"id":7,"card":"[redacted]","number":[]}"#);
        assert_eq!(redacted(json, &["nowhere.number", "id.more"]), json);
    }

    #[test]
    fn members_that_mean_a_secret_are_taken_out_of_raw_json() {
        let json = r#" { "user" : "ann", "password" : "a\"},b" , "deep":[{"api_key":{"a":[1,"]"]}},{"\u0074oken":5}], "of":"password" }"#;
        assert_eq!(
            without_secrets(json).unwrap(),
            r#" { "user" : "ann", "password" : "[redacted]" , "deep":[{"api_key":"[redacted]"},{"\u0074oken":"[redacted]"}], "of":"password" }"#
        );
        assert_eq!(without_secrets(r#"{"max_tokens":5,"x":["password",": 1"]}"#), None);
        for broken in ["\"secret\":", "\"secret\":\"é", "\"secret", "\"secret\\"] {
            without_secrets(broken);
        }
    }

    #[test]
    fn a_name_is_looked_for_in_every_element_and_a_number_in_one() {
        let json = r#"[{"a":1,"b":2},{"a":[3]},null]"#;
        assert_eq!(redacted(json, &["a"]), r#"[{"a":"[redacted]","b":2},{"a":"[redacted]"},null]"#);
        assert_eq!(redacted(json, &["1.a", "2"]), r#"[{"a":1,"b":2},{"a":"[redacted]"},"[redacted]"]"#);
        assert_eq!(redacted(r#"{"new":5}"#, &["new.0"]), r#"{"new":"[redacted]"}"#);
    }
}
