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
    /// How many holds there were.
    holds: u64,
    /// The numbers of those that are held.
    held: BTreeSet<u64>,
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
    #[cfg(test)]
    pub(crate) fn settled(&self) -> u64 {
        self.state().settled()
    }

    /// Keeps in the journal what the destination has just taken, until what this gives is dropped. For what is not accepted
    /// in the order in which it is taken.
    #[allow(dead_code, reason = "not every build has a destination that does so")]
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        let mut state = self.state();
        let number = state.holds;
        state.holds += 1;
        state.held.insert(number);
        Hold { progress: Arc::clone(self), number }
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

/// While it is there, what was taken with it or later stays in the journal.
#[derive(Debug)]
pub(crate) struct Hold {
    progress: Arc<Progress>,
    number: u64,
}

#[allow(dead_code, reason = "not every build has a destination that holds anything")]
impl Hold {
    /// One for two things that are let go of together: the earlier.
    pub(crate) fn join(held: &mut Option<Self>, more: Option<Self>) {
        if let Some(more) = more
            && held.as_ref().is_none_or(|held| more.number < held.number)
        {
            *held = Some(more);
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.progress.state().held.remove(&self.number);
    }
}

/// What a destination had been given at some moment.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    progress: Arc<Progress>,
    /// How many spans, from the start of the process.
    spans: u64,
    /// How many holds.
    holds: u64,
}

impl Given {
    /// What a destination has been given that has taken so many spans.
    pub(crate) fn of(progress: &Arc<Progress>, spans: u64) -> Self {
        let holds = progress.state().holds;
        Self { progress: Arc::clone(progress), spans, holds }
    }

    /// Whether all of it has arrived, is on disk or is lost.
    pub(crate) fn has_settled(&self) -> bool {
        let state = self.progress.state();
        let is_free = state.off || state.held.first().is_none_or(|first| *first >= self.holds);
        is_free && state.settled() >= self.spans
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
        let given = Given::of(&Arc::new(progress), 1_200);
        assert!(!given.has_settled(), "a hundred are still being gathered");
        given.progress.switch_off();
        assert!(given.has_settled(), "nothing more comes of it");
    }

    #[test]
    fn what_is_held_does_not_settle_with_what_was_taken_later() {
        let progress = Arc::new(Progress::default());
        let before = Given::of(&progress, 0);
        let mut held = Some(progress.hold());
        Hold::join(&mut held, Some(progress.hold()));
        let part = progress.accept(1);
        progress.settle(part, |counts| counts.sent += 1);
        let since = Given::of(&progress, 1);
        assert!(before.has_settled() && !since.has_settled());
        drop(held);
        assert!(since.has_settled());
    }
}
