//! The destinations that still work.

use std::panic::{AssertUnwindSafe, catch_unwind};

use observe_model::{Record, Span};
use observe_wire::journal::{Plain, assemble, entry::Entry};

use crate::{
    destination::{Delivered, Destination},
    report::say,
};

/// Plain spans that are given to the destinations at once.
const BATCH: usize = 64;

pub(super) struct Outlets(pub(super) Vec<Box<dyn Destination>>);

impl Outlets {
    /// Calls every destination; one that panics is taken out, and said so.
    pub(super) fn each(&mut self, mut call: impl FnMut(&mut dyn Destination)) {
        self.0.retain_mut(|destination| {
            let alive = catch_unwind(AssertUnwindSafe(|| call(&mut **destination))).is_ok();
            if !alive {
                let name = destination.name();
                say(&format!("destination {name}: it panicked and is switched off"));
            }
            alive
        });
    }

    /// The counts of the destinations that find in the journal what they did not get.
    pub(super) fn kept(&mut self) -> Vec<Delivered> {
        let mut counts = Vec::new();
        self.each(|d| counts.extend(d.journal().map(|_| d.progress().get())));
        counts
    }

    /// Gives a span to every destination.
    pub(super) fn record(&mut self, span: &Span<'_>) {
        self.each(|d| d.record(span));
    }

    /// Gives a score or metric to every destination.
    pub(super) fn record_other(&mut self, entry: &Entry<'_>) {
        match assemble::note(entry) {
            Some(Record::Score(score)) => self.each(|d| d.record_score(&score)),
            Some(Record::Metric(metric)) => self.each(|d| d.record_metric(&metric)),
            None => {}
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

    #[inline]
    pub(super) fn push(&mut self, span: Plain<'a>, outlets: &mut Outlets) {
        self.spans.push(span);
        if self.spans.len() == BATCH {
            self.give(outlets);
        }
    }

    /// Gives what is here to every destination.
    #[inline(never)]
    pub(super) fn give(&mut self, outlets: &mut Outlets) {
        if !self.spans.is_empty() {
            outlets.each(|d| d.record_plain(&self.spans));
            self.spans.clear();
        }
    }
}
