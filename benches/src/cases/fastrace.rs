//! fastrace: bare, with its own properties, and with JSON written by hand.

use std::{
    borrow::Cow,
    future::Future,
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastrace::{
    collector::{Config, Reporter, SpanContext, SpanRecord},
    future::FutureExt,
    prelude::Span,
};
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::Resource;

use super::{NoRoot, Root, Tally, Tracer, Visit, functions, no_case};

functions!(Bare(prompt, request) #[fastrace::trace]);
functions!(Properties(prompt, request) #[fastrace::trace(properties = { "prompt": "{prompt:?}", "request": "{request:?}" })]);

/// Both arguments and what is returned as JSON: what a user writes by hand, since the attribute takes neither.
mod json {
    use std::{future::Future, pin::Pin};

    use fastrace::{future::FutureExt, local::LocalSpan, prelude::Span};
    use serde::Serialize;

    use crate::{
        cases::{Functions, forward},
        payload::{Reply, Request, work},
    };

    #[derive(Debug)]
    pub(in crate::cases) struct Json;

    fn json(value: &(impl Serialize + ?Sized)) -> String {
        serde_json::to_string(value).unwrap_or_default()
    }

    fn input(prompt: &str, request: &Request) -> [(&'static str, String); 2] {
        [("prompt", json(prompt)), ("request", json(request))]
    }

    #[inline(never)]
    fn leaf(prompt: &str, request: &Request) -> Reply {
        let span = LocalSpan::enter_with_local_parent("leaf").with_properties(|| input(prompt, request));
        let reply = work(prompt, request);
        drop(span.with_property(|| ("return", json(&reply))));
        reply
    }

    #[inline(never)]
    fn deep(prompt: &str, request: &Request) -> Reply {
        let span = LocalSpan::enter_with_local_parent("deep").with_properties(|| input(prompt, request));
        let reply = match request.id {
            0 => work(prompt, request),
            id => deep(prompt, &Request { id: id - 1 }),
        };
        drop(span.with_property(|| ("return", json(&reply))));
        reply
    }

    #[inline(never)]
    async fn leaf_async(prompt: &str, request: &Request) -> Reply {
        let span = Span::enter_with_local_parent("leaf").with_properties(|| input(prompt, request));
        async {
            let reply = work(prompt, request);
            LocalSpan::add_property(|| ("return", json(&reply)));
            reply
        }
        .in_span(span)
        .await
    }

    #[inline(never)]
    async fn deep_async(prompt: &str, request: &Request) -> Reply {
        let span = Span::enter_with_local_parent("deep").with_properties(|| input(prompt, request));
        async {
            let reply = match request.id {
                0 => work(prompt, request),
                id => below(prompt, Request { id: id - 1 }).await,
            };
            LocalSpan::add_property(|| ("return", json(&reply)));
            reply
        }
        .in_span(span)
        .await
    }

    fn below<'a>(prompt: &'a str, request: Request) -> Pin<Box<dyn Future<Output = Reply> + 'a>> {
        Box::pin(async move { deep_async(prompt, &request).await })
    }

    forward!(Json);
}

/// A root span, sampled or not.
struct SpanRoot<const SAMPLED: bool>;

impl<const SAMPLED: bool> SpanRoot<SAMPLED> {
    fn span() -> Span {
        Span::root("root", SpanContext::random().sampled(SAMPLED))
    }
}

impl<const SAMPLED: bool> Root for SpanRoot<SAMPLED> {
    #[inline(always)]
    fn root(body: impl FnOnce()) {
        let span = Self::span();
        let _parent = span.set_local_parent();
        body();
    }
    #[inline(always)]
    fn root_async(body: impl Future<Output = ()>) -> impl Future<Output = ()> {
        body.in_span(Self::span())
    }
}

static ARRIVED: AtomicU64 = AtomicU64::new(0);

struct Count;

impl Reporter for Count {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        ARRIVED.fetch_add(black_box(spans).len() as u64, Ordering::Relaxed);
    }
}

fn flush() -> Tally {
    fastrace::flush();
    Tally { arrived: ARRIVED.load(Ordering::Relaxed), ..Tally::default() }
}

/// Sends to `OTEL_EXPORTER_OTLP_ENDPOINT`, with fastrace's own settings.
fn send() -> Result<(), String> {
    let resource = Resource::builder().with_service_name("benches").build();
    let scope = InstrumentationScope::builder("benches").build();
    let reporter = OpenTelemetryReporter::new(super::tracing::exporter()?, Cow::Owned(resource), scope);
    fastrace::set_reporter(reporter, Config::default());
    Ok(())
}

pub(super) fn with<V: Visit>(case: &str, visit: V) -> Result<V::Result, String> {
    if case == "fastrace_otlp" {
        send()?;
    } else {
        fastrace::set_reporter(Count, Config::default().report_interval(Duration::from_millis(100)));
    }
    // A thread's ring holds 10,240 commands, of which an asynchronous span takes one or two.
    let tracer = Tracer { room: 2000, flush: Box::new(flush) };
    match case {
        "fastrace_noroot" => Ok(visit.visit::<Bare, NoRoot>(&tracer)),
        "fastrace_unsampled" => Ok(visit.visit::<Properties, SpanRoot<false>>(&tracer)),
        "fastrace_bare" => Ok(visit.visit::<Bare, SpanRoot<true>>(&tracer)),
        "fastrace_properties" => Ok(visit.visit::<Properties, SpanRoot<true>>(&tracer)),
        "fastrace_json" | "fastrace_otlp" => Ok(visit.visit::<json::Json, SpanRoot<true>>(&tracer)),
        _ => Err(no_case(case)),
    }
}
