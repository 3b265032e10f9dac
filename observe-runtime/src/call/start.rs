//! The beginning of a span, while its arguments are captured.

use std::{mem::ManuallyDrop, sync::Arc};

use observe_model::SpanId;

use observe_wire::journal::entry::{self, Kind};

use super::{Live, More, Place, Slot, Whereabouts};
use crate::{
    capture::{self, Capture, Sink},
    clock,
    context::{self, Context, Stamp},
    ids,
    journal::{Draft, Lost, dropped},
    site::{Known, Site},
    switch,
};

impl Slot {
    /// Begins a span of `site` where the context says, with these arguments; whether it is recorded.
    #[inline(never)]
    pub(super) fn begin(&mut self, site: &'static Site, arguments: &[&dyn Capture]) -> bool {
        if let Some(outer) = context::current_plain()
            && let Some(known) = site.known_already()
            && let Ok(Some(span)) =
                Draft::write::<{ entry::Start::LEN }, _>(Kind::Start, outer.stamp, |draft| {
                    context::set_span(ids::span_id().to_int());
                    put::<0>(draft, known, (outer.span, false), arguments)
                })
        {
            self.0 = ManuallyDrop::new(Some(Live { span, parent: outer.span, more: None }));
            return true;
        }
        self.begin_slowly(site, arguments)
    }

    #[cold]
    #[inline(never)]
    fn begin_slowly(&mut self, site: &'static Site, arguments: &[&dyn Capture]) -> bool {
        let outer = context::settled();
        let may = !outer.is_left_out() && switch::is_on_after_all();
        may && self.begin_with_more(site, arguments, (outer, outer, None))
    }

    /// The same at `place`.
    #[inline(never)]
    pub(super) fn begin_at(
        &mut self,
        site: &'static Site,
        place: &Place,
        arguments: &[&dyn Capture],
    ) -> bool {
        let outer = context::settled();
        let (at, stamp) = place.enter(outer, site.name);
        self.begin_with_more(site, arguments, (at, outer, stamp))
    }

    /// Begins a span at the first of these contexts, which may be anywhere; the rest is what must be put back.
    fn begin_with_more(
        &mut self,
        site: &'static Site,
        arguments: &[&dyn Capture],
        (at, outer, stamp): (Context, Context, Option<Option<Arc<Stamp>>>),
    ) -> bool {
        let mut start = Start::new();
        let begun = start.begin_at(site, at, site.name);
        let place = Whereabouts::Here { inner: context::current(), outer, stamp };
        let span = if begun { start.commit(arguments) } else { None };
        // What is not recorded has no span; this one is never looked at.
        self.0 = ManuallyDrop::new(span.or(SpanId::from_int(u64::MAX)).map(|live| {
            let more = Some(Box::new(More { span, place }));
            Live { span: live, parent: start.parent, more }
        }));
        begun
    }
}

/// A span that is about to begin.
#[derive(Default)]
pub(crate) struct Start {
    /// What is known of its site; `None` if nothing is recorded.
    known: Option<&'static Known>,
    /// The parent's id; 0 for a root.
    parent: u64,
    /// Whether that was given with the trace.
    given_parent: bool,
}

impl Start {
    /// A start that records nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Begins a span called `name` at `at`, and puts in force what belongs to its inside, be it recorded or not.
    pub(crate) fn begin_at(&mut self, site: &'static Site, at: Context, name: &str) -> bool {
        let mut at = at;
        self.given_parent = at.is_given_with_trace();
        if !at.has_trace() {
            at = at.begin_trace(name);
        }
        if at.is_unsampled() {
            at = at.decided(name);
        }
        if at.is_unsampled() {
            context::set(at);
            return false;
        }
        let known = site.known();
        match Draft::reserve::<{ entry::Start::LEN }>(Kind::Start, at.stamp) {
            Ok(()) => {
                (self.parent, self.known) = (at.span_number(), Some(known));
                context::set(at.in_span(Some(ids::span_id())));
                true
            }
            Err(lost) => {
                // What it calls belongs to the nearest span that is recorded.
                context::set(at.in_dropped_span());
                if lost == Lost::Full {
                    dropped::count(at.span_number());
                }
                false
            }
        }
    }

    /// Writes the start of the span with these arguments; its id.
    fn commit(&mut self, arguments: &[&dyn Capture]) -> Option<SpanId> {
        self.write(|draft, known, parent| put::<1>(draft, known, parent, arguments))
    }

    /// Writes the start of the span with an input that was captured before, and whether that holds raw segments; its id.
    pub(crate) fn commit_with(&mut self, input: Option<(&[u8], bool)>) -> Option<SpanId> {
        self.write(|mut draft, known, parent| {
            if let Some((bytes, raw)) = input {
                draft.put_captured(bytes, raw);
            }
            commit(draft, known, parent, input.is_some())
        })
    }

    fn write(&self, write: impl FnOnce(Draft<'_>, &Known, Parent) -> Option<SpanId>) -> Option<SpanId> {
        let (known, parent) = (self.known?, (self.parent, self.given_parent));
        let stamp = context::current().stamp;
        Draft::write::<{ entry::Start::LEN }, _>(Kind::Start, stamp, |draft| write(draft, known, parent))
            .ok()?
    }
}

/// A parent's id, and whether it was given with the trace.
type Parent = (u64, bool);

/// Writes the start of the span that is in force, with the arguments under their names; its id.
#[inline(always)]
fn put<const PLACE: u8>(
    Draft { desk, at }: Draft<'_>,
    known: &Known,
    parent: Parent,
    arguments: &[&dyn Capture],
) -> Option<SpanId> {
    let mut at = capture::put_each::<PLACE>(Draft { desk: &mut *desk, at }, &known.keys, arguments);
    let has_input = !known.keys.is_empty();
    if has_input {
        at = desk.sink.put_array(at, [b'}']);
    }
    commit(Draft { desk, at }, known, parent, has_input)
}

/// Ends the start of the span that is in force; its id.
#[inline(always)]
fn commit(
    draft: Draft<'_>,
    known: &Known,
    (parent, given_parent): Parent,
    has_input: bool,
) -> Option<SpanId> {
    let inner = context::current();
    let start = entry::Start {
        span: inner.span_number(),
        ticks: clock::ticks(),
        parent,
        trace: inner.trace_number(),
        stamp: inner.stamp,
        site: known.number,
        given_parent,
    };
    draft.commit((Kind::Start, start.code()), has_input, start.words());
    inner.span()
}
