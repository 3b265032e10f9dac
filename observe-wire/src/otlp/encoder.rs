//! Writes spans into the body of an `ExportTraceServiceRequest`, each in one pass.

use observe_model::{Resource, Span, SpanType, Status};

use super::protobuf::{EVENT_ATTRIBUTES, PADDED, key, patch_length, put_bytes, put_message, put_text, tag};
use crate::dialect::openinference::{self, AttributeWriter};

/// `ExportTraceServiceRequest.resource_spans`, `ResourceSpans.resource`, `ResourceSpans.scope_spans`, ...
mod field {
    pub(super) const RESOURCE_SPANS: u8 = 1;
    pub(super) const RESOURCE: u8 = 1;
    pub(super) const SCOPE_SPANS: u8 = 2;
    pub(super) const SCOPE: u8 = 1;
    pub(super) const SPANS: u8 = 2;
    pub(super) const NAME: u8 = 5;
    pub(super) const EVENTS: u8 = 11;
    pub(super) const STATUS: u8 = 15;
}

/// Gathers spans of one process into the body of an OTLP/HTTP protobuf export request.
///
/// ```
/// use observe_model::{Resource, Span, SpanId, Timestamp, TraceId};
/// let resource = Resource { project: "docs".into(), service: "docs".into(), ..Default::default() };
/// let mut encoder = observe_wire::Encoder::new(&resource);
/// encoder.push(&Span::begin(TraceId::from_seed("a"), SpanId::from_seed("b"), "retrieve", Timestamp::now()));
/// let body = encoder.take(); // POST it as application/x-protobuf to /v1/traces
/// # assert_eq!(observe_wire::decode(&body, &Default::default()).unwrap().resources[0].spans[0].name, "retrieve");
/// ```
#[derive(Debug)]
pub struct Encoder {
    /// The body so far. It begins with resource and scope; the lengths of the messages that hold the spans are left open.
    body: Vec<u8>,
    /// How much of `body` stands before the first span.
    prefix: usize,
    /// Where `ScopeSpans`' length stands; `ResourceSpans`' stands at 1.
    scope_spans: usize,
    attributes: AttributeWriter,
}

impl Encoder {
    /// An encoder for the spans that the process of `resource` recorded.
    pub fn new(resource: &Resource) -> Self {
        let mut body = Vec::new();
        body.push(tag(field::RESOURCE_SPANS));
        body.extend_from_slice(&[0; PADDED]);
        put_message(&mut body, field::RESOURCE, |out| openinference::put_resource(out, resource));
        body.push(tag(field::SCOPE_SPANS));
        let scope_spans = body.len();
        body.extend_from_slice(&[0; PADDED]);
        put_message(&mut body, field::SCOPE, |out| {
            put_bytes(out, 1, b"observe");
            put_bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
        });
        Self { prefix: body.len(), body, scope_spans, attributes: AttributeWriter::default() }
    }

    /// Adds one span, finished or not: one that still runs is sent without an end and with `observe.status`.
    ///
    /// Most platforms show only finished spans and keep the first version of a span that they see, so leave out
    /// spans without an end unless the receiver is known to update them in place.
    pub fn push(&mut self, span: &Span<'_>) {
        let out = &mut self.body;
        let length_at = out.len() + 1;
        let head = head(span);
        match &span.status_message {
            None => out.extend_from_slice(&head),
            Some(message) => {
                out.extend_from_slice(&head[..STATUS]);
                put_status(out, span, message);
                out.extend_from_slice(&head[PARENT..]);
            }
        }
        if span.parent_id.is_none() {
            out.truncate(out.len() - (HEAD - PARENT));
        }
        put_bytes(out, field::NAME, span.name.as_bytes());
        self.attributes.put(out, span);
        patch_length(out, length_at);
    }

    /// Bytes of the body so far, resource and scope included.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether no span has been pushed since the start or the last [`take`](Self::take); such a body is not worth sending.
    pub fn is_empty(&self) -> bool {
        self.body.len() == self.prefix
    }

    /// The complete body of what was pushed; the encoder begins the next one.
    pub fn take(&mut self) -> Vec<u8> {
        // Bodies of one destination are about as large as each other: growing each anew would copy it whole.
        let mut next = Vec::with_capacity(self.body.len());
        next.extend_from_slice(self.body.get(..self.prefix).unwrap_or_default());
        let mut body = std::mem::replace(&mut self.body, next);
        patch_length(&mut body, 1);
        patch_length(&mut body, self.scope_spans);
        body
    }
}

/// Where in [`head`] the status without a message stands.
const STATUS: usize = 54;
/// Where in [`head`] the parent's id stands.
const PARENT: usize = STATUS + 4;
/// Bytes of [`head`].
const HEAD: usize = PARENT + 10;

/// What has the same size in every span, so that it is one copy: open length, ids, kind, start, end (0 for none), status
/// and parent; the last two are taken back where they are wrong.
#[inline(always)]
fn head(span: &Span<'_>) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[0] = tag(field::SPANS);
    head[6..8].copy_from_slice(&[tag(1), 16]);
    head[8..24].copy_from_slice(&span.trace_id.to_bytes());
    head[24..26].copy_from_slice(&[tag(2), 8]);
    head[26..34].copy_from_slice(&span.span_id.to_bytes());
    // SPAN_KIND_CLIENT for what calls a model, as the GenAI conventions have it, else SPAN_KIND_INTERNAL.
    let calls = matches!(span.span_type, SpanType::Generation | SpanType::Embedding);
    head[34..36].copy_from_slice(&[6 << 3, if calls { 3 } else { 1 }]);
    head[36] = 7 << 3 | 1;
    head[37..45].copy_from_slice(&span.start.0.to_le_bytes());
    head[45] = 8 << 3 | 1;
    head[46..54].copy_from_slice(&span.end.map_or(0, |end| end.0).to_le_bytes());
    head[STATUS..PARENT].copy_from_slice(&[tag(field::STATUS), 2, 3 << 3, status_code(span.status)]);
    head[PARENT..60].copy_from_slice(&[tag(4), 8]);
    head[60..].copy_from_slice(&span.parent_id.map_or(0, |id| id.to_int()).to_be_bytes());
    head
}

/// OTLP's `StatusCode`: unset, ok or error. The dialect tells apart what it cannot.
const fn status_code(status: Status) -> u8 {
    match status {
        Status::Running | Status::Cancelled | Status::Abandoned => 0,
        Status::Ok => 1,
        Status::Error | Status::Interrupted => 2,
    }
}

/// `Span.status` with a message, and for an error the `exception` event that Phoenix shows.
#[inline(never)]
fn put_status(out: &mut Vec<u8>, span: &Span<'_>, message: &str) {
    put_message(out, field::STATUS, |out| {
        put_bytes(out, 2, message.as_bytes());
        out.extend_from_slice(&[3 << 3, status_code(span.status)]);
    });
    if span.status == Status::Error {
        put_message(out, field::EVENTS, |out| {
            out.push(1 << 3 | 1);
            out.extend_from_slice(&span.end.unwrap_or(span.start).0.to_le_bytes());
            put_bytes(out, 2, b"exception");
            put_text(out, key!(EVENT_ATTRIBUTES, "exception.message"), message.as_bytes());
        });
    }
}
