//! Whether anything is recorded at all: what every annotated call asks first.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use observe_model::TraceId;

use crate::report;

/// Nobody has asked yet.
const UNASKED: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNASKED);

/// Whether [`turn`] was called.
static DECIDED: AtomicBool = AtomicBool::new(false);

/// Traces whose id's last 63 bits are below this are recorded; see [`set_sample_rate`].
static THRESHOLD: AtomicU64 = AtomicU64::new(u64::MAX);

/// Whether an initialised process records. One relaxed load.
#[inline]
pub fn is_on() -> bool {
    match STATE.load(Ordering::Relaxed) {
        OFF => false,
        ON => true,
        _ => first_asked(),
    }
}

/// An annotated call before any `init`: nothing is recorded, which someone who debugs wants to know.
#[cold]
fn first_asked() -> bool {
    let first = STATE.compare_exchange(UNASKED, OFF, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    if first
        && !DECIDED.load(Ordering::Relaxed)
        && std::env::var_os("OBSERVE_DEBUG").is_some_and(|v| !v.is_empty())
    {
        report::say(
            "an annotated function was called before observe::init(): nothing is recorded until then",
        );
    }
    STATE.load(Ordering::Relaxed) == ON
}

pub(crate) fn turn(on: bool) {
    DECIDED.store(true, Ordering::Relaxed);
    STATE.store(if on { ON } else { OFF }, Ordering::Relaxed);
}

/// Chooses the share of traces that is recorded, 0 to 1.
pub(crate) fn set_sample_rate(rate: f64) {
    let threshold = if rate >= 1.0 { u64::MAX } else { (rate.max(0.0) * (1_u64 << 63) as f64) as u64 };
    THRESHOLD.store(threshold, Ordering::Relaxed);
}

/// Whether this trace is recorded: by its id, so that every process decides alike (OpenTelemetry's ratio sampler).
#[inline]
pub(crate) fn is_sampled(trace: TraceId) -> bool {
    let threshold = THRESHOLD.load(Ordering::Relaxed);
    threshold == u64::MAX || (trace.to_int() as u64 >> 1) < threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_sampled_traces_is_the_rate() {
        set_sample_rate(0.25);
        let sampled = (0..40_000).filter(|_| is_sampled(crate::ids::trace_id())).count();
        set_sample_rate(1.0);
        assert!((9_500..10_500).contains(&sampled), "{sampled}");
    }
}
