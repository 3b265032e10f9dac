//! Whether anything is recorded at all: what every annotated call asks first.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

use observe_model::TraceId;

use crate::report;

/// Nobody has asked yet.
const UNASKED: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNASKED);

/// Whether [`turn`] was called.
static DECIDED: AtomicBool = AtomicBool::new(false);

/// Whether [`RATES`] leave any trace out.
static IS_SAMPLING: AtomicBool = AtomicBool::new(false);
static RATES: OnceLock<Rates> = OnceLock::new();

/// Whether scores are recorded where spans are.
static SCORES: AtomicBool = AtomicBool::new(true);

/// Whether an initialised process records. One relaxed load.
#[inline]
pub fn is_on() -> bool {
    may_be_on() && is_on_after_all()
}

/// The same, but also true while nobody has asked yet, which is found out next.
#[inline]
pub fn may_be_on() -> bool {
    let may = STATE.load(Ordering::Relaxed) != OFF;
    if may {
        unusual();
    }
    may
}

/// Tells the compiler that what comes before it is not the usual way.
#[cold]
#[inline]
const fn unusual() {}

/// Whether an initialised process records, where [`may_be_on`] said that it may.
#[inline]
pub(crate) fn is_on_after_all() -> bool {
    STATE.load(Ordering::Relaxed) == ON || first_asked()
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

/// Whether scores are recorded: evaluations can be switched off and spans left on.
pub(crate) fn wants_scores() -> bool {
    is_on() && SCORES.load(Ordering::Relaxed)
}

pub(crate) fn turn_scores(on: bool) {
    SCORES.store(on, Ordering::Relaxed);
}

/// Shares of traces to record.
#[derive(Debug)]
struct Rates {
    all: u64,
    named: Vec<(String, u64)>,
}

impl Rates {
    fn new(all: f64, named: &[(String, f64)]) -> Self {
        let named = named.iter().map(|(name, rate)| (name.clone(), threshold(*rate))).collect();
        Self { all: threshold(all), named }
    }

    /// Traces whose id's last 63 bits are below the threshold are recorded: by the id alone, so that every process decides
    /// alike (OpenTelemetry's ratio sampler).
    fn take(&self, trace: TraceId, name: &str) -> bool {
        let own = self.named.iter().find(|(n, _)| n == name);
        (trace.to_int() as u64 >> 1) < own.map_or(self.all, |(_, threshold)| *threshold)
    }
}

/// A share as the number that so large a share of 63-bit numbers is below.
fn threshold(rate: f64) -> u64 {
    if rate >= 1.0 { u64::MAX } else { (rate.max(0.0) * (1_u64 << 63) as f64) as u64 }
}

/// Whether this trace is one of a share of all traces, 0 to 1.
#[cfg(feature = "otlp")]
pub(crate) fn is_in_share(trace: TraceId, share: f64) -> bool {
    Rates::new(share, &[]).take(trace, "")
}

/// Chooses the share of traces that is recorded, 0 to 1, and that of traces whose roots have these names. Once.
pub(crate) fn set_sample_rates(all: f64, named: &[(String, f64)]) {
    IS_SAMPLING.store(all < 1.0 || !named.is_empty(), Ordering::Relaxed);
    let _ = RATES.set(Rates::new(all, named));
}

/// Whether the name of a root has a say in whether its trace is recorded.
pub(crate) fn goes_by_name() -> bool {
    IS_SAMPLING.load(Ordering::Relaxed) && RATES.get().is_some_and(|rates| !rates.named.is_empty())
}

/// Whether this trace is recorded; `name` is what its root begins with.
#[inline]
pub(crate) fn is_sampled(trace: TraceId, name: &str) -> bool {
    !IS_SAMPLING.load(Ordering::Relaxed) || RATES.get().is_none_or(|rates| rates.take(trace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_sampled_traces_is_the_rate_of_their_name() {
        let rates = Rates::new(0.25, &[("checkout".to_owned(), 1.0), ("health".to_owned(), 0.0)]);
        let ids: Vec<_> = (0..40_000).map(|_| crate::ids::trace_id()).collect();
        let taken = |name| ids.iter().filter(|id| rates.take(**id, name)).count();
        let sampled = taken("other");
        assert!((9_500..10_500).contains(&sampled), "{sampled}");
        assert_eq!((taken("checkout"), taken("health")), (ids.len(), 0));
    }

    #[test]
    fn what_a_lower_rate_takes_a_higher_one_takes_too() {
        let (low, high) = (Rates::new(0.1, &[]), Rates::new(0.3, &[]));
        let ids: Vec<_> = (0..10_000).map(|_| crate::ids::trace_id()).collect();
        assert!(ids.iter().filter(|id| low.take(**id, "")).all(|id| high.take(*id, "")));
    }
}
