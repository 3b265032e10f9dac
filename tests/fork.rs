//! After `fork`: the child records with ids, a thread and a journal of its own, and the parent notices nothing.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what that process does, and it forks. A process that
//! hangs is ended by an alarm, which its parent sees.
#![cfg(unix)]
#![allow(unsafe_code, reason = "nothing else forks")]

#[path = "support/child.rs"]
mod child;

use std::{
    collections::BTreeSet,
    env, fs,
    path::Path,
    process::{Output, exit},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use child::{child, said};
use observe::{Status, observe, session};
use observe_store::{SpanDetail, SqliteStore, Store, TraceQuery};

#[observe(skip(run))]
fn request<T>(run: impl FnOnce() -> T) -> T {
    run()
}

#[observe]
fn step(number: u32) -> u32 {
    number + 1
}

/// Only the child reaches this one.
#[observe]
fn other(number: u32) -> u32 {
    number + 2
}

/// Seconds until a process that hangs is ended.
const ALARM: u32 = 60;

/// Runs `child` in a forked process, which ends with it; gives that process's id.
fn forked(child: impl FnOnce()) -> i32 {
    // SAFETY: what the child does is what is tested: our own locks, and the allocator, which sees to forks itself.
    match unsafe { libc::fork() } {
        0 => {
            // SAFETY: it only sets a timer.
            unsafe { libc::alarm(ALARM) };
            child();
            exit(0)
        }
        -1 => panic!("{}", std::io::Error::last_os_error()),
        id => id,
    }
}

/// Waits until the process has ended; gives its status as the system tells it.
fn wait(process: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is a place for the status.
    assert_eq!(unsafe { libc::waitpid(process, &raw mut status, 0) }, process);
    status
}

/// What the process does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    if role == "nothing" {
        drop(observe::init());
        return;
    }
    if role == "early" {
        // Before anything has begun, each process begins by itself.
        let child = forked(|| {
            let _observe = observe::init();
            step(1);
        });
        let _observe = observe::init();
        step(2);
        assert_eq!(wait(child), 0);
        return;
    }
    let _observe = observe::init();
    match role.as_str() {
        "once" => session("s").sync_scope(|| {
            request(|| {
                step(1);
                observe::current_span().metadata("said by", "the parent");
                let child = forked(|| {
                    observe::current_span().metadata("said by", "the child").name("renamed");
                    assert_eq!(observe::current_span_id(), None, "the span is the parent's");
                    (0..50).for_each(|_| _ = step(2));
                    other(2);
                });
                (0..50).for_each(|_| _ = step(3));
                assert_eq!(wait(child), 0);
                step(4);
            });
        }),
        "through" => {
            // The child returns through the span that the parent began.
            let child = request(|| {
                let child = forked_and_back();
                step(if child == 0 { 1 } else { 2 });
                child
            });
            if child == 0 {
                request(|| step(3));
                exit(0);
            }
            assert_eq!(wait(child), 0);
        }
        "silent" => {
            request(|| step(1));
            assert_eq!(wait(forked(|| ())), 0);
        }
        "grandchild" => request(|| {
            let child = forked(|| {
                step(1);
                let grandchild = forked(|| _ = step(2));
                assert_eq!(wait(grandchild), 0);
            });
            assert_eq!(wait(child), 0);
        }),
        "killed" => request(|| {
            let child = forked(|| {
                step(1);
                other(1);
                // SAFETY: this process, which leaves without flushing.
                unsafe { libc::_exit(7) };
            });
            assert_eq!(libc::WEXITSTATUS(wait(child)), 7);
        }),
        "busy" => fork_while_threads_record(),
        other => panic!("unknown role {other}"),
    }
}

/// `fork` itself.
fn forked_and_back() -> i32 {
    // SAFETY: as in `forked`.
    let process = unsafe { libc::fork() };
    if process == 0 {
        // SAFETY: it only sets a timer.
        unsafe { libc::alarm(ALARM) };
    }
    process
}

/// A hundred children of a process whose other threads record all the time, so that locks are held when it forks.
fn fork_while_threads_record() {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    request(|| (0..20).for_each(|n| _ = step(n)));
                    flush();
                }
            });
        }
        for n in 0..100 {
            let child = forked(|| {
                session("children").sync_scope(|| other(n));
                flush();
            });
            let status = wait(child);
            if status != 0 {
                eprintln!("child {n} ended with {status:x}");
                exit(1);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

fn flush() {
    let report = observe::flush(Duration::from_secs(ALARM.into()));
    assert!(report.complete && report.dropped == 0, "{report:?}");
}

fn run(role: &str, directory: &Path) -> Output {
    let output = child(role).env("OBSERVE_DIR", directory).output().unwrap();
    assert!(output.status.success(), "{role}: {output:?}");
    output
}

/// Every span in the directory's database, trace by trace.
fn traces(directory: &Path) -> Vec<Vec<SpanDetail>> {
    let store = SqliteStore::open_read_only(directory.join("observe.db")).unwrap();
    let traces = store.traces(&TraceQuery::default()).unwrap().items;
    traces.iter().map(|trace| store.trace(trace.trace_id).unwrap().unwrap().spans).collect()
}

/// How many spans have this name, and this number as an argument.
fn count(spans: &[SpanDetail], name: &str, number: u32) -> usize {
    let input = format!("{{\"number\":{number}}}");
    spans.iter().filter(|s| s.name == name && s.input.as_ref().is_some_and(|i| i.get() == input)).count()
}

#[test]
fn a_forked_child_continues_the_trace_with_spans_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("once", directory.path());
    assert_eq!(said(&output), [""; 0]);
    let traces = traces(directory.path());
    let [spans] = &traces[..] else { panic!("{traces:?}") };
    assert_eq!(spans.len(), 1 + 1 + 50 + 1 + 50 + 1);
    let ids: BTreeSet<_> = spans.iter().map(|s| s.span_id).collect();
    assert_eq!(ids.len(), spans.len());
    for (number, times) in [(1, 1), (2, 50), (3, 50), (4, 1)] {
        assert_eq!(count(spans, "step", number), times, "step {number}");
    }
    assert_eq!(count(spans, "other", 2), 1);
    let root = spans.iter().find(|s| s.parent_id.is_none()).unwrap();
    assert_eq!((&*root.name, root.status), ("request", Status::Ok));
    assert_eq!(serde_json::json!(root.metadata), serde_json::json!({"said by": "the parent"}));
    for span in spans.iter().filter(|s| s.span_id != root.span_id) {
        assert_eq!((span.parent_id, span.status), (Some(root.span_id), Status::Ok), "{}", span.name);
        assert_eq!(span.session.as_deref(), Some("s"), "{}", span.name);
    }
    assert_eq!(
        fs::read_dir(directory.path().join("journal")).unwrap().count(),
        0,
        "both left nothing behind"
    );
}

#[test]
fn a_span_that_both_processes_leave_is_recorded_once_by_the_one_that_began_it() {
    let directory = tempfile::tempdir().unwrap();
    run("through", directory.path());
    let mut traces = traces(directory.path());
    traces.sort_by_key(Vec::len);
    let [own, shared] = &traces[..] else { panic!("{traces:?}") };
    assert_eq!((shared.len(), count(shared, "step", 1), count(shared, "step", 2)), (3, 1, 1));
    assert_eq!(
        (own.len(), count(own, "step", 3)),
        (2, 1),
        "what the child begins later is a trace of its own"
    );
}

#[test]
fn a_child_that_records_nothing_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    run("silent", directory.path());
    assert_eq!(traces(directory.path()).concat().len(), 2);
}

#[test]
fn a_process_that_forks_before_it_begins_to_record_is_two_that_begin() {
    let directory = tempfile::tempdir().unwrap();
    run("early", directory.path());
    let traces = traces(directory.path());
    assert_eq!((traces.len(), traces.concat().len()), (2, 2));
}

#[test]
fn a_grandchild_records_too() {
    let directory = tempfile::tempdir().unwrap();
    run("grandchild", directory.path());
    let traces = traces(directory.path());
    let [spans] = &traces[..] else { panic!("{traces:?}") };
    assert_eq!((spans.len(), count(spans, "step", 1), count(spans, "step", 2)), (3, 1, 1));
}

#[test]
fn a_child_that_is_killed_loses_nothing() {
    // On a busy machine the child may have stored a span or two before it is gone.
    let found_all_in_the_journal = (0..10).any(|_| {
        let directory = tempfile::tempdir().unwrap();
        run("killed", directory.path());
        let next = run_recovering(directory.path());
        assert!(!next.contains("recovered") || next.contains(" 0 of them interrupted"), "{next}");
        let traces = traces(directory.path());
        let [spans] = &traces[..] else { panic!("{traces:?}") };
        assert_eq!((spans.len(), count(spans, "step", 1), count(spans, "other", 1)), (3, 1, 1));
        next.contains("recovered 2 spans of a process that was killed")
    });
    assert!(found_all_in_the_journal, "the child stored everything at once, ten times");
}

/// What the next process says that begins.
fn run_recovering(directory: &Path) -> String {
    let output = child("nothing").env("OBSERVE_DIR", directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn locks_that_other_threads_hold_while_it_forks_hold_up_no_child() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("busy", directory.path());
    // One that was forked during a long write records nothing, and says so.
    let said = said(&output);
    assert!(said.iter().all(|line| line.contains("nothing is recorded in this process")), "{said:?}");
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let children = TraceQuery { session: Some("children".into()), limit: 1_000, ..TraceQuery::default() };
    assert_eq!(store.traces(&children).unwrap().items.len() + said.len(), 100);
}
