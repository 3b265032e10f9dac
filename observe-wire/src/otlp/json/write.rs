//! Protobuf to JSON.

use std::io::Write as _;

use super::{ANY_VALUE, Kind, Known, Message, REQUEST, base64};
use crate::{
    journal::escape::escape,
    otlp::{
        attributes::text_of,
        decoder::DecodeError,
        protobuf::{Field, Malformed, Reader},
    },
};

/// Lists and maps inside of one another that are written; what is deeper is written as no value. Readers refuse a body
/// for less: most take some hundred levels of JSON, of which each of these makes four.
const DEPTH: usize = 100;

/// The same export request as OTLP's JSON, to be sent as `application/json`: what [`Encoder::take`](crate::Encoder::take)
/// gave, in any dialect.
///
/// # Errors
/// If `body` is not protobuf, or a text in it not UTF-8; of what an encoder wrote neither is true.
///
/// ```
/// # use observe_model::{Resource, Span, SpanId, Timestamp, TraceId};
/// # let mut encoder = observe_wire::Encoder::new(&Resource::default());
/// # let span = Span::begin(TraceId::from_seed("a"), SpanId::from_seed("b"), "retrieve", Timestamp(7));
/// encoder.push(&span);
/// let body = observe_wire::to_json(&encoder.take())?;
/// let text = String::from_utf8(body).unwrap();
/// assert!(text.starts_with(r#"{"resourceSpans":[{"resource":{"#));
/// assert!(text.contains(r#""name":"retrieve","kind":1,"startTimeUnixNano":"7""#));
/// # Ok::<(), observe_wire::DecodeError>(())
/// ```
pub fn to_json(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    // Names take the room of the padded lengths, and more.
    let mut writer = Writer { out: Vec::with_capacity(body.len() * 3 / 2), found: Vec::new() };
    writer.message(&REQUEST, [body], DEPTH)?;
    Ok(writer.out)
}

struct Writer<'a> {
    out: Vec<u8>,
    /// The fields of the messages that are being written, the innermost last.
    found: Vec<(&'static Known, Field<'a>)>,
}

impl<'a> Writer<'a> {
    /// Writes one message, of which there may be several parts: protobuf merges those.
    fn message(
        &mut self,
        of: &Message,
        parts: impl IntoIterator<Item = &'a [u8]>,
        depth: usize,
    ) -> Result<(), Malformed>
    where
        'static: 'a,
    {
        let begin = self.found.len();
        for part in parts {
            self.find(of, part)?;
        }
        if of.is_one && self.found.len() > begin + 1 {
            self.found.drain(begin..self.found.len() - 1);
        }
        let end = self.found.len();
        let fields = &mut self.found[begin..];
        if !fields.is_sorted_by_key(|(known, _)| known.number) {
            fields.sort_by_key(|(known, _)| known.number);
        }
        self.out.push(b'{');
        let mut at = begin;
        while at < end {
            let known = self.found[at].0;
            let same =
                self.found[at..end].iter().take_while(|(other, _)| other.number == known.number).count();
            if at > begin {
                self.out.push(b',');
            }
            self.out.push(b'"');
            self.out.extend_from_slice(known.name.as_bytes());
            self.out.extend_from_slice(b"\":");
            self.field(known.kind, at, at + same, depth)?;
            at += same;
        }
        self.out.push(b'}');
        self.found.truncate(begin);
        Ok(())
    }

    /// Notes the fields of `message` that are known and of the type they should be.
    fn find(&mut self, of: &Message, message: &'a [u8]) -> Result<(), Malformed> {
        let mut fields = Reader::new(message);
        while let Some((number, field)) = fields.next()? {
            let known = of.fields.iter().find(|known| u64::from(known.number) == number);
            if let Some(known) = known.filter(|known| known.kind.is(field)) {
                self.found.push((known, field));
            }
        }
        Ok(())
    }

    /// Writes the value of the field that was found at all of `from..to`.
    fn field(&mut self, kind: Kind, from: usize, to: usize, depth: usize) -> Result<(), Malformed> {
        match kind {
            Kind::Many(of) | Kind::Spans(of) => {
                for at in from..to {
                    self.out.push(if at == from { b'[' } else { b',' });
                    let part = self.bytes(at);
                    self.message(of, [part], depth)?;
                }
                self.out.push(b']');
                Ok(())
            }
            // A value is the last that stands there.
            Kind::One(of) if std::ptr::eq(of, &ANY_VALUE) => {
                let part = self.bytes(to - 1);
                self.message(of, [part], depth)
            }
            Kind::One(of) => {
                let parts: Vec<_> = (from..to).map(|at| self.bytes(at)).collect();
                self.message(of, parts, depth)
            }
            Kind::Nested(of) => {
                let part = self.bytes(to - 1);
                match depth.checked_sub(1) {
                    Some(depth) => self.message(of, [part], depth)?,
                    None => self.message(of, [], 0)?,
                }
                if self.out.ends_with(b":{}") {
                    // Some readers miss what is not there.
                    self.out.truncate(self.out.len() - 1);
                    self.out.extend_from_slice(b"\"values\":[]}");
                }
                Ok(())
            }
            kind => self.scalar(kind, self.found[to - 1].1),
        }
    }

    fn bytes(&self, at: usize) -> &'a [u8] {
        match self.found[at].1 {
            Field::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    fn scalar(&mut self, kind: Kind, field: Field<'_>) -> Result<(), Malformed> {
        let out = &mut self.out;
        match (kind, field) {
            (Kind::Text, Field::Bytes(text)) => quoted(out, |out| {
                escape(text_of(text)?.as_bytes(), |piece| out.extend_from_slice(piece));
                Ok(())
            })?,
            (Kind::Id, Field::Bytes(id)) => quoted(out, |out| {
                id.iter().for_each(|byte| number(out, format_args!("{byte:02x}")));
                Ok(())
            })?,
            (Kind::Bytes, Field::Bytes(bytes)) => quoted(out, |out| {
                base64::encode(out, bytes);
                Ok(())
            })?,
            (Kind::Int, Field::Varint(n)) => number(out, format_args!("\"{}\"", n as i64)),
            (Kind::Time, Field::Fixed64(n)) => number(out, format_args!("\"{n}\"")),
            (Kind::Bool, Field::Varint(n)) => number(out, format_args!("{}", n != 0)),
            (Kind::Count, Field::Varint(n)) => number(out, format_args!("{}", n as u32)),
            (Kind::Enum(_), Field::Varint(n)) => number(out, format_args!("{}", n as i32)),
            (Kind::Flags, Field::Fixed32(n)) => number(out, format_args!("{n}")),
            (Kind::Double, Field::Fixed64(bits)) => double(out, f64::from_bits(bits)),
            _ => out.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

impl Kind {
    /// Whether a field of this kind is encoded as `field` is.
    fn is(self, field: Field<'_>) -> bool {
        match field {
            Field::Varint(_) => matches!(self, Self::Bool | Self::Int | Self::Count | Self::Enum(_)),
            Field::Fixed64(_) => matches!(self, Self::Double | Self::Time),
            Field::Fixed32(_) => matches!(self, Self::Flags),
            Field::Bytes(_) => matches!(
                self,
                Self::Text
                    | Self::Id
                    | Self::Bytes
                    | Self::One(_)
                    | Self::Many(_)
                    | Self::Spans(_)
                    | Self::Nested(_)
            ),
        }
    }
}

fn quoted(
    out: &mut Vec<u8>,
    put: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    out.push(b'"');
    put(out)?;
    out.push(b'"');
    Ok(())
}

fn number(out: &mut Vec<u8>, digits: std::fmt::Arguments<'_>) {
    // Writing to memory cannot fail.
    let _ = out.write_fmt(digits);
}

/// A number that JSON lacks by its name.
fn double(out: &mut Vec<u8>, n: f64) {
    match serde_json::Number::from_f64(n) {
        Some(n) => number(out, format_args!("{n}")),
        None if n.is_nan() => out.extend_from_slice(b"\"NaN\""),
        None if n > 0.0 => out.extend_from_slice(b"\"Infinity\""),
        None => out.extend_from_slice(b"\"-Infinity\""),
    }
}
