//! `tracing`, alone and with OpenTelemetry behind it.

use std::{
    future::Future,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithHttpConfig;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, SpanData, SpanExporter},
};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

use super::{Root, Tally, Tracer, Visit, functions, no_case};

functions!(Instrumented(prompt, request) #[tracing::instrument(ret)]);

/// A root span.
struct SpanRoot;

impl Root for SpanRoot {
    #[inline(always)]
    fn root(body: impl FnOnce()) {
        tracing::info_span!("root").in_scope(body);
    }
    #[inline(always)]
    fn root_async(body: impl Future<Output = ()>) -> impl Future<Output = ()> {
        body.instrument(tracing::info_span!("root"))
    }
}

static ARRIVED: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Count;

impl SpanExporter for Count {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        ARRIVED.fetch_add(black_box(batch).len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Sends to `OTEL_EXPORTER_OTLP_ENDPOINT`.
pub(super) fn exporter() -> Result<opentelemetry_otlp::SpanExporter, String> {
    opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(reqwest::blocking::Client::new())
        .build()
        .map_err(|error| error.to_string())
}

/// Puts `provider` behind `tracing`.
fn install(provider: &SdkTracerProvider) -> Result<(), String> {
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("benches"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .map_err(|error| error.to_string())
}

/// A tracer whose spans are counted. Its queue is longer than the default of 2,048, so that eight threads fit.
fn counted(sampler: Sampler) -> Result<Tracer, String> {
    let config = BatchConfigBuilder::default().with_max_queue_size(16_384).build();
    let processor = BatchSpanProcessor::builder(Count).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder().with_span_processor(processor).with_sampler(sampler).build();
    install(&provider)?;
    let flush = move || {
        let done = provider.force_flush();
        Tally { arrived: ARRIVED.load(Ordering::Relaxed), dropped: u64::from(done.is_err()), on_disk: 0 }
    };
    Ok(Tracer { room: 2000, flush: Box::new(flush) })
}

/// A tracer that sends, with the default settings but for the queue. It flushes once.
fn sending(queue: usize) -> Result<Tracer, String> {
    let config = BatchConfigBuilder::default().with_max_queue_size(queue).build();
    let processor = BatchSpanProcessor::builder(exporter()?).with_batch_config(config).build();
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    install(&provider)?;
    let flush = move || {
        // `force_flush` gives up after five seconds; what is in the queue then goes out here.
        let _ = provider.force_flush();
        let _ = provider.shutdown_with_timeout(Duration::from_secs(300));
        Tally::default()
    };
    Ok(Tracer { room: 2000, flush: Box::new(flush) })
}

pub(super) fn with<V: Visit>(case: &str, visit: V) -> Result<V::Result, String> {
    let tracer = match case {
        "tracing_nosubscriber" => Tracer { room: 2000, flush: Box::new(Tally::default) },
        "tracing_unsampled" => counted(Sampler::AlwaysOff)?,
        "tracing_otel" => counted(Sampler::AlwaysOn)?,
        "tracing_otlp" => sending(2048)?,
        "tracing_otlp_longqueue" => sending(1 << 21)?,
        _ => return Err(no_case(case)),
    };
    Ok(visit.visit::<Instrumented, SpanRoot>(&tracer))
}
