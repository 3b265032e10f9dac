//! Ticks on the host's path, wall-clock nanoseconds in the collector.
//!
//! Two clock reads are a third of what a span costs, so the host reads the processor's time stamp counter where the
//! kernel itself trusts it (Linux on x86-64 with the clock source `tsc`) and `Instant` elsewhere. The collector learns
//! the counter's rate by comparing the two.
#![allow(unsafe_code)]

use std::{
    collections::VecDeque,
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

/// One moment on every clock.
struct Moment {
    ticks: u64,
    instant: Instant,
    wall: Timestamp,
}

impl Moment {
    /// Reads them one after the other; the closest of a few readings, as the thread may be held up in between.
    fn now() -> Self {
        let read = |_| {
            let (before, instant, wall, after) = (ticks(), Instant::now(), Timestamp::now(), ticks());
            (after.saturating_sub(before), Self { ticks: before, instant, wall })
        };
        let closest = (1..READINGS).map(read).fold(read(0), |a, b| if b.0 < a.0 { b } else { a });
        closest.1
    }
}

const READINGS: usize = 4;

/// From ticks to the wall clock's time.
///
/// The counter's rate is known better from second to second. What was said of a moment must stay said all the same: a
/// root ends after its children were given out and must not start after them. So a better rate holds from now on, as one
/// more [`Line`] that begins where the one before it is, and leads to where the wall clock will be.
pub(crate) struct Anchor {
    /// A moment of which both clocks are known, from which the rate is measured.
    began: (u64, Instant),
    /// When the wall clock was looked at, in ticks.
    ticks: u64,
    note: ClockNote,
    newest: Line,
    older: VecDeque<Line>,
    /// The moment from which on the rate is worth measuring again.
    due: u64,
}

/// The wall clock's time from `ticks` on.
#[derive(Clone, Copy)]
struct Line {
    ticks: u64,
    wall: u64,
    /// Nanoseconds per tick, as a fixed-point number: a span's times are two multiplications.
    rate: u64,
}

/// Bits of [`Line::rate`] behind the point. In front of it eight are left; no counter ticks as slowly.
const RATE_BITS: u32 = 56;

/// A wall clock that was set by more than this moves the anchor; less is left to the kernel's slewing.
const STEP: u64 = 100_000_000;

/// The rate is measured again after as long as it was measured for, and at the latest after this, in nanoseconds.
const LONGEST: f64 = 60e9;

/// About an hour. What began before is told by the oldest line that is left, to within a microsecond.
const LINES: usize = 64;

impl Anchor {
    /// Chooses the clock and notes the present moment on it.
    pub(crate) fn new() -> Self {
        choose();
        let nanos_per_tick = if COUNTER.load(Ordering::Relaxed) { 0.0 } else { 1.0 };
        let Moment { ticks, instant, wall } = Moment::now();
        Self {
            began: (ticks, instant),
            ticks,
            note: ClockNote { wall, nanos_per_tick },
            newest: Line { ticks, wall: wall.0, rate: fixed(nanos_per_tick) },
            older: VecDeque::new(),
            due: ticks,
        }
    }

    /// Leaves the anchor in the journal, for whoever reads it without this process.
    pub(crate) fn leave_note(&self) {
        book::note(Kind::Clock, self.ticks, &self.note);
    }

    /// Learns the counter's rate from the time since the beginning, and follows a wall clock that was set.
    pub(crate) fn update(&mut self) {
        let ticks = ticks();
        let learns = COUNTER.load(Ordering::Relaxed) && ticks > self.due;
        if !learns && !self.is_off(ticks, Timestamp::now()) {
            return;
        }
        let Moment { ticks, instant, wall } = Moment::now();
        if learns {
            self.learn(ticks, instant.duration_since(self.began.1).as_nanos() as f64);
        }
        if self.is_off(ticks, wall) {
            self.ticks = ticks;
            self.note.wall = wall;
            self.newest = Line { ticks, wall: wall.0, rate: fixed(self.note.nanos_per_tick) };
            self.older.clear();
            self.leave_note();
        }
    }

    fn is_off(&self, ticks: u64, wall: Timestamp) -> bool {
        wall.0.abs_diff(self.to_wall(ticks).0) > STEP
    }

    /// Takes in that `elapsed` nanoseconds lie between the beginning and `ticks`, which is now.
    fn learn(&mut self, ticks: u64, elapsed: f64) {
        let since = (ticks - self.began.0) as f64;
        let rate = elapsed / since;
        let first = self.note.nanos_per_tick == 0.0;
        self.note.nanos_per_tick = rate;
        if first {
            self.newest.rate = fixed(rate);
        } else {
            let next = since.min(LONGEST / rate);
            let wall = self.to_wall(ticks).0;
            let behind = self.note.to_wall(self.ticks, ticks).0 as i64 - wall as i64;
            let steered = (rate + behind as f64 / next).clamp(rate / 2.0, rate * 2.0);
            if self.older.len() == LINES {
                self.older.pop_front();
            }
            self.older.push_back(self.newest);
            self.newest = Line { ticks, wall, rate: fixed(steered) };
        }
        self.due = ticks + since.min(LONGEST / rate) as u64;
    }

    /// The wall-clock time of `ticks`.
    #[inline]
    pub(crate) fn to_wall(&self, ticks: u64) -> Timestamp {
        let line = if ticks >= self.newest.ticks { &self.newest } else { self.line_of(ticks) };
        line.to_wall(ticks)
    }

    #[cold]
    fn line_of(&self, ticks: u64) -> &Line {
        // Mostly it is one of the latest.
        let line = self.older.iter().rev().find(|line| line.ticks <= ticks);
        line.or(self.older.front()).unwrap_or(&self.newest)
    }
}

impl Line {
    #[inline]
    fn to_wall(self, ticks: u64) -> Timestamp {
        let nanos = |ticks: u64| ((u128::from(ticks) * u128::from(self.rate)) >> RATE_BITS) as u64;
        Timestamp(match ticks.checked_sub(self.ticks) {
            Some(after) => self.wall.saturating_add(nanos(after)),
            None => self.wall.saturating_sub(nanos(self.ticks - ticks)),
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
        while anchor.began.1.elapsed().as_millis() < 20 {}
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

    #[test]
    fn a_better_rate_changes_nothing_that_was_said() {
        const SECOND: u64 = 1_000_000_000;
        let wall = Timestamp(SECOND * SECOND);
        let mut anchor = Anchor {
            began: (0, Instant::now()),
            ticks: 0,
            note: ClockNote { wall, nanos_per_tick: 0.0 },
            newest: Line { ticks: 0, wall: wall.0, rate: 0 },
            older: VecDeque::new(),
            due: 0,
        };
        // Two ticks per nanosecond, measured with an error of up to 100 ns.
        let mut said = Vec::new();
        let mut now = 2_000_000;
        for round in 0..50_u64 {
            anchor.learn(now, (now / 2) as f64 + (round * 37 % 200) as f64 - 100.0);
            said.extend([now, now + 1, now + 1_000].map(|at| (at, anchor.to_wall(at))));
            now = anchor.due + 1_001;
        }
        assert!(said.iter().all(|(at, wall)| anchor.to_wall(*at) == *wall));
        assert!(said.is_sorted_by_key(|(_, wall)| *wall));
        for (at, told) in &said[30..] {
            assert!(told.0.abs_diff(wall.0 + at / 2) < 1_000, "{told}");
        }
    }
}
