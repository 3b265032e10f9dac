//! Spans kept in memory, for tests.

use std::sync::{Arc, Mutex, PoisonError};

use observe_model::{Span, SpanId, TraceId};

use super::{Destination, Origin, Progress};

/// Keeps every span, the last version of each. Clones share what they keep.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    spans: Arc<Mutex<Vec<Span<'static>>>>,
    progress: Arc<Progress>,
}

impl Memory {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every span so far, in the order in which they ended.
    pub fn spans(&self) -> Vec<Span<'static>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of one trace.
    pub fn trace(&self, id: TraceId) -> Vec<Span<'static>> {
        self.spans().into_iter().filter(|s| s.trace_id == id).collect()
    }

    /// One span.
    pub fn span(&self, id: SpanId) -> Option<Span<'static>> {
        self.spans().into_iter().find(|s| s.span_id == id)
    }
}

impl Destination for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn record(&mut self, span: &Span<'_>, _origin: Origin) {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).push(span.clone().into_owned());
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}
