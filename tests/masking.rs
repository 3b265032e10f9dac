//! A corpus of secrets, recorded in every place that a value can get into, sent through every destination: none of them
//! is found in what leaves the process.

use std::{
    env,
    error::Error,
    fmt, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use observe::{Status, current_span, current_trace, destination::Memory, observe, session};
use observe_store::{RecordQuery, SqliteStore, Store, TraceQuery};
use serde::Serialize;
use serde_json::json;

/// Secrets, put together here, so that no scanner takes this file for a leak.
fn corpus() -> Vec<String> {
    let tail = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4";
    let dashes = "-----";
    let key = format!("sk-{tail}");
    vec![
        key.clone(),
        format!("sk-proj-{tail}"),
        format!("sk-ant-api03-{tail}"),
        format!("pk-lf-{tail}"),
        format!("ghp_{tail}"),
        format!("github_pat_{tail}"),
        format!("xoxb-1234567890-{tail}"),
        format!("AKIA{}", "IOSFODNN7EXAMPL3"),
        format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{tail}"),
        format!("Bearer {tail}.{tail}"),
        format!("{dashes}BEGIN PRIVATE KEY{dashes}\nMIIEvQ{tail}\n{tail}\n{dashes}END PRIVATE KEY{dashes}"),
        "4111 1111 1111 1111".to_owned(),
        "3782-822463-10005".to_owned(),
        "5500000000000004".to_owned(),
        "30569309025904".to_owned(),
        format!("postgres://app:{tail}@db.internal/prod"),
        format!("https://api.example.com/v1?api_key={tail}"),
        // Long, so that it is recorded as it stands; and within JSON, so that it is escaped twice.
        format!("{}\n{key}", "one of many words ".repeat(40)),
        format!("{{\"said\":\"the key\\n{key}\"}}"),
    ]
}

/// What of each secret is searched for: enough to be of use to somebody.
fn needles() -> [&'static str; 6] {
    let cards = ["1111 1111 1111", "822463-10005", "5500000000000004", "30569309025904"];
    ["a1B2c3D4e5F6g7H8", "IOSFODNN7EXAMPL3", cards[0], cards[1], cards[2], cards[3]]
}

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
        .event("retried", json!({ "with": text }))
        .status_message(text)
        .error(&Refused(text.to_owned()));
    current_trace().summary(json!({ "used": text })).metadata("key", text).input(text);
    observe::score("quality", 1.0).comment(text).metadata("judge", text).record();
    if login.note.is_empty() { Err(Refused(text.to_owned())) } else { Ok(format!("answered for {text}")) }
}

/// A span of which nothing is said but its start and its end.
#[observe]
fn plain(text: &str, long: &str) -> String {
    format!("{text}, {}", long.len())
}

#[observe]
fn running(text: &str, end: &dyn Fn()) {
    end();
}

#[observe]
fn panics(text: &str) {
    panic!("no luck with {text}");
}

/// Records every secret everywhere.
fn record() {
    std::panic::set_hook(Box::new(|_| {}));
    for text in corpus() {
        session("conversation").metadata("header", &text).tags([&text]).user(&corpus()[0]).sync_scope(|| {
            for note in ["", &text] {
                let _ = call(&text, &Login { password: "a1B2c3D4e5F6g7H8", note: note.to_owned() });
            }
            plain(&text, &format!("{text}\n").repeat(20));
            let _ = std::panic::catch_unwind(|| panics(&text));
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
    assert_no_secret("the memory", &format!("{:?} {:?}", memory.spans(), memory.scores()));
    drop(observe);
}

fn run(role: &str, directory: &Path, destinations: &str, url: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "role", "--nocapture"])
        .env("ROLE", role)
        .env("OBSERVE_DIR", directory)
        .env("OBSERVE_DESTINATIONS", destinations)
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
        .output()
        .unwrap()
}

/// Everything that a child printed.
fn said(child: &Output) -> String {
    [&child.stderr, &child.stdout].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Takes every request and keeps its bytes.
fn receiver() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let seen = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let kept = Arc::clone(&kept);
            thread::spawn(move || answer(stream.unwrap(), &kept));
        }
    });
    (url, seen)
}

/// Answers each request of a connection once its body is there.
fn answer(mut stream: TcpStream, kept: &Mutex<Vec<u8>>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 64 * 1024]);
    loop {
        let length = stream.read(&mut buffer).unwrap_or(0);
        if length == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..length]);
        let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
        let body =
            head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse::<usize>().unwrap();
        if request.len() >= end + 4 + body {
            kept.lock().unwrap().append(&mut request);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    }
}

fn assert_no_secret(place: &str, text: &str) {
    for needle in needles() {
        if let Some(at) = text.find(needle) {
            let begin = text[..at].char_indices().rev().nth(80).map_or(0, |(at, _)| at);
            panic!("{place} shows `{needle}`: ..{}", &text[begin..at + needle.len()]);
        }
    }
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

#[test]
fn no_secret_leaves_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let (url, seen) = receiver();
    let child = run("record", directory.path(), "local,otlp,console,jsonl", &url);
    let said = said(&child);
    assert!(child.status.success() && said.contains("[redacted]"), "{said}");
    assert_no_secret("the console", &said);

    let sent = String::from_utf8_lossy(&seen.lock().unwrap()).into_owned();
    assert!(sent.contains("[redacted]") && sent.contains("conversation"));
    assert_no_secret("the network", &sent);

    let lines = fs::read_to_string(directory.path().join("spans.jsonl")).unwrap();
    assert!(lines.contains("[redacted]"));
    assert_no_secret("the file", &lines);
    assert_eq!(assert_clean_store(directory.path()), (4 * corpus().len(), 0));
}

#[test]
fn no_secret_is_left_on_disk_for_a_receiver_that_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = run("away", directory.path(), "otlp", &format!("http://{closed}/v1/traces"));
    assert!(child.status.success(), "{}", said(&child));
    let mut kept = Vec::new();
    read_below(directory.path(), &mut kept);
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains("[redacted]") && kept.contains("conversation"));
    assert_no_secret("the spool", &kept);
}

fn read_below(directory: &Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, bytes);
        } else {
            bytes.extend(fs::read(path).unwrap());
        }
    }
}

#[test]
fn what_a_killed_process_left_is_masked_when_it_is_recovered() {
    let directory = tempfile::tempdir().unwrap();
    assert!(!run("abort", directory.path(), "local", "").status.success());
    let next = run("recover", directory.path(), "local", "");
    assert!(next.status.success(), "{}", said(&next));
    assert_eq!(assert_clean_store(directory.path()), (4 * corpus().len() + 1, 1));
}
