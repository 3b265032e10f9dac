//! Handles on a span and on its trace, to say more of them than the macro captured.

use std::{any::type_name, error::Error, time::Duration};

use observe_model::{Cost, Level, SpanId, SpanType, State, TraceId, Usage};
use observe_wire::journal::entry::Field;
use serde::Serialize;

use crate::{
    call::{change, note_failure},
    capture, context,
    report::Once,
    settings,
};

/// The trace that the calling code runs in; `None` outside a trace.
pub fn current_trace_id() -> Option<TraceId> {
    context::here().trace()
}

/// The span that the calling code runs in; `None` outside a trace.
pub fn current_span_id() -> Option<SpanId> {
    let context = context::here();
    context.span().filter(|_| context.is_in_recorded_span())
}

/// The span that the calling code runs in. Outside a recorded span the handle does nothing.
///
/// ```
/// use observe_runtime::{Usage, current_span};
/// current_span().model("gpt-4o-mini").usage(Usage::new(12, 34)).metadata("attempt", 2);
/// ```
pub fn current_span() -> SpanHandle {
    SpanHandle { span: current_span_id() }
}

/// A handle on a span, to say more of it. What is said last wins, also over what the macro captured.
///
/// It is copied and sent freely: another task or thread may say something of the span too, until it ends. What is said
/// of a span that has ended is not kept, and reported once on stderr. Every method takes any `Serialize` value, redacted
/// and bounded like a captured one, and never fails.
#[derive(Debug, Clone, Copy)]
pub struct SpanHandle {
    span: Option<SpanId>,
}

impl SpanHandle {
    /// Its id; `None` outside a recorded span.
    pub fn id(&self) -> Option<SpanId> {
        self.span
    }

    /// What went in, in place of what was captured.
    pub fn input(self, input: impl Serialize) -> Self {
        self.value(Field::Input, &input)
    }

    /// One named field of what went in, beside those that are there. An input that is no object stays, as the field `input`.
    pub fn input_field(self, name: impl AsRef<str>, value: impl Serialize) -> Self {
        self.value(Field::InputFields, &Pair(name.as_ref(), &value))
    }

    /// What came out, in place of what will be returned.
    pub fn output(self, output: impl Serialize) -> Self {
        self.value(Field::Output, &output)
    }

    /// The state of something before the step; shown with [`state_after`](Self::state_after) as what the step changed.
    pub fn state_before(self, state: impl Serialize) -> Self {
        self.state(State::BEFORE, state)
    }

    /// The state of something after the step.
    pub fn state_after(self, state: impl Serialize) -> Self {
        self.state(State::AFTER, state)
    }

    /// The state of something under a name of its own.
    pub fn state(self, name: impl AsRef<str>, state: impl Serialize) -> Self {
        #[derive(Serialize)]
        struct One<'a, T> {
            name: &'a str,
            // Last, so that cutting it short leaves the name.
            value: T,
        }
        let name = name.as_ref();
        if capture::is_secret(name) {
            return self.one_of("states", &One { name, value: "[redacted]" });
        }
        self.one_of("states", &One { name, value: state })
    }

    /// What it is called in lists and trees.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        self.value(Field::Name, name.as_ref())
    }

    /// What kind of step it is.
    pub fn as_type(self, span_type: SpanType) -> Self {
        self.value(Field::SpanType, &span_type)
    }

    /// The model that it called.
    pub fn model(self, model: impl AsRef<str>) -> Self {
        self.value(Field::Model, model.as_ref())
    }

    /// How the model was asked: an object, `{"temperature": 0.2}` for instance, merged with what was said before.
    pub fn parameters(self, parameters: impl Serialize) -> Self {
        self.detail("parameters", &parameters)
    }

    /// The prompt that it used, by the name and version under which it is kept elsewhere.
    pub fn prompt(self, name: impl AsRef<str>, version: impl ToString) -> Self {
        #[derive(Serialize)]
        struct Prompt<'a> {
            name: &'a str,
            version: Option<String>,
        }
        let version = Some(version.to_string()).filter(|version| !version.is_empty());
        self.detail("prompt", &Prompt { name: name.as_ref(), version })
    }

    /// Definitions of the tools that the model could call, usually an array.
    pub fn tools(self, tools: impl Serialize) -> Self {
        self.detail("tools", &tools)
    }

    /// The version of the component.
    pub fn version(self, version: impl AsRef<str>) -> Self {
        self.value(Field::Version, version.as_ref())
    }

    /// The tokens that the call used.
    pub fn usage(self, usage: Usage) -> Self {
        self.value(Field::Usage, &usage)
    }

    /// What the call cost in US dollars: a number for the whole, or a [`Cost`] with its parts. What is no finite number
    /// is left out.
    pub fn cost(self, cost: impl Into<Cost>) -> Self {
        static NOT_FINITE: Once = Once::new();
        let cost = cost.into();
        let finite = cost.finite();
        if self.span.is_some() && finite != cost {
            NOT_FINITE.say("a cost that is no finite number is left out");
        }
        self.value(Field::Cost, &finite)
    }

    /// How long it took until the first token, or the first item of a stream, came out.
    pub fn time_to_first_token(self, time: Duration) -> Self {
        self.detail("time_to_first", &u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    /// The first token, or the first item of a stream, comes out now.
    pub fn first_token(self) -> Self {
        if let Some(span) = self.span {
            change(span, Field::First, |_| {});
        }
        self
    }

    /// How much it deserves attention.
    pub fn level(self, level: Level) -> Self {
        self.value(Field::Level, &level)
    }

    /// A text beside the status, which does not make the span fail.
    pub fn status_message(self, message: impl AsRef<str>) -> Self {
        self.value(Field::Message, message.as_ref())
    }

    /// Adds tags to this span alone, none twice; [`TraceHandle::tags`] adds them to the trace.
    pub fn tags<T: AsRef<str>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.value(Field::Tags, &Texts::of(tags))
    }

    /// Adds metadata under `name`.
    pub fn metadata(self, name: impl AsRef<str>, value: impl Serialize) -> Self {
        self.value(Field::Metadata, &Pair(name.as_ref(), &value))
    }

    /// Something happened now; `attributes`, an object, say more about it, `()` nothing.
    ///
    /// ```
    /// # use observe_runtime::current_span;
    /// current_span().event("cache miss", ());
    /// current_span().event("retry", std::collections::HashMap::from([("attempt", 2)]));
    /// ```
    pub fn event(self, name: impl AsRef<str>, attributes: impl Serialize) -> Self {
        #[derive(Serialize)]
        struct Event<'a> {
            name: &'a str,
            #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
            attributes: observe_model::Metadata,
        }
        if self.span.is_none() {
            return self;
        }
        let attributes = match capture::to_value(&attributes) {
            serde_json::Value::Object(attributes) => attributes,
            serde_json::Value::Null => observe_model::Metadata::new(),
            other => observe_model::Metadata::from_iter([("value".to_owned(), other)]),
        };
        self.one_of("events", &Event { name: name.as_ref(), attributes })
    }

    /// It has to do with a span elsewhere.
    pub fn link(self, trace_id: TraceId, span_id: SpanId) -> Self {
        self.one_of("links", &Pair2("trace_id", trace_id, "span_id", span_id))
    }

    /// It failed with this error, which is kept with its type and sources; a later return value does not undo it.
    ///
    /// For a `Box<dyn Error>` or an `anyhow::Error` give what it points to: `.error(&*error)`.
    pub fn error<E: Error + ?Sized>(self, error: &E) -> Self {
        if let Some(span) = self.span {
            let failure = capture::failure(&capture::ByRef(error), type_name::<E>());
            note_failure(span, &failure);
            return self.value(Field::Failed, &failure.text());
        }
        self
    }

    /// Marks the span as failed; a later return value does not undo it.
    pub fn mark_failed(self, message: impl AsRef<str>) -> Self {
        self.value(Field::Failed, message.as_ref())
    }

    /// The trace that the span belongs to.
    pub fn trace(self) -> TraceHandle {
        TraceHandle { span: self.span }
    }

    fn value<T: Serialize + ?Sized>(self, field: Field, value: &T) -> Self {
        if let Some(span) = self.span {
            change(span, field, |draft| capture::put(draft, value));
        }
        self
    }

    /// One field of [`observe_model::Details`].
    fn detail<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Self {
        self.value(Field::Details, &Pair(name, value))
    }

    /// One more element of a list in [`observe_model::Details`].
    fn one_of<T: Serialize>(self, list: &'static str, value: &T) -> Self {
        self.detail(list, &[value])
    }
}

/// The trace that the calling code runs in, from however deep inside. Outside a recorded span the handle does nothing.
///
/// ```
/// use observe_runtime::current_trace;
/// current_trace().name("weather-query").user("ada").tags(["urgent"]).metadata("tier", "premium");
/// ```
pub fn current_trace() -> TraceHandle {
    current_span().trace()
}

/// A handle on a trace, to say something of it as a whole: what is said last wins, tags and metadata merge, and it wins
/// over what scopes have set.
///
/// What is said is kept on the trace's first span, and on those that end after it. Like a [`SpanHandle`] it may be used
/// from another task or thread, until the span in which it was made ends.
#[derive(Debug, Clone, Copy)]
pub struct TraceHandle {
    span: Option<SpanId>,
}

impl TraceHandle {
    /// What the trace is called, apart from its root span.
    pub fn name(self, name: impl AsRef<str>) -> Self {
        self.attribute("name", name.as_ref())
    }

    /// The session it belongs to. An empty id is none, and changes nothing.
    #[doc(alias = "conversation")]
    #[doc(alias = "group")]
    pub fn session(self, id: impl AsRef<str>) -> Self {
        self.id("session", id.as_ref())
    }

    /// The end user it is for. An empty id is none, and changes nothing.
    pub fn user(self, id: impl AsRef<str>) -> Self {
        self.id("user", id.as_ref())
    }

    /// Adds tags, in order, none twice.
    pub fn tags<T: AsRef<str>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.attribute("tags", &Texts::of(tags))
    }

    /// Adds metadata under `name`.
    pub fn metadata(self, name: impl AsRef<str>, value: impl Serialize) -> Self {
        self.attribute("metadata", &Pair(name.as_ref(), &value))
    }

    /// The version of what the trace is a run of: an agent, a workflow.
    pub fn version(self, version: impl AsRef<str>) -> Self {
        self.attribute("version", version.as_ref())
    }

    /// The release of the application, where it is not the process's.
    pub fn release(self, release: impl AsRef<str>) -> Self {
        self.attribute("release", release.as_ref())
    }

    /// Where the application runs, where it is not what the process says: `production`, `staging`, in the form that
    /// [`Scope::environment`](crate::Scope::environment) tells of.
    pub fn environment(self, environment: impl AsRef<str>) -> Self {
        let form = self.span.and_then(|_| settings::environment(environment.as_ref()));
        form.map_or(self, |form| self.attribute("environment", form.as_str()))
    }

    /// Whether anybody with a link may see it, on platforms that offer this.
    pub fn public(self, public: bool) -> Self {
        self.attribute("public", &public)
    }

    /// What it came to: any value.
    pub fn summary(self, summary: impl Serialize) -> Self {
        self.value("summary", &summary)
    }

    /// What went into it, where that is not what went into its root span.
    pub fn input(self, input: impl Serialize) -> Self {
        self.value("input", &input)
    }

    /// What came out of it, where that is not what comes out of its root span.
    pub fn output(self, output: impl Serialize) -> Self {
        self.value("output", &output)
    }

    /// Marks the trace as failed, and with it its root span; a return value does not undo it.
    pub fn mark_failed(self, message: impl AsRef<str>) -> Self {
        self.value("failed", message.as_ref())
    }

    fn id(self, name: &'static str, id: &str) -> Self {
        if self.span.is_none() || !is_id(id) {
            return self;
        }
        self.attribute(name, id)
    }

    /// One of [`observe_model::TraceAttributes`].
    fn attribute<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Self {
        self.value("attributes", &Pair(name, value))
    }

    /// One field of [`observe_model::TraceUpdate`].
    fn value<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Self {
        if let Some(span) = self.span {
            change(span, Field::Trace, |draft| capture::put(draft, &Pair(name, value)));
        }
        self
    }
}

/// Whether this is the id of a session or user. An empty one is not, which is said once.
pub(crate) fn is_id(id: &str) -> bool {
    static EMPTY: Once = Once::new();
    if id.is_empty() {
        EMPTY.say("an empty session or user id says nothing and is left out");
    }
    !id.is_empty()
}

/// An object of one field.
pub(crate) struct Pair<'a, T: ?Sized>(pub(crate) &'a str, pub(crate) &'a T);

impl<T: Serialize + ?Sized> Serialize for Pair<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
    }
}

/// An object of two fields.
struct Pair2<'a, T, U>(&'a str, T, &'a str, U);

impl<T: Serialize, U: Serialize> Serialize for Pair2<'_, T, U> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.0, &self.1)?;
        map.serialize_entry(self.2, &self.3)?;
        map.end()
    }
}

/// A list of texts.
#[derive(Serialize)]
#[serde(transparent)]
struct Texts(Vec<String>);

impl Texts {
    fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self(texts.into_iter().map(|text| text.as_ref().to_owned()).collect())
    }
}
