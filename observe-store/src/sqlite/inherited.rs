//! SQLite in a forked process: the library keeps in memory which files it has open and locked, and a child's copy of
//! that is wrong (<https://www.sqlite.org/howtocorrupt.html>, section 2.6). So a process whose parent had a store open
//! when it forked opens none.

use std::{
    path::Path,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Error;

/// The process that opens stores, and in the lower half how many it has open.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// Counts a store as open.
#[derive(Debug)]
pub(super) struct Opened(());

fn us() -> u64 {
    u64::from(process::id()) << 32
}

impl Opened {
    /// One more.
    ///
    /// # Errors
    /// If this process was forked while there were some.
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        let us = us();
        let more = |open: u64| match (open & !u64::from(u32::MAX), open as u32) {
            (process, _) if process == us => Some(open + 1),
            (_, 0) => Some(us + 1),
            _ => None,
        };
        let counted = OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        counted.map(|_| Self(())).map_err(|_| Error::Inherited(path.to_owned()))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let us = us();
        let less = |open: u64| (open & !u64::from(u32::MAX) == us && open as u32 > 0).then(|| open - 1);
        let _ = OPEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}
