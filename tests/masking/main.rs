//! A corpus of secrets, recorded in every place that a value can get into, sent through every destination: none of them
//! is found in what leaves the process.

mod corpus;
#[path = "../support/recorder.rs"]
mod recorder;
mod wire;

use std::{
    env,
    error::Error,
    fmt, fs,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use corpus::{PASSWORD, assert_no_secret, corpus, needles};
use observe::{ScoreValue, Status, current_span, current_trace, destination::Memory, observe, session};
use observe_store::{RecordQuery, SqliteStore, Store, TraceQuery};
use recorder::Recorder;
use serde::Serialize;
use serde_json::{json, value::RawValue};

#[derive(Debug, Serialize)]
struct Login {
    password: &'static str,
    note: String,
}

#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key {} was refused", self.0)
    }
}

impl Error for Refused {}

#[observe(name = format!("call with {text}"), metadata = { header: text })]
fn call(text: &str, login: &Login) -> Result<String, Refused> {
    current_span()
        .input_field("deep", json!([{ "list": [text] }]))
        .state_before(json!({ "held": text }))
        .state(text, text)
        .event("retried", json!({ "with": text }))
        .event(text, json!({ text: text }))
        .model(text)
        .version(text)
        .prompt(text, text)
        .parameters(json!({ "stop": text }))
        .tools(json!([{ "name": text }]))
        .status_message(text)
        .error(&Refused(text.to_owned()));
    current_trace().summary(json!({ "used": text })).metadata("key", text).input(text);
    observe::score("quality", 1.0)
        .comment(text)
        .metadata("judge", text)
        .correction(text)
        .author(text)
        .record();
    observe::score(text, text).on_current_span().record();
    observe::score("remark", ScoreValue::Text(text.to_owned())).on_session(id(text)).id(id(text)).record();
    observe::metric(text, 1).unit(text).tag(text).persist().record();
    if login.note.is_empty() { Err(Refused(text.to_owned())) } else { Ok(format!("answered for {text}")) }
}

/// Of a type that prints itself, and is captured so.
#[derive(Debug)]
#[expect(dead_code, reason = "only printed")]
struct Shown {
    note: String,
    logins: Vec<Option<Login>>,
}

impl Shown {
    fn new(text: &str) -> Self {
        Self {
            note: text.to_owned(),
            logins: vec![Some(Login { password: PASSWORD, note: text.to_owned() })],
        }
    }
}

/// A span of which nothing is said but its start and its end.
#[observe]
fn plain(text: &str, long: &str, shown: &Shown, raw: &RawValue) -> Result<String, Shown> {
    if raw.get().is_empty() { Err(Shown::new(text)) } else { Ok(format!("{text}, {}", long.len())) }
}

#[observe]
fn running(text: &str, end: &dyn Fn()) {
    end();
}

#[observe]
fn panics(text: &str) {
    let refused = |text| -> Result<(), Shown> { Err(Shown::new(text)) };
    refused(text).unwrap();
}

/// A session or user: these may be called by as long a number as that of a card.
fn id(text: &str) -> String {
    let is_card = text.starts_with(|first: char| first.is_ascii_digit());
    if is_card { corpus().swap_remove(0) } else { text.to_owned() }
}

/// Records every secret everywhere.
fn record() {
    std::panic::set_hook(Box::new(|_| {}));
    for text in corpus() {
        session("conversation").metadata("header", &text).tags([&text]).user(id(&text)).sync_scope(|| {
            for note in ["", &text] {
                let _ = call(&text, &Login { password: PASSWORD, note: note.to_owned() });
            }
            let raw = json!({ "deep": [{ "password": PASSWORD, "note": text }] });
            let raw = serde_json::value::to_raw_value(&raw).unwrap();
            plain(&text, &format!("{text}\n").repeat(20), &Shown::new(&text), &raw).unwrap();
            session(id(&text)).sync_scope(|| {
                let _ = std::panic::catch_unwind(|| panics(&text));
            });
        });
    }
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let memory = Memory::new();
    let builder = observe::builder();
    let observe = if role == "record" { builder.destination(memory.clone()) } else { builder }.init();
    if role != "recover" {
        record();
    }
    if role == "abort" {
        running(&corpus()[0], &|| std::process::abort());
    }
    let report = observe::flush(Duration::from_secs(20));
    assert!(report.complete && report.dropped == 0, "{report:?}");
    assert!(report.destinations.iter().all(|(_, counts)| counts.failed == 0), "{report:?}");
    if role == "open" {
        return;
    }
    assert_no_secret(
        "the memory",
        &format!("{:?} {:?} {:?}", memory.spans(), memory.scores(), memory.metrics()),
    );
    drop(observe);
}

fn run(role: &str, directory: &Path, variables: &[(&str, String)]) -> Output {
    let key = corpus().swap_remove(0);
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "role", "--nocapture"])
        .env("ROLE", role)
        .env("OTEL_RESOURCE_ATTRIBUTES", format!("service.name=of-{key},service.version={key}"))
        .env("OBSERVE_DIR", directory)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap()
}

/// Spans go to destinations of these names, and to `receiver` if OTLP is one of them.
fn destinations(names: &str, receiver: &Recorder) -> [(&'static str, String); 2] {
    [("OBSERVE_DESTINATIONS", names.to_owned()), ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url())]
}

/// Everything that a child printed.
fn said(child: &Output) -> String {
    [&child.stderr, &child.stdout].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Nothing in the database shows a secret; how many traces and spans without an end there are.
fn assert_clean_store(directory: &Path) -> (usize, usize) {
    let store = SqliteStore::open_read_only(directory.join("observe.db")).unwrap();
    let traces = store.traces(&TraceQuery { limit: 1000, ..TraceQuery::default() }).unwrap().items;
    let mut interrupted = 0;
    for trace in &traces {
        let detail = store.trace(trace.trace_id).unwrap().unwrap();
        interrupted += detail.spans.iter().filter(|span| span.status == Status::Interrupted).count();
        let detail = serde_json::to_string(&detail).unwrap();
        assert!(detail.contains("[redacted]"), "{detail}");
        assert_no_secret("the store", &detail);
    }
    let scores = store.scores(&RecordQuery { limit: 1000, ..RecordQuery::default() }).unwrap().items;
    assert!(!scores.is_empty());
    assert_no_secret("a score in the store", &serde_json::to_string(&scores).unwrap());
    (traces.len(), interrupted)
}

/// All that a receiver was sent.
fn sent(receiver: &Recorder) -> String {
    receiver.requests().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

#[test]
fn no_secret_leaves_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Recorder::start();
    let child = run("record", directory.path(), &destinations("local,otlp,console,jsonl", &receiver));
    let said = said(&child);
    assert!(child.status.success() && said.contains("[redacted]"), "{said}");
    assert_no_secret("the console", &said);

    let sent = sent(&receiver);
    assert!(sent.contains("[redacted]") && sent.contains("conversation"));
    assert_no_secret("the network", &sent);

    let lines = fs::read_to_string(directory.path().join("spans.jsonl")).unwrap();
    assert!(lines.contains(r#""project":"of-[redacted]""#) && lines.contains(r#""release":"[redacted]""#));
    assert!(lines.contains("password: [redacted], note: "));
    assert_no_secret("the file", &lines);
    assert_eq!(assert_clean_store(directory.path()), (4 * corpus().len(), 0));
}

#[test]
fn without_masking_all_is_there_but_what_its_name_calls_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Recorder::start();
    let mut variables = destinations("jsonl,otlp", &receiver).to_vec();
    variables.push(("OBSERVE_MASK", "off".to_owned()));
    let child = run("open", directory.path(), &variables);
    assert!(child.status.success(), "{}", said(&child));
    let lines = fs::read_to_string(directory.path().join("spans.jsonl")).unwrap();
    assert!(lines.contains(&format!(r#""project":"of-{}""#, corpus()[0])));
    for (place, text) in [("the file", lines), ("the network", sent(&receiver))] {
        for needle in needles() {
            assert!(text.contains(needle), "{place} lacks {needle}");
        }
        assert!(!text.contains(PASSWORD) && text.contains("password"), "{place}");
    }
}

/// The paths and texts of all files below.
fn read_below(directory: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, files);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            files.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn what_a_killed_process_left_is_masked_when_it_is_recovered() {
    let directory = tempfile::tempdir().unwrap();
    let local = [("OBSERVE_DESTINATIONS", "local".to_owned())];
    assert!(!run("abort", directory.path(), &local).status.success());
    let next = run("recover", directory.path(), &local);
    assert!(next.status.success(), "{}", said(&next));
    assert_eq!(assert_clean_store(directory.path()), (4 * corpus().len() + 1, 1));
}
