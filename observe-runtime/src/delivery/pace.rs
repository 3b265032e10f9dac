//! When to try a receiver again that was away.

use std::time::Duration;

use tokio::time::Instant;

/// The first wait; doubled with each failure.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait of our own; also the longest that is shortened by nothing but success.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest wait that a receiver is granted.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// Exponential waits with jitter, for all requests to one receiver together: it is away for all of them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
    resume: Option<Instant>,
}

impl Pace {
    /// Until when nothing is to be posted.
    pub(super) fn pause(&self, now: Instant) -> Option<Instant> {
        self.resume.filter(|resume| *resume > now)
    }

    /// Whether the last request failed.
    pub(super) fn is_away(&self) -> bool {
        self.failures > 0
    }

    /// How many requests may be under way: one, to see whether the receiver is back.
    pub(super) fn limit(&self, usual: usize) -> usize {
        if self.is_away() { 1 } else { usual }
    }

    /// The receiver answered.
    pub(super) fn succeed(&mut self) {
        *self = Self::default();
    }

    /// The receiver could not take a request, and may have said how long it wants to be left alone. `jitter` is from 0 to 1.
    pub(super) fn fail(&mut self, now: Instant, asked: Option<Duration>, jitter: f64) {
        let wait = match asked {
            Some(asked) => asked.min(LONGEST_ASKED),
            // Requests that were under way together fail together: that is one failure.
            None if self.pause(now).is_some() => return,
            None => {
                let full = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
                full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
            }
        };
        self.failures = self.failures.saturating_add(1);
        self.resume = Some(self.resume.unwrap_or(now).max(now + wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_minute_and_success_forgets_them() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..9 {
            pace.fail(now, None, 1.0);
            let resume = pace.pause(now).unwrap();
            waits.push((resume - now).as_secs());
            now = resume;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pace.limit(4), 1);
        pace.succeed();
        assert_eq!((pace.pause(now), pace.limit(4)), (None, 4));
        pace.fail(now, None, 0.0);
        assert_eq!(pace.pause(now).unwrap() - now, FIRST / 2);
    }

    #[test]
    fn requests_that_fail_together_wait_once_and_a_receiver_gets_the_wait_it_asks_for() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for _ in 0..4 {
            pace.fail(now, None, 1.0);
        }
        assert_eq!(pace.pause(now).unwrap() - now, FIRST);
        pace.fail(now, Some(Duration::from_secs(600)), 1.0);
        assert_eq!(pace.pause(now).unwrap() - now, Duration::from_secs(600));
        pace.fail(now, Some(Duration::from_secs(u64::MAX)), 1.0);
        assert_eq!(pace.pause(now).unwrap() - now, LONGEST_ASKED);
    }
}
