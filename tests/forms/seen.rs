//! What calls recorded, as text.

use std::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use observe::{Span, Status, TraceId, observe};

use crate::support;

#[observe(trace_id = trace, skip_all, capture_output = false)]
fn under<R>(trace: TraceId, call: impl FnOnce() -> R) -> R {
    call()
}

/// The spans that `call` recorded, one a line, children behind their parents: `name {"input":1} -> output`, with `-` for
/// what is not there, and how the span ended if not well.
pub(crate) fn seen<R>(test: &str, call: impl FnOnce() -> R) -> String {
    let spans = spans(test, call);
    spans.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The spans that `call` recorded.
pub(crate) fn spans<R>(test: &str, call: impl FnOnce() -> R) -> Vec<Span<'static>> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let trace = support::id(&format!("{test} {}", CALLS.fetch_add(1, Ordering::Relaxed)));
    under(trace, call);
    let mut spans = support::trace(trace);
    spans.sort_by_key(|span| span.start);
    spans.retain(|span| span.name != "under");
    spans
}

pub(crate) fn line(span: &Span<'static>) -> String {
    let part = |text: &Option<std::borrow::Cow<'static, str>>| text.as_deref().unwrap_or("-").to_owned();
    let end = match span.status {
        Status::Ok => format!("-> {}", part(&span.output)),
        status => format!("!{status:?} {}", part(&span.status_message)),
    };
    format!("{} {} {end}", span.name, part(&span.input))
}

/// Runs a future that never waits for anything but itself.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// A future that is pending once.
pub(crate) async fn pause() {
    let mut waited = false;
    std::future::poll_fn(
        |_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending },
    )
    .await;
}
