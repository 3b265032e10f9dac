//! What only some spans have, and scores and metrics: events and links in OTLP's own fields, the rest as attributes.

use observe_model::{
    Details, Event, Failure, Link, Prompt, Record, ScoreValue, Span, SpanId, SpanType, Status, Target,
    Timestamp, TraceId,
};
use serde::Serialize;

use crate::otlp::{
    attributes::{Attributes, Budget, Unreadable, text_of},
    decoder::Rejection,
    protobuf::{
        EVENT_ATTRIBUTES, Field, LINK_ATTRIBUTES, Reader, SPAN_ATTRIBUTES as SPAN, key, put_any_attribute,
        put_bytes, put_double, put_message, put_text, put_texts,
    },
};

/// `Span.events` and `Span.links`.
const EVENTS: u8 = 11;
const LINKS: u8 = 13;

/// What a failure's sources travel under, also if it has none: by this it is told from the event that only repeats the status.
const SOURCES: &str = "observe.exception.sources";

/// Request parameters of the GenAI conventions, which have an attribute each.
const PARAMETERS: &[&str] = &[
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "stop_sequences",
    "frequency_penalty",
    "presence_penalty",
    "choice.count",
];

/// Appends what was said of a span beyond what nearly every span has.
pub(crate) fn put_details(out: &mut Vec<u8>, span: &Span<'_>, details: &Details) {
    let Details { states, events, links, errors, prompt, parameters, tools, time_to_first, trace } = details;
    if !states.is_empty() {
        put_text(out, key!(SPAN, "observe.states"), &json(states));
    }
    if let Some(prompt) = prompt {
        put_text(out, key!(SPAN, "gen_ai.prompt.name"), prompt.name.as_bytes());
        if let Some(version) = &prompt.version {
            put_text(out, key!(SPAN, "gen_ai.prompt.version"), version.as_bytes());
        }
    }
    if !parameters.is_empty() {
        put_text(out, key!(SPAN, "llm.invocation_parameters"), &json(parameters));
    }
    if let Some(tools) = tools {
        put_text(out, key!(SPAN, "gen_ai.tool.definitions"), tools.as_str().as_bytes());
    }
    if let Some(nanos) = time_to_first {
        put_double(out, key!(SPAN, "gen_ai.response.time_to_first_chunk"), *nanos as f64 / 1e9);
    }
    if let Some(trace) = trace {
        put_text(out, key!(SPAN, "observe.trace.said"), &json(trace));
    }
    for event in events {
        put_event(out, event.at, &event.name, |out| {
            event
                .attributes
                .iter()
                .for_each(|(key, value)| put_any_attribute(out, EVENT_ATTRIBUTES, key, value));
        });
    }
    for failure in errors {
        put_event(out, span.end.unwrap_or(span.start), "exception", |out| put_failure(out, failure));
    }
    for link in links {
        put_message(out, LINKS, |out| {
            put_bytes(out, 1, &link.trace_id.to_bytes());
            put_bytes(out, 2, &link.span_id.to_bytes());
            link.attributes
                .iter()
                .for_each(|(key, value)| put_any_attribute(out, LINK_ATTRIBUTES, key, value));
        });
    }
}

fn put_failure(out: &mut Vec<u8>, failure: &Failure) {
    if let Some(kind) = &failure.kind {
        put_text(out, key!(EVENT_ATTRIBUTES, "exception.type"), kind.as_bytes());
    }
    put_text(out, key!(EVENT_ATTRIBUTES, "exception.message"), failure.message.as_bytes());
    put_texts(out, EVENT_ATTRIBUTES, SOURCES, &failure.sources);
}

/// Appends an event.
pub(crate) fn put_event(out: &mut Vec<u8>, at: Timestamp, name: &str, attributes: impl FnOnce(&mut Vec<u8>)) {
    put_message(out, EVENTS, |out| {
        out.push(1 << 3 | 1);
        out.extend_from_slice(&at.0.to_le_bytes());
        put_bytes(out, 2, name.as_bytes());
        attributes(out);
    });
}

/// Reads what [`put_details`] writes as attributes.
pub(crate) fn read_attributes(span: &mut Span<'static>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    let mut details = Details {
        states: a.json_text("observe.states")?.unwrap_or_default(),
        parameters: a.object("llm.invocation_parameters")?.unwrap_or_default(),
        tools: a.text(&["gen_ai.tool.definitions"]).map(observe_model::Json::from_text),
        trace: a.json_text("observe.trace.said")?,
        ..Details::default()
    };
    for name in PARAMETERS {
        if let Some(value) = a.json(&[&format!("gen_ai.request.{name}")])? {
            details.parameters.entry(*name).or_insert(value);
        }
    }
    let version = a.text(&["gen_ai.prompt.version"]);
    details.prompt = a.text(&["gen_ai.prompt.name"]).map(|name| Prompt { name, version });
    let seconds = a.double(&["gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"]);
    details.time_to_first = seconds.filter(|s| *s >= 0.0).map(|seconds| (seconds * 1e9).round() as u64);
    if !details.is_empty() {
        span.details.get_or_insert_default().merge(details);
    }
    Ok(())
}

/// Reads a span's events and links. An `exception` that only repeats the status is none.
pub(crate) fn read_events(
    message: &[u8],
    span: &mut Span<'static>,
    budget: &mut Budget,
) -> Result<(), Rejection> {
    let mut fields = Reader::new(message);
    while let Some(field) = fields.next()? {
        match field {
            (11, Field::Bytes(event)) => {
                // What an event occupies, in values.
                budget.spend(4)?;
                read_event(event, span, budget)?;
            }
            (13, Field::Bytes(link)) => {
                budget.spend(4)?;
                if let Some(link) = read_link(link, budget)? {
                    span.details.get_or_insert_default().links.push(link);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_event(message: &[u8], span: &mut Span<'static>, budget: &mut Budget) -> Result<(), Rejection> {
    let (mut at, mut name) = (0, "");
    let mut fields = Reader::new(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Fixed64(nanos)) => at = nanos,
            (2, Field::Bytes(text)) => name = text_of(text)?,
            _ => {}
        }
    }
    let mut attributes = Attributes::read(message, EVENT_ATTRIBUTES, budget)?;
    if name != "exception" {
        let mut event = Event { name: name.to_owned(), at: Timestamp(at), ..Event::default() };
        attributes.rest_into(&mut event.attributes)?;
        span.details.get_or_insert_default().events.push(event);
        return Ok(());
    }
    let kind = attributes.text(&["exception.type"]);
    if kind.is_some() || attributes.has(SOURCES) {
        let message = attributes.text(&["exception.message"]).unwrap_or_default();
        let sources = attributes.all_texts(SOURCES)?;
        span.details.get_or_insert_default().errors.push(Failure { kind, message, sources });
    }
    Ok(())
}

/// Whether an `exception` event is one of [`put_details`], which says nothing of the status.
pub(crate) fn is_failure(attributes: &Attributes<'_>) -> bool {
    attributes.has(SOURCES)
}

fn read_link(message: &[u8], budget: &mut Budget) -> Result<Option<Link>, Rejection> {
    let (mut trace_id, mut span_id) = (None, None);
    let mut fields = Reader::new(message);
    while let Some(field) = fields.next()? {
        match field {
            (1, Field::Bytes(id)) => trace_id = id.try_into().ok().and_then(TraceId::from_bytes),
            (2, Field::Bytes(id)) => span_id = id.try_into().ok().and_then(SpanId::from_bytes),
            _ => {}
        }
    }
    let Some((trace_id, span_id)) = trace_id.zip(span_id) else { return Ok(None) };
    let mut link = Link { trace_id, span_id, attributes: observe_model::Metadata::new() };
    Attributes::read(message, LINK_ATTRIBUTES, budget)?.rest_into(&mut link.attributes)?;
    Ok(Some(link))
}

/// The attribute that holds a score or metric whole.
const RECORD: &str = "observe.record";

/// The span that carries a score or metric: OTLP's traces have no other place for one. It lies below the span that it is
/// about, or in its trace; one about a session is a trace of its own.
pub(crate) fn carrier(record: &Record) -> Span<'static> {
    let (what, id, name, target, at) = match record {
        Record::Score(score) => ("score", &score.id, &score.name, &score.target, score.at),
        Record::Metric(metric) => ("metric", &metric.id, &metric.name, &metric.target, metric.at),
    };
    let Target { trace_id, span_id, session } = target;
    let seed = format!("observe.{what}.{id}");
    let trace = trace_id.unwrap_or_else(|| TraceId::from_seed(&seed));
    let mut span = Span::begin(trace, SpanId::from_seed(&seed), format!("{what} {name}"), at);
    (span.parent_id, span.end, span.status) = (*span_id, Some(at), Status::Ok);
    span.span_type = if what == "score" { SpanType::Evaluator } else { SpanType::Event };
    span.attributes.to_mut().session.clone_from(session);
    if let Record::Metric(metric) = record {
        span.attributes.to_mut().tags.clone_from(&metric.tags);
    }
    span
}

/// Appends what a carrier says of its score or metric, also in OpenInference's words.
pub(crate) fn put_record(out: &mut Vec<u8>, record: &Record) {
    put_text(out, key!(SPAN, "observe.record"), &json(record));
    let Record::Score(score) = record else { return };
    put_text(out, key!(SPAN, "annotations.0.annotation.name"), score.name.as_bytes());
    match &score.value {
        ScoreValue::Numeric(number) => put_double(out, key!(SPAN, "annotations.0.annotation.score"), *number),
        ScoreValue::Boolean(value) => {
            put_text(
                out,
                key!(SPAN, "annotations.0.annotation.label"),
                if *value { b"true" } else { b"false" },
            );
        }
        ScoreValue::Categorical(text) | ScoreValue::Text(text) => {
            put_text(out, key!(SPAN, "annotations.0.annotation.label"), text.as_bytes());
        }
    }
    if let Some(comment) = &score.comment {
        put_text(out, key!(SPAN, "annotations.0.annotation.explanation"), comment.as_bytes());
    }
}

/// The score or metric that a span carries, if it does.
pub(crate) fn read_record(attributes: &mut Attributes<'_>) -> Result<Option<Record>, Unreadable> {
    attributes.json_text(RECORD)
}

/// As JSON text.
fn json(value: &impl Serialize) -> Vec<u8> {
    // Written to memory, of types whose keys are texts: cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}
