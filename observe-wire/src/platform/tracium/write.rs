//! Spans to posts.

use std::{borrow::Cow, collections::HashMap};

use observe_model::{
    Json, Metadata, Record, ScoreValue, Span, SpanId, SpanType, Status, TraceAttributes, TraceId,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    CREATE, CreateBody, EndBody, LlmStep, SESSION, SpanBody, SpansBody, USER, status_name, type_name,
    value::{self, cut, value},
};
use crate::platform::{Key, Post, Writer, to_micros, trace_name};

/// What every trace says besides what was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The workspace that traces are filed under.
    pub workspace: Option<String>,
    /// The tenant whose traces they are.
    pub tenant: Option<String>,
}

/// Writes one trace.
#[derive(Debug)]
pub struct TraceWriter {
    settings: Settings,
    /// What stands for the trace in paths.
    trace: String,
    root: SpanId,
    /// The root is a span as well.
    shows_root: bool,
    /// The trace's model, which spans have that name none.
    model: Option<String>,
    /// Of the spans that began and have not ended.
    depths: HashMap<SpanId, u32>,
    steps: Vec<LlmStep>,
    /// Scores and metrics, by kind and name.
    said: HashMap<&'static str, Metadata>,
    cost: Option<f64>,
}

impl TraceWriter {
    /// Begins the trace `id` with its first span. Gives the post that creates it, whose answer says by which name the
    /// platform knows it, and that of the span, if it is one; `trace` stands for that name in the paths of this and later
    /// posts.
    pub fn begin(settings: Settings, id: TraceId, trace: &str, root: &Span<'_>) -> (Self, Vec<Post>) {
        let text = |text: &Option<String>, longest| text.as_deref().map(|text| cut(text, longest).to_owned());
        let settings = Settings {
            workspace: text(&settings.workspace, value::WORKSPACE),
            tenant: text(&settings.tenant, value::TENANT),
        };
        let mut writer = Self {
            settings,
            trace: trace.to_owned(),
            root: root.span_id,
            shows_root: root.span_type != SpanType::Agent || root.input.is_some(),
            model: root.model.as_deref().map(|model| cut(model, value::MODEL).to_owned()),
            depths: HashMap::new(),
            steps: Vec::new(),
            said: HashMap::new(),
            cost: None,
        };
        let body = CreateBody {
            agent_name: value::agent_name(trace_name(root)),
            model_id: writer.model.clone(),
            tags: tags(&root.attributes),
            trace_id: Some(id.to_string()),
            workspace_id: writer.settings.workspace.clone(),
            version: text(&root.attributes.version, value::VERSION),
            tenant_id: writer.settings.tenant.clone(),
        };
        let mut posts = vec![post(CREATE.to_owned(), &body, 0, Key::BEGIN)];
        if writer.shows_root {
            posts.push(writer.begin_span(root));
        }
        (writer, posts)
    }

    /// `in_progress`.
    fn begin_span(&mut self, span: &Span<'_>) -> Post {
        let depth = match span.parent_id.and_then(|parent| self.depths.get(&parent)) {
            Some(above) => above + 1,
            None if span.span_id != self.root && self.shows_root => 1,
            None => 0,
        };
        self.depths.insert(span.span_id, depth);
        let body = SpanBody {
            status: status_name(Status::Running).to_owned(),
            completed_at: None,
            latency_ms: None,
            output: None,
            error: None,
            input_tokens: None,
            output_tokens: None,
            cached_input_tokens: None,
            cache_creation_input_tokens: None,
            ..self.span(span, depth)
        };
        self.post_span(body, 0, Key::of("start", &span.span_id.to_bytes()))
    }

    fn span(&self, span: &Span<'_>, depth: u32) -> SpanBody {
        let usage = &span.usage;
        let with_plain = |plain: Option<u64>, sum: Option<u64>| plain.and(sum);
        let model = span.model.as_deref().map(|model| cut(model, value::MODEL).to_owned());
        SpanBody {
            id: span.span_id.to_string(),
            span_type: type_name(span.span_type).to_owned(),
            status: status_name(span.status).to_owned(),
            started_at: to_micros(span.start, "+00:00"),
            completed_at: span.end.map(|end| to_micros(end, "+00:00")),
            name: cut(&span.name, value::NAME).to_owned(),
            depth_level: depth,
            model_id: model.or_else(|| self.model.clone()),
            tenant_id: self.settings.tenant.clone(),
            input: span.input.as_deref().map(value),
            output: span.output.as_deref().map(value),
            tools: span.details.as_deref().and_then(|details| Some(value(details.tools.as_ref()?.as_str()))),
            error: span.status_message.as_deref().map(|error| cut(error, value::ERROR).to_owned()),
            latency_ms: span.duration().map(|nanos| nanos / 1_000_000),
            input_tokens: with_plain(usage.input, usage.total_input()),
            output_tokens: with_plain(usage.output, usage.total_output()),
            cached_input_tokens: usage.cache_read,
            cache_creation_input_tokens: usage.cache_write,
        }
    }

    fn post_span(&self, span: SpanBody, spans: u64, key: Key) -> Post {
        post(format!("{CREATE}/{}/spans", self.trace), &SpansBody { spans: vec![span] }, spans, key)
    }

    /// What it came to, and what has no other place.
    fn summary(&mut self, root: &Span<'_>) -> Metadata {
        let said = root.details.as_deref().and_then(|details| details.trace.as_ref());
        let mut summary = match said.and_then(|trace| object(trace.summary.as_ref()?)) {
            Some(Value::Object(fields)) => fields,
            Some(other) => Metadata::from_iter([("summary".to_owned(), other)]),
            None => Metadata::new(),
        };
        // An input that was said after the trace was created.
        let input =
            root.input.as_deref().filter(|_| !self.shows_root).and_then(|input| object(&value(input)));
        let output = root.output.as_deref().filter(|_| !self.shows_root);
        let output = said.and_then(|trace| trace.output.clone()).or_else(|| output.map(Json::from_text));
        let output = output.and_then(|output| object(&value(output.as_str())));
        let metadata = Some(&root.attributes.metadata).filter(|metadata| !metadata.is_empty());
        let rest = [
            ("input", input),
            ("output", output),
            ("metadata", metadata.map(|metadata| Value::Object(metadata.clone()))),
            ("cost_usd", self.cost.map(Value::from)),
        ];
        // Null is nothing, as it is of spans.
        let rest = rest.into_iter().filter_map(|(key, value)| Some((key, value.filter(|v| !v.is_null())?)));
        let said = self.said.drain().map(|(kind, values)| (kind, Value::Object(values)));
        for (key, value) in rest.chain(said) {
            summary.entry(key).or_insert(value);
        }
        summary
    }
}

impl Writer for TraceWriter {
    fn start(&mut self, span: &Span<'_>) -> Vec<Post> {
        vec![self.begin_span(span)]
    }

    /// The whole of it, in place of what was posted when it began.
    fn end(&mut self, span: &Span<'_>) -> Vec<Post> {
        let depth = self.depths.remove(&span.span_id).unwrap_or_default();
        let spans = u64::from(span.span_id != self.root);
        let body = self.span(span, depth);
        if span.span_type == SpanType::Generation {
            let system_prompt = span.input.as_deref().and_then(system_prompt);
            let model = span.model.as_deref().map(|model| cut(model, value::MODEL).to_owned());
            let step = LlmStep { name: body.name.clone(), model, system_prompt };
            if self.steps.len() < value::STEPS && !self.steps.contains(&step) {
                self.steps.push(step);
            }
        }
        if let Some(dollars) = span.cost.finite().total() {
            self.cost = Some(self.cost.unwrap_or_default() + dollars);
        }
        vec![self.post_span(body, spans, Key::span(span.span_id))]
    }

    /// A part of the summary, which is posted when the trace ends.
    fn record(&mut self, record: &Record) -> Option<Post> {
        let (kind, name, value) = match record {
            Record::Score(score) => ("scores", &score.name, score_value(&score.value)),
            Record::Metric(metric) => ("metrics", &metric.name, metric.value.into()),
        };
        let said = self.said.entry(kind).or_default();
        if said.len() < value::STEPS {
            said.insert(name.clone(), value);
        }
        None
    }

    /// Its first span, if it is one, and `complete` or `fail`.
    fn finish(&mut self, root: &Span<'_>) -> Vec<Post> {
        let mut posts = if self.shows_root { self.end(root) } else { Vec::new() };
        let models = joined(self.steps.iter().map(|step| step.model.as_deref()));
        let prompts = joined(self.steps.iter().map(|step| step.system_prompt.as_deref()));
        let body = EndBody {
            model: models,
            system_prompt: prompts.map(|prompts| cut(&prompts, value::PROMPT).to_owned()),
            llm_steps: std::mem::take(&mut self.steps),
            ..EndBody::default()
        };
        let (end, body) = match root.status {
            Status::Ok => {
                let summary = Some(self.summary(root)).filter(|summary| !summary.is_empty());
                ("complete", EndBody { summary, tags: tags(&root.attributes), ..body })
            }
            status => ("fail", EndBody { error: Some(failure(root, status)), ..body }),
        };
        posts.push(post(format!("{CREATE}/{}/{end}", self.trace), &body, 1, Key::END));
        posts
    }
}

fn post(path: String, body: &impl Serialize, spans: u64, key: Key) -> Post {
    // These types have no key that is no text, which is all that could fail.
    Post { path, body: serde_json::to_vec(body).unwrap_or_default(), spans, key }
}

/// The trace's tags, with session and user, which have no field of their own, before them.
fn tags(attributes: &TraceAttributes) -> Vec<String> {
    let carried = [(SESSION, &attributes.session), (USER, &attributes.user)];
    let carried = carried.into_iter().filter_map(|(prefix, id)| Some(format!("{prefix}{}", id.as_deref()?)));
    let tags = attributes.tags.iter().map(|tag| Cow::Borrowed(tag.as_str()));
    value::tags(carried.map(Cow::Owned).chain(tags))
}

/// Why the trace failed.
fn failure(root: &Span<'_>, status: Status) -> String {
    let said = root.details.as_deref().and_then(|details| details.trace.as_ref()?.failed.as_deref());
    let error = root.status_message.as_deref().or(said);
    cut(error.unwrap_or(status.as_str()), value::ERROR).to_owned()
}

fn object(json: &Json) -> Option<Value> {
    serde_json::from_str(json.as_str()).ok()
}

fn score_value(value: &ScoreValue) -> Value {
    match value {
        ScoreValue::Numeric(number) => (*number).into(),
        ScoreValue::Boolean(value) => (*value).into(),
        ScoreValue::Categorical(text) | ScoreValue::Text(text) => text.clone().into(),
    }
}

/// Different texts, with ` | ` between.
fn joined<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for text in texts.flatten() {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    (!kept.is_empty()).then(|| kept.join(" | "))
}

/// The system prompt in a model's input: a field of that name, or the first message of that role.
fn system_prompt(input: &str) -> Option<String> {
    // Long inputs are mostly their messages, of which the first is wanted; this is done once for each call.
    let input: Value = serde_json::from_str(input).ok()?;
    let field = ["system", "system_prompt"].iter().find_map(|name| input.get(name)?.as_str());
    let messages = input.get("messages").unwrap_or(&input);
    let is_system = |message: &&Value| {
        message
            .get("role")
            .and_then(Value::as_str)
            .is_some_and(|role| role == "system" || role == "developer")
    };
    let message = || messages.as_array()?.iter().find(is_system)?.get("content")?.as_str();
    field.or_else(message).map(|text| cut(text, value::PROMPT).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_prompt_is_found_where_providers_have_it() {
        for input in [
            r#"[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}]"#,
            r#"{"messages":[{"role":"user","content":"why?"},{"role":"developer","content":"be brief"}]}"#,
            r#"{"system":"be brief","messages":[]}"#,
        ] {
            assert_eq!(system_prompt(input).as_deref(), Some("be brief"), "{input}");
        }
        for input in ["\"why?\"", "[1]", "{}", "no JSON", r#"[{"role":"system","content":[]}]"#] {
            assert_eq!(system_prompt(input), None, "{input}");
        }
    }
}
