//! What each platform is sent, held against what its own client sent of the same small program.
//!
//! One process records to all of them at once. `recorded/` holds requests of the clients; what differs is listed with its reason
//! in each test. The attributes of spans are compared in `observe-wire`.

mod chosen;
mod recorded;
#[path = "../support/recorder.rs"]
mod recorder;

use std::{sync::OnceLock, thread, time::Duration};

use observe::{
    Guard, Level, Report, TraceId, Usage,
    destination::{
        Encoding, Experiment, FutureAgi, InteractiveAi, Langfuse, Mlflow, Otlp, OtlpSettings, Phoenix,
    },
    observe, score,
};
use recorded::{Recorded, compare};
use recorder::{Recorder, Request};
use serde_json::{Value, json};

/// The receivers, and what became of everything.
struct All {
    langfuse: Recorder,
    interactiveai: Recorder,
    futureagi: Recorder,
    phoenix: Recorder,
    mlflow: Recorder,
    json: Recorder,
    report: Report,
    _guard: Guard,
}

/// Runs the program once for all tests.
fn all() -> &'static All {
    static ALL: OnceLock<All> = OnceLock::new();
    ALL.get_or_init(|| {
        let [langfuse, interactiveai, futureagi, phoenix, mlflow, json] =
            std::array::from_fn(|_| Recorder::start());
        langfuse.answer("/api/public/projects", 200, r#"{"data": [{"id": "proj-1", "name": "Demo"}]}"#);
        let projects = r#"{"success": true, "data": [{"id": "proj-1", "orgId": "org-1", "name": "Demo"}]}"#;
        interactiveai.answer("/api/platform/v1/projects", 200, projects);
        mlflow.answer(
            "/api/2.0/mlflow/experiments/get-by-name",
            404,
            r#"{"error_code": "RESOURCE_DOES_NOT_EXIST"}"#,
        );
        mlflow.answer("/api/2.0/mlflow/experiments/create", 200, r#"{"experiment_id": "12"}"#);
        let guard = observe::builder()
            .project("docs")
            .environment("staging")
            .release("rel-9")
            .destination(Otlp::new(Langfuse {
                base_url: langfuse.url(),
                ..Langfuse::new("pk-test", "sk-test")
            }))
            .destination(Otlp::new(InteractiveAi {
                base_url: interactiveai.url(),
                ..InteractiveAi::new("pk-test", "sk-test")
            }))
            .destination(Otlp::new(FutureAgi {
                base_url: futureagi.at("/a/path/that/is/left/out"),
                project: Some("PROJECT_NAME".to_owned()),
                ..FutureAgi::new("fi-api", "fi-secret")
            }))
            .destination(Otlp::new(Phoenix {
                api_key: Some("phoenix-key".to_owned()),
                ..Phoenix::new(phoenix.url())
            }))
            .destination(Otlp::new(Mlflow {
                experiment: Experiment::Name("support bot".to_owned()),
                ..Mlflow::new(mlflow.url())
            }))
            .destination(Otlp::new(OtlpSettings {
                encoding: Encoding::Json,
                ..OtlpSettings::new(json.at("/v1/traces"))
            }))
            .init();
        program();
        let report = observe::flush(Duration::from_secs(30));
        All { langfuse, interactiveai, futureagi, phoenix, mlflow, json, report, _guard: guard }
    })
}

#[observe(as_type = "tool")]
fn search(query: &str, limit: u32) -> [&'static str; 2] {
    ["r1", "r2"]
}

#[observe(as_type = "generation", name = "completion", model = "gpt-4o")]
fn complete(question: &str) -> &'static str {
    observe::current_span().usage(Usage::new(12, 5)).parameters(json!({"temperature": 0.7}));
    "ok \u{e9}"
}

#[observe(as_type = "agent", name = "agent-run", trace_id = TraceId::from_seed(seed), skip(seed))]
fn agent(question: &str, seed: &str) -> Value {
    search(question, 2);
    json!({"answer": complete(question)})
}

#[observe(as_type = "tool")]
fn risky() -> Result<(), &'static str> {
    Err("boom")
}

#[observe(as_type = "event")]
fn cache_hit(key: &str) {}

#[observe(name = "user-request", trace_id = explicit(), level = "warning")]
fn request() {
    cache_hit("k");
    let _ = risky();
    observe::current_span().status_message("careful").level(Level::Warning);
    score("accuracy", 0.95).comment("ok").on_current_span().record();
    score("sentiment", "positive").record();
}

fn explicit() -> TraceId {
    TraceId::from_seed("explicit")
}

/// The program that the clients ran.
fn program() {
    for (question, seed) in [("What is AI?", "your-trace-id"), ("How does it work?", "turn-2")] {
        observe::session("session-abc")
            .user("user-123")
            .tags(["production", "weather"])
            .metadata("source", "web-app")
            .version("1.2")
            .name("weather-query")
            .sync_scope(|| agent(question, seed));
    }
    observe::flush(Duration::from_secs(30));
    request();
    score("session-score", 0.5).on_session("session-abc").record();
    observe::flush(Duration::from_secs(30));
    // One character more than Langfuse keeps.
    observe::session("s1").user("u".repeat(201)).tags(["a", "b"]).metadata("ok", "yes").sync_scope(|| {
        observe::span("limits").sync_scope(|| {});
    });
}

/// The requests, lookups of projects and experiments apart.
fn posts(recorder: &Recorder) -> Vec<Request> {
    let is_lookup =
        |r: &Request| r.path.contains("/projects") && r.method == "GET" || r.path.contains("/experiments/");
    recorder.requests().into_iter().filter(|request| !is_lookup(request)).collect()
}

fn lines(requests: &[Request]) -> Vec<String> {
    requests.iter().map(Request::line).collect()
}

/// The same, with those of one address in a row as one: spans may come in several requests.
fn steps(requests: &[Request]) -> Vec<String> {
    let mut lines = lines(requests);
    lines.dedup();
    lines
}

#[test]
fn every_platform_gets_everything_at_once() {
    let report = &all().report;
    let destinations = ["langfuse", "interactiveai", "futureagi", "phoenix", "mlflow", "otlp"];
    let names: Vec<_> = report.destinations.iter().map(|(name, _)| name.as_str()).collect();
    assert!(report.complete && report.dropped == 0, "{report:?}");
    assert_eq!(names, destinations);
    for (name, counts) in &report.destinations {
        // Ten spans and three scores.
        assert_eq!((counts.accepted, counts.sent, counts.failed), (13, 13, 0), "{name}: {counts:?}");
    }
}

#[test]
fn langfuse_is_sent_what_its_own_client_sends() {
    let recorder = &all().langfuse;
    let recorded = Recorded::read("langfuse");
    let posts = posts(recorder);
    // Scores after the spans, as at each of the client's flushes.
    assert_eq!(steps(&posts), recorded.posts());
    compare(&recorded, recorder, "langfuse");
    assert_eq!(posts[0].header("x-langfuse-ingestion-version"), Some("4"));
    let scores = posts.iter().find(|post| post.path == "/api/public/scores").unwrap().json();
    assert_eq!(scores[1]["traceId"], explicit().to_string());
    let of_client = recorded.bodies("/api/public/scores");
    let pairs = scores.as_array().unwrap().iter().zip(of_client[0].as_array().unwrap());
    // The client leaves it to the server to find out the kind of a score that was given without; ours have one.
    let differences = [("dataType", "CATEGORICAL"), ("dataType", "NUMERIC")];
    assert_eq!(
        recorded::different(pairs, &["id", "timestamp", "traceId", "observationId"]),
        differences.map(|(key, value)| (key.to_owned(), json!(value)))
    );
}

#[test]
fn interactiveai_is_sent_what_its_own_client_sends() {
    let recorder = &all().interactiveai;
    let recorded = Recorded::read("interactiveai");
    let posts = posts(recorder);
    let scores = "/api/platform/v1/organizations/org-1/projects/proj-1/scores";
    // The client flushes once more on the way.
    assert_eq!(steps(&posts), recorded.posts());
    compare(&recorded, recorder, "interactiveai");
    // Its program gives one score more, a boolean.
    let of_client: Vec<_> = recorded.bodies(scores).into_iter().filter(|s| s["name"] != "thumbs").collect();
    let mut ours: Vec<_> = posts.iter().filter(|post| post.path == scores).map(Request::json).collect();
    // They go side by side.
    ours.sort_by_key(|score| of_client.iter().position(|other| other["name"] == score["name"]));
    let different =
        recorded::different(ours.iter().zip(&of_client), &["id", "timestamp", "trace_id", "observation_id"]);
    assert_eq!(different, []);
    // Its projects are asked for once, although spans, scores and the page of a trace come one after the other.
    assert_eq!(lines(&recorder.requests()).iter().filter(|line| line.starts_with("GET")).count(), 1);
}

#[test]
fn futureagi_is_sent_what_its_own_client_sends() {
    let recorder = &all().futureagi;
    let recorded = Recorded::read("futureagi");
    // The client flushes once, and has no scores: ours travel as spans.
    assert_eq!(steps(&posts(recorder)), recorded.posts());
    compare(&recorded, recorder, "futureagi");
    let mut names: Vec<_> = recorder.spans().iter().map(|span| span.name.to_string()).collect();
    names.dedup();
    assert!(names.contains(&"user-request".to_owned()), "{names:?}");
    let decoded =
        observe_wire::decode(&recorder.requests()[0].body, &observe_wire::Limits::default()).unwrap();
    assert_eq!(decoded.resources[0].resource.project, "PROJECT_NAME");
}

#[test]
fn phoenix_is_sent_spans_and_annotations() {
    let recorder = &all().phoenix;
    let posts = posts(recorder);
    let mut expected =
        ["traces", "traces", "span_annotations", "trace_annotations", "session_annotations", "traces"]
            .map(|path| format!("POST /v1/{path}"));
    let mut found = lines(&posts);
    // Annotations go side by side, after the spans.
    found[2..5].sort();
    expected[2..5].sort();
    assert_eq!(found, expected);
    for post in &posts {
        assert_eq!(post.header("authorization"), Some("Bearer phoenix-key"));
        // It compares the whole text.
        let mime = if post.path == "/v1/traces" { "application/x-protobuf" } else { "application/json" };
        assert_eq!(post.header("content-type"), Some(mime));
    }
    let annotation = posts.iter().find(|post| post.path == "/v1/trace_annotations").unwrap().json();
    let annotation = &annotation["data"][0];
    assert_eq!(annotation["trace_id"], explicit().to_string());
    assert_eq!(
        (&annotation["name"], &annotation["result"]),
        (&json!("sentiment"), &json!({"label": "positive"}))
    );
}

#[test]
fn mlflow_is_asked_for_the_experiment_and_sent_spans_and_assessments() {
    let recorder = &all().mlflow;
    let lookups = recorder.wait_for(2, |request| request.path.contains("/experiments/"));
    assert_eq!(
        lines(&lookups),
        [
            "GET /api/2.0/mlflow/experiments/get-by-name?experiment_name=support%20bot",
            "POST /api/2.0/mlflow/experiments/create",
        ]
    );
    assert_eq!(lookups[1].json(), json!({"name": "support bot"}));
    let posts = posts(recorder);
    let assessments = format!("POST /api/3.0/mlflow/traces/tr-{}/assessments", explicit());
    let traces = "POST /v1/traces";
    // The score of the session has no place but a span; it comes with the spans that came before it.
    assert_eq!(steps(&posts), [traces, &assessments, traces]);
    for post in &posts {
        assert_eq!(post.header("x-mlflow-experiment-id"), Some("12"), "{}", post.line());
    }
    let names: Vec<_> =
        posts[2..4].iter().map(|post| post.json()["assessment"]["assessment_name"].clone()).collect();
    assert!(names.contains(&json!("accuracy")) && names.contains(&json!("sentiment")), "{names:?}");
}

#[test]
fn spans_are_sent_as_json_where_that_is_asked_for() {
    let recorder = &all().json;
    let requests = recorder.requests();
    assert!(!requests.is_empty());
    let mut names = Vec::new();
    for request in &requests {
        assert_eq!(request.header("content-type"), Some("application/json"));
        let body = request.json();
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        names.extend(spans.into_iter().map(|span| span["name"].as_str().unwrap().to_owned()));
    }
    names.sort();
    // Scores travel as spans where nothing else is known of the receiver.
    let expected = [
        "agent-run",
        "agent-run",
        "cache_hit",
        "completion",
        "completion",
        "limits",
        "risky",
        "score accuracy",
        "score sentiment",
        "score session-score",
        "search",
        "search",
        "user-request",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_trace_has_an_address_at_every_platform_that_has_pages() {
    let All { langfuse, interactiveai, phoenix, mlflow, .. } = all();
    let id = explicit();
    // Three of them are asked for an identifier first.
    let urls = loop {
        let urls = observe::trace_urls_for(id);
        if urls.len() == 4 {
            break urls;
        }
        thread::yield_now();
    };
    let expected = [
        ("langfuse", langfuse.at(&format!("/project/proj-1/traces/{id}"))),
        ("interactiveai", interactiveai.at(&format!("/project/proj-1/traces/{id}"))),
        ("phoenix", phoenix.at(&format!("/redirects/traces/{id}"))),
        ("mlflow", mlflow.at(&format!("/#/experiments/12/traces?selectedEvaluationId=tr-{id}"))),
    ];
    assert_eq!(urls, expected.map(|(name, url)| (name.to_owned(), url)));
}

#[test]
fn what_is_too_long_for_a_platform_is_left_out_there_alone() {
    // By the platforms' own keys: beside them our own reader finds it all.
    let said = |recorder: &Recorder, key: &str| {
        let is_limits = |request: &Request| request.body.windows(6).any(|text| text == b"limits");
        let requests = recorder.wait_for(1, is_limits);
        let body: Value = serde_json::from_slice(&observe_wire::to_json(&requests[0].body).unwrap()).unwrap();
        let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
        let span = spans.into_iter().find(|span| span["name"] == "limits").unwrap();
        let attributes = span["attributes"].as_array().unwrap().clone();
        let value = attributes.into_iter().find(|attribute| attribute["key"] == key)?["value"].clone();
        Some(value["stringValue"].as_str().unwrap().len())
    };
    let All { langfuse, interactiveai, phoenix, mlflow, .. } = all();
    for recorder in [langfuse, interactiveai] {
        assert_eq!((said(recorder, "session.id"), said(recorder, "user.id")), (Some(2), None));
    }
    for recorder in [phoenix, mlflow] {
        assert_eq!((said(recorder, "session.id"), said(recorder, "user.id")), (Some(2), Some(201)));
    }
}
