//! Single fields of an input, said one by one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer, de};
use serde_json::value::RawValue;

/// The members of a JSON object, in its order, each value the text that it was.
#[derive(Default)]
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> de::Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some((key, value)) = map.next_entry::<String, _>()? {
                    fields.set(key.into(), value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

impl<'a> Fields<'a> {
    fn set(&mut self, key: Cow<'a, str>, value: &'a RawValue) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => self.0.push((key, value)),
        }
    }
}

/// The JSON object `fields` laid over the input that there is. One that is no object stays, under `input`.
pub(super) fn laid_over<'a>(input: Option<Cow<'a, str>>, fields: &str) -> Option<Cow<'a, str>> {
    let Ok(said) = serde_json::from_str::<Fields<'_>>(fields) else { return input };
    let before = input.as_deref().unwrap_or("{}");
    let mut all = match serde_json::from_str::<Fields<'_>>(before) {
        Ok(there) => there,
        Err(_) => {
            let mut all = Fields::default();
            if let Ok(there) = serde_json::from_str(before) {
                all.set("input".into(), there);
            }
            all
        }
    };
    for (key, value) in said.0 {
        all.set(key, value);
    }
    serde_json::to_string(&all).ok().map(Cow::Owned).or(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(input: Option<&str>, fields: &str) -> String {
        laid_over(input.map(Cow::Borrowed), fields).unwrap().into_owned()
    }

    #[test]
    fn a_field_joins_those_that_are_there_in_their_order() {
        assert_eq!(laid(Some(r#"{"z":1.10,"a":[]}"#), r#"{"b":2}"#), r#"{"z":1.10,"a":[],"b":2}"#);
        assert_eq!(laid(Some(r#"{"z":1,"a":2}"#), r#"{"z":3}"#), r#"{"z":3,"a":2}"#);
        assert_eq!(laid(None, r#"{"b":2}"#), r#"{"b":2}"#);
    }

    #[test]
    fn an_input_that_is_no_object_stays() {
        assert_eq!(laid(Some("[1]"), r#"{"b":2}"#), r#"{"input":[1],"b":2}"#);
        assert_eq!(laid(Some("[1]"), "no object"), "[1]");
    }
}
