//! OTLP's JSON: the messages of protobuf under their names, an id as hexadecimal digits, a 64-bit integer as text, an enum
//! as its number, bytes in base64.
//!
//! Both directions go by one table of the messages, and neither knows the model: what is written was encoded as protobuf
//! before, in any dialect, and what is read is decoded as protobuf afterwards. So there is one encoder and one decoder.

mod base64;
mod read;
mod write;

pub use read::decode_json;
pub use write::to_json;

/// A message of OTLP's traces, as far as it is read or written.
struct Message {
    fields: &'static [Known],
    /// Whether it holds one of its fields at the most: the last.
    is_one: bool,
}

/// A field of a message.
struct Known {
    number: u8,
    name: &'static str,
    kind: Kind,
}

/// What a field holds, and thereby how it is encoded.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// Bytes that JSON has as hexadecimal digits.
    Id,
    /// Bytes that JSON has in base64.
    Bytes,
    Bool,
    /// `int64`, which JSON has as text.
    Int,
    /// `double`.
    Double,
    /// `fixed64`, which JSON has as text.
    Time,
    /// `uint32`.
    Count,
    /// `fixed32`.
    Flags,
    /// An enum with its names by number: others than the specification's senders give those.
    Enum(&'static [&'static str]),
    /// One message.
    One(&'static Message),
    /// Any number of messages.
    Many(&'static Message),
    /// Any number of spans: a fault in one costs that one alone.
    Spans(&'static Message),
    /// A list or map inside of a value: as deep as the limit.
    Nested(&'static Message),
}

const fn field(number: u8, name: &'static str, kind: Kind) -> Known {
    Known { number, name, kind }
}

const fn message(fields: &'static [Known]) -> Message {
    Message { fields, is_one: false }
}

static REQUEST: Message = message(&[field(1, "resourceSpans", Kind::Many(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message = message(&[
    field(1, "resource", Kind::One(&RESOURCE)),
    field(2, "scopeSpans", Kind::Many(&SCOPE_SPANS)),
    field(3, "schemaUrl", Kind::Text),
]);

static RESOURCE: Message = message(&[
    field(1, "attributes", Kind::Many(&KEY_VALUE)),
    field(2, "droppedAttributesCount", Kind::Count),
]);

static SCOPE_SPANS: Message = message(&[
    field(1, "scope", Kind::One(&SCOPE)),
    field(2, "spans", Kind::Spans(&SPAN)),
    field(3, "schemaUrl", Kind::Text),
]);

static SCOPE: Message = message(&[
    field(1, "name", Kind::Text),
    field(2, "version", Kind::Text),
    field(3, "attributes", Kind::Many(&KEY_VALUE)),
    field(4, "droppedAttributesCount", Kind::Count),
]);

static SPAN: Message = message(&[
    field(1, "traceId", Kind::Id),
    field(2, "spanId", Kind::Id),
    field(3, "traceState", Kind::Text),
    field(4, "parentSpanId", Kind::Id),
    field(5, "name", Kind::Text),
    field(6, "kind", Kind::Enum(&KINDS)),
    field(7, "startTimeUnixNano", Kind::Time),
    field(8, "endTimeUnixNano", Kind::Time),
    field(9, "attributes", Kind::Many(&KEY_VALUE)),
    field(10, "droppedAttributesCount", Kind::Count),
    field(11, "events", Kind::Many(&EVENT)),
    field(12, "droppedEventsCount", Kind::Count),
    field(13, "links", Kind::Many(&LINK)),
    field(14, "droppedLinksCount", Kind::Count),
    field(15, "status", Kind::One(&STATUS)),
    field(16, "flags", Kind::Flags),
]);

const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];

static EVENT: Message = message(&[
    field(1, "timeUnixNano", Kind::Time),
    field(2, "name", Kind::Text),
    field(3, "attributes", Kind::Many(&KEY_VALUE)),
    field(4, "droppedAttributesCount", Kind::Count),
]);

static LINK: Message = message(&[
    field(1, "traceId", Kind::Id),
    field(2, "spanId", Kind::Id),
    field(3, "traceState", Kind::Text),
    field(4, "attributes", Kind::Many(&KEY_VALUE)),
    field(5, "droppedAttributesCount", Kind::Count),
    field(6, "flags", Kind::Flags),
]);

static STATUS: Message = message(&[field(2, "message", Kind::Text), field(3, "code", Kind::Enum(&CODES))]);

const CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

static KEY_VALUE: Message = message(&[field(1, "key", Kind::Text), field(2, "value", Kind::One(&ANY_VALUE))]);

static ANY_VALUE: Message = Message {
    fields: &[
        field(1, "stringValue", Kind::Text),
        field(2, "boolValue", Kind::Bool),
        field(3, "intValue", Kind::Int),
        field(4, "doubleValue", Kind::Double),
        field(5, "arrayValue", Kind::Nested(&ARRAY)),
        field(6, "kvlistValue", Kind::Nested(&MAP)),
        field(7, "bytesValue", Kind::Bytes),
    ],
    is_one: true,
};

static ARRAY: Message = message(&[field(1, "values", Kind::Many(&ANY_VALUE))]);

static MAP: Message = message(&[field(1, "values", Kind::Many(&KEY_VALUE))]);
