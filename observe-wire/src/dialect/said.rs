//! What is the same in every dialect, since OTLP has its own fields for it: events and links; and scores and metrics, each
//! as a span that carries it.

use observe_model::{
    Details, Event, Failure, Link, Record, Score, ScoreValue, Span, SpanId, SpanType, Status, Target,
    Timestamp, TraceId,
};
use serde_json::Value;

use super::{Dialect, futureagi, genai, own::json};
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

/// The event that the GenAI conventions have for a score.
pub(crate) const EVALUATION: &str = "gen_ai.evaluation.result";

/// What a failure's sources travel under, also if it has none: by this it is told from the event that only repeats the status.
const SOURCES: &str = "observe.exception.sources";

/// Appends the events and links that were said of a span.
pub(crate) fn put_events(out: &mut Vec<u8>, span: &Span<'_>, details: &Details) {
    for event in &details.events {
        put_event(out, event.at, &event.name, |out| {
            event
                .attributes
                .iter()
                .for_each(|(key, value)| put_any_attribute(out, EVENT_ATTRIBUTES, key, value));
        });
    }
    for failure in &details.errors {
        put_event(out, span.end.unwrap_or(span.start), "exception", |out| put_failure(out, failure));
    }
    for link in &details.links {
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

/// Whether an `exception` event is one of [`put_events`], which says nothing of the status.
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

/// Appends what a carrier says of its score or metric, also in the dialect's words.
pub(crate) fn put_record(out: &mut Vec<u8>, record: &Record, dialect: Dialect) {
    put_text(out, key!(SPAN, "observe.record"), &json(record));
    let Record::Score(score) = record else { return };
    match dialect {
        Dialect::OpenInference | Dialect::Langfuse | Dialect::InteractiveAi => put_annotation(out, score),
        Dialect::GenAi | Dialect::GenAiLegacy => genai::put_evaluation(out, score),
        Dialect::FutureAgi => futureagi::put_evaluation(out, score),
    }
}

/// Appends a score in OpenInference's words.
fn put_annotation(out: &mut Vec<u8>, score: &Score) {
    put_text(out, key!(SPAN, "annotations.0.annotation.name"), score.name.as_bytes());
    if let ScoreValue::Numeric(number) = score.value {
        put_double(out, key!(SPAN, "annotations.0.annotation.score"), number);
    }
    if let Some(label) = label(&score.value) {
        put_text(out, key!(SPAN, "annotations.0.annotation.label"), label.as_bytes());
    }
    if let Some(comment) = &score.comment {
        put_text(out, key!(SPAN, "annotations.0.annotation.explanation"), comment.as_bytes());
    }
}

/// What a score says in words.
pub(crate) fn label(value: &ScoreValue) -> Option<&str> {
    match value {
        ScoreValue::Numeric(_) => None,
        ScoreValue::Boolean(true) => Some("true"),
        ScoreValue::Boolean(false) => Some("false"),
        ScoreValue::Categorical(text) | ScoreValue::Text(text) => Some(text),
    }
}

/// The score or metric that a span carries, if it does.
pub(crate) fn read_record(attributes: &mut Attributes<'_>) -> Result<Option<Record>, Unreadable> {
    attributes.json_text(RECORD)
}

/// Takes from a span the scores that its sender says as events of it, as the GenAI conventions have it.
pub(crate) fn take_evaluations(span: &mut Span<'static>) -> Vec<Record> {
    let Some(details) = &mut span.details else { return Vec::new() };
    let target = Target {
        trace_id: Some(span.trace_id),
        span_id: Some(span.span_id),
        session: span.attributes.session.clone(),
    };
    let mut scores = Vec::new();
    details.events.retain(|event| {
        let Some(score) = evaluation(event) else { return true };
        // The same when it is sent again.
        let id = format!("{}.{}.{}", span.trace_id, span.span_id, scores.len());
        scores.push(Record::Score(Score { id, target: target.clone(), ..score }));
        false
    });
    if details.is_empty() {
        span.details = None;
    }
    scores
}

const NAME: &str = "gen_ai.evaluation.name";
const NUMBER: &str = "gen_ai.evaluation.score.value";
const LABEL: &str = "gen_ai.evaluation.score.label";
const EXPLANATION: &str = "gen_ai.evaluation.explanation";

fn evaluation(event: &Event) -> Option<Score> {
    let said = Some(&event.attributes).filter(|_| event.name == EVALUATION)?;
    let text = |key| said.get(key).and_then(Value::as_str).map(str::to_owned);
    let (taken, value) = match (said.get(NUMBER).and_then(Value::as_f64), text(LABEL)) {
        (Some(number), _) => (NUMBER, ScoreValue::Numeric(number)),
        (None, Some(label)) => (LABEL, ScoreValue::Categorical(label)),
        (None, None) => return None,
    };
    let mut metadata = said.clone();
    metadata.retain(|key, _| ![NAME, taken, EXPLANATION].contains(&key.as_str()));
    Some(Score {
        name: text(NAME)?,
        value,
        at: event.at,
        comment: text(EXPLANATION),
        metadata,
        ..Score::default()
    })
}
