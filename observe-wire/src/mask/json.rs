//! Redacts JSON text where it stands: strings one by one, numbers between them, everything else byte for byte.

use std::{borrow::Cow, ops::Range};

use super::{REDACTED, cards::cards, redacted as redacted_text};

/// JSON text without the secrets in it; `None` if it has none.
pub(super) fn redacted(json: &str) -> Option<String> {
    let mut kept: Option<String> = None;
    let (mut from, mut at) = (0, 0);
    let mut replace = |range: Range<usize>, with: &str| {
        let kept = kept.get_or_insert_default();
        kept.push_str(json.get(from..range.start).unwrap_or_default());
        kept.push_str(&serde_json::Value::from(with).to_string());
        from = range.end;
    };
    while let Some(rest) = json.get(at..) {
        let between = rest.find('"').unwrap_or(rest.len());
        for card in cards(rest.as_bytes().get(..between).unwrap_or_default()) {
            replace(at + card.start..at + card.end, REDACTED);
        }
        at += between;
        let Some(literal) = rest.get(between..).map(string_at).filter(|literal| !literal.is_empty()) else {
            break;
        };
        if let Some(redacted) = redacted_text(&unescaped(literal), true) {
            replace(at..at + literal.len(), &redacted);
        }
        at += literal.len();
    }
    let kept = kept?;
    Some(kept + json.get(from..).unwrap_or_default())
}

/// The string literal at the head of `json`, to the end where it is cut off.
fn string_at(json: &str) -> &str {
    let mut escaped = true;
    let end = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        // The quote that opens it is taken for escaped.
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.and_then(|end| json.get(..=end)).unwrap_or(json)
}

/// The text of a string literal; of a damaged one what stands between its quotes.
fn unescaped(literal: &str) -> Cow<'_, str> {
    let inner = literal.strip_prefix('"').unwrap_or(literal);
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    crate::journal::lenient::read(literal).map_or(Cow::Borrowed(inner), Cow::Owned)
}
