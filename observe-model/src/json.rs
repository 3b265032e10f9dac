//! JSON as it was recorded.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The text of a JSON value: what a program recorded, with its order of keys and every digit of its numbers.
///
/// Serialises as the value that it is; it can be read from JSON alone.
///
/// ```
/// use observe_model::Json;
/// assert_eq!(Json::of(&[1, 2]).as_str(), "[1,2]");
/// assert_eq!(serde_json::to_string(&Json::from_text("{\"b\": 1.50}")).unwrap(), "{\"b\": 1.50}");
/// assert_eq!(Json::from_text("no JSON").as_str(), "\"no JSON\"");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// This text, without the blanks around it; as a JSON string if it is not JSON.
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) if raw.get().len() == text.len() => Self(text),
            Ok(raw) => Self(raw.get().to_owned()),
            Err(_) => Self::of(&text),
        }
    }

    /// `value` as JSON; `null` if it cannot be.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        serde_json::to_string(value).map_or_else(|_| Self::default(), Self)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `null`.
impl Default for Json {
    fn default() -> Self {
        Self("null".to_owned())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(String::from(Box::<str>::from(raw))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_stays_to_the_digit_and_however_deep() {
        for text in ["{\"b\":1,\"a\":340282366920938463463374607431768211455}", "1.10", "\"\\u0041\"", "null"]
        {
            let json: Json = serde_json::from_str(text).unwrap();
            assert_eq!((json.as_str(), serde_json::to_string(&json).unwrap()), (text, text.to_owned()));
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(Json::from_text(deep.clone()).as_str(), deep);
    }
}
