//! Sessions: what is begun inside belongs to them.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use observe_model::TraceAttributes;
use serde::Serialize;

use crate::{capture, context::Ambient, switch};

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
/// # }
/// ```
#[doc(alias = "conversation")]
#[doc(alias = "group")]
#[doc(alias = "thread")]
pub fn session(id: impl Into<String>) -> Scope {
    let mut attributes = TraceAttributes::default();
    if switch::is_on() {
        attributes.session = Some(id.into()).filter(|id| !id.is_empty());
    }
    Scope { attributes }
}

/// Attributes for everything that begins inside; made by [`session`].
///
/// Laid over those of the scope around it: what is set here wins, tags and metadata merge. Spans that had begun
/// before are not changed, and leaving the scope restores what was in force.
#[derive(Debug, Clone)]
#[must_use = "a scope does nothing until `scope` or `sync_scope` runs something in it"]
pub struct Scope {
    attributes: TraceAttributes,
}

impl Scope {
    /// The end user that the traces are for.
    pub fn user(mut self, id: impl Into<String>) -> Self {
        if switch::is_on() {
            self.attributes.user = Some(id.into()).filter(|id| !id.is_empty());
        }
        self
    }

    /// Adds a tag, unless it is there already.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        if switch::is_on() {
            self.attributes.add_tag(tag);
        }
        self
    }

    /// Adds tags, in order, none twice.
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        tags.into_iter().fold(self, Self::tag)
    }

    /// Adds metadata. A value under a name that means a secret is redacted; one that cannot be serialised becomes `null`.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        if switch::is_on() {
            let name = name.into();
            let value =
                if capture::is_secret(&name) { "[redacted]".into() } else { capture::to_value(&value) };
            self.attributes.metadata.insert(name, value);
        }
        self
    }

    /// Runs `future` inside, at every poll and nowhere else. What is in force at its first poll is kept underneath.
    pub fn scope<F: Future>(self, future: F) -> Scoped<F> {
        Scoped { future, state: State::Waiting(self.attributes) }
    }

    /// Runs `body` inside, on this thread.
    pub fn sync_scope<R>(self, body: impl FnOnce() -> R) -> R {
        if self.attributes.is_empty() {
            return body();
        }
        let mut ambient = Ambient::current().stamped(&self.attributes);
        let _entered = ambient.enter();
        body()
    }
}

#[derive(Debug)]
enum State {
    Waiting(TraceAttributes),
    Inside(Ambient),
    /// Nothing was set, or nothing is recorded.
    Empty,
}

pin_project_lite::pin_project! {
    /// A future that runs inside a scope; made by [`Scope::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        state: State,
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let State::Waiting(attributes) = this.state {
            *this.state = if attributes.is_empty() {
                State::Empty
            } else {
                State::Inside(Ambient::current().stamped(attributes))
            };
        }
        let _entered = match this.state {
            State::Inside(ambient) => Some(ambient.enter()),
            _ => None,
        };
        this.future.poll(task)
    }
}
