//! What a process notes about itself, so that its entries can be read without it.

use std::borrow::Cow;

use observe_model::{Level, SpanType, Timestamp};
use serde::{Deserialize, Serialize};

/// A place in the source that begins spans; starts name it by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteNote<'a> {
    /// The span's name, unless something else is said of it.
    pub name: Cow<'a, str>,
    /// What kind of step it is.
    pub span_type: SpanType,
    /// How much it deserves attention.
    pub level: Level,
    /// Module path and function.
    pub function: Cow<'a, str>,
    /// Source file.
    pub file: Cow<'a, str>,
    /// Line of the file, from 1.
    pub line: u32,
}

/// One moment on the process's clock and on the wall; its entry's id is the ticks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClockNote {
    /// The wall clock's time.
    pub wall: Timestamp,
    /// How long a tick lasts, as far as it was known; 0 if it was not.
    pub nanos_per_tick: f64,
}

impl ClockNote {
    /// The wall-clock time of `ticks`, where this note was taken at `at`.
    #[inline]
    pub fn to_wall(&self, at: u64, ticks: u64) -> Timestamp {
        let nanos = |ticks: u64| (ticks as f64 * self.nanos_per_tick) as u64;
        Timestamp(match ticks.checked_sub(at) {
            Some(after) => self.wall.0.saturating_add(nanos(after)),
            None => self.wall.0.saturating_sub(nanos(at - ticks)),
        })
    }
}
