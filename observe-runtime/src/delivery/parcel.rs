//! One request, and whom to tell what became of its spans.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use observe_wire::split;

use crate::destination::Progress;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// OTLP in protobuf.
    Protobuf,
    /// OTLP in JSON.
    OtlpJson,
    /// JSON of a platform's own, which cannot be divided.
    Json,
}

impl Content {
    /// The request's `Content-Type`.
    pub(crate) fn mime(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::OtlpJson | Self::Json => "application/json",
        }
    }
}

/// A request that is to be posted.
#[derive(Debug)]
pub(crate) struct Parcel {
    /// Where it goes.
    pub(crate) url: Arc<str>,
    /// What it holds, not compressed.
    pub(crate) body: Bytes,
    pub(crate) content: Content,
    /// Spans in the body; 0 for a request that only accompanies others.
    pub(crate) spans: u64,
    /// `None` for what an earlier process accepted and left on disk.
    pub(crate) account: Option<Arc<Account>>,
}

impl Parcel {
    /// A request whose `spans` are accepted by `progress` now, and whose bytes `memory` counts.
    pub(crate) fn new(
        url: Arc<str>,
        content: Content,
        body: Bytes,
        spans: u64,
        progress: &Arc<Progress>,
        memory: &Arc<AtomicUsize>,
    ) -> Self {
        let (progress, memory) = (Arc::clone(progress), Arc::clone(memory));
        memory.fetch_add(body.len(), Ordering::Relaxed);
        let (part, bytes) = (progress.accept(spans), body.len());
        let account = Account { progress, part, spans, tally: Mutex::default(), memory, bytes };
        Self { url, body, content, spans, account: Some(Arc::new(account)) }
    }

    /// Two parcels with half of the spans each; `None` if it holds one span, or cannot be divided.
    pub(crate) fn halves(&self) -> Option<[Parcel; 2]> {
        let half = |(body, spans): (Vec<u8>, u64)| Parcel {
            url: Arc::clone(&self.url),
            body: Bytes::from(body),
            content: self.content,
            spans,
            account: self.account.clone(),
        };
        let divide = match self.content {
            Content::Protobuf => split::protobuf,
            Content::OtlpJson => split::json,
            Content::Json => return None,
        };
        divide(&self.body).map(|halves| halves.map(half))
    }

    /// Counts what became of its spans.
    pub(crate) fn settle(&self, count: impl FnOnce(&mut Tally)) {
        if let Some(account) = &self.account {
            count(&mut account.tally.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// What became of spans that were accepted together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) failed: u64,
    pub(crate) spooled: u64,
    pub(crate) error: Option<String>,
}

/// What was accepted together, be it divided afterwards: told to those who wait when the last part of it is gone.
#[derive(Debug)]
pub(crate) struct Account {
    progress: Arc<Progress>,
    /// What [`Progress::accept`] named it.
    part: u64,
    spans: u64,
    tally: Mutex<Tally>,
    /// Bytes in memory of all that was accepted and is not gone.
    memory: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.fetch_sub(self.bytes, Ordering::Relaxed);
        let tally = std::mem::take(self.tally.get_mut().unwrap_or_else(PoisonError::into_inner));
        // What nobody counted was let go of on the way: nothing was there to send it with.
        let uncounted = self.spans.saturating_sub(tally.sent + tally.failed + tally.spooled);
        self.progress.settle(self.part, |counts| {
            counts.sent += tally.sent;
            counts.failed += tally.failed + uncounted;
            counts.spooled += tally.spooled;
            if tally.error.is_some() {
                counts.error = tally.error;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_of_unsent_is_counted_as_failed() {
        let (progress, memory) = (Arc::<Progress>::default(), Arc::<AtomicUsize>::default());
        let parcel = |spans| {
            Parcel::new("http://x".into(), Content::Json, vec![0; 9].into(), spans, &progress, &memory)
        };
        drop(parcel(3));
        let partly = parcel(5);
        partly.settle(|tally| tally.sent += 4);
        assert_eq!(memory.load(Ordering::Relaxed), 9);
        drop(partly);
        let counts = progress.get();
        assert_eq!((counts.accepted, counts.sent, counts.failed, counts.pending()), (8, 4, 4, 0));
        assert_eq!(memory.load(Ordering::Relaxed), 0);
    }
}
