//! The protobuf wire format: varints, tags, length-delimited fields, and the attribute (`KeyValue`) that OTLP
//! repeats everywhere.
//!
//! Attributes are most of a span's bytes, so their keys are encoded at compile time ([`key`]): writing
//! one is a copy, three length bytes and a copy of the value.

use serde_json::Value;

/// Bytes of a length that is filled in later: a varint padded to this width, enough for 32 GiB.
pub(crate) const PADDED: usize = 5;

/// Tag of a length-delimited field.
pub(crate) const fn tag(field: u8) -> u8 {
    field << 3 | 2
}

/// `value` as a varint of exactly [`PADDED`] bytes, which protobuf allows and every reader accepts.
pub(crate) const fn padded(value: usize) -> [u8; PADDED] {
    let v = value as u64;
    [
        v as u8 | 0x80,
        (v >> 7) as u8 | 0x80,
        (v >> 14) as u8 | 0x80,
        (v >> 21) as u8 | 0x80,
        (v >> 28) as u8 & 0x7f,
    ]
}

/// Appends `value` in as few bytes as it needs.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`put_varint`] appends.
const fn varint_len(value: u64) -> usize {
    ((u64::BITS - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Appends a length-delimited field.
#[inline(always)]
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    if bytes.len() < 0x80 {
        out.extend_from_slice(&[tag(field), bytes.len() as u8]);
    } else {
        out.push(tag(field));
        put_varint(out, bytes.len() as u64);
    }
    out.extend_from_slice(bytes);
}

/// Appends a message whose length is known only once `body` has written it.
pub(crate) fn put_message(out: &mut Vec<u8>, field: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag(field));
    let at = out.len();
    out.extend_from_slice(&[0; PADDED]);
    body(out);
    patch_length(out, at);
}

/// Fills in the length that was left open at `at`: everything after it.
#[inline(always)]
pub(crate) fn patch_length(out: &mut [u8], at: usize) {
    let Some((place, rest)) = out.get_mut(at..).and_then(|rest| rest.split_first_chunk_mut()) else { return };
    let place: &mut [u8; PADDED] = place;
    match rest.len() {
        // Most messages, in one store of four bytes and one of one.
        length @ ..0x4000 => {
            let v = length as u32;
            let low = v & 0x7f | (v & 0x3f80) << 1 | 0x8080_8080;
            place[..4].copy_from_slice(&low.to_le_bytes());
            place[4] = 0;
        }
        length => place.copy_from_slice(&padded(length)),
    }
}

/// The name of the instrumentation scope that we send, by which we know what we sent ourselves.
pub(crate) const SCOPE: &[u8] = b"observe";

/// Field numbers of the messages in which attributes stand.
pub(crate) const RESOURCE_ATTRIBUTES: u8 = 1;
/// `InstrumentationScope.attributes`.
pub(crate) const SCOPE_ATTRIBUTES: u8 = 3;
/// `Event.attributes`.
pub(crate) const EVENT_ATTRIBUTES: u8 = 3;
/// `Span.Link.attributes`.
pub(crate) const LINK_ATTRIBUTES: u8 = 4;
/// `Span.attributes`.
pub(crate) const SPAN_ATTRIBUTES: u8 = 9;

/// What stands around a key of `N - 8` bytes in a text attribute: field, length, key, value's lengths, all but the text.
///
/// `N` is checked at compile time; [`key`] computes it.
pub(crate) const fn text_head<const N: usize>(field: u8, key: &str) -> [u8; N] {
    let mut head = [0; N];
    let end = put_const_text(&mut head, 0, field, key, "");
    assert!(N == end);
    head
}

/// Writes a whole text attribute at `at` and says where it ends; for constants, of at most 129 bytes each.
pub(crate) const fn put_const_text(out: &mut [u8], at: usize, field: u8, key: &str, text: &str) -> usize {
    let (key, text) = (key.as_bytes(), text.as_bytes());
    let (k, t) = (key.len(), text.len());
    let head = [tag(field), (k + t + 6) as u8, tag(1), k as u8];
    let value = [tag(2), (t + 2) as u8, tag(1), t as u8];
    assert!(k + t + 6 < 0x80);
    let mut i = 0;
    while i < k + t + 8 {
        out[at + i] = match i {
            0..4 => head[i],
            _ if i < 4 + k => key[i - 4],
            _ if i < 8 + k => value[i - 4 - k],
            _ => text[i - 8 - k],
        };
        i += 1;
    }
    at + i
}

/// The key of an attribute, encoded, for `put_text`, `put_int` and `put_double`.
macro_rules! key {
    ($field:expr, $key:expr) => {
        const { &$crate::otlp::protobuf::text_head::<{ $key.len() + 8 }>($field, $key) }
    };
}
pub(crate) use key;

/// Appends a text attribute.
#[inline(always)]
pub(crate) fn put_text<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], text: &[u8]) {
    put_text_after(out, head, 0, text);
}

/// Appends a text attribute whose head stands at `at` in `head`, and what stands before it, in one copy.
#[inline(always)]
pub(crate) fn put_text_after<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], at: usize, text: &[u8]) {
    let length = text.len();
    if length + (N - at) <= 0x80 {
        fill_head(put_array(out, head), at, length);
    } else {
        out.extend_from_slice(&head[..at]);
        put_long_head(out, &head[at..], length);
    }
    out.extend_from_slice(text);
}

/// Fills in the lengths of a text attribute whose head stands at `at` in `head`, if each fits one byte.
#[inline(always)]
fn fill_head<const N: usize>(head: &mut [u8; N], at: usize, length: usize) {
    // After the attribute's own two bytes come the rest of the head and the text.
    head[at + 1] = (length + N - at - 2) as u8;
    head[N - 3] = (length + 2) as u8;
    head[N - 1] = length as u8;
}

/// Appends `before`, which ends with a head as [`put_text_after`] takes it, and a `text` that fits it.
#[inline(always)]
pub(crate) fn put_text_led<const N: usize>(out: &mut Vec<u8>, before: &[u8], at: usize, text: &[u8]) {
    out.extend_from_slice(before);
    if let Some(head) = out.last_chunk_mut::<N>() {
        fill_head(head, at, text.len());
    }
    out.extend_from_slice(text);
}

/// Appends `bytes` and gives them back to be filled in: patched where they stand, not on the stack and copied again.
#[inline(always)]
pub(crate) fn put_array<'a, const N: usize>(out: &'a mut Vec<u8>, bytes: &[u8; N]) -> &'a mut [u8; N] {
    out.extend_from_slice(bytes);
    let Some(last) = out.last_chunk_mut() else { unreachable!("the bytes were just appended") };
    last
}

/// The head of a text attribute whose lengths do not fit one byte each.
#[inline(never)]
fn put_long_head(out: &mut Vec<u8>, head: &[u8], length: usize) {
    let value = 1 + varint_len(length as u64) + length;
    let key = head.get(2..head.len() - 4).unwrap_or_default();
    out.push(head[0]);
    put_varint(out, (key.len() + 1 + varint_len(value as u64) + value) as u64);
    out.extend_from_slice(key);
    out.push(tag(2));
    put_varint(out, value as u64);
    out.push(tag(1));
    put_varint(out, length as u64);
}

/// Appends an attribute that is a list of texts.
pub(crate) fn put_texts(out: &mut Vec<u8>, field: u8, key: &str, texts: &[String]) {
    put_message(out, field, |out| {
        put_bytes(out, 1, key.as_bytes());
        put_message(out, 2, |out| {
            put_message(out, 5, |out| {
                for text in texts {
                    put_message(out, 1, |out| put_bytes(out, 1, text.as_bytes()));
                }
            });
        });
    });
}

/// Appends a text attribute whose key is not known beforehand.
pub(crate) fn put_text_attribute(out: &mut Vec<u8>, field: u8, key: &str, text: &str) {
    put_message(out, field, |out| {
        put_bytes(out, 1, key.as_bytes());
        put_message(out, 2, |out| put_bytes(out, 1, text.as_bytes()));
    });
}

/// Appends an attribute of any JSON value.
pub(crate) fn put_any_attribute(out: &mut Vec<u8>, field: u8, key: &str, value: &Value) {
    put_message(out, field, |out| {
        put_bytes(out, 1, key.as_bytes());
        put_message(out, 2, |out| put_any(out, value));
    });
}

/// Appends an `AnyValue`. A whole number above OTLP's signed 64 bits becomes a floating-point one.
fn put_any(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(value) => out.extend_from_slice(&[2 << 3, u8::from(*value)]),
        Value::Number(number) => match number.as_i64() {
            Some(number) => {
                out.push(3 << 3);
                put_varint(out, number as u64);
            }
            None => {
                out.push(4 << 3 | 1);
                out.extend_from_slice(&number.as_f64().unwrap_or_default().to_le_bytes());
            }
        },
        Value::String(text) => put_bytes(out, 1, text.as_bytes()),
        Value::Array(items) => put_message(out, 5, |out| {
            items.iter().for_each(|item| put_message(out, 1, |out| put_any(out, item)));
        }),
        Value::Object(members) => put_message(out, 6, |out| {
            members.iter().for_each(|(key, value)| put_any_attribute(out, 1, key, value));
        }),
    }
}

/// Appends an attribute that is true or false.
pub(crate) fn put_bool<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], value: bool) {
    put_number_head(out, head, 2 << 3, 1);
    out.push(u8::from(value));
}

/// Appends an integer attribute; what OTLP's signed 64 bits cannot hold becomes the largest they can.
pub(crate) fn put_int<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], value: u64) {
    let value = value.min(i64::MAX as u64);
    let length = varint_len(value);
    put_number_head(out, head, 3 << 3, length);
    put_varint(out, value);
}

/// Appends a floating-point attribute.
pub(crate) fn put_double<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], value: f64) {
    put_number_head(out, head, 4 << 3 | 1, 8);
    out.extend_from_slice(&value.to_le_bytes());
}

/// `head` for a number of `length` bytes: a text's head without the text's own length.
#[inline(always)]
fn put_number_head<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], tag: u8, length: usize) {
    let mut head = *head;
    head[1] = (length + N - 3) as u8;
    head[N - 3] = (length + 1) as u8;
    head[N - 2] = tag;
    out.extend_from_slice(&head[..N - 1]);
}

/// Bytes that are not protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One field's value as its wire type has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Field<'a> {
    /// Integers, booleans and enums.
    Varint(u64),
    /// `fixed64` and `double`.
    Fixed64(u64),
    /// Texts, bytes and messages.
    Bytes(&'a [u8]),
    /// `fixed32` and `float`, of which OTLP's traces have the flags alone.
    Fixed32(u32),
}

/// Reads the fields of one message, in the order they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// The next field and its number; `None` at the end. Groups (wire types 3 and 4) are malformed: OTLP never had any.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.fixed()?)),
            _ => return Err(Malformed),
        };
        match tag >> 3 {
            0 => Err(Malformed),
            number => Ok(Some((number, field))),
        }
    }
}
