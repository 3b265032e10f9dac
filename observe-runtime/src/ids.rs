//! New ids: unique, cheap, no secret.

use std::{
    hash::{BuildHasher, RandomState},
    time::SystemTime,
};

use observe_model::{SpanId, TraceId};

use crate::context;

/// The golden ratio's odd 64-bit fraction: a Weyl sequence with this step visits every number once.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// The next number of this thread's sequence, mixed by SplitMix64's finaliser: a bijection, so none repeats on a thread.
#[inline(always)]
fn next() -> u64 {
    let mut x = context::with_last_id(|last| {
        let x = if last == 0 { seed() } else { last };
        x.wrapping_add(STEP)
    });
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// A start that differs between threads and processes: the standard library seeds its hasher from the system. Forked
/// processes inherit that seed, but differ in their id or the time.
#[cold]
#[inline(never)]
fn seed() -> u64 {
    RandomState::new().hash_one((std::process::id(), SystemTime::now())) | 1
}

/// Has this thread draw from another sequence, in a child whose parent goes on with this one.
pub(crate) fn begin_anew() {
    context::with_last_id(|_| 0);
}

#[inline(always)]
pub(crate) fn span_id() -> SpanId {
    loop {
        if let Some(id) = SpanId::from_int(next()) {
            return id;
        }
    }
}

pub(crate) fn trace_id() -> TraceId {
    loop {
        if let Some(id) = TraceId::from_int((u128::from(next()) << 64) | u128::from(next())) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_ids_of_four_threads_differ() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..25_000).map(|_| span_id()).collect::<Vec<_>>()))
            .collect();
        let ids: std::collections::HashSet<_> = threads.into_iter().flat_map(|t| t.join().unwrap()).collect();
        assert_eq!(ids.len(), 100_000);
        assert_ne!(trace_id(), trace_id());
    }
}
