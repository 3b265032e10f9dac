//! Everything that a recorded thing says, one by one.

use std::borrow::Cow;

use observe_model::{
    Details, Json, Metadata, Metric, Prompt, Record, Resource, Score, ScoreValue, Span, Target,
    TraceAttributes, TraceId, TraceUpdate,
};

use super::{Mask, replace};
use crate::journal::Batch;

impl Mask {
    /// Masks everything that a user's data may have got into. Of attributes that are borrowed this is taken to have been
    /// done: they are those of a scope, and shared by its spans.
    pub fn span(&self, span: &mut Span<'_>) {
        for payload in [&mut span.input, &mut span.output].into_iter().flatten() {
            replace(payload, |json| self.json(json));
        }
        let texts = [&mut span.status_message, &mut span.model, &mut span.version];
        for text in texts.into_iter().flatten().chain([&mut span.name]) {
            replace(text, |text| self.text(text));
        }
        if let Some(masked) = self.metadata(&span.metadata) {
            span.metadata = Cow::Owned(masked);
        }
        if let Cow::Owned(attributes) = &mut span.attributes {
            self.attributes(attributes);
        }
        if let Some(details) = &mut span.details {
            self.details(details);
        }
    }

    /// Masks what a scope says of its spans. Session and user are what spans are found by: keys and tokens are taken
    /// out of them, and that is all.
    pub fn attributes(&self, attributes: &mut TraceAttributes) {
        let TraceAttributes { name, session, user, tags, metadata, version, release, environment, public: _ } =
            attributes;
        self.environment(environment);
        [session, user].into_iter().flatten().for_each(|id| self.owned_id(id));
        for text in [name, version, release].into_iter().flatten().chain(tags) {
            self.owned(text);
        }
        self.entries(metadata);
    }

    /// Masks what is said of a process. Spans are found by these: keys and tokens are taken out of them, and that is all.
    pub fn resource(&self, resource: &mut Resource) {
        let Resource { project, service, release, environment } = resource;
        [project, service].into_iter().chain(release).for_each(|id| self.owned_id(id));
        self.environment(environment);
    }

    /// An environment's name may have no brackets.
    fn environment(&self, environment: &mut Option<String>) {
        if environment.as_deref().is_some_and(|name| self.id(name).is_some()) {
            *environment = Some("redacted".to_owned());
        }
    }

    /// Masks what was recovered.
    pub fn batch(&self, batch: &mut Batch) {
        batch.spans.iter_mut().for_each(|span| self.span(span));
        batch.records.iter_mut().for_each(|record| self.record(record));
    }

    /// Masks what was said with a score or metric.
    pub fn record(&self, record: &mut Record) {
        match record {
            Record::Score(score) => self.score(score),
            Record::Metric(metric) => {
                let Metric { id, name, value: _, unit, tags, target, at: _ } = metric;
                self.record_id(id);
                self.target(target);
                [name].into_iter().chain(unit).chain(tags).for_each(|text| self.owned(text));
            }
        }
    }

    fn score(&self, score: &mut Score) {
        let Score { id, name, value, target, at: _, comment, correction, metadata, author } = score;
        self.record_id(id);
        self.target(target);
        let value = match value {
            ScoreValue::Text(text) | ScoreValue::Categorical(text) => Some(text),
            ScoreValue::Numeric(_) | ScoreValue::Boolean(_) => None,
        };
        [name].into_iter().chain(comment).chain(author).chain(value).for_each(|text| self.owned(text));
        correction.iter_mut().for_each(|correction| self.recorded(correction));
        self.entries(metadata);
    }

    /// Of two records with one id the later is taken for the earlier one anew, so each id becomes another.
    fn record_id(&self, id: &mut String) {
        if self.id(id).is_some() {
            *id = TraceId::from_seed(&*id).to_string();
        }
    }

    /// The session becomes what it is called on its spans, so that they stay together.
    fn target(&self, target: &mut Target) {
        let Target { trace_id: _, span_id: _, session } = target;
        session.iter_mut().for_each(|id| self.owned_id(id));
    }

    fn details(&self, details: &mut Details) {
        let Details {
            states,
            events,
            links,
            errors,
            parameters,
            tools,
            trace,
            prompt,
            time_to_first: _,
            given_parent: _,
        } = details;
        for state in states {
            self.owned(&mut state.name);
            self.recorded(&mut state.value);
        }
        for event in events {
            self.owned(&mut event.name);
            self.entries(&mut event.attributes);
        }
        links.iter_mut().for_each(|link| self.entries(&mut link.attributes));
        for failure in errors {
            self.owned(&mut failure.message);
            failure.sources.iter_mut().for_each(|source| self.owned(source));
        }
        if let Some(Prompt { name, version }) = prompt {
            [name].into_iter().chain(version).for_each(|text| self.owned(text));
        }
        self.entries(parameters);
        tools.iter_mut().for_each(|tools| self.recorded(tools));
        if let Some(TraceUpdate { at: _, attributes, input, output, summary, failed }) = trace {
            self.attributes(attributes);
            [input, output, summary].into_iter().flatten().for_each(|value| self.recorded(value));
            failed.iter_mut().for_each(|message| self.owned(message));
        }
    }

    fn recorded(&self, json: &mut Json) {
        if let Some(masked) = self.json(json.as_str()) {
            *json = Json::from_text(masked);
        }
    }

    fn owned(&self, text: &mut String) {
        if let Some(masked) = self.text(text) {
            *text = masked;
        }
    }

    fn owned_id(&self, id: &mut String) {
        if let Some(masked) = self.id(id) {
            *id = masked;
        }
    }

    fn entries(&self, entries: &mut Metadata) {
        if let Some(masked) = self.metadata(entries) {
            *entries = masked;
        }
    }
}
