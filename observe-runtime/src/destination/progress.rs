//! What became of the spans that a destination took.

use std::{
    collections::BTreeSet,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Counts of spans, from the start of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Taken from the collector.
    pub accepted: u64,
    /// Arrived.
    pub sent: u64,
    /// Refused, or lost by a failure that will not pass.
    pub failed: u64,
    /// Not taken, because the destination had fallen too far behind; or on disk for longer than its limits allow.
    pub dropped: u64,
    /// On disk, because the receiver was away: sent when it is back, by this process or a later one.
    pub spooled: u64,
    /// Arrived from disk, where this process or an earlier one had left them. They are among neither of the others.
    pub replayed: u64,
    /// Why the last one that did not arrive failed, or waits on disk.
    pub error: Option<String>,
}

impl Delivered {
    /// Taken, and neither arrived nor on disk nor lost so far.
    pub fn pending(&self) -> u64 {
        self.accepted.saturating_sub(self.sent + self.failed + self.spooled)
    }
}

/// A destination's counts, shared with those who wait for them.
#[derive(Debug, Default)]
pub struct Progress {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    counts: Delivered,
    /// What was handed over in parts and has not settled: the number of each part's first span. Parts may settle in
    /// any order, so sums do not say which have.
    pending: BTreeSet<u64>,
    /// Whether [`Progress::accept`] is used.
    in_parts: bool,
    /// It is busy with what it does before the first span.
    begins: bool,
    /// Nothing more comes of it.
    off: bool,
}

impl State {
    fn settled(&self) -> u64 {
        match self.pending.first() {
            _ if self.off => u64::MAX,
            Some(first) => *first,
            None if self.in_parts => self.counts.accepted,
            None => self.counts.sent + self.counts.failed + self.counts.spooled,
        }
    }
}

impl Progress {
    /// Counts `spans` as accepted, in a part of their own; gives what to name the part by to [`Progress::settle`].
    pub fn accept(&self, spans: u64) -> u64 {
        let mut state = self.state();
        let first = state.counts.accepted;
        state.counts.accepted += spans;
        state.in_parts = true;
        state.pending.insert(first);
        first
    }

    /// Counts what became of a part.
    pub fn settle(&self, part: u64, change: impl FnOnce(&mut Delivered)) {
        let mut state = self.state();
        state.pending.remove(&part);
        change(&mut state.counts);
        drop(state);
        self.changed.notify_all();
    }

    /// How many spans, from the first one on, have arrived or are lost.
    pub(crate) fn settled(&self) -> u64 {
        self.state().settled()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts now.
    pub fn get(&self) -> Delivered {
        self.state().counts.clone()
    }

    /// Changes the counts and tells those who wait.
    pub fn update(&self, change: impl FnOnce(&mut Delivered)) {
        change(&mut self.state().counts);
        self.changed.notify_all();
    }

    /// Says that the destination is busy with what it does before the first span, or that it no longer is.
    pub(crate) fn set_begins(&self, begins: bool) {
        self.state().begins = begins;
        self.changed.notify_all();
    }

    /// Says that nothing more comes of the destination, so that nobody waits for it.
    pub(crate) fn switch_off(&self) {
        self.state().off = true;
        self.changed.notify_all();
    }

    /// Waits until the destination has begun and `accepted` spans have arrived or are lost, or until `deadline`; gives
    /// the counts then, and whether it did not run out of time.
    pub fn wait(&self, accepted: u64, deadline: Instant) -> (Delivered, bool) {
        let mut state = self.state();
        while state.begins || state.settled() < accepted {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else {
                break;
            };
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        (state.counts.clone(), !state.begins && state.settled() >= accepted)
    }
}

/// What a destination had been given at some moment.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) progress: Arc<Progress>,
    /// How many spans, from the start of the process.
    pub(crate) spans: u64,
}

impl Given {
    /// Whether all of it has arrived, is on disk or is lost.
    pub(crate) fn has_settled(&self) -> bool {
        self.progress.settled() >= self.spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_part_does_not_stand_in_for_an_earlier_one() {
        let progress = Progress::default();
        let (early, late) = (progress.accept(100), progress.accept(1_000));
        progress.settle(late, |counts| counts.sent += 1_000);
        assert_eq!(progress.settled(), 0);
        assert!(!progress.wait(100, Instant::now()).1);
        progress.settle(early, |counts| counts.failed += 100);
        assert_eq!(progress.settled(), 1_100);
        assert!(progress.wait(1_100, Instant::now()).1);
        let given = Given { progress: Arc::new(progress), spans: 1_200 };
        assert!(!given.has_settled(), "a hundred are still being gathered");
        given.progress.switch_off();
        assert!(given.has_settled(), "nothing more comes of it");
    }
}
