//! Any OTLP/HTTP receiver: spans as protobuf, in bodies bounded in bytes.
//!
//! Source: the OTLP specification, <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

mod settings;

use std::{
    mem,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use observe_model::{Metric, Record, Resource, Score, Span};
use observe_wire::{Encoder, journal::Batch};

use super::{Destination, Plain, Progress};
use crate::delivery::{Content, Left, Outbox, Settings, SpoolSettings};

pub use settings::OtlpSettings;

/// A body is sent when it has this size, well below what receivers take (the specification recommends 64 MiB).
const BODY: usize = 1024 * 1024;

/// A body that is not full is sent after this time.
const GATHER: Duration = Duration::from_millis(200);

/// Bytes that may wait to be sent before new spans are dropped.
const LIMIT: usize = 32 * 1024 * 1024;

/// Bytes waiting to be sent from which on spans better wait in the journal, where they take less than half of the room:
/// enough to keep the sending thread busy.
const CROWDED: usize = 3 * BODY;

/// Bodies that were sent and whose memory waits for the next ones: fresh memory costs more than filling it.
const SPARES: usize = 4;

/// Memory of bodies that were sent.
type Spares = Arc<Mutex<Vec<Vec<u8>>>>;

/// The bytes of a body. Dropped, they leave their memory to the next one.
struct Bytes {
    bytes: Vec<u8>,
    spares: Spares,
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        // One that held a large payload is not kept.
        if spares.len() < SPARES && self.bytes.capacity() <= 2 * BODY {
            spares.push(mem::take(&mut self.bytes));
        }
    }
}

/// Sends spans to an OTLP/HTTP receiver.
#[derive(Debug)]
pub struct Otlp {
    settings: OtlpSettings,
    encoder: Encoder,
    spans: u64,
    /// When the first span of the body came.
    since: Option<Instant>,
    url: Arc<str>,
    outbox: Option<Outbox>,
    spares: Spares,
    progress: Arc<Progress>,
}

impl Otlp {
    /// A destination that sends where `settings` say; its thread begins with the first span.
    pub fn new(settings: OtlpSettings) -> Self {
        Self {
            url: settings.url.as_str().into(),
            settings,
            encoder: Encoder::new(&Resource::default()),
            spans: 0,
            since: None,
            outbox: None,
            spares: Spares::default(),
            progress: Arc::default(),
        }
    }

    /// Bytes that have neither arrived nor gone to disk.
    fn waiting(&self) -> usize {
        self.outbox.as_ref().map_or(0, Outbox::waiting)
    }

    /// Whether new spans can be taken; if not, counts them as dropped.
    fn has_room_for(&self, spans: usize) -> bool {
        let has_room = self.waiting() <= LIMIT;
        if !has_room {
            self.progress.update(|counts| counts.dropped += spans as u64);
        }
        has_room
    }

    #[inline]
    fn pushed(&mut self) {
        self.spans += 1;
        if self.encoder.len() >= BODY {
            self.send();
        }
    }

    /// OTLP's traces have no place for a score or metric but a span that carries it.
    fn push_record(&mut self, record: &Record) {
        if self.has_room_for(1) {
            self.encoder.push_record(record);
            self.pushed();
        }
    }

    fn send(&mut self) {
        if self.spans == 0 {
            return;
        }
        self.since = None;
        let spans = mem::take(&mut self.spans);
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = match spare {
            Some(spare) => self.encoder.take_for(spare),
            None => self.encoder.take(),
        };
        let bytes = bytes::Bytes::from_owner(Bytes { bytes, spares: Arc::clone(&self.spares) });
        match &self.outbox {
            Some(outbox) => outbox.post(&self.url, Content::Protobuf, bytes, spans),
            None => self.progress.update(|counts| counts.dropped += spans),
        }
    }
}

/// The body of a request with what a process had recorded that was killed.
fn encode(resource: &Resource, batch: &Batch) -> Vec<u8> {
    let mut encoder = Encoder::new(resource);
    for span in &batch.spans {
        // When an interrupted one ended nobody knows, and receivers cannot do without.
        let end = span.end.unwrap_or(span.start);
        encoder.push(&Span { end: Some(end), ..span.clone() });
    }
    batch.records.iter().for_each(|record| encoder.push_record(record));
    encoder.take()
}

impl Destination for Otlp {
    fn name(&self) -> &str {
        "otlp"
    }

    fn begin(&mut self, resource: &Resource) {
        self.encoder = Encoder::new(resource);
        let OtlpSettings { headers, timeout, gzip, spool, .. } = self.settings.clone();
        let left = self.journal().map(|root| Left {
            root,
            name: self.journal_name(),
            url: Arc::clone(&self.url),
            content: Content::Protobuf,
            encode,
        });
        let settings = Settings {
            name: self.name().to_owned(),
            headers,
            timeout,
            gzip,
            spool: spool.map(SpoolSettings::new),
            left,
        };
        self.outbox = Some(Outbox::start(settings, &self.progress));
    }

    fn journal(&self) -> Option<PathBuf> {
        // What is found there goes the way of what could not be sent.
        self.settings.spool.as_ref().and(self.settings.journal.clone())
    }

    fn journal_name(&self) -> String {
        self.settings.receiver()
    }

    fn taken(&self) -> u64 {
        self.progress.get().accepted + self.spans
    }

    fn for_child(&self) -> Option<Box<dyn Destination>> {
        Some(Box::new(Self::new(self.settings.clone())))
    }

    fn record(&mut self, span: &Span<'_>) {
        // A receiver that knows no running spans would show one without an end.
        if span.end.is_some() && self.has_room_for(1) {
            self.encoder.push(span);
            self.pushed();
        }
    }

    fn record_plain(&mut self, spans: &[Plain<'_>]) {
        if self.has_room_for(spans.len()) {
            for span in spans {
                self.encoder.push_plain(span);
                self.pushed();
            }
        }
    }

    fn record_score(&mut self, score: &Score) {
        self.push_record(&Record::Score(score.clone()));
    }

    fn record_metric(&mut self, metric: &Metric) {
        self.push_record(&Record::Metric(metric.clone()));
    }

    fn hand_over(&mut self, now: bool) {
        if self.spans > 0 {
            let since = *self.since.get_or_insert_with(Instant::now);
            if now || since.elapsed() >= GATHER {
                self.send();
            }
        }
        if now && let Some(outbox) = &self.outbox {
            outbox.hurry();
        }
    }

    fn is_crowded(&self) -> bool {
        self.waiting() > CROWDED
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}
