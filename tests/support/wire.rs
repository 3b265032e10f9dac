//! What a platform's own client sent, beside what we send for the same.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::recorder::Request;

/// A request of the platform's own client, as it was recorded.
#[derive(Deserialize)]
pub struct Recorded {
    pub line: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub answer: Value,
}

impl Recorded {
    /// The body; where it is none, as Python's NaN, its nearest.
    fn json(&self) -> Value {
        serde_json::from_str(&self.body.replace(": NaN", ": null")).unwrap()
    }
}

pub fn recorded(text: &str) -> Vec<Recorded> {
    serde_json::from_str(text).unwrap()
}

/// Compares our requests with those of the platform's client, each with the one whose number stands at its place; gives what
/// is different, as `path field: theirs, ours`, each once. Ids, times and durations are compared by their form.
pub fn differences(ours: &[Request], theirs: &[Recorded], pairs: &[Option<usize>]) -> BTreeSet<String> {
    assert_eq!(ours.len(), pairs.len(), "{:#?}", ours.iter().map(Request::line).collect::<Vec<_>>());
    let mut found = BTreeSet::new();
    let paired: BTreeSet<_> = pairs.iter().flatten().copied().collect();
    for (n, request) in theirs.iter().enumerate().filter(|(n, _)| !paired.contains(n)) {
        found.insert(format!("{} {n}: theirs alone", path(&request.line)));
    }
    for (request, at) in ours.iter().zip(pairs) {
        let path = path(&request.line());
        let Some(recorded) = at.map(|at| &theirs[at]) else {
            found.insert(format!("{path} {}: ours alone", told(&request.json())));
            continue;
        };
        assert_eq!(path, self::path(&recorded.line), "{request:?}");
        headers(request, recorded, &mut found);
        compare(&path, &recorded.json(), &request.json(), &mut found);
        let [mut ours, mut theirs] = [&request.body[..], recorded.body.as_bytes()].map(keys);
        // Those of values are the program's own.
        let lists = |key: &str| key.starts_with("spans.") || key.starts_with("llm_steps.");
        ours.retain(|key| key.split('.').count() == 1 + usize::from(lists(key)));
        let both: BTreeSet<_> = ours.iter().filter(|key| theirs.contains(key)).cloned().collect();
        ours.retain(|key| both.contains(key));
        theirs.retain(|key| both.contains(key));
        assert_eq!(ours, theirs, "the order of keys: {path}");
    }
    found
}

/// The line without ids: `POST /agents/traces/*/spans`.
fn path(line: &str) -> String {
    let parts: Vec<_> = line.split('/').collect();
    match parts[..] {
        [method, "agents", "traces", _, what] => format!("{method}/agents/traces/*/{what}"),
        _ => line.to_owned(),
    }
}

/// What tells an unpaired request from others.
fn told(body: &Value) -> String {
    let span = body["spans"].get(0).unwrap_or(body);
    let words = ["name", "type", "status"].iter().filter_map(|key| span[*key].as_str());
    words.collect::<Vec<_>>().join(" ")
}

fn headers(ours: &Request, theirs: &Recorded, found: &mut BTreeSet<String>) {
    let theirs: BTreeMap<_, _> =
        theirs.headers.iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let names: BTreeSet<_> = theirs.keys().chain(ours.headers.keys()).collect();
    let passing = ["host", "content-length", "connection"];
    for name in names.into_iter().filter(|name| !passing.contains(&name.as_str())) {
        let (theirs, ours) = (theirs.get(name).map(|v| v.as_str()), ours.header(name));
        if theirs != ours {
            let shown = |value: Option<&str>| value.unwrap_or("nothing").to_owned();
            found.insert(format!("{name}: {}, {}", shown(theirs), shown(ours)));
        }
    }
}

fn compare(at: &str, theirs: &Value, ours: &Value, found: &mut BTreeSet<String>) {
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            let names: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
            for name in names {
                let value = |of: &Map<String, Value>| of.get(name).cloned();
                match (value(theirs), value(ours)) {
                    (Some(theirs), Some(ours)) => compare(&format!("{at} {name}"), &theirs, &ours, found),
                    (theirs, ours) => {
                        found.insert(format!("{at} {name}: {}, {}", shown(theirs), shown(ours)));
                    }
                }
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            theirs.iter().zip(ours).for_each(|(theirs, ours)| compare(at, theirs, ours, found));
        }
        (Value::Number(theirs), Value::Number(ours))
            if at.ends_with("_ms") && theirs.is_u64() && ours.is_u64() => {}
        _ if form(theirs) == form(ours) => {}
        _ => {
            found.insert(format!("{at}: {}, {}", shown(Some(theirs.clone())), shown(Some(ours.clone()))));
        }
    }
}

fn shown(value: Option<Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| form(&value))
}

/// A value with times, ids and durations as what they are.
fn form(value: &Value) -> String {
    let text = value.to_string();
    let Some(word) = value.as_str() else { return text };
    let is =
        |length: usize, takes: fn(&char) -> bool| word.len() == length && word.chars().all(|c| takes(&c));
    let digits: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let hex = |c: &char| c.is_ascii_hexdigit();
    match &*digits {
        "0000-00-00T00:00:00.000000Z" | "0000-00-00T00:00:00.000000+00:00" => digits,
        _ if is(28, |c| c.is_ascii_alphanumeric() || "-_".contains(*c)) && word.starts_with("trace_") => {
            "trace_ and 22 characters".to_owned()
        }
        _ if is(36, |c| c.is_ascii_hexdigit() || *c == '-') && word.split('-').count() == 5 => {
            "a UUID".to_owned()
        }
        _ if word.len() == 32 && word.chars().all(|c| hex(&c)) => "32 digits".to_owned(),
        _ if word.len() == 16 && word.chars().all(|c| hex(&c)) => "16 digits".to_owned(),
        _ => text,
    }
}

/// The keys of an object and of those inside it, in their order.
fn keys(body: &[u8]) -> Vec<String> {
    struct Keys(Vec<String>);
    impl<'de> Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visit;
            impl<'de> serde::de::Visitor<'de> for Visit {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("JSON")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some((key, inside)) = map.next_entry::<String, Keys>()? {
                        keys.extend(inside.0.into_iter().map(|inside| format!("{key}.{inside}")));
                        keys.push(key);
                    }
                    Ok(Keys(keys))
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Keys, A::Error> {
                    let mut keys = Vec::new();
                    while let Some(item) = items.next_element::<Keys>()? {
                        keys.extend(item.0);
                    }
                    Ok(Keys(keys))
                }
                fn visit_str<E>(self, _: &str) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_f64<E>(self, _: f64) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_u64<E>(self, _: u64) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_i64<E>(self, _: i64) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_bool<E>(self, _: bool) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
                fn visit_unit<E>(self) -> Result<Keys, E> {
                    Ok(Keys(Vec::new()))
                }
            }
            deserializer.deserialize_any(Visit)
        }
    }
    let text = String::from_utf8_lossy(body).replace(": NaN", ": null");
    serde_json::from_str::<Keys>(&text).unwrap().0
}
