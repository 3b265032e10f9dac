//! Below which spans others were dropped: a fixed table in which threads count without a lock, emptied by the collector.
//!
//! A count is never given to another span than the one it was made for. Where the table has no place left for a span, only
//! the process's count has it; so too for a span without a recorded one above it, for one that was given out before, and
//! after the process was killed, since nothing of this is in the journal.

use std::sync::atomic::{AtomicU64, Ordering};

use super::pool;

/// So many spans can be counted below between two sweeps.
const SLOTS: usize = 256;

/// So many slots are tried for a span.
const PROBES: usize = 8;

/// In place of a span's id: the collector is emptying the slot. The one span whose id this may be has no count.
const CLOSED: u64 = u64::MAX;

/// The lower bits of [`Slot::count`] count, a trillion at the most; the others say how often the slot was emptied.
const COUNT_BITS: u32 = 40;

struct Slot {
    /// 0 while it is free.
    span: AtomicU64,
    count: AtomicU64,
}

impl Slot {
    const fn free() -> Self {
        Self { span: AtomicU64::new(0), count: AtomicU64::new(0) }
    }

    /// Counts one more below `span`, if the slot is its or free.
    fn add(&self, span: u64) -> bool {
        loop {
            // First the count, then whose it is: if the slot is emptied after the first look, the exchange fails.
            let count = self.count.load(Ordering::Acquire);
            match self.span.load(Ordering::Acquire) {
                0 => {
                    // Whoever was quicker, the next look tells.
                    let _ = self.span.compare_exchange(0, span, Ordering::AcqRel, Ordering::Relaxed);
                }
                its if its == span => {
                    let more = count.wrapping_add(1);
                    if self.count.compare_exchange(count, more, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                        return true;
                    }
                }
                _ => return false,
            }
        }
    }

    /// Frees the slot; gives its span and count. For one thread alone.
    fn empty(&self) -> Option<(u64, u64)> {
        let span = self.span.load(Ordering::Relaxed);
        if span == 0 {
            return None;
        }
        self.span.store(CLOSED, Ordering::Relaxed);
        let emptied = (self.count.load(Ordering::Relaxed) >> COUNT_BITS).wrapping_add(1) << COUNT_BITS;
        let count = self.count.swap(emptied, Ordering::AcqRel) & ((1 << COUNT_BITS) - 1);
        self.span.store(0, Ordering::Release);
        (count > 0).then_some((span, count))
    }
}

struct Table([Slot; SLOTS]);

impl Table {
    const fn new() -> Self {
        Self([const { Slot::free() }; SLOTS])
    }

    /// Counts one more below `span`; `false` if there is no place for it.
    fn add(&self, span: u64) -> bool {
        // Ids are random: their lower bits spread them.
        let first = span as usize;
        let mut slots = (0..PROBES).map(|n| &self.0[first.wrapping_add(n) % SLOTS]);
        span != 0 && span != CLOSED && slots.any(|slot| slot.add(span))
    }

    fn drain(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().filter_map(Slot::empty)
    }
}

static TABLE: Table = Table::new();

/// Counts a span that was not recorded; `parent` is the nearest recorded one above it, 0 for none.
#[cold]
pub(crate) fn count(parent: u64) {
    TABLE.add(parent);
    pool::count_dropped();
}

/// Takes out what was counted since the last call: spans, and how many were dropped below each. A span may come twice.
/// Only the collector calls this.
pub(crate) fn drain() -> impl Iterator<Item = (u64, u64)> {
    TABLE.drain()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashMap,
        sync::atomic::{AtomicBool, AtomicUsize},
        thread,
    };

    use super::*;

    #[test]
    fn what_threads_count_while_the_table_is_emptied_adds_up_for_each_span() {
        const THREADS: u64 = 4;
        const EACH: u64 = 20_000;
        // Every three fall on the same slots, and slots go from one span to another all the time.
        let spans: Vec<u64> = (0..12).map(|n| 1 + n / 3 + n % 3 * SLOTS as u64).collect();
        let table = Table::new();
        let (mut counted, missed) = (HashMap::<u64, u64>::new(), AtomicUsize::new(0));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let hosts: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        let mut placed = HashMap::<u64, u64>::new();
                        for span in spans.iter().cycle().take(EACH as usize) {
                            match table.add(*span) {
                                true => *placed.entry(*span).or_default() += 1,
                                false => _ = missed.fetch_add(1, Ordering::Relaxed),
                            }
                        }
                        placed
                    })
                })
                .collect();
            let collector = scope.spawn(|| {
                let mut counted = HashMap::<u64, u64>::new();
                loop {
                    let last = done.load(Ordering::Acquire);
                    table.drain().for_each(|(span, n)| *counted.entry(span).or_default() += n);
                    if last {
                        return counted;
                    }
                }
            });
            let mut placed = HashMap::<u64, u64>::new();
            for host in hosts {
                host.join().unwrap().into_iter().for_each(|(span, n)| *placed.entry(span).or_default() += n);
            }
            done.store(true, Ordering::Release);
            counted = collector.join().unwrap();
            assert_eq!(counted, placed);
        });
        let missed = missed.into_inner() as u64;
        assert_eq!(counted.values().sum::<u64>() + missed, THREADS * EACH);
        assert!(missed < THREADS * EACH / 2, "{missed} found no place in a table of {SLOTS}");
    }

    #[test]
    fn a_full_table_and_a_span_of_no_parent_are_left_to_the_processs_count() {
        let table = Table::new();
        assert!(!table.add(0) && !table.add(CLOSED));
        let same_slots = |n| 5 + n * SLOTS as u64;
        assert!((0..PROBES as u64).all(|n| table.add(same_slots(n))));
        assert!(!table.add(same_slots(PROBES as u64)));
        assert_eq!(table.drain().count(), PROBES);
        assert!(table.add(same_slots(PROBES as u64)), "what was emptied is free");
    }
}
