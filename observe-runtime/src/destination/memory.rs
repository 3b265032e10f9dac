//! Spans kept in memory, for tests.

use std::sync::{Arc, Mutex, PoisonError};

use observe_model::{Metric, Score, Span, SpanId, TraceId};

use super::{Destination, Progress};

/// Keeps every span, score and metric. Clones share what they keep.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    spans: Arc<Mutex<Vec<Span<'static>>>>,
    scores: Arc<Mutex<Vec<Score>>>,
    metrics: Arc<Mutex<Vec<Metric>>>,
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

    /// Every score so far, in the order in which they were given.
    pub fn scores(&self) -> Vec<Score> {
        self.scores.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every metric that is kept as a record so far, likewise.
    pub fn metrics(&self) -> Vec<Metric> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self) {
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }
}

impl Destination for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn record(&mut self, span: &Span<'_>) {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).push(span.clone().into_owned());
        self.count();
    }

    fn record_score(&mut self, score: &Score) {
        self.scores.lock().unwrap_or_else(PoisonError::into_inner).push(score.clone());
        self.count();
    }

    fn record_metric(&mut self, metric: &Metric) {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner).push(metric.clone());
        self.count();
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}
