//! Any OTLP/HTTP receiver: spans as protobuf, in bodies bounded in bytes, several requests under way at once.
//!
//! Source: the OTLP specification, <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. The requests run on a thread
//! of the destination's own with a small tokio runtime, so that the host needs none.

mod send;
mod settings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use observe_model::{Resource, Span};
use observe_wire::Encoder;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::{Destination, Origin, Progress};
use crate::report::Once;

pub use settings::OtlpSettings;

/// A body is sent when it has this size, well below what receivers take (the specification recommends 64 MiB).
const BODY: usize = 1024 * 1024;

/// A body that is not full is sent after this time.
const GATHER: Duration = Duration::from_millis(200);

/// Bytes that may wait to be sent before new spans are dropped.
const LIMIT: usize = 32 * 1024 * 1024;

/// What is sent in one request.
struct Body {
    bytes: Vec<u8>,
    spans: u64,
    /// What [`Progress::accept`] named it.
    part: u64,
}

/// Sends spans to an OTLP/HTTP receiver.
#[derive(Debug)]
pub struct Otlp {
    settings: OtlpSettings,
    encoder: Encoder,
    spans: u64,
    /// When the first span of the body came.
    since: Option<Instant>,
    sender: Option<UnboundedSender<Body>>,
    /// Bytes that were handed over and have not been answered.
    waiting: Arc<AtomicUsize>,
    progress: Arc<Progress>,
}

impl Otlp {
    /// A destination that sends where `settings` say; its thread begins with the first span.
    pub fn new(settings: OtlpSettings) -> Self {
        Self {
            settings,
            encoder: Encoder::new(&Resource::default()),
            spans: 0,
            since: None,
            sender: None,
            waiting: Arc::default(),
            progress: Arc::default(),
        }
    }

    fn send(&mut self) {
        if self.spans == 0 {
            return;
        }
        self.since = None;
        let spans = std::mem::take(&mut self.spans);
        let body = Body { bytes: self.encoder.take(), spans, part: self.progress.accept(spans) };
        let part = body.part;
        self.waiting.fetch_add(body.bytes.len(), Ordering::Relaxed);
        if self.sender.as_ref().is_none_or(|sender| sender.send(body).is_err()) {
            self.progress.settle(part, |counts| counts.failed += spans);
        }
    }
}

impl Destination for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn begin(&mut self, resource: &Resource) {
        self.encoder = Encoder::new(resource);
        let (sender, bodies) = mpsc::unbounded_channel();
        let (settings, waiting, progress) =
            (self.settings.clone(), Arc::clone(&self.waiting), Arc::clone(&self.progress));
        let run = move || send::run(&settings, bodies, &waiting, &progress);
        match thread::Builder::new().name("observe-otlp".to_owned()).spawn(run) {
            Ok(_) => self.sender = Some(sender),
            Err(error) => Once::new().say(&format!("destination otlp: no thread for it: {error}")),
        }
    }

    fn record(&mut self, span: &Span<'_>, origin: Origin) {
        // A receiver that knows no running spans would show one without an end.
        if span.end.is_none() {
            return;
        }
        if self.waiting.load(Ordering::Relaxed) > LIMIT {
            self.progress.update(|counts| counts.dropped += 1);
            return;
        }
        self.encoder.push_from(origin, span);
        self.spans += 1;
        if self.encoder.len() >= BODY {
            self.send();
        }
    }

    fn hand_over(&mut self, now: bool) {
        if self.spans == 0 {
            return;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if now || since.elapsed() >= GATHER {
            self.send();
        }
    }

    fn is_crowded(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > LIMIT / 4
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}
