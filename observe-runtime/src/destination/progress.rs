//! What became of the spans that a destination took.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
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
    /// Not taken, because the destination had fallen too far behind.
    pub dropped: u64,
    /// Why the last one failed.
    pub error: Option<String>,
}

impl Delivered {
    /// Taken, and neither arrived nor lost so far.
    pub fn pending(&self) -> u64 {
        self.accepted.saturating_sub(self.sent + self.failed)
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
    /// It is busy with what it does before the first span.
    begins: bool,
}

impl Progress {
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

    /// Waits until the destination has begun and `accepted` spans have arrived or are lost, or until `deadline`; gives
    /// the counts then.
    pub fn wait(&self, accepted: u64, deadline: Instant) -> Delivered {
        let mut state = self.state();
        while state.begins || state.counts.sent + state.counts.failed < accepted {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) else {
                break;
            };
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.counts.clone()
    }
}
