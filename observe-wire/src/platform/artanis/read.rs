//! Posts to spans and scores.

use std::{borrow::Cow, collections::BTreeMap};

use observe_model::{
    Json, Metadata, Score, ScoreValue, Span, SpanId, State, Status, Target, Timestamp, TraceAttributes,
    TraceId,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    At, COST, ENVIRONMENT, FEEDBACK, FEEDBACK_NAME, Failed, Feedback, Kind, LEVEL, MODEL, OBSERVATIONS,
    Observation, PUBLIC, Phase, RELEASE, Step, TAGS, TRACES, TYPE, TraceBody, USAGE, USER, VERSION,
    trace_id_of,
};
use crate::platform::{ReadError, Taken, text_of};

impl Step {
    fn into_span(self, trace_id: TraceId, root: SpanId) -> Option<Span<'static>> {
        let start = self.start?;
        Some(Span {
            parent_id: Some(self.parent_id.unwrap_or(root)),
            span_type: self.span_type.unwrap_or_default(),
            status: self.status.unwrap_or_default(),
            status_message: self.error.map(Cow::Owned),
            level: self.level,
            end: self.end,
            input: text_of(self.input),
            output: text_of(self.output),
            metadata: Cow::Owned(self.metadata),
            model: self.model.map(Cow::Owned),
            usage: self.usage,
            cost: self.cost,
            version: self.version.map(Cow::Owned),
            details: self.details,
            dropped: self.dropped,
            ..Span::begin(trace_id, self.span_id?, self.name.unwrap_or_default(), start)
        })
    }
}

/// Takes out of a trace's metadata what the writer put there.
fn read_metadata(mut metadata: Metadata, root: &mut Span<'_>, session: Option<String>) {
    fn take<T: DeserializeOwned>(metadata: &mut Metadata, key: &str) -> Option<T> {
        let value = serde_json::from_value(metadata.get(key)?.clone()).ok();
        if value.is_some() {
            metadata.remove(key);
        }
        value
    }
    let metadata = &mut metadata;
    let mut attributes = TraceAttributes {
        session,
        user: take(metadata, USER),
        version: take(metadata, VERSION),
        release: take(metadata, RELEASE),
        environment: take(metadata, ENVIRONMENT),
        public: take(metadata, PUBLIC),
        ..TraceAttributes::default()
    };
    let tags: Vec<String> = take(metadata, TAGS).unwrap_or_default();
    tags.into_iter().for_each(|tag| attributes.add_tag(tag));
    root.model = take::<String>(metadata, MODEL).map(Cow::Owned);
    root.span_type = take(metadata, TYPE).unwrap_or_default();
    root.level = take(metadata, LEVEL).unwrap_or_default();
    root.usage = take(metadata, USAGE).unwrap_or_default();
    root.cost = take(metadata, COST).unwrap_or_default();
    attributes.metadata = std::mem::take(metadata);
    root.attributes = Cow::Owned(attributes);
}

/// What was posted of one trace.
#[derive(Debug, Default)]
struct Heard {
    trace: Option<TraceBody>,
    input: Option<(At, Json)>,
    output: Option<(At, Json)>,
    /// Key and value, of which time does the sorting.
    states: Vec<(At, String, Json)>,
}

impl Heard {
    fn take(&mut self, Observation { kind, data, timestamp, key, .. }: Observation) {
        let latest = |slot: &mut Option<(At, Json)>| {
            if slot.as_ref().is_none_or(|(at, _)| *at <= timestamp) {
                *slot = Some((timestamp, data.clone()));
            }
        };
        match kind {
            Kind::Input => latest(&mut self.input),
            Kind::Output => latest(&mut self.output),
            Kind::State => self.states.push((timestamp, key.unwrap_or_default(), data)),
        }
    }

    fn spans(&self, name: &str, out: &mut Vec<Span<'static>>) {
        let trace_id = trace_id_of(name);
        let (mut states, mut steps, mut rest) = (Vec::new(), Vec::new(), Step::default());
        let mut by_time: Vec<_> = self.states.iter().collect();
        by_time.sort_by_key(|(at, ..)| *at);
        for (_, key, data) in by_time {
            match serde_json::from_str::<Step>(data.as_str()) {
                Ok(step) if step.span_id.is_some() && step.start.is_some() => steps.push(step),
                Ok(step) if step.span_id.is_some() => rest = step,
                _ => states.push(State { name: key.clone(), value: data.clone() }),
            }
        }
        let root_id = rest.span_id.unwrap_or_else(|| SpanId::from_seed(name));
        let root = self.root(trace_id, root_id, rest, states);
        let attributes = root.as_ref().map(|root| root.attributes.clone()).unwrap_or_default();
        let steps = steps.into_iter().filter_map(|step| step.into_span(trace_id, root_id));
        let steps = steps.map(|step| Span { attributes: attributes.clone(), ..step });
        let at = out.len();
        out.extend(steps);
        if let Some(root) = root {
            out.insert(at, root);
        }
    }

    fn root(&self, trace_id: TraceId, id: SpanId, rest: Step, states: Vec<State>) -> Option<Span<'static>> {
        let body = self.trace.clone()?;
        let mut root = Span::begin(trace_id, id, body.name, body.timestamp.0);
        read_metadata(body.metadata, &mut root, body.group_id);
        let mut details = rest.details.unwrap_or_default();
        details.states = states;
        let (said_input, said_output) =
            details.trace.as_ref().map_or((false, false), |t| (t.input.is_some(), t.output.is_some()));
        let posted = |slot: &Option<(At, Json)>| slot.as_ref().map(|(_, json)| json.clone());
        root.input = text_of(if said_input { rest.input } else { posted(&self.input) });
        let output = posted(&self.output).filter(|json| *json != Json::default());
        let failed = output.as_ref().and_then(|json| serde_json::from_str::<Failed>(json.as_str()).ok());
        let (output, has_ended) = match failed {
            Some(Failed { error, status, output }) => {
                (root.status, root.status_message) = (status, error.map(Cow::Owned));
                (output, true)
            }
            None => {
                let has_ended = body.status == Phase::Completed;
                root.status = if has_ended { Status::Ok } else { Status::Running };
                root.status_message = rest.error.map(Cow::Owned);
                (output, has_ended)
            }
        };
        root.output = text_of(if said_output { rest.output } else { output });
        let lasted = body
            .duration_ms
            .map(|millis| body.timestamp.0.0.saturating_add(millis.saturating_mul(1_000_000)));
        let ended = self.output.as_ref().map(|(at, _)| at.0).or(lasted.map(Timestamp));
        root.end = ended.filter(|_| has_ended && body.duration_ms.is_some());
        if let Some(name) = rest.name {
            let posted = std::mem::replace(&mut root.name, Cow::Owned(name));
            root.attributes.to_mut().name = Some(posted.into_owned());
        }
        root.version = rest.version.map(Cow::Owned);
        root.dropped = rest.dropped;
        root.details = (!details.is_empty()).then_some(details);
        Some(root)
    }
}

/// Makes spans and scores of what is posted, in whatever order it comes: times decide.
#[derive(Debug, Default)]
pub struct Reader {
    traces: BTreeMap<String, Heard>,
    scores: Vec<Score>,
    taken: Taken,
}

impl Reader {
    /// Takes one post.
    ///
    /// # Errors
    /// If there is no such path, or the body is too large or not what the path takes.
    pub fn take(&mut self, path: &str, body: &[u8]) -> Result<(), ReadError> {
        match path {
            TRACES => {
                let trace: TraceBody = self.taken.read(body)?;
                let heard = &mut self.traces.entry(trace.trace_id.clone()).or_default().trace;
                if heard.as_ref().is_none_or(|known| known.status == Phase::Running) {
                    *heard = Some(trace);
                }
            }
            OBSERVATIONS => {
                let observation: Observation = self.taken.read(body)?;
                self.traces.entry(observation.trace_id.clone()).or_default().take(observation);
            }
            FEEDBACK => {
                let feedback: Feedback = self.taken.read(body)?;
                let score = score(feedback, SpanId::from_seed(body))
                    .ok_or_else(|| ReadError::Malformed("the rating is no number and no word".to_owned()))?;
                self.scores.push(score);
            }
            _ => return Err(ReadError::NoSuchPath(path.to_owned())),
        }
        Ok(())
    }

    /// The spans, each trace's first one before its steps. Of a trace that was not announced there are its steps alone.
    pub fn spans(&self) -> Vec<Span<'static>> {
        let mut spans = Vec::new();
        self.traces.iter().for_each(|(name, heard)| heard.spans(name, &mut spans));
        spans
    }

    /// The feedback, as scores by the name of `feedback`.
    pub fn scores(&self) -> &[Score] {
        &self.scores
    }
}

fn score(feedback: Feedback, id: SpanId) -> Option<Score> {
    let value = match feedback.rating {
        Value::Number(number) => ScoreValue::Numeric(number.as_f64()?),
        Value::String(word) if word == "positive" => ScoreValue::Boolean(true),
        Value::String(word) if word == "negative" => ScoreValue::Boolean(false),
        Value::String(word) => ScoreValue::Categorical(word),
        _ => return None,
    };
    Some(Score {
        id: id.to_string(),
        name: FEEDBACK_NAME.to_owned(),
        value,
        target: Target { trace_id: Some(trace_id_of(&feedback.trace_id)), ..Target::default() },
        at: feedback.timestamp.0,
        comment: feedback.comment,
        correction: feedback.correction,
        ..Score::default()
    })
}
