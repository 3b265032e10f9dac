//! Input and output: JSON text in the model, and on the wire a JSON string as its plain text, which platforms show better
//! than a quoted and escaped line.

use std::borrow::Cow;

use observe_model::Metadata;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::otlp::attributes::{Attributes, Unreadable};

/// Mime types of payloads.
pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain";

/// The text of a JSON string; `None` if `json` is anything else.
pub(crate) fn literal(json: &[u8]) -> Option<Cow<'_, [u8]>> {
    let inner = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !has_backslash(inner) {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_slice::<String>(json).ok().map(|text| Cow::Owned(text.into_bytes()))
}

/// `json` as its plain text, if it is a string, else as it is, and its mime type where `looks` would take it for the other.
pub(crate) fn native(json: &str, looks: impl Fn(&str) -> bool) -> (Cow<'_, [u8]>, Option<&'static str>) {
    match literal(json.as_bytes()) {
        Some(text) => {
            let is_taken = std::str::from_utf8(&text).is_ok_and(|text| looks(text) && is_json(text));
            (text, is_taken.then_some(TEXT))
        }
        None => (Cow::Borrowed(json.as_bytes()), (!looks(json)).then_some(JSON)),
    }
}

/// Looks at eight bytes at a time: what is above the lowest zero byte of `word` may err, whether there is one does not.
fn has_backslash(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let found = words.iter().any(|word| {
        let word = u64::from_ne_bytes(*word) ^ u64::from_ne_bytes([b'\\'; 8]);
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
    });
    found || rest.contains(&b'\\')
}

/// Input or output under the first of `keys`, as JSON text: what is not JSON becomes a JSON string. Where `mime` does not
/// say which it is, `looks` does.
pub(crate) fn read(
    a: &mut Attributes<'_>,
    mime: &str,
    keys: &[&str],
    looks: impl Fn(&str) -> bool,
) -> Result<Option<Cow<'static, str>>, Unreadable> {
    let mime = a.text(&[mime]);
    let Some(text) = a.text(keys) else {
        return Ok(a.json(keys)?.map(|value| Cow::Owned(value.to_string())));
    };
    let is_said = match mime.as_deref() {
        Some(mime) => mime == JSON,
        None => looks(&text),
    };
    if is_said && is_json(&text) {
        return Ok(Some(Cow::Owned(text)));
    }
    Ok(Some(Cow::Owned(Value::String(text).to_string())))
}

/// A list that stands under `key` with one attribute for each leaf: it is the payload if there is no other, else metadata.
pub(crate) fn read_flat(
    a: &mut Attributes<'_>,
    key: &str,
    payload: &mut Option<Cow<'static, str>>,
    metadata: &mut Metadata,
) -> Result<(), Unreadable> {
    let Some(list) = a.list(&format!("{key}."))? else { return Ok(()) };
    match payload {
        None => *payload = Some(Cow::Owned(list.to_string())),
        Some(_) => _ = metadata.entry(key).or_insert(list),
    }
    Ok(())
}

/// Whether `text` begins as an object or array does.
pub(crate) fn looks_nested(text: &str) -> bool {
    text.starts_with(['{', '['])
}

/// Whether `text` is JSON.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
