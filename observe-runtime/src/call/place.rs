//! Where a span belongs, as the attribute's arguments say it.

use std::sync::Arc;

use observe_model::{SpanId, TraceAttributes, TraceId};

use crate::{
    context::{self, Ambient, Context, Stamp},
    switch,
};

/// What `trace_id = ..` and `parent = ..` take.
#[diagnostic::on_unimplemented(
    message = "expected a `{Id}` or an `Option<{Id}>`, found `{Self}`",
    label = "not an id",
    note = "`text.parse()` reads an id from its hexadecimal digits, `from_seed(text)` makes one of any text"
)]
pub trait MaybeId<Id> {
    /// The id, if there is one.
    fn maybe(self) -> Option<Id>;
}

impl<Id> MaybeId<Id> for Id {
    fn maybe(self) -> Option<Id> {
        Some(self)
    }
}

impl<Id> MaybeId<Id> for Option<Id> {
    fn maybe(self) -> Option<Id> {
        self
    }
}

impl<Id: Copy> MaybeId<Id> for &Id {
    fn maybe(self) -> Option<Id> {
        Some(*self)
    }
}

impl<Id: Copy> MaybeId<Id> for &Option<Id> {
    fn maybe(self) -> Option<Id> {
        *self
    }
}

/// What the attribute's arguments say about where the span belongs.
#[derive(Debug, Default)]
pub struct Place {
    trace: Option<TraceId>,
    parent: Option<SpanId>,
    attributes: TraceAttributes,
}

impl Place {
    /// Where the context says.
    pub fn new() -> Self {
        Self::default()
    }

    /// In this trace; `None` leaves it to the context.
    pub fn trace_id(mut self, id: impl MaybeId<TraceId>) -> Self {
        self.trace = id.maybe();
        self
    }

    /// Under this span; `None` leaves it to the context.
    pub fn parent(mut self, id: impl MaybeId<SpanId>) -> Self {
        self.parent = id.maybe();
        self
    }

    /// In this session, with everything begun inside.
    pub fn session(mut self, id: impl ToString) -> Self {
        self.attributes.session = Some(id.to_string()).filter(|id| !id.is_empty());
        self
    }

    /// For this user, with everything begun inside.
    pub fn user(mut self, id: impl ToString) -> Self {
        self.attributes.user = Some(id.to_string()).filter(|id| !id.is_empty());
        self
    }

    /// With this tag, and everything begun inside.
    pub fn tag(mut self, tag: impl ToString) -> Self {
        self.attributes.add_tag(tag.to_string());
        self
    }

    /// Puts the attributes in force; gives the context in which the span begins, and the stamp that was in force.
    pub(super) fn enter(&self, outer: Context) -> (Context, Option<Option<Arc<Stamp>>>) {
        let mut at = self.resolve(outer);
        if self.attributes.is_empty() {
            return (at, None);
        }
        let inner = Ambient::current().stamped(&self.attributes);
        at.stamp = inner.context.stamp;
        (at, Some(context::replace_stamp(inner.stamp)))
    }

    /// The context in which the span begins: its trace, with its parent as the span.
    fn resolve(&self, outer: Context) -> Context {
        let mut context = outer;
        if let Some(trace) = self.trace
            && outer.trace() != Some(trace)
        {
            context = context.in_trace(trace, switch::is_sampled(trace)).in_span(None);
        }
        if self.parent.is_some() {
            context = context.in_span(self.parent);
        }
        context
    }
}
