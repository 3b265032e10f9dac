//! The journal filled to the brim: what is dropped is counted on the span below which it was dropped, and a host that may
//! wait drops nothing.
//!
//! Each test runs this binary again with `ROLE` set, since a journal is one process's; [`role`] is what the child does.
#![allow(clippy::print_stdout, reason = "a child tells its results that way")]

#[path = "support/child.rs"]
mod child;

use std::{
    env,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use observe::{
    SpanId,
    destination::{Destination, Progress},
    observe,
};
use observe_runtime::{Settings, Span};

/// The journal holds 40 MiB; this, which is captured twice, is more than four times as much.
const CHILDREN: usize = 1_600;
const ARGUMENT: usize = 60_000;

/// What is kept of a span.
struct Seen {
    name: String,
    parent: Option<SpanId>,
    dropped: u64,
}

/// Every span that arrived.
type Arrived = Arc<Mutex<Vec<(SpanId, Seen)>>>;

/// Does with every span what `slow` does before it takes it, and with that holds up the collector.
struct Slow<F> {
    slow: F,
    seen: Arrived,
    progress: Arc<Progress>,
}

impl<F: FnMut() + Send> Destination for Slow<F> {
    fn name(&self) -> &str {
        "slow"
    }

    fn record(&mut self, span: &Span<'_>) {
        (self.slow)();
        let seen = Seen { name: span.name.to_string(), parent: span.parent_id, dropped: span.dropped };
        self.seen.lock().unwrap().push((span.span_id, seen));
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// Begins to record with the settings of the environment; what arrives is found in the list.
fn record(slow: impl FnMut() + Send + 'static) -> (observe::Guard, Arrived) {
    let seen = Arrived::default();
    let destination = Slow { slow, seen: Arc::clone(&seen), progress: Arc::default() };
    (observe_runtime::start(&Settings::from_env(), vec![Box::new(destination)], Vec::new), seen)
}

#[observe]
fn first() {}

#[observe(skip(run))]
fn root<T>(run: impl FnOnce() -> T) -> T {
    run()
}

#[observe(skip(run))]
fn branch<T>(run: impl FnOnce() -> T) -> T {
    run()
}

#[observe]
fn child(text: &str) -> usize {
    // Belongs to the nearest span that is recorded, also where this one is not.
    leaf(text) + 1
}

#[observe]
fn leaf(text: &str) -> usize {
    text.len()
}

/// Spans begun below `root`: a branch on this thread and one on another, with children of two each.
const BEGUN: usize = 2 + 2 * CHILDREN;

/// Begins far more spans below one than the journal holds, on two threads.
fn begin_many() {
    let text = "x".repeat(ARGUMENT);
    let children = || branch(|| (0..CHILDREN / 2).for_each(|_| _ = child(&text)));
    root(|| {
        let other = observe::carry(children);
        thread::scope(|scope| {
            scope.spawn(other);
            children();
        });
    });
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    match role.as_str() {
        "blocked" => blocked(),
        "slow" => slow(),
        other => panic!("unknown role {other}"),
    }
}

/// Holds the collector up until everything has been begun, and much has been dropped.
fn blocked() {
    let (release, released) = mpsc::channel::<()>();
    let (reached, is_held) = mpsc::channel();
    let hold = {
        let mut once: Option<Receiver<()>> = Some(released);
        move || {
            if let Some(released) = once.take() {
                reached.send(()).unwrap();
                released.recv().unwrap();
            }
        }
    };
    let (_guard, seen) = record(hold);
    first();
    is_held.recv().unwrap();
    begin_many();
    release.send(()).unwrap();
    let report = observe::flush(Duration::from_secs(60));
    assert!(report.complete, "{report:?}");

    let seen = seen.lock().unwrap();
    let recorded = seen.iter().filter(|(_, span)| matches!(&*span.name, "branch" | "child" | "leaf")).count();
    let dropped =
        |name: &str| -> u64 { seen.iter().filter(|(_, s)| s.name == name).map(|(_, s)| s.dropped).sum() };
    let known = ["root", "branch", "child", "leaf", "first"].map(dropped);
    assert_eq!(recorded as u64 + report.dropped, BEGUN as u64, "{report:?}");
    assert_eq!(known.iter().sum::<u64>(), report.dropped, "{known:?}, {report:?}");
    // Each branch says what its own children lack.
    for (id, branch) in seen.iter().filter(|(_, span)| span.name == "branch") {
        let children: Vec<_> = seen.iter().filter(|(_, s)| s.parent == Some(*id)).collect();
        let below =
            |(child, _): &&(SpanId, Seen)| seen.iter().filter(|(_, s)| s.parent == Some(*child)).count();
        let there = children.len() + children.iter().map(below).sum::<usize>();
        let lacking_below: u64 = children.iter().map(|(_, s)| s.dropped).sum();
        assert_eq!(there as u64 + branch.dropped + lacking_below, CHILDREN as u64, "{known:?}");
        assert!(branch.dropped > 0, "{known:?}");
    }
    println!("dropped {}", report.dropped);
}

/// Holds the collector up a little at every span, so that it is slower than the host.
fn slow() {
    let (_guard, seen) = record(|| thread::sleep(Duration::from_micros(200)));
    begin_many();
    let report = observe::flush(Duration::from_secs(60));
    assert!(report.complete, "{report:?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len() as u64 + report.dropped, 1 + BEGUN as u64);
    println!("dropped {}", report.dropped);
}

/// How many spans a child in this role dropped.
fn dropped_by(role: &str, overflow: &str) -> u64 {
    let output = child::child(role).env("OBSERVE_OVERFLOW", overflow).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let count = stdout.lines().find_map(|line| line.rsplit_once("dropped ")?.1.parse().ok());
    count.unwrap_or_else(|| panic!("{output:?}"))
}

#[test]
fn what_a_full_journal_drops_is_counted_on_the_span_below_which_it_was_dropped() {
    assert!(dropped_by("blocked", "drop") > 100);
}

#[test]
fn a_host_that_may_wait_drops_nothing_while_the_collector_is_slow() {
    assert_eq!(dropped_by("slow", "wait:60s"), 0);
    assert!(dropped_by("slow", "drop") > 0, "it is slow enough to tell the two apart");
}
