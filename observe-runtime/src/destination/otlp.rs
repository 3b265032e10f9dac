//! Any OTLP/HTTP receiver: spans in bodies bounded in bytes, scores and metrics where the platform takes them.
//!
//! Source: the OTLP specification, <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

mod records;
mod settings;

use std::{
    collections::HashSet,
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use observe_model::{Metric, Record, Resource, Score, Span, Target, TraceId};
use observe_wire::{Encoder, journal::Batch};

use super::{Destination, Hidden, Plain, Platform, Progress, TracePage, say_full};
use crate::{
    delivery::{Body, Content, Left, Outbox, Settings, SpoolSettings},
    journal::pool,
    mask,
    report::say_once,
    switch,
};

pub(super) use self::{records::Records, settings::headers};
pub use settings::{Encoding, OtlpSettings};

/// A body is sent when it has this size, well below what receivers take (the specification recommends 64 MiB).
const BODY: usize = 1024 * 1024;

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

/// Sends spans to an OTLP/HTTP receiver, in the words of the [`Platform`] that it is.
#[derive(Debug)]
pub struct Otlp {
    platform: Platform,
    /// The process, as the platform is told of it.
    resource: Resource,
    encoder: Encoder,
    spans: u64,
    /// When the first span of the body came.
    since: Option<Instant>,
    url: Arc<str>,
    /// Scores and metrics that are posted by themselves.
    records: records::Waiting,
    page: Option<TracePage>,
    outbox: Option<Outbox>,
    spares: Spares,
    progress: Arc<Progress>,
}

impl Otlp {
    /// A destination that sends where and how `platform` says: [`OtlpSettings`] for any receiver, or the settings of a
    /// platform such as [`Langfuse`](super::Langfuse). Its thread begins with the first span.
    pub fn new(platform: impl Into<Platform>) -> Self {
        let platform = platform.into();
        let is_known = |page: &String| !page.replace("{trace_id}", "").contains('{');
        let page = platform.page.clone();
        let page = page.map(|page| if is_known(&page) { page.into() } else { TracePage::default() });
        Self {
            url: platform.otlp.url.as_str().into(),
            page,
            platform,
            resource: Resource::default(),
            encoder: Encoder::new(&Resource::default()),
            spans: 0,
            since: None,
            records: records::Waiting::default(),
            outbox: None,
            spares: Spares::default(),
            progress: Arc::default(),
        }
    }

    /// The same with places on disk in the data directory `directory`: for what waits, one of its own for each receiver
    /// and key, so that what was meant for one is never sent to another, and one for the journal.
    pub fn keep_below(mut self, directory: &Path) -> Self {
        self.platform.otlp.spool = Some(directory.join("spool").join(self.platform.receiver()));
        self.platform.otlp.journal = Some(directory.join("journal"));
        self
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

    /// Whether the platform gets this trace.
    fn takes(&self, trace: TraceId) -> bool {
        switch::is_in_share(trace, self.platform.share)
    }

    #[inline]
    fn pushed(&mut self) {
        self.spans += 1;
        if self.encoder.len() >= BODY || self.platform.otlp.flush_at.is_some_and(|most| self.spans >= most) {
            self.send();
        }
    }

    /// Takes a score or metric to where the platform has a place for it. OTLP's traces have none but a span that carries it.
    fn push_record(&mut self, record: &Record) {
        let trace = target(record).trace_id;
        if trace.is_some_and(|trace| !self.takes(trace)) || !self.has_room_for(1) {
            return;
        }
        let records = self.platform.records.as_ref();
        match records.and_then(|records| (records.put)(record, &self.resource)) {
            Some(posted) => self.records.put(trace, posted, Some(self.progress.hold())),
            None => {
                self.encoder.push_record(record);
                self.pushed();
            }
        }
    }

    /// Posts what is here: spans, and then the scores and metrics whose traces have ended, or `all`.
    fn send_everything(&mut self, all: bool) {
        self.since = None;
        self.send();
        let Some(records) = &self.platform.records else { return };
        for records::Request { url, body, records, hold } in self.records.take(records, all) {
            match &self.outbox {
                Some(outbox) => outbox.post_records(url.into(), body.into(), records as u64, hold),
                None => self.progress.update(|counts| counts.dropped += records as u64),
            }
        }
    }

    fn send(&mut self) {
        if self.spans == 0 {
            return;
        }
        let spans = mem::take(&mut self.spans);
        if let Some(why) = self.encoder.unfit() {
            let name = self.platform.name;
            say_once(&format!(
                "destination {name}: {why}; what does not fit is left out there, and other destinations have it"
            ));
        }
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = match spare {
            Some(spare) => self.encoder.take_for(spare),
            None => self.encoder.take(),
        };
        let (content, bytes) = encoded(self.platform.otlp.encoding, bytes);
        let bytes = bytes::Bytes::from_owner(Bytes { bytes, spares: Arc::clone(&self.spares) });
        match &self.outbox {
            Some(outbox) => outbox.post(&self.url, content, bytes, spans),
            None => self.progress.update(|counts| counts.dropped += spans),
        }
    }
}

/// The requests with what a process had recorded that was killed: spans, and then what is posted by itself.
fn requests(platform: &Platform, resource: &Resource, batch: &Batch) -> Vec<Body> {
    let (ours, otlp) = (platform.resource(resource), &platform.otlp);
    let takes = |trace: TraceId| switch::is_in_share(trace, platform.share);
    let mut encoder = Encoder::in_dialect(&ours, otlp.dialect, &platform.extras);
    let (mut spans, mut waiting) = (0, records::Waiting::default());
    for span in batch.spans.iter().filter(|span| takes(span.trace_id)) {
        // When an interrupted one ended nobody knows, and receivers cannot do without.
        let end = span.end.unwrap_or(span.start);
        encoder.push(&platform.hidden.applied(&Span { end: Some(end), ..span.clone() }));
        spans += 1;
    }
    for record in batch.records.iter().filter(|record| target(record).trace_id.is_none_or(takes)) {
        match platform.records.as_ref().and_then(|records| (records.put)(record, &ours)) {
            Some(posted) => waiting.put(None, posted, None),
            None => {
                encoder.push_record(record);
                spans += 1;
            }
        }
    }
    let (content, bytes) = encoded(otlp.encoding, encoder.take());
    let of_spans = Body { url: otlp.url.as_str().into(), order: None, content, bytes: bytes.into(), spans };
    let of_records = platform.records.iter().flat_map(|records| waiting.take(records, true));
    let of_records = of_records.map(|records::Request { url, body, records, .. }| Body {
        url: url.into(),
        order: None,
        content: Content::Records,
        bytes: body.into(),
        spans: records as u64,
    });
    [of_spans].into_iter().chain(of_records).filter(|body| body.spans > 0).collect()
}

/// A body of ours in the encoding that is wanted.
fn encoded(encoding: Encoding, body: Vec<u8>) -> (Content, Vec<u8>) {
    match (encoding == Encoding::Json).then(|| observe_wire::to_json(&body)) {
        Some(Ok(json)) => (Content::OtlpJson, json),
        _ => (Content::Protobuf, body),
    }
}

/// What a score or metric is about.
fn target(record: &Record) -> &Target {
    match record {
        Record::Score(score) => &score.target,
        Record::Metric(metric) => &metric.target,
    }
}

impl Destination for Otlp {
    fn name(&self) -> &str {
        self.platform.name
    }

    fn begin(&mut self, resource: &Resource) {
        self.resource = self.platform.resource(resource);
        let OtlpSettings { headers, timeout, gzip, spool, dialect, .. } = self.platform.otlp.clone();
        self.encoder = Encoder::in_dialect(&self.resource, dialect, &self.platform.extras);
        let page = self.page.clone().zip(self.platform.page.clone());
        let platform = self.platform.clone();
        let left = self.journal().map(|root| Left {
            root,
            name: self.journal_name(),
            requests: Arc::new(move |dead, put| {
                mask::read(dead, |resource, batch| {
                    requests(&platform, resource, &batch).into_iter().try_for_each(&mut *put)
                })
            }),
        });
        let settings = Settings {
            name: self.name().to_owned(),
            headers,
            timeout,
            gzip,
            spool: spool.map(SpoolSettings::new),
            left,
            receipts: None,
            lookup: self.platform.lookup.clone(),
            page: page.filter(|(page, _)| !page.is_known()),
        };
        self.outbox = Some(Outbox::start(settings, &self.progress));
    }

    fn journal(&self) -> Option<PathBuf> {
        // What is found there goes the way of what could not be sent.
        self.platform.otlp.spool.as_ref().and(self.platform.otlp.journal.clone())
    }

    fn journal_name(&self) -> String {
        self.platform.receiver()
    }

    fn taken(&self) -> u64 {
        self.progress.get().accepted + self.spans
    }

    fn trace_page(&self) -> Option<TracePage> {
        self.page.clone()
    }

    fn for_child(&self) -> Option<Box<dyn Destination>> {
        Some(Box::new(Self::new(self.platform.clone())))
    }

    fn record(&mut self, span: &Span<'_>) {
        // A receiver that knows no running spans would show one without an end.
        if span.end.is_some() && self.takes(span.trace_id) && self.has_room_for(1) {
            self.encoder.push(&self.platform.hidden.applied(span));
            self.pushed();
        }
    }

    fn record_plain(&mut self, spans: &[Plain<'_>]) {
        if !self.has_room_for(spans.len()) {
            return;
        }
        let Platform { share, hidden, otlp, .. } = &self.platform;
        let (hidden, hides) = (*hidden, *hidden != Hidden::default());
        // What most are sent: nothing of it is asked for each span.
        if *share >= 1.0 && otlp.flush_at.is_none() && !hides {
            for span in spans {
                self.encoder.push_plain(span);
                self.spans += 1;
                if self.encoder.len() >= BODY {
                    self.send();
                }
            }
            return;
        }
        for span in spans {
            if self.takes(span.trace_id()) {
                match hides {
                    true => self.encoder.push(&hidden.applied(&span.to_span())),
                    false => self.encoder.push_plain(span),
                }
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

    fn settle(&mut self, open: &dyn Fn() -> HashSet<TraceId>) {
        if !self.records.is_empty() {
            self.records.settle(&open());
        }
    }

    fn hand_over(&mut self, now: bool) {
        if !self.records.is_empty() && !pool::is_roomy() && self.records.let_go() && self.journal().is_some()
        {
            say_full(self.name());
        }
        if self.spans > 0 || !self.records.is_empty() {
            let since = *self.since.get_or_insert_with(Instant::now);
            if now || since.elapsed() >= self.platform.otlp.flush_interval {
                self.send_everything(false);
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

/// What waits for the end of a trace goes before the process does.
impl Drop for Otlp {
    fn drop(&mut self) {
        self.send_everything(true);
    }
}
