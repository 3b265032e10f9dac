//! A receiver that misbehaves, over real sockets: what arrives all the same, what waits on disk, and what is said of it.
//!
//! The destination is driven by hand, as the collector does it. What only a virtual clock can show is tested in
//! `observe-runtime`: the lengths of waits, and hours of absence.

#[path = "../support/receiver.rs"]
mod receiver;
mod tls;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use observe::{
    Span, SpanId, TraceId,
    destination::{Delivered, Destination, Otlp, OtlpSettings},
};
use observe_runtime::{Resource, Timestamp};
use receiver::{Receiver, Request, names, well};

/// What no test takes unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A destination, and how many spans it was given.
struct Sender {
    otlp: Otlp,
    spans: u64,
}

impl Sender {
    fn new(settings: OtlpSettings) -> Self {
        let mut otlp = Otlp::new(settings);
        otlp.begin(&Resource::default());
        Self { otlp, spans: 0 }
    }

    /// One that keeps below `directory` what cannot be sent.
    fn with_disk(url: String, directory: &Path) -> Self {
        Self::new(OtlpSettings { spool: Some(directory.to_owned()), ..OtlpSettings::new(url) })
    }

    /// Sends so many spans in one request; their names are their numbers.
    fn send(&mut self, count: u64) {
        for _ in 0..count {
            self.record("\"text\"");
        }
        self.otlp.hand_over(true);
    }

    fn record(&mut self, input: &str) {
        let name = self.spans.to_string();
        let mut span = Span::begin(trace(), SpanId::from_seed(&name), name, Timestamp(1));
        (span.end, span.input) = (Some(Timestamp(2)), Some(input.into()));
        self.otlp.record(&span);
        self.spans += 1;
    }

    /// The counts, once it is known of every span what became of it.
    fn counts(&self) -> Delivered {
        let (counts, in_time) = self.otlp.progress().wait(self.spans, Instant::now() + PATIENCE);
        assert!(in_time, "{counts:?}");
        counts
    }

    /// Waits until so many spans have come from disk.
    fn wait_for_replayed(&self, spans: u64) {
        let end = Instant::now() + PATIENCE;
        while self.otlp.progress().get().replayed < spans {
            assert!(Instant::now() < end, "{:?}", self.otlp.progress().get());
            thread::yield_now();
        }
    }
}

/// The trace of all spans here.
fn trace() -> TraceId {
    TraceId::from_seed("delivery")
}

/// How many spans arrived, each once.
fn arrived(receiver: &Receiver) -> u64 {
    receiver.count(trace()).0 as u64
}

/// Sends five spans, with no disk to fall back on.
fn send_five(receiver: &Receiver) -> Delivered {
    let mut sender = Sender::new(OtlpSettings::new(receiver.url()));
    sender.send(5);
    sender.counts()
}

/// A receiver that is ill until it is cured.
fn curable(
    ill: impl Fn(&mut Request<'_>) -> io::Result<()> + Send + Sync + 'static,
) -> (Receiver, Arc<AtomicBool>) {
    let cured = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&cured);
    let manner = move |request: &mut Request<'_>| {
        if is_well.load(Ordering::SeqCst) { request.take() } else { ill(request) }
    };
    (Receiver::start(manner), cured)
}

/// Sends five spans to a receiver so ill that they go to disk; the next process sends them once it is cured. Gives
/// what was said of it.
fn said_before_the_cure(
    timeout: Duration,
    ill: impl Fn(&mut Request<'_>) -> io::Result<()> + Send + Sync + 'static,
) -> String {
    let (receiver, cured) = curable(ill);
    let directory = tempfile::tempdir().unwrap();
    let spool = Some(directory.path().to_owned());
    let mut sender = Sender::new(OtlpSettings { timeout, spool, ..OtlpSettings::new(receiver.url()) });
    sender.send(5);
    let counts = sender.counts();
    assert_eq!((counts.spooled, counts.sent, counts.failed), (5, 0, 0), "{counts:?}");
    drop(sender);
    cured.store(true, Ordering::SeqCst);
    Sender::with_disk(receiver.url(), directory.path()).wait_for_replayed(5);
    assert_eq!(arrived(&receiver), 5);
    counts.error.unwrap()
}

#[test]
fn a_receiver_that_asks_for_patience_gets_it() {
    // A date has no fractions of a second, so that it may be up to one second nearer than it says.
    let date = || httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3));
    for (status, is_date, at_least) in [(429, false, 1), (503, false, 1), (429, true, 2)] {
        let times = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&times);
        let receiver = Receiver::start(move |request| {
            seen.lock().unwrap().push(Instant::now());
            let after = if is_date { date() } else { "1".to_owned() };
            match request.number {
                0 => request.refuse(status, &format!("retry-after: {after}\r\n")),
                _ => request.take(),
            }
        });
        assert_eq!((send_five(&receiver).sent, arrived(&receiver)), (5, 5));
        let times = times.lock().unwrap();
        assert!(times.len() == 2 && times[1] - times[0] >= Duration::from_secs(at_least), "{times:?}");
    }
}

#[test]
fn a_storm_of_429_and_503_loses_and_doubles_nothing() {
    let receiver = Receiver::start(|request| match request.number {
        0..60 => request.refuse(if request.number % 2 == 0 { 429 } else { 503 }, "retry-after: 0\r\n"),
        _ => request.take(),
    });
    let directory = tempfile::tempdir().unwrap();
    let mut sender = Sender::with_disk(receiver.url(), directory.path());
    (0..40).for_each(|_| sender.send(5));
    let counts = sender.counts();
    assert_eq!((counts.sent + counts.spooled, counts.failed), (200, 0), "{counts:?}");
    sender.wait_for_replayed(counts.spooled);
    assert_eq!(arrived(&receiver), 200);
}

#[test]
fn a_storm_that_outlasts_the_process_leaves_the_rest_to_the_next() {
    let (receiver, cured) = curable(|request| request.refuse(503, ""));
    let directory = tempfile::tempdir().unwrap();
    let mut sender = Sender::with_disk(receiver.url(), directory.path());
    (0..20).for_each(|_| sender.send(5));
    let progress = Arc::clone(sender.otlp.progress());
    drop(sender);
    assert_eq!((progress.get().spooled, progress.get().pending(), arrived(&receiver)), (100, 0, 0));
    cured.store(true, Ordering::SeqCst);
    Sender::with_disk(receiver.url(), directory.path()).wait_for_replayed(100);
    assert_eq!(arrived(&receiver), 100);
}

#[test]
fn what_a_receiver_that_hangs_leaves_no_memory_for_waits_on_disk() {
    const LARGE: usize = 100_000;
    let cured = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&cured);
    let receiver = Receiver::start(move |request| {
        while !is_well.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        request.take()
    });
    let directory = tempfile::tempdir().unwrap();
    let mut sender = Sender::with_disk(receiver.url(), directory.path());
    let large = format!("\"{}\"", "x".repeat(LARGE));
    for _ in 0..600 {
        sender.record(&large);
        // As the collector does, which waits a moment for a destination that has much to do.
        while sender.otlp.progress().get().pending() as usize * LARGE > 24 * 1024 * 1024 {
            thread::yield_now();
        }
    }
    cured.store(true, Ordering::SeqCst);
    sender.otlp.hand_over(true);
    let counts = sender.counts();
    assert_eq!((counts.dropped, counts.failed, counts.sent + counts.spooled), (0, 0, 600), "{counts:?}");
    assert!(counts.spooled > 0 && counts.error.unwrap().contains("slower than what is recorded"));
    sender.wait_for_replayed(counts.spooled);
    assert_eq!(arrived(&receiver), 600);
}

#[test]
fn connections_cut_in_the_middle_of_a_request_lose_nothing() {
    let receiver = Receiver::start(|request| match request.number {
        0 => request.hang_up(),
        1 => {
            request.read(100_000)?;
            request.hang_up()
        }
        _ => request.take(),
    });
    let mut sender = Sender::new(OtlpSettings::new(receiver.url()));
    let large = format!("\"{}\"", "x".repeat(10_000));
    (0..50).for_each(|_| sender.record(&large));
    sender.otlp.hand_over(true);
    assert_eq!((sender.counts().sent, arrived(&receiver)), (50, 50));
}

#[test]
fn a_connection_that_is_closed_after_each_answer_is_opened_anew() {
    let receiver = Receiver::start(|request| {
        request.take()?;
        request.hang_up()
    });
    let mut sender = Sender::new(OtlpSettings::new(receiver.url()));
    for _ in 0..10 {
        sender.send(1);
        sender.counts();
    }
    assert_eq!((sender.counts().sent, arrived(&receiver)), (10, 10));
}

#[test]
fn half_a_head_is_no_answer() {
    let receiver = Receiver::start(|request| {
        if request.number == 0 {
            request.body()?;
            request.say("HTTP/1.1 200 OK\r\ncontent-le")?;
            return request.hang_up();
        }
        request.take()
    });
    assert_eq!((send_five(&receiver).sent, arrived(&receiver)), (5, 5));
}

#[test]
fn a_head_with_half_a_body_is_an_answer() {
    let receiver = Receiver::start(|request| {
        let body = request.body()?;
        request.keep(&body);
        request.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")?;
        request.hang_up()
    });
    assert_eq!((send_five(&receiver).sent, arrived(&receiver), receiver.requests()), (5, 5, 1));
}

#[test]
fn an_answer_that_drips_is_given_up_and_nothing_is_lost() {
    let said = said_before_the_cure(Duration::from_millis(300), |request| {
        request.body()?;
        request.say("HTTP/1.1 200 OK\r\nx-slow: ")?;
        loop {
            request.say("x")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(said.contains("timed out"), "{said}");
}

#[test]
fn a_name_that_does_not_resolve_is_said_and_nothing_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    // RFC 2606: there is never anything of that name.
    let mut sender = Sender::with_disk("http://receiver.invalid:4318/v1/traces".to_owned(), directory.path());
    sender.send(5);
    let counts = sender.counts();
    assert_eq!((counts.spooled, counts.sent, counts.failed), (5, 0, 0), "{counts:?}");
    let said = counts.error.unwrap();
    assert!(said.contains("receiver.invalid") && said.contains("cannot be reached"), "{said}");
}

#[test]
fn what_is_no_http_is_no_answer() {
    for garbage in ["\0\u{1}\u{2}\u{3} garbage\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/9.9 200 OK\r\n\r\n"]
    {
        let said = said_before_the_cure(PATIENCE, move |request| {
            request.body()?;
            request.say(garbage)?;
            request.hang_up()
        });
        assert!(said.contains("cannot be reached"), "{said}");
    }
}

#[test]
fn a_good_answer_with_a_body_that_means_nothing_is_a_good_answer() {
    for body in [&b"\xff\xff\xff\xff"[..], b"<html>hello</html>", b"{", b"null"] {
        let receiver = Receiver::start(move |request| {
            let spans = request.body()?;
            request.keep(&spans);
            request.answer(200, "", body)
        });
        let counts = send_five(&receiver);
        assert_eq!((counts.sent, counts.failed, receiver.requests()), (5, 0, 1), "{counts:?}");
    }
}

#[test]
fn an_answer_without_an_end_is_not_read_to_the_end() {
    let receiver = Receiver::start(|request| {
        let body = request.body()?;
        request.keep(&body);
        request.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunk = [b"10000\r\n", &[b'x'; 0x10000][..], b"\r\n"].concat();
        loop {
            request.say(&chunk)?;
        }
    });
    let mut sender = Sender::new(OtlpSettings::new(receiver.url()));
    for sent in 1..=3 {
        sender.send(5);
        assert_eq!((sender.counts().sent, arrived(&receiver)), (5 * sent, 5 * sent));
    }
}

#[test]
fn what_a_receiver_rejects_of_a_request_is_counted_and_not_sent_again() {
    let receiver = Receiver::start(|request| {
        let body = request.body()?;
        request.keep(&body);
        // ExportTraceServiceResponse.partial_success: rejected_spans and error_message.
        request.answer(200, "", b"\x0a\x0b\x08\x02\x12\x07too old")
    });
    let counts = send_five(&receiver);
    assert_eq!((counts.sent, counts.failed, counts.error.as_deref()), (3, 2, Some("too old")));
    assert_eq!(receiver.requests(), 1);
}

#[test]
fn one_poisoned_span_in_five_hundred_costs_itself_only() {
    for (status, gzip) in [(400, false), (413, true)] {
        let receiver = Receiver::start(move |request| {
            let body = request.body()?;
            if names(&body).iter().any(|name| name == "123") {
                return request.answer(status, "", b"bad span");
            }
            request.keep(&body);
            request.answer(200, "", b"")
        });
        let directory = tempfile::tempdir().unwrap();
        let spool = Some(directory.path().to_owned());
        let mut sender = Sender::new(OtlpSettings { gzip, spool, ..OtlpSettings::new(receiver.url()) });
        sender.send(500);
        let counts = sender.counts();
        assert_eq!((counts.sent, counts.failed, counts.spooled), (499, 1, 0), "{counts:?}");
        assert_eq!(arrived(&receiver), 499);
        let error = counts.error.unwrap();
        let (answered, kept) = error.split_once("; the request is kept in ").unwrap();
        assert!(answered.ends_with(&format!("answered {status}: bad span")), "{error}");
        assert!(Path::new(kept).exists(), "{error}");
    }
}

#[test]
fn a_receiver_that_points_elsewhere_is_not_followed() {
    let elsewhere = Receiver::start(well);
    let to = elsewhere.url();
    for status in [301, 302, 307, 308] {
        let location = format!("location: {to}\r\n");
        let receiver = Receiver::start(move |request| request.refuse(status, &location));
        let counts = send_five(&receiver);
        assert_eq!((counts.sent, counts.failed, receiver.requests()), (0, 5, 1));
        let error = counts.error.unwrap();
        assert!(
            error.contains(&format!("answered {status} and points to {to}: set that as the address")),
            "{error}"
        );
    }
    assert_eq!(elsewhere.requests(), 0);
}
