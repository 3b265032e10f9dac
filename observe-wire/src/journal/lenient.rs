//! JSON text that others wrote: it may name halves of surrogate pairs, which are no characters. As text that is harmless,
//! but no Rust string can hold one.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::DeserializeOwned;

/// Whether any was replaced.
static MENDED: AtomicBool = AtomicBool::new(false);

/// The value of this JSON text. Halves of surrogate pairs become U+FFFD, so that nothing beside them is lost.
pub fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok().or_else(|| {
        let value = serde_json::from_str(&mended(text)?).ok()?;
        MENDED.store(true, Ordering::Relaxed);
        Some(value)
    })
}

/// Whether [`read`] has replaced anything since the process began.
pub fn has_mended() -> bool {
    MENDED.load(Ordering::Relaxed)
}

/// The text with `\ufffd` for each half of a pair; `None` if there is none.
#[cold]
pub(crate) fn mended(text: &str) -> Option<String> {
    let mut mended = String::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        match (unit(text, at), unit(text, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(text.get(copied..at)?);
                mended.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            // What is escaped may be another backslash.
            _ => at += 2,
        }
    }
    (copied > 0).then(|| mended + text.get(copied..).unwrap_or_default())
}

/// The number in the escape `\uXXXX` that stands at `at`.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_replaced_and_everything_else_stays() {
        for (text, expected) in [
            (r#""\ud800""#, "\u{fffd}"),
            (r#""\uDC00 \ud83d\ude00 \ud83d""#, "\u{fffd} \u{1f600} \u{fffd}"),
            (r#""\ud800\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\\ud800 \udfff\n""#, "\\ud800 \u{fffd}\n"),
            (r#""\ud800é\ud8é""#, ""),
        ] {
            assert_eq!(read::<String>(text).unwrap_or_default(), expected, "{text}");
        }
        assert_eq!(read::<String>("no JSON"), None);
    }
}
