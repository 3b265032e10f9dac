//! Many writers at once.

use std::{env, path::Path, process::Command, sync::Barrier, thread};

use observe_store::{SessionQuery, SqliteStore, Store, TraceQuery};

use crate::common::*;

const WRITERS: u64 = 4;
const TRACES: u64 = 100;
/// Set for a child process: its number and the path.
const CHILD: &str = "OBSERVE_STORE_TEST_WRITER";

/// Writes this writer's traces in small batches, every other one twice, all into one session.
fn write_traces(path: &Path, writer: u64) {
    let mut store = SqliteStore::open(path).unwrap();
    for n in (0..TRACES).map(|n| 1 + writer * TRACES + n) {
        let spans = [in_session(span(n, 1, 0, n), "s"), in_session(span(n, 2, 1, n), "s")];
        write(&mut store, &spans[..1]);
        write(&mut store, &spans[(n as usize) % 2..]);
    }
}

fn assert_all_there_once(path: &Path) {
    let store = SqliteStore::open_read_only(path).unwrap();
    let page = store.traces(&TraceQuery { limit: 1_000, ..TraceQuery::default() }).unwrap();
    assert_eq!(page.items.len() as u64, WRITERS * TRACES);
    assert!(page.next.is_none());
    assert!(page.items.iter().all(|trace| trace.totals.spans == 2));
    let sessions = store.sessions(&SessionQuery::default()).unwrap().items;
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].traces, WRITERS * TRACES);
    assert_eq!(sessions[0].totals.spans, 2 * WRITERS * TRACES);
}

#[test]
fn processes_that_create_and_write_one_database_at_once_lose_nothing() {
    if let Ok(child) = env::var(CHILD) {
        let (writer, path) = child.split_once(':').unwrap();
        return write_traces(Path::new(path), writer.parse().unwrap());
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/observe.db");
    let child = |writer: u64| {
        let this = "processes::processes_that_create_and_write_one_database_at_once_lose_nothing";
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([this, "--exact"]).env(CHILD, format!("{writer}:{}", path.display()));
        command.spawn().unwrap()
    };
    let children: Vec<_> = (0..WRITERS).map(child).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_all_there_once(&path);
}

#[test]
fn threads_with_a_store_each_that_create_one_database_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/observe.db");
    let all = Barrier::new(WRITERS as usize);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (all, path) = (&all, &path);
            scope.spawn(move || {
                all.wait();
                write_traces(path, writer);
            });
        }
    });
    assert_all_there_once(&path);
}
