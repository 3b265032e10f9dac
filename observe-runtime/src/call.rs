//! One observed call, as the macro drives it: place it, capture its arguments, run it, capture what it returned.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use observe_model::{SpanId, TraceAttributes, TraceId};
use observe_wire::journal::entry::{self, Ending, Field, Kind};

use crate::{
    capture::{self, Slot},
    clock,
    context::{self, Ambient, Context, Stamp},
    ids,
    journal::{Draft, Lost, pool},
    panic_text,
    site::{Key, Site},
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

    /// The context in which the span begins: its trace, with its parent as the span.
    fn resolve(&self, outer: Context) -> Context {
        let mut context = outer;
        if let Some(trace) = self.trace
            && outer.trace != Some(trace)
        {
            context.trace = Some(trace);
            context.span = None;
            context.unsampled = !switch::is_sampled(trace);
        }
        if self.parent.is_some() {
            context.span = self.parent;
        }
        context
    }
}

/// A span that is about to begin: takes the arguments.
pub struct Start {
    /// `None` if nothing is recorded.
    draft: Option<Draft>,
    site: u32,
    parent: Option<SpanId>,
    /// What is in force inside the span.
    inner: Context,
    /// `None` if there is nothing to put back either.
    call: Option<Running>,
    /// Whether an argument was written.
    fields: bool,
}

/// What a call that runs must write and put back when it ends.
#[derive(Debug)]
struct Running {
    /// `None` for a call that is not recorded but keeps its unsampled trace in force.
    span: Option<SpanId>,
    outer: Context,
    /// The stamp that was in force before, if the call put its own in force.
    outer_stamp: Option<Option<Arc<Stamp>>>,
}

impl Running {
    #[inline]
    fn restore(&mut self) {
        context::set(self.outer);
        if let Some(stamp) = self.outer_stamp.take() {
            context::replace_stamp(stamp);
        }
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("call", &self.call).finish_non_exhaustive()
    }
}

impl Start {
    /// Begins a span of `site` where the context says.
    #[inline]
    pub fn new(site: &'static Site) -> Self {
        let outer = context::current();
        if outer.unsampled {
            return Self { draft: None, site: 0, parent: None, inner: outer, call: None, fields: false };
        }
        Self::begin(site, outer, outer, None)
    }

    /// Begins a span of `site` at `place`.
    pub fn at(site: &'static Site, place: &Place) -> Self {
        let outer = context::current();
        let mut context = place.resolve(outer);
        let mut outer_stamp = None;
        if !place.attributes.is_empty() {
            let inner = Ambient::current().stamped(&place.attributes);
            context.stamp = inner.context.stamp;
            outer_stamp = Some(context::replace_stamp(inner.stamp));
        }
        Self::begin(site, outer, context, outer_stamp)
    }

    #[inline]
    fn begin(
        site: &'static Site,
        outer: Context,
        at: Context,
        outer_stamp: Option<Option<Arc<Stamp>>>,
    ) -> Self {
        let mut inner = at;
        if inner.trace.is_none() {
            let trace = ids::trace_id();
            inner.trace = Some(trace);
            inner.unsampled = !switch::is_sampled(trace);
        }
        let mut running = Running { span: None, outer, outer_stamp };
        let number = site.number();
        let mut draft = None;
        if !inner.unsampled {
            match Draft::begin::<{ entry::Start::LEN }>(Kind::Start, inner.stamp) {
                Ok(begun) => {
                    let span = ids::span_id();
                    (running.span, inner.span, inner.dropped) = (Some(span), Some(span), false);
                    draft = Some(begun);
                }
                Err(lost) => {
                    if lost == Lost::Full {
                        pool::count_dropped();
                    }
                    // What it calls belongs to the nearest span that is recorded.
                    inner.dropped = true;
                }
            }
        }
        Self { draft, site: number, parent: at.span, inner, call: Some(running), fields: false }
    }

    /// Whether arguments are wanted.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.draft.is_some()
    }

    /// A place for an argument's value; `None` if it is not wanted.
    #[inline]
    pub fn field(&mut self, key: &'static Key) -> Option<Slot<'_>> {
        let draft = self.draft.as_mut()?;
        draft.put(if self.fields { b"," } else { b"{" });
        self.fields = true;
        draft.put(key.json.as_bytes());
        if key.is_secret() {
            draft.put(capture::REDACTED);
            return None;
        }
        Some(Slot { draft, filled: false })
    }

    /// Writes the start.
    #[inline]
    fn commit(&mut self) {
        let (Some(mut draft), Some(trace), Some(span)) =
            (self.draft.take(), self.inner.trace, self.inner.span)
        else {
            return;
        };
        if self.fields {
            draft.put(b"}");
        }
        let start = entry::Start {
            span: span.to_int(),
            ticks: clock::ticks(),
            parent: self.parent.map_or(0, SpanId::to_int),
            trace: trace.to_int(),
            stamp: self.inner.stamp,
            site: self.site,
        };
        draft.commit(0, &start.to_bytes(), self.fields);
    }

    /// Begins the span on this thread, for a body that runs to its end here.
    #[inline]
    pub fn enter(mut self) -> SyncCall {
        self.commit();
        if self.call.is_some() {
            context::set(self.inner);
        }
        SyncCall { running: self.call }
    }

    /// Begins the span for a body that is polled.
    #[inline]
    pub fn enter_async(mut self) -> AsyncCall {
        self.commit();
        let Some(mut running) = self.call else {
            return AsyncCall::NONE;
        };
        let stamp = if self.inner.stamp == 0 { None } else { context::current_stamp() };
        running.restore();
        AsyncCall {
            span: running.span,
            ambient: Ambient { context: self.inner, stamp },
            inert: false,
            panicked: false,
        }
    }
}

/// Writes an end with what `payload` puts.
#[inline]
fn end(span: SpanId, ending: Ending, payload: impl FnOnce(&mut Draft) -> bool) {
    let ticks = clock::ticks();
    if let Ok(mut draft) = Draft::begin::<16>(Kind::End, 0) {
        let filled = payload(&mut draft);
        draft.commit(ending as u8, &entry::end(span.to_int(), ticks), filled);
    }
}

/// Writes an end with a text.
#[cold]
fn end_with_text(span: SpanId, ending: Ending, text: &str) {
    end(span, ending, |draft| {
        capture::put(draft, text);
        true
    });
}

/// Writes a change of `span`.
pub(crate) fn change(span: SpanId, field: Field, payload: impl FnOnce(&mut Draft)) {
    if let Ok(mut draft) = Draft::begin::<8>(Kind::Change, 0) {
        payload(&mut draft);
        draft.commit(field as u8, &span.to_int().to_le_bytes(), true);
    }
}

/// What both kinds of call offer the macro.
macro_rules! outcomes {
    () => {
        /// Whether an output is wanted.
        #[inline]
        pub fn is_recording(&self) -> bool {
            self.span().is_some()
        }

        /// Ends the span with the value that `put` writes.
        #[inline]
        pub fn returned(&mut self, put: impl FnOnce(&mut Slot<'_>)) {
            if let Some(span) = self.take() {
                end(span, Ending::Returned, |draft| {
                    let mut slot = Slot { draft, filled: false };
                    put(&mut slot);
                    slot.filled
                });
            }
        }

        /// Ends the span with an error.
        #[cold]
        pub fn failed(&mut self, text: &str) {
            if let Some(span) = self.take() {
                end_with_text(span, Ending::Error, text);
            }
        }

        /// Names the span.
        pub fn name(&mut self, name: impl fmt::Display) {
            self.text(Field::Name, &name);
        }

        /// Says which model it calls.
        pub fn model(&mut self, model: impl fmt::Display) {
            self.text(Field::Model, &model);
        }

        /// Says which version of the component runs.
        pub fn version(&mut self, version: impl fmt::Display) {
            self.text(Field::Version, &version);
        }

        /// Adds metadata.
        pub fn metadata(&mut self, key: &'static Key, put: impl FnOnce(&mut Slot<'_>)) {
            if let Some(span) = self.span() {
                change(span, Field::Metadata, |draft| {
                    draft.put(b"{");
                    draft.put(key.json.as_bytes());
                    let mut slot = Slot { draft: &mut *draft, filled: false };
                    if key.is_secret() {
                        slot.draft.put(capture::REDACTED);
                    } else {
                        put(&mut slot);
                        if !slot.filled {
                            draft.put(b"null");
                        }
                    }
                    draft.put(b"}");
                });
            }
        }

        fn text(&mut self, field: Field, text: &dyn fmt::Display) {
            if let Some(span) = self.span() {
                change(span, field, |draft| capture::put_text(draft, text));
            }
        }
    };
}

/// An observed call on this thread. Dropped before its end, it was unwound through.
#[derive(Debug)]
pub struct SyncCall {
    running: Option<Running>,
}

impl SyncCall {
    /// A call that is not observed.
    pub const NONE: Self = Self { running: None };

    outcomes!();

    #[inline]
    fn span(&self) -> Option<SpanId> {
        self.running.as_ref()?.span
    }

    #[inline]
    fn take(&mut self) -> Option<SpanId> {
        self.running.as_mut()?.span.take()
    }
}

impl Drop for SyncCall {
    #[inline]
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            if let Some(span) = running.span.take() {
                end_with_text(span, Ending::Panicked, &panic_text::last());
            }
            running.restore();
        }
    }
}

/// An observed future. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct AsyncCall {
    span: Option<SpanId>,
    ambient: Ambient,
    /// Nothing to put in force.
    inert: bool,
    panicked: bool,
}

impl AsyncCall {
    /// A call that is not observed.
    pub const NONE: Self = Self { span: None, ambient: Ambient::NONE, inert: true, panicked: false };

    outcomes!();

    #[inline]
    fn span(&self) -> Option<SpanId> {
        self.span
    }

    #[inline]
    fn take(&mut self) -> Option<SpanId> {
        self.span.take()
    }

    /// Runs `body` with the span in force at every poll.
    #[inline]
    pub fn run<F: Future>(&mut self, body: F) -> Run<'_, F> {
        Run { body, call: self }
    }
}

impl Drop for AsyncCall {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            if self.panicked {
                end_with_text(span, Ending::Panicked, &panic_text::last());
            } else {
                end(span, Ending::Cancelled, |_| false);
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// A future with its span in force at every poll.
    #[derive(Debug)]
    pub struct Run<'a, F> {
        #[pin]
        body: F,
        call: &'a mut AsyncCall,
    }
}

impl<F: Future> Future for Run<'_, F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let this = self.project();
        if this.call.inert {
            return this.body.poll(task);
        }
        // Stays set only if the poll unwinds.
        this.call.panicked = true;
        let polled = {
            let _entered = this.call.ambient.enter();
            this.body.poll(task)
        };
        this.call.panicked = false;
        polled
    }
}

/// Calls `body`. Its bound makes the compiler take the closure as `FnOnce`, so that it may give away what it captured.
#[inline]
pub fn call_once<R>(body: impl FnOnce() -> R) -> R {
    body()
}
