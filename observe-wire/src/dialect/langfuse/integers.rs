//! Whole numbers that JavaScript, in which the platforms' servers and pages are written, would change: the clients send them
//! as texts.

use std::{borrow::Cow, fmt::Write as _};

/// The largest whole number that JavaScript tells from its neighbours.
pub(crate) const MAX_SAFE: u64 = (1 << 53) - 1;

/// `json` with such numbers in quotes, and where in the result each of them begins, as a JSON array.
pub(crate) fn quote(json: &str) -> (Cow<'_, str>, Option<String>) {
    let (mut quoted, mut places) = (String::new(), String::new());
    let mut copied = 0;
    let mut rest = 0..json.len();
    while let Some(at) = rest.next() {
        match json.as_bytes()[at] {
            b'"' => rest.start = end_of_string(json.as_bytes(), at),
            b'-' | b'0'..=b'9' => {
                let length = json[at..].bytes().take_while(|b| is_numeral(*b)).count();
                rest.start = at + length;
                if is_large(&json[at..at + length]) {
                    quoted.push_str(&json[copied..at]);
                    let comma = if places.is_empty() { "[" } else { "," };
                    // Writing to a String cannot fail.
                    let _ = write!(places, "{comma}{}", quoted.len());
                    let _ = write!(quoted, "\"{}\"", &json[at..at + length]);
                    copied = at + length;
                }
            }
            _ => {}
        }
    }
    if places.is_empty() {
        return (Cow::Borrowed(json), None);
    }
    quoted.push_str(&json[copied..]);
    (Cow::Owned(quoted), Some(places + "]"))
}

/// What [`quote`] made of a text; `None` if it cannot have been that.
pub(crate) fn unquote(quoted: &str, places: &[usize]) -> Option<String> {
    let mut json = String::with_capacity(quoted.len());
    let mut rest = 0;
    for place in places {
        let (number, _) = quoted.get(*place..)?.strip_prefix('"')?.split_once('"')?;
        if !is_large(number) {
            return None;
        }
        json.push_str(quoted.get(rest..*place)?);
        json.push_str(number);
        rest = place + number.len() + 2;
    }
    json.push_str(quoted.get(rest..)?);
    Some(json)
}

/// After the string that begins at `at`.
fn end_of_string(json: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

fn is_numeral(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Whether a number is whole and beyond [`MAX_SAFE`].
fn is_large(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.len() >= 16
        && digits.bytes().all(|b| b.is_ascii_digit())
        && digits.parse::<u64>().map_or(true, |n| n > MAX_SAFE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_that_javascript_would_change_are_quoted_and_all_come_back() {
        let json = r#"{"12345678901234567890":[9007199254740991,-9007199254740992,1152921504606846976],"s":"\"18446744073709551615","f":1e300,"g":1234567890123456789.5}"#;
        let (quoted, places) = quote(json);
        let expected = r#"{"12345678901234567890":[9007199254740991,"-9007199254740992","1152921504606846976"],"s":"\"18446744073709551615","f":1e300,"g":1234567890123456789.5}"#;
        assert_eq!(quoted, expected);
        let places: Vec<usize> = serde_json::from_str(&places.unwrap()).unwrap();
        assert_eq!(unquote(&quoted, &places).as_deref(), Some(json));
        assert_eq!(quote("[1,\"\\\\\",2"), (Cow::Borrowed("[1,\"\\\\\",2"), None));
        assert_eq!(unquote(json, &[3]), None);
        assert_eq!(unquote(json, &[usize::MAX]), None);
    }
}
