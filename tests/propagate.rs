//! Traces that go from service to service and from process to process.
//!
//! The cases of Trace Context are those of the specification's test suite, whose names stand with them
//! (<https://github.com/w3c/trace-context/tree/main/test>); what headers are valid is held in `observe-wire`.

mod support;

use std::{
    collections::{BTreeMap, HashMap},
    env,
    path::Path,
    process::Command,
};

use observe::{
    Span, SpanId, TraceId, observe,
    propagate::{ExtractLayer, extract, inject},
    session,
};
use observe_store::{SqliteStore, Store, TraceQuery};
use support::{memory, named, trace};

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "1234567890123456";

/// What a service does with a request: its ids, and the headers with which it calls the next one.
#[observe(skip_all)]
fn handle() -> (TraceId, Option<SpanId>, BTreeMap<String, String>) {
    let mut headers = BTreeMap::new();
    inject(&mut headers);
    (observe::current_trace_id().unwrap(), observe::current_span_id(), headers)
}

#[observe(skip_all)]
async fn handle_async() -> String {
    tokio::task::yield_now().await;
    handle().0.to_string()
}

type Handled = (TraceId, Option<SpanId>, BTreeMap<String, String>);

fn request(headers: &[(&str, &str)]) -> Handled {
    memory();
    extract(headers).sync_scope(handle)
}

fn parent(id: &str, flags: &str) -> String {
    format!("00-{id}-{PARENT}-{flags}")
}

/// A trace of its own for each case.
fn new_trace() -> String {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    TraceId::from_seed(NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string()).to_string()
}

#[test]
fn a_request_continues_the_trace_of_its_sender_under_the_senders_span() {
    // test_traceparent_included_tracestate_missing
    let id = new_trace();
    let (trace_id, span, out) = request(&[("traceparent", &parent(&id, "01"))]);
    assert_eq!(trace_id.to_string(), id);
    let spans = trace(trace_id);
    let [span_recorded] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(span_recorded.parent_id.map(|id| id.to_string()).as_deref(), Some(PARENT));
    assert_eq!(Some(span_recorded.span_id), span);
    assert_eq!(out["traceparent"], format!("00-{id}-{}-01", span_recorded.span_id));
    assert_eq!(out.len(), 1);
    // test_multiple_requests_with_valid_traceparent
    let spans: Vec<_> = (0..3).map(|_| request(&[("traceparent", &parent(&id, "01"))]).1).collect();
    assert!(spans[0] != spans[1] && spans[1] != spans[2] && spans[0] != spans[2]);
}

#[test]
fn a_request_that_names_no_trace_or_a_damaged_one_begins_its_own() {
    let good = parent(TRACE, "01");
    let other = parent("12345678901234567890123456789011", "01");
    let zero = parent("00000000000000000000000000000000", "01");
    let cases: &[&[(&str, &str)]] = &[
        &[],
        // test_traceparent_duplicated
        &[("traceparent", &other), ("traceparent", &good)],
        &[("traceparent", &good), ("Traceparent", &good)],
        // test_traceparent_header_name
        &[("trace-parent", &good)],
        &[("trace.parent", &good)],
        // test_multiple_requests_with_illegal_traceparent
        &[("traceparent", &zero)],
        &[("traceparent", "")],
        // test_tracestate_included_traceparent_missing
        &[("tracestate", "foo=1,bar=2")],
    ];
    for headers in cases {
        let (id, span, out) = request(headers);
        assert!(!headers.iter().any(|(_, value)| value.contains(&id.to_string())), "{headers:?}");
        assert_eq!(out["traceparent"], format!("00-{id}-{}-01", span.unwrap()));
        assert_eq!(out.get("tracestate"), None, "{headers:?}");
        assert_eq!(trace(id)[0].parent_id, None);
    }
}

#[test]
fn names_of_headers_are_the_same_in_upper_and_lower_case() {
    // test_traceparent_header_name_valid_casing, test_tracestate_header_name_valid_casing
    for (parent_name, state_name) in
        [("TraceParent", "TraceState"), ("TrAcEpArEnT", "TrAcEsTaTe"), ("TRACEPARENT", "TRACESTATE")]
    {
        let id = new_trace();
        let (trace_id, _, out) = request(&[(parent_name, &parent(&id, "01")), (state_name, "foo=1")]);
        assert_eq!((trace_id.to_string(), &*out["tracestate"]), (id, "foo=1"));
    }
}

#[test]
fn tracestate_goes_on_with_its_trace_and_with_no_other() {
    // test_tracestate_multiple_headers_different_keys
    let id = new_trace();
    let headers = [
        ("traceparent", &*parent(&id, "01")),
        ("tracestate", "foo=1,bar=2"),
        ("tracestate", "rojo=1, baz=3"),
    ];
    let (_, _, out) = request(&headers);
    assert_eq!(out["tracestate"], "foo=1,bar=2,rojo=1,baz=3");
    // test_tracestate_duplicated_keys
    let damaged = [("traceparent", &*parent(&id, "01")), ("tracestate", "foo=1,foo=2")];
    let (trace_id, _, out) = request(&damaged);
    assert_eq!((trace_id.to_string(), out.get("tracestate")), (id, None));
    // Inside, another trace begins.
    let other = TraceId::from_seed("other");
    let (trace_id, _, out) =
        extract(&headers[..]).sync_scope(|| observe::trace_context(other, None).sync_scope(handle));
    assert_eq!((trace_id, out.get("tracestate")), (other, None));
}

#[test]
fn a_trace_that_its_sender_does_not_record_is_not_recorded_here_and_that_is_passed_on() {
    let id = new_trace();
    let headers = [("traceparent", parent(&id, "00")), ("tracestate", "foo=1".to_owned())];
    memory();
    let (trace_id, span, out) = extract(&headers).sync_scope(|| {
        assert_eq!(observe::trace_url(), None);
        observe::span("inside").sync_scope(handle)
    });
    assert_eq!((trace_id.to_string(), span), (id.clone(), None));
    assert!(trace(trace_id).is_empty());
    // Nothing of ours lies between: who is called hears of the same parent.
    assert_eq!((&*out["traceparent"], &*out["tracestate"]), (&*parent(&id, "00"), "foo=1"));
}

#[test]
fn what_arrived_is_in_force_at_every_await_and_in_tasks_and_ends_with_the_scope() {
    let id = new_trace();
    memory();
    let headers = [("traceparent", parent(&id, "01"))];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let inside = async {
            handle_async().await;
            observe::spawn(handle_async()).await.unwrap();
        };
        extract(&headers).scope(inside).await;
        assert_eq!(observe::current_trace_id(), None);
    });
    {
        let _request = extract(&headers).enter();
        assert_eq!(observe::current_span_id(), None, "the sender's span is not ours to speak of");
        observe::current_span().output("nothing");
        handle();
    }
    assert_eq!(observe::current_trace_id(), None);
    let spans = trace(id.parse().unwrap());
    assert_eq!(spans.len(), 5);
    let below_sender = spans.iter().filter(|s| s.parent_id.unwrap().to_string() == PARENT);
    assert_eq!(below_sender.count(), 3);
}

#[test]
fn every_kind_of_carrier_takes_and_gives_headers() {
    memory();
    let id = new_trace();
    let sender = parent(&id, "01");
    let inside = |check: &dyn Fn()| extract(&[("traceparent", &sender)]).sync_scope(check);
    let continues = |scope: observe::Scope| {
        assert_eq!(scope.sync_scope(observe::current_trace_id).unwrap().to_string(), id);
    };
    inside(&|| {
        let mut map = HashMap::from([("TraceParent".to_owned(), "old".to_owned())]);
        inject(&mut map);
        assert_eq!(map, HashMap::from([("traceparent".to_owned(), sender.clone())]));
        continues(extract(&map));
        let mut list = vec![("TRACEPARENT".to_owned(), "old".to_owned())];
        inject(&mut list);
        assert_eq!(list, [("traceparent".to_owned(), sender.clone())]);
        continues(extract(&list));
        let mut headers = axum::http::HeaderMap::new();
        headers.append("traceparent", "old".parse().unwrap());
        inject(&mut headers);
        assert_eq!(headers.get_all("traceparent").iter().collect::<Vec<_>>(), [&sender]);
        continues(extract(&headers));
        let mut said = Vec::new();
        inject(&mut |name: &str, value: &str| said.push(format!("{name}: {value}")));
        assert_eq!(said, [format!("traceparent: {sender}")]);
        continues(extract(&|name: &str| (name == "traceparent").then(|| sender.clone())));
        let mut command = Command::new("worker");
        inject(&mut command);
        let variables: Vec<_> = command.get_envs().collect();
        assert_eq!(variables, [("TRACEPARENT".as_ref(), Some(sender.as_ref()))]);
    });
}

fn attributes(headers: &[(&str, &str)]) -> Span<'static> {
    let (id, ..) = request(headers);
    named(&trace(id), "handle").clone()
}

#[test]
fn only_listed_baggage_becomes_attributes() {
    let span = attributes(&[
        ("baggage", "session.id=s%201,user.id=u;secret,tenant=t,password=p"),
        ("baggage", "a=b"),
    ]);
    let attributes_of = &*span.attributes;
    assert_eq!((attributes_of.session.as_deref(), attributes_of.user.as_deref()), (Some("s 1"), Some("u")));
    assert!(attributes_of.metadata.is_empty() && attributes_of.tags.is_empty(), "{attributes_of:?}");
    let text = "langfuse_session_id=s,langfuse_user_id=u,langfuse_tags=%5B%27a%27%2C%20%27b%27%5D,langfuse_version=2,\
                langfuse_trace_name=n,langfuse_metadata_tier=gold,langfuse_metadata_api_key=k";
    let span = attributes(&[("baggage", text)]);
    let attributes = &*span.attributes;
    assert_eq!((attributes.session.as_deref(), attributes.user.as_deref()), (Some("s"), Some("u")));
    assert_eq!(attributes.tags, ["a", "b"]);
    assert_eq!((attributes.version.as_deref(), attributes.name.as_deref()), (Some("2"), Some("n")));
    let metadata = serde_json::json!({"tier": "gold", "api_key": "[redacted]"});
    assert_eq!(serde_json::json!(attributes.metadata), metadata);
}

#[test]
fn baggage_is_not_sent_unless_that_was_turned_on() {
    let (_, _, out) = request(&[("baggage", "session.id=s,other=1")]);
    assert_eq!(out.keys().collect::<Vec<_>>(), ["traceparent"]);
    let (_, _, out) = session("s").user("u").sync_scope(handle);
    assert_eq!(out.keys().collect::<Vec<_>>(), ["traceparent"]);
}

#[tokio::test]
async fn two_services_that_call_each_other_make_one_trace() {
    memory();
    let app = axum::Router::new().route("/", axum::routing::get(handle_async)).layer(ExtractLayer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    #[observe(skip_all)]
    async fn call(url: &str) -> (TraceId, String) {
        let headers = observe::propagate::headers();
        let response = reqwest::Client::new().get(url).headers(headers).send().await.unwrap();
        (observe::current_trace_id().unwrap(), response.text().await.unwrap())
    }
    let (trace_id, answer) = call(&url).await;
    assert_eq!(answer, trace_id.to_string());
    let spans = trace(trace_id);
    assert_eq!(support::tree(&spans), "call\n handle_async\n  handle\n");
    // A request that names no trace is one by itself.
    let answer = reqwest::get(&url).await.unwrap().text().await.unwrap();
    assert_eq!(trace(answer.parse().unwrap()).len(), 2);
}

/// What the second process does; in the run of the test list, nothing.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let _observe = observe::init();
    #[observe]
    fn parent(directory: &Path) {
        let mut child = program("child", directory);
        inject(&mut child);
        assert!(child.status().unwrap().success());
    }
    #[observe]
    fn child(number: u32) {
        handle();
    }
    match role.as_str() {
        "parent" => session("s").user("u").metadata("tenant", "t").sync_scope(|| {
            parent(Path::new(&env::var_os("OBSERVE_DIR").unwrap()));
        }),
        "child" => {
            child(1);
            session("own").sync_scope(|| child(2));
            // Whoever names another trace has it.
            observe::trace_context(TraceId::from_seed("own"), None).sync_scope(|| child(3));
        }
        other => panic!("unknown role {other}"),
    }
}

fn program(role: &str, directory: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", role).env("OBSERVE_DIR", directory);
    for name in ["OBSERVE_DESTINATIONS", "OBSERVE_ENABLED", "TRACEPARENT", "TRACESTATE", "BAGGAGE"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_child_process_continues_the_trace_that_its_environment_names() {
    for send in ["false", "true"] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = program("parent", directory.path());
        command.env("OBSERVE_SEND_BAGGAGE", send);
        command.env("OBSERVE_BAGGAGE_KEYS", "session.id,tenant");
        assert!(command.status().unwrap().success());
        let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
        let mut traces: Vec<_> = store
            .traces(&TraceQuery::default())
            .unwrap()
            .items
            .iter()
            .map(|t| (t.trace_id, store.trace(t.trace_id).unwrap().unwrap().spans))
            .collect();
        traces.sort_by_key(|(_, spans)| spans.len());
        let [(own_id, own), (_, shared)] = &traces[..] else { panic!("{traces:?}") };
        assert_eq!((own.len(), *own_id), (2, TraceId::from_seed("own")));
        assert!(own.iter().all(|s| s.session.is_none()), "what belongs to the parent's trace stays there");
        let names: Vec<_> = shared.iter().map(|s| (s.depth, &*s.name)).collect();
        assert_eq!(names, [(0, "parent"), (1, "child"), (2, "handle"), (1, "child"), (2, "handle")]);
        let sessions: Vec<_> = shared.iter().map(|s| s.session.as_deref()).collect();
        let sent = (send == "true").then_some("s");
        assert_eq!(sessions, [Some("s"), sent, sent, Some("own"), Some("own")]);
        let users: Vec<_> = shared[1..].iter().map(|s| s.user.as_deref()).collect();
        assert_eq!(users, [None; 4], "it is not among the keys");
    }
}
