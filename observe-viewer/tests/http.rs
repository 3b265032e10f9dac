//! The viewer over HTTP, against a store on disk.

#[path = "../src/test_data.rs"]
mod test_data;

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use observe_model::{Resource, Span, SpanId, Status, Timestamp, TraceId};
use observe_store::SqliteStore;
use observe_viewer::{Running, Viewer, ViewerError};
use observe_wire::{Encoder, to_json};
use reqwest::{
    Client, RequestBuilder, Response, StatusCode,
    header::{self, HeaderValue},
};
use serde_json::Value;
use tempfile::TempDir;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A viewer of a directory of its own.
struct Server {
    directory: TempDir,
    running: Running,
}

impl Server {
    /// With nothing recorded yet.
    async fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let viewer = Viewer::new(directory.path().join("observe.db"));
        let running = viewer.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { directory, running }
    }

    async fn filled() -> Self {
        let server = Self::empty().await;
        test_data::fill(&mut server.store());
        server
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(self.directory.path().join("observe.db")).unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr)
    }

    fn get(&self, path: &str) -> RequestBuilder {
        Client::new().get(self.url(path))
    }

    async fn json(&self, path: &str) -> Value {
        json(self.get(path).send().await.unwrap()).await
    }

    /// Status and error text.
    async fn refusal(&self, path: &str) -> (u16, String) {
        refusal(self.get(path).send().await.unwrap()).await
    }

    fn post(&self, body: Vec<u8>) -> RequestBuilder {
        Client::new()
            .post(self.url("/v1/traces"))
            .header(header::CONTENT_TYPE, "application/x-protobuf")
            .body(body)
    }
}

async fn json(response: Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, json(response).await["error"].as_str().unwrap().to_owned())
}

fn one_span() -> Span<'static> {
    let mut span =
        Span::begin(TraceId::from_seed("sent"), SpanId::from_seed("sent"), "sent", Timestamp(1_000));
    (span.status, span.end) = (Status::Ok, Some(Timestamp(3_000)));
    span
}

/// An export request with one span of the project `remote`.
fn export() -> Vec<u8> {
    let resource = Resource { project: "remote".into(), service: "remote".into(), ..Resource::default() };
    let mut encoder = Encoder::new(&resource);
    encoder.push(&one_span());
    encoder.take()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn sessions_come_newest_first_with_their_sums() {
    let server = Server::filled().await;
    let page = server.json("/api/v1/sessions").await;
    let items = page["items"].as_array().unwrap();
    let names: Vec<_> = items.iter().map(|s| s["session"].as_str().unwrap()).collect();
    assert_eq!(names, ["support/7", "support/8"]);
    assert_eq!(items[0]["traces"], 3);
    assert_eq!(items[0]["totals"]["errors"], 1);
    assert_eq!(items[0]["totals"]["usage"]["input"], 360);
    assert_eq!(items[1]["totals"]["usage"], serde_json::json!({}), "unknown is absent, not 0");
    assert_eq!(items[1]["totals"]["cost"], Value::Null);
}

#[tokio::test]
async fn a_session_holds_its_turns_with_their_trees() {
    let server = Server::filled().await;
    let session = server.json("/api/v1/sessions/support%2F7?project=shop").await;
    let turns = session["turns"].as_array().unwrap();
    let questions: Vec<_> =
        turns.iter().map(|t| t["spans"][0]["input"]["question"].as_str().unwrap()).collect();
    assert_eq!(questions, ["Where is my order 1001?", "Can it go to my office instead?", "Thank you!"]);
    assert_eq!(turns[1]["previous"], turns[0]["trace_id"]);
    assert_eq!(turns[1]["next"], turns[2]["trace_id"]);
    let tool = &turns[1]["spans"][2];
    assert_eq!(tool["status"], "error");
    assert_eq!(tool["status_message"], "address service refused: unknown street");
    assert_eq!(tool["depth"], 1);
}

#[tokio::test]
async fn a_list_is_narrowed_and_paged() {
    let server = Server::filled().await;
    let of_session = server.json("/api/v1/traces?session=support/7&project=shop").await;
    assert_eq!(of_session["items"].as_array().unwrap().len(), 3);
    let failed = server.json("/api/v1/traces?status=error").await;
    assert_eq!(failed["items"][0]["session"], "support/8");
    assert_eq!(failed["items"].as_array().unwrap().len(), 1);

    let mut path = "/api/v1/traces?limit=2".to_owned();
    let mut ids = Vec::new();
    loop {
        let page = server.json(&path).await;
        ids.extend(
            page["items"].as_array().unwrap().iter().map(|t| t["trace_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        path = reqwest::Url::parse_with_params(&server.url("/api/v1/traces?limit=2"), [("after", next)])
            .map(|url| format!("{}?{}", url.path(), url.query().unwrap()))
            .unwrap();
    }
    assert_eq!(ids.len(), 5);
    let all = server.json("/api/v1/traces").await;
    let expected: Vec<_> = all["items"].as_array().unwrap().iter().map(|t| t["trace_id"].clone()).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn an_integer_beyond_64_bits_of_a_float_keeps_its_digits() {
    let server = Server::filled().await;
    let path = format!("/api/v1/traces/{}", test_data::failing_trace());
    let text = server.get(&path).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(r#""big":12345678901234567890"#), "{text}");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_with_the_reason() {
    let server = Server::filled().await;
    for (path, status, reason) in [
        (
            "/api/v1/sessions?projekt=shop",
            400,
            "unknown field `projekt`, expected one of `project`, `limit`, `after`",
        ),
        ("/api/v1/sessions?limit=0", 400, "expected a number from 1 to 1000"),
        ("/api/v1/traces?limit=many", 400, "limit"),
        ("/api/v1/traces?status=bad", 400, "unknown variant `bad`, expected one of `running`, `ok`"),
        ("/api/v1/traces?after=nonsense", 400, "start again from the first page"),
        ("/api/v1/traces/xyz", 400, "a trace id must be 32 lower-case hexadecimal digits"),
        ("/api/v1/traces/00000000000000000000000000000001", 404, "none with that id"),
        ("/api/v1/traces/00000000000000000000000000000001?x=1", 400, "unknown field `x`"),
        ("/api/v1/sessions/nobody", 404, "none with that id"),
        ("/api/v1/sessions/support%2F7?project=other", 404, "none with that id"),
        ("/api/v1/events?x=1", 400, "unknown field `x`"),
        ("/api/v1/nothing", 404, "/api/v1/openapi.json"),
        ("/v1/traces", 405, "method"),
    ] {
        let (got, text) = server.refusal(path).await;
        assert_eq!(got, status, "{path}: {text}");
        assert!(text.contains(reason), "{path}: {text}");
    }
}

#[tokio::test]
async fn before_anything_is_recorded_lists_are_empty_and_nothing_is_created() {
    let server = Server::empty().await;
    for path in ["/api/v1/sessions", "/api/v1/traces"] {
        assert_eq!(server.json(path).await, serde_json::json!({ "items": [], "next": null }), "{path}");
    }
    assert_eq!(server.refusal("/api/v1/sessions/s").await.0, 404);
    assert_eq!(std::fs::read_dir(server.directory.path()).unwrap().count(), 0);
    test_data::fill(&mut server.store());
    assert_eq!(server.json("/api/v1/sessions").await["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_change_is_told_to_whoever_listens() {
    let server = Server::empty().await;
    let mut events = server.get("/api/v1/events").send().await.unwrap();
    assert_eq!(events.headers()[header::CONTENT_TYPE], "text/event-stream");
    assert!(next_event(&mut events).await.starts_with("event: change\n"), "one at once");
    // The first makes the file, the second changes it.
    for _ in 0..2 {
        test_data::fill(&mut server.store());
        next_event(&mut events).await;
    }
}

/// Elsewhere than on Unix a file that is being read cannot be deleted.
#[cfg(unix)]
#[tokio::test]
async fn another_database_in_the_place_of_the_first_is_noticed() {
    let server = Server::filled().await;
    let mut events = server.get("/api/v1/events").send().await.unwrap();
    // One at once, one when the database has been looked at for the first time.
    next_event(&mut events).await;
    next_event(&mut events).await;
    for file in std::fs::read_dir(server.directory.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    next_event(&mut events).await;
    assert_eq!(server.json("/api/v1/traces").await["items"].as_array().unwrap().len(), 0);
    test_data::fill(&mut server.store());
    next_event(&mut events).await;
    assert_eq!(server.json("/api/v1/traces").await["items"].as_array().unwrap().len(), 5);
}

async fn next_event(events: &mut Response) -> String {
    let chunk = tokio::time::timeout(Duration::from_secs(10), events.chunk()).await.expect("an event");
    String::from_utf8(chunk.unwrap().unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn every_view_is_a_link_and_runs_nothing_but_its_own_scripts() {
    let server = Server::empty().await;
    for path in ["/", "/sessions", "/sessions/a%2Fb?project=p", "/traces", "/traces/0123?span=4"] {
        let response = server.get(path).send().await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(response.text().await.unwrap().contains("/assets/app.js"));
    }
    let script = server.get("/assets/app.js").send().await.unwrap();
    assert_eq!(script.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    let again = server.get("/assets/app.js").header(header::IF_NONE_MATCH, &script.headers()[header::ETAG]);
    assert_eq!(again.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
    assert_eq!(server.refusal("/assets/../Cargo.toml").await.0, 404);
    assert_eq!(server.refusal("/assets/none.js").await.0, 404);
    assert_eq!(server.json("/api/v1/openapi.json").await["openapi"], "3.1.0");
}

#[tokio::test]
async fn another_site_learns_nothing_through_the_browser() {
    let server = Server::filled().await;
    let own = server.running.addr.to_string();
    for (header, value, status) in [
        ("host", "evil.example", 403),
        ("host", "127.0.0.1.evil.example", 403),
        ("host", "localhost:1", 200),
        ("host", "[::1]:4319", 200),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("origin", &format!("http://{own}"), 200),
    ] {
        let response = server.get("/api/v1/sessions").header(header, value).send().await.unwrap();
        assert_eq!(response.status(), status, "{header}: {value}");
    }
    // A link on another site may still lead here.
    let followed = server.get("/sessions").header("sec-fetch-site", "cross-site");
    let followed = followed.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    assert_eq!(followed.send().await.unwrap().status(), 200);
    let posted = server.post(export()).header("origin", "http://evil.example").send().await.unwrap();
    assert_eq!(refusal(posted).await.0, 403);
}

#[tokio::test]
async fn only_who_knows_the_token_is_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let viewer = Viewer::new(directory.path().join("observe.db")).token("s3cret &");
    let running = viewer.listen("0.0.0.0:0".parse().unwrap()).await.unwrap();
    let base = format!("http://127.0.0.1:{}", running.addr.port());
    let get = |path: &str| Client::new().get(format!("{base}{path}"));

    let (status, text) = refusal(get("/api/v1/sessions").send().await.unwrap()).await;
    assert_eq!(status, 401);
    assert!(text.contains("?token=TOKEN"), "{text}");
    for wrong in ["Bearer wrong", "Bearer ", "s3cret &"] {
        let response = get("/api/v1/sessions").header(header::AUTHORIZATION, wrong).send().await.unwrap();
        assert_eq!(response.status(), 401, "{wrong}");
    }
    assert_eq!(get("/sessions").send().await.unwrap().status(), 401);
    assert_eq!(get("/sessions?token=wrong").send().await.unwrap().status(), 401);
    assert_eq!(get("/assets/app.js").send().await.unwrap().status(), 401);
    let bearer =
        get("/api/v1/sessions").header(header::AUTHORIZATION, "Bearer s3cret &").send().await.unwrap();
    assert_eq!(bearer.status(), 200);

    let page = get("/sessions?token=s3cret%20%26").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let cookie = page.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict") && !cookie.contains("s3cret"),
        "{cookie}"
    );
    let pair = cookie.split(';').next().unwrap();
    let with_cookie =
        get("/api/v1/sessions").header(header::COOKIE, format!("other=1; {pair}")).send().await.unwrap();
    assert_eq!(with_cookie.status(), 200);
    let forged = get("/api/v1/sessions").header(header::COOKIE, format!("{pair}00")).send().await.unwrap();
    assert_eq!(forged.status(), 401);
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token_and_a_taken_one_is_named() {
    let listen = |viewer: Viewer, addr: String| async move { viewer.listen(addr.parse().unwrap()).await };
    let refused = listen(Viewer::new("x.db"), "0.0.0.0:0".into()).await.unwrap_err();
    assert!(matches!(refused, ViewerError::NeedsToken(_)), "{refused}");
    let empty = listen(Viewer::new("x.db").token(""), "127.0.0.1:0".into()).await.unwrap_err();
    assert!(matches!(empty, ViewerError::EmptyToken), "{empty}");
    let first = listen(Viewer::new("x.db"), "127.0.0.1:0".into()).await.unwrap();
    let second = listen(Viewer::new("x.db"), first.addr.to_string()).await.unwrap_err();
    assert!(matches!(second, ViewerError::InUse(_)), "{second}");
}

#[tokio::test]
async fn spans_that_were_sent_are_shown() {
    let server = Server::empty().await;
    for (body, encoding) in [(export(), "identity"), (gzip(&export()), "gzip")] {
        let response = server.post(body).header(header::CONTENT_ENCODING, encoding).send().await.unwrap();
        assert_eq!(response.status(), 200, "{encoding}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-protobuf");
        assert_eq!(response.bytes().await.unwrap().len(), 0, "nothing was rejected");
    }
    let traces = server.json("/api/v1/traces").await;
    assert_eq!(traces["items"].as_array().unwrap().len(), 1, "the second sending replaces the first");
    assert_eq!(traces["items"][0]["name"], "sent");
    assert_eq!(traces["items"][0]["project"], "remote");
}

#[tokio::test]
async fn spans_sent_as_json_are_shown_and_answered_in_json() {
    let server = Server::empty().await;
    let sound = String::from_utf8(to_json(&export()).unwrap()).unwrap();
    let unsound = sound.replacen("\"spans\":[", "\"spans\":[{\"name\":\"no id\"},", 1);
    for (body, encoding, rejected) in [
        (sound.clone().into_bytes(), "identity", Value::Null),
        (gzip(sound.as_bytes()), "gzip", Value::Null),
        (unsound.into_bytes(), "identity", Value::from("1")),
    ] {
        let request = Client::new().post(server.url("/v1/traces")).body(body);
        let request = request.header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        let response = request.header(header::CONTENT_ENCODING, encoding).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()[header::CONTENT_TYPE].clone()),
            (200, JSON)
        );
        assert_eq!(json(response).await["partialSuccess"]["rejectedSpans"], rejected);
    }
    let traces = server.json("/api/v1/traces").await;
    assert_eq!((&traces["items"][0]["name"], &traces["items"][1]), (&Value::from("sent"), &Value::Null));
}

#[tokio::test]
async fn what_cannot_be_received_is_refused_with_the_reason() {
    let server = Server::empty().await;
    let bomb = gzip(&vec![0; (64 << 20) + 1]);
    assert!(bomb.len() < 1 << 20);
    for (body, kind, encoding, status, reason) in [
        (export(), "text/plain", "identity", 415, "http/protobuf or http/json"),
        (export(), "application/json", "identity", 400, "not an OTLP message"),
        (export(), "application/x-protobuf", "br", 415, "gzip"),
        (b"not protobuf".to_vec(), "application/x-protobuf", "identity", 400, "not an OTLP message"),
        (b"not gzip".to_vec(), "application/x-protobuf", "gzip", 400, "not valid gzip"),
        (vec![0; (64 << 20) + 1], "application/x-protobuf", "identity", 413, "larger than 67108864 bytes"),
        (bomb, "application/x-protobuf", "gzip", 413, "larger than 67108864 bytes"),
    ] {
        let request = Client::new().post(server.url("/v1/traces")).body(body);
        let request = request.header(header::CONTENT_TYPE, kind).header(header::CONTENT_ENCODING, encoding);
        let (got, text) = refusal(request.send().await.unwrap()).await;
        assert_eq!(got, status, "{text}");
        assert!(text.contains(reason), "{text}");
    }
}
