//! Writes spans into the body of an `ExportTraceServiceRequest`, each in one pass.

use std::borrow::Cow;

use observe_model::{Resource, Span, Status};

use super::protobuf::{
    EVENT_ATTRIBUTES, PADDED, key, patch_length, put_array, put_bytes, put_message, put_text, put_text_led,
    tag,
};
use crate::dialect::{
    known::{Scope, Site, Slots},
    openinference::{self, INPUT, OUTPUT, put_input, put_output, put_scope, put_site},
};

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

/// Where a span comes from, in numbers of the recording process: what spans of one origin share is encoded once.
///
/// A number stands for one thing as long as the encoder is used. Of a number that was seen before, only the span's type and
/// the addresses of the function's name and of the attributes are looked at: texts that were changed where they lie
/// would be sent as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// Its call site, which settles [`Span::code`]; 0 if unknown.
    pub site: u32,
    /// Its scope, which settles [`Span::attributes`]; 0 if unknown.
    pub stamp: u64,
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
    sites: Slots<Site, 256>,
    scopes: Slots<Scope, 64>,
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
        Self { prefix: body.len(), body, scope_spans, sites: Slots::default(), scopes: Slots::default() }
    }

    /// Adds one span, finished or not: one that still runs is sent without an end and with `observe.status`.
    ///
    /// Most platforms show only finished spans and keep the first version of a span that they see, so leave out
    /// spans without an end unless the receiver is known to update them in place.
    pub fn push(&mut self, span: &Span<'_>) {
        self.push_from(Origin::default(), span);
    }

    /// Adds one span like [`push`](Self::push), at two thirds of its price, with what it shares with spans of the same
    /// `origin` taken from them.
    pub fn push_from(&mut self, origin: Origin, span: &Span<'_>) {
        let out = &mut self.body;
        let begin = out.len();
        match span.parent_id {
            None => put_head(out, &ROOT, span),
            Some(_) => put_head(out, &CHILD, span),
        }
        if origin.site == 0 {
            put_site(out, span);
            put_input(out, &span.input);
        } else {
            let site = self.sites.of(origin.site.into()).encoded(origin.site, span);
            match short_json(&span.input, SHORT_INPUT) {
                Some(input) => put_text_led::<{ INPUT.0.len() }>(out, site, INPUT.1, input),
                None => {
                    out.extend_from_slice(site.get(..site.len() - INPUT.0.len()).unwrap_or_default());
                    put_input(out, &span.input);
                }
            }
        }
        let own = !span.metadata.is_empty();
        if origin.stamp == 0 || own {
            put_scope(out, &span.attributes, own);
            put_output(out, &span.output);
        } else {
            let scope = self.scopes.of(origin.stamp).encoded(origin.stamp, &span.attributes);
            match short_json(&span.output, SHORT_OUTPUT) {
                Some(output) => put_text_led::<{ OUTPUT.0.len() }>(out, scope, OUTPUT.1, output),
                None => {
                    out.extend_from_slice(scope.get(..scope.len() - OUTPUT.0.len()).unwrap_or_default());
                    put_output(out, &span.output);
                }
            }
        }
        if openinference::has_rest(span) | span.status_message.is_some() {
            put_rest(out, span);
        }
        patch_length(out, begin + 1);
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
        // One small body does not say that the next is; several do.
        let room = (self.body.len() + self.body.len() / 16).max(self.body.capacity() / 2);
        let mut next = Vec::with_capacity(room);
        next.extend_from_slice(self.body.get(..self.prefix).unwrap_or_default());
        let mut body = std::mem::replace(&mut self.body, next);
        patch_length(&mut body, 1);
        patch_length(&mut body, self.scope_spans);
        body
    }
}

/// The longest input whose lengths fit one byte each.
const SHORT_INPUT: usize = 0x80 - (INPUT.0.len() - INPUT.1);
/// The longest output whose lengths fit one byte each.
const SHORT_OUTPUT: usize = 0x80 - (OUTPUT.0.len() - OUTPUT.1);

/// `payload` if it is one of the many: JSON, but no JSON string, of at most `longest` bytes.
#[inline(always)]
fn short_json<'a>(payload: &'a Option<Cow<'_, str>>, longest: usize) -> Option<&'a [u8]> {
    payload
        .as_ref()
        .map(|json| json.as_bytes())
        .filter(|json| json.len() <= longest && !json.starts_with(b"\""))
}

/// Where the parent's id stands in [`CHILD`], and the name in [`ROOT`].
const PARENT: usize = 56;
/// What has the same size in every span without a parent, to be one copy: open length, ids, start, end, a status
/// without a message, and the name's length.
const ROOT: [u8; PARENT + 2] = head();
/// The same with a parent's id before the name.
const CHILD: [u8; PARENT + 12] = head();

const fn head<const N: usize>() -> [u8; N] {
    let mut head = [0; N];
    head[0] = tag(field::SPANS);
    (head[6], head[7]) = (tag(1), 16);
    (head[24], head[25]) = (tag(2), 8);
    head[34] = 7 << 3 | 1;
    head[43] = 8 << 3 | 1;
    (head[52], head[53], head[54]) = (tag(field::STATUS), 2, 3 << 3);
    (head[PARENT], head[PARENT + 1]) = (tag(4), 8);
    head[N - 2] = tag(field::NAME);
    head
}

/// Appends `head` with all but the span's length filled in, and the name.
#[inline(always)]
fn put_head<const N: usize>(out: &mut Vec<u8>, head: &[u8; N], span: &Span<'_>) {
    let head = put_array(out, head);
    head[8..24].copy_from_slice(&span.trace_id.to_bytes());
    head[26..34].copy_from_slice(&span.span_id.to_bytes());
    head[35..43].copy_from_slice(&span.start.0.to_le_bytes());
    head[44..52].copy_from_slice(&span.end.map_or(0, |end| end.0).to_le_bytes());
    head[55] = status_code(span.status);
    if let (true, Some(parent)) = (N == CHILD.len(), span.parent_id) {
        head[N - 10..N - 2].copy_from_slice(&parent.to_bytes());
    }
    let name = span.name.as_bytes();
    if name.len() < 0x80 {
        head[N - 1] = name.len() as u8;
        out.extend_from_slice(name);
    } else {
        out.truncate(out.len() - 2);
        put_bytes(out, field::NAME, name);
    }
}

/// Appends what only some spans have.
#[inline(never)]
fn put_rest(out: &mut Vec<u8>, span: &Span<'_>) {
    if let Some(message) = &span.status_message {
        put_status_message(out, span, message);
    }
    openinference::put_rest(out, span);
}

/// OTLP's `StatusCode`: unset, ok or error. The dialect tells apart what it cannot.
const fn status_code(status: Status) -> u8 {
    match status {
        Status::Running | Status::Cancelled | Status::Abandoned => 0,
        Status::Ok => 1,
        Status::Error | Status::Interrupted => 2,
    }
}

/// The message of `Span.status`, and for an error the `exception` event that Phoenix shows.
///
/// A message field that stands twice is merged: the code stands in the head.
fn put_status_message(out: &mut Vec<u8>, span: &Span<'_>, message: &str) {
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
