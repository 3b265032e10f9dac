//! What only some spans have, kept apart so that the others stay small.

use serde::{Deserialize, Serialize};

use crate::{Json, Metadata, SpanId, Timestamp, TraceId, TraceUpdate};

/// What was said of a span beyond what nearly every span has; [`Span::details`](crate::Span::details) is `None` for most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// What the state of something was, by name, each name once, in the order in which they were first said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<State>,
    /// What happened inside, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Spans elsewhere that it has to do with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// The errors that made it fail, in order, each with its sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Failure>,
    /// The prompt that it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Prompt>,
    /// How the model was asked: temperature and the like.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    pub parameters: Metadata,
    /// Definitions of the tools that the model could call, usually an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Json>,
    /// Nanoseconds from its start until the first token, or the first item of a stream, came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_to_first: Option<u64>,
    /// What was said of the whole trace while this span was the nearest one that had not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceUpdate>,
    /// The program named its trace and its parent: it was called inside neither.
    #[serde(skip_serializing_if = "is_false")]
    pub given_parent: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The state of something at one time. A step's are by custom named [`BEFORE`](State::BEFORE) and
/// [`AFTER`](State::AFTER), which are shown as what the step changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    /// What it is called.
    pub name: String,
    /// The state.
    #[serde(default)]
    pub value: Json,
}

impl State {
    /// The name of the state before a step.
    pub const BEFORE: &'static str = "before";
    /// The name of the state after it.
    pub const AFTER: &'static str = "after";
}

/// Something that happened at one moment of a span.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Event {
    /// What happened.
    pub name: String,
    /// When.
    #[serde(default)]
    pub at: Timestamp,
    /// Anything about it.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub attributes: Metadata,
}

/// A span elsewhere that a span has to do with without being below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Anything about what they have to do with each other.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub attributes: Metadata,
}

/// An error with its sources.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Failure {
    /// Its type, as Rust names it; OpenTelemetry's `exception.type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its own text.
    pub message: String,
    /// The texts of what caused it, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Failure {
    /// Its text and that of its sources, joined by `: `; a source whose text stands at the end already is left out.
    ///
    /// ```
    /// use observe_model::Failure;
    /// let sources = vec!["connection refused".to_owned(), "refused".to_owned()];
    /// let failure = Failure { message: "no answer".to_owned(), sources, ..Failure::default() };
    /// assert_eq!(failure.text(), "no answer: connection refused");
    /// ```
    pub fn text(&self) -> String {
        self.sources.iter().fold(self.message.clone(), |text, source| {
            if text.ends_with(source.as_str()) { text } else { text + ": " + source }
        })
    }
}

/// A prompt that is kept under a name elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Prompt {
    /// Its name.
    pub name: String,
    /// Its version, as text: some platforms count them, others name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Details {
    /// Adds what was `said` later: events, links and errors are added, parameters merged, all else replaced.
    ///
    /// ```
    /// use observe_model::{Details, Json, State};
    /// let state = |value| Details {
    ///     states: vec![State { name: State::AFTER.to_owned(), value: Json::of(&value) }],
    ///     ..Details::default()
    /// };
    /// let mut details = state(1);
    /// details.merge(state(2));
    /// assert_eq!(details, state(2));
    /// ```
    pub fn merge(&mut self, said: Self) {
        let Self {
            states,
            events,
            links,
            errors,
            prompt,
            parameters,
            tools,
            time_to_first,
            trace,
            given_parent,
        } = said;
        for state in states {
            match self.states.iter_mut().find(|known| known.name == state.name) {
                Some(known) => *known = state,
                None => self.states.push(state),
            }
        }
        self.events.extend(events);
        self.links.extend(links);
        self.errors.extend(errors);
        self.parameters.extend(parameters);
        replace(&mut self.prompt, prompt);
        replace(&mut self.tools, tools);
        replace(&mut self.time_to_first, time_to_first);
        self.given_parent |= given_parent;
        if let Some(said) = trace {
            self.trace.get_or_insert_default().merge(said);
        }
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Puts what was said in place of what was there.
pub(crate) fn replace<T>(there: &mut Option<T>, said: Option<T>) {
    if said.is_some() {
        *there = said;
    }
}
