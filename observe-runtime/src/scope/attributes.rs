//! Scopes that open no span: they say where and under what attributes spans begin.

use std::future::Future;

use observe_model::{SpanId, TraceId};
use serde::Serialize;

use super::{Plan, ScopeGuard, Scoped, runs, stamps};
use crate::{
    call::{MaybeId, Place},
    capture, settings, switch,
};

/// Opens a session: every span that begins inside its scope belongs to it.
///
/// `id` is any string that the application chooses: a thread, a ticket, a phone call. The same id used again later
/// continues the session; every trace begun inside is one more turn of it. An empty id is no session.
///
/// ```
/// # async fn reply(_: &str) {}
/// # async fn example() {
/// use observe_runtime::session;
/// session("conv_123").user("user_42").tag("prod").scope(async {
///     reply("hello").await;
/// }).await;
/// session("conv_123").sync_scope(|| { /* the same for code that does not await */ });
/// let _session = session("conv_123").enter(); // the same to the end of the block
/// # }
/// ```
#[doc(alias = "conversation")]
#[doc(alias = "group")]
#[doc(alias = "thread")]
pub fn session(id: impl Into<String>) -> Scope {
    attributes().session(id)
}

/// A scope that sets nothing yet: for attributes without a session.
///
/// ```
/// use observe_runtime::attributes;
/// attributes().user("user_42").tags(["prod", "eu"]).metadata("tier", "gold").sync_scope(|| { /* .. */ });
/// ```
#[doc(alias = "propagate_attributes")]
pub fn attributes() -> Scope {
    Scope { plan: Plan::default() }
}

/// A scope whose spans begin in the trace `trace_id`, under `parent`; each may be `None`, and is left to what is in force
/// then.
///
/// This gives a call its trace without touching the signature of what is called. The id may come from anywhere: another
/// process, or [`TraceId::from_seed`]. Without a parent, what begins inside is a root of the trace.
///
/// ```
/// use observe_runtime::{TraceId, trace_context};
/// # fn process() {}
/// trace_context(TraceId::from_seed("request-7"), None).sync_scope(|| process());
/// ```
#[doc(alias = "langfuse_trace_id")]
#[doc(alias = "using_trace")]
pub fn trace_context(trace_id: impl MaybeId<TraceId>, parent: impl MaybeId<SpanId>) -> Scope {
    attributes().trace_id(trace_id).parent(parent)
}

/// Attributes for everything that begins inside; made by [`session`], [`attributes`] and [`trace_context`].
///
/// Laid over those of the scope around it: what is set here wins, tags and metadata merge. Spans that had begun
/// before are not changed, and leaving the scope restores what was in force.
#[derive(Debug, Clone)]
#[must_use = "a scope does nothing until `scope`, `sync_scope` or `enter`"]
pub struct Scope {
    plan: Plan,
}

impl Scope {
    pub(crate) fn of_place(place: Place) -> Self {
        Self { plan: Plan::of_place(place) }
    }

    runs!();
    stamps!();
    stamps!(session);
    stamps!(metadata);
    stamps!(place);

    /// What the traces are called, instead of after their roots.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        if switch::is_on() {
            self.plan.place.attributes.name = Some(name.into()).filter(|name| !name.is_empty());
        }
        self
    }

    /// The version of the spans that begin inside and name none of their own.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        if switch::is_on() {
            self.plan.place.attributes.version = Some(version.into()).filter(|version| !version.is_empty());
        }
        self
    }

    /// `production`, `staging`, .., where not that of the process: at most 40 of `a` to `z`, `0` to `9`, `_` and `-`.
    /// Another text is recorded in the nearest such form, and said so once on stderr.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        if switch::is_on() {
            self.plan.place.attributes.environment = settings::environment(&name.into());
        }
        self
    }
}
