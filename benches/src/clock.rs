//! Processor time. On a shared machine it leaves out the time in which the thread did not run.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    // Both are never negative for a clock that counts from zero.
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Processor time of the calling thread.
pub fn thread() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// Processor time of every thread of the process.
pub fn process() -> Duration {
    read(ClockId::ProcessCPUTime)
}
