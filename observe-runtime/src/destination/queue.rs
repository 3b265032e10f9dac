//! A destination that does its work on a thread of its own.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use observe_model::{Json, Metric, Record, Resource, Score, Span};

use super::{Destination, Progress, TracePage, quiet};
use crate::report::Once;

/// Bytes of spans that may wait for a sink before new ones are dropped.
const LIMIT: usize = 64 * 1024 * 1024;

/// Spans handed to a sink at once.
const BATCH: u64 = 2048;

/// How long the end of the process waits for a sink to close.
const CLOSING: Duration = Duration::from_secs(1);

/// What a span occupies beside its texts, about.
const SPAN: usize = mem::size_of::<Span<'static>>();

/// Somewhere that takes spans in batches and may block while it does.
pub trait Sink: Send + 'static {
    /// The name that settings and reports use.
    fn name(&self) -> &'static str;

    /// Whether spans that have not ended are wanted too.
    fn wants_running(&self) -> bool {
        false
    }

    /// Where the journal may lie; see [`Destination::journal`].
    fn journal(&self) -> Option<PathBuf> {
        None
    }

    /// The page that shows a trace; see [`Destination::trace_page`].
    fn trace_page(&self) -> Option<TracePage> {
        None
    }

    /// Closes what a process that is forked from this one must not share, like a connection; the next write opens it
    /// again. Called before each fork, on the thread that forks, while nothing is written.
    fn close(&mut self) {}

    /// The same for a process that is forked from this one; see [`Destination::for_child`].
    fn for_child(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// Called once on the sink's thread, before the first batch: time to recover what an earlier process left.
    fn begin(&mut self) {}

    /// Writes a batch.
    ///
    /// # Errors
    ///
    /// One sentence that says what failed and what to do; the batch is lost then, and the sentence is reported once.
    fn write(&mut self, resource: &Resource, spans: &[Span<'static>]) -> Result<(), String>;

    /// Writes scores and metrics; without this method they are passed over.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    fn write_records(&mut self, resource: &Resource, records: &[Record]) -> Result<(), String> {
        let _ = (resource, records);
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Batch {
    spans: Vec<Span<'static>>,
    records: Vec<Record>,
    bytes: usize,
}

impl Batch {
    fn len(&self) -> u64 {
        (self.spans.len() + self.records.len()) as u64
    }

    fn write(&self, sink: &mut impl Sink, resource: &Resource) -> Result<(), String> {
        let spans = if self.spans.is_empty() { Ok(()) } else { sink.write(resource, &self.spans) };
        let records =
            if self.records.is_empty() { Ok(()) } else { sink.write_records(resource, &self.records) };
        spans.and(records)
    }
}

/// A [`Sink`] with a thread and a queue, bounded in bytes.
#[derive(Debug)]
pub struct Queue<S> {
    name: &'static str,
    wants_running: bool,
    journal: Option<PathBuf>,
    /// Until the thread begins.
    sink: Option<S>,
    sender: Option<Sender<Batch>>,
    /// Says, by being disconnected, that the thread is done.
    done: Option<Receiver<()>>,
    gathered: Batch,
    /// Bytes that the thread has not written yet.
    waiting: Arc<AtomicUsize>,
    progress: Arc<Progress>,
}

impl<S: Sink> Queue<S> {
    /// A queue in front of `sink`; its thread begins with the first span.
    pub fn new(sink: S) -> Self {
        Self {
            name: sink.name(),
            wants_running: sink.wants_running(),
            journal: sink.journal(),
            sink: Some(sink),
            sender: None,
            done: None,
            gathered: Batch::default(),
            waiting: Arc::default(),
            progress: Arc::default(),
        }
    }
}

impl<S: Sink> Queue<S> {
    /// Whether so much may wait as well; counts what may not. One span always fits, however large.
    fn has_room(&self, bytes: usize) -> bool {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let fits = waiting == 0 || waiting + self.gathered.bytes + bytes <= LIMIT;
        if !fits {
            self.progress.update(|counts| counts.dropped += 1);
        }
        fits
    }

    fn gather(&mut self, record: Record) {
        let bytes = mem::size_of::<Record>() + Json::of(&record).as_str().len();
        if self.has_room(bytes) {
            self.gathered.records.push(record);
            self.gathered.bytes += bytes;
            self.hand_over_full();
        }
    }

    fn hand_over_full(&mut self) {
        if self.gathered.len() >= BATCH {
            self.hand_over(false);
        }
    }
}

/// Uses the sink while the process does not fork.
fn with<S: Sink, R>(sink: &Mutex<S>, use_sink: impl FnOnce(&mut S) -> R) -> R {
    let _working = quiet::working();
    use_sink(&mut sink.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The worker: writes batch after batch until the queue is gone.
fn work(
    sink: &Mutex<impl Sink>,
    resource: &Resource,
    batches: &Receiver<Batch>,
    waiting: &AtomicUsize,
    progress: &Progress,
) {
    let (said, name) = (Once::new(), with(sink, |sink| sink.name()));
    // A panic here is as one in `write`: the sink is tried again with the first batch.
    let _ = catch_unwind(AssertUnwindSafe(|| with(sink, |sink| sink.begin())));
    progress.set_begins(false);
    for batch in batches {
        let count = batch.len();
        let write = || with(sink, |sink| batch.write(sink, resource));
        let result = catch_unwind(AssertUnwindSafe(write))
            .unwrap_or_else(|_| Err("it panicked while writing".to_owned()));
        waiting.fetch_sub(batch.bytes, Ordering::Relaxed);
        progress.update(|counts| match result {
            Ok(()) => counts.sent += count,
            Err(error) => {
                said.say(&format!("destination {name}: {error}"));
                counts.failed += count;
                counts.error = Some(error);
            }
        });
    }
}

impl<S: Sink> Destination for Queue<S> {
    fn name(&self) -> &str {
        self.name
    }

    fn begin(&mut self, resource: &Resource) {
        let Some(sink) = self.sink.take() else { return };
        let sink = Arc::new(Mutex::new(sink));
        let weak: Weak<Mutex<S>> = Arc::downgrade(&sink);
        quiet::register(weak);
        let (sender, batches) = mpsc::channel();
        let (working, done) = mpsc::channel();
        let (resource, waiting, progress) =
            (resource.clone(), Arc::clone(&self.waiting), Arc::clone(&self.progress));
        self.progress.set_begins(true);
        let spawned = thread::Builder::new().name(format!("observe-{}", self.name)).spawn(move || {
            work(&sink, &resource, &batches, &waiting, &progress);
            // Closes what it holds open.
            let _working = quiet::working();
            drop(sink);
            drop::<Sender<()>>(working);
        });
        match spawned {
            Ok(_) => (self.sender, self.done) = (Some(sender), Some(done)),
            Err(error) => {
                self.progress.set_begins(false);
                Once::new().say(&format!("destination {}: no thread for it: {error}", self.name));
            }
        }
    }

    fn wants_running(&self) -> bool {
        self.wants_running
    }

    fn journal(&self) -> Option<PathBuf> {
        self.journal.clone()
    }

    fn trace_page(&self) -> Option<TracePage> {
        self.sink.as_ref().and_then(S::trace_page)
    }

    fn for_child(&self) -> Option<Box<dyn Destination>> {
        let sink = self.sink.as_ref()?.for_child()?;
        Some(Box::new(Self::new(sink)))
    }

    fn record(&mut self, span: &Span<'_>) {
        let texts = [&span.input, &span.output, &span.status_message];
        let details = span.details.as_deref().map_or(0, |details| Json::of(details).as_str().len());
        let bytes = SPAN + texts.into_iter().flatten().map(|t| t.len()).sum::<usize>() + details;
        if self.has_room(bytes) {
            self.gathered.spans.push(span.clone().into_owned());
            self.gathered.bytes += bytes;
            self.hand_over_full();
        }
    }

    fn record_score(&mut self, score: &Score) {
        self.gather(Record::Score(score.clone()));
    }

    fn record_metric(&mut self, metric: &Metric) {
        self.gather(Record::Metric(metric.clone()));
    }

    fn hand_over(&mut self, _now: bool) {
        if self.gathered.len() == 0 {
            return;
        }
        let batch = mem::take(&mut self.gathered);
        let count = batch.len();
        self.waiting.fetch_add(batch.bytes, Ordering::Relaxed);
        self.progress.update(|counts| counts.accepted += count);
        let gone = self.sender.as_ref().is_none_or(|sender| sender.send(batch).is_err());
        if gone {
            self.progress.update(|counts| counts.failed += count);
        }
    }

    fn is_crowded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > LIMIT / 4
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// Lets the sink close what it holds open, for a moment: a database is left tidier than by the end of the process.
impl<S> Drop for Queue<S> {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(done) = self.done.take() {
            let _ = done.recv_timeout(CLOSING);
        }
    }
}
