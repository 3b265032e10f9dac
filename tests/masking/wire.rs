//! What is sent: every request to every destination, in all its parts.

use std::{
    collections::{BTreeMap, HashSet},
    net::TcpListener,
};

use serde_json::Value;

use crate::{
    corpus::{PASSWORD, assert_no_secret, corpus, needles},
    read_below,
    recorder::{Recorder, Request},
    run, said,
};

/// A destination's name, the variables of its keys and that of its address.
const PLACES: &[(&str, &[&str], &str)] = &[
    ("otlp", &[], "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("langfuse", &["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"], "LANGFUSE_BASE_URL"),
    ("interactiveai", &["INTERACTIVEAI_PUBLIC_KEY", "INTERACTIVEAI_SECRET_KEY"], "INTERACTIVEAI_BASE_URL"),
    ("futureagi", &["FI_API_KEY", "FI_SECRET_KEY"], "FI_BASE_URL"),
    ("phoenix", &["PHOENIX_API_KEY"], "PHOENIX_COLLECTOR_ENDPOINT"),
    ("mlflow", &["MLFLOW_TRACKING_TOKEN"], "MLFLOW_TRACKING_URI"),
    ("artanis", &["ARTANIS_API_KEY"], "ARTANIS_BASE_URL"),
    ("tracium", &["TRACIUM_API_KEY"], "TRACIUM_BASE_URL"),
    ("trajectory", &["TRAJECTORY_API_KEY", "TRAJECTORY_ORG_ID"], "TRAJECTORY_API_URL"),
];

/// All of them, each at an address of its own.
fn everywhere(url: impl Fn(&str) -> String) -> Vec<(&'static str, String)> {
    let mut variables =
        vec![("OBSERVE_DESTINATIONS", PLACES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(","))];
    for (name, keys, address) in PLACES {
        variables.push((address, url(name)));
        variables.extend(keys.iter().map(|key| (*key, "the-key".to_owned())));
    }
    let own = ["LANGFUSE_RELEASE", "INTERACTIVEAI_RELEASE", "FI_PROJECT_NAME", "PHOENIX_PROJECT"];
    variables.extend(own.map(|name| (name, format!("own-{}", corpus()[0]))));
    variables
}

fn recorders() -> BTreeMap<&'static str, Recorder> {
    let recorders: BTreeMap<_, _> = PLACES.iter().map(|(name, ..)| (*name, Recorder::start())).collect();
    let project = r#"{"data": [{"id": "proj-1", "orgId": "org-1", "name": "Demo"}]}"#;
    recorders["langfuse"].answer("/api/public/projects", 200, project);
    recorders["interactiveai"].answer("/api/platform/v1/projects", 200, project);
    recorders
}

/// All that a request says, its escapes of addresses undone.
fn whole(request: &Request) -> String {
    let headers: String = request.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("{}\n{headers}\n{}", unescaped(&request.line()), String::from_utf8_lossy(&request.body))
}

fn unescaped(address: &str) -> String {
    let mut parts = address.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let byte = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).unwrap();
        text.push(char::from(byte));
        text.push_str(&part[2..]);
    }
    text
}

/// The objects of a list in a JSON body.
fn list<'a>(body: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    body[key].as_array().into_iter().flatten()
}

/// The spans that a destination was sent, each counted once.
fn spans(name: &str, recorder: &Recorder) -> usize {
    let bodies = |which: &dyn Fn(&str) -> bool| -> Vec<Value> {
        let requests = recorder.requests().into_iter().filter(|request| which(&request.path));
        requests.map(|request| request.json()).collect()
    };
    let texts = |bodies: &[Value], list_key: &str, id: &str| {
        let ids = bodies.iter().flat_map(|body| list(body, list_key)).map(|span| span[id].to_string());
        ids.collect::<HashSet<_>>().len()
    };
    match name {
        "otlp" => {
            let bodies = bodies(&|path| path == "/v1/traces");
            let resources = bodies.iter().flat_map(|body| list(body, "resourceSpans"));
            let spans = resources.flat_map(|r| list(r, "scopeSpans")).flat_map(|scope| list(scope, "spans"));
            spans.filter(|span| is_ours(span["name"].as_str().unwrap())).count()
        }
        // One span is one trace.
        "artanis" => {
            let traces = bodies(&|path| path == "/api/v1/traces");
            traces.iter().map(|trace| trace["trace_id"].to_string()).collect::<HashSet<_>>().len()
        }
        "tracium" => texts(&bodies(&|path| path.ends_with("/spans")), "spans", "id"),
        "trajectory" => texts(&bodies(&|path| path == "/traces/upsert/"), "trace_spans", "span_id"),
        _ => recorder.spans().iter().filter(|span| is_ours(&span.name)).count(),
    }
}

/// Scores and metrics travel as spans where there is no other place for them.
fn is_ours(name: &str) -> bool {
    ["call with", "plain", "panics"].iter().any(|begin| name.starts_with(begin))
}

/// The scores and metrics that were sent to endpoints of their own.
fn records(recorder: &Recorder) -> usize {
    let requests = recorder.requests();
    let bodies = requests.iter().filter(|request| request.method == "POST").map(|request| {
        let path = &request.path;
        let one = ["/assessments", "/feedback", "/projects/proj-1/scores"];
        match path.as_str() {
            path if one.iter().any(|end| path.ends_with(end)) => 1,
            "/api/public/scores" => request.json().as_array().unwrap().len(),
            path if path.ends_with("_annotations") => list(&request.json(), "data").count(),
            _ => 0,
        }
    });
    bodies.sum()
}

/// What every destination is sent while a child plays its `role`: OTLP as compressed JSON.
fn played(role: &str, mask: &str) -> BTreeMap<&'static str, Recorder> {
    let directory = tempfile::tempdir().unwrap();
    let recorders = recorders();
    let mut variables = everywhere(|name| recorders[name].url());
    variables.push(("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json".to_owned()));
    variables.push(("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip".to_owned()));
    variables.push(("OBSERVE_MASK", mask.to_owned()));
    let child = run(role, directory.path(), &variables);
    assert!(child.status.success(), "{}", said(&child));
    for request in recorders["otlp"].requests() {
        let header = |name| request.header(name);
        assert_eq!(header("content-encoding"), Some("gzip"));
        assert_eq!(header("content-type"), Some("application/json"));
    }
    recorders
}

#[test]
fn no_secret_is_sent_to_any_platform() {
    let texts = corpus().len();
    // Of each secret there are two calls, each with three scores and a metric that is kept. MLflow has no place for what is about a
    // session; what is not counted travels as spans, or within the traces.
    let expected = [
        ("otlp", 0),
        ("langfuse", 8),
        ("interactiveai", 8),
        ("futureagi", 0),
        ("phoenix", 8),
        ("mlflow", 6),
        ("artanis", 2),
        ("tracium", 0),
        ("trajectory", 0),
    ]
    .map(|(name, records)| (name, 4 * texts, records * texts));
    let recorders = played("record", "on");
    let counts =
        PLACES.iter().map(|(name, ..)| (*name, spans(name, &recorders[name]), records(&recorders[name])));
    assert_eq!(counts.collect::<Vec<_>>(), expected);
    for (name, recorder) in &recorders {
        let mut redacted = 0;
        for request in recorder.requests() {
            let text = whole(&request);
            redacted += text.matches("[redacted]").count();
            assert_no_secret(&format!("{name}: {}", request.line()), &text);
        }
        assert!(redacted > 4 * texts, "{name} was sent {redacted} values without their secrets");
        let whole: String = recorder.requests().iter().map(whole).collect();
        assert!(whole.contains("password: [redacted], note: "), "{name} was sent no text of a `Debug`");
        if ["langfuse", "interactiveai", "futureagi", "phoenix"].contains(name) {
            assert!(whole.contains("own-[redacted]"), "{name} was not told what is said to it alone");
        }
    }
}

/// Were there a leak, the search would find it.
#[test]
fn without_masking_every_platform_is_sent_every_secret() {
    for (name, recorder) in played("open", "off") {
        let text: String = recorder.requests().iter().map(whole).collect();
        for needle in needles() {
            assert!(text.contains(needle), "{name} lacks {needle}");
        }
        assert!(!text.contains(PASSWORD) && text.contains("password"), "{name}");
    }
}

#[test]
fn no_secret_is_left_on_disk_for_any_platform_that_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = run("away", directory.path(), &everywhere(|_| format!("http://{closed}")));
    assert!(child.status.success(), "{}", said(&child));
    let mut files = Vec::new();
    read_below(directory.path(), &mut files);
    for (name, ..) in PLACES {
        let mut kept = files.iter().filter(|(path, _)| path.contains(&format!("spool/{name}")));
        assert!(kept.any(|(_, text)| text.contains("[redacted]")), "nothing is kept for {name}");
    }
    for (path, text) in &files {
        assert_no_secret(path, text);
    }
}
