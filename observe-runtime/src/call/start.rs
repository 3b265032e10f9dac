//! The beginning of a span, while its arguments are captured.

use std::{fmt, mem::ManuallyDrop, slice, sync::Arc};

use observe_model::SpanId;

use observe_wire::journal::entry::{self, Kind};
use serde::Serialize;

use super::{Live, More, Place, Slot, Whereabouts};
use crate::{
    capture, clock,
    context::{self, Context, Stamp},
    ids,
    journal::{Draft, Lost, dropped},
    site::{Key, Known, Site},
};

/// A span that is about to begin: takes the arguments. What it owns is taken out when the call begins, and nothing can
/// unwind before.
pub struct Start {
    /// `None` if nothing is recorded.
    draft: ManuallyDrop<Option<Draft>>,
    /// The parent's id; 0 for a root.
    parent: u64,
    /// What is known of its site.
    known: Option<&'static Known>,
    /// The names of the arguments that are still to come.
    keys: slice::Iter<'static, Key>,
    /// What must be put back when the call ends, if that is more than the parent.
    more: ManuallyDrop<Option<Box<More>>>,
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("parent", &self.parent).finish_non_exhaustive()
    }
}

impl Start {
    /// A start that records nothing.
    #[inline]
    #[expect(clippy::new_without_default, reason = "only the macro makes starts")]
    pub fn new() -> Self {
        let (draft, more) = (ManuallyDrop::new(None), ManuallyDrop::new(None));
        Self { draft, parent: 0, known: None, keys: [].iter(), more }
    }

    /// Begins a span where the context says, and puts it in force. Whether arguments are wanted.
    #[inline(never)]
    pub(super) fn begin(&mut self, site: &'static Site) -> bool {
        if let Some(outer) = context::current_plain()
            && let Some(known) = site.known_already()
            && let Some(draft) = Draft::begin_quickly::<{ entry::Start::LEN }>(Kind::Start, outer.stamp)
        {
            self.take(draft, known, outer.span);
            context::set_span(ids::span_id().to_int());
            return true;
        }
        self.begin_slowly(site)
    }

    #[cold]
    #[inline(never)]
    fn begin_slowly(&mut self, site: &'static Site) -> bool {
        let outer = context::current();
        self.begin_with_more(site, outer, outer, None)
    }

    /// Begins a span at `place`, and puts it in force. Whether arguments are wanted.
    #[inline(never)]
    pub(super) fn begin_in(&mut self, site: &'static Site, place: &Place) -> bool {
        let outer = context::settled();
        let (at, stamp) = place.enter(outer, &site.note.name);
        self.begin_with_more(site, at, outer, stamp)
    }

    /// Begins a span at `at`, which may be anywhere; the rest is what must be put back.
    fn begin_with_more(
        &mut self,
        site: &'static Site,
        at: Context,
        outer: Context,
        stamp: Option<Option<Arc<Stamp>>>,
    ) -> bool {
        let begun = self.begin_at(site, at, &site.note.name);
        let place = Whereabouts::Here { inner: context::current(), outer, stamp };
        self.more = ManuallyDrop::new(Some(Box::new(More { span: None, place })));
        begun
    }

    /// Begins a span called `name` at `at`, and puts in force what belongs to its inside, be it recorded or not.
    pub(crate) fn begin_at(&mut self, site: &'static Site, at: Context, name: &str) -> bool {
        let mut at = at;
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
        match Draft::begin::<{ entry::Start::LEN }>(Kind::Start, at.stamp) {
            Ok(draft) => {
                self.take(draft, known, at.span_number());
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

    #[inline(always)]
    fn take(&mut self, draft: Draft, known: &'static Known, parent: u64) {
        self.draft = ManuallyDrop::new(Some(draft));
        (self.parent, self.known, self.keys) = (parent, Some(known), known.keys.iter());
    }

    /// Writes the next argument.
    #[inline]
    pub(crate) fn argument<T: Serialize + ?Sized>(&mut self, value: &T) {
        if let Some(draft) = self.draft.as_mut()
            && let Some(key) = self.keys.next()
        {
            key.put(draft);
            if key.is_secret {
                draft.put(capture::REDACTED);
            } else {
                capture::put(draft, value);
            }
        }
    }

    /// Writes the start of the span, if it is recorded; `live` is told what the call must know of it.
    #[inline(always)]
    pub(super) fn commit(&mut self, live: &mut Slot) {
        let (Some(draft), Some(known)) = (self.draft.as_mut(), self.known) else {
            *live = Slot(ManuallyDrop::new(self.unrecorded()));
            return;
        };
        let has_input = !known.keys.is_empty();
        if has_input {
            draft.put_byte(b'}');
        }
        let span = write(draft, known, self.parent, has_input);
        self.keep();
        if let Some(span) = span {
            let mut more = self.more.take();
            if let Some(more) = &mut more {
                more.span = Some(span);
            }
            *live = Slot(ManuallyDrop::new(Some(Live { span, parent: self.parent, more })));
        }
    }

    /// Writes the start of a span with an input that was captured before, and whether that holds raw segments; its id.
    pub(crate) fn commit_with(&mut self, input: Option<(&[u8], bool)>) -> Option<SpanId> {
        if let Some((bytes, raw)) = input {
            self.draft.as_mut()?.put_captured(bytes, raw);
        }
        let span = write(self.draft.as_mut()?, self.known?, self.parent, input.is_some());
        self.keep();
        span
    }

    #[inline(always)]
    fn keep(&mut self) {
        if let Some(draft) = self.draft.take() {
            draft.keep();
        }
    }

    /// What a call must know that is not recorded.
    #[cold]
    #[inline(never)]
    pub(super) fn unrecorded(&mut self) -> Option<Live> {
        let more = self.more.take()?;
        // There is no span; this one is never looked at.
        let span = SpanId::from_int(u64::MAX)?;
        Some(Live { span, parent: 0, more: Some(more) })
    }
}

/// Writes the start of the span that is in force; its id.
#[inline(always)]
fn write(draft: &mut Draft, known: &Known, parent: u64, has_input: bool) -> Option<SpanId> {
    let inner = context::current();
    let start = entry::Start {
        span: inner.span_number(),
        ticks: clock::ticks(),
        parent,
        trace: inner.trace_number(),
        stamp: inner.stamp,
        site: known.number,
    };
    draft.commit(Kind::Start, 0, has_input, |bytes| start.write(bytes));
    inner.span()
}
