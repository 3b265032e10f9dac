//! Processor time. On a shared machine it leaves out the time in which the thread did not run.

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
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

/// Criterion's measurement in processor time of the calling thread.
#[derive(Debug)]
pub struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        thread()
    }

    fn end(&self, start: Duration) -> Duration {
        thread().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
