//! Which attribute carries which field: one file per dialect, both directions in it.
//!
//! Writing, a dialect is asked for everything that OTLP has no field of its own for ([`Dialect::put`]). Reading, nobody says
//! which dialect a sender speaks, and some speak two at once: each dialect takes the keys that are its own and fills in
//! what the ones before it left open; then [`own`], which is exact, has the last word ([`read`]).

use std::{borrow::Cow, fmt, str::FromStr};

use observe_model::{Details, ParseNameError, Record, Resource, Span, SpanType, Status, TraceAttributes};

use self::langfuse::scores::{Case, score};
use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::SCOPE,
};

pub(crate) mod futureagi;
pub(crate) mod genai;
pub(crate) mod known;
pub(crate) mod langfuse;
pub(crate) mod openinference;
pub(crate) mod own;
pub(crate) mod payload;
pub(crate) mod said;

/// One platform's way of writing our model on the wire: `docs/WIRE.md` has a table of each.
///
/// ```
/// use observe_wire::Dialect;
/// assert_eq!("langfuse".parse(), Ok(Dialect::Langfuse));
/// assert_eq!(Dialect::default().to_string(), "openinference");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Phoenix's, which MLflow, Langfuse and others read too.
    #[default]
    OpenInference,
    /// Langfuse's own, as its clients write it.
    Langfuse,
    /// InteractiveAI's: Langfuse's with an older encoding of metadata.
    InteractiveAi,
    /// The OpenTelemetry GenAI conventions, as of 1.41.
    GenAi,
    /// The GenAI conventions by the names they had first: `gen_ai.system`, `gen_ai.prompt`, `gen_ai.usage.prompt_tokens`.
    GenAiLegacy,
    /// Future AGI's, as its client writes it.
    FutureAgi,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[
        Self::OpenInference,
        Self::Langfuse,
        Self::InteractiveAi,
        Self::GenAi,
        Self::GenAiLegacy,
        Self::FutureAgi,
    ];

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenInference => "openinference",
            Self::Langfuse => "langfuse",
            Self::InteractiveAi => "interactiveai",
            Self::GenAi => "genai",
            Self::GenAiLegacy => "genai-legacy",
            Self::FutureAgi => "futureagi",
        }
    }

    /// A score or metric as JSON for the endpoint that the platform has for them; a metric is a numeric score there. `None` if
    /// the platform has no such endpoint or, since it is about the project as a whole, does not take it.
    ///
    /// Langfuse takes an array of them (`POST /api/public/scores`), InteractiveAI one at a time. The id makes sending again
    /// harmless. The environment is where the application runs; one of a name that Langfuse does not allow is left out.
    ///
    /// ```
    /// # use observe_model::{Record, Score, Target, TraceId};
    /// # use observe_wire::Dialect;
    /// let target = Target { trace_id: TraceId::from_int(1), ..Target::default() };
    /// let score = Record::Score(Score { id: "s1".into(), name: "quality".into(), value: 0.9.into(), target, ..Score::default() });
    /// let json = String::from_utf8(Dialect::Langfuse.score(&score, Some("staging")).unwrap()).unwrap();
    /// assert!(json.contains(r#""traceId":"00000000000000000000000000000001","name":"quality""#), "{json}");
    /// assert_eq!(Dialect::OpenInference.score(&score, None), None);
    /// ```
    pub fn score(self, record: &Record, environment: Option<&str>) -> Option<Vec<u8>> {
        match self {
            Self::OpenInference | Self::GenAi | Self::GenAiLegacy | Self::FutureAgi => None,
            Self::Langfuse => score(record, environment, Case::Camel),
            Self::InteractiveAi => score(record, environment, Case::Snake),
        }
    }

    /// Why the platform is not told all of what the span says of its scope; `None` if it is.
    pub(crate) fn unfit(self, span: &Span<'_>) -> Option<&'static str> {
        match self {
            Self::OpenInference | Self::GenAi | Self::GenAiLegacy | Self::FutureAgi => None,
            Self::Langfuse | Self::InteractiveAi => langfuse::unfit(span),
        }
    }

    /// The name of the instrumentation scope, by which platforms know what their own clients sent.
    pub(crate) const fn scope(self) -> &'static [u8] {
        match self {
            Self::OpenInference | Self::GenAi | Self::GenAiLegacy | Self::FutureAgi => SCOPE,
            Self::Langfuse => langfuse::SCOPE,
            Self::InteractiveAi => langfuse::INTERACTIVEAI_SCOPE,
        }
    }

    /// The attributes of the resource.
    pub(crate) fn resource(self, resource: &Resource) -> Vec<(&'static str, Cow<'_, str>)> {
        let said = match self {
            Self::OpenInference => openinference::of_resource(resource),
            Self::Langfuse | Self::InteractiveAi => langfuse::of_resource(resource),
            Self::GenAi | Self::GenAiLegacy => genai::of_resource(resource),
            Self::FutureAgi => return futureagi::of_resource(resource),
        };
        said.into_iter().map(|(key, text)| (key, text.into())).collect()
    }

    /// Appends what a span says, but for ids, name, times, status code, events and links: OTLP has its own fields for those.
    /// The resource is for what a platform wants on every span.
    pub(crate) fn put(self, out: &mut Vec<u8>, span: &Span<'_>, resource: &Resource) {
        match self {
            Self::OpenInference => openinference::put(out, span),
            Self::Langfuse | Self::InteractiveAi => langfuse::put(out, span, resource, self),
            Self::GenAi | Self::GenAiLegacy => genai::put(out, span, self),
            Self::FutureAgi => futureagi::put(out, span),
        }
    }

    /// OTLP's `StatusCode`: unset, ok or error. `observe.status` tells apart what it cannot.
    pub(crate) const fn status_code(self, status: Status) -> u8 {
        match (status, self) {
            // Future AGI's client leaves no ended span unset.
            (Status::Cancelled | Status::Abandoned, Self::FutureAgi) | (Status::Ok, _) => 1,
            (Status::Running | Status::Cancelled | Status::Abandoned, _) => 0,
            (Status::Error | Status::Interrupted, _) => 2,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, ParseNameError> {
        let found = Self::ALL.iter().copied().find(|dialect| dialect.as_str() == text);
        found.ok_or_else(|| ParseNameError::new("dialect", text, Self::ALL.iter().map(|d| d.as_str())))
    }
}

/// What an [`Encoder`](crate::Encoder) says beside the spans, of the process and of itself; an attribute that the dialect
/// has too is replaced.
///
/// ```
/// # use observe_wire::{Dialect, Encoder, Extras};
/// let extras = Extras { scope: vec![("public_key".into(), "pk-lf-..".into())], ..Extras::default() };
/// let encoder = Encoder::in_dialect(&Default::default(), Dialect::Langfuse, &extras);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extras {
    /// Attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// The name of the instrumentation scope, where it is not the dialect's.
    pub scope_name: Option<String>,
    /// Attributes of the instrumentation scope.
    pub scope: Vec<(String, String)>,
}

/// Who sent a span, as far as that decides how it is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sender {
    /// Whether it was us, in one of the dialects that leave the scope's name to us.
    pub(crate) is_ours: bool,
    /// Whether each value of metadata is JSON, texts included.
    pub(crate) is_langfuse: bool,
    /// What the process said of itself.
    pub(crate) resource: Resource,
}

impl Sender {
    /// The sender that this scope names.
    pub(crate) fn of_scope(&mut self, name: &[u8]) {
        self.is_ours = name == SCOPE;
        self.is_langfuse = name.starts_with(langfuse::SCOPE);
    }
}

/// The resource that `attributes` describe, in any dialect.
pub(crate) fn resource(mut attributes: Attributes<'_>) -> Resource {
    let a = &mut attributes;
    let is_future_agi = a.has("project_name");
    let project = a.text(&["openinference.project.name", own::PROJECT, "project_name"]);
    let service = a.text(&["service.name"]);
    let project = project.or_else(|| service.clone()).unwrap_or_else(|| "default".to_owned());
    let mut resource = Resource {
        service: service.unwrap_or_else(|| project.clone()),
        project,
        release: a.text(&["service.version", "langfuse.release"]),
        environment: a.text(&[
            "deployment.environment.name",
            "deployment.environment",
            "langfuse.environment",
        ]),
    };
    if is_future_agi {
        futureagi::read_resource(&mut resource, a);
    }
    resource
}

/// A span while it is read: of OTLP's own fields everything is known.
pub(crate) struct Draft<'s> {
    pub(crate) span: &'s mut Span<'static>,
    pub(crate) scope: TraceAttributes,
    /// But for events, links and errors.
    pub(crate) details: Details,
}

/// Reads into `span`, of which OTLP's own fields are known, what `attributes` say, in any dialect.
pub(crate) fn read(
    span: &mut Span<'static>,
    mut attributes: Attributes<'_>,
    sender: &Sender,
) -> Result<(), Unreadable> {
    let a = &mut attributes;
    let mut draft = Draft { span, scope: TraceAttributes::default(), details: Details::default() };
    if a.has_any("langfuse.") {
        langfuse::read(&mut draft, a, sender)?;
    }
    openinference::read(&mut draft, a)?;
    genai::read(&mut draft, a, sender)?;
    draft.span.span_type = span_type(a, draft.span.model.is_some(), sender);
    own::read(&mut draft, a)?;
    let Draft { span, scope, details } = draft;
    span.attributes = Cow::Owned(scope);
    if !details.is_empty() {
        span.details.get_or_insert_default().merge(details);
    }
    attributes.rest_into(span.metadata.to_mut())
}

/// What kind of step the dialects say that it is, the most telling first.
fn span_type(a: &mut Attributes<'_>, has_model: bool, sender: &Sender) -> SpanType {
    let said = [
        own::span_type(a),
        langfuse::span_type(a),
        openinference::span_type(a, sender.is_ours),
        genai::span_type(a),
    ];
    let unsaid = if has_model { SpanType::Generation } else { SpanType::Span };
    said.into_iter().flatten().next().unwrap_or(unsaid)
}

/// Says what an earlier dialect left open.
fn fill<T>(there: &mut Option<T>, said: impl FnOnce() -> Option<T>) {
    if there.is_none() {
        *there = said();
    }
}
