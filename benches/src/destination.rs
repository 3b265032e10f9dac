//! Destinations that send nothing.

use std::{hint::black_box, sync::Arc};

use observe::destination::{Destination, Origin, Progress};
use observe_model::{Resource, Span};
use observe_wire::Encoder;

/// Bytes of a body that would be sent.
const BODY: usize = 1024 * 1024;

/// Counts spans: what the collector costs by itself.
#[derive(Debug, Default)]
pub struct Count {
    spans: u64,
    progress: Arc<Progress>,
}

impl Destination for Count {
    fn name(&self) -> &str {
        "count"
    }

    fn record(&mut self, span: &Span<'_>, _origin: Origin) {
        black_box(span);
        self.spans += 1;
    }

    fn hand_over(&mut self, _: bool) {
        settle(&self.progress, &mut self.spans);
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// Encodes spans as OTLP and throws the bodies away: what the collector and the encoding cost without the network.
#[derive(Debug, Default)]
pub struct Encode {
    spans: u64,
    encoder: Option<Encoder>,
    progress: Arc<Progress>,
}

impl Encode {
    fn send(&mut self) {
        if let Some(encoder) = self.encoder.as_mut().filter(|e| !e.is_empty()) {
            black_box(encoder.take());
        }
    }
}

impl Destination for Encode {
    fn name(&self) -> &str {
        "encode"
    }

    fn begin(&mut self, resource: &Resource) {
        self.encoder = Some(Encoder::new(resource));
    }

    fn record(&mut self, span: &Span<'_>, origin: Origin) {
        let Some(encoder) = &mut self.encoder else { return };
        encoder.push_from(origin, span);
        self.spans += 1;
        if encoder.len() >= BODY {
            self.send();
        }
    }

    fn hand_over(&mut self, _: bool) {
        self.send();
        settle(&self.progress, &mut self.spans);
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// Reports what was gathered as taken and arrived.
fn settle(progress: &Progress, spans: &mut u64) {
    let arrived = std::mem::take(spans);
    if arrived > 0 {
        progress.update(|counts| {
            counts.accepted += arrived;
            counts.sent += arrived;
        });
    }
}
