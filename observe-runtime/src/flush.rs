//! Waiting until what was recorded has arrived, and what became of it.

use std::{
    future::poll_fn,
    panic::catch_unwind,
    sync::{Arc, Mutex, PoisonError, mpsc},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use crate::{
    collector::{Ask, left_out},
    destination::Delivered,
    journal::pool,
    lifecycle::ask,
    report::say_once,
};

/// What became of everything that was recorded so far.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Each destination's name and counts.
    pub destinations: Vec<(String, Delivered)>,
    /// Spans that were not recorded because the journal was full.
    pub dropped: u64,
    /// Spans that were recorded and not sent, because their traces neither failed nor were slow and only such are kept.
    pub left_out: u64,
    /// Inputs, outputs and the like of recorded spans that were not, for the same reason.
    pub payloads_lost: u64,
    /// Whether everything arrived or is known to be lost; `false` if time ran out first.
    pub complete: bool,
}

/// Waits until every span that ended before the call has arrived, at most for `timeout`; blocks the calling thread.
///
/// It needs nothing of the host: it works inside and outside of any async runtime, in destructors, and while the process
/// ends. Where blocking a thread would hold up other tasks, [`flush_async`] waits without.
pub fn flush(timeout: Duration) -> Report {
    let deadline = Instant::now() + timeout;
    let dropped = pool::dropped();
    let (reply, answer) = mpsc::channel();
    if !ask(Ask::Flush(reply)) {
        return Report { complete: true, ..Report::default() };
    }
    let Ok(handed) = answer.recv_timeout(timeout) else {
        let (payloads_lost, left_out) = (pool::payloads_lost(), left_out());
        return Report { dropped, payloads_lost, left_out, ..Report::default() };
    };
    let mut complete = true;
    let destinations = handed.into_iter().map(|h| {
        let (counts, in_time) = h.progress.wait(h.accepted, deadline);
        complete &= in_time;
        (h.name, counts)
    });
    let destinations = destinations.collect();
    Report {
        destinations,
        dropped: pool::dropped(),
        left_out: left_out(),
        payloads_lost: pool::payloads_lost(),
        complete,
    }
}

/// [`flush`] to be awaited: it waits on a thread of its own and blocks no other. Dropped before its end, it waits no more.
///
/// It needs no particular runtime, and none at all.
///
/// ```
/// # use std::time::Duration;
/// # async fn ends() {
/// let report = observe_runtime::flush_async(Duration::from_secs(5)).await;
/// for (name, counts) in report.destinations {
///     println!("{name}: {} sent, {} refused ({:?})", counts.sent, counts.failed, counts.error);
/// }
/// # }
/// ```
pub async fn flush_async(timeout: Duration) -> Report {
    let answer = Arc::<Answer>::default();
    let giver = Arc::clone(&answer);
    let wait = move || giver.give(catch_unwind(|| flush(timeout)).unwrap_or_default());
    match thread::Builder::new().name("observe-flush".to_owned()).spawn(wait) {
        Ok(_) => poll_fn(|context| answer.poll(context)).await,
        Err(error) => {
            say_once(&format!("no thread to wait for a flush with: {error}"));
            Report::default()
        }
    }
}

/// A report on its way from one thread to another.
#[derive(Default)]
struct Answer(Mutex<(Option<Report>, Option<Waker>)>);

impl Answer {
    fn give(&self, report: Report) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Some(report);
        let waker = state.1.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Report> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.0.take() {
            Some(report) => Poll::Ready(report),
            None => {
                state.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
