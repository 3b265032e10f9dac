//! What platforms with a JSON of their own are told is read back.

mod common;

use std::borrow::Cow;

use common::traces::{by_id, micros, something, trace, walk};
use observe_model::{
    Cost, Details, Json, Level, Metadata, Metric, Record, Score, ScoreValue, Span, SpanId, SpanType, State,
    Status, Target, Timestamp, TraceAttributes, TraceId, Usage,
};
use observe_wire::platform::{LONGEST, Post, ReadError, Writer, artanis, tracium};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

fn to_artanis(trace: &[Span<'static>]) -> Vec<Post> {
    let (mut writer, mut posts) = artanis::TraceWriter::begin(trace[0].trace_id, &trace[0]);
    walk(trace, &trace[0], &mut |span, starts| {
        posts.extend(if starts { writer.start(span) } else { writer.end(span) });
    });
    posts.extend(writer.finish(&trace[0]));
    posts
}

fn from_artanis(posts: &[Post]) -> Vec<Span<'static>> {
    let mut reader = artanis::Reader::default();
    posts.iter().for_each(|post| reader.take(&post.path, &post.body).unwrap());
    reader.spans()
}

/// What Artanis carries of a trace, as `platform/artanis.rs` says.
fn carried_by_artanis(mut trace: Vec<Span<'static>>) -> Vec<Span<'static>> {
    let root = trace[0].span_id;
    let mut attributes = trace[0].attributes.clone().into_owned();
    attributes.metadata.extend(std::mem::take(&mut trace[0].metadata).into_owned());
    attributes.session = attributes.session.filter(|session| !session.is_empty());
    let says_more = {
        let mut details = trace[0].details.clone().unwrap_or_default();
        details.states.clear();
        let said = trace[0].status == Status::Ok && trace[0].status_message.is_some();
        let named = trace[0].attributes.name.is_some() || trace[0].version.is_some();
        !details.is_empty() || trace[0].dropped > 0 || said || named
    };
    let id = if says_more { root } else { SpanId::from_seed(artanis::id_of(trace[0].trace_id)) };
    for span in &mut trace {
        span.code = None;
        span.attributes = Cow::Owned(attributes.clone());
        let said = span.details.as_ref().and_then(|details| details.trace.clone()).unwrap_or_default();
        // The input of a trace is posted as it is.
        if span.span_id != root || said.input.is_some() {
            span.input = something(span.input.take());
        }
        span.output = something(span.output.take());
        if span.parent_id == Some(root) {
            span.parent_id = Some(id);
        }
    }
    let first = &mut trace[0];
    (first.span_id, first.start, first.end) = (id, micros(first.start), first.end.map(micros));
    let (start, end) = (first.start, first.end.unwrap_or(first.start));
    if let Some(details) = &mut first.details {
        details.states.sort_by_key(|state| if state.name == State::BEFORE { start } else { end });
    }
    trace
}

proptest! {
    #[test]
    fn artanis_gives_back_what_it_was_told(trace in trace()) {
        let posts = to_artanis(&trace);
        prop_assert_eq!(posts.iter().map(|post| post.spans).sum::<u64>(), trace.len() as u64);
        prop_assert_eq!(by_id(from_artanis(&posts)), by_id(carried_by_artanis(trace)));
    }

    #[test]
    fn artanis_reads_posts_in_any_order(trace in trace(), seed in any::<u64>()) {
        // Of equal times the order of arrival decides, which is that of states here.
        let read = |posts: &[Post]| {
            let mut spans = by_id(from_artanis(posts));
            for details in spans.iter_mut().filter_map(|span| span.details.as_mut()) {
                details.states.sort_by_key(|state| state.name.clone());
            }
            spans
        };
        let mut posts = to_artanis(&trace);
        let before = read(&posts);
        posts.sort_by_key(|post| SpanId::from_seed([&post.body[..], &seed.to_be_bytes()].concat()));
        prop_assert_eq!(read(&posts), before);
    }

    #[test]
    fn tracium_gives_back_what_it_was_told(trace in tracium_trace()) {
        let posts = to_tracium(&trace);
        prop_assert_eq!(posts.iter().map(|post| post.spans).sum::<u64>(), trace.len() as u64);
        prop_assert_eq!(by_id(from_tracium(&posts)), by_id(carried_by_tracium(trace)));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        path in prop_oneof![Just("/api/v1/traces"), Just("/api/v1/observations"), Just("/agents/traces"), Just("/agents/traces/t/spans")],
        body in prop_oneof![vec(any::<u8>(), 0..200), common::json().prop_map(|value| value.to_string().into_bytes())],
    ) {
        let mut reader = tracium::Reader::default();
        reader.take("/agents/traces", br#"{"agent_name":"a","trace_id":"t"}"#).unwrap();
        let _ = reader.take(path, &body);
        reader.spans();
        let mut reader = artanis::Reader::default();
        let _ = reader.take(path, &body);
        reader.spans();
    }
}

/// Spans of one trace with what Tracium can take.
fn tracium_trace() -> impl Strategy<Value = Vec<Span<'static>>> {
    let rest = (any::<bool>(), "[a-zA-Z][a-zA-Z0-9_.-]{0,19}", proptest::option::of("[a-z]{1,9}"), 0..4_u64);
    (trace(), rest).prop_map(|(mut trace, (is_agent, name, session, steps))| {
        let metadata = std::mem::take(&mut trace[0].attributes.to_mut().metadata);
        for (n, span) in trace.iter_mut().enumerate() {
            // Within its limits.
            let is_short = |text: &Cow<'_, str>| text.len() < 2_000;
            span.input = span.input.take().filter(is_short);
            span.output = span.output.take().filter(is_short);
            span.model = span.model.take().map(|model| model.chars().take(200).collect());
            span.status_message = span.status_message.take().map(|text| text.chars().take(9_000).collect());
            span.name = format!("{n} {}", span.name.chars().take(100).collect::<String>()).into();
            let attributes = span.attributes.to_mut();
            *attributes = TraceAttributes {
                session: session.clone(),
                user: attributes.user.as_ref().map(|_| "somebody".to_owned()),
                tags: (0..steps).map(|n| format!("tag {n}")).collect(),
                version: attributes.version.as_ref().map(|_| "2.1".to_owned()),
                metadata: metadata.clone(),
                ..TraceAttributes::default()
            };
            // Children follow their parent, whenever they began.
            if span.status == Status::Running {
                span.end = None;
            }
        }
        let root = &mut trace[0];
        // No other's: a first step of the trace's name is taken for the trace.
        root.name = name.into();
        if is_agent {
            (root.span_type, root.input) = (SpanType::Agent, None);
        }
        if root.span_type == SpanType::Agent && root.input.is_none() {
            root.status = if root.status == Status::Ok { Status::Ok } else { Status::Error };
            root.status_message = (root.status == Status::Error).then(|| "it failed".into());
        }
        trace
    })
}

fn to_tracium(trace: &[Span<'static>]) -> Vec<Post> {
    let (id, root) = (trace[0].trace_id, &trace[0]);
    let (mut writer, mut posts) =
        tracium::TraceWriter::begin(tracium::Settings::default(), id, "{trace}", root);
    walk(trace, root, &mut |span, starts| {
        posts.extend(if starts { writer.start(span) } else { writer.end(span) });
    });
    posts.extend(writer.finish(root));
    posts
}

fn from_tracium(posts: &[Post]) -> Vec<Span<'static>> {
    let (mut reader, mut trace) = (tracium::Reader::default(), None);
    for post in posts {
        let path = post.path.replace("{trace}", trace.as_deref().unwrap_or_default());
        trace = reader.take(&path, &post.body).unwrap().or(trace);
    }
    reader.spans()
}

/// What Tracium carries of a trace, as `platform/tracium.rs` says.
fn carried_by_tracium(mut trace: Vec<Span<'static>>) -> Vec<Span<'static>> {
    let mut attributes = trace[0].attributes.clone().into_owned();
    let root = trace[0].clone();
    if root.status != Status::Ok {
        attributes.metadata.clear();
    }
    for span in &mut trace {
        span.attributes = Cow::Owned(attributes.clone());
        span.metadata = Cow::Owned(Metadata::new());
        (span.level, span.cost, span.version) = (Level::Default, Cost::default(), None);
        (span.code, span.dropped) = (None, 0);
        (span.start, span.end) = (micros(span.start), span.end.map(micros));
        (span.input, span.output) = (something(span.input.take()), something(span.output.take()));
        let (of, usage) = (|plain: Option<u64>, all: Option<u64>| plain.and(all), span.usage);
        let cached = usage.cache_read.unwrap_or_default() + usage.cache_write.unwrap_or_default();
        span.usage = Usage {
            input: of(usage.input, usage.total_input()).map(|all| all - cached),
            output: of(usage.output, usage.total_output()),
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            ..Usage::default()
        };
        let tools = span
            .details
            .take()
            .and_then(|details| details.tools)
            .filter(|tools| tools.as_str().len() < 2_000);
        span.details = tools.map(|tools| Box::new(Details { tools: Some(tools), ..Details::default() }));
        if span.span_id != root.span_id && span.model == root.model {
            span.model = None;
        }
    }
    let said = root.details.as_ref().and_then(|details| details.trace.clone()).unwrap_or_default();
    // An object is a summary as it is, anything else is told as one of the name.
    let summary = said.summary.filter(|_| root.status == Status::Ok);
    let is_something = |json: &Json| json.as_str() != "{}";
    if let Some(summary) = summary.filter(is_something) {
        let details = trace[0].details.get_or_insert_default();
        let value: Value = serde_json::from_str(summary.as_str()).unwrap();
        details.trace.get_or_insert_default().summary = Some(Json::of(&value));
    }
    if root.span_type == SpanType::Agent && root.input.is_none() {
        let id = SpanId::from_seed(root.trace_id.to_string());
        let spans = &mut trace[1..];
        spans.iter_mut().filter(|s| s.parent_id == Some(root.span_id)).for_each(|s| s.parent_id = Some(id));
        let start = spans.iter().map(|span| span.start).min().unwrap_or_default();
        let end = spans.iter().filter_map(|span| span.end).max();
        let output = something(said.output.map(|json| json.to_string().into()).or(root.output));
        let first = &mut trace[0];
        (first.span_id, first.start, first.end, first.usage) = (id, start, end, Usage::default());
        let sorted = |json: Cow<'_, str>| serde_json::from_str::<Value>(&json).unwrap().to_string();
        first.output = output.filter(|_| root.status == Status::Ok).map(sorted).map(Cow::Owned);
        if let Some(details) = &mut first.details {
            details.tools = None;
        }
        first.details = first.details.take().filter(|details| !details.is_empty());
    }
    trace
}

fn example() -> Span<'static> {
    let mut root =
        Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "answer", Timestamp(2_000_000_000));
    (root.end, root.status) = (Some(Timestamp(2_758_900_000)), Status::Ok);
    root
}

fn bodies(posts: &[Post]) -> Vec<(String, Value)> {
    posts.iter().map(|post| (post.path.clone(), serde_json::from_slice(&post.body).unwrap())).collect()
}

#[test]
fn artanis_has_an_output_for_every_ending() {
    for (status, message, output, expected) in [
        (Status::Ok, None, None, json!(null)),
        (Status::Ok, None, Some("[1]"), json!([1])),
        (Status::Error, Some("no answer"), None, json!({"error": "no answer", "status": "error"})),
        (Status::Cancelled, None, Some("1"), json!({"error": null, "status": "cancelled", "output": 1})),
    ] {
        let root = Span {
            status,
            status_message: message.map(Cow::Borrowed),
            output: output.map(Cow::Borrowed),
            ..example()
        };
        let posts = bodies(&to_artanis(&[root]));
        let (observation, trace) = (&posts[posts.len() - 2].1, &posts[posts.len() - 1].1);
        assert_eq!((&observation["type"], &observation["data"]), (&json!("output"), &expected));
        assert_eq!((&trace["status"], &trace["duration_ms"]), (&json!("completed"), &json!(758)));
        assert_eq!(trace["timestamp"], "1970-01-01T00:00:02Z");
    }
}

#[test]
fn artanis_takes_scores_as_feedback_and_what_is_no_rating_as_a_state() {
    let post = |name: &str, value: ScoreValue, comment: Option<&str>| {
        let score = Score {
            name: name.to_owned(),
            value,
            comment: comment.map(ToOwned::to_owned),
            correction: Some(Json::of(&1)),
            ..Score::default()
        };
        bodies(&[artanis::record(TraceId::from_seed("t"), &Record::Score(score))]).remove(0)
    };
    let (path, body) = post("feedback", ScoreValue::Boolean(true), Some("good"));
    assert_eq!(
        (&*path, &body["rating"], &body["comment"]),
        ("/api/v1/feedback", &json!("positive"), &json!("good"))
    );
    assert_eq!(body["correction"], json!({"value": 1}));
    let (_, body) = post("quality", ScoreValue::Numeric(0.25), Some("short"));
    assert_eq!((&body["rating"], &body["comment"]), (&json!(0.25), &json!("quality: short")));
    let (path, body) = post("stars", ScoreValue::Numeric(4.0), None);
    assert_eq!(
        (&*path, &body["key"], &body["data"]["value"]),
        ("/api/v1/observations", &json!("score:stars"), &json!(4.0))
    );

    let metric =
        Metric { name: "chars".to_owned(), value: 5.0, unit: Some("c".to_owned()), ..Metric::default() };
    let (_, body) = bodies(&[artanis::record(TraceId::from_seed("t"), &Record::Metric(metric))]).remove(0);
    assert_eq!((&body["key"], &body["data"]), (&json!("chars"), &json!({"value": 5.0, "unit": "c"})));
}

#[test]
fn feedback_is_read_as_a_score() {
    let mut reader = artanis::Reader::default();
    let id = artanis::id_of(TraceId::from_seed("t"));
    let body = json!({"trace_id": id, "rating": 0.25, "timestamp": "2026-11-21T01:14:32.093088Z", "comment": "too short"});
    reader.take("/api/v1/feedback", body.to_string().as_bytes()).unwrap();
    let score = &reader.scores()[0];
    assert_eq!((&*score.name, &score.value), ("feedback", &ScoreValue::Numeric(0.25)));
    let target = Target { trace_id: Some(TraceId::from_seed("t")), ..Target::default() };
    assert_eq!((score.comment.as_deref(), &score.target), (Some("too short"), &target));
}

#[test]
fn readers_refuse_what_is_too_large_or_has_no_place() {
    let mut artanis = artanis::Reader::default();
    let missing = ReadError::NoSuchPath("/api/v1/spans".to_owned());
    assert_eq!(artanis.take("/api/v1/spans", b"{}"), Err(missing));
    let body = br#"{"trace_id":"t","name":"n","timestamp":"2026-11-21T01:14:32Z","status":"running"}"#;
    let posts = (0..).take_while(|_| artanis.take("/api/v1/traces", body).is_ok()).count();
    assert_eq!(posts, LONGEST / body.len());

    let mut tracium = tracium::Reader::default();
    let name = tracium.take("/agents/traces", br#"{"agent_name":"a"}"#).unwrap().unwrap();
    let spans = format!("/agents/traces/{name}/spans");
    let span = json!({"id": "s", "started_at": "2026-11-21T01:06:39.793874+00:00"});
    tracium.take(&spans, json!({"spans": [span]}).to_string().as_bytes()).unwrap();
    assert_eq!(tracium.spans().len(), 2);
    let many = json!({"spans": vec![&span; 1001]}).to_string();
    assert!(matches!(tracium.take(&spans, many.as_bytes()), Err(ReadError::Malformed(_))));
    assert!(matches!(tracium.take(&spans, br#"{"spans":[{"id":"s"}]}"#), Err(ReadError::Malformed(_))));
    assert!(matches!(tracium.take("/agents/traces/x/spans", b"{}"), Err(ReadError::NoSuchPath(_))));
    assert_eq!(tracium.take("/agents/traces", &vec![b' '; LONGEST + 1]), Err(ReadError::TooLarge));
}
