//! Destinations that send nothing.

use std::{hint::black_box, mem, sync::Arc};

use observe::destination::{Destination, Plain, Progress};
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

    fn record(&mut self, span: &Span<'_>) {
        black_box(span);
        self.spans += 1;
    }

    fn record_plain(&mut self, spans: &[Plain<'_>]) {
        black_box(spans);
        self.spans += spans.len() as u64;
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
    spare: Vec<u8>,
    progress: Arc<Progress>,
}

impl Encode {
    fn send(&mut self) {
        if let Some(encoder) = self.encoder.as_mut().filter(|e| !e.is_empty()) {
            // As the OTLP destination does, with the memory of a body that was sent.
            self.spare = black_box(encoder.take_for(mem::take(&mut self.spare)));
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

    fn record(&mut self, span: &Span<'_>) {
        let Some(encoder) = &mut self.encoder else { return };
        encoder.push(span);
        self.spans += 1;
        if encoder.len() >= BODY {
            self.send();
        }
    }

    fn record_plain(&mut self, spans: &[Plain<'_>]) {
        for span in spans {
            let Some(encoder) = &mut self.encoder else { return };
            encoder.push_plain(span);
            self.spans += 1;
            if encoder.len() >= BODY {
                self.send();
            }
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
    let arrived = mem::take(spans);
    if arrived > 0 {
        progress.update(|counts| {
            counts.accepted += arrived;
            counts.sent += arrived;
        });
    }
}
