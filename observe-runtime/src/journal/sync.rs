//! What orders the accesses to a chunk. `tests/loom.rs` checks `chunk.rs` with a model of these in their place.

pub(super) use std::sync::{
    Arc,
    atomic::{Ordering, fence},
};
use std::{
    ops::Range,
    sync::atomic::{AtomicBool, AtomicU64},
};

/// The committed length of a chunk, in the chunk's header.
pub(super) struct Length(&'static AtomicU64);

impl Length {
    /// `place` is the header's; whoever makes this sees to it that the place lives as long.
    pub(super) fn new(place: &'static AtomicU64) -> Self {
        Self(place)
    }

    /// The length; what was written below it is visible.
    #[inline]
    pub(super) fn load(&self) -> usize {
        self.0.load(Ordering::Acquire) as usize
    }

    /// Sets it, and makes visible what was written before.
    #[inline]
    pub(super) fn store(&self, len: usize) {
        self.0.store(len as u64, Ordering::Release);
    }
}

/// The last length that a chunk will have, once it is known. Unlike [`Length`] it does not lie in the chunk.
#[derive(Default)]
pub(super) struct Last(AtomicU64);

impl Last {
    /// The length; what was written below it is visible.
    #[inline]
    pub(super) fn get(&self) -> Option<usize> {
        (self.0.load(Ordering::Acquire) as usize).checked_sub(1)
    }

    #[inline]
    pub(super) fn set(&self, len: Option<usize>) {
        self.0.store(len.map_or(0, |len| len as u64 + 1), Ordering::Release);
    }
}

/// Something that is said of a chunk once. Whoever sees a length that was stored after it was set sees it set.
#[derive(Default)]
pub(super) struct Flag(AtomicBool);

impl Flag {
    #[inline]
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn set(&self, value: bool) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// Is told which bytes behind the header are touched, so that the model can tell a race. Here nobody asks.
pub(super) struct Watch;

impl Watch {
    pub(super) fn new(_len: usize) -> Self {
        Self
    }

    #[inline]
    pub(super) fn read(&self, _bytes: Range<usize>) {}

    #[inline]
    pub(super) fn write(&self, _bytes: Range<usize>) {}
}
