//! Spans, scores and metrics to posts.

use std::collections::{BTreeMap, HashMap};

use observe_model::{
    Json, Level, Metadata, Metric, Record, Score, ScoreValue, Span, SpanId, SpanType, State, Status,
    Timestamp, TraceId,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    At, COST, ENVIRONMENT, FEEDBACK, FEEDBACK_NAME, Failed, Feedback, Kind, LEVEL, MODEL, OBSERVATIONS,
    Observation, PUBLIC, Phase, RELEASE, Step, TAGS, TRACES, TYPE, TraceBody, USAGE, USER, VERSION, id_of,
};
use crate::platform::{Key, Post, Writer, json_of, trace_name};

impl Step {
    fn of(span: &Span<'_>, root: SpanId) -> Self {
        Self {
            span_id: Some(span.span_id),
            parent_id: span.parent_id.filter(|parent| *parent != root),
            name: Some(span.name.clone().into_owned()),
            span_type: Some(span.span_type),
            status: Some(span.status),
            error: span.status_message.as_deref().map(ToOwned::to_owned),
            start: Some(span.start),
            end: span.end,
            input: json_of(span.input.as_deref()),
            output: json_of(span.output.as_deref()),
            level: span.level,
            model: span.model.as_deref().map(ToOwned::to_owned),
            usage: span.usage,
            cost: span.cost.finite(),
            version: span.version.as_deref().map(ToOwned::to_owned),
            metadata: span.metadata.clone().into_owned(),
            details: span.details.clone(),
            dropped: span.dropped,
        }
    }

    /// What only this object can say of the first span; `None` if that is nothing.
    fn rest_of(root: &Span<'_>) -> Option<Self> {
        let mut details = root.details.clone().unwrap_or_default();
        details.states.clear();
        let said = details.trace.as_ref();
        let has_input = said.is_some_and(|trace| trace.input.is_some());
        let has_output = said.is_some_and(|trace| trace.output.is_some());
        let succeeded = root.status == Status::Ok;
        let rest = Self {
            name: root.attributes.name.is_some().then(|| root.name.clone().into_owned()),
            error: root.status_message.as_deref().filter(|_| succeeded).map(ToOwned::to_owned),
            input: json_of(root.input.as_deref()).filter(|_| has_input),
            output: json_of(root.output.as_deref()).filter(|_| has_output),
            version: root.version.as_deref().map(ToOwned::to_owned),
            dropped: root.dropped,
            details: (!details.is_empty()).then_some(details),
            ..Self::default()
        };
        let says_something = rest.name.is_some()
            || rest.error.is_some()
            || rest.input.is_some()
            || rest.output.is_some()
            || rest.version.is_some()
            || rest.details.is_some()
            || rest.dropped > 0;
        says_something.then_some(Self { span_id: Some(root.span_id), ..rest })
    }
}

/// Writes one trace.
#[derive(Debug)]
pub struct TraceWriter {
    trace_id: String,
    root: SpanId,
    /// The path to each step that began and has not ended.
    paths: HashMap<SpanId, String>,
    /// The input that was sent.
    input: Option<Json>,
}

impl TraceWriter {
    /// Begins the trace `id` with its first span; gives its `running`, and its input.
    pub fn begin(id: TraceId, root: &Span<'_>) -> (Self, Vec<Post>) {
        let mut writer = Self { trace_id: id_of(id), root: root.span_id, paths: HashMap::new(), input: None };
        let mut posts = vec![writer.trace(root, Phase::Running)];
        posts.extend(writer.input(root));
        (writer, posts)
    }

    fn trace(&self, root: &Span<'_>, status: Phase) -> Post {
        let duration = root.duration().filter(|_| status == Phase::Completed);
        let body = TraceBody {
            trace_id: self.trace_id.clone(),
            name: trace_name(root).to_owned(),
            timestamp: At(root.start),
            status,
            duration_ms: duration.map(|nanos| nanos / 1_000_000),
            group_id: root.attributes.session.clone().filter(|session| !session.is_empty()),
            metadata: metadata(root),
        };
        let (key, spans) = match status {
            Phase::Running => (Key::BEGIN, 0),
            Phase::Completed => (Key::END, 1),
        };
        post(TRACES, &body, spans, key)
    }

    /// The input, unless it was sent already.
    fn input(&mut self, root: &Span<'_>) -> Option<Post> {
        let said = root.details.as_deref().and_then(|details| details.trace.as_ref()?.input.clone());
        let input = said.or_else(|| json_of(root.input.as_deref()))?;
        if self.input.as_ref() == Some(&input) {
            return None;
        }
        self.input = Some(input.clone());
        // Another one is another post.
        let key = Key::of("input", input.as_str().as_bytes());
        Some(self.observation(Kind::Input, input, root.start, None, key))
    }

    fn state(&self, name: String, data: Json, at: Timestamp, key: Key) -> Post {
        self.observation(Kind::State, data, at, Some(name), key)
    }

    fn observation(&self, kind: Kind, data: Json, at: Timestamp, name: Option<String>, key: Key) -> Post {
        let body = Observation { trace_id: self.trace_id.clone(), kind, data, timestamp: At(at), key: name };
        post(OBSERVATIONS, &body, 0, key)
    }
}

impl Writer for TraceWriter {
    /// Nothing is posted of it before it ends.
    fn start(&mut self, span: &Span<'_>) -> Vec<Post> {
        let above = span.parent_id.and_then(|parent| self.paths.get(&parent));
        let path = above.map_or_else(|| span.name.to_string(), |above| format!("{above}/{}", span.name));
        self.paths.insert(span.span_id, path);
        Vec::new()
    }

    fn end(&mut self, span: &Span<'_>) -> Vec<Post> {
        let path = self.paths.remove(&span.span_id).unwrap_or_else(|| span.name.to_string());
        let at = span.end.unwrap_or(span.start);
        let state = self.state(path, Json::of(&Step::of(span, self.root)), at, Key::span(span.span_id));
        vec![Post { spans: 1, ..state }]
    }

    fn record(&mut self, record: &Record) -> Option<Post> {
        Some(write_record(self.trace_id.clone(), record))
    }

    /// Its states, its output, and `completed`. One that failed, or never ended, has what happened for its
    /// output; without one Artanis would show it as running for ever.
    fn finish(&mut self, root: &Span<'_>) -> Vec<Post> {
        let end = root.end.unwrap_or(root.start);
        let mut posts: Vec<_> = self.input(root).into_iter().collect();
        for (n, State { name, value }) in root.details.iter().flat_map(|d| &d.states).enumerate() {
            let at = if name == State::BEFORE { root.start } else { end };
            let key = Key::of("state", &(n as u64).to_le_bytes());
            posts.push(self.state(name.clone(), value.clone(), at, key));
        }
        if let Some(rest) = Step::rest_of(root) {
            posts.push(self.state(root.name.to_string(), Json::of(&rest), end, Key::of("rest", &[])));
        }
        posts.push(self.observation(Kind::Output, output(root), end, None, Key::of("output", &[])));
        posts.push(self.trace(root, Phase::Completed));
        posts
    }
}

/// A score or metric about the trace `id`, which is not being written.
pub fn record(id: TraceId, record: &Record) -> Post {
    write_record(id_of(id), record)
}

fn write_record(trace_id: String, record: &Record) -> Post {
    let key = Key::of_record(record);
    let (name, data, at) = match record {
        Record::Score(score) => match rating(&score.value) {
            Some(rating) => return post(FEEDBACK, &feedback(trace_id, rating, score), 1, key),
            None => (format!("score:{}", score.name), Json::of(score), score.at),
        },
        Record::Metric(metric) => (metric.name.clone(), measured(metric), metric.at),
    };
    let kind = Kind::State;
    post(OBSERVATIONS, &Observation { trace_id, kind, data, timestamp: At(at), key: Some(name) }, 1, key)
}

fn post(path: &str, body: &impl Serialize, spans: u64, key: Key) -> Post {
    // These types have no key that is no text, which is all that could fail.
    Post { path: path.to_owned(), body: serde_json::to_vec(body).unwrap_or_default(), spans, key }
}

/// What Artanis takes for a rating; `None` for another value.
fn rating(value: &ScoreValue) -> Option<Value> {
    match value {
        ScoreValue::Boolean(true) => Some("positive".into()),
        ScoreValue::Boolean(false) => Some("negative".into()),
        ScoreValue::Numeric(number) if (0.0..=1.0).contains(number) => Some((*number).into()),
        ScoreValue::Categorical(name) if name == "positive" || name == "negative" => {
            Some(name.clone().into())
        }
        _ => None,
    }
}

fn feedback(trace_id: String, rating: Value, score: &Score) -> Feedback {
    let comment = match (&*score.name, &score.comment) {
        (FEEDBACK_NAME, comment) => comment.clone(),
        (name, Some(comment)) => Some(format!("{name}: {comment}")),
        (name, None) => Some(name.to_owned()),
    };
    // It has to be an object.
    let correction = score.correction.as_ref().map(|json| match json.as_str().starts_with('{') {
        true => json.clone(),
        false => Json::of(&BTreeMap::from([("value", json)])),
    });
    Feedback { trace_id, rating, timestamp: At(score.at), comment, correction }
}

fn measured(metric: &Metric) -> Json {
    #[derive(Serialize)]
    struct Measured<'a> {
        value: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        unit: Option<&'a str>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        tags: &'a [String],
    }
    Json::of(&Measured { value: metric.value, unit: metric.unit.as_deref(), tags: &metric.tags })
}

fn output(root: &Span<'_>) -> Json {
    let said = root.details.as_deref().and_then(|details| details.trace.as_ref()?.output.clone());
    let output = said.or_else(|| json_of(root.output.as_deref()));
    match root.status {
        Status::Ok => output.unwrap_or_default(),
        status => {
            let error = root.status_message.as_deref().map(ToOwned::to_owned);
            Json::of(&Failed { error, status, output })
        }
    }
}

fn metadata(root: &Span<'_>) -> Metadata {
    let mut metadata = root.attributes.metadata.clone();
    metadata.extend(root.metadata.clone().into_owned());
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            metadata.insert(key.to_owned(), value);
        }
    };
    let text = |text: Option<&str>| text.map(Value::from);
    let attributes = &root.attributes;
    put(USER, text(attributes.user.as_deref()));
    put(TAGS, (!attributes.tags.is_empty()).then(|| attributes.tags.clone().into()));
    put(MODEL, text(root.model.as_deref()));
    put(TYPE, (root.span_type != SpanType::Span).then(|| root.span_type.as_str().into()));
    put(LEVEL, (root.level != Level::Default).then(|| root.level.as_str().into()));
    put(VERSION, text(attributes.version.as_deref()));
    put(RELEASE, text(attributes.release.as_deref()));
    put(ENVIRONMENT, text(attributes.environment.as_deref()));
    put(PUBLIC, attributes.public.map(Value::from));
    put(USAGE, (!root.usage.is_unknown()).then(|| serde_json::to_value(root.usage).unwrap_or_default()));
    let cost = root.cost.finite();
    put(COST, (!cost.is_unknown()).then(|| serde_json::to_value(cost).unwrap_or_default()));
    metadata
}
