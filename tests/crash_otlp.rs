//! A process that sends its spans to a receiver is killed: the next one sends what it had recorded.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what the child does then.
#![allow(clippy::print_stdout, reason = "the seed is shown when a test fails")]

#[path = "support/receiver.rs"]
mod receiver;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use observe::{observe, session};
use observe_store::{SqliteStore, Store, TraceQuery};
use receiver::{Receiver, Request, well};

/// What no test takes unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[observe]
fn step(number: u64, text: &str) -> u64 {
    number.wrapping_mul(3)
}

fn text_of(number: u64) -> String {
    if number.is_multiple_of(50) { "x".repeat(3_000) } else { "some \"text\"\n".to_owned() }
}

fn steps(numbers: std::ops::Range<u64>) {
    for number in numbers {
        step(number, &text_of(number));
    }
}

/// Says that all up to this number has been recorded. A parent that is gone ends the child.
fn acknowledge(number: u64) {
    if io::stdout().write_all(&number.to_le_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// Waits until the parent closes the pipe.
fn wait_for_the_end() {
    let _ = io::stdin().read_to_end(&mut Vec::new());
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let _observe = observe::init();
    let record = |thread: u64| {
        session(format!("session {thread}")).sync_scope(|| {
            for number in thread << 32.. {
                step(number, &text_of(number));
                acknowledge(number);
            }
        });
    };
    match role.as_str() {
        "record" => thread::scope(|scope| (1..=2).for_each(|n| drop(scope.spawn(move || record(n))))),
        "flush" => thread::scope(|scope| {
            scope.spawn(|| record(1));
            loop {
                observe::flush(PATIENCE);
            }
        }),
        "twice" => {
            steps(0..10);
            // The second notes what the first has sent.
            (0..2).for_each(|_| assert!(observe::flush(PATIENCE).complete));
            steps(10..15);
            acknowledge(14);
            io::stdout().flush().unwrap();
            wait_for_the_end();
        }
        "scored" => observe::span("open").sync_scope(|| {
            observe::score("waits", 0.5).record();
            steps(0..10);
            (0..2).for_each(|_| assert!(observe::flush(PATIENCE).complete));
            acknowledge(9);
            io::stdout().flush().unwrap();
            wait_for_the_end();
        }),
        "one" => steps(1..2),
        "wait" => wait_for_the_end(),
        other => panic!("unknown role {other}"),
    }
}

fn start(role: &str, destinations: &str, receiver: &Receiver, directory: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with(['O', 'P']) && name != "PATH" {
            command.env_remove(name);
        }
    }
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", role).env("OBSERVE_DIR", directory);
    command.env("OBSERVE_DESTINATIONS", destinations);
    command.env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.url());
    command.env("PHOENIX_COLLECTOR_ENDPOINT", format!("http://{}", receiver.address));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills the child once it has acknowledged `after` spans; gives all numbers that it acknowledged.
fn kill_after(mut child: Child, after: usize) -> Vec<u64> {
    let mut pipe = child.stdout.take().unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1 << 16]);
    let begin = |bytes: &[u8]| {
        let text = b"running 1 test\n";
        bytes.windows(text.len()).position(|w| w == text).map_or(usize::MAX, |at| at + text.len())
    };
    while bytes.len() < begin(&bytes).saturating_add(after * 8) {
        let read = pipe.read(&mut buffer).unwrap();
        assert!(read > 0, "the child ended by itself: {:?}", child.wait_with_output());
        bytes.extend_from_slice(&buffer[..read]);
    }
    child.kill().unwrap();
    pipe.read_to_end(&mut bytes).unwrap();
    child.wait().unwrap();
    bytes[begin(&bytes)..].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
}

/// How often each step arrived, by its number; every one of them as it was recorded.
fn arrived(receiver: &Receiver) -> BTreeMap<u64, u32> {
    receiver.with_all(|spans| {
        let steps = spans.filter(|span| span.name == "step").map(|span| {
            let input: serde_json::Value = serde_json::from_str(&span.text("input.value").unwrap()).unwrap();
            let number = input["number"].as_u64().unwrap();
            assert_eq!(input["text"], text_of(number));
            // One that was under way when the process was killed has none.
            if let Some(output) = span.text("output.value") {
                assert_eq!(output, number.wrapping_mul(3).to_string());
            }
            (number, span.times)
        });
        let mut all = BTreeMap::new();
        steps.for_each(|(number, times)| assert_eq!(all.insert(number, times), None, "two ids for {number}"));
        all
    })
}

/// Starts the next process, and ends it when all of `numbers` have arrived.
fn send_the_rest(receiver: &Receiver, directory: &Path, numbers: &BTreeSet<u64>) -> Output {
    let next = start("wait", "otlp", receiver, directory);
    let end = Instant::now() + PATIENCE;
    loop {
        let arrived = arrived(receiver);
        let missing: Vec<_> = numbers.iter().filter(|number| !arrived.contains_key(number)).collect();
        if missing.is_empty() {
            break;
        }
        if Instant::now() > end {
            drop(next.stdin);
            panic!("{} of {} are lost, {:?} first", missing.len(), numbers.len(), missing[0]);
        }
        thread::yield_now();
    }
    // Its pipe is closed by this.
    next.wait_with_output().unwrap()
}

fn journals(directory: &Path) -> usize {
    fs::read_dir(directory.join("journal")).unwrap().count()
}

/// Takes requests in the manner of the round: at once, after a while, or not at all until it is `cured`.
fn of_round(round: u32, cured: Arc<AtomicBool>) -> Receiver {
    Receiver::start(move |request: &mut Request<'_>| match round % 3 {
        1 => {
            let body = request.body()?;
            request.keep(&body);
            thread::sleep(Duration::from_millis(20));
            request.answer(200, "", b"")
        }
        2 if !cured.load(Ordering::SeqCst) => request.refuse(503, ""),
        _ => request.take(),
    })
}

#[test]
fn a_process_killed_at_any_moment_loses_no_span_that_it_had_not_sent() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut random: u64 = now.subsec_nanos().into();
    println!("seed {random}");
    for round in 0..60 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let after = (random >> 33) as usize % 4_000 + 1;
        let (cured, directory) = (Arc::new(AtomicBool::new(false)), tempfile::tempdir().unwrap());
        let receiver = of_round(round, Arc::clone(&cured));
        // Every other time in the middle of a flush.
        let role = if round / 3 % 2 == 0 { "record" } else { "flush" };
        let acknowledged = kill_after(start(role, "otlp", &receiver, directory.path()), after);
        assert_eq!(journals(directory.path()), 1);
        cured.store(true, Ordering::SeqCst);
        let numbers: BTreeSet<_> = acknowledged.into_iter().collect();
        let output = send_the_rest(&receiver, directory.path(), &numbers);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(journals(directory.path()), 0, "round {round}: {output:?}");
        assert!(arrived(&receiver).values().all(|times| *times <= 2), "round {round}");
    }
}

#[test]
fn what_had_been_sent_before_the_kill_is_not_sent_again() {
    let (receiver, directory) = (Receiver::start(well), tempfile::tempdir().unwrap());
    assert_eq!(kill_after(start("twice", "otlp", &receiver, directory.path()), 1), [14]);
    send_the_rest(&receiver, directory.path(), &(0..15).collect());
    let arrived = arrived(&receiver);
    assert!((0..10).all(|number| arrived[&number] == 1), "{arrived:?}");
}

#[test]
fn a_score_that_waits_for_the_end_of_its_trace_is_not_lost() {
    let (scores, directory) = (Arc::new(Mutex::new(Vec::new())), tempfile::tempdir().unwrap());
    let posted = Arc::clone(&scores);
    let receiver = Receiver::start(move |request: &mut Request<'_>| {
        if request.head[0].contains("/v1/traces ") {
            return request.take();
        }
        posted.lock().unwrap().push(String::from_utf8(request.body()?).unwrap());
        request.answer(200, "", b"{}")
    });
    assert_eq!(kill_after(start("scored", "phoenix", &receiver, directory.path()), 1), [9]);
    assert_eq!((arrived(&receiver).len(), scores.lock().unwrap().len()), (10, 0));
    let next = start("wait", "phoenix", &receiver, directory.path());
    let end = Instant::now() + PATIENCE;
    while scores.lock().unwrap().is_empty() {
        assert!(Instant::now() < end, "the score is lost");
        thread::yield_now();
    }
    assert!(next.wait_with_output().unwrap().status.success());
    assert!(scores.lock().unwrap()[0].contains("waits"), "{scores:?}");
    // What came after it may be sent again, under the same ids.
    assert!(arrived(&receiver).values().all(|times| *times <= 2));
}

#[test]
fn each_destination_gets_what_it_lacks() {
    let (cured, directory) = (Arc::new(AtomicBool::new(false)), tempfile::tempdir().unwrap());
    let receiver = of_round(2, Arc::clone(&cured));
    let acknowledged = kill_after(start("record", "local,otlp", &receiver, directory.path()), 500);
    let numbers: BTreeSet<_> = acknowledged.into_iter().collect();
    let elsewhere = Receiver::start(well);
    let next = |destinations: &str| {
        let next = start("wait", destinations, &elsewhere, directory.path()).wait_with_output().unwrap();
        assert!(next.status.success(), "{next:?}");
        assert_eq!(journals(directory.path()), 1, "the receiver has none of it");
    };
    next("local");
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let in_store = store.traces(&TraceQuery { limit: 1_000, ..TraceQuery::default() }).unwrap().items.len();
    assert!(in_store >= numbers.len().min(1_000), "{in_store}");
    // What was meant for one receiver is not sent to another.
    next("otlp");
    assert_eq!(elsewhere.requests(), 0);
    cured.store(true, Ordering::SeqCst);
    send_the_rest(&receiver, directory.path(), &numbers);
    assert_eq!(journals(directory.path()), 0);
}

#[test]
fn without_a_directory_spans_are_sent_from_plain_memory_and_it_says_so_once() {
    let (receiver, directory) = (Receiver::start(well), tempfile::tempdir().unwrap());
    let file = directory.path().join("file");
    fs::write(&file, "no directory").unwrap();
    let output = start("one", "otlp", &receiver, &file).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(arrived(&receiver), BTreeMap::from([(1, 1)]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("the journal cannot be kept in").count(), 1, "{said}");
}
