//! Where a span belongs, as the attribute's arguments say it.

use std::sync::Arc;

use observe_model::{SpanId, TraceAttributes, TraceId};
use observe_wire::w3c::TraceParent;

use crate::{
    context::{self, Ambient, Context, Stamp},
    propagate::Carried,
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
#[derive(Debug, Clone, Default)]
pub struct Place {
    trace: Option<TraceId>,
    parent: Option<SpanId>,
    /// Whether the trace is recorded, where another process decided that.
    is_sampled: Option<bool>,
    pub(crate) attributes: TraceAttributes,
    pub(crate) carried: Option<Arc<Carried>>,
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
        self.attributes.session = Some(id.to_string()).filter(|id| crate::span::is_id(id));
        self
    }

    /// For this user, with everything begun inside.
    pub fn user(mut self, id: impl ToString) -> Self {
        self.attributes.user = Some(id.to_string()).filter(|id| crate::span::is_id(id));
        self
    }

    /// With this tag, and everything begun inside.
    pub fn tag(mut self, tag: impl ToString) -> Self {
        self.attributes.add_tag(tag.to_string());
        self
    }

    /// Puts the attributes in force; gives the context in which the span begins, and the stamp that was in force.
    pub(super) fn enter(&self, outer: Context, name: &str) -> (Context, Option<Option<Arc<Stamp>>>) {
        let mut at = self.resolve(outer, Some(name));
        if self.attributes.is_empty() {
            return (at, None);
        }
        let inner = self.stamp(Ambient::current());
        at.stamp = inner.context.stamp;
        (at, Some(context::replace_stamp(inner.stamp)))
    }

    /// Under a span of another process, which says whether its trace is recorded.
    pub(crate) fn remote(mut self, parent: TraceParent) -> Self {
        (self.trace, self.parent) = (Some(parent.trace_id), Some(parent.parent_id));
        self.is_sampled = Some(parent.sampled);
        self
    }

    /// `ambient` with its attributes, and what came along with them.
    pub(crate) fn stamp(&self, ambient: Ambient) -> Ambient {
        if self.attributes.is_empty() && self.carried.is_none() {
            return ambient;
        }
        ambient.stamped(&self.attributes, self.carried.clone())
    }

    /// Whether it leaves everything to the context.
    pub(crate) fn is_empty(&self) -> bool {
        self.trace.is_none() && self.parent.is_none() && self.attributes.is_empty() && self.carried.is_none()
    }

    /// The context in which a span begins: its trace, with its parent as the span. `name` is what the span is called, if
    /// it begins now.
    pub(crate) fn resolve(&self, outer: Context, name: Option<&str>) -> Context {
        let mut context = outer;
        if let Some(trace) = self.trace
            && outer.trace() != Some(trace)
        {
            // Without a trace around it, the span there is a parent that was given.
            let parent = outer.span().filter(|_| !outer.has_trace());
            context = context.in_span(None);
            context = match (self.is_sampled, name) {
                (Some(is_sampled), _) => context.in_trace(trace, is_sampled),
                (None, None) if switch::goes_by_name() => context.in_undecided_trace(trace),
                (None, name) => context.in_trace(trace, switch::is_sampled(trace, name.unwrap_or_default())),
            };
            context = parent.map_or(context, |parent| context.under(parent));
            // What came in headers was called from there, as one service calls another.
            if let (Some(parent), None) = (self.parent, self.is_sampled) {
                return context.under(parent).given_with_trace();
            }
        }
        self.parent.map_or(context, |parent| context.under(parent))
    }
}
