//! Writes spans into the body of an `ExportTraceServiceRequest`, each in one pass.

use observe_model::{Record, Resource, Span, SpanId, Status, TraceId};

use super::protobuf::{
    EVENT_ATTRIBUTES, PADDED, RESOURCE_ATTRIBUTES, SCOPE_ATTRIBUTES, key, patch_length, put_bytes,
    put_message, put_text, put_text_attribute, put_text_led, tag,
};
use crate::{
    dialect::{
        Dialect, Extras,
        known::{Scope, Site, Slots},
        openinference::{self, INPUT, OUTPUT, put_input, put_output},
        said,
    },
    journal::{Plain, assemble::LOST, entry::Payload, render::render_into},
};

/// `ExportTraceServiceRequest.resource_spans`, `ResourceSpans.resource`, `ResourceSpans.scope_spans`, ...
mod field {
    pub(super) const RESOURCE_SPANS: u8 = 1;
    pub(super) const RESOURCE: u8 = 1;
    pub(super) const SCOPE_SPANS: u8 = 2;
    pub(super) const SCOPE: u8 = 1;
    pub(super) const SPANS: u8 = 2;
    pub(super) const NAME: u8 = 5;
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
    dialect: Dialect,
    resource: Resource,
    unfit: Option<&'static str>,
    sites: Slots<Site, 256>,
    scopes: Slots<Scope, 64>,
}

impl Encoder {
    /// An encoder for the spans that the process of `resource` recorded, in OpenInference.
    pub fn new(resource: &Resource) -> Self {
        Self::in_dialect(resource, Dialect::OpenInference, &Extras::default())
    }

    /// An encoder for the spans that the process of `resource` recorded, in the words that one platform understands.
    ///
    /// Only OpenInference has the fast [`push_plain`](Self::push_plain).
    pub fn in_dialect(resource: &Resource, dialect: Dialect, extras: &Extras) -> Self {
        let mut body = Vec::new();
        body.push(tag(field::RESOURCE_SPANS));
        body.extend_from_slice(&[0; PADDED]);
        put_message(&mut body, field::RESOURCE, |out| {
            let is_replaced = |key: &str| extras.resource.iter().any(|(k, _)| k == key);
            for (key, text) in dialect.resource(resource).into_iter().filter(|(key, _)| !is_replaced(key)) {
                put_text_attribute(out, RESOURCE_ATTRIBUTES, key, &text);
            }
            for (key, text) in &extras.resource {
                put_text_attribute(out, RESOURCE_ATTRIBUTES, key, text);
            }
        });
        body.push(tag(field::SCOPE_SPANS));
        let scope_spans = body.len();
        body.extend_from_slice(&[0; PADDED]);
        put_message(&mut body, field::SCOPE, |out| {
            put_bytes(out, 1, extras.scope_name.as_ref().map_or(dialect.scope(), |name| name.as_bytes()));
            put_bytes(out, 2, env!("CARGO_PKG_VERSION").as_bytes());
            for (key, text) in &extras.scope {
                put_text_attribute(out, SCOPE_ATTRIBUTES, key, text);
            }
        });
        Self {
            prefix: body.len(),
            body,
            scope_spans,
            dialect,
            resource: resource.clone(),
            unfit: None,
            sites: Slots::default(),
            scopes: Slots::default(),
        }
    }

    /// Adds one span, finished or not: one that still runs is sent without an end and with `observe.status`.
    ///
    /// Most platforms show only finished spans and keep the first version of a span that they see, so leave out
    /// spans without an end unless the receiver is known to update them in place.
    pub fn push(&mut self, span: &Span<'_>) {
        self.push_with(span, |_| {});
    }

    /// Adds a score or metric: as a span of no length below what it is about, which our own reader takes for what it is.
    pub fn push_record(&mut self, record: &Record) {
        let dialect = self.dialect;
        self.push_with(&said::carrier(record), |out| said::put_record(out, record, dialect));
    }

    fn push_with(&mut self, span: &Span<'_>, more: impl FnOnce(&mut Vec<u8>)) {
        let out = &mut self.body;
        let begin = out.len();
        put_head(out, span.parent_id.is_some(), &span.name);
        self.dialect.put(out, span, &self.resource);
        self.unfit = self.unfit.or_else(|| self.dialect.unfit(span));
        fill_head(
            out,
            begin,
            &Head {
                trace_id: span.trace_id,
                span_id: span.span_id,
                parent_id: span.parent_id,
                start: span.start.0,
                end: span.end.map_or(0, |end| end.0),
                status: self.dialect.status_code(span.status),
            },
        );
        if let Some(message) = &span.status_message {
            put_status_message(out, span, message, self.dialect);
        }
        if let Some(details) = &span.details {
            said::put_events(out, span, details);
        }
        more(out);
        patch_length(out, begin + 1);
    }

    /// Adds one span like [`push`](Self::push), with the same bytes, at a fraction of the price: what it shares with
    /// spans of its site and of its scope is taken from them.
    ///
    /// A site and its number, and attributes and theirs, stay what they are as long as the encoder is used.
    #[inline]
    pub fn push_plain(&mut self, span: &Plain<'_>) {
        if self.dialect != Dialect::OpenInference {
            return self.push(&span.to_span());
        }
        let out = &mut self.body;
        let begin = out.len();
        let parent_id = span.parent_id();
        let site = Site::key(span.site_number(), parent_id.is_some());
        let encoded = self.sites.of(site).encoded(site, span.site.0, |out| learn(out, span));
        out.extend_from_slice(encoded);
        fill_head(
            out,
            begin,
            &Head {
                trace_id: span.trace_id,
                span_id: span.span_id,
                parent_id,
                start: span.began.0,
                end: span.ended.0,
                status: const { Dialect::OpenInference.status_code(Status::Ok) },
            },
        );
        let stamp = span.stamp();
        let scope = self.scopes.of(stamp).encoded(stamp, span.attributes);
        match span.input() {
            Some(Payload::Json(input)) if is_short(input, SHORT_INPUT) => {
                put_text_led::<{ INPUT.0.len() }>(out, scope, INPUT.1, input);
            }
            _ => {
                out.extend_from_slice(scope.get(..scope.len() - INPUT.0.len()).unwrap_or_default());
                put_payload(out, span, Plain::input, put_input);
            }
        }
        match span.output() {
            Some(Payload::Json(output)) if is_short(output, SHORT_OUTPUT) => {
                put_text_led::<{ OUTPUT.0.len() }>(out, OUTPUT.0, OUTPUT.1, output);
            }
            _ => put_payload(out, span, Plain::output, put_output),
        }
        patch_length(out, begin + 1);
    }

    /// Why the platform was not told all of what some span says of its session, user and so on, for one warning; `None` if it
    /// was. Our own reader finds it all.
    ///
    /// ```
    /// # use observe_model::{Span, SpanId, Timestamp, TraceId};
    /// # use observe_wire::{Dialect, Encoder, Extras};
    /// let mut span = Span::begin(TraceId::from_seed("a"), SpanId::from_seed("b"), "retrieve", Timestamp::now());
    /// span.attributes.to_mut().session = Some("s".repeat(201));
    /// for (dialect, why) in [
    ///     (Dialect::OpenInference, None),
    ///     (Dialect::Langfuse, Some("a session id may have at most 200 characters")),
    /// ] {
    ///     let mut encoder = Encoder::in_dialect(&Default::default(), dialect, &Extras::default());
    ///     encoder.push(&span);
    ///     assert_eq!(encoder.unfit(), why);
    /// }
    /// ```
    pub fn unfit(&self) -> Option<&'static str> {
        self.unfit
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
        self.take_for(Vec::with_capacity(room))
    }

    /// [`take`](Self::take), with the memory of `next` for the next body: one that was sent, and need not be got anew.
    pub fn take_for(&mut self, mut next: Vec<u8>) -> Vec<u8> {
        next.clear();
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

/// Whether `payload` is one of the many: JSON, but no JSON string, of at most `longest` bytes.
#[inline(always)]
fn is_short(payload: &[u8], longest: usize) -> bool {
    payload.len() <= longest && payload.first() != Some(&b'"')
}

/// Appends by `put` what a plain span was given or gave, of any kind: `get` says it again, so that it need not lie in memory
/// where it is one of the many.
#[inline(never)]
fn put_payload<'a>(
    out: &mut Vec<u8>,
    span: &Plain<'a>,
    get: impl FnOnce(&Plain<'a>) -> Option<Payload<'a>>,
    put: impl FnOnce(&mut Vec<u8>, &[u8]),
) {
    match get(span) {
        None => {}
        Some(Payload::Json(json)) => put(out, json),
        Some(Payload::Raw(captured)) => {
            let mut json = Vec::new();
            render_into(captured, &mut json);
            put(out, &json);
        }
        Some(Payload::Lost) => put(out, LOST.as_bytes()),
    }
}

/// What differs in the heads of spans.
struct Head {
    trace_id: TraceId,
    span_id: SpanId,
    parent_id: Option<SpanId>,
    start: u64,
    end: u64,
    status: u8,
}

/// Length of what every span begins with: its own length, ids, start, end, and a status without a message.
const HEAD: usize = 56;
/// The same with a parent's id.
const CHILD_HEAD: usize = HEAD + 10;

/// A head with everything left open that differs.
const EMPTY_HEAD: [u8; CHILD_HEAD] = {
    let mut head = [0; CHILD_HEAD];
    head[0] = tag(field::SPANS);
    (head[6], head[7]) = (tag(1), 16);
    (head[24], head[25]) = (tag(2), 8);
    head[34] = 7 << 3 | 1;
    head[43] = 8 << 3 | 1;
    (head[52], head[53], head[54]) = (tag(field::STATUS), 2, 3 << 3);
    (head[HEAD], head[HEAD + 1]) = (tag(4), 8);
    head
};

/// Appends a head that [`fill_head`] fills in, and the name.
fn put_head(out: &mut Vec<u8>, has_parent: bool, name: &str) {
    out.extend_from_slice(if has_parent { &EMPTY_HEAD } else { &EMPTY_HEAD[..HEAD] });
    put_bytes(out, field::NAME, name.as_bytes());
}

/// Fills in the head of the span that begins at `begin`, but for its length.
#[inline(always)]
fn fill_head(out: &mut [u8], begin: usize, head: &Head) {
    // A span is longer than its head: its name and its kind follow.
    let Some(to) = out.get_mut(begin..).and_then(|out| out.first_chunk_mut::<CHILD_HEAD>()) else { return };
    to[8..24].copy_from_slice(&head.trace_id.to_bytes());
    to[26..34].copy_from_slice(&head.span_id.to_bytes());
    to[35..43].copy_from_slice(&head.start.to_le_bytes());
    to[44..52].copy_from_slice(&head.end.to_le_bytes());
    to[55] = head.status;
    if let Some(parent) = head.parent_id {
        to[HEAD + 2..CHILD_HEAD].copy_from_slice(&parent.to_bytes());
    }
}

/// Appends what all plain spans of a site have in common, by the example of one.
#[cold]
#[inline(never)]
fn learn(out: &mut Vec<u8>, span: &Plain<'_>) {
    let span = span.to_span();
    put_head(out, span.parent_id.is_some(), &span.name);
    openinference::put_site(out, &span);
}

/// The message of `Span.status`, and for an error the `exception` event that Phoenix shows.
///
/// A message field that stands twice is merged: the code stands in the head.
fn put_status_message(out: &mut Vec<u8>, span: &Span<'_>, message: &str, dialect: Dialect) {
    put_message(out, field::STATUS, |out| {
        put_bytes(out, 2, message.as_bytes());
        out.extend_from_slice(&[3 << 3, dialect.status_code(span.status)]);
    });
    let is_told = span.details.as_deref().is_some_and(|details| !details.errors.is_empty());
    if span.status == Status::Error && !is_told {
        said::put_event(out, span.end.unwrap_or(span.start), "exception", |out| {
            put_text(out, key!(EVENT_ATTRIBUTES, "exception.message"), message.as_bytes());
        });
    }
}
