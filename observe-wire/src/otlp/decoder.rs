//! Reads the body of an `ExportTraceServiceRequest` that anybody may have sent.

use std::borrow::Cow;

use observe_model::{Record, Resource, Span, SpanId, Status, Timestamp, TraceId};

use super::{
    attributes::{Attributes, Budget, Unreadable, text_of},
    protobuf::{EVENT_ATTRIBUTES, Field, Malformed, RESOURCE_ATTRIBUTES, Reader, SPAN_ATTRIBUTES},
};
use crate::dialect::{self, Sender, said};

/// What a body may hold, so that a hostile one costs neither memory nor stack.
///
/// With the defaults no body, whatever it holds, becomes more than about a gigabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the body, uncompressed; 64 MiB by default, as the OTLP specification recommends.
    pub bytes: usize,
    /// Spans in the body, rejected ones included; 250,000 by default.
    pub spans: usize,
    /// Attributes, and values inside of attributes, in the whole body; 2,000,000 by default. A map inside of an attribute
    /// counts for eleven.
    pub values: usize,
    /// How deep lists and maps may be nested in one attribute; 32 by default. A span that goes deeper is rejected.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, spans: 250_000, values: 2_000_000, depth: 32 }
    }
}

/// Why a body cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More bytes than the limit; HTTP status 413.
    #[error("the body is larger than {limit} bytes: send less at a time")]
    TooLarge {
        /// [`Limits::bytes`].
        limit: usize,
    },
    /// More spans than the limit; HTTP status 413.
    #[error("the body holds more than {limit} spans: send fewer at a time")]
    TooManySpans {
        /// [`Limits::spans`].
        limit: usize,
    },
    /// More attributes and values than the limit; HTTP status 413.
    #[error("the body holds more than {limit} attributes: send fewer spans at a time")]
    TooManyValues {
        /// [`Limits::values`].
        limit: usize,
    },
    /// Not an OTLP request in the encoding as which it was to be read; HTTP status 400.
    #[error(
        "the body is not an OTLP message in the encoding it is said to have: check the content type and the compression"
    )]
    Malformed,
}

impl From<Malformed> for DecodeError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Why one span was rejected; the others of its body are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// A trace id that is not 16 bytes, or a span or parent id that is not 8 bytes, or a zero trace or span id.
    #[error("send a trace id of 16 bytes and span ids of 8 bytes that are not all zero")]
    InvalidId,
    /// An attribute with lists or maps nested deeper than [`Limits::depth`].
    #[error("nest the values of attributes less deeply")]
    TooDeep,
    /// The span is not an OTLP span, or a text in it is not UTF-8.
    #[error("send spans with the fields and types of OTLP and with texts that are valid UTF-8")]
    Malformed,
}

/// What a body held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The spans by the process that recorded them, in the order of the body; none without spans.
    pub resources: Vec<DecodedResource>,
    /// Spans that could not be taken, for [`export_response`](crate::export_response).
    pub rejected: u64,
    /// Why the first of them was rejected.
    pub reason: Option<SpanError>,
}

/// One process and spans that it recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedResource {
    /// The process.
    pub resource: Resource,
    /// Its spans.
    pub spans: Vec<Span<'static>>,
    /// Its scores and metrics.
    pub records: Vec<Record>,
}

/// Reads the body of an OTLP/HTTP protobuf export request, within `limits`.
///
/// Unknown fields are skipped; attributes that the model has no field for go to the span's metadata under their key.
///
/// # Errors
/// If the body exceeds `limits` or is not protobuf. A fault inside of one span rejects that span alone.
pub fn decode(body: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    if body.len() > limits.bytes {
        return Err(DecodeError::TooLarge { limit: limits.bytes });
    }
    let budget = Budget { values: limits.values, depth: limits.depth };
    let mut decoder = Decoder { limits, spans: 0, budget, decoded: Decoded::default() };
    let mut fields = Reader::new(body);
    while let Some(field) = fields.next()? {
        if let (1, Field::Bytes(resource_spans)) = field {
            decoder.resource_spans(resource_spans)?;
        }
    }
    Ok(decoder.decoded)
}

struct Decoder<'l> {
    limits: &'l Limits,
    spans: usize,
    budget: Budget,
    decoded: Decoded,
}

impl Decoder<'_> {
    fn resource_spans(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let mut sender = Sender { resource: self.resource(message)?, ..Sender::default() };
        let mut found = Found::default();
        let mut fields = Reader::new(message);
        while let Some(field) = fields.next()? {
            if let (2, Field::Bytes(scope_spans)) = field {
                self.scope_spans(scope_spans, &mut sender, &mut found)?;
            }
        }
        // Also keeps memory bounded: an empty resource is two bytes of body.
        let Found { spans, records } = found;
        if spans.is_empty() && records.is_empty() {
            return Ok(());
        }
        self.decoded.resources.push(DecodedResource { resource: sender.resource, spans, records });
        Ok(())
    }

    /// The resource of a `ResourceSpans`, wherever in it that stands.
    fn resource(&mut self, message: &[u8]) -> Result<Resource, DecodeError> {
        let mut resource: &[u8] = &[];
        let mut fields = Reader::new(message);
        while let Some(field) = fields.next()? {
            if let (1, Field::Bytes(message)) = field {
                resource = message;
            }
        }
        match Attributes::read(resource, RESOURCE_ATTRIBUTES, &mut self.budget) {
            Ok(attributes) => Ok(dialect::resource(attributes)),
            Err(Unreadable::TooMany) => Err(DecodeError::TooManyValues { limit: self.limits.values }),
            Err(_) => Err(DecodeError::Malformed),
        }
    }

    fn scope_spans(
        &mut self,
        message: &[u8],
        sender: &mut Sender,
        found: &mut Found,
    ) -> Result<(), DecodeError> {
        sender.of_scope(scope_name(message)?);
        let mut fields = Reader::new(message);
        while let Some(field) = fields.next()? {
            let (2, Field::Bytes(message)) = field else { continue };
            self.spans += 1;
            if self.spans > self.limits.spans {
                return Err(DecodeError::TooManySpans { limit: self.limits.spans });
            }
            let reason = match span(message, &mut self.budget, sender) {
                Ok(Message::Span(mut span)) => {
                    if !sender.is_ours {
                        found.records.extend(said::take_evaluations(&mut span));
                    }
                    found.spans.push(*span);
                    continue;
                }
                Ok(Message::Record(record)) => {
                    found.records.push(*record);
                    continue;
                }
                Err(Rejection::Body) => return Err(DecodeError::TooManyValues { limit: self.limits.values }),
                Err(Rejection::Span(reason)) => reason,
            };
            self.decoded.rejected += 1;
            self.decoded.reason.get_or_insert(reason);
        }
        Ok(())
    }
}

/// The name of the scope of a `ScopeSpans`; empty if it has none.
fn scope_name(scope_spans: &[u8]) -> Result<&[u8], Malformed> {
    let mut fields = Reader::new(scope_spans);
    while let Some(field) = fields.next()? {
        let (1, Field::Bytes(scope)) = field else { continue };
        let mut fields = Reader::new(scope);
        while let Some(field) = fields.next()? {
            if let (1, Field::Bytes(name)) = field {
                return Ok(name);
            }
        }
    }
    Ok(&[])
}

/// What the spans of one process turned out to be.
#[derive(Default)]
struct Found {
    spans: Vec<Span<'static>>,
    records: Vec<Record>,
}

/// What one span turned out to be.
enum Message {
    Span(Box<Span<'static>>),
    Record(Box<Record>),
}

/// What an unreadable span costs.
pub(crate) enum Rejection {
    Span(SpanError),
    Body,
}

impl From<Unreadable> for Rejection {
    fn from(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Malformed => Self::Span(SpanError::Malformed),
            Unreadable::TooDeep => Self::Span(SpanError::TooDeep),
            Unreadable::TooMany => Self::Body,
        }
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Unreadable::from(malformed).into()
    }
}

/// The fields of a `Span` message that we read.
#[derive(Default)]
struct Fields<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_id: &'a [u8],
    name: &'a str,
    start: u64,
    end: u64,
    code: u64,
    status_message: Option<&'a str>,
    exception: Option<&'a [u8]>,
    /// Whether there are events or links.
    has_more: bool,
}

impl<'a> Fields<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut read = Self::default();
        let mut fields = Reader::new(message);
        while let Some(field) = fields.next()? {
            match field {
                (1, Field::Bytes(id)) => read.trace_id = id,
                (2, Field::Bytes(id)) => read.span_id = id,
                (4, Field::Bytes(id)) => read.parent_id = id,
                (5, Field::Bytes(name)) => read.name = text_of(name)?,
                (7, Field::Fixed64(start)) => read.start = start,
                (8, Field::Fixed64(end)) => read.end = end,
                (11, Field::Bytes(event)) => {
                    read.has_more = true;
                    if is_exception(event)? {
                        read.exception = Some(event);
                    }
                }
                (13, Field::Bytes(_)) => read.has_more = true,
                (15, Field::Bytes(status)) => (read.code, read.status_message) = status_of(status)?,
                _ => {}
            }
        }
        Ok(read)
    }
}

/// `Status`: code and message.
fn status_of(message: &[u8]) -> Result<(u64, Option<&str>), Malformed> {
    let mut status = (0, None);
    let mut fields = Reader::new(message);
    while let Some(field) = fields.next()? {
        match field {
            (2, Field::Bytes(text)) => status.1 = Some(text_of(text)?),
            (3, Field::Varint(code)) => status.0 = code,
            _ => {}
        }
    }
    Ok(status)
}

/// Whether an `Event` is named `exception`.
fn is_exception(event: &[u8]) -> Result<bool, Malformed> {
    let mut fields = Reader::new(event);
    while let Some(field) = fields.next()? {
        if let (2, Field::Bytes(name)) = field {
            return Ok(name == b"exception");
        }
    }
    Ok(false)
}

/// Reads one `Span`.
fn span(bytes: &[u8], budget: &mut Budget, sender: &Sender) -> Result<Message, Rejection> {
    let message = Fields::read(bytes)?;
    let invalid = Rejection::Span(SpanError::InvalidId);
    let trace_id = message.trace_id.try_into().ok().and_then(TraceId::from_bytes);
    let span_id = message.span_id.try_into().ok().and_then(SpanId::from_bytes);
    let (Some(trace_id), Some(span_id)) = (trace_id, span_id) else { return Err(invalid) };
    let parent_id = match message.parent_id {
        [] => None,
        // A zero parent is how some senders write "none".
        bytes => SpanId::from_bytes(bytes.try_into().map_err(|_| invalid)?),
    };
    let mut span = Span::begin(trace_id, span_id, message.name.to_owned(), Timestamp(message.start));
    span.parent_id = parent_id;
    span.end = (message.end != 0).then_some(Timestamp(message.end));
    span.status = match message.code {
        2 => Status::Error,
        0 if span.end.is_none() => Status::Running,
        _ => Status::Ok,
    };
    span.status_message = match (message.status_message, message.exception) {
        (Some(text), _) => Some(Cow::Owned(text.to_owned())),
        (None, Some(event)) => {
            let mut attributes = Attributes::read(event, EVENT_ATTRIBUTES, budget)?;
            let says_status = !said::is_failure(&attributes);
            let text = says_status.then(|| attributes.text(&["exception.message", "exception.type"]));
            text.flatten().map(Cow::Owned)
        }
        (None, None) => None,
    };
    if message.has_more {
        said::read_events(bytes, &mut span, budget)?;
    }
    let mut attributes = Attributes::read(bytes, SPAN_ATTRIBUTES, budget)?;
    if let Some(record) = said::read_record(&mut attributes)? {
        return Ok(Message::Record(Box::new(record)));
    }
    dialect::read(&mut span, attributes, sender)?;
    Ok(Message::Span(Box::new(span)))
}
