//! Page cursors: the sort key of the last row, as hexadecimal JSON, so that they pass through an address unescaped.

use std::fmt::Write;

use serde::{Serialize, de::DeserializeOwned};

use crate::Error;

/// The cursor that stands behind the row with this key.
pub(super) fn encode(key: &impl Serialize) -> String {
    // A tuple of numbers and texts cannot fail to be JSON; an empty cursor would be refused when it comes back.
    let json = serde_json::to_vec(key).unwrap_or_default();
    json.iter().fold(String::with_capacity(json.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The key that a cursor stands for.
pub(super) fn decode<K: DeserializeOwned>(cursor: &str) -> Result<K, Error> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    let json: Option<Vec<u8>> = cursor.as_bytes().chunks(2).map(byte).collect();
    json.and_then(|json| serde_json::from_slice(&json).ok()).ok_or(Error::Cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let key = (i64::MAX, "pro\"ject".to_owned(), "s\u{e9}\0".to_owned());
        assert_eq!(decode::<(i64, String, String)>(&encode(&key)).unwrap(), key);
    }

    #[test]
    fn anything_else_is_refused() {
        let of_another_list = encode(&(1, "a"));
        for bad in ["", "5", "zz", "\u{e9}\u{e9}", "5b5d", &of_another_list] {
            assert!(matches!(decode::<(i64, String, String)>(bad), Err(Error::Cursor)), "{bad:?}");
        }
    }
}
