//! Posts to spans, scores and metrics.

use std::{borrow::Cow, collections::BTreeMap};

use observe_model::{
    Code, Cost, Json, Metadata, Metric, Record, Score, ScoreValue, Span, SpanId, State, Status, Target,
    Timestamp, TraceAttributes, TraceId,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    BATCH, METRICS, Measured, OWN, Own, REWARD, SCORES, SpanBody, TraceBody, UPSERT, bytes_of, type_of,
};
use crate::platform::{ReadError, Taken, from_micros, text_of};

#[derive(Debug, Deserialize)]
struct BatchBody {
    spans: Vec<SpanBody>,
}

/// What was posted of one trace: the latest state of it, and of each span, whichever came first.
#[derive(Debug, Default)]
struct Heard {
    trace: Option<TraceBody>,
    /// By id, with the place where each was first heard of.
    spans: BTreeMap<String, (usize, SpanBody)>,
}

impl Heard {
    fn take(&mut self, span: SpanBody) {
        let at = self.spans.len();
        match self.spans.get_mut(&span.span_id) {
            Some((_, known)) if known.update_id > span.update_id => {}
            Some((_, known)) => *known = span,
            None => drop(self.spans.insert(span.span_id.clone(), (at, span))),
        }
    }
}

/// Makes spans, scores and metrics of what is posted.
#[derive(Debug, Default)]
pub struct Reader {
    traces: BTreeMap<String, Heard>,
    taken: Taken,
}

impl Reader {
    /// Takes one post.
    ///
    /// # Errors
    /// If there is no such path, or the body is too large or not what the path takes.
    pub fn take(&mut self, path: &str, body: &[u8]) -> Result<(), ReadError> {
        match path {
            UPSERT => {
                let mut trace: TraceBody = self.taken.read(body)?;
                let spans = std::mem::take(&mut trace.trace_spans);
                spans.iter().try_for_each(check)?;
                let heard = self.traces.entry(trace.trace_id.clone()).or_default();
                spans.into_iter().for_each(|span| heard.take(span));
                if heard.trace.as_ref().is_none_or(|known| known.update_id <= trace.update_id) {
                    heard.trace = Some(trace);
                }
            }
            BATCH => {
                let BatchBody { spans } = self.taken.read(body)?;
                spans.iter().try_for_each(check)?;
                for span in spans {
                    self.traces.entry(span.trace_id.clone()).or_default().take(span);
                }
            }
            _ => return Err(ReadError::NoSuchPath(path.to_owned())),
        }
        Ok(())
    }

    /// The spans, those of a trace in the order in which they were heard of.
    pub fn spans(&self) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        for (name, heard) in &self.traces {
            let attributes = heard.trace.as_ref().map(TraceBody::attributes).unwrap_or_default();
            let mut bodies: Vec<_> = heard.spans.values().collect();
            bodies.sort_by_key(|(at, _)| *at);
            spans.extend(
                bodies.into_iter().filter_map(|(_, body)| span(trace_id_of(name), &attributes, body)),
            );
        }
        spans
    }

    /// The scores and metrics, those of a trace after each other.
    pub fn records(&self) -> Vec<Record> {
        let traces = self.traces.iter().filter_map(|(name, heard)| Some((name, heard.trace.as_ref()?)));
        traces.flat_map(|(name, trace)| records(name, trace)).collect()
    }
}

fn check(span: &SpanBody) -> Result<(), ReadError> {
    if span.span_id.is_empty() || from_micros(&span.created_at).is_none() {
        return Err(ReadError::Malformed("a span needs a `span_id` and, in UTC, `created_at`".to_owned()));
    }
    Ok(())
}

/// Our id of a trace that Trajectory knows by `name`: the one it was made from, else one that belongs to it.
fn trace_id_of(name: &str) -> TraceId {
    bytes_of(name).and_then(TraceId::from_bytes).unwrap_or_else(|| TraceId::from_seed(name))
}

fn span_id_of(trace: TraceId, name: &str) -> SpanId {
    // One of ours has the first bytes of its trace's.
    let ours = bytes_of(name).filter(|bytes| bytes[8..] == trace.to_bytes()[..8]);
    let ours = ours.and_then(|bytes| bytes[..8].try_into().ok()).and_then(SpanId::from_bytes);
    ours.unwrap_or_else(|| SpanId::from_seed(name))
}

fn span(trace: TraceId, attributes: &TraceAttributes, body: &SpanBody) -> Option<Span<'static>> {
    let start = from_micros(&body.created_at)?;
    let mut metadata = body.additional_metadata.clone().unwrap_or_default();
    let own = own(&mut metadata);
    let used = body.usage.clone().unwrap_or_default();
    let mut cost =
        Cost { input: used.prompt_tokens_cost_usd, output: used.completion_tokens_cost_usd, total: own.cost };
    if cost.total().is_none() {
        cost.total = used.total_cost_usd;
    }
    let (status, message) = match (&body.error, own.status) {
        (_, Some(status)) => (status, own.status_message),
        (Some(error), None) => (Status::Error, error.message.clone()),
        (None, None) if body.duration.is_some() => (Status::Ok, own.status_message),
        (None, None) => (Status::Running, own.status_message),
    };
    let mut span = Span {
        parent_id: body.parent_span_id.as_deref().map(|parent| span_id_of(trace, parent)),
        span_type: type_of(&body.span_type),
        status,
        status_message: message.map(Cow::Owned),
        level: own.level,
        end: body.duration.map(|seconds| Timestamp(start.0.saturating_add((seconds * 1e9).round() as u64))),
        input: text_of(input(body, own.input_is_value)),
        output: text_of(body.output.clone()),
        metadata: Cow::Owned(metadata),
        model: used.model_name.clone().map(Cow::Owned),
        usage: own.usage.unwrap_or_else(|| used.tokens()),
        cost,
        version: own.version.map(Cow::Owned),
        code: own.code.map(|(function, file, line)| Code {
            function: function.into(),
            file: file.into(),
            line,
        }),
        attributes: Cow::Owned(own.attributes.unwrap_or_else(|| attributes.clone())),
        details: own.details,
        dropped: own.dropped,
        ..Span::begin(trace, span_id_of(trace, &body.span_id), body.function.clone(), start)
    };
    // From others than us, states stand in their own fields alone.
    for (name, state) in [(State::BEFORE, &body.state_before), (State::AFTER, &body.state_after)] {
        let Some(state) = state else { continue };
        let states = &mut span.details.get_or_insert_default().states;
        if states.iter().all(|known| known.name != name) {
            states.push(State { name: name.to_owned(), value: state.clone() });
        }
    }
    Some(span)
}

/// Takes out of a span's metadata what Trajectory has no field for.
fn own(metadata: &mut Metadata) -> Own {
    let Some(Value::Object(mut own)) = metadata.get(OWN).cloned() else { return Own::default() };
    let taken = own.remove(OWN);
    let Ok(read) = serde_json::from_value(Value::Object(own)) else { return Own::default() };
    metadata.remove(OWN);
    if let Some(taken) = taken {
        metadata.insert(OWN.to_owned(), taken);
    }
    read
}

fn input(body: &SpanBody, is_value: bool) -> Option<Json> {
    #[derive(Deserialize)]
    struct Wrapped {
        input: Json,
    }
    let inputs = body.inputs.as_ref()?;
    let value = serde_json::from_str::<Wrapped>(inputs.as_str()).ok().filter(|_| is_value);
    Some(value.map_or_else(|| inputs.clone(), |wrapped| wrapped.input))
}

fn records(name: &str, trace: &TraceBody) -> Vec<Record> {
    fn read<T: DeserializeOwned>(metadata: &Metadata, key: &str) -> Option<T> {
        serde_json::from_value(metadata.get(key)?.clone()).ok()
    }
    let about = Target {
        trace_id: Some(trace_id_of(name)),
        session: trace.conversation_id.clone(),
        ..Target::default()
    };
    let scores: Vec<Score> = read(&trace.metadata, SCORES).unwrap_or_default();
    let rewards = match trace.metadata.get(REWARD) {
        // Of ours, the one number among the scores.
        Some(Value::Number(only)) if scores.is_empty() => vec![(REWARD.to_owned(), only.as_f64())],
        Some(Value::Object(named)) => {
            named.iter().map(|(name, value)| (name.clone(), value.as_f64())).collect()
        }
        _ => Vec::new(),
    };
    let metrics: Vec<Measured> = read(&trace.metadata, METRICS).unwrap_or_default();
    let at = from_micros(&trace.created_at).unwrap_or_default();
    let id = |what: &str| SpanId::from_seed(format!("{name} {what}")).to_string();
    // Those of ours are there twice.
    let others = rewards.into_iter().filter(|(name, _)| scores.iter().all(|score| score.name != *name));
    let others = others.filter_map(|(reward, value)| {
        let (id, value) = (id(&reward), ScoreValue::Numeric(value?));
        Some(Score { id, name: reward, value, target: about.clone(), at, ..Score::default() })
    });
    let mut records: Vec<_> = others.map(Record::Score).collect();
    records.extend(scores.iter().cloned().map(Record::Score));
    for (n, measured) in metrics.into_iter().enumerate() {
        records.push(Record::Metric(Metric {
            id: id(&n.to_string()),
            name: measured.event_name,
            value: measured.value,
            unit: measured.unit,
            tags: measured.tags,
            target: about.clone(),
            at: from_micros(&measured.ts).unwrap_or(at),
        }));
    }
    records
}
