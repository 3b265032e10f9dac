//! What other tracers lose, and this one must not: every span is at the receiver, or in the reported counts.
//!
//! The receiver takes 100 ms for each answer. Where settings differ, a test runs this binary again with `ROLE` set;
//! [`role`] is what the child does then.
#![allow(
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "tests; a child tells its results on stdout"
)]

#[path = "../support/child.rs"]
mod child;
#[path = "../support/receiver.rs"]
mod receiver;

use std::{
    env,
    io::{self, BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::Stdio,
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use observe::{
    Guard, Report, TraceId,
    destination::{Otlp, OtlpSettings},
    observe,
};
use receiver::{Receiver, Request};

/// Takes 100 ms for each answer.
fn slowly(request: &mut Request<'_>) -> io::Result<()> {
    thread::sleep(Duration::from_millis(100));
    request.take()
}

/// The receiver that all tests of this process send to.
fn receiver() -> &'static Receiver {
    static RECORDING: OnceLock<(Receiver, Guard)> = OnceLock::new();
    let (receiver, _) = RECORDING.get_or_init(|| {
        let receiver = Receiver::start(slowly);
        let otlp = Otlp::new(OtlpSettings::new(receiver.url()));
        (receiver.clone(), observe::builder().destination(otlp).init())
    });
    receiver
}

/// A trace of its own for each test.
fn id(test: &str) -> TraceId {
    receiver();
    TraceId::from_seed(test)
}

/// Waits until everything that ended before has arrived; nothing may be lost.
fn flush() -> Report {
    let report = observe::flush(Duration::from_secs(30));
    let (_, counts) = &report.destinations[0];
    assert!(report.complete && report.dropped == 0, "{report:?}");
    assert_eq!((counts.dropped, counts.failed), (0, 0), "{report:?}");
    report
}

#[observe(trace_id = trace, skip(trace, run))]
fn root<T>(trace: TraceId, run: impl FnOnce() -> T) -> T {
    run()
}

#[observe]
fn step(number: u32, text: &str) -> u32 {
    number + 1
}

#[observe]
async fn async_step(number: u32) -> u32 {
    tokio::task::yield_now().await;
    number + 1
}

const TEXT: &str = "a text of some forty characters, as used";

#[test]
fn a_burst_of_60_000_spans_arrives() {
    let trace = id("burst");
    let sum: u32 = (0..60_000).map(|n| root(trace, || n % 2)).sum();
    assert_eq!(sum, 30_000);
    flush();
    assert_eq!(receiver().count(trace), (60_000, 0));
}

#[test]
fn a_burst_on_every_core_arrives() {
    let trace = id("bursts");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| root(trace, || (0..10_000).for_each(|n| _ = step(n, TEXT))));
        }
    });
    flush();
    assert_eq!(receiver().count(trace), (40_004, 40_000));
}

#[test]
fn all_20_000_children_of_one_root_arrive() {
    let trace = id("children");
    root(trace, || (0..20_000).for_each(|n| _ = step(n, TEXT)));
    flush();
    receiver().with_trace(trace, |spans| {
        let roots: Vec<_> = spans.iter().filter(|(_, s)| s.parent.is_none()).map(|(id, _)| *id).collect();
        let children = spans.values().filter(|s| s.parent == Some(roots[0])).count();
        assert_eq!((roots.len(), children), (1, 20_000));
    });
}

#[test]
fn the_spans_of_a_thread_that_ended_arrive() {
    let trace = id("thread");
    for _ in 0..50 {
        thread::spawn(move || root(trace, || step(1, TEXT))).join().unwrap();
    }
    // A thread that nobody joins is no different.
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        root(trace, || step(1, TEXT));
        done.send(()).unwrap();
    });
    ended.recv().unwrap();
    flush();
    assert_eq!(receiver().count(trace), (102, 51));
}

#[test]
fn the_spans_of_a_block_on_that_ended_arrive() {
    #[observe(trace_id = trace, skip(trace))]
    async fn run(trace: TraceId) -> u32 {
        // Dropped with the runtime, before it is done.
        observe::spawn(async {
            async_step(1).await;
            forever().await;
        });
        let mut sum = 0;
        for n in 0..100 {
            sum += async_step(n).await;
        }
        sum
    }
    #[observe]
    async fn forever() {
        std::future::pending().await
    }
    let trace = id("block_on");
    for _ in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(run(trace)), 5_050);
    }
    flush();
    assert_eq!(receiver().count(trace), (309, 306));
}

#[test]
fn a_flush_while_spans_are_open_gives_what_has_ended_and_the_rest_follows() {
    let trace = id("open");
    let (told, is_open) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let host = thread::spawn(move || {
        root(trace, || {
            (0..1_000).for_each(|n| _ = step(n, TEXT));
            told.send(()).unwrap();
            wait.recv().unwrap();
            step(0, TEXT)
        })
    });
    is_open.recv().unwrap();
    flush();
    assert_eq!(receiver().count(trace), (1_000, 1_000));
    go_on.send(()).unwrap();
    host.join().unwrap();
    flush();
    assert_eq!(receiver().count(trace), (1_002, 1_001));
}

#[test]
fn a_slow_receiver_does_not_slow_the_host() {
    let trace = id("slow");
    let before = receiver().requests();
    let begin = Instant::now();
    for n in 0..1_000 {
        root(trace, || step(n, TEXT));
        // So that there is more than one request to wait for, if anybody waited.
        if n % 100 == 0 {
            thread::yield_now();
        }
    }
    let took = begin.elapsed();
    flush();
    assert_eq!(receiver().count(trace), (2_000, 1_000));
    assert!(receiver().requests() > before);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let guard = observe::init();
    let trace = TraceId::from_seed(&role);
    let patience = match role.as_str() {
        "large" => {
            let large = "0123456789".repeat(1 << 20);
            root(trace, || step(1, &large));
            root(trace, || step(2, TEXT));
            Duration::from_secs(20)
        }
        "ill" => {
            (0..1_000).for_each(|n| _ = root(trace, || n));
            Duration::from_secs(20)
        }
        "outrun" => {
            let large = "0123456789".repeat(10_000);
            (0..1_200).for_each(|n| _ = root(trace, || step(n, &large)));
            Duration::from_secs(30)
        }
        "dead" => {
            (0..1_000).for_each(|n| _ = root(trace, || n));
            Duration::from_secs(20)
        }
        // What an earlier process left on disk is sent without another word.
        "later" => {
            root(trace, || 0);
            let deadline = Instant::now() + Duration::from_secs(20);
            while observe::flush(Duration::from_secs(1)).destinations[0].1.replayed < 1_000 {
                assert!(Instant::now() < deadline);
                thread::yield_now();
            }
            assert_eq!(observe::flush(Duration::from_secs(1)).destinations[0].1.replayed, 1_000, "each once");
            Duration::from_secs(20)
        }
        other => panic!("unknown role {other}"),
    };
    let report = observe::flush(patience);
    let (_, counts) = &report.destinations[0];
    println!(
        "\ncounts {} {} {} {} {} {} {}",
        counts.accepted,
        counts.sent,
        counts.failed,
        counts.spooled,
        counts.dropped,
        report.dropped,
        report.complete
    );
    // What lies on disk needs no orderly end.
    if role == "dead" {
        std::process::abort();
    }
    drop(guard);
}

/// Runs `role` with spans sent to `url`; its counts: accepted, sent, failed, on disk, dropped by the destination and by
/// the journal, and whether that is all.
fn counts(role: &str, url: &str, variables: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    counts_in(directory.path(), role, url, variables)
}

/// The same with the data directory of another process.
fn counts_in(directory: &Path, role: &str, url: &str, variables: &[(&str, &str)]) -> String {
    let mut command = child::child(role);
    command.env("OBSERVE_DESTINATIONS", "otlp").env("OBSERVE_DIR", directory);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url).envs(variables.iter().copied());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let told: Vec<_> = lines.filter_map(|line| line.strip_prefix("counts ").map(str::to_owned)).collect();
    child.wait().unwrap();
    assert_eq!(told.len(), 1);
    told.into_iter().next().unwrap()
}

/// The longest run of the argument's digits that arrived of any span, and whether it ends with the mark of a cut.
fn longest(receiver: &Receiver) -> (usize, bool) {
    receiver.with_trace(TraceId::from_seed("large"), |spans| {
        assert_eq!(spans.len(), 4);
        let longest = spans.values().max_by_key(|span| span.bytes.len()).unwrap();
        let digits = longest.bytes.chunk_by(|a, b| a.is_ascii_digit() && b.is_ascii_digit());
        let len = digits.map(<[u8]>::len).max().unwrap();
        (len, longest.bytes.windows("…[+".len()).any(|w| w == "…[+".as_bytes()))
    })
}

#[test]
fn an_argument_of_10_megabytes_arrives_cut_with_a_mark() {
    let receiver = Receiver::start(slowly);
    assert_eq!(counts("large", &receiver.url(), &[]), "4 4 0 0 0 0 true");
    let (digits, is_cut) = longest(&receiver);
    assert!(is_cut && (1_000_000..=1 << 20).contains(&digits), "{digits}");
}

#[test]
fn an_argument_of_10_megabytes_arrives_whole_where_the_limit_allows_it() {
    let receiver = Receiver::start(slowly);
    let variables = [("OBSERVE_CAPTURE_LIMIT", "20000000")];
    assert_eq!(counts("large", &receiver.url(), &variables), "4 4 0 0 0 0 true");
    assert_eq!(longest(&receiver), (10 << 20, false));
}

#[test]
fn who_waits_for_room_loses_nothing_to_a_slow_receiver() {
    let receiver = Receiver::start(slowly);
    let variables = [("OBSERVE_OVERFLOW", "wait:20000ms")];
    assert_eq!(counts("outrun", &receiver.url(), &variables), "2400 2400 0 0 0 0 true");
    assert_eq!(receiver.count(TraceId::from_seed("outrun")).0, 2_400);
}

#[test]
fn spans_that_a_receiver_refuses_are_counted_as_failed() {
    let receiver = Receiver::start(|request| request.refuse(500, ""));
    assert_eq!(counts("ill", &receiver.url(), &[]), "1000 0 1000 0 0 0 true");
}

#[test]
fn spans_for_which_a_receiver_has_no_time_are_sent_again() {
    let receiver = Receiver::start(|request| match request.number {
        0 => request.refuse(503, ""),
        _ => request.take(),
    });
    assert_eq!(counts("ill", &receiver.url(), &[]), "1000 1000 0 0 0 0 true");
    assert_eq!(receiver.count(TraceId::from_seed("ill")).0, 1_000);
}

#[test]
fn spans_for_a_dead_receiver_wait_on_disk_until_it_is_back() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    let url = format!("http://{address}/v1/traces");
    drop(nobody);
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(counts_in(directory.path(), "dead", &url, &[]), "1000 0 0 1000 0 0 true");

    let receiver = Receiver::listen(TcpListener::bind(address).unwrap(), |stream| Box::new(stream), slowly);
    assert_eq!(counts_in(directory.path(), "later", &url, &[]), "1 1 0 0 0 0 true");
    assert_eq!(receiver.count(TraceId::from_seed("dead")).0, 1_000);
}
