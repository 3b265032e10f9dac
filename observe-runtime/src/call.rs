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
    journal::{Draft, Lost, dropped},
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

    /// Puts the attributes in force; gives the context in which the span begins, and the stamp that was in force.
    fn enter(&self, outer: Context) -> (Context, Option<Option<Arc<Stamp>>>) {
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

/// What a running call must put back when it ends.
#[derive(Debug)]
struct Outer {
    context: Context,
    /// The stamp that was in force before, if the call put its own in force.
    stamp: Option<Option<Arc<Stamp>>>,
}

impl Outer {
    #[inline]
    fn restore(&mut self) {
        context::set(self.context);
        if let Some(stamp) = self.stamp.take() {
            context::replace_stamp(stamp);
        }
    }
}

/// A span that is about to begin: takes the arguments.
pub struct Start {
    /// `None` if nothing is recorded.
    draft: Option<Draft>,
    parent: u64,
    site: u32,
    /// Whether an argument was written.
    fields: bool,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("parent", &self.parent).finish_non_exhaustive()
    }
}

impl Start {
    /// A start that records nothing.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "only the macro makes starts")]
    pub fn new() -> Self {
        Self { draft: None, parent: 0, site: 0, fields: false }
    }

    /// Begins a span at `at`, and puts in force what belongs to the inside of the call, be it recorded or not.
    #[inline(always)]
    fn begin(&mut self, site: &'static Site, at: Context) {
        let mut inner = at;
        if !inner.has_trace() {
            let trace = ids::trace_id();
            inner = inner.in_trace(trace, switch::is_sampled(trace));
        }
        if !inner.is_unsampled() {
            self.site = site.number();
            match Draft::begin::<{ entry::Start::LEN }>(Kind::Start, inner.stamp) {
                Ok(draft) => {
                    self.parent = at.span_number();
                    inner = inner.in_span(Some(ids::span_id()));
                    self.draft = Some(draft);
                }
                // What it calls belongs to the nearest span that is recorded.
                Err(lost) => {
                    inner = inner.in_dropped_span();
                    if lost == Lost::Full {
                        dropped::count(at.span_number());
                    }
                }
            }
        }
        context::set(inner);
    }

    /// Whether arguments are wanted.
    #[inline(always)]
    pub fn is_recording(&self) -> bool {
        self.draft.is_some()
    }

    /// A place for an argument's value; `None` if it is not wanted.
    #[inline]
    pub fn field(&mut self, key: &'static Key) -> Option<Slot<'_>> {
        let draft = self.draft.as_mut()?;
        self.fields = true;
        key.put(draft);
        if key.is_secret() {
            draft.put(capture::REDACTED);
            return None;
        }
        Some(Slot { draft, filled: false })
    }

    /// Writes the start of the span that is in force, and gives its id.
    #[inline(always)]
    fn commit(&mut self) -> Option<SpanId> {
        let mut draft = self.draft.take()?;
        if self.fields {
            // Every field begins with a comma; the first one with the brace.
            if let Some(first) = draft.first() {
                *first = b'{';
            }
            draft.put_byte(b'}');
        }
        let inner = context::current();
        let start = entry::Start {
            span: inner.span_number(),
            ticks: clock::ticks(),
            parent: self.parent,
            trace: inner.trace_number(),
            stamp: inner.stamp,
            site: self.site,
        };
        draft.commit(0, self.fields, |bytes| start.write(bytes));
        inner.span()
    }
}

/// Writes an end with what `payload` puts.
#[inline]
fn end(span: SpanId, ending: Ending, payload: impl FnOnce(&mut Draft) -> bool) {
    let ticks = clock::ticks();
    if let Ok(mut draft) = Draft::begin::<16>(Kind::End, 0) {
        let filled = payload(&mut draft);
        draft.commit(ending as u8, filled, |bytes| *bytes = entry::end(span.to_int(), ticks));
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
        draft.commit(field as u8, true, |bytes| *bytes = span.to_int().to_le_bytes());
    }
}

/// What both kinds of call offer the macro.
macro_rules! outcomes {
    () => {
        /// Whether an output is wanted.
        #[inline(always)]
        pub fn is_recording(&self) -> bool {
            self.span().is_some()
        }

        #[inline(always)]
        fn span(&self) -> Option<SpanId> {
            self.live.as_ref()?.span
        }

        /// Ends the span with the value that `put` writes.
        #[inline]
        pub fn returned(&mut self, put: impl FnOnce(&mut Slot<'_>)) {
            if let Some(span) = self.span() {
                end(span, Ending::Returned, |draft| {
                    let mut slot = Slot { draft, filled: false };
                    put(&mut slot);
                    slot.filled
                });
            }
            self.leave();
        }

        /// Ends the span with an error.
        #[cold]
        pub fn failed(&mut self, text: &str) {
            if let Some(span) = self.span() {
                end_with_text(span, Ending::Error, text);
            }
            self.leave();
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
                    key.put(draft);
                    if let Some(first) = draft.first() {
                        *first = b'{';
                    }
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
    /// `None` for a call that is not observed.
    live: Option<LiveSync>,
}

#[derive(Debug)]
struct LiveSync {
    /// `None` for a call that is not recorded but keeps its context in force.
    span: Option<SpanId>,
    outer: Outer,
}

impl SyncCall {
    /// A call that is not observed. No constant: that would be copied whole, and this writes one word.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "only the macro makes calls")]
    pub fn new() -> Self {
        Self { live: None }
    }

    /// Whether there is anything to do when the body has run.
    #[inline(always)]
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    outcomes!();

    /// Begins a span of `site` where the context says.
    #[inline(always)]
    pub fn start(&mut self, start: &mut Start, site: &'static Site) {
        if !context::is_unsampled() {
            self.begin(start, site);
        }
    }

    #[inline(never)]
    fn begin(&mut self, start: &mut Start, site: &'static Site) {
        let outer = context::current();
        self.live = Some(LiveSync { span: None, outer: Outer { context: outer, stamp: None } });
        start.begin(site, outer);
    }

    /// Begins a span of `site` at `place`.
    pub fn start_at(&mut self, start: &mut Start, site: &'static Site, place: &Place) {
        let outer = context::current();
        let (at, stamp) = place.enter(outer);
        self.live = Some(LiveSync { span: None, outer: Outer { context: outer, stamp } });
        start.begin(site, at);
    }

    /// Begins the span.
    #[inline(never)]
    pub fn enter(&mut self, start: &mut Start) {
        if let Some(live) = &mut self.live {
            live.span = start.commit();
        }
    }

    #[inline]
    fn leave(&mut self) {
        if let Some(live) = &mut self.live {
            live.outer.restore();
        }
        self.live = None;
    }

    #[cold]
    #[inline(never)]
    fn unwound(&mut self) {
        if let Some(span) = self.span() {
            end_with_text(span, Ending::Panicked, &panic_text::last());
        }
        self.leave();
    }
}

impl Drop for SyncCall {
    #[inline(always)]
    fn drop(&mut self) {
        if self.live.is_some() {
            self.unwound();
        }
    }
}

/// An observed future. Dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct AsyncCall {
    /// `None` for a call that is not observed.
    live: Option<LiveAsync>,
}

#[derive(Debug)]
struct LiveAsync {
    /// `None` for a call that is not recorded but has its context in force.
    span: Option<SpanId>,
    ambient: Ambient,
    /// Set while the body is polled; stays set if that unwinds.
    polled: bool,
}

impl AsyncCall {
    /// A call that is not observed. No constant: that would be copied whole, and this writes one word.
    #[inline(always)]
    #[expect(clippy::new_without_default, reason = "only the macro makes calls")]
    pub fn new() -> Self {
        Self { live: None }
    }

    /// Whether there is anything to do when the body has run.
    #[inline(always)]
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    outcomes!();

    /// Begins a span of `site` where the context says.
    #[inline(always)]
    pub fn start(&mut self, start: &mut Start, site: &'static Site) {
        if !context::is_unsampled() {
            self.begin(start, site);
        }
    }

    #[inline(never)]
    fn begin(&mut self, start: &mut Start, site: &'static Site) {
        let outer = context::current();
        start.begin(site, outer);
        self.keep(outer, None);
    }

    /// Begins a span of `site` at `place`.
    pub fn start_at(&mut self, start: &mut Start, site: &'static Site, place: &Place) {
        let outer = context::current();
        let (at, stamp) = place.enter(outer);
        start.begin(site, at);
        self.keep(outer, stamp);
    }

    /// Keeps what is in force for the polls, and puts back what was, but for as long as the start is being written.
    #[inline]
    fn keep(&mut self, outer: Context, outer_stamp: Option<Option<Arc<Stamp>>>) {
        let inner = context::current();
        let stamp = if inner.stamp == 0 { None } else { context::current_stamp() };
        self.live = Some(LiveAsync { span: None, ambient: Ambient { context: inner, stamp }, polled: false });
        Outer { context: outer, stamp: outer_stamp }.restore();
    }

    /// Begins the span.
    #[inline(never)]
    pub fn enter(&mut self, start: &mut Start) {
        if let Some(live) = &mut self.live {
            let _entered = live.ambient.enter();
            live.span = start.commit();
        }
    }

    /// Runs `body` with the span in force at every poll.
    #[inline(always)]
    pub fn run<'a, F: Future>(&'a mut self, body: Pin<&'a mut F>) -> Run<'a, F> {
        Run { body, call: self }
    }

    #[inline]
    fn leave(&mut self) {
        self.live = None;
    }

    #[cold]
    #[inline(never)]
    fn cut_short(&mut self) {
        if let Some(LiveAsync { span: Some(span), polled, .. }) = &self.live {
            if *polled {
                end_with_text(*span, Ending::Panicked, &panic_text::last());
            } else {
                end(*span, Ending::Cancelled, |_| false);
            }
        }
        self.leave();
    }
}

impl Drop for AsyncCall {
    #[inline(always)]
    fn drop(&mut self) {
        if self.live.is_some() {
            self.cut_short();
        }
    }
}

/// A future with its span in force at every poll. The body is borrowed: moving it here would copy it.
#[derive(Debug)]
pub struct Run<'a, F> {
    body: Pin<&'a mut F>,
    call: &'a mut AsyncCall,
}

impl<F: Future> Future for Run<'_, F> {
    type Output = F::Output;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let Self { body, call } = &mut *self;
        let Some(live) = &mut call.live else {
            return body.as_mut().poll(task);
        };
        live.polled = true;
        let polled = {
            let _entered = live.ambient.enter();
            body.as_mut().poll(task)
        };
        live.polled = false;
        polled
    }
}

/// Gives `body` back. Its bound makes the compiler take the closure as `FnOnce`, so that it may give away what it captured.
#[inline(always)]
pub fn once<R, F: FnOnce() -> R>(body: F) -> F {
    body
}
