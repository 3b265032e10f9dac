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
    Tally {
        arrived: of(|d| d.sent),
        dropped: report.dropped + of(|d| d.dropped),
        on_disk: of(|d| d.spooled.saturating_sub(d.replayed)),
    }
}

/// A destination that sends to somebody who takes connections and never answers.
#[cfg(feature = "otlp")]
fn hung() -> Result<observe::destination::Otlp, String> {
    use observe::destination::{Otlp, OtlpSettings};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    // Open until the end of the process.
    std::mem::forget(listener);
    let timeout = Duration::from_secs(60 * 60);
    Ok(Otlp::new(OtlpSettings { timeout, ..OtlpSettings::new(format!("http://{address}/v1/traces")) }))
}

/// Spans go to two destinations, of which one hangs: waits until the other has them.
#[cfg(feature = "otlp")]
fn record_beside_hung() -> Result<(Guard, Tracer), String> {
    use observe::destination::Destination as _;
    let (well, hung) = (Encode::default(), hung()?);
    let progress = std::sync::Arc::clone(well.progress());
    let guard = builder().destination(well).destination(hung).init();
    let flush = move || loop {
        let report = observe::flush(Duration::from_millis(100));
        let accepted =
            |name| report.destinations.iter().find(|(found, _)| found == name).map(|(_, d)| d.accepted);
        // Without an answer the collector still has much to do.
        if let Some(accepted) = accepted("encode").filter(|accepted| *accepted == progress.get().sent) {
            return Tally { arrived: accepted, dropped: report.dropped, on_disk: 0 };
        }
    };
    Ok((guard, Tracer { room: ROOM, flush: Box::new(flush) }))
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
        // Without a place on disk its journal lies in plain memory.
        #[cfg(feature = "otlp")]
        "observe_otlp_memory" => {
            use observe::destination::{Otlp, OtlpSettings};
            builder().destination(Otlp::new(OtlpSettings::from_env()?)).init()
        }
        #[cfg(feature = "otlp")]
        "observe_hung" => {
            let (_guard, recorded) = record_beside_hung()?;
            return Ok(visit.visit::<Observed, InSession>(&recorded));
        }
        _ => return Err(no_case(case)),
    };
    Ok(visit.visit::<Observed, InSession>(&recorded))
}
