//! From `init` to the end of the process.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    time::Duration,
};

use observe_model::{Resource, TraceId};
use observe_wire::journal::entry::Kind;
use once_cell::sync::OnceCell;

use crate::{
    capture,
    clock::Anchor,
    collector::{Ask, Collector, Outlets},
    context,
    destination::{Destination, Progress, TracePage, quiet},
    flush::flush,
    fork::{self, PerProcess},
    journal::{book, pool},
    mask, panic_text, process, propagate,
    report::{say, say_once},
    settings::Settings,
    site::Site,
    switch,
};

/// How long the end of the process waits for the destinations.
const AT_EXIT: Duration = Duration::from_secs(5);

struct Runtime {
    asks: Mutex<Sender<Ask>>,
    /// The names and pages of destinations that have pages, the local store's first.
    pages: Vec<(String, TracePage)>,
}

impl Runtime {
    /// Asks the collector, who answers unless it is gone.
    fn ask(&self, ask: Ask) {
        let _ = self.asks.lock().unwrap_or_else(PoisonError::into_inner).send(ask);
        pool::wake();
    }
}

/// Asks the collector, if recording has begun; whether it has.
pub(crate) fn ask(ask: Ask) -> bool {
    RUNTIME.get().get().map(|runtime| runtime.ask(ask)).is_some()
}

static RUNTIME: PerProcess<OnceCell<Runtime>> = PerProcess::new(OnceCell::new());

/// What a forked child begins with.
struct ForChild {
    settings: Settings,
    destinations: Vec<Box<dyn Destination>>,
}

static FOR_CHILD: Mutex<Option<ForChild>> = Mutex::new(None);

/// What it was set up to do first.
static FIRST: PerProcess<OnceCell<SetUp>> = PerProcess::new(OnceCell::new());

/// What the process was set to do.
struct SetUp {
    settings: Settings,
    /// Where the destinations count that the caller gave, which tells them apart.
    given: Vec<Arc<Progress>>,
}

impl SetUp {
    fn new(settings: &Settings, given: &[Box<dyn Destination>]) -> Self {
        let given = given.iter().map(|d| Arc::clone(d.progress())).collect();
        Self { settings: settings.clone(), given }
    }

    fn is(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.given.len() == other.given.len()
            && self.given.iter().zip(&other.given).all(|(a, b)| Arc::ptr_eq(a, b))
    }
}

/// Begins to record, to `given` destinations and to `more`, which are made only if it begins.
///
/// Only the first call in a process does something. A second one with the same settings and destinations gives a guard
/// and changes nothing; one with others does too, and says so on stderr. With recording switched off in `settings`, or
/// without destinations, nothing begins: no thread, no file. If the system gives no thread, it says so on stderr and
/// nothing is recorded.
///
/// A process that is forked from this one records too, to what [`Destination::for_child`] gives, unless it calls this
/// itself before its first span.
pub fn start(
    settings: &Settings,
    given: Vec<Box<dyn Destination>>,
    more: impl FnOnce() -> Vec<Box<dyn Destination>>,
) -> Guard {
    fork::take_new_child();
    let wanted = SetUp::new(settings, &given);
    if !FIRST.get().get_or_init(|| SetUp::new(settings, &given)).is(&wanted) {
        say_once(
            "observe was set up already, with other settings or destinations, which stay: set it up once, in main",
        );
        return Guard { _private: () };
    }
    let result = RUNTIME.get().get_or_try_init(|| begin(settings, given, more));
    report(result.err());
    Guard { _private: () }
}

/// Says that nothing begins, and why.
fn report(error: Option<Option<std::io::Error>>) {
    if let Some(Some(error)) = error {
        switch::turn(false);
        say(&format!("no thread to record with: {error}; nothing is recorded"));
    }
}

/// The runtime; `Err(None)` if nothing is to be recorded.
fn begin(
    settings: &Settings,
    mut destinations: Vec<Box<dyn Destination>>,
    more: impl FnOnce() -> Vec<Box<dyn Destination>>,
) -> Result<Runtime, Option<std::io::Error>> {
    // Destinations may ask for it as soon as they are made.
    let mask = settings.mask();
    mask::set(mask.clone(), settings.prices());
    if settings.enabled {
        destinations.extend(more());
    }
    if settings.debug {
        let state = if settings.enabled { "on" } else { "off" };
        let names: Vec<_> = destinations.iter().map(|d| d.name()).collect();
        say(&format!("recording is {state}; destinations: {}", names.join(", ")));
    }
    if !settings.enabled || destinations.is_empty() {
        switch::turn(false);
        return Err(None);
    }
    provide_for_child(settings, &destinations);
    let anchor = Anchor::new();
    let mut resource = settings.resource();
    mask.resource(&mut resource);
    let kept = keep_journal(&destinations, &resource, &anchor);
    let pages = destinations.iter().filter_map(|d| Some((d.name().to_owned(), d.trace_page()?)));
    let mut pages: Vec<_> = pages.collect();
    pages.sort_by_key(|(name, _)| name != "local");
    let (sender, asks) = mpsc::channel();
    let outlets = Outlets::new(destinations, mask, settings, kept);
    Collector::start(asks, outlets, resource, anchor).map_err(Some)?;
    panic_text::listen();
    process::listen(fork::hooks(at_exit));
    pool::set_wait(settings.overflow_wait);
    capture::set_limit(settings.capture_limit);
    switch::set_sample_rates(settings.sample_rate, &settings.sample_rates);
    switch::turn_scores(settings.scores);
    propagate::set_up(settings);
    switch::turn(true);
    Ok(Runtime { asks: Mutex::new(sender), pages })
}

/// Keeps what a child of this process can record to.
fn provide_for_child(settings: &Settings, destinations: &[Box<dyn Destination>]) {
    let provide = || destinations.iter().filter_map(|d| d.for_child()).collect();
    let destinations = catch_unwind(AssertUnwindSafe(provide)).unwrap_or_default();
    *FOR_CHILD.lock().unwrap_or_else(PoisonError::into_inner) =
        Some(ForChild { settings: settings.clone(), destinations });
}

/// Leaves everything to the process from which this one was forked; for its only thread.
pub(crate) fn begin_anew() {
    RUNTIME.renew(OnceCell::new());
    FIRST.renew(OnceCell::new());
    GAVE_UP.store(false, Ordering::Relaxed);
}

/// Begins to record in a forked child.
#[cold]
pub(crate) fn start_again() {
    // Locked for ever if the parent forked while it was about to begin.
    let provided = FOR_CHILD.try_lock().ok().and_then(|mut provided| provided.take());
    match provided {
        Some(ForChild { settings, destinations }) if quiet::was_at_rest() => {
            let begun = RUNTIME.get().get_or_try_init(|| begin(&settings, destinations, Vec::new));
            report(begun.err());
        }
        _ => {
            switch::turn(false);
            say("nothing is recorded in this process: spans were being written for long when it was forked");
        }
    }
}

/// The page that shows the trace in which the calling code runs: the local viewer's, which `observe view` serves, else
/// that of the first destination that has one. `None` outside a trace, in one that is not recorded, and before `init`.
///
/// Some platforms have to be asked for an identifier first, which begins with the first span: until they have answered,
/// they have no page.
///
/// ```
/// if let Some(url) = observe_runtime::trace_url() {
///     eprintln!("{url}");
/// }
/// ```
pub fn trace_url() -> Option<String> {
    let here = context::here();
    here.trace().filter(|_| !here.is_left_out()).and_then(trace_url_for)
}

/// The page that shows the trace `id`, chosen as by [`trace_url`]; [`trace_urls_for`] gives all.
pub fn trace_url_for(id: TraceId) -> Option<String> {
    trace_urls_for(id).into_iter().next().map(|(_, url)| url)
}

/// The name of each destination that has a page for the trace `id`, with the page's address.
pub fn trace_urls_for(id: TraceId) -> Vec<(String, String)> {
    let pages = RUNTIME.get().get().map_or(&[][..], |runtime| &runtime.pages);
    pages.iter().filter_map(|(name, page)| Some((name.clone(), page.of(id)?))).collect()
}

/// Keeps the journal in files, so that a process that is killed loses nothing: where the first destination wants it that
/// has a place for it. Gives the place, if that is possible.
fn keep_journal(
    destinations: &[Box<dyn Destination>],
    resource: &Resource,
    anchor: &Anchor,
) -> Option<PathBuf> {
    let root = destinations.iter().find_map(|d| d.journal()).filter(|_| cfg!(feature = "mapped"))?;
    let owed: Vec<_> = destinations
        .iter()
        .filter(|d| d.journal().as_ref() == Some(&root))
        .map(|d| d.journal_name())
        .collect();
    if !pool::keep_in(&root, &owed) {
        return None;
    }
    book::open();
    book::note(Kind::Resource, 0, resource);
    anchor.leave_note();
    Site::leave_notes();
    Some(root)
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
    if let Some(runtime) = RUNTIME.get().get() {
        let (reply, closed) = mpsc::channel();
        runtime.ask(Ask::Close(reply));
        let _ = closed.recv_timeout(AT_EXIT);
    }
}
