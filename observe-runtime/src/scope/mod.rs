//! Scopes: what begins inside belongs to a session, a trace or a span that is opened by hand.
//!
//! Every kind of scope is a [`Plan`] until something runs in it, and [`Running`] then.

mod agent;
mod attributes;
mod guard;
mod lazy;
mod new_span;
mod places;
mod running;
mod span;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use serde::Serialize;

pub use agent::{AgentScope, agent};
pub use attributes::{Scope, attributes, session, trace_context};
pub use guard::ScopeGuard;
pub use span::{SpanName, SpanScope, span};

pub(crate) use guard::{around_guards, settle, stamp_kept};
pub(crate) use lazy::Lazy;
pub(crate) use running::Plan;
use running::Running;

/// The ways to run something in a scope, the same for each kind.
macro_rules! runs {
    () => {
        /// Runs `future` inside, at every poll and nowhere else. What is in force at its first poll is kept underneath.
        pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
            Scoped::new(self.plan, future)
        }

        /// Runs `body` inside, on this thread.
        pub fn sync_scope<R>(self, body: impl FnOnce() -> R) -> R {
            self.plan.run(body)
        }

        /// Puts the scope in force on this thread until the guard is dropped, for code that a closure does not fit around.
        ///
        /// Never hold the guard over an `.await`: what other tasks do on the thread meanwhile would be inside. It stays
        /// on its thread, so the compiler refuses to spawn a future that holds one; [`Self::scope`] is for futures.
        pub fn enter(self) -> ScopeGuard {
            ScopeGuard::enter(self.plan)
        }
    };
}

/// What a scope says of the whole trace, the same for each kind that says it.
macro_rules! stamps {
    () => {
        /// The end user that the traces are for.
        pub fn user(mut self, id: impl Into<String>) -> Self {
            if switch::is_on() {
                self.plan.place.attributes.user = Some(id.into()).filter(|id| crate::span::is_id(id));
            }
            self
        }

        /// Adds a tag, unless it is there already.
        pub fn tag(mut self, tag: impl Into<String>) -> Self {
            if switch::is_on() {
                self.plan.place.attributes.add_tag(tag);
            }
            self
        }

        /// Adds tags, in order, none twice.
        pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
            tags.into_iter().fold(self, Self::tag)
        }
    };
    (session) => {
        /// The session that it belongs to; see [`session`](crate::session).
        pub fn session(mut self, id: impl Into<String>) -> Self {
            if switch::is_on() {
                self.plan.place.attributes.session = Some(id.into()).filter(|id| crate::span::is_id(id));
            }
            self
        }
    };
    (metadata) => {
        /// Adds metadata. A value under a name that means a secret is redacted; one that cannot be serialised becomes `null`.
        pub fn metadata(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
            if switch::is_on() {
                let name = name.into();
                let value =
                    if capture::is_secret(&name) { "[redacted]".into() } else { capture::to_value(&value) };
                self.plan.place.attributes.metadata.insert(name, value);
            }
            self
        }
    };
    (place) => {
        /// The trace that it begins in; `None` leaves it to what is in force. Another trace than that in force begins
        /// with a root.
        pub fn trace_id(mut self, id: impl MaybeId<TraceId>) -> Self {
            self.plan.place = self.plan.place.trace_id(id);
            self
        }

        /// The span that it begins under, also one of another process; `None` leaves it to what is in force.
        pub fn parent(mut self, id: impl MaybeId<SpanId>) -> Self {
            self.plan.place = self.plan.place.parent(id);
            self
        }
    };
}
use {runs, stamps};

/// What only a scope that opens a span has: a `Result` that can fail it.
macro_rules! tries {
    () => {
        /// [`Self::scope`] for a future that returns a `Result`: an `Err` ends the span with status error and the
        /// error's text, as with [`#[observe]`](https://docs.rs/observe-ai).
        pub fn try_scope<F, T, E>(self, future: F) -> impl Future<Output = Result<T, E>>
        where
            F: Future<Output = Result<T, E>>,
            E: Display,
        {
            self.scope(async move { future.await.inspect_err(fail) })
        }

        /// [`Self::sync_scope`] for a body that returns a `Result`: an `Err` ends the span with status error and the
        /// error's text.
        pub fn try_sync_scope<T, E: Display>(self, body: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
            self.sync_scope(|| body().inspect_err(fail))
        }

        /// [`Self::try_scope`] around the call of a client, whichever that is: what comes back is the span's output too. If it
        /// is what a model's provider answered, a generation has its model and tokens from it.
        ///
        /// ```
        /// # use observe_runtime::{SpanType, span};
        /// # struct Client;
        /// # impl Client { async fn chat(&self, _: &str) -> Result<String, String> { Ok(String::new()) } }
        /// # async fn example(client: Client, request: &str) -> Result<(), String> {
        /// let answer = span(SpanType::Generation).input(request).call(client.chat(request)).await?;
        /// # Ok(()) }
        /// ```
        #[doc(alias = "wrap")]
        pub fn call<F, T, E>(self, future: F) -> impl Future<Output = Result<T, E>>
        where
            F: Future<Output = Result<T, E>>,
            T: Serialize,
            E: Display,
        {
            self.try_scope(async move { future.await.inspect(answered) })
        }

        /// [`Self::call`] for a client that blocks.
        pub fn sync_call<T: Serialize, E: Display>(
            self,
            body: impl FnOnce() -> Result<T, E>,
        ) -> Result<T, E> {
            self.try_sync_scope(|| body().inspect(answered))
        }
    };
}
use tries;

/// What the call that the open span is around returned.
fn answered(answer: &impl Serialize) {
    crate::current_span().output(answer);
}

/// The span that is open failed with `error`. In the alternate form many errors print their sources too.
fn fail(error: &impl std::fmt::Display) {
    crate::current_span().mark_failed(format!("{error:#}"));
}

#[derive(Debug)]
enum State {
    Waiting(Box<Plan>),
    Inside(Running),
    /// There is nothing to do, or it is done.
    Empty,
}

pin_project_lite::pin_project! {
    /// A future that runs inside a scope; made by `scope` of each kind of scope.
    ///
    /// Where the scope opens a span, dropping this before its end ends the span as cancelled.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        // Dropped first: what the future's values do when they are dropped comes before the span's end.
        #[pin]
        future: F,
        state: State,
    }
}

impl<F> Scoped<F> {
    pub(crate) fn new(plan: Plan, future: F) -> Self {
        let state = if plan.is_empty() { State::Empty } else { State::Waiting(Box::new(plan)) };
        Self { future, state }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let State::Waiting(plan) = this.state {
            *this.state = State::Inside(std::mem::take(&mut **plan).begin());
        }
        let State::Inside(running) = this.state else { return this.future.poll(task) };
        let polled = running.run(|| this.future.poll(task));
        if polled.is_ready() {
            running.finish();
            *this.state = State::Empty;
        }
        polled
    }
}
