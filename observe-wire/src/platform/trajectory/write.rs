//! Spans, scores and metrics to posts.

use std::collections::{BTreeMap, HashMap};

use observe_model::{
    Details, Json, Metadata, Metric, Record, Score, ScoreValue, Span, SpanId, SpanType, State, Status,
    TraceAttributes, TraceId,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    BATCH, BatchBody, COMPLETED, FIRST, Failed, LAST, METRICS, Measured, OWN, Own, REWARD, SCORES, SpanBody,
    TraceBody, UPSERT, Used, id_of, place_of, span_id_of, type_name,
};
use crate::platform::{Key, Post, Writer, json_of, to_micros, trace_name};

/// The offset of UTC, as Python writes it.
const UTC: &str = "+00:00";

/// Where a span stands in its trace.
#[derive(Debug, Clone)]
struct Place {
    /// Among the spans.
    at: usize,
    depth: u32,
    /// The nearest agent that it is a part of.
    agent: Option<String>,
}

/// Writes one trace.
#[derive(Debug)]
pub struct TraceWriter {
    id: TraceId,
    project: String,
    root: SpanId,
    /// In the order in which they began; the first one comes last.
    spans: Vec<Span<'static>>,
    places: HashMap<SpanId, Place>,
    scores: Vec<Score>,
    metrics: Vec<Metric>,
    /// The organization, where the trace has been told already: what comes now is told span by span.
    late: Option<String>,
}

impl TraceWriter {
    /// Begins the trace `id` of `project` with its first span; gives the post that puts it there.
    pub fn begin(project: &str, id: TraceId, root: &Span<'_>) -> (Self, Vec<Post>) {
        let mut writer = Self {
            id,
            project: project.to_owned(),
            root: root.span_id,
            spans: Vec::new(),
            places: HashMap::new(),
            scores: Vec::new(),
            metrics: Vec::new(),
            late: None,
        };
        let agent = (root.span_type == SpanType::Agent).then(|| root.name.to_string());
        writer.places.insert(root.span_id, Place { at: 0, depth: 0, agent });
        let body = TraceBody { duration: 0.0, update_id: FIRST, ..writer.trace(root) };
        let post = post(UPSERT, &body, 0, Key::BEGIN);
        (writer, vec![post])
    }

    /// Goes on with a trace that was told to its end, of the organization that it is in. Its spans are posted by themselves.
    pub fn resume(organization: &str, id: TraceId, top: &Span<'_>) -> Self {
        let late = Some(organization.to_owned());
        Self { late, places: HashMap::new(), ..Self::begin("", id, top).0 }
    }

    /// The trace without its spans.
    fn trace(&self, root: &Span<'_>) -> TraceBody {
        let attributes = &*root.attributes;
        let customer = attributes.metadata.get("customer_id").and_then(Value::as_str);
        TraceBody {
            trace_id: id_of(self.id),
            name: trace_name(root).to_owned(),
            project_name: self.project.clone(),
            created_at: to_micros(root.start, UTC),
            duration: seconds(root).unwrap_or_default(),
            offline_mode: true,
            customer_id: customer.map(ToOwned::to_owned),
            tags: attributes.tags.clone(),
            metadata: metadata(attributes),
            update_id: LAST,
            conversation_id: attributes.session.clone(),
            user_id: attributes.user.clone(),
            ..TraceBody::default()
        }
    }

    fn span(&self, span: &Span<'_>, of_trace: &TraceAttributes) -> SpanBody {
        let place = self.places.get(&span.span_id);
        let is_known = |parent: &SpanId| span.span_id != self.root && self.places.contains_key(parent);
        let parent = span.parent_id.filter(|parent| self.late.is_some() || is_known(parent));
        let own = Own::of(span, of_trace);
        SpanBody {
            span_id: span_id_of(self.id, span.span_id),
            trace_id: id_of(self.id),
            parent_span_id: parent.map(|parent| span_id_of(self.id, parent)),
            depth: place.map_or(0, |place| place.depth),
            function: span.name.to_string(),
            span_type: type_name(span.span_type).to_owned(),
            created_at: to_micros(span.start, UTC),
            duration: seconds(span),
            inputs: something(span.input.as_deref()).map(|input| object("input", input)),
            output: something(span.output.as_deref()),
            error: Failed::of(span),
            usage: Used::of(span),
            state_before: state(span, State::BEFORE),
            state_after: state(span, State::AFTER),
            agent_name: place.and_then(|place| place.agent.clone()),
            has_evaluation: false,
            additional_metadata: own.beside(&span.metadata),
            update_id: if span.end.is_some() { COMPLETED } else { FIRST + 1 },
        }
    }

    /// What was said of the trace by number.
    fn say_records(&self, root: &Span<'_>, metadata: &mut Metadata) {
        let rewards: BTreeMap<_, _> = self
            .scores
            .iter()
            .filter_map(|score| Some((score.name.clone(), reward(&score.value)?)))
            .collect();
        let reward = match (rewards.len(), rewards.get(REWARD)) {
            (0, _) => None,
            (1, Some(only)) => Some(Value::from(*only)),
            _ => Some(rewards.into_iter().collect()),
        };
        let mut metrics = Vec::new();
        for span in [root].into_iter().chain(&self.spans) {
            metrics.extend(measured_inside(span));
        }
        for metric in &self.metrics {
            let measured = measured(metric, &root.attributes);
            // One that was kept was also said inside the span.
            let is_there =
                |known: &Measured| known.event_name == measured.event_name && known.value == measured.value;
            if !metrics.iter().any(is_there) {
                metrics.push(measured);
            }
        }
        metrics.sort_by(|a, b| a.ts.cmp(&b.ts));
        let said = [
            (REWARD, reward),
            (METRICS, (!metrics.is_empty()).then(|| value(&metrics))),
            (SCORES, (!self.scores.is_empty()).then(|| value(&self.scores))),
        ];
        metadata.extend(said.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    }
}

impl Writer for TraceWriter {
    /// Nothing is posted of it before the trace ends.
    fn start(&mut self, span: &Span<'_>) -> Vec<Post> {
        // More was said of it after it had ended.
        if self.places.contains_key(&span.span_id) && span.span_id != self.root {
            return Vec::new();
        }
        let above = span
            .parent_id
            .and_then(|parent| self.places.get(&parent))
            .or_else(|| self.places.get(&self.root));
        let mut place = above.cloned().unwrap_or(Place { at: 0, depth: 0, agent: None });
        place.at = self.spans.len();
        place.depth = place.depth.saturating_add(1);
        if span.span_type == SpanType::Agent {
            place.agent = Some(span.name.to_string());
        }
        self.places.insert(span.span_id, place);
        self.spans.push(span.clone().into_owned());
        Vec::new()
    }

    fn end(&mut self, span: &Span<'_>) -> Vec<Post> {
        if let Some(organization) = &self.late {
            let body = self.span(span, TraceAttributes::none());
            let body = BatchBody::of(body, span, organization);
            return vec![post(BATCH, &body, 1, Key::span(span.span_id))];
        }
        let at = self.places.get(&span.span_id).map(|place| place.at);
        if let Some(there) =
            at.and_then(|at| self.spans.get_mut(at)).filter(|there| there.span_id == span.span_id)
        {
            *there = span.clone().into_owned();
        }
        Vec::new()
    }

    /// A part of the trace's metadata, which is posted when it ends.
    fn record(&mut self, record: &Record) -> Option<Post> {
        match record {
            Record::Score(score) => {
                self.scores.retain(|known| known.id != score.id);
                self.scores.push(score.clone());
            }
            Record::Metric(metric) => {
                self.metrics.retain(|known| known.id != metric.id);
                self.metrics.push(metric.clone());
            }
        }
        None
    }

    /// The trace, whole.
    fn finish(&mut self, root: &Span<'_>) -> Vec<Post> {
        let mut body = self.trace(root);
        let attributes = body.attributes();
        let spans = [root].into_iter().chain(&self.spans);
        body.trace_spans = spans.map(|span| self.span(span, &attributes)).collect();
        self.say_records(root, &mut body.metadata);
        let carried = 1 + self.spans.len() + self.scores.len() + self.metrics.len();
        vec![post(UPSERT, &body, carried as u64, Key::END)]
    }
}

fn post(path: &str, body: &impl Serialize, spans: u64, key: Key) -> Post {
    // Their keys are texts, which is all that could fail.
    Post { path: path.to_owned(), body: serde_json::to_vec(body).unwrap_or_default(), spans, key }
}

fn seconds(span: &Span<'_>) -> Option<f64> {
    span.duration().map(|nanos| nanos as f64 / 1e9)
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// JSON that says something.
fn something(json: Option<&str>) -> Option<Json> {
    json_of(json).filter(|json| *json != Json::default())
}

/// What has to be an object: anything else becomes the value of `key` in one.
fn object(key: &str, json: Json) -> Json {
    match json.as_str().starts_with('{') {
        true => json,
        false => Json::of(&BTreeMap::from([(key, json)])),
    }
}

fn state(span: &Span<'_>, name: &str) -> Option<Json> {
    let states = &span.details.as_deref()?.states;
    let state = states.iter().find(|state| state.name == name)?;
    something(Some(state.value.as_str())).map(|state| object("value", state))
}

/// What a trace's metadata says: its own, and what Trajectory has no field for, where the same name is not taken.
fn metadata(attributes: &TraceAttributes) -> Metadata {
    let TraceAttributes { version, release, environment, .. } = attributes;
    let mut metadata = attributes.metadata.clone();
    for (key, text) in [("version", version), ("release", release), ("environment", environment)] {
        if let Some(text) = text {
            metadata.entry(key).or_insert_with(|| text.clone().into());
        }
    }
    metadata
}

/// What a reward can be.
fn reward(value: &ScoreValue) -> Option<f64> {
    match value {
        ScoreValue::Numeric(number) => Some(*number),
        ScoreValue::Boolean(value) => Some(f64::from(u8::from(*value))),
        ScoreValue::Categorical(_) | ScoreValue::Text(_) => None,
    }
}

/// The metrics that were said inside a span, which are among its events.
fn measured_inside<'s>(span: &'s Span<'_>) -> impl Iterator<Item = Measured> + 's {
    let events = span.details.iter().flat_map(|details| &details.events);
    events.filter_map(|event| {
        let said = |key| event.attributes.get(key);
        let tags = said("metric.tags").and_then(Value::as_array).into_iter().flatten();
        let metric = Metric {
            name: event.name.clone(),
            value: said("metric.value")?.as_f64()?,
            unit: said("metric.unit").and_then(Value::as_str).map(ToOwned::to_owned),
            tags: tags.filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
            at: event.at,
            ..Metric::default()
        };
        Some(measured(&metric, &span.attributes))
    })
}

fn measured(metric: &Metric, attributes: &TraceAttributes) -> Measured {
    Measured {
        ts: to_micros(metric.at, UTC),
        event_name: metric.name.clone(),
        value: metric.value,
        unit: metric.unit.clone(),
        tags: metric.tags.clone(),
        properties: Metadata::new(),
        user_id: attributes.user.clone(),
        conversation_id: attributes.session.clone(),
    }
}

impl Failed {
    fn of(span: &Span<'_>) -> Option<Self> {
        if span.status != Status::Error {
            return None;
        }
        let first = span.details.as_deref().and_then(|details| details.errors.first());
        Some(Self {
            kind: first.and_then(|failure| failure.kind.clone()).unwrap_or_else(|| "Error".to_owned()),
            message: span.status_message.as_deref().map(ToOwned::to_owned),
            traceback: first.map(|failure| failure.sources.clone()).unwrap_or_default(),
        })
    }
}

impl Used {
    fn of(span: &Span<'_>) -> Option<Self> {
        let (usage, cost) = (&span.usage, span.cost.finite());
        if usage.is_unknown() && cost.is_unknown() && span.model.is_none() {
            return None;
        }
        Some(Self {
            prompt_tokens: usage.input.and(usage.total_input()),
            completion_tokens: usage.output.and(usage.total_output()),
            total_tokens: usage.total(),
            cache_creation_input_tokens: usage.cache_write,
            cache_read_input_tokens: usage.cache_read,
            prompt_tokens_cost_usd: cost.input,
            completion_tokens_cost_usd: cost.output,
            total_cost_usd: cost.total(),
            model_name: span.model.as_deref().map(ToOwned::to_owned),
        })
    }
}

/// The status that a reader takes for granted.
fn implied(span: &Span<'_>) -> Status {
    match (span.status, span.end) {
        (Status::Error, _) => Status::Error,
        (_, Some(_)) => Status::Ok,
        (_, None) => Status::Running,
    }
}

impl Own {
    fn of(span: &Span<'_>, of_trace: &TraceAttributes) -> Self {
        let usage = Used::of(span).unwrap_or_default().tokens();
        let input = something(span.input.as_deref());
        Self {
            status: (span.status != implied(span)).then_some(span.status),
            status_message: span
                .status_message
                .as_deref()
                .filter(|_| span.status != Status::Error)
                .map(ToOwned::to_owned),
            level: span.level,
            version: span.version.as_deref().map(ToOwned::to_owned),
            usage: (usage != span.usage).then_some(span.usage),
            cost: span.cost.finite().total,
            code: span.code.as_ref().map(place_of),
            attributes: (*span.attributes != *of_trace).then(|| span.attributes.clone().into_owned()),
            details: span.details.clone().filter(|details| **details != Details::default()),
            dropped: span.dropped,
            input_is_value: input.is_some_and(|input| !input.as_str().starts_with('{')),
        }
    }

    /// Beside a span's own metadata; `None` if neither says anything.
    fn beside(&self, metadata: &Metadata) -> Option<Metadata> {
        let mut metadata = metadata.clone();
        // Metadata of that name would be taken for ours.
        if *self != Self::default() || metadata.contains_key(OWN) {
            let taken = metadata.remove(OWN);
            let mut own = value(self);
            if let (Some(taken), Some(own)) = (taken, own.as_object_mut()) {
                own.insert(OWN.to_owned(), taken);
            }
            metadata.insert(OWN.to_owned(), own);
        }
        (!metadata.is_empty()).then_some(metadata)
    }
}
