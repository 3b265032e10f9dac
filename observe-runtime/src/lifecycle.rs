//! From `init` to the end of the process.

use std::{
    fmt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    time::{Duration, Instant},
};

use observe_wire::journal::entry::Kind;
use once_cell::sync::OnceCell;

use crate::{
    capture,
    clock::Anchor,
    collector::{Ask, Collector},
    destination::{Delivered, Destination},
    exit,
    journal::{book, pool},
    panic_text,
    report::say,
    settings::Settings,
    switch,
};

/// How long the end of the process waits for the destinations.
const AT_EXIT: Duration = Duration::from_secs(5);

struct Runtime {
    asks: Mutex<Sender<Ask>>,
}

impl Runtime {
    /// Asks the collector, who answers unless it is gone.
    fn ask(&self, ask: Ask) {
        let _ = self.asks.lock().unwrap_or_else(PoisonError::into_inner).send(ask);
        pool::wake();
    }
}

static RUNTIME: OnceCell<Runtime> = OnceCell::new();

/// Begins to record, to these destinations.
///
/// Only the first call in a process does something; the others return a guard all the same. With recording switched
/// off in `settings`, or without destinations, nothing begins: no thread, no file. If the system gives no thread, it
/// says so on stderr and nothing is recorded.
pub fn start(settings: &Settings, destinations: Vec<Box<dyn Destination>>) -> Guard {
    let result = RUNTIME.get_or_try_init(|| {
        let names: Vec<_> = destinations.iter().map(|d| d.name().to_owned()).collect();
        if settings.debug {
            let state = if settings.enabled { "on" } else { "off" };
            say(&format!("recording is {state}; destinations: {}", names.join(", ")));
        }
        if !settings.enabled || destinations.is_empty() {
            switch::turn(false);
            return Err(None::<std::io::Error>);
        }
        let anchor = Anchor::new();
        if let Some(root) = destinations.iter().find_map(|d| d.journal()) {
            keep_journal(&root, settings, &anchor);
        }
        let (sender, asks) = mpsc::channel();
        Collector::start(asks, destinations, settings.resource.clone(), anchor).map_err(Some)?;
        panic_text::listen();
        exit::on_exit(at_exit);
        pool::set_wait(settings.overflow_wait);
        capture::set_limit(settings.capture_limit);
        switch::set_sample_rate(settings.sample_rate);
        switch::turn(true);
        Ok(Runtime { asks: Mutex::new(sender) })
    });
    if let Err(Some(error)) = result {
        say(&format!("no thread to record with: {error}; nothing is recorded"));
    }
    Guard { _private: () }
}

/// Keeps the journal in files below `root`, so that a process that is killed loses nothing.
fn keep_journal(root: &Path, settings: &Settings, anchor: &Anchor) {
    if pool::keep_in(root) {
        book::open();
        book::note(Kind::Resource, 0, &settings.resource);
        anchor.leave_note();
    }
}

/// Keeps what was recorded from being lost when it is dropped: it flushes, for at most 5 seconds.
///
/// Hold it in `main`. A process that ends without dropping it, by `std::process::exit` for instance, flushes too.
#[must_use = "dropped at once, the guard flushes before anything is recorded"]
pub struct Guard {
    _private: (),
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// The guard has waited in vain: the end of the process does not wait for the same again.
static GAVE_UP: AtomicBool = AtomicBool::new(false);

/// How long it waits then, for what was recorded since.
const AFTER_GIVING_UP: Duration = Duration::from_millis(200);

impl Drop for Guard {
    fn drop(&mut self) {
        GAVE_UP.store(!flush(AT_EXIT).complete, Ordering::Relaxed);
    }
}

fn at_exit() {
    flush(if GAVE_UP.load(Ordering::Relaxed) { AFTER_GIVING_UP } else { AT_EXIT });
    switch::turn(false);
    if let Some(runtime) = RUNTIME.get() {
        let (reply, closed) = mpsc::channel();
        runtime.ask(Ask::Close(reply));
        let _ = closed.recv_timeout(AT_EXIT);
    }
}

/// What became of everything that was recorded so far.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Each destination's name and counts.
    pub destinations: Vec<(String, Delivered)>,
    /// Spans that were not recorded because the journal was full.
    pub dropped: u64,
    /// Inputs, outputs and the like of recorded spans that were not, for the same reason.
    pub payloads_lost: u64,
    /// Whether everything arrived or is known to be lost; `false` if time ran out first.
    pub complete: bool,
}

/// Waits until every span that ended before the call has arrived, at most for `timeout`; blocks the calling thread.
///
/// It needs nothing of the host: it works inside and outside of any async runtime, and while the process ends.
pub fn flush(timeout: Duration) -> Report {
    let deadline = Instant::now() + timeout;
    let dropped = pool::dropped();
    let Some(runtime) = RUNTIME.get() else {
        return Report { complete: true, ..Report::default() };
    };
    let (reply, answer) = mpsc::channel();
    runtime.ask(Ask::Flush(reply));
    let Ok(handed) = answer.recv_timeout(timeout) else {
        return Report { dropped, payloads_lost: pool::payloads_lost(), ..Report::default() };
    };
    let mut complete = true;
    let destinations = handed.into_iter().map(|h| {
        let (counts, in_time) = h.progress.wait(h.accepted, deadline);
        complete &= in_time;
        (h.name, counts)
    });
    let destinations = destinations.collect();
    Report { destinations, dropped: pool::dropped(), payloads_lost: pool::payloads_lost(), complete }
}
