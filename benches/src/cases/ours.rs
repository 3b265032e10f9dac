//! The plain function, and `#[observe]`.

use std::{env, future::Future, time::Duration};

use observe::{Guard, builder, observe, session};

use super::{NoRoot, Root, Tally, Tracer, Visit, functions, no_case};
use crate::destination::{Count, Encode};

functions!(Plain(prompt, request));
functions!(Observed(prompt, request) #[observe]);

/// A root in a session.
struct InSession;

#[observe(skip(body))]
fn root(body: impl FnOnce()) {
    body();
}

#[observe(skip(body))]
async fn root_async(body: impl Future<Output = ()>) {
    body.await;
}

impl Root for InSession {
    fn around<R>(body: impl FnOnce() -> R) -> R {
        session("conversation").user("someone").sync_scope(body)
    }
    fn around_async<R>(body: impl Future<Output = R>) -> impl Future<Output = R> {
        session("conversation").user("someone").scope(body)
    }
    #[inline(always)]
    fn root(body: impl FnOnce()) {
        root(body);
    }
    #[inline(always)]
    fn root_async(body: impl Future<Output = ()>) -> impl Future<Output = ()> {
        root_async(body)
    }
}

/// Ten thousand spans are a twentieth of the journal.
const ROOM: u64 = 10_000;

fn flush() -> Tally {
    let report = observe::flush(Duration::from_secs(120));
    let of = |count: fn(&observe::destination::Delivered) -> u64| {
        report.destinations.iter().map(|(_, d)| count(d)).sum::<u64>()
    };
    // Dropped where the journal was full, or where a destination had fallen too far behind.
    Tally { arrived: of(|d| d.sent), dropped: report.dropped + of(|d| d.dropped) }
}

/// Records to what the environment names, if that is `destination`.
fn record_to(destination: &str) -> Result<Guard, String> {
    require("OBSERVE_DESTINATIONS", destination)?;
    Ok(observe::init())
}

fn require(variable: &str, value: &str) -> Result<(), String> {
    match env::var(variable) {
        Ok(found) if found == value => Ok(()),
        _ => Err(format!("the case needs {variable}={value}")),
    }
}

pub(super) fn with<V: Visit>(case: &str, visit: V) -> Result<V::Result, String> {
    let nothing = Tracer { room: ROOM, flush: Box::new(Tally::default) };
    let recorded = Tracer { room: ROOM, flush: Box::new(flush) };
    let _guard = match case {
        "plain" => return Ok(visit.visit::<Plain, NoRoot>(&nothing)),
        "observe_disabled" => return Ok(visit.visit::<Observed, NoRoot>(&nothing)),
        "observe_unsampled" => {
            require("OBSERVE_SAMPLE_RATE", "0")?;
            builder().destination(Count::default()).init()
        }
        "observe_count" => builder().destination(Count::default()).init(),
        "observe_encode" => builder().destination(Encode::default()).init(),
        "observe_local" => record_to("local")?,
        "observe_otlp" => record_to("otlp")?,
        _ => return Err(no_case(case)),
    };
    Ok(visit.visit::<Observed, InSession>(&recorded))
}
