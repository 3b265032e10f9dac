//! Scores and metrics, for which Langfuse and InteractiveAI have endpoints of their own: the same words, in camel case and
//! in snake case.

use observe_model::{Metadata, Metric, Record, Score, ScoreValue, Target};
use serde_json::Value;

use super::{is_environment, micros};
use crate::dialect::own::object;

/// How a platform writes the names of the fields.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Case {
    Camel,
    Snake,
}

/// A score or metric as the body, or an item of the body, of a request; `None` if it is about the project as a whole, of
/// which the platforms know no score.
pub(crate) fn score(record: &Record, environment: Option<&str>, case: Case) -> Option<Vec<u8>> {
    let (id, name, target, at) = match record {
        Record::Score(Score { id, name, target, at, .. }) => (id, name, target, at),
        Record::Metric(Metric { id, name, target, at, .. }) => (id, name, target, at),
    };
    let mut fields = Fields { case, said: Vec::new() };
    fields.text("id", id);
    fields.target(target)?;
    fields.text("name", name);
    fields.environment(environment);
    match record {
        Record::Score(score) => fields.score(score),
        Record::Metric(metric) => fields.metric(metric),
    }
    fields.text("timestamp", &micros(*at));
    Some(object(fields.said.iter().map(|(key, value)| (key, value))))
}

struct Fields {
    case: Case,
    said: Vec<(String, Value)>,
}

impl Fields {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        let name = match self.case {
            Case::Snake => name.to_owned(),
            Case::Camel => camel(name),
        };
        self.said.push((name, value.into()));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.put(name, text);
    }

    /// One of trace and session: the platforms refuse both. A trace's session is the one it is known to belong to.
    fn target(&mut self, target: &Target) -> Option<()> {
        match target {
            Target { trace_id: Some(trace), span_id, .. } => {
                self.put("trace_id", trace.to_string());
                if let Some(span) = span_id {
                    self.put("observation_id", span.to_string());
                }
            }
            Target { session: Some(session), .. } => self.text("session_id", session),
            _ => return None,
        }
        Some(())
    }

    fn environment(&mut self, environment: Option<&str>) {
        if let Some(environment) = environment.filter(|name| is_environment(name)) {
            self.text("environment", environment);
        }
    }

    fn score(&mut self, score: &Score) {
        let (value, data_type) = match &score.value {
            ScoreValue::Numeric(number) => (Value::from(*number), "NUMERIC"),
            ScoreValue::Boolean(value) => (Value::from(if *value { 1.0 } else { 0.0 }), "BOOLEAN"),
            ScoreValue::Categorical(name) => (name.as_str().into(), "CATEGORICAL"),
            // Only Langfuse tells free text from names.
            ScoreValue::Text(text) if self.case == Case::Camel => (text.as_str().into(), "TEXT"),
            ScoreValue::Text(text) => (text.as_str().into(), "CATEGORICAL"),
        };
        self.put("value", value);
        if let Some(comment) = &score.comment {
            self.text("comment", comment);
        }
        let mut metadata = score.metadata.clone();
        if let Some(correction) = &score.correction {
            let value = serde_json::from_str(correction.as_str()).unwrap_or_default();
            metadata.entry("correction").or_insert(value);
        }
        if let Some(author) = &score.author {
            metadata.entry("author").or_insert_with(|| author.as_str().into());
        }
        self.metadata(metadata);
        self.text("data_type", data_type);
    }

    fn metric(&mut self, metric: &Metric) {
        self.put("value", metric.value);
        let mut metadata = Metadata::new();
        if let Some(unit) = &metric.unit {
            metadata.insert("unit".to_owned(), unit.as_str().into());
        }
        if !metric.tags.is_empty() {
            metadata.insert("tags".to_owned(), metric.tags.clone().into());
        }
        self.metadata(metadata);
        self.text("data_type", "NUMERIC");
    }

    fn metadata(&mut self, metadata: Metadata) {
        if !metadata.is_empty() {
            self.put("metadata", metadata);
        }
    }
}

/// A name of several words in camel case.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at_checked(1).unwrap_or_default();
        name + &head.to_ascii_uppercase() + tail
    })
}
