//! One step of a trace.

use std::{borrow::Cow, fmt, str::FromStr, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{Cost, Details, Metadata, SpanId, Timestamp, TraceAttributes, TraceId, Usage};

/// A text that names none of the variants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{given}`: expected one of {expected}")]
pub struct ParseNameError {
    what: &'static str,
    given: String,
    expected: String,
}

impl ParseNameError {
    /// `given` names no `what`: `names` are those that there are.
    pub fn new<'n>(what: &'static str, given: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        Self { what, given: given.to_owned(), expected: names.join(", ") }
    }
}

/// Defines an enum whose variants have one lower-case name each, the same in code, store, API and UI.
macro_rules! named {
    ($(#[$doc:meta])* $type:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $type { $($(#[$vdoc])* $variant),+ }

        impl $type {
            /// Every variant, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name that code, store, API and UI use.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                let found = Self::ALL.iter().copied().find(|v| v.as_str() == text);
                found.ok_or_else(|| ParseNameError::new($what, text, Self::ALL.iter().map(|v| v.as_str())))
            }
        }
    };
}

named! {
    /// What kind of step a span is. The names are Langfuse's observation types.
    SpanType, "span type" {
        /// Any step.
        #[default]
        Span = "span",
        /// A call of a language model.
        Generation = "generation",
        /// A component that decides what to do next.
        Agent = "agent",
        /// A tool that an agent or a model called.
        Tool = "tool",
        /// A fixed sequence of steps.
        Chain = "chain",
        /// A search for context.
        Retriever = "retriever",
        /// A call of an embedding model.
        Embedding = "embedding",
        /// A judgement of another step.
        Evaluator = "evaluator",
        /// A check that may stop the flow.
        Guardrail = "guardrail",
        /// Something that happened at one moment.
        Event = "event",
    }
}

named! {
    /// How much a span deserves attention. The names are Langfuse's levels.
    Level, "level" {
        /// Detail for debugging.
        Debug = "debug",
        /// Nothing special.
        #[default]
        Default = "default",
        /// Worth a look.
        Warning = "warning",
        /// Something failed.
        Error = "error",
    }
}

named! {
    /// How a span stands.
    Status, "status" {
        /// It has begun and not ended.
        #[default]
        Running = "running",
        /// It returned.
        Ok = "ok",
        /// It returned `Err`, panicked, or was marked failed.
        Error = "error",
        /// Its future was dropped before it finished.
        Cancelled = "cancelled",
        /// Its stream or iterator was dropped before its end.
        Abandoned = "abandoned",
        /// Its process died before it ended.
        Interrupted = "interrupted",
    }
}

/// One step of a trace: what went in, what came out, when, and how it ended.
///
/// The texts are borrowed where they come from a buffer and owned where they come from a store.
///
/// As JSON it is one object: input and output are the values that they are, and what is unknown is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span<'a> {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// The span that began it; `None` for the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<SpanId>,
    /// What is shown; the function's name unless set.
    pub name: Cow<'a, str>,
    /// What kind of step it is.
    pub span_type: SpanType,
    /// How it stands.
    pub status: Status,
    /// The error's text, or why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_message: Option<Cow<'a, str>>,
    /// How much it deserves attention.
    #[serde(default, skip_serializing_if = "is_default")]
    pub level: Level,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; `None` while it runs, and for ever if its process died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// What went in, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_json")]
    pub input: Option<Cow<'a, str>>,
    /// What came out, as JSON text.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "as_json")]
    pub output: Option<Cow<'a, str>>,
    /// The span's own metadata.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata: Cow<'a, Metadata>,
    /// The model that was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Cow<'a, str>>,
    /// The tokens that the call used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub usage: Usage,
    /// What the call cost in US dollars, where the caller said so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cost: Cost,
    /// The version of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Cow<'a, str>>,
    /// Where the span's function stands: module path, file and line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code<'a>>,
    /// Session, user, tags and so on of the scope it began in, with what [`Details::trace`] says merged in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attributes: Cow<'a, TraceAttributes>,
    /// What only some spans have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Details>>,
    /// Spans begun inside it that were not recorded because the journal was full.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dropped: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// JSON text as the value that it is.
mod as_json {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::Json;

    pub(super) fn serialize<S: Serializer>(
        text: &Option<Cow<'_, str>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        text.as_deref().map(Json::from_text).serialize(serializer)
    }

    pub(super) fn deserialize<'a, 'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Cow<'a, str>>, D::Error> {
        Json::deserialize(deserializer).map(|json| Some(Cow::Owned(json.as_str().to_owned())))
    }
}

#[inline]
fn no_metadata() -> &'static Metadata {
    static NONE: LazyLock<Metadata> = LazyLock::new(Metadata::new);
    &NONE
}

/// Where a function stands in the source; OpenTelemetry's `code.*` attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Code<'a> {
    /// `code.function.name`: module path and function.
    pub function: Cow<'a, str>,
    /// `code.file.path`.
    pub file: Cow<'a, str>,
    /// `code.line.number`, from 1.
    pub line: u32,
}

impl Span<'_> {
    /// A running span with nothing known but its ids, name and start.
    #[inline(always)]
    pub fn begin<'a>(
        trace_id: TraceId,
        span_id: SpanId,
        name: impl Into<Cow<'a, str>>,
        start: Timestamp,
    ) -> Span<'a> {
        Span {
            trace_id,
            span_id,
            parent_id: None,
            name: name.into(),
            span_type: SpanType::Span,
            status: Status::Running,
            status_message: None,
            level: Level::Default,
            start,
            end: None,
            input: None,
            output: None,
            metadata: Cow::Borrowed(no_metadata()),
            model: None,
            usage: Usage::default(),
            cost: Cost::default(),
            version: None,
            code: None,
            attributes: Cow::Borrowed(TraceAttributes::none()),
            details: None,
            dropped: 0,
        }
    }

    /// The same span with every text owned, free of the buffer it was read from.
    pub fn into_owned(self) -> Span<'static> {
        fn own(text: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
            text.map(|t| Cow::Owned(t.into_owned()))
        }
        Span {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_id: self.parent_id,
            name: Cow::Owned(self.name.into_owned()),
            span_type: self.span_type,
            status: self.status,
            status_message: own(self.status_message),
            level: self.level,
            start: self.start,
            end: self.end,
            input: own(self.input),
            output: own(self.output),
            metadata: Cow::Owned(self.metadata.into_owned()),
            model: own(self.model),
            usage: self.usage,
            cost: self.cost,
            version: own(self.version),
            code: self.code.map(|c| Code {
                function: Cow::Owned(c.function.into_owned()),
                file: Cow::Owned(c.file.into_owned()),
                line: c.line,
            }),
            attributes: Cow::Owned(self.attributes.into_owned()),
            details: self.details,
            dropped: self.dropped,
        }
    }

    /// Nanoseconds from start to end; `None` while it has no end.
    pub fn duration(&self) -> Option<u64> {
        self.end.map(|end| end.since(self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back_and_a_wrong_one_lists_the_right_ones() {
        for t in SpanType::ALL {
            assert_eq!(t.as_str().parse(), Ok(*t));
            assert_eq!(serde_json::to_value(t).unwrap(), t.as_str());
        }
        let error = "llm".parse::<SpanType>().unwrap_err().to_string();
        assert!(error.starts_with("unknown span type `llm`: expected one of span, generation,"), "{error}");
    }

    #[test]
    fn a_span_is_the_same_after_its_way_through_json() {
        let mut span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "answer", Timestamp(1));
        let bare = serde_json::to_string(&span).unwrap();
        assert_eq!(
            bare,
            r#"{"trace_id":"e3b98a4da31a127d4bde6e43033f66ba","span_id":"043a718774c572bd","name":"answer","span_type":"span","status":"running","start":"1970-01-01T00:00:00.000000001Z"}"#
        );
        assert_eq!(serde_json::from_str::<Span<'_>>(&bare).unwrap(), span);
        span.parent_id = Some(SpanId::from_seed("p"));
        (span.span_type, span.status, span.level) = (SpanType::Tool, Status::Error, Level::Warning);
        (span.end, span.dropped) = (Some(Timestamp(5)), 7);
        span.input = Some(r#"{"b": 1.50, "a": null}"#.into());
        span.output = Some("null".into());
        (span.status_message, span.model) = (Some("why".into()), Some("m".into()));
        (span.usage, span.cost) = (Usage::new(1, 2), Cost::new(0.5, 0.25));
        span.code = Some(Code { function: "a::b".into(), file: "b.rs".into(), line: 3 });
        span.metadata.to_mut().insert("k".into(), 1.into());
        span.attributes.to_mut().session = Some("conversation".into());
        span.details = Some(Box::new(Details { time_to_first: Some(9), ..Details::default() }));
        let text = serde_json::to_string(&span).unwrap();
        assert!(text.contains(r#""input":{"b": 1.50, "a": null},"output":null,"#), "{text}");
        assert_eq!(serde_json::from_str::<Span<'_>>(&text).unwrap(), span);
    }
}
