//! Ticks on the host's path, wall-clock nanoseconds in the collector.
//!
//! Two clock reads are a third of what a span costs, so the host reads the processor's time stamp counter where the
//! kernel itself trusts it (Linux on x86-64 with the clock source `tsc`) and `Instant` elsewhere. The collector learns
//! the counter's rate by comparing the two.
#![allow(unsafe_code)]

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use observe_model::Timestamp;
use observe_wire::journal::{entry::Kind, notes::ClockNote};

use crate::journal::book;

static COUNTER: AtomicBool = AtomicBool::new(false);
static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// The present moment, in a unit that only [`Anchor`] knows.
#[inline]
pub(crate) fn ticks() -> u64 {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if COUNTER.load(Ordering::Relaxed) {
        // SAFETY: every x86-64 processor has the instruction; it has no memory effects.
        return unsafe { core::arch::x86_64::_rdtsc() };
    }
    nanos()
}

/// Nanoseconds since the first call in this process.
#[cold]
fn nanos() -> u64 {
    let origin = *ORIGIN.get_or_init(Instant::now);
    u64::try_from(origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Chooses the clock, once, before the first span.
fn choose() {
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        let source =
            std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
        COUNTER.store(source.is_ok_and(|s| s.trim() == "tsc"), Ordering::Relaxed);
    }
}

/// One moment on all clocks, and the counter's rate as far as it is known.
pub(crate) struct Anchor {
    ticks: u64,
    instant: Instant,
    note: ClockNote,
    /// Nanoseconds per tick, as a fixed-point number: a span's times are two multiplications.
    rate: u64,
}

/// Bits of [`Anchor::rate`] behind the point. In front of it eight are left; no counter ticks as slowly.
const RATE_BITS: u32 = 56;

/// A wall clock that was set by more than this moves the anchor; less is left to the kernel's slewing.
const STEP: u64 = 100_000_000;

impl Anchor {
    /// Chooses the clock and notes the present moment on it.
    pub(crate) fn new() -> Self {
        choose();
        let nanos_per_tick = if COUNTER.load(Ordering::Relaxed) { 0.0 } else { 1.0 };
        let note = ClockNote { wall: Timestamp::now(), nanos_per_tick };
        Self { ticks: ticks(), instant: Instant::now(), note, rate: fixed(nanos_per_tick) }
    }

    /// Leaves the anchor in the journal, for whoever reads it without this process.
    pub(crate) fn leave_note(&self) {
        book::note(Kind::Clock, self.ticks, &self.note);
    }

    /// Learns the counter's rate from the time since the anchor, and follows a wall clock that was set.
    pub(crate) fn update(&mut self) {
        let (ticks, elapsed) = (ticks(), self.instant.elapsed());
        if COUNTER.load(Ordering::Relaxed) && ticks > self.ticks {
            self.note.nanos_per_tick = elapsed.as_nanos() as f64 / (ticks - self.ticks) as f64;
            self.rate = fixed(self.note.nanos_per_tick);
        }
        let wall = Timestamp::now();
        let expected = self.to_wall(ticks);
        if wall.0.abs_diff(expected.0) > STEP {
            *self = Self { ticks, instant: Instant::now(), note: ClockNote { wall, ..self.note }, ..*self };
            self.leave_note();
        }
    }

    /// The wall-clock time of `ticks`.
    #[inline]
    pub(crate) fn to_wall(&self, ticks: u64) -> Timestamp {
        let nanos = |ticks: u64| ((u128::from(ticks) * u128::from(self.rate)) >> RATE_BITS) as u64;
        let wall = self.note.wall.0;
        Timestamp(match ticks.checked_sub(self.ticks) {
            Some(after) => wall.saturating_add(nanos(after)),
            None => wall.saturating_sub(nanos(self.ticks - ticks)),
        })
    }
}

fn fixed(nanos_per_tick: f64) -> u64 {
    (nanos_per_tick * (1_u64 << RATE_BITS) as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_convert_to_the_wall_clock_in_order() {
        let mut anchor = Anchor::new();
        let (before, start) = (Timestamp::now(), ticks());
        while anchor.instant.elapsed().as_millis() < 20 {}
        let (end, after) = (ticks(), Timestamp::now());
        anchor.update();
        for ticks in [0, start, end, u64::MAX >> 9] {
            let (fixed, float) = (anchor.to_wall(ticks), anchor.note.to_wall(anchor.ticks, ticks));
            assert!(fixed.0.abs_diff(float.0) <= 1 + float.0 / (1 << 50), "{fixed} {float}");
        }
        let (start, end) = (anchor.to_wall(start), anchor.to_wall(end));
        let slack = 2_000_000;
        assert!(start < end);
        assert!(start.0.abs_diff(before.0) < slack, "{start} {before}");
        assert!(end.0.abs_diff(after.0) < slack, "{end} {after}");
    }
}
