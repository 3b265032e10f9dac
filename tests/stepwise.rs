//! Platforms that are told of a trace step by step: what happens between the trace and the requests.

#[path = "support/recorder.rs"]
mod recorder;

use std::{
    collections::HashSet,
    env,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use observe::{
    Span, SpanId, Status, TraceId,
    destination::{
        Artanis, ArtanisSettings, Delivered, Destination, Tracium, TraciumSettings, Trajectory,
        TrajectorySettings,
    },
};
use observe_runtime::{Metric, Resource, Score, ScoreValue, Target, Timestamp};
use recorder::{Recorder, Request};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);

fn artanis(url: String, disk: Option<&Path>) -> Artanis {
    let settings = ArtanisSettings { url, ..ArtanisSettings::new("key") };
    begun(Artanis::new(match disk {
        Some(disk) => settings.keep_below(disk),
        None => settings,
    }))
}

fn tracium(url: String, disk: Option<&Path>) -> Tracium {
    let settings = TraciumSettings { url, ..TraciumSettings::new("key") };
    begun(Tracium::new(match disk {
        Some(disk) => settings.keep_below(disk),
        None => settings,
    }))
}

fn begun<D: Destination>(mut destination: D) -> D {
    destination.begin(&Resource { release: Some("r1".to_owned()), ..Resource::default() });
    destination
}

/// A span of the trace that the test calls `trace`, which began in second `start` and took one.
fn span(trace: &str, name: &'static str, parent: Option<&str>, start: u64) -> Span<'static> {
    let at = |seconds: u64| Timestamp(seconds * 1_000_000_000);
    let mut span = Span::begin(TraceId::from_seed(trace), SpanId::from_seed(name), name, at(start));
    span.parent_id = parent.map(SpanId::from_seed);
    (span.end, span.status) = (Some(at(start + 1)), Status::Ok);
    span.input = Some(format!("\"{name}?\"").into());
    span
}

fn running(span: Span<'static>) -> Span<'static> {
    Span { end: None, status: Status::Running, ..span }
}

/// A root with two steps, the second of which has one inside, in the order in which they end.
fn trace(name: &str) -> Vec<Span<'static>> {
    vec![
        span(name, "first", Some("root"), 1),
        span(name, "inner", Some("second"), 3),
        span(name, "second", Some("root"), 2),
        span(name, "root", None, 0),
    ]
}

/// Gives spans, and says that nothing of their traces is open.
fn give(destination: &mut impl Destination, spans: &[Span<'static>]) {
    spans.iter().for_each(|span| destination.record(span));
    (0..2).for_each(|_| destination.settle(&HashSet::new));
    destination.hand_over(true);
}

/// Gives spans of traces that go on.
fn show(destination: &mut impl Destination, spans: &[Span<'static>]) {
    let open: HashSet<_> = spans.iter().map(|span| span.trace_id).collect();
    spans.iter().for_each(|span| destination.record(span));
    (0..2).for_each(|_| destination.settle(&|| open.clone()));
    destination.hand_over(true);
}

/// The counts, once everything has arrived, is on disk or is lost.
fn settled(destination: &impl Destination) -> Delivered {
    let progress = destination.progress();
    let (counts, in_time) = progress.wait(progress.get().accepted, Instant::now() + LONG);
    assert!(in_time, "{counts:?}");
    counts
}

/// A request in a word or two.
fn told(request: &Request) -> String {
    let body = request.json();
    let part = request.path.rsplit('/').next().unwrap();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match part {
        "spans" => format!("{} {}", word(&body["spans"][0]["name"]), word(&body["spans"][0]["status"])),
        "observations" => format!("{} {}", word(&body["type"]), word(&body["key"])).trim().to_owned(),
        "traces" if body["status"].is_string() => word(&body["status"]),
        "traces" => "create".to_owned(),
        other => other.to_owned(),
    }
}

fn tells(requests: &[Request]) -> Vec<String> {
    requests.iter().map(told).collect()
}

/// The requests about the trace that the test calls `name`; those of its creation have its id alone.
fn about(requests: &[Request], name: &str) -> Vec<Request> {
    let id = TraceId::from_seed(name);
    let ids = [id.to_string(), observe_wire::platform::artanis::id_of(id)];
    let is_about = |request: &&Request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        ids.iter().any(|id| request.path.contains(id) || body.contains(id))
    };
    requests.iter().filter(is_about).cloned().collect()
}

const ARTANIS: [&str; 7] =
    ["running", "input", "state first", "state second/inner", "state second", "output", "completed"];

const TRACIUM: [&str; 10] = [
    "create",
    "root in_progress",
    "first in_progress",
    "first completed",
    "second in_progress",
    "inner in_progress",
    "inner completed",
    "second completed",
    "root completed",
    "complete",
];

#[test]
fn a_trace_is_told_in_the_order_of_its_tree() {
    let recorder = Recorder::start();
    let mut artanis = artanis(recorder.url(), None);
    give(&mut artanis, &trace("a"));
    let counts = settled(&artanis);
    assert_eq!((counts.accepted, counts.sent, counts.pending()), (4, 4, 0));
    assert_eq!(tells(&recorder.requests()), ARTANIS);
    assert_eq!(recorder.requests()[0].json()["metadata"], json!({"release": "r1"}));

    let recorder = Recorder::start();
    let mut tracium = tracium(recorder.url(), None);
    give(&mut tracium, &trace("a"));
    let counts = settled(&tracium);
    assert_eq!((counts.accepted, counts.sent, counts.pending()), (4, 4, 0));
    assert_eq!(tells(&recorder.requests()), TRACIUM);
    let depths: Vec<_> =
        recorder.requests()[1..9].iter().map(|r| r.json()["spans"][0]["depth_level"].clone()).collect();
    assert_eq!(depths, [0, 1, 1, 1, 2, 2, 1, 0].map(Value::from));
}

#[test]
fn a_trace_that_runs_for_long_is_told_as_it_goes_on() {
    let recorder = Recorder::start();
    let mut tracium = tracium(recorder.url(), None);
    let [first, inner, second, root] = <[_; 4]>::try_from(trace("a")).unwrap();
    // Its first span is not known yet.
    show(&mut tracium, &[first]);
    assert_eq!(tracium.progress().get().accepted, 0);
    show(&mut tracium, &[running(root.clone()), running(second.clone())]);
    recorder.wait_for(5, |_| true);
    show(&mut tracium, &[inner]);
    recorder.wait_for(7, |_| true);
    give(&mut tracium, &[second, root]);
    settled(&tracium);
    assert_eq!(tells(&recorder.requests()), TRACIUM);
}

#[test]
fn what_comes_after_a_trace_has_ended_belongs_to_it_still() {
    let recorder = Recorder::start();
    let mut artanis = artanis(recorder.url(), None);
    give(&mut artanis, &trace("a"));
    give(&mut artanis, &[span("a", "late", Some("first"), 9)]);
    assert_eq!(settled(&artanis).sent, 5);
    assert_eq!(tells(&about(&recorder.requests(), "a"))[6..], ["completed", "state late"]);
}

#[test]
fn a_part_of_another_services_trace_is_a_trace_of_its_own() {
    let recorder = Recorder::start();
    let mut tracium = tracium(recorder.url(), None);
    let part = [span("a", "inner", Some("second"), 3), span("a", "second", Some("elsewhere"), 2)];
    give(&mut tracium, &part);
    assert_eq!(settled(&tracium).sent, 2);
    let requests = recorder.requests();
    assert_eq!(tells(&requests).len(), 6);
    assert!(about(&requests, "a").is_empty());
    assert_eq!(requests[0].json()["agent_name"], "second");
}

#[test]
fn no_trace_stays_open_when_the_process_ends() {
    let recorder = Recorder::start();
    let mut artanis = artanis(recorder.url(), None);
    show(&mut artanis, &[running(span("a", "root", None, 0))]);
    show(&mut artanis, &[span("b", "step", Some("never seen"), 0)]);
    drop(artanis);
    let requests = recorder.requests();
    assert_eq!(tells(&about(&requests, "a")), ["running", "input", "output", "completed"]);
    let output = about(&requests, "a")[2].json();
    assert_eq!(output["data"], json!({"error": "the process ended before it did", "status": "interrupted"}));
    assert_eq!(tells(&about(&requests, "b")), ["running", "input", "output", "completed"]);
}

/// An address where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_platform_that_is_back_after_a_restart_gets_every_trace_in_order_and_once() {
    let (disk, address) = (tempfile::tempdir().unwrap(), nowhere());
    let url = format!("http://{address}");
    let mut away = tracium(url.clone(), Some(disk.path()));
    give(&mut away, &trace("a"));
    let mut also_away = artanis(url.clone(), Some(disk.path()));
    give(&mut also_away, &trace("a"));
    for counts in [settled(&away), settled(&also_away)] {
        assert_eq!((counts.spooled, counts.failed, counts.sent), (4, 0, 0), "{counts:?}");
    }
    drop((away, also_away));

    let recorder = Recorder::listen(TcpListener::bind(address).unwrap());
    recorder.answer("/agents/traces", 200, "{\"id\":\"srv-1\"}");
    let (mut tracium, mut artanis) =
        (tracium(url.clone(), Some(disk.path())), artanis(url, Some(disk.path())));
    recorder.wait_for(TRACIUM.len() + ARTANIS.len(), |_| true);
    // They know nothing of what was told before.
    give(&mut artanis, &trace("b"));
    give(&mut tracium, &[]);
    settled(&artanis);
    let requests = recorder.requests();
    let (theirs, others): (Vec<_>, Vec<_>) =
        requests.into_iter().partition(|r| r.path.starts_with("/agents"));
    assert_eq!(tells(&theirs), TRACIUM);
    assert!(theirs[1..].iter().all(|request| request.path.starts_with("/agents/traces/srv-1/")));
    assert_eq!(tells(&about(&others, "a")), ARTANIS);
    assert_eq!(tells(&about(&others, "b")), ARTANIS);
}

#[test]
fn a_request_that_is_refused_costs_itself_alone() {
    let (recorder, disk) = (Recorder::start(), tempfile::tempdir().unwrap());
    let mut tracium = tracium(recorder.url(), Some(disk.path()));
    recorder.answer(&format!("/agents/traces/{}/spans", TraceId::from_seed("a")), 400, "bad span");
    give(&mut tracium, &[trace("a"), trace("b")].concat());
    let counts = settled(&tracium);
    assert_eq!((counts.accepted, counts.sent, counts.failed), (8, 5, 3), "{counts:?}");
    assert!(counts.error.unwrap().contains("answered 400: bad span"));
    let requests = recorder.requests();
    assert_eq!(
        (tells(&about(&requests, "a")), tells(&about(&requests, "b"))),
        (TRACIUM.map(Into::into).into(), TRACIUM.map(Into::into).into())
    );
}

#[test]
fn a_trace_that_the_platform_does_not_know_is_not_told_any_further() {
    let recorder = Recorder::start();
    let mut tracium = tracium(recorder.url(), None);
    recorder.answer(&format!("/agents/traces/{}/spans", TraceId::from_seed("a")), 404, "");
    give(&mut tracium, &[trace("a"), trace("b")].concat());
    let counts = settled(&tracium);
    assert_eq!((counts.accepted, counts.sent, counts.failed), (8, 4, 4), "{counts:?}");
    let requests = recorder.requests();
    assert_eq!(tells(&about(&requests, "a")), TRACIUM[..2]);
    assert_eq!(tells(&about(&requests, "b")), TRACIUM);
}

#[test]
fn what_is_held_is_bounded_and_what_is_dropped_is_counted() {
    let mut artanis = artanis(format!("http://{}", nowhere()), None);
    let text = format!("\"{}\"", "a".repeat(1 << 20));
    for n in 0..100_u64 {
        let mut step = span("a", "step", Some("root"), n);
        step.span_id = SpanId::from_seed(n.to_string());
        step.input = Some(text.clone().into());
        artanis.record(&step);
    }
    let counts = artanis.progress().get();
    assert_eq!(counts.accepted, 0);
    assert!((68..72).contains(&counts.dropped), "{counts:?}");
}

#[test]
fn what_a_platform_is_told_all_at_once_in_the_end_is_bounded_too() {
    let settings =
        TrajectorySettings { url: format!("http://{}", nowhere()), ..TrajectorySettings::new("k", "o") };
    let mut trajectory = begun(Trajectory::new(settings));
    show(&mut trajectory, &[running(span("a", "root", None, 0))]);
    let text = format!("\"{}\"", "a".repeat(1 << 20));
    for n in 0..100_u64 {
        let mut step = span("a", "step", Some("root"), n);
        step.span_id = SpanId::from_seed(n.to_string());
        step.input = Some(text.clone().into());
        show(&mut trajectory, &[step]);
    }
    let dropped = trajectory.progress().get().dropped;
    assert!((68..72).contains(&dropped), "{dropped}");
}

fn score(trace: &str, value: ScoreValue) -> Score {
    let target = Target { trace_id: Some(TraceId::from_seed(trace)), ..Target::default() };
    Score { name: "quality".to_owned(), value, target, ..Score::default() }
}

#[test]
fn scores_and_metrics_come_after_the_beginning_of_their_trace() {
    let recorder = Recorder::start();
    let mut artanis = artanis(recorder.url(), None);
    artanis.record(&span("a", "first", Some("root"), 1));
    artanis.record_score(&score("a", ScoreValue::Boolean(true)));
    let metric =
        Metric { name: "chars".to_owned(), target: score("a", 1.into()).target, ..Metric::default() };
    artanis.record_metric(&metric);
    give(&mut artanis, &[span("a", "root", None, 0)]);
    artanis.record_score(&score("a", ScoreValue::Numeric(0.5)));
    artanis.record_score(&Score { target: Target::default(), ..score("a", 1.into()) });
    let counts = settled(&artanis);
    let told =
        ["running", "input", "feedback", "state chars", "state first", "output", "completed", "feedback"];
    assert_eq!(tells(&recorder.requests()), told);
    assert_eq!((counts.sent, counts.dropped), (5, 1), "one is about no trace");

    let recorder = Recorder::start();
    let mut tracium = tracium(recorder.url(), None);
    tracium.record(&span("a", "root", None, 0));
    tracium.record_score(&score("a", 0.5.into()));
    tracium.record_metric(&Metric { value: 3.0, ..metric });
    give(&mut tracium, &[]);
    tracium.record_score(&score("a", 1.into()));
    let counts = settled(&tracium);
    let last = recorder.requests().pop().unwrap().json();
    assert_eq!(last["summary"], json!({"scores": {"quality": 0.5}, "metrics": {"chars": 3.0}}));
    assert_eq!((counts.sent, counts.dropped), (1, 1), "there is no place for it after the end");
}

/// Runs [`role`] in a process of its own.
fn child(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", "trace").envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    let role = env::var("ROLE").unwrap_or_default();
    if role.is_empty() {
        return;
    }
    let _observe = observe::init();
    observe::span("root").input(1).sync_scope(|| {
        if role == "waits" {
            observe::span("step").sync_scope(|| ());
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
    });
}

#[test]
fn a_trace_is_seen_while_it_runs() {
    let (recorder, directory) = (Recorder::start(), tempfile::tempdir().unwrap());
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", "waits").stdin(Stdio::piped());
    command.env("OBSERVE_DESTINATIONS", "artanis").env("OBSERVE_DIR", directory.path());
    let mut child =
        command.env("ARTANIS_API_KEY", "key").env("ARTANIS_BASE_URL", recorder.url()).spawn().unwrap();
    let shown = recorder.wait_for(3, |_| true);
    assert_eq!(tells(&shown), ["running", "input", "state step"]);
    // It ends when its input does.
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(tells(&recorder.requests()), ["running", "input", "state step", "output", "completed"]);
}

#[test]
fn the_variables_of_the_platforms_own_clients_set_them_up() {
    let (recorder, directory) = (Recorder::start(), tempfile::tempdir().unwrap());
    let url = recorder.at("/");
    let variables = [
        ("OBSERVE_DESTINATIONS", "artanis,tracium,trajectory"),
        ("OBSERVE_DIR", directory.path().to_str().unwrap()),
        ("ARTANIS_API_KEY", "sk_1"),
        ("ARTANIS_BASE_URL", &url),
        ("TRACIUM_API_KEY", "sk_live_2"),
        ("TRACIUM_BASE_URL", url.trim_start_matches("http://")),
        ("TRACIUM_WORKSPACE_ID", "ws-1"),
        ("TRAJECTORY_API_KEY", "tr_3"),
        ("TRAJECTORY_ORG_ID", "org-1"),
        ("TRAJECTORY_API_URL", &url),
    ];
    assert_eq!(child(&variables), "");
    let requests = recorder.requests();
    let of = |path: &str| requests.iter().filter(|r| r.path.starts_with(path)).cloned().collect::<Vec<_>>();
    let (tracium, artanis, trajectory) = (of("/agents"), of("/api"), of("/traces"));
    assert_eq!(tells(&artanis), ["running", "input", "output", "completed"]);
    assert_eq!(artanis[0].header("authorization"), Some("Bearer sk_1"));
    assert_eq!(tells(&tracium), ["create", "root in_progress", "root completed", "complete"]);
    assert_eq!(tracium[0].header("x-api-key"), Some("sk_live_2"));
    assert_eq!(tracium[0].json()["workspace_id"], "ws-1");
    assert_eq!(trajectory.iter().map(Request::line).collect::<Vec<_>>(), ["POST /traces/upsert/"; 2]);
    assert_eq!(trajectory[0].header("authorization"), Some("Bearer tr_3"));
    assert_eq!(trajectory[0].header("x-organization-id"), Some("org-1"));

    let off = [("ARTANIS_ENABLED", "on"), ("TRACIUM_API_KEY", ""), ("TRAJECTORY_MONITORING", "off")];
    let said = child(&[&variables[..], &off].concat());
    assert_eq!(said, "observe: destination tracium: there is no key: set TRACIUM_API_KEY\n");
    assert_eq!(recorder.requests().len(), 10);
}
