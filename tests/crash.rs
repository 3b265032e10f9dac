//! A process that is killed: what it had recorded is found all the same.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what the child does then. It acknowledges on its
//! standard output every span that has ended, and the parent kills it at some moment.
#![allow(clippy::print_stdout, reason = "the seed is shown when a test fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use observe::{Status, observe, session};
use observe_store::{Page, RecordQuery, SpanDetail, SqliteStore, Store, TraceQuery};
use observe_wire::journal::recover_dead;

#[observe(capture_output = true)]
fn step(number: u64, text: &str) -> u64 {
    number.wrapping_mul(3)
}

#[observe(skip(run))]
fn conversation(thread: u64, run: impl FnOnce()) {
    run();
}

/// Records for ever, on two threads, and acknowledges each span with its number; a text is `long` in so many.
fn record_for_ever(long: &str, every: u64) {
    let text = "some text that is longer than a few bytes, \"quoted\"\n";
    let run = |thread: u64| {
        session(format!("session {thread}")).sync_scope(|| {
            conversation(thread, || {
                for number in (thread << 32).. {
                    step(number, if number % every == 0 { long } else { text });
                    // A parent that is gone ends this too.
                    if std::io::stdout().write_all(&number.to_le_bytes()).is_err() {
                        return;
                    }
                }
            });
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(1));
        scope.spawn(|| run(2));
    });
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let _observe = observe::init();
    match role.as_str() {
        "record" => record_for_ever(&"x".repeat(3_000), 50),
        "record much" => record_for_ever(&"x".repeat(10_000), 1),
        "abort" => {
            conversation(7, || {
                step(1, "done");
                conversation(8, || std::process::abort());
            });
        }
        "judge" => conversation(9, || {
            for number in 0_u64.. {
                let judged = observe::score("quality", number as f64).id(number.to_string());
                judged.comment("killed soon").record();
                observe::metric("count", number as f64).unit("1").persist().record();
                observe::current_trace().summary(number);
                if std::io::stdout().write_all(&number.to_le_bytes()).is_err() {
                    return;
                }
            }
        }),
        "nothing" => {}
        other => panic!("unknown role {other}"),
    }
}

fn start(role: &str, directory: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", role).env("OBSERVE_DIR", directory);
    for name in ["OBSERVE_DESTINATIONS", "OBSERVE_DEBUG", "OBSERVE_ENABLED"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Kills the child once it has acknowledged `after` spans; gives all numbers that it acknowledged.
fn kill_after(mut child: Child, after: usize) -> Vec<u64> {
    let mut pipe = child.stdout.take().unwrap();
    let mut bytes = Vec::new();
    let mut buffer = [0; 1 << 16];
    // The test harness prints a few lines of its own before the child's first number.
    while bytes.len() < 64 + after * 8 {
        let read = pipe.read(&mut buffer).unwrap();
        assert!(read > 0, "the child ended by itself: {:?}", child.wait_with_output());
        bytes.extend_from_slice(&buffer[..read]);
    }
    child.kill().unwrap();
    pipe.read_to_end(&mut bytes).unwrap();
    child.wait().unwrap();
    let text = b"running 1 test\n";
    let begin = bytes.windows(text.len()).position(|w| w == text).unwrap() + text.len();
    bytes[begin..].chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Starts the next process, which recovers what the one before left, and gives all spans by their number.
fn recovered(directory: &Path) -> (BTreeMap<u64, SpanDetail>, Vec<SpanDetail>) {
    let next = start("nothing", directory).wait_with_output().unwrap();
    assert!(next.status.success(), "{next:?}");
    assert_eq!(fs::read_dir(directory.join("journal")).unwrap().count(), 0, "{next:?}");
    let store = SqliteStore::open_read_only(directory.join("observe.db")).unwrap();
    let (mut steps, mut conversations) = (BTreeMap::new(), Vec::new());
    for summary in store.traces(&TraceQuery::default()).unwrap().items {
        for span in store.trace(summary.trace_id).unwrap().unwrap().spans {
            if span.name == "step" {
                let number = json(&span.input)["number"].as_u64().unwrap();
                assert!(steps.insert(number, span).is_none(), "{number} is there twice");
            } else {
                conversations.push(span);
            }
        }
    }
    (steps, conversations)
}

fn json(value: &Option<Box<serde_json::value::RawValue>>) -> serde_json::Value {
    serde_json::from_str(value.as_ref().unwrap().get()).unwrap()
}

/// A number that differs from run to run, so that in time every moment is tried; printed when a test fails.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.subsec_nanos().into()
}

#[test]
fn a_process_killed_at_any_moment_loses_no_acknowledged_span() {
    let mut random = seed();
    println!("seed {random}");
    for round in 0..200 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let after = (random >> 33) as usize % 4_000;
        let directory = tempfile::tempdir().unwrap();
        let acknowledged = kill_after(start("record", directory.path()), after);
        let (steps, conversations) = recovered(directory.path());
        for number in &acknowledged {
            let span = steps.get(number).unwrap_or_else(|| {
                panic!("round {round}: {number} of {} is lost; {} found", acknowledged.len(), steps.len())
            });
            assert_eq!(span.status, Status::Ok, "{number}");
            assert_eq!(json(&span.output), number.wrapping_mul(3));
            assert_eq!(span.session, Some(format!("session {}", number >> 32)));
            assert_eq!(
                json(&span.input)["text"].as_str().unwrap().len(),
                if number % 50 == 0 { 3_000 } else { 52 }
            );
        }
        // What was under way is there too, with its input.
        assert!(conversations.iter().all(|span| span.status == Status::Interrupted), "round {round}");
        let begun: Vec<_> = conversations.iter().map(|span| json(&span.input)["thread"].as_u64()).collect();
        let expected: BTreeSet<_> = acknowledged.iter().map(|number| number >> 32).collect();
        for thread in expected {
            assert!(begun.contains(&Some(thread)), "round {round}: {begun:?} lacks {thread}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_process_killed_while_much_waits_on_disk_loses_no_acknowledged_span() {
    let mut random = seed();
    println!("seed {random}");
    for round in 0..10 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let after = 3_000 + (random >> 33) as usize % 3_000;
        let directory = tempfile::tempdir().unwrap();
        let acknowledged = kill_after(start("record much", directory.path()), after);
        // Files of this size hold chunks for which there was no room in memory.
        let is_moved = |path: &Path| fs::metadata(path).unwrap().len() == 4 * 1024 * 1024;
        let own = fs::read_dir(directory.path().join("journal")).unwrap().next().unwrap().unwrap().path();
        let moved = fs::read_dir(own).unwrap().filter(|file| is_moved(&file.as_ref().unwrap().path()));
        assert!(moved.count() > 0, "round {round}");
        let (mut found, mut in_files) = (stored(directory.path()), BTreeSet::new());
        let read = recover_dead(&directory.path().join("journal"), "local", |_, batch| {
            for span in batch.spans.iter().filter(|span| span.name == "step") {
                let number = number_in(span.input.as_deref().unwrap());
                assert!(in_files.insert(number), "{number} is there twice");
                let is_whole = span.output.as_deref() == Some(&*number.wrapping_mul(3).to_string());
                assert!(is_whole || span.status == Status::Interrupted, "{number}");
                if is_whole {
                    found.insert(number);
                }
            }
            Ok(())
        });
        assert!(read.unwrap().spans > 1_000);
        let lost = acknowledged.iter().find(|number| !found.contains(number));
        assert_eq!(lost, None, "round {round}");
    }
}

/// The numbers of the steps that are in the database.
fn stored(directory: &Path) -> BTreeSet<u64> {
    let Ok(store) = SqliteStore::open_read_only(directory.join("observe.db")) else { return BTreeSet::new() };
    let traces = store.traces(&TraceQuery::default()).unwrap().items;
    let spans = traces.iter().flat_map(|of| store.trace(of.trace_id).unwrap().unwrap().spans);
    spans.filter(|span| span.name == "step").map(|span| number_in(span.input.unwrap().get())).collect()
}

fn number_in(input: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(input).unwrap()["number"].as_u64().unwrap()
}

#[test]
fn a_process_that_is_killed_loses_no_score_and_no_metric() {
    let directory = tempfile::tempdir().unwrap();
    let acknowledged = kill_after(start("judge", directory.path()), 2_000);
    recovered(directory.path());
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let (scores, metrics) = (all(|query| store.scores(query)), all(|query| store.metrics(query)));
    let scores: BTreeMap<_, _> = scores.iter().map(|kept| (&*kept.record.id, &kept.record)).collect();
    // Their ids are their own, so that one which came twice would be there twice.
    let mut measured: Vec<_> = metrics.iter().map(|kept| kept.record.value as usize).collect();
    measured.sort_unstable();
    assert_eq!(measured, Vec::from_iter(0..measured.len()), "each once");
    assert!(metrics.iter().all(|kept| kept.record.unit.as_deref() == Some("1")));
    for number in &acknowledged {
        let id = number.to_string();
        assert_eq!(scores[&*id].value, observe::ScoreValue::Numeric(*number as f64));
        assert!(measured.len() as u64 > *number, "metric {number} is lost");
    }
    // What was said of the trace is there as well, as it was at the end.
    let summary = &store.traces(&TraceQuery::default()).unwrap().items[0];
    let said = store.trace(summary.trace_id).unwrap().unwrap().said.unwrap();
    let last: u64 = said.summary.unwrap().as_str().parse().unwrap();
    assert!(last >= *acknowledged.last().unwrap());
}

/// Every row of a list that comes in pages.
fn all<T>(list: impl Fn(&RecordQuery) -> Result<Page<T>, observe_store::Error>) -> Vec<T> {
    let (mut rows, mut query) = (Vec::new(), RecordQuery { limit: 1000, ..RecordQuery::default() });
    loop {
        let page = list(&query).unwrap();
        rows.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return rows,
        }
    }
}

#[test]
fn an_abort_leaves_open_spans_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let output = start("abort", directory.path()).wait_with_output().unwrap();
    assert!(!output.status.success());
    let (steps, conversations) = recovered(directory.path());
    assert_eq!((steps.len(), steps[&1].status), (1, Status::Ok));
    let told: Vec<_> =
        conversations.iter().map(|s| (s.depth, s.status, json(&s.input)["thread"].as_u64())).collect();
    assert_eq!(told, [(0, Status::Interrupted, Some(7)), (1, Status::Interrupted, Some(8))]);
}

#[cfg(unix)]
#[test]
fn a_segmentation_fault_is_no_different() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = start("record", directory.path());
    let mut out = child.stdout.take().unwrap();
    let mut buffer = [0; 8192];
    let mut read = 0;
    while read < 4096 {
        read += out.read(&mut buffer).unwrap();
    }
    // The first one only takes down the handler that Rust installs for stack overflows.
    let id = child.id().to_string();
    while child.try_wait().unwrap().is_none() {
        assert!(Command::new("kill").args(["-SEGV", &id]).status().unwrap().success());
        let _ = out.read(&mut buffer).unwrap();
    }
    assert!(!child.wait().unwrap().success());
    let (steps, conversations) = recovered(directory.path());
    assert!(steps.len() > 400, "{}", steps.len());
    assert!(!conversations.is_empty() && conversations.iter().all(|s| s.status == Status::Interrupted));
}
