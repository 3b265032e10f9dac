//! Captured bytes as JSON text: the escaping of long strings that the host's thread left to be done later.

use std::borrow::Cow;

use super::{entry::RAW_STRING, escape::escape};

/// Captured bytes as JSON text, borrowed if they hold no raw segment.
///
/// Bytes that were not captured here (a damaged file) give some text, with U+FFFD for what is not UTF-8: never an error.
pub fn render(captured: &[u8]) -> Cow<'_, str> {
    if !captured.contains(&RAW_STRING) {
        return String::from_utf8_lossy(captured);
    }
    let mut json = Vec::new();
    render_into(captured, &mut json);
    Cow::Owned(
        String::from_utf8(json)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// Appends captured bytes to `json`, their raw segments escaped and in quotes. Does not look at whether they are UTF-8.
pub fn render_into(mut captured: &[u8], json: &mut Vec<u8>) {
    json.reserve(captured.len() + captured.len() / 16);
    while let Some(at) = captured.iter().position(|byte| *byte == RAW_STRING) {
        let (ready, segment) = captured.split_at(at);
        json.extend_from_slice(ready);
        let (raw, rest) = split_segment(segment);
        json.push(b'"');
        escape(raw, |piece| json.extend_from_slice(piece));
        json.push(b'"');
        captured = rest;
    }
    json.extend_from_slice(captured);
}

/// The string of the segment that begins here, and what follows it. A segment that is cut off has what there is of it.
fn split_segment(segment: &[u8]) -> (&[u8], &[u8]) {
    let Some(([_mark, len @ ..], rest)) = segment.split_first_chunk::<5>() else { return (&[], &[]) };
    let len = u32::from_le_bytes(*len) as usize;
    rest.split_at_checked(len).unwrap_or((rest, &[]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment(text: &str) -> Vec<u8> {
        let len = u32::try_from(text.len()).unwrap().to_le_bytes();
        [&[RAW_STRING], &len[..], text.as_bytes()].concat()
    }

    #[test]
    fn json_without_raw_segments_is_borrowed() {
        assert!(matches!(render(b"{\"a\":1}"), Cow::Borrowed("{\"a\":1}")));
        assert!(matches!(render(b""), Cow::Borrowed("")));
    }

    #[test]
    fn a_segment_that_is_cut_off_gives_what_there_is_of_it() {
        let whole = segment("abc\n");
        assert_eq!(render(&whole), r#""abc\n""#);
        assert_eq!(render(&whole[..7]), r#""ab""#);
        assert_eq!(render(&whole[..3]), r#""""#);
    }

    proptest! {
        #[test]
        fn raw_segments_become_strings_where_they_stand(strings in prop::collection::vec(any::<String>(), 0..5)) {
            let mut captured = b"[0".to_vec();
            for string in &strings {
                captured.push(b',');
                captured.extend(segment(string));
            }
            captured.push(b']');
            let expected: Vec<_> = std::iter::once("0".to_owned())
                .chain(strings.iter().map(|string| serde_json::to_string(string).unwrap()))
                .collect();
            prop_assert_eq!(render(&captured), format!("[{}]", expected.join(",")));
        }

        #[test]
        fn any_bytes_give_some_text(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = render(&bytes);
        }
    }
}
