//! A trace by hand.

use std::{borrow::Cow, fmt::Display, future::Future, panic::Location};

use observe_model::{SpanId, SpanType, TraceId};
use observe_wire::journal::entry::Field;
use serde::Serialize;

use super::{Plan, ScopeGuard, Scoped, answered, fail, new_span::NewSpan, runs, stamps, tries};
use crate::{call::MaybeId, capture, switch};

/// A trace by hand: a span of type agent, whose tags, metadata, version, user and session everything inside has too.
///
/// Inside another trace it is that trace's span, unless it is given a trace of its own: an agent that calls another.
/// `name` is a literal or a `String`. It ends as a [`span`](crate::span) does.
///
/// ```
/// # async fn work() {}
/// # async fn example() {
/// use observe_runtime::agent;
/// agent("support-bot").model("gpt-4").version("2.1").tags(["prod"]).scope(async { work().await }).await;
/// # }
/// ```
#[doc(alias = "trace")]
#[doc(alias = "start_trace")]
#[track_caller]
pub fn agent(name: impl Into<Cow<'static, str>>) -> AgentScope {
    AgentScope { plan: Plan::of_span(NewSpan::new(name.into(), SpanType::Agent, Location::caller())) }
}

/// A trace that is about to begin; made by [`agent`].
#[derive(Debug, Clone)]
#[must_use = "a trace begins with `scope`, `sync_scope` or `enter`"]
pub struct AgentScope {
    plan: Plan,
}

impl AgentScope {
    runs!();
    tries!();
    stamps!();
    stamps!(session);
    stamps!(metadata);
    stamps!(place);

    /// What the agent was asked: any `Serialize`, recorded as JSON now.
    pub fn input(mut self, input: impl Serialize) -> Self {
        self.plan.say(|span| span.set_input(&input));
        self
    }

    /// The model that the agent calls.
    pub fn model(mut self, model: impl AsRef<str>) -> Self {
        self.plan.say(|span| span.set(Field::Model, model.as_ref()));
        self
    }

    /// The agent's version, and that of the spans inside that name none of their own.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        if switch::is_on() {
            self.plan.place.attributes.version = Some(version.into()).filter(|version| !version.is_empty());
        }
        self
    }

    /// Nothing exists until the first span begins inside: then the agent's span does, just before it. If none comes,
    /// nothing is recorded or sent. What [`current_span`](crate::current_span) says before has nothing to be said of.
    pub fn lazy(mut self) -> Self {
        self.plan.lazy = true;
        self
    }
}
