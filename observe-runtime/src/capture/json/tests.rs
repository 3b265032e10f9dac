//! The serializer against `serde_json`, and what it does on purpose otherwise.

use std::{cell::Cell, collections::BTreeMap, fmt};

use proptest::prelude::*;
use serde::{Serialize, Serializer, ser::SerializeMap, ser::SerializeSeq};
use serde_json::{Value, value::RawValue};

use self::any::any_value;
use observe_wire::journal::render::render;

use super::*;
use crate::journal::SHORT;

mod any;
mod limits;

/// A chunk: lends its room until it is full.
struct Chunk {
    bytes: Vec<u8>,
    /// What is below it may be written at once.
    clear: usize,
    full: bool,
}

impl Chunk {
    fn of(size: usize, limits: Limits) -> Self {
        let clear = size.min(limits.bytes).saturating_sub(SHORT);
        Chunk { bytes: vec![0xEE; size], clear, full: false }
    }
}

impl Sink for &mut Chunk {
    fn is_clear(&self, at: usize) -> bool {
        at < self.clear && !self.full
    }
    fn fill(&mut self, at: usize, n: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        assert!(n <= SHORT);
        self.is_clear(at) && write(&mut self.bytes[at..at + n])
    }
    fn put_padded<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> bool {
        self.fill(at, N, |room| {
            room.copy_from_slice(&bytes);
            true
        })
    }
    fn put(&mut self, at: usize, bytes: &[u8]) -> usize {
        let end = at + bytes.len();
        match self.bytes.get_mut(at..end).filter(|_| !self.full) {
            Some(room) => room.copy_from_slice(bytes),
            None => {
                self.full = true;
                return at;
            }
        }
        end
    }
    fn is_full(&self) -> bool {
        self.full
    }
}

const OPEN: Limits = Limits { bytes: usize::MAX, depth: 64, redact: false };

/// What is captured: the same bytes whether the sink lends its room or not.
fn captured<T: Serialize + ?Sized>(value: &T, limits: Limits) -> (Vec<u8>, Outcome) {
    let (mut chunk, mut appended) = (Chunk::of(1 << 16, limits), b"before".to_vec());
    let (len, outcome) = capture(value, &mut chunk, 0, limits);
    assert_eq!(capture(value, &mut appended, 6, limits), (6 + len, outcome));
    assert!(!chunk.full);
    assert_eq!(&appended[..6], b"before");
    assert_eq!(chunk.bytes[..len], appended[6..]);
    (appended.split_off(6), outcome)
}

fn json<T: Serialize + ?Sized>(value: &T, limits: Limits) -> (String, Outcome) {
    let (bytes, outcome) = captured(value, limits);
    assert_eq!(outcome.raw, bytes.contains(&RAW));
    let json = render(&bytes).into_owned();
    assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "not JSON: {json}");
    (json, outcome)
}

#[track_caller]
fn same<T: Serialize + ?Sized>(value: &T) {
    assert_eq!(json(value, OPEN), (serde_json::to_string(value).unwrap(), json(value, OPEN).1));
    assert!(json(value, OPEN).1.cut.is_none() && !json(value, OPEN).1.failed);
}

fn capped(bytes: usize) -> Limits {
    Limits { bytes, ..Limits::default() }
}

fn levels(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(levels).max().unwrap_or(0),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_kind_of_value_comes_out_as_serde_json_writes_it(value in any_value()) {
        let (json, outcome) = json(&value, OPEN);
        match serde_json::to_string(&value) {
            Ok(expected) => prop_assert_eq!((json, outcome.failed, outcome.cut), (expected, false, None)),
            Err(_) => prop_assert!(outcome.failed),
        }
    }

    #[test]
    fn a_capped_value_is_json_and_little_longer_than_the_cap(value in any_value(), bytes in 0..300usize, depth in 0..6u32) {
        let limits = Limits { bytes, depth, redact: true };
        let (bytes_there, outcome) = captured(&value, limits);
        let json: Value = serde_json::from_str(&render(&bytes_there)).unwrap();
        if !outcome.failed {
            prop_assert!(bytes_there.len() <= bytes + 128 + 40 * levels(&json), "{} bytes", bytes_there.len());
            prop_assert!(levels(&json) <= depth as usize);
        }
    }

    #[test]
    fn strings_come_out_as_serde_json_writes_them(text in any::<String>(), clean in "[ -!#-\\[\\]-~]{0,40}") {
        same(&text);
        same(&clean);
        same(&format!("{clean}{text}{clean}"));
    }

    #[test]
    fn integers_and_floats_come_out_as_serde_json_writes_them(
        wide in any::<u64>(), shift in 0..64u32, signed in any::<i128>(), float in any::<f64>(), narrow in any::<f32>(),
    ) {
        let short = wide >> shift;
        same(&(short, short as i64, -(short as i64 / 2), short as i8, short as u8, signed, signed as u128, float, narrow));
    }
}

#[test]
fn strings_of_every_length_and_with_every_special_character_are_right() {
    for len in (0..40).chain(250..260).chain([1000]) {
        same(&"x".repeat(len));
        same(&"é".repeat(len));
        for at in [0, len / 2, len.saturating_sub(1)].into_iter().filter(|at| *at < len) {
            for special in (0..=0x20).chain([b'"', b'\\', 0x7F]) {
                let mut bytes = vec![b'a'; len];
                bytes[at] = special;
                same(&String::from_utf8(bytes).unwrap());
            }
        }
    }
}

#[test]
fn integers_at_the_edges_of_their_digits_are_right() {
    let edges =
        (0..20).map(|power| 10u64.pow(power)).flat_map(|ten| [ten - 1, ten, ten + 1, ten / 10 * 9 + 7]);
    same(&edges.chain([u64::MAX, u64::MAX - 1]).collect::<Vec<_>>());
    same(&(
        i64::MIN,
        i64::MAX,
        i128::MIN,
        u128::MAX,
        i8::MIN,
        f64::MIN_POSITIVE,
        f64::NAN,
        f32::INFINITY,
        -0.0,
    ));
}

#[test]
fn every_representation_of_an_enum_is_as_serde_json_writes_it() {
    macro_rules! represented {
        ($($name:ident $(#[$serde:meta])?;)*) => {$({
            #[derive(Serialize)]
            $(#[$serde])?
            enum $name { Unit, New(BTreeMap<String, u8>), Named { a: u8, b: Option<&'static str> } }
            same(&[$name::Unit, $name::New(BTreeMap::from([("k".to_owned(), 1)])), $name::Named { a: 1, b: None }]);
        })*};
    }
    represented! {
        External;
        Internal #[serde(tag = "t")];
        Adjacent #[serde(tag = "t", content = "c")];
        Untagged #[serde(untagged)];
    }
}

#[test]
fn flattened_skipped_and_raw_fields_are_as_serde_json_writes_them() {
    #[derive(Serialize)]
    struct Inner {
        x: u8,
        y: Vec<u8>,
    }
    #[derive(Serialize)]
    struct Outer<'a> {
        id: u64,
        #[serde(flatten)]
        inner: Inner,
        #[serde(flatten)]
        rest: BTreeMap<&'a str, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        gone: Option<u8>,
        raw: &'a RawValue,
        borrowed: &'a [u8],
    }
    let raw = RawValue::from_string("{ \"as\" : [1e2,\n \"it is\"] }".to_owned()).unwrap();
    same(&Outer {
        id: 7,
        inner: Inner { x: 1, y: vec![2, 3] },
        rest: BTreeMap::from([("more", serde_json::json!({"a": [null, 1.5, "b"]}))]),
        gone: None,
        raw: &raw,
        borrowed: b"bytes",
    });
}

/// A struct as `serde_json` makes one for a number of arbitrary precision.
struct Magic(&'static str, &'static str);

impl Serialize for Magic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct(self.0, 1)?;
        fields.serialize_field(self.0, self.1)?;
        fields.end()
    }
}

#[test]
fn a_number_given_as_text_is_passed_on() {
    let digits = "123456789012345678901234567890.5";
    assert_eq!(json(&[Magic("$serde_json::private::Number", digits)], OPEN).0, format!("[{digits}]"));
    let (cut, outcome) = json(&[Magic("$serde_json::private::Number", digits)], capped(10));
    assert_eq!((&*cut, outcome.cut), (r#"["$cut: 32 bytes"]"#, Some(Cut::Size)));
}

#[test]
fn raw_json_cannot_pass_itself_off_as_a_raw_segment() {
    assert!(json(&Magic("$serde_json::private::RawValue", "\u{1}\u{ff}"), OPEN).1.failed);
    assert!(json(&Magic("$serde_json::private::RawValue", ""), OPEN).1.failed);
}

/// Fails, after it has written a little.
struct Failing<'a>(&'a str);

impl Serialize for Failing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(2))?;
        seq.serialize_element("half")?;
        Err(serde::ser::Error::custom(self.0))
    }
}

fn failure(value: &impl Serialize) -> String {
    let (json, outcome) = json(value, Limits::default());
    assert_eq!(outcome, Outcome { failed: true, ..Outcome::default() });
    let json: BTreeMap<String, String> = serde_json::from_str(&json).unwrap();
    json["$error"].clone()
}

#[test]
fn a_failing_value_leaves_its_message() {
    assert_eq!(failure(&Failing("no \"luck\"\u{1}")), "no \"luck\"\u{1}");
    assert_eq!(failure(&vec![Some(("x".repeat(300), Failing("inside")))]), "inside");
    assert_eq!(failure(&Failing(&"é".repeat(150))), "é".repeat(100));
    assert_eq!(failure(&BTreeMap::from([(vec![1], 2)])), "key must be a string");
    assert_eq!(failure(&BTreeMap::from([((), 2)])), "key must be a string");

    struct NoText;
    impl fmt::Display for NoText {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    struct Collected;
    impl Serialize for Collected {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(&NoText)
        }
    }
    assert_eq!(failure(&Collected), "its Display failed");
}

#[test]
fn a_failure_that_is_swallowed_fails_the_value() {
    struct Careless<'a>(&'a dyn Fn() -> u8);
    impl Serialize for Careless<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            let _ = seq.serialize_element(&Failing("swallowed"));
            seq.serialize_element(&(self.0)())?;
            seq.end()
        }
    }
    assert_eq!(failure(&Careless(&|| 1)), "swallowed");
}

#[test]
fn a_cut_that_is_swallowed_or_reworded_stays_a_cut() {
    struct Stubborn(bool);
    impl Serialize for Stubborn {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(Some(9))?;
            for element in 0..9 {
                if let Err(error) = seq.serialize_element(&element)
                    && self.0
                {
                    return Err(serde::ser::Error::custom(format!("element {element}: {error}")));
                }
            }
            seq.end()
        }
    }
    for reworded in [true, false] {
        let (json, outcome) = json(&(Stubborn(reworded), 1), capped(6));
        assert_eq!((&*json, outcome.cut), (r#"[[0,1,2,"$cut: 6 more"],"$cut: 1 more"]"#, Some(Cut::Size)));
    }
}

#[test]
fn a_failure_right_after_a_cut_is_a_failure() {
    /// Whether the inner sequence swallows its cut.
    struct Inner(bool);
    impl Serialize for Inner {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut seq = serializer.serialize_seq(None)?;
            for element in 0..9 {
                let cut = seq.serialize_element(&element);
                if !self.0 {
                    cut?;
                }
            }
            seq.end()
        }
    }
    struct Outer(bool);
    impl Serialize for Outer {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_seq(None)?.serialize_element(&Inner(self.0))?;
            Err(serde::ser::Error::custom("after the cut"))
        }
    }
    for swallowed in [true, false] {
        for limits in [capped(6), Limits { depth: 2, ..OPEN }] {
            let (json, outcome) = json(&[Outer(swallowed)], limits);
            assert_eq!((&*json, outcome.failed), (r#"{"$error":"after the cut"}"#, true));
        }
    }
}

#[test]
fn a_map_that_forgets_a_key_or_a_value_fails() {
    struct Forgetful(u8);
    impl Serialize for Forgetful {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            if self.0 != 0 {
                map.serialize_key("key")?;
            }
            match self.0 {
                0 => map.serialize_value(&1)?,
                1 => map.serialize_key("another")?,
                _ => {}
            }
            map.end()
        }
    }
    for way in 0..3 {
        assert!(failure(&Forgetful(way)).contains("key"));
    }
}

#[test]
fn a_panic_leaves_nothing_behind_but_half_a_value() {
    struct Panicking;
    impl Serialize for Panicking {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            std::panic::resume_unwind(Box::new("on purpose"))
        }
    }
    let limits = Limits { depth: 2, ..Limits::default() };
    let mut chunk = Chunk::of(1000, limits);
    let mut writer = Writer::new(&mut chunk, limits);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        writer.one(3, |at| at.value(&[Some(("half", Panicking))]))
    }));
    assert!(caught.is_err());
    writer.reset();
    let written = writer.one(3, |at| at.value(&[["next"]]));
    assert_eq!(written, (3 + 10, Outcome::default()), "as deep as before");
    assert_eq!(&chunk.bytes[3..13], br#"[["next"]]"#);
}

#[test]
fn secrets_are_not_asked_for_their_content() {
    struct Unasked;
    impl Serialize for Unasked {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("asked")
        }
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Key {
        ApiKey,
        Model,
    }
    #[derive(Serialize)]
    enum Credential {
        Password(Unasked),
        #[allow(dead_code)]
        ApiKey(u8, Unasked),
        Token(&'static str),
    }
    #[derive(Serialize)]
    #[allow(non_snake_case)]
    struct Request<'a> {
        model: &'a str,
        max_tokens: u32,
        apiKey: Unasked,
        headers: BTreeMap<&'a str, Option<Unasked>>,
        keyed: BTreeMap<Key, u8>,
        credentials: (),
        held: [Credential; 2],
        last: u8,
    }
    let request = Request {
        model: "m",
        max_tokens: 5,
        apiKey: Unasked,
        headers: BTreeMap::from([("Authorization", Some(Unasked)), ("accept", None)]),
        keyed: BTreeMap::from([(Key::ApiKey, 1), (Key::Model, 2)]),
        credentials: (),
        held: [Credential::Password(Unasked), Credential::Token("streamed")],
        last: 1,
    };
    let expected = r#"{"model":"m","max_tokens":5,"apiKey":"[redacted]","headers":{"Authorization":"[redacted]","accept":null},"keyed":{"ApiKey":"[redacted]","Model":2},"credentials":"[redacted]","held":[{"Password":"[redacted]"},{"Token":"streamed"}],"last":1}"#;
    let (json, outcome) = json(&request, Limits::default());
    assert_eq!((&*json, outcome), (expected, Outcome::default()));
    let variant = Credential::ApiKey(1, Unasked);
    assert_eq!(
        self::json(&[variant], Limits::default()),
        (r#"[{"ApiKey":"[redacted]"}]"#.to_owned(), Outcome::default())
    );
}

#[test]
fn redaction_can_be_turned_off() {
    same(&BTreeMap::from([("password", "visible"), ("token", "too")]));
}

#[test]
fn names_that_are_long_or_need_escaping_are_right() {
    #[derive(Serialize)]
    struct Odd {
        #[serde(rename = "quo\"te\n")]
        quoted: u8,
        #[serde(
            rename = "a_name_of_more_than_two_hundred_and_fifty_six_bytes_a_name_of_more_than_two_hundred_and_fifty_six_bytes_a_name_of_more_than_two_hundred_and_fifty_six_bytes_a_name_of_more_than_two_hundred_and_fifty_six_bytes_a_name_of_more_than_two_hundred_and_fifty_six_bytes"
        )]
        long: u8,
        #[serde(rename = "")]
        empty: u8,
    }
    same(&Odd { quoted: 1, long: 2, empty: 3 });
}
