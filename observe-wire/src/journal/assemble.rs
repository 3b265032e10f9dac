//! Makes a span of its entries.

use std::borrow::Cow;

use observe_model::{
    Code, Cost, Details, Level, Metadata, Span, SpanId, SpanType, Status, Timestamp, TraceAttributes,
    TraceId, TraceUpdate, Usage,
};
use serde::de::DeserializeOwned;

use crate::provider;

use super::{
    entry::{Ending, Entry, Field, Payload, Start},
    fields, lenient,
    notes::SiteNote,
    render::render,
};

/// The entries of one span.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The fixed part of its start.
    pub start: Start,
    /// The payload of its start.
    pub input: Option<Payload<'a>>,
    /// The place that began it.
    pub site: Option<&'a SiteNote<'a>>,
    /// What was said of it, in the order of their clocks.
    pub changes: &'a [Entry<'a>],
    /// Its end.
    pub end: Option<Entry<'a>>,
    /// The attributes of the scope that it began in.
    pub attributes: Option<&'a TraceAttributes>,
}

/// What is shown for a value that the journal had no room for.
pub(crate) const LOST: &str = r#"{"$error":"not recorded: the journal was full"}"#;

/// The JSON payload of an entry, as a value.
pub fn note<T: DeserializeOwned>(entry: &Entry<'_>) -> Option<T> {
    entry.payload().and_then(value)
}

/// JSON text of a payload.
#[inline]
pub(super) fn text(payload: Payload<'_>) -> Cow<'_, str> {
    match payload {
        // Text unless the bytes come from a damaged file.
        Payload::Json(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(bytes),
        },
        Payload::Raw(bytes) => render(bytes),
        Payload::Lost => Cow::Borrowed(LOST),
    }
}

fn value<T: DeserializeOwned>(payload: Payload<'_>) -> Option<T> {
    lenient::read(&text(payload))
}

/// Makes the span of these entries, running if there is no end, and lends it to `give`; none if its ids are none.
/// `to_wall` converts ticks.
// A span is large: built in place and lent, it is never copied.
#[inline(always)]
pub fn assemble<'a, R>(
    parts: &Parts<'a>,
    to_wall: impl Fn(u64) -> Timestamp,
    give: impl FnOnce(&mut Span<'a>) -> R,
) -> Option<R> {
    let start = &parts.start;
    let (name, span_type, level) =
        parts.site.map_or(("", SpanType::Span, Level::Default), |s| (&*s.name, s.span_type, s.level));
    let (trace_id, span_id) = (TraceId::from_int(start.trace)?, SpanId::from_int(start.span)?);
    let mut span = Span::begin(trace_id, span_id, name, to_wall(start.ticks));
    span.parent_id = SpanId::from_int(start.parent);
    (span.span_type, span.level) = (span_type, level);
    span.input = parts.input.map(text);
    if let Some(attributes) = parts.attributes {
        span.version = attributes.version.as_deref().map(Cow::Borrowed);
        span.attributes = Cow::Borrowed(attributes);
    }
    span.code = parts.site.filter(|site| !site.file.is_empty()).map(code);
    if start.given_parent {
        span.details.get_or_insert_default().given_parent = true;
    }
    if let Some(entry) = &parts.end {
        span.end = Some(to_wall(entry.ticks()));
        end(&mut span, entry);
    }
    if !parts.changes.is_empty() {
        say(&mut span, parts.changes, to_wall);
    }
    if provider::is_model_call(span.span_type) {
        provider::fill(&mut span);
    }
    if span.name.is_empty() {
        span.name = unnamed(&span);
    }
    Some(give(&mut span))
}

/// What a span is called that was given no name: by its type, or like `chat gpt-4o`, as the GenAI conventions have it.
#[cold]
fn unnamed(span: &Span<'_>) -> Cow<'static, str> {
    match (span.span_type, &span.model) {
        (SpanType::Generation, Some(model)) => Cow::Owned(format!("chat {model}")),
        (SpanType::Embedding, Some(model)) => Cow::Owned(format!("embeddings {model}")),
        (span_type, _) => Cow::Borrowed(span_type.as_str()),
    }
}

/// Where a site is.
pub(super) fn code<'a>(site: &'a SiteNote<'_>) -> Code<'a> {
    Code { function: Cow::Borrowed(&*site.function), file: Cow::Borrowed(&*site.file), line: site.line }
}

#[inline(always)]
fn end<'a>(span: &mut Span<'a>, entry: &Entry<'a>) {
    let payload = entry.payload();
    match Ending::of(entry.code) {
        Some(Ending::Returned) | None => {
            span.status = Status::Ok;
            span.output = payload.map(text);
        }
        Some(Ending::Error | Ending::Panicked) => fail(span, payload.and_then(value)),
        Some(Ending::Cancelled) => span.status = Status::Cancelled,
        Some(Ending::Abandoned) => {
            span.status = Status::Abandoned;
            span.output = payload.map(text);
        }
    }
}

/// A span that still runs stays so, whatever was said of it.
fn fail(span: &mut Span<'_>, message: Option<String>) {
    if span.end.is_some() {
        span.status = Status::Error;
    }
    span.level = Level::Error;
    span.status_message = message.map(Cow::Owned);
}

/// Applies what was said of a span, in order: over what it returned, so that the last word counts.
#[inline(never)]
fn say<'a>(span: &mut Span<'a>, changes: &[Entry<'a>], to_wall: impl Fn(u64) -> Timestamp) {
    for entry in changes {
        change(span, entry, &to_wall);
    }
    let Some(Details { trace: Some(trace), .. }) = span.details.as_deref() else { return };
    span.attributes.to_mut().merge(&trace.attributes);
    // Where a platform knows no status of a trace, it is its root's.
    if let (Some(message), None) = (&trace.failed, span.parent_id) {
        let message = span.status_message.take().map_or_else(|| message.clone(), Cow::into_owned);
        fail(span, Some(message));
    }
}

fn change<'a>(span: &mut Span<'a>, entry: &Entry<'a>, to_wall: impl Fn(u64) -> Timestamp) {
    let (Some(field), Some(payload)) = (Field::of(entry.code), entry.payload()) else { return };
    let owned = || value::<String>(payload).map(Cow::Owned);
    match field {
        Field::Input => span.input = Some(text(payload)),
        Field::Output => span.output = Some(text(payload)),
        Field::Name => span.name = owned().unwrap_or_default(),
        Field::Model => span.model = owned(),
        Field::Version => span.version = owned(),
        Field::Metadata => span.metadata.to_mut().extend(value::<Metadata>(payload).unwrap_or_default()),
        Field::Usage => span.usage = value::<Usage>(payload).unwrap_or_default(),
        Field::Cost => span.cost = value::<Cost>(payload).unwrap_or_default(),
        Field::Level => span.level = value(payload).unwrap_or(span.level),
        Field::Failed => fail(span, value(payload)),
        Field::InputFields => span.input = fields::laid_over(span.input.take(), &text(payload)),
        Field::SpanType => span.span_type = value(payload).unwrap_or(span.span_type),
        Field::Details => {
            let mut said = value::<Details>(payload).unwrap_or_default();
            for event in said.events.iter_mut().filter(|event| event.at == Timestamp::default()) {
                event.at = to_wall(entry.ticks());
            }
            span.details.get_or_insert_default().merge(said);
        }
        Field::Trace => {
            let mut said = value::<TraceUpdate>(payload).unwrap_or_default();
            said.at = to_wall(entry.ticks());
            span.details.get_or_insert_default().trace.get_or_insert_default().merge(said);
        }
        Field::Message => span.status_message = owned(),
        Field::Tags => {
            let attributes = span.attributes.to_mut();
            value::<Vec<String>>(payload)
                .unwrap_or_default()
                .into_iter()
                .for_each(|tag| attributes.add_tag(tag));
        }
        Field::First => {
            let first = to_wall(entry.ticks()).since(span.start);
            span.details.get_or_insert_default().time_to_first = Some(first);
        }
    }
}
