//! The attributes of one message as they are read: taken by key, and what nobody took goes to the metadata.

use std::{borrow::Cow, collections::BTreeSet, fmt::Write as _, str::FromStr};

use observe_model::Metadata;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    flat,
    protobuf::{Field, Malformed, Reader},
};

/// Why a message's attributes cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Malformed,
    /// Values nested deeper than the limit.
    TooDeep,
    /// More values in the whole body than the limit.
    TooMany,
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What reading attributes may still use up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// Values in the rest of the body.
    pub(crate) values: usize,
    /// Values within values.
    pub(crate) depth: usize,
}

impl Budget {
    pub(crate) fn spend(&mut self, values: usize) -> Result<(), Unreadable> {
        self.values = self.values.checked_sub(values).ok_or(Unreadable::TooMany)?;
        Ok(())
    }
}

/// Values that a map counts for besides its own: memory for eleven entries is taken at once.
pub(super) const MAP: usize = 10;

/// An `AnyValue`; what is inside is not read yet.
#[derive(Debug, Clone, Copy, PartialEq)]
enum AnyValue<'a> {
    Empty,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(&'a [u8]),
    Map(&'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> AnyValue<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut value = Self::Empty;
        let mut fields = Reader::new(message);
        while let Some(field) = fields.next()? {
            value = match field {
                (1, Field::Bytes(text)) => Self::Text(text_of(text)?),
                (2, Field::Varint(n)) => Self::Bool(n != 0),
                (3, Field::Varint(n)) => Self::Int(n as i64),
                (4, Field::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Field::Bytes(array)) => Self::Array(array),
                (6, Field::Bytes(map)) => Self::Map(map),
                (7, Field::Bytes(bytes)) => Self::Bytes(bytes),
                _ => value,
            };
        }
        Ok(value)
    }

    /// A text, or a number written as one, which is how some senders give ids.
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Int(n) => Some(Cow::Owned(n.to_string())),
            _ => None,
        }
    }

    /// The value as JSON, and a text that `looks` like JSON, and is, as what it says.
    fn json_like(self, budget: &mut Budget, looks: impl Fn(&str) -> bool) -> Result<Value, Unreadable> {
        if let Self::Text(text) = self
            && looks(text)
        {
            budget.spend(values_in(text))?;
            return Ok(serde_json::from_str(text).unwrap_or_else(|_| text.into()));
        }
        self.json(budget)
    }

    /// The value as JSON. Bytes become hexadecimal text, numbers that JSON lacks their names.
    fn json(self, budget: &mut Budget) -> Result<Value, Unreadable> {
        Ok(match self {
            Self::Empty => Value::Null,
            Self::Text(text) => Value::String(text.to_owned()),
            Self::Bool(b) => Value::Bool(b),
            Self::Int(n) => n.into(),
            Self::Double(n) => {
                serde_json::Number::from_f64(n).map_or_else(|| n.to_string().into(), Value::Number)
            }
            Self::Bytes(bytes) => Value::String(hex(bytes)),
            Self::Array(array) => nested(budget, |budget| {
                let mut values = Vec::new();
                each(array, |item| {
                    budget.spend(1)?;
                    values.push(Self::read(item)?.json(budget)?);
                    Ok(())
                })?;
                Ok(Value::Array(values))
            })?,
            Self::Map(map) => nested(budget, |budget| {
                budget.spend(MAP)?;
                let mut entries = Metadata::new();
                each(map, |entry| {
                    budget.spend(1)?;
                    let (key, value) = key_value(entry)?;
                    entries.insert(key.to_owned(), value.json(budget)?);
                    Ok(())
                })?;
                Ok(Value::Object(entries))
            })?,
        })
    }
}

/// How many values JSON text may hold: each but the first is led in by one of these bytes.
fn values_in(json: &str) -> usize {
    let count = |byte| match byte {
        b',' | b':' | b'[' => 1,
        b'{' => 1 + MAP,
        _ => 0,
    };
    json.bytes().map(count).sum()
}

/// Runs `read` one level deeper.
fn nested<T>(
    budget: &mut Budget,
    read: impl FnOnce(&mut Budget) -> Result<T, Unreadable>,
) -> Result<T, Unreadable> {
    budget.depth = budget.depth.checked_sub(1).ok_or(Unreadable::TooDeep)?;
    let read = read(budget);
    budget.depth += 1;
    read
}

/// Calls `read` with every element of an `ArrayValue` or `KeyValueList`: their field 1.
fn each<'a>(
    list: &'a [u8],
    mut read: impl FnMut(&'a [u8]) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    let mut fields = Reader::new(list);
    while let Some(field) = fields.next()? {
        if let (1, Field::Bytes(element)) = field {
            read(element)?;
        }
    }
    Ok(())
}

/// A `KeyValue`.
fn key_value(message: &[u8]) -> Result<(&str, AnyValue<'_>), Malformed> {
    let (mut key, mut value) = ("", AnyValue::Empty);
    let mut fields = Reader::new(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(text)) => key = text_of(text)?,
            (2, Field::Bytes(message)) => value = AnyValue::read(message)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// A protobuf `string`.
pub(crate) fn text_of(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The attributes of one message. Of several keys for one thing the first that is there is taken.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    entries: Vec<(&'a str, AnyValue<'a>)>,
    budget: &'a mut Budget,
}

impl<'a> Attributes<'a> {
    /// Every field `number` of `message`.
    pub(crate) fn read(message: &'a [u8], number: u8, budget: &'a mut Budget) -> Result<Self, Unreadable> {
        let mut entries = Vec::new();
        let mut fields = Reader::new(message);
        while let Some((n, field)) = fields.next()? {
            if let (true, Field::Bytes(entry)) = (n == u64::from(number), field) {
                budget.spend(1)?;
                entries.push(key_value(entry)?);
            }
        }
        Ok(Self { entries, budget })
    }

    /// Whether `key` is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(k, _)| *k == key)
    }

    /// Whether a key begins with `prefix`.
    pub(crate) fn has_any(&self, prefix: &str) -> bool {
        self.entries.iter().any(|(key, _)| key.starts_with(prefix))
    }

    /// Whether there is a key that `is_one`.
    pub(crate) fn any(&self, is_one: impl Fn(&str) -> bool) -> bool {
        self.entries.iter().any(|(key, _)| is_one(key))
    }

    /// Takes the first of `keys` whose value `read` accepts; another value stays.
    fn take<T>(&mut self, keys: &[&str], read: impl Fn(AnyValue<'a>) -> Option<T>) -> Option<T> {
        keys.iter().find_map(|key| {
            let at = self.entries.iter().position(|(k, _)| k == key)?;
            let read = read(self.entries.get(at)?.1)?;
            self.entries.swap_remove(at);
            Some(read)
        })
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, keys: &[&str]) -> Option<String> {
        self.take(keys, |value| value.text().map(Cow::into_owned))
    }

    /// Takes a text that `read` understands.
    pub(crate) fn text_like<T>(&mut self, key: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.take(&[key], |value| read(&value.text()?))
    }

    /// Takes the name of something.
    pub(crate) fn parsed<T: FromStr>(&mut self, key: &str) -> Option<T> {
        self.text_like(key, |text| text.parse().ok())
    }

    /// Takes a number that is not negative.
    pub(crate) fn count(&mut self, keys: &[&str]) -> Option<u64> {
        self.take(keys, |value| match value {
            AnyValue::Int(n) => n.try_into().ok(),
            _ => None,
        })
    }

    /// Takes a finite number.
    pub(crate) fn double(&mut self, keys: &[&str]) -> Option<f64> {
        self.take(keys, |value| match value {
            AnyValue::Double(n) if n.is_finite() => Some(n),
            AnyValue::Int(n) => Some(n as f64),
            _ => None,
        })
    }

    /// Takes a list of texts, none twice; if it is something else it stays.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>, Unreadable> {
        let Some(at) = self.entries.iter().position(|(k, _)| *k == key) else { return Ok(Vec::new()) };
        let AnyValue::Array(array) = self.entries[at].1 else { return Ok(Vec::new()) };
        let (mut texts, mut seen) = (Vec::new(), BTreeSet::new());
        let mut all_texts = true;
        each(array, |item| {
            self.budget.spend(1)?;
            match AnyValue::read(item)? {
                AnyValue::Text(text) if seen.insert(text) => texts.push(text.to_owned()),
                AnyValue::Text(_) => {}
                _ => all_texts = false,
            }
            Ok(())
        })?;
        if !all_texts {
            return Ok(Vec::new());
        }
        self.entries.swap_remove(at);
        Ok(texts)
    }

    /// Takes a list of texts as it is; anything else stays.
    pub(crate) fn all_texts(&mut self, key: &str) -> Result<Vec<String>, Unreadable> {
        let list = self.take(&[key], |value| match value {
            AnyValue::Array(array) => Some(array),
            _ => None,
        });
        let mut texts = Vec::new();
        each(list.unwrap_or_default(), |item| {
            self.budget.spend(1)?;
            texts.extend(AnyValue::read(item)?.text().map(Cow::into_owned));
            Ok(())
        })?;
        Ok(texts)
    }

    /// Takes true or false.
    pub(crate) fn bool(&mut self, key: &str) -> Option<bool> {
        self.take(&[key], |value| match value {
            AnyValue::Bool(value) => Some(value),
            _ => None,
        })
    }

    /// Takes the text of a JSON object; any other text stays.
    pub(crate) fn object(&mut self, key: &str) -> Result<Option<Metadata>, Unreadable> {
        self.json_text(key)
    }

    /// Takes JSON text that says a `T`; any other text stays.
    pub(crate) fn json_text<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Unreadable> {
        let Some(at) = self.entries.iter().position(|(k, _)| *k == key) else { return Ok(None) };
        let AnyValue::Text(text) = self.entries[at].1 else { return Ok(None) };
        self.budget.spend(values_in(text))?;
        let value = serde_json::from_str(text).ok();
        if value.is_some() {
            self.entries.swap_remove(at);
        }
        Ok(value)
    }

    /// Takes a value of any type as JSON.
    pub(crate) fn json(&mut self, keys: &[&str]) -> Result<Option<Value>, Unreadable> {
        self.take(keys, Some).map(|value| value.json(self.budget)).transpose()
    }

    /// Takes `key` as JSON, and a text that `looks` like JSON as what it says.
    pub(crate) fn value(
        &mut self,
        key: &str,
        looks: impl Fn(&str) -> bool,
    ) -> Result<Option<Value>, Unreadable> {
        self.take(&[key], Some).map(|value| value.json_like(self.budget, looks)).transpose()
    }

    /// Takes every key that begins with `prefix`, by the rest of it, as [`value`](Self::value) does.
    pub(crate) fn entries(
        &mut self,
        prefix: &str,
        looks: impl Fn(&str) -> bool,
    ) -> Result<Metadata, Unreadable> {
        let mut entries = Metadata::new();
        for (key, value) in self.entries.extract_if(.., |(key, _)| key.starts_with(prefix)) {
            let key = key.get(prefix.len()..).unwrap_or_default();
            entries.insert(key.to_owned(), value.json_like(self.budget, &looks)?);
        }
        Ok(entries)
    }

    /// Takes a list whose elements stand under their numbers after `prefix`, each leaf of them by itself.
    pub(crate) fn list(&mut self, prefix: &str) -> Result<Option<Value>, Unreadable> {
        let is_element = |key: &str| {
            let number = key.strip_prefix(prefix).and_then(|rest| rest.split('.').next());
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let mut leaves = Metadata::new();
        for (key, value) in self.entries.extract_if(.., |(key, _)| is_element(key)) {
            let key = key.get(prefix.len()..).unwrap_or_default();
            leaves.insert(key.to_owned(), value.json(self.budget)?);
        }
        if leaves.is_empty() {
            return Ok(None);
        }
        flat::nest(leaves, self.budget).map(Some)
    }

    /// Takes `key` and says nothing of it.
    pub(crate) fn forget(&mut self, key: &str) {
        self.entries.retain(|(k, _)| *k != key);
    }

    /// Takes every key that begins with `prefix` and says nothing of them.
    pub(crate) fn forget_any(&mut self, prefix: &str) {
        self.entries.retain(|(key, _)| !key.starts_with(prefix));
    }

    /// Adds everything that nobody took to `metadata`, where it does not stand in the way of what is there.
    pub(crate) fn rest_into(self, metadata: &mut Metadata) -> Result<(), Unreadable> {
        for (key, value) in self.entries {
            if !metadata.contains_key(key) {
                metadata.insert(key.to_owned(), value.json(self.budget)?);
            }
        }
        Ok(())
    }
}
