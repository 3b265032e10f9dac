//! Base64 (RFC 4648): written with the common alphabet and padding, read in either alphabet and without padding too.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Appends `bytes` in base64.
pub(super) fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = [18, 12, 6, 0].map(|shift| DIGITS[(bits >> shift & 63) as usize]);
        let (said, padding) = digits.split_at(chunk.len() + 1);
        out.extend_from_slice(said);
        out.extend(padding.iter().map(|_| b'='));
    }
}

/// The bytes that `text` stands for; `None` if it is not base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let bits = chunk.iter().try_fold(0, |bits, digit| Some(bits << 6 | value(*digit)?))?;
        let whole = bits << (6 * (4 - chunk.len()));
        // One digit is not a byte yet.
        let count = chunk.len().checked_sub(1).filter(|count| *count > 0)?;
        bytes.extend_from_slice(&whole.to_be_bytes()[1..=count]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_the_rfcs_examples_hold() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
        ] {
            let mut encoded = Vec::new();
            encode(&mut encoded, bytes.as_bytes());
            assert_eq!(encoded, text.as_bytes());
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
            assert_eq!(decode(text.trim_end_matches('=')).unwrap(), bytes.as_bytes());
        }
        let all: Vec<u8> = (0..=255).collect();
        let mut encoded = Vec::new();
        encode(&mut encoded, &all);
        let text = String::from_utf8(encoded).unwrap();
        assert_eq!(decode(&text).unwrap(), all);
        assert_eq!(decode(&text.replace('+', "-").replace('/', "_")).unwrap(), all);
        assert_eq!([decode("Z"), decode("Zm9vY"), decode("Z!==")], [None, None, None]);
    }
}
