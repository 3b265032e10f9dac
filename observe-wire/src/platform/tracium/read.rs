//! Posts to spans.

use std::{borrow::Cow, collections::HashMap};

use observe_model::{
    Details, Json, Metadata, Span, SpanId, SpanType, Status, Timestamp, TraceAttributes, TraceId, Usage,
};

use super::{CREATE, CreateBody, EndBody, SESSION, SpanBody, SpansBody, USER, status_of, type_of, value};
use crate::platform::{ReadError, Taken, from_micros, text_of};

/// Spans in one post, as many as Tracium's client would send.
const MOST: usize = 1000;

/// Makes spans of what is posted, in the order in which it is posted.
#[derive(Debug, Default)]
pub struct Reader {
    traces: Vec<Heard>,
    /// Where a trace lies, by the name that posts know it by.
    names: HashMap<String, usize>,
    taken: Taken,
}

/// What was posted of one trace.
#[derive(Debug, Default)]
struct Heard {
    name: String,
    create: CreateBody,
    /// In the order in which they were first heard of.
    spans: Vec<SpanBody>,
    places: HashMap<String, usize>,
    end: Option<(Status, EndBody)>,
}

impl Reader {
    /// Takes one post. Where it creates a trace, gives the name that later posts are to know it by: the one that it asks
    /// for, else one made for it.
    ///
    /// # Errors
    /// If there is no such path, or the body is too large or not what the path takes.
    pub fn take(&mut self, path: &str, body: &[u8]) -> Result<Option<String>, ReadError> {
        let unknown = || ReadError::NoSuchPath(path.to_owned());
        let rest = path.strip_prefix(CREATE).ok_or_else(unknown)?;
        if rest.is_empty() {
            return self.create(body).map(Some);
        }
        let (name, what) =
            rest.strip_prefix('/').and_then(|rest| rest.split_once('/')).ok_or_else(unknown)?;
        let at = *self.names.get(name).ok_or_else(unknown)?;
        let heard = &mut self.traces[at];
        match what {
            "spans" => {
                let SpansBody { spans } = self.taken.read(body)?;
                if spans.len() > MOST {
                    return Err(ReadError::Malformed(format!("there are more than {MOST} spans")));
                }
                spans.into_iter().try_for_each(|span| heard.take(span))?;
            }
            "complete" => heard.end = Some((Status::Ok, self.taken.read(body)?)),
            "fail" => heard.end = Some((Status::Error, self.taken.read(body)?)),
            _ => return Err(unknown()),
        }
        Ok(None)
    }

    fn create(&mut self, body: &[u8]) -> Result<String, ReadError> {
        let create: CreateBody = self.taken.read(body)?;
        let made = || TraceId::from_seed(format!("{} {}", self.traces.len(), create.agent_name)).to_string();
        let name = create.trace_id.clone().unwrap_or_else(made);
        match self.names.get(&name) {
            Some(at) => self.traces[*at].create = create,
            None => {
                self.names.insert(name.clone(), self.traces.len());
                self.traces.push(Heard { name: name.clone(), create, ..Heard::default() });
            }
        }
        Ok(name)
    }

    /// The spans, each trace's first one before the others.
    pub fn spans(&self) -> Vec<Span<'static>> {
        self.traces.iter().flat_map(Heard::spans).collect()
    }
}

impl Heard {
    fn take(&mut self, span: SpanBody) -> Result<(), ReadError> {
        if span.id.is_empty() || from_micros(&span.started_at).is_none() {
            return Err(ReadError::Malformed("a span needs an `id` and, in UTC, `started_at`".to_owned()));
        }
        match self.places.get(&span.id) {
            Some(at) => self.spans[*at] = span,
            None => {
                self.places.insert(span.id.clone(), self.spans.len());
                self.spans.push(span);
            }
        }
        Ok(())
    }

    fn spans(&self) -> Vec<Span<'static>> {
        let trace_id = self.name.parse().unwrap_or_else(|_| TraceId::from_seed(&self.name));
        let (attributes, mut root) = self.agent(trace_id);
        // A first span by the name of its trace is that trace.
        let is_root = |span: &SpanBody| {
            span.depth_level == 0
                && value::agent_name(&span.name) == value::agent_name(&self.create.agent_name)
        };
        let shows_root = self.spans.first().is_some_and(is_root);
        let mut spans: Vec<Span<'static>> = Vec::new();
        // The latest span of each depth.
        let mut above: Vec<SpanId> = Vec::new();
        for body in &self.spans {
            let Some(mut span) = self.span(trace_id, body) else { continue };
            let depth = (body.depth_level as usize).min(above.len());
            above.truncate(depth);
            let is_first = shows_root && spans.is_empty();
            span.parent_id = match above.last() {
                Some(parent) => Some(*parent),
                None if is_first => None,
                None => Some(root.span_id),
            };
            above.push(span.span_id);
            span.attributes = Cow::Owned(attributes.clone());
            if is_first {
                span.details = merged(span.details, root.details.take());
                span.model = root.model.clone();
            }
            spans.push(span);
        }
        if !shows_root {
            root.start = spans.iter().map(|span| span.start).min().unwrap_or_default();
            let has_ended = root.status != Status::Running;
            root.end = spans.iter().filter_map(|span| span.end).max().filter(|_| has_ended);
            root.attributes = Cow::Owned(attributes);
            spans.insert(0, root);
        }
        spans
    }

    /// What all spans have, and the agent as a span.
    fn agent(&self, trace_id: TraceId) -> (TraceAttributes, Span<'static>) {
        let CreateBody { agent_name, model_id, tags, version, .. } = &self.create;
        let mut attributes = TraceAttributes { version: version.clone(), ..TraceAttributes::default() };
        let later = self.end.iter().flat_map(|(_, end)| &end.tags);
        for tag in tags.iter().chain(later) {
            match (tag.strip_prefix(SESSION), tag.strip_prefix(USER)) {
                (Some(session), _) => attributes.session = Some(session.to_owned()),
                (_, Some(user)) => attributes.user = Some(user.to_owned()),
                _ => attributes.add_tag(tag),
            }
        }
        let id = SpanId::from_seed(&self.name);
        let mut root = Span::begin(trace_id, id, agent_name.clone(), Timestamp(0));
        root.span_type = SpanType::Agent;
        root.model = model_id.clone().map(Cow::Owned);
        if let Some((status, end)) = &self.end {
            root.status = *status;
            root.status_message = end.error.clone().map(Cow::Owned);
            let mut summary = end.summary.clone().unwrap_or_default();
            if let Some(serde_json::Value::Object(metadata)) = summary.remove("metadata") {
                attributes.metadata = metadata;
            }
            let mut take = |key: &str| text_of(summary.remove(key).map(|value| Json::of(&value)));
            (root.input, root.output) = (take("input"), take("output"));
            ["cost_usd", "scores", "metrics"].iter().for_each(|key| drop(summary.remove(*key)));
            root.details = said(summary);
        }
        (attributes, root)
    }

    fn span(&self, trace_id: TraceId, body: &SpanBody) -> Option<Span<'static>> {
        let id = body.id.parse().unwrap_or_else(|_| SpanId::from_seed(&body.id));
        let cached = body.cached_input_tokens.unwrap_or_default();
        let cached = cached.saturating_add(body.cache_creation_input_tokens.unwrap_or_default());
        // Where there are more of them than of all, they were not counted among those.
        let input = body.input_tokens.map(|all| all.checked_sub(cached).unwrap_or(all));
        let tools = body.tools.clone();
        Some(Span {
            span_type: type_of(&body.span_type),
            status: status_of(&body.status),
            status_message: body.error.clone().map(Cow::Owned),
            end: body.completed_at.as_deref().and_then(from_micros),
            input: text_of(body.input.clone()),
            output: text_of(body.output.clone()),
            // The trace's own is on every span.
            model: body
                .model_id
                .clone()
                .filter(|model| self.create.model_id.as_ref() != Some(model))
                .map(Cow::Owned),
            usage: Usage {
                input,
                cache_read: body.cached_input_tokens,
                cache_write: body.cache_creation_input_tokens,
                output: body.output_tokens,
                ..Usage::default()
            },
            details: tools.map(|tools| Box::new(Details { tools: Some(tools), ..Details::default() })),
            ..Span::begin(trace_id, id, body.name.clone(), from_micros(&body.started_at)?)
        })
    }
}

/// A summary as what was said of the trace.
fn said(mut summary: Metadata) -> Option<Box<Details>> {
    if summary.is_empty() {
        return None;
    }
    let alone = summary.remove("summary").filter(|_| summary.is_empty());
    let json = match alone {
        Some(value) => Json::of(&value),
        None => Json::of(&summary),
    };
    let mut details = Details::default();
    details.trace.get_or_insert_default().summary = Some(json);
    Some(Box::new(details))
}

fn merged(one: Option<Box<Details>>, other: Option<Box<Details>>) -> Option<Box<Details>> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.merge(*other);
            Some(one)
        }
        (one, other) => one.or(other),
    }
}
