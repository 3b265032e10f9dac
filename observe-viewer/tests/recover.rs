//! `observe recover`, as a user runs it.

#[path = "../../tests/masking/corpus.rs"]
mod corpus;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use observe_model::{Metric, Record, Resource, Score, Status, Target, Timestamp, TraceId};
use observe_store::{RecordQuery, SqliteStore, Store};
use observe_wire::journal::{
    Home,
    chunk::{CAPACITY_AT, COMMITTED_AT, HEADER, MAGIC},
    entry::{self, Ending, Kind, PAYLOAD},
    notes::ClockNote,
};
use serde_json::Value;

const TRACE: u128 = 9;

fn entry(kind: Kind, code: u8, fixed: &[u8], payload: &[u8]) -> Vec<u8> {
    let len = entry::HEADER + fixed.len() + payload.len();
    let header = entry::header(kind, code, PAYLOAD, u32::try_from(len).unwrap());
    let mut bytes = [&header, fixed, payload].concat();
    bytes.resize(len.next_multiple_of(entry::ALIGN), 0);
    bytes
}

/// A chunk with two spans, of which the second has no end.
fn journal() -> Vec<u8> {
    let clock = ClockNote { wall: Timestamp(1_700_000_000_000_000_000), nanos_per_tick: 1.0 };
    let resource = Resource { project: "killed".into(), ..Resource::default() };
    // Span, ticks, parent, trace in two halves, stamp, place.
    let start = |span: u64, parent: u64| {
        let fixed = [span, 10, parent, TRACE as u64, 0, 0, 1].map(u64::to_le_bytes).concat();
        entry(Kind::Start, 0, &fixed, b"{}")
    };
    let entries = [
        entry(Kind::Resource, 0, &[0; 8], &serde_json::to_vec(&resource).unwrap()),
        entry(Kind::Clock, 0, &[0; 8], &serde_json::to_vec(&clock).unwrap()),
        start(1, 0),
        start(2, 1),
        entry(Kind::End, Ending::Returned as u8, &entry::moment(1, 20), b"42"),
    ]
    .concat();
    chunk(entries)
}

/// A chunk with these entries.
fn chunk(entries: Vec<u8>) -> Vec<u8> {
    let mut chunk = vec![0; HEADER];
    let mut put = |at: usize, n: u64| chunk[at..at + 8].copy_from_slice(&n.to_le_bytes());
    put(0, MAGIC);
    put(CAPACITY_AT, (HEADER + entries.len()) as u64);
    put(COMMITTED_AT, entries.len() as u64);
    chunk.extend(entries);
    chunk
}

/// A process's directory with this file in it; the process lives for as long as what is returned.
fn process(directory: &Path, file: &[u8]) -> Home {
    let home = Home::create(&directory.join("journal"), ["local"]).unwrap();
    fs::write(home.file(1), file).unwrap();
    home
}

fn recover(directory: &Path, args: &[&str]) -> Output {
    recover_masked(directory, "", args)
}

fn recover_masked(directory: &Path, mask: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observe"));
    command.arg("recover").args(args).env("OBSERVE_DIR", directory).env("OBSERVE_MASK", mask);
    command.output().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn what_a_killed_process_recorded_comes_into_the_database_once() {
    let directory = tempfile::tempdir().unwrap();
    drop(process(directory.path(), &journal()));
    let output = recover(directory.path(), &[]);
    assert_eq!(stdout(&output), "recovered 2 spans, 1 of them interrupted\n");
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let trace = store.trace(TraceId::from_int(TRACE).unwrap()).unwrap().unwrap();
    let told: Vec<_> = trace.spans.iter().map(|s| s.status).collect();
    assert_eq!((told, &*trace.summary.project), (vec![Status::Ok, Status::Interrupted], "killed"));
    assert_eq!(stdout(&recover(directory.path(), &[])), "nothing to recover\n");
}

#[test]
fn scores_and_metrics_come_back_and_are_counted_apart() {
    let directory = tempfile::tempdir().unwrap();
    let target = Target { session: Some("s".into()), ..Target::default() };
    let score = |id: &str| Record::Score(Score { id: id.into(), target: target.clone(), ..Score::default() });
    let metric = Record::Metric(Metric { id: "m".into(), target: target.clone(), ..Metric::default() });
    let records = [score("a"), score("b"), metric];
    let entries = records.map(|r| entry(Kind::Record, 0, &[0; 8], &serde_json::to_vec(&r).unwrap()));
    let killed = || drop(process(directory.path(), &chunk(entries.concat())));
    killed();
    assert_eq!(stdout(&recover(directory.path(), &[])), "recovered 2 scores; 1 metrics\n");
    // A journal that is read twice, because the first reader died in between, adds nothing.
    killed();
    let told: Value = serde_json::from_str(stdout(&recover(directory.path(), &["--json"]))).unwrap();
    assert_eq!(told, serde_json::json!({ "spans": 0, "interrupted": 0, "scores": 2, "metrics": 1 }));
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let all = RecordQuery::default();
    assert_eq!(store.scores(&all).unwrap().items.len(), 2);
    assert_eq!(store.metrics(&all).unwrap().items.len(), 1);
}

#[test]
fn the_counts_are_json_on_request_and_the_database_any_file() {
    let directory = tempfile::tempdir().unwrap();
    drop(process(directory.path(), &journal()));
    let database = directory.path().join("mine.db");
    let elsewhere = tempfile::tempdir().unwrap();
    let args = ["--json", "--database", database.to_str().unwrap()];
    let told: Value = serde_json::from_str(stdout(&recover(elsewhere.path(), &args))).unwrap();
    assert_eq!(told, serde_json::json!({ "spans": 2, "interrupted": 1, "scores": 0, "metrics": 0 }));
    assert!(database.exists());
}

#[test]
fn a_running_processs_journal_is_left_alone_and_no_database_made() {
    let directory = tempfile::tempdir().unwrap();
    let home = process(directory.path(), &journal());
    assert_eq!(stdout(&recover(directory.path(), &[])), "nothing to recover\n");
    assert!(home.file(1).exists() && !directory.path().join("observe.db").exists());
}

#[test]
fn damage_is_said_and_fails_and_what_can_be_read_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    drop(process(directory.path(), &[journal(), b"damage".to_vec()].concat()));
    let output = recover(directory.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with("observe: ") && said.contains(".damaged: 6 bytes are damaged; the 2 spans"),
        "{said}"
    );
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    assert!(store.trace(TraceId::from_int(TRACE).unwrap()).unwrap().is_some());
    assert_eq!(stdout(&recover(directory.path(), &[])), "nothing to recover\n");
}

#[test]
fn what_is_recovered_keeps_its_secrets_where_the_setting_says_so() {
    let secret = corpus::corpus().remove(0);
    for (mask, is_kept) in [("off", true), ("FALSE", true), ("on", false), ("perhaps", false), ("", false)] {
        let directory = tempfile::tempdir().unwrap();
        let target = Target { session: Some("s".into()), ..Target::default() };
        let score = Score { id: "a".into(), comment: Some(secret.clone()), target, ..Score::default() };
        let record = serde_json::to_vec(&Record::Score(score)).unwrap();
        drop(process(directory.path(), &chunk(entry(Kind::Record, 0, &[0; 8], &record))));
        assert_eq!(stdout(&recover_masked(directory.path(), mask, &[])), "recovered 1 scores\n");
        let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
        let scores = store.scores(&RecordQuery { limit: 9, ..RecordQuery::default() }).unwrap().items;
        let kept = serde_json::to_string(&scores).unwrap();
        assert_eq!((kept.contains(&secret), kept.contains("[redacted]")), (is_kept, !is_kept), "{mask}");
    }
}

#[test]
fn no_secret_gets_from_a_journal_into_the_database() {
    let secrets = corpus::corpus();
    let directory = tempfile::tempdir().unwrap();
    let clock = ClockNote { wall: Timestamp(1_700_000_000_000_000_000), nanos_per_tick: 1.0 };
    let mut entries = [
        entry(Kind::Resource, 0, &[0; 8], &serde_json::to_vec(&Resource::default()).unwrap()),
        entry(Kind::Clock, 0, &[0; 8], &serde_json::to_vec(&clock).unwrap()),
    ]
    .concat();
    for (span, secret) in (1..).zip(&secrets) {
        let start = [span, 10, 0, span, 0, 0, 1].map(u64::to_le_bytes).concat();
        let input = serde_json::json!({ "deep": [{ "said": secret }] }).to_string();
        let output = Value::from(&**secret).to_string();
        let target = Target { trace_id: TraceId::from_int(span.into()), ..Target::default() };
        let score = Score {
            id: span.to_string(),
            name: secret.clone(),
            comment: Some(secret.clone()),
            target,
            ..Score::default()
        };
        entries.extend(entry(Kind::Start, 0, &start, input.as_bytes()));
        // The last one was still running.
        if span < secrets.len() as u64 {
            let end = entry::moment(span, 20);
            entries.extend(entry(Kind::End, Ending::Returned as u8, &end, output.as_bytes()));
        }
        let score = serde_json::to_vec(&Record::Score(score)).unwrap();
        entries.extend(entry(Kind::Record, 0, &[0; 8], &score));
    }
    drop(process(directory.path(), &chunk(entries)));

    let count = secrets.len();
    let said = recover(directory.path(), &[]);
    assert_eq!(stdout(&said), format!("recovered {count} spans, 1 of them interrupted; {count} scores\n"));
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    for span in 1..=count {
        let trace = store.trace(TraceId::from_int(span as u128).unwrap()).unwrap().unwrap();
        let trace = serde_json::to_string(&trace).unwrap();
        assert!(trace.contains("[redacted]"), "{trace}");
        corpus::assert_no_secret("a trace", &trace);
    }
    let scores = store.scores(&RecordQuery { limit: 1000, ..RecordQuery::default() }).unwrap().items;
    assert_eq!(scores.len(), count);
    corpus::assert_no_secret("a score", &serde_json::to_string(&scores).unwrap());
    drop(store);
    // Nor does it stay in a corner of a file, nor in the journal.
    assert_no_secret_below(directory.path());
}

fn assert_no_secret_below(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_secret_below(&path);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            corpus::assert_no_secret(&path.display().to_string(), &text);
        }
    }
}
