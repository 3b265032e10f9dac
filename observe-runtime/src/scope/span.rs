//! Spans that are opened by hand.

use std::{borrow::Cow, fmt::Display, future::Future, panic::Location};

use observe_model::{Level, SpanId, SpanType, TraceId};
use observe_wire::journal::entry::Field;
use serde::Serialize;

use super::{Plan, ScopeGuard, Scoped, answered, fail, new_span::NewSpan, runs, stamps, tries};
use crate::{call::MaybeId, span::Pair, switch};

/// A span around a block of code: the same as [`#[observe]`](https://docs.rs/observe-ai) records for a function.
///
/// `name` is a literal, a `String`, or a [`SpanType`]: a span without a name is called by its type, a generation
/// `chat` and its model.
///
/// What the block returns is captured by [`SpanScope::call`] alone; elsewhere say what of it is worth recording with
/// [`current_span`](crate::current_span).
/// The span ends like an annotated call: returned, panicked, or cancelled if its future is dropped; failed if
/// [`SpanScope::try_scope`] got an `Err` or [`mark_failed`](crate::SpanHandle::mark_failed) was called.
///
/// ```
/// # async fn rank(_: &[&str]) -> Vec<u32> { vec![] }
/// # async fn example(docs: &[&str]) {
/// use observe_runtime::{SpanType, current_span, span};
/// let ranks = span("rerank").as_type(SpanType::Retriever).input(docs).scope(async {
///     let ranks = rank(docs).await;
///     current_span().output(&ranks);
///     ranks
/// }).await;
/// # }
/// ```
#[doc(alias = "start_as_current_span")]
#[doc(alias = "start_as_current_observation")]
#[track_caller]
pub fn span(name: impl Into<SpanName>) -> SpanScope {
    let SpanName { name, span_type } = name.into();
    SpanScope { plan: Plan::of_span(NewSpan::new(name, span_type, Location::caller())) }
}

/// What [`span`] takes: a literal, a `String`, or a [`SpanType`] for a span without a name.
#[derive(Debug, Clone)]
pub struct SpanName {
    name: Cow<'static, str>,
    span_type: SpanType,
}

impl From<Cow<'static, str>> for SpanName {
    fn from(name: Cow<'static, str>) -> Self {
        Self { name, span_type: SpanType::Span }
    }
}

impl From<&'static str> for SpanName {
    fn from(name: &'static str) -> Self {
        Cow::Borrowed(name).into()
    }
}

impl From<String> for SpanName {
    fn from(name: String) -> Self {
        Cow::<'static, str>::Owned(name).into()
    }
}

impl From<SpanType> for SpanName {
    fn from(span_type: SpanType) -> Self {
        Self { name: Cow::Borrowed(""), span_type }
    }
}

/// A span that is about to begin; made by [`span`].
#[derive(Debug, Clone)]
#[must_use = "a span begins with `scope`, `sync_scope` or `enter`"]
pub struct SpanScope {
    plan: Plan,
}

impl SpanScope {
    runs!();
    tries!();
    stamps!();
    stamps!(session);
    stamps!(place);

    /// What kind of step it is.
    pub fn as_type(mut self, span_type: SpanType) -> Self {
        self.plan.say(|span| span.set_type(span_type));
        self
    }

    /// What goes in: any `Serialize`, recorded as JSON now.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.plan.say(|span| span.set_input(&input));
        self
    }

    /// The model that it calls.
    pub fn model(mut self, model: impl AsRef<str>) -> Self {
        self.plan.say(|span| span.set(Field::Model, model.as_ref()));
        self
    }

    /// How much it deserves attention.
    pub fn level(mut self, level: Level) -> Self {
        self.plan.say(|span| span.set(Field::Level, &level));
        self
    }

    /// The version of the component.
    pub fn version(mut self, version: impl AsRef<str>) -> Self {
        self.plan.say(|span| span.set(Field::Version, version.as_ref()));
        self
    }

    /// Adds metadata of the span. A value under a name that means a secret is redacted.
    pub fn metadata(mut self, name: impl AsRef<str>, value: impl Serialize) -> Self {
        self.plan.say(|span| span.set(Field::Metadata, &Pair(name.as_ref(), &value)));
        self
    }
}
