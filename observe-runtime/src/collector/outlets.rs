//! The destinations that still work.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use observe_model::{Record, Span, Timestamp, TraceId};
use observe_wire::{
    journal::{Plain, assemble, entry::Entry},
    mask::Mask,
};

use super::keep::Holding;
use crate::{
    destination::{Delivered, Destination, Given},
    price::Prices,
    report::say,
    settings::Settings,
};

/// Plain spans that are given to the destinations at once.
const BATCH: usize = 64;

pub(crate) struct Outlets {
    pub(super) destinations: Vec<Box<dyn Destination>>,
    /// Where the journal lies, if it outlives the process.
    journal: Option<PathBuf>,
    /// Acts on everything before it is held back or given to a destination.
    pub(super) mask: Mask,
    prices: Prices,
    /// Where not every trace is wanted.
    holding: Option<Holding>,
}

impl Outlets {
    /// `journal` is where the journal lies, if it outlives the process.
    pub(crate) fn new(
        destinations: Vec<Box<dyn Destination>>,
        mask: Mask,
        settings: &Settings,
        journal: Option<PathBuf>,
    ) -> Self {
        let holding = (!settings.keep.is_all()).then(|| Holding::new(settings.keep));
        Self { destinations, mask, prices: settings.prices(), journal, holding }
    }

    /// Calls every destination; one that panics is taken out, and said so.
    pub(super) fn each(&mut self, mut call: impl FnMut(&mut dyn Destination)) {
        self.destinations.retain_mut(|destination| {
            let alive = catch_unwind(AssertUnwindSafe(|| call(&mut **destination))).is_ok();
            if !alive {
                let name = destination.name();
                say(&format!("destination {name}: it panicked and is switched off"));
                destination.progress().switch_off();
            }
            alive
        });
    }

    /// What those destinations have been given that find in the journal what they did not get.
    pub(super) fn given(&mut self) -> Vec<Given> {
        let (mut given, journal) = (Vec::new(), self.journal.clone());
        if journal.is_some() {
            self.each(|d| {
                if d.journal() == journal {
                    given.push(Given::of(d.progress(), d.taken()));
                }
            });
        }
        given
    }

    /// The counts of the destinations that would have the journal outlive the process.
    pub(super) fn counts_of_kept(&mut self) -> Vec<Delivered> {
        let mut counts = Vec::new();
        self.each(|d| counts.extend(d.journal().map(|_| d.progress().get())));
        counts
    }

    /// Whether spans wait for a verdict on their traces.
    pub(super) fn holds_back(&self) -> bool {
        self.holding.as_ref().is_some_and(|holding| !holding.is_empty())
    }

    /// Gives a span to every destination, or holds it back until that is decided.
    pub(super) fn record(&mut self, span: &mut Span<'_>) {
        self.prices.fill(span);
        self.mask.span(span);
        match self.holding.take() {
            None => self.each(|d| d.record(span)),
            Some(mut holding) => {
                holding.take(span, |span| self.each(|d| d.record(span)));
                self.holding = Some(holding);
            }
        }
    }

    /// Shows a span that still runs to the destinations that can show it, unless its trace may be left out. Whether it did.
    pub(super) fn show(&mut self, span: &mut Span<'_>, now: Timestamp) -> bool {
        self.prices.fill(span);
        self.mask.span(span);
        if let Some(mut holding) = self.holding.take() {
            let may_show = holding.may_show(span, now, |span| self.each(|d| d.record(span)));
            self.holding = Some(holding);
            if !may_show {
                return false;
            }
        }
        self.each(|d| {
            if d.wants_running() {
                d.record(span);
            }
        });
        true
    }

    /// Ends the traces that have ended: none of their spans is `open`. Those that wait for a verdict are left out.
    pub(super) fn settle(&mut self, open: impl Fn() -> HashSet<TraceId>) {
        if let Some(holding) = self.holding.as_mut().filter(|holding| !holding.is_empty()) {
            holding.settle(&open());
        }
        self.each(|d| d.settle(&open));
    }

    /// Gives what is held back.
    pub(super) fn give_held(&mut self) {
        if let Some(mut holding) = self.holding.take() {
            holding.give_all(|span| self.each(|d| d.record(span)));
        }
    }

    /// Gives a score or metric to every destination.
    pub(super) fn record_other(&mut self, entry: &Entry<'_>) {
        let Some(mut record) = assemble::note(entry) else { return };
        self.mask.record(&mut record);
        match record {
            Record::Score(score) => self.each(|d| d.record_score(&score)),
            Record::Metric(metric) => self.each(|d| d.record_metric(&metric)),
        }
    }
}

/// Plain spans on their way to the destinations.
pub(super) struct Batch<'a> {
    spans: Vec<Plain<'a>>,
}

impl<'a> Batch<'a> {
    pub(super) fn new() -> Self {
        Self { spans: Vec::with_capacity(BATCH) }
    }

    /// Adds a span, which holds no secret unless `is_suspect`.
    #[inline]
    pub(super) fn push(&mut self, span: Plain<'a>, outlets: &mut Outlets, is_suspect: impl FnOnce() -> bool) {
        // Asked like this, the push need not ask again.
        if self.spans.len() == self.spans.capacity() {
            self.give(outlets);
        }
        // Now, so that it is written where it stays.
        self.spans.push(span);
        if is_suspect() {
            self.look_at_last(outlets);
        }
    }

    /// Takes the last span out again if it may hold a secret indeed.
    #[inline(never)]
    fn look_at_last(&mut self, outlets: &mut Outlets) {
        if let Some(span) = self.spans.pop_if(|span| outlets.mask.concerns(span)) {
            self.give(outlets);
            outlets.record(&mut span.to_span());
        }
    }

    /// Gives what is here to every destination.
    #[inline(never)]
    pub(super) fn give(&mut self, outlets: &mut Outlets) {
        if self.spans.is_empty() {
            return;
        }
        match outlets.holding {
            None => outlets.each(|d| d.record_plain(&self.spans)),
            Some(_) => self.spans.iter().for_each(|span| outlets.record(&mut span.to_span())),
        }
        self.spans.clear();
    }
}
