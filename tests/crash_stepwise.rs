//! A process that tells platforms of traces step by step is killed: the next one goes on where it was, and makes no post again
//! but those whose answers were lost.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what the child does then.
#![allow(clippy::print_stdout, reason = "the seed is shown when a test fails")]

#[path = "support/child.rs"]
mod child;
#[path = "support/receiver.rs"]
mod receiver;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    env, fs, io,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use observe::{TraceId, observe};
use receiver::{Receiver, Request};
use serde_json::{Value, json};

/// What no test takes unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[observe]
fn step(number: u64) -> u64 {
    observe::score("quality", 0.5).record();
    number * 3
}

#[observe(trace_id = trace_of(number))]
fn turn(number: u64) -> u64 {
    step(number) + 1
}

fn trace_of(number: u64) -> TraceId {
    TraceId::from_seed(number.to_string())
}

/// Says that all up to this number has been recorded. A parent that is gone ends the child.
fn acknowledge(number: u64) {
    if writeln!(io::stdout(), "recorded {number}").is_err() {
        std::process::exit(0);
    }
}

/// Waits for a line from the parent; whether it came.
fn may_go_on() -> bool {
    io::stdin().read_line(&mut String::new()).is_ok_and(|read| read > 0)
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let _observe = observe::init();
    let record_each = |of: fn(u64) -> u64| {
        for number in 1.. {
            if !may_go_on() {
                return;
            }
            of(number);
            acknowledge(number);
        }
    };
    let record = || record_each(turn);
    match role.as_str() {
        "record" => record(),
        "flush" => {
            thread::spawn(|| {
                loop {
                    observe::flush(PATIENCE);
                }
            });
            record();
        }
        "long" => observe::span("journey").input("where to").sync_scope(|| record_each(step)),
        "full" => observe::span("journey").sync_scope(|| {
            step(0);
            let text = "x".repeat(1_000_000);
            let others = thread::spawn(move || {
                for number in 0..300 {
                    observe::span("large").input(&text).sync_scope(|| ());
                    if number % 8 == 0 {
                        observe::flush(PATIENCE);
                    }
                }
            });
            others.join().unwrap();
            acknowledge(observe::flush(PATIENCE).dropped);
        }),
        "wait" => _ = may_go_on(),
        other => panic!("unknown role {other}"),
    }
}

/// What a platform was told: paths and bodies, in order.
#[derive(Default)]
struct Told {
    posts: Vec<(String, Value)>,
    /// Requests that came, be they answered or not.
    came: usize,
    is_cured: bool,
}

/// A platform of whichever kind, which takes requests in the manner of the round: at once, after a while, or not until it is
/// cured.
#[derive(Clone)]
struct Platform {
    told: Arc<(Mutex<Told>, Condvar)>,
    receiver: Receiver,
}

impl Platform {
    fn start(round: u32) -> Self {
        let told: Arc<(Mutex<Told>, Condvar)> = Arc::default();
        let state = Arc::clone(&told);
        let receiver = Receiver::start(move |request: &mut Request<'_>| {
            let body = request.body()?;
            let path = request.head[0].split(' ').nth(1).unwrap().to_owned();
            let (told, changed) = &*state;
            let mut told = told.lock().unwrap();
            told.came += 1;
            changed.notify_all();
            if round % 3 == 2 && !told.is_cured {
                return request.answer(503, "", b"");
            }
            told.posts.push((path, serde_json::from_slice(&body).unwrap()));
            // Another name for each: what is said of one that was made twice is seen.
            let name = format!(r#"{{"id":"srv-{}"}}"#, told.posts.len());
            if round % 3 == 1 {
                drop(changed.wait_timeout(told, Duration::from_millis(5)).unwrap());
            } else {
                drop(told);
            }
            request.answer(200, "", name.as_bytes())
        });
        Self { told, receiver }
    }

    fn cure(&self) {
        self.told.0.lock().unwrap().is_cured = true;
    }

    /// Waits until it is so.
    fn wait(&self, what: &str, is_so: impl Fn(&Told) -> bool) {
        let (told, changed) = &*self.told;
        let (told, timeout) =
            changed.wait_timeout_while(told.lock().unwrap(), PATIENCE, |told| !is_so(told)).unwrap();
        assert!(!timeout.timed_out(), "{what}; {} requests came", told.came);
    }

    fn came(&self) -> usize {
        self.told.0.lock().unwrap().came
    }

    fn posts(&self) -> Vec<(String, Value)> {
        self.told.0.lock().unwrap().posts.clone()
    }
}

fn start(role: &str, destination: &str, receiver: &Receiver, directory: &Path) -> Child {
    let mut command = child::child(role);
    command.env("OBSERVE_DIR", directory).env("OBSERVE_DESTINATIONS", destination);
    let url = format!("http://{}", receiver.address);
    for name in ["ARTANIS_BASE_URL", "TRACIUM_BASE_URL", "TRAJECTORY_API_URL"] {
        command.env(name, &url);
    }
    for name in ["ARTANIS_API_KEY", "TRACIUM_API_KEY", "TRAJECTORY_API_KEY", "TRAJECTORY_ORG_ID"] {
        command.env(name, "a key");
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Lets the child record so many turns.
fn record(child: &mut Child, turns: u64) {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let pipe = child.stdin.as_mut().unwrap();
    (0..turns).for_each(|_| writeln!(pipe).unwrap());
    let (mut recorded, mut line) = (0, String::new());
    while recorded < turns {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the child ended by itself");
        recorded += u64::from(line.contains("recorded "));
    }
    child.stdout = Some(lines.into_inner());
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Ends the child once it has read the answers to all that was on disk; nothing is left there.
fn end(child: Child, directory: &Path) {
    let left_in = |name: &str| fs::read_dir(directory.join(name)).into_iter().flatten().flatten();
    let spooled = || left_in("spool").flat_map(|spool| fs::read_dir(spool.path()).unwrap().flatten()).count();
    let by = Instant::now() + PATIENCE;
    while spooled() > 0 {
        assert!(Instant::now() < by, "{} requests stay on disk", spooled());
        thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // One without a lock was killed before it had begun, or while it was removed.
    let journals = left_in("journal").filter(|journal| journal.path().join("lock").exists());
    assert_eq!(journals.count(), 0, "{output:?}");
}

/// A post in a word or two, and the trace that it is about, as the platform was asked to call it.
fn word(path: &str, body: &Value, created: &mut HashMap<String, String>, number: usize) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match path.rsplit('/').find(|part| !part.is_empty()).unwrap() {
        // Artanis
        "observations" => {
            (text(&body["trace_id"]), format!("{} {}", text(&body["type"]), text(&body["key"])))
        }
        "feedback" => (text(&body["trace_id"]), "feedback".to_owned()),
        "traces" if body["status"].is_string() => (text(&body["trace_id"]), text(&body["status"])),
        // Tracium
        "traces" => {
            created.insert(format!("srv-{number}"), text(&body["trace_id"]));
            (text(&body["trace_id"]), "create".to_owned())
        }
        "spans" if path.starts_with("/agents") => {
            let span = &body["spans"][0];
            (named(path, created), format!("{} {}", text(&span["name"]), text(&span["status"])))
        }
        end @ ("complete" | "fail") => (named(path, created), end.to_owned()),
        // Trajectory
        "upsert" => (text(&body["trace_id"]), format!("upsert {}", body["update_id"])),
        other => panic!("{other}: {path}"),
    }
}

/// The trace that the path calls by the name that an answer gave it.
fn named(path: &str, created: &HashMap<String, String>) -> String {
    let name = path.split('/').nth(3).unwrap();
    created.get(name).unwrap_or_else(|| panic!("{path}: no answer named it so")).clone()
}

/// What was told of each trace, each thing once, in the order in which it came first; and how many were told again.
fn by_trace(posts: &[(String, Value)]) -> BTreeMap<String, (Vec<String>, usize)> {
    let (mut traces, mut created) = (BTreeMap::<_, (Vec<String>, usize)>::new(), HashMap::new());
    for (n, (path, body)) in posts.iter().enumerate() {
        let (trace, word) = word(path, body, &mut created, n + 1);
        let (told, again) = traces.entry(trace).or_default();
        match told.contains(&word) {
            true => *again += 1,
            false => told.push(word),
        }
    }
    traces
}

/// What a platform is told of a turn, and what it calls its trace.
fn expected(destination: &str, number: u64) -> (String, Vec<&'static str>) {
    let trace = trace_of(number);
    match destination {
        "artanis" => (
            observe_wire::platform::artanis::id_of(trace),
            vec!["running", "input ", "feedback", "state step", "output ", "completed"],
        ),
        "tracium" => (
            trace.to_string(),
            vec![
                "create",
                "turn in_progress",
                "step in_progress",
                "step completed",
                "turn completed",
                "complete",
            ],
        ),
        _ => (observe_wire::platform::trajectory::id_of(trace), vec!["upsert 1", "upsert 2"]),
    }
}

/// Whether everything was told of the turns up to this number.
fn is_told(told: &Told, destination: &str, turns: u64) -> bool {
    let traces = by_trace(&told.posts);
    (1..=turns).all(|number| {
        let (trace, words) = expected(destination, number);
        traces.get(&trace).is_some_and(|(told, _)| words.iter().all(|word| told.iter().any(|t| t == word)))
    })
}

/// The body of the last post of that kind of the trace of a turn.
fn last(posts: &[(String, Value)], destination: &str, number: u64, kind: &str) -> Value {
    let (mut created, (trace, _)) = (HashMap::new(), expected(destination, number));
    let mut last = None;
    for (n, (path, body)) in posts.iter().enumerate() {
        if word(path, body, &mut created, n + 1) == (trace.clone(), kind.to_owned()) {
            last = Some(body.clone());
        }
    }
    last.unwrap_or_else(|| panic!("{kind} of {number}"))
}

/// Every turn was told as it was recorded, in order, and at most one post of each trace was made again by each process.
fn assert_told(posts: &[(String, Value)], destination: &str, turns: u64, processes: usize) {
    let traces = by_trace(posts);
    for number in 1..=turns {
        let (trace, words) = expected(destination, number);
        let (told, again) = &traces[&trace];
        assert_eq!(told, &words, "turn {number}");
        assert!(*again < processes, "turn {number}: {again} posts again");
        let last = |kind| last(posts, destination, number, kind);
        let output = json!(number * 3 + 1);
        match destination {
            "artanis" => {
                assert_eq!(last("input ")["data"], json!({"number": number}));
                assert_eq!(last("state step")["data"]["output"], json!(number * 3));
                assert_eq!((&last("output ")["data"], &last("feedback")["rating"]), (&output, &json!(0.5)));
            }
            "tracium" => {
                assert_eq!(last("step completed")["spans"][0]["depth_level"], 1);
                assert_eq!(last("turn completed")["spans"][0]["output"], output);
                assert_eq!(last("complete")["summary"]["scores"]["quality"], 0.5);
            }
            _ => {
                let whole = last("upsert 2");
                assert_eq!(whole["trace_spans"].as_array().unwrap().len(), 2);
                assert_eq!(
                    (&whole["trace_spans"][0]["output"], &whole["metadata"]["reward_score"]),
                    (&output, &json!({"quality": 0.5}))
                );
            }
        }
    }
    assert_eq!(traces.len() as u64, turns, "{:?}", traces.keys());
}

/// A number below `most`, another one each time.
fn below(random: &mut u64, most: usize) -> usize {
    *random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*random >> 33) as usize % most
}

fn killed_at_any_moment(destination: &str) {
    let mut random: u64 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
    println!("seed {random}");
    for round in 0..24 {
        let (platform, directory) = (Platform::start(round), tempfile::tempdir().unwrap());
        let role = if round / 3 % 2 == 0 { "record" } else { "flush" };
        let turns = below(&mut random, 30) as u64 + 1;
        let mut child = start(role, destination, &platform.receiver, directory.path());
        record(&mut child, turns);
        // Of a platform that is away, it learns little.
        let most = if round % 3 == 2 { 1 } else { turns as usize * expected(destination, 1).1.len() };
        let after = below(&mut random, most + 1);
        platform.wait("it is told", |told| told.came >= after);
        kill(child);
        platform.cure();
        // The next ones are killed while they tell the rest.
        for _ in 0..round % 4 {
            let child = start("wait", destination, &platform.receiver, directory.path());
            let after = platform.came() + below(&mut random, most / 2 + 1);
            platform.wait("it goes on", |told| told.came >= after || is_told(told, destination, turns));
            kill(child);
        }
        let next = start("wait", destination, &platform.receiver, directory.path());
        platform.wait("it is told to the end", |told| is_told(told, destination, turns));
        end(next, directory.path());
        assert_told(&platform.posts(), destination, turns, 2 + round as usize % 4);
    }
}

#[test]
fn artanis_is_told_the_rest_and_what_had_arrived_is_not_told_again() {
    killed_at_any_moment("artanis");
}

#[test]
fn tracium_is_told_the_rest_under_the_names_that_it_had_given() {
    killed_at_any_moment("tracium");
}

#[test]
fn trajectory_is_told_every_trace_whole() {
    killed_at_any_moment("trajectory");
}

/// What is told of a trace that is told while it runs, and whose process is killed then.
fn killed_amid(destination: &str, before: &[&str], since: &[&str]) -> Value {
    let (platform, directory) = (Platform::start(0), tempfile::tempdir().unwrap());
    let mut child = start("long", destination, &platform.receiver, directory.path());
    record(&mut child, 1);
    platform.wait("it is shown", |told| !told.posts.is_empty());
    record(&mut child, 1);
    platform.wait("it goes on", |told| told.posts.len() >= before.len());
    kill(child);
    let next = start("wait", destination, &platform.receiver, directory.path());
    let is_end = |(path, body): &(String, Value)| {
        path.ends_with("/fail") || body["status"] == "completed" || body["update_id"] == 2
    };
    platform.wait("it is told to the end", |told| told.posts.iter().any(is_end));
    end(next, directory.path());
    let (posts, mut created) = (platform.posts(), HashMap::new());
    let words = posts.iter().enumerate().map(|(n, (path, body))| word(path, body, &mut created, n + 1));
    let (traces, mut words): (HashSet<_>, Vec<_>) = words.unzip();
    // Its answer may not have been read.
    if words.len() > before.len() + since.len() {
        assert_eq!(words.remove(before.len()), before[before.len() - 1]);
    }
    assert_eq!((words, traces.len()), ([before, since].concat().into_iter().map(Into::into).collect(), 1));
    posts.into_iter().next_back().unwrap().1
}

#[test]
fn a_trace_that_is_half_told_goes_on_where_it_was() {
    let before = ["running", "input ", "feedback", "state step", "feedback", "state step"];
    killed_amid("artanis", &before, &["output ", "completed"]);
    let step = ["step in_progress", "step completed"];
    let before = [&["create", "journey in_progress"][..], &step, &step].concat();
    let end = killed_amid("tracium", &before, &["journey interrupted", "fail"]);
    assert_eq!(end["error"], "the process ended before it did");
    let whole = killed_amid("trajectory", &["upsert 1"], &["upsert 2"]);
    let spans = whole["trace_spans"].as_array().unwrap();
    let names: Vec<_> = spans.iter().map(|span| span["function"].as_str().unwrap()).collect();
    assert_eq!(names, ["journey", "step", "step"]);
    assert_eq!(spans[0]["additional_metadata"]["observe"]["status"], "interrupted");
    assert_eq!(whole["metadata"]["scores"].as_array().unwrap().len(), 2);
}

#[test]
fn a_trace_that_goes_on_and_on_does_not_keep_others_from_being_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(|request: &mut Request<'_>| {
        request.body()?;
        request.answer(200, "", b"{}")
    });
    let output = start("full", "trajectory", &receiver, directory.path()).wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("recorded 0\n"), "{out}{err}");
    assert!(err.contains("the journal is full while traces go on"), "{err}");
}
