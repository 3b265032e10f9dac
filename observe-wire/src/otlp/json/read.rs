//! JSON to protobuf, in one pass and without a tree of values.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Kind, Known, Message, REQUEST, base64};
use crate::{
    journal::lenient,
    otlp::{
        decoder::{DecodeError, Decoded, Limits, decode},
        protobuf::{PADDED, patch_length, put_bytes, put_varint},
    },
};

/// Reads the body of an OTLP/HTTP export request in JSON, within `limits`: what [`decode`] gives for the
/// same request in protobuf.
///
/// Read beyond what the specification demands: enums by their names, 64-bit integers as numbers, and halves of surrogate
/// pairs, as JavaScript writes them, which become U+FFFD.
///
/// # Errors
/// If the body exceeds `limits`, or is not JSON, or has something else where a resource or scope should be. A fault inside
/// of one span rejects that span alone.
///
/// ```
/// let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
///     "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"retrieve"}]}]}]}"#;
/// let decoded = observe_wire::decode_json(body, &Default::default())?;
/// assert_eq!(decoded.resources[0].spans[0].name, "retrieve");
/// # Ok::<(), observe_wire::DecodeError>(())
/// ```
pub fn decode_json(body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    if body.len() > limits.bytes {
        return Err(DecodeError::TooLarge { limit: limits.bytes });
    }
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Malformed)?;
    let protobuf = to_protobuf(text, limits.depth)
        .or_else(|| to_protobuf(&lenient::mended(text)?, limits.depth))
        .ok_or(DecodeError::Malformed)?;
    // Its size is that of the body, twice at the most, which was within the limit.
    decode(&protobuf, &Limits { bytes: usize::MAX, ..*limits })
}

/// `None` if it is not JSON, or not a request.
fn to_protobuf(text: &str, depth: usize) -> Option<Vec<u8>> {
    let mut out = Out { bytes: Vec::with_capacity(text.len() / 2), is_faulty: false };
    let mut json = serde_json::Deserializer::from_str(text);
    // As deep as the table of messages and `depth`, and no deeper: the rest is skipped, which takes no stack.
    json.disable_recursion_limit();
    let request = Value { out: &mut out, number: None, kind: Kind::One(&REQUEST), is_span: false, depth };
    request.deserialize(&mut json).ok()?;
    json.end().ok()?;
    (!out.is_faulty).then_some(out.bytes)
}

struct Out {
    bytes: Vec<u8>,
    /// Whether something stood where it does not belong.
    is_faulty: bool,
}

impl Out {
    fn put_tag(&mut self, number: u8, wire_type: u64) {
        put_varint(&mut self.bytes, u64::from(number) << 3 | wire_type);
    }
}

/// What stands under a name, or in a list under it.
struct Value<'o> {
    out: &'o mut Out,
    /// `None` for the request itself, which stands under no name.
    number: Option<u8>,
    kind: Kind,
    /// Whether it is a span, in which a fault costs it alone.
    is_span: bool,
    /// Lists and maps that a value inside may still have around it.
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of an OTLP request")
    }

    /// `null` is how some senders say nothing.
    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.is_faulty |= self.number.is_none();
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.scalar(&Scalar::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.scalar(&Scalar::Whole(value.into()));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.scalar(&Scalar::Whole(value.into()));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.scalar(&Scalar::Double(value));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.scalar(&Scalar::Text(text));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (of, depth) = match self.kind {
            Kind::One(of) => (of, Some(self.depth)),
            Kind::Nested(of) => (of, self.depth.checked_sub(1)),
            _ => {
                self.out.is_faulty = true;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(());
            }
        };
        let Some(number) = self.number else { return fields(self.out, of, self.depth, map) };
        let out = self.out;
        let was_faulty = out.is_faulty;
        out.is_faulty &= !self.is_span;
        out.put_tag(number, 2);
        let length = out.bytes.len();
        out.bytes.extend_from_slice(&[0; PADDED]);
        match depth {
            Some(depth) => fields(out, of, depth, map)?,
            // Deeper than the limit, which the decoder finds.
            None => while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {},
        }
        if self.is_span {
            if out.is_faulty {
                put_bytes(&mut out.bytes, NAME, NO_TEXT);
            }
            out.is_faulty = was_faulty;
        }
        patch_length(&mut out.bytes, length);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let (Kind::Many(of) | Kind::Spans(of)) = self.kind else {
            self.out.is_faulty = true;
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let Self { out, number, depth, .. } = self;
        let is_span = matches!(self.kind, Kind::Spans(_));
        while seq
            .next_element_seed(Value { out: &mut *out, number, kind: Kind::One(of), is_span, depth })?
            .is_some()
        {}
        Ok(())
    }
}

/// `Span.name`, and bytes that are no text, by which the decoder rejects a span.
const NAME: u8 = 5;
const NO_TEXT: &[u8] = &[0xff];

/// Reads the fields of a message.
fn fields<'de, A: MapAccess<'de>>(
    out: &mut Out,
    of: &'static Message,
    depth: usize,
    mut map: A,
) -> Result<(), A::Error> {
    while let Some(known) = map.next_key_seed(Name(of))? {
        match known {
            Some(Known { number, kind, .. }) => {
                let (number, kind) = (Some(*number), *kind);
                map.next_value_seed(Value { out: &mut *out, number, kind, is_span: false, depth })?;
            }
            None => {
                map.next_value::<IgnoredAny>()?;
            }
        }
    }
    Ok(())
}

/// The name of a field; `None` if the message has no such.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<&'static Known>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<&'static Known>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.fields.iter().find(|known| known.name == name))
    }
}

/// A value that holds no others.
enum Scalar<'a> {
    Bool(bool),
    Whole(i128),
    Double(f64),
    Text(&'a str),
}

impl Scalar<'_> {
    /// A whole number, also one written as text or as `1e3`.
    fn whole<T: TryFrom<i128>>(&self) -> Option<T> {
        let whole = match self {
            Self::Whole(n) => *n,
            Self::Double(n) if n.fract() == 0.0 && n.abs() < 1e19 => *n as i128,
            Self::Text(text) => text.parse().ok()?,
            _ => return None,
        };
        whole.try_into().ok()
    }

    fn double(&self) -> Option<f64> {
        match self {
            Self::Double(n) => Some(*n),
            Self::Whole(n) => Some(*n as f64),
            // Also NaN and the infinities, by their names.
            Self::Text(text) => text.parse().ok(),
            Self::Bool(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Value<'_> {
    fn scalar(self, scalar: &Scalar<'_>) {
        let put = self.number.and_then(|number| put(self.out, number, self.kind, scalar));
        self.out.is_faulty |= put.is_none();
    }
}

/// Appends a field; `None` if it cannot have this value.
fn put(out: &mut Out, number: u8, kind: Kind, scalar: &Scalar<'_>) -> Option<()> {
    match kind {
        Kind::Text => put_bytes(&mut out.bytes, number, scalar.text()?.as_bytes()),
        // What is no id keeps a length that none has, by which the decoder finds it.
        Kind::Id => put_bytes(&mut out.bytes, number, &unhex(scalar.text()?).unwrap_or_else(|| vec![0])),
        Kind::Bytes => put_bytes(&mut out.bytes, number, &base64::decode(scalar.text()?)?),
        Kind::Bool => {
            let Scalar::Bool(value) = scalar else { return None };
            put_number(out, number, (*value).into());
        }
        Kind::Int => put_number(out, number, scalar.whole::<i64>()? as u64),
        Kind::Count => put_number(out, number, scalar.whole::<u32>()?.into()),
        Kind::Enum(names) => {
            let named = scalar.text().and_then(|text| names.iter().position(|name| *name == text));
            let value = named.map_or_else(|| scalar.whole::<i32>(), |at| at.try_into().ok())?;
            put_number(out, number, i64::from(value) as u64);
        }
        Kind::Time => {
            let value = scalar.whole::<u64>()?;
            out.put_tag(number, 1);
            out.bytes.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Double => {
            let value = scalar.double()?;
            out.put_tag(number, 1);
            out.bytes.extend_from_slice(&value.to_le_bytes());
        }
        Kind::Flags => {
            let value = scalar.whole::<u32>()?;
            out.put_tag(number, 5);
            out.bytes.extend_from_slice(&value.to_le_bytes());
        }
        Kind::One(_) | Kind::Many(_) | Kind::Spans(_) | Kind::Nested(_) => return None,
    }
    Some(())
}

fn put_number(out: &mut Out, number: u8, value: u64) {
    out.put_tag(number, 0);
    put_varint(&mut out.bytes, value);
}

/// The bytes of hexadecimal digits of either case.
fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    pairs
        .iter()
        .map(|[high, low]| {
            let digit = |d: u8| char::from(d).to_digit(16);
            u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()
        })
        .collect()
}
