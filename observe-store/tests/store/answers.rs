//! What was written is what the questions answer.

use std::collections::BTreeSet;

use crate::common::*;
use observe_model::{Code, Level, Metadata, Status, Timestamp, TraceAttributes, Usage};
use observe_store::{Error, SessionQuery, SqliteStore, Store, TraceQuery};

#[test]
fn a_span_comes_back_as_it_was_written() {
    let (_directory, mut store) = temporary();
    let long = format!("{{\"b\":1.10,\"a\":\"{}\"}}", "\u{e9}".repeat(500));
    let mut written = span(1, 2, 9, 1_000);
    written.input = Some(long.as_str().into());
    written.output = Some("not json".into());
    written.status = Status::Error;
    written.status_message = Some("boom".into());
    written.level = Level::Warning;
    written.metadata = std::borrow::Cow::Owned(Metadata::from_iter([("k".into(), 1.into())]));
    written.model = Some("m".into());
    written.usage = Usage { input: Some(u64::MAX), ..Usage::new(0, 2) };
    written.cost = 0.25.into();
    written.version = Some("v".into());
    written.dropped = 3;
    written.code = Some(Code { function: "f".into(), file: "a.rs".into(), line: 7 });
    written.attributes = std::borrow::Cow::Owned(TraceAttributes {
        session: Some("s".into()),
        user: Some("u".into()),
        tags: vec!["t".into()],
        metadata: Metadata::from_iter([("scope".into(), true.into())]),
        ..TraceAttributes::default()
    });
    write(&mut store, &[written]);

    let trace = store.trace(trace_id(1)).unwrap().unwrap();
    let detail = &trace.spans[0];
    assert_eq!(detail.input.as_ref().unwrap().get(), long);
    assert_eq!(detail.output.as_ref().unwrap().get(), "\"not json\"");
    let mut json = serde_json::to_value(&trace).unwrap();
    assert_eq!(json["input"], long.chars().take(200).collect::<String>());
    let expected = serde_json::json!({
        "span_id": "0000000000000002", "parent_id": "0000000000000009", "depth": 0, "name": "span 2",
        "span_type": "span", "status": "error", "status_message": "boom", "level": "warning",
        "start": "1970-01-01T00:00:00.000001Z".parse::<Timestamp>().unwrap(), "offset_ns": 0, "duration_ns": 10,
        "input": null, "output": "not json", "metadata": {"k": 1}, "trace_metadata": {"scope": true},
        "session": "s", "user": "u", "tags": ["t"], "model": "m",
        "usage": {"input": i64::MAX, "output": 2}, "cost": 0.25, "cost_input": null, "cost_output": null,
        "version": "v", "function": "f", "location": "a.rs:7", "dropped": 3, "details": null,
    });
    json["spans"][0]["input"] = serde_json::Value::Null;
    assert_eq!(json["spans"][0], expected);
    assert_eq!(trace.summary.totals.errors, 1);
    assert_eq!((trace.summary.totals.warnings, trace.summary.totals.dropped), (1, 3));
}

#[test]
fn nothing_is_found_where_nothing_was_written() {
    let (_directory, store) = temporary();
    assert!(store.sessions(&SessionQuery::default()).unwrap().items.is_empty());
    assert!(store.traces(&TraceQuery::default()).unwrap().items.is_empty());
    assert!(store.session(None, "s").unwrap().is_none());
    assert!(store.trace(trace_id(1)).unwrap().is_none());
}

#[test]
fn a_session_shows_its_turns_in_order_each_with_its_tree() {
    let (_directory, mut store) = temporary();
    let turn = |n: u64| {
        let base = n * 1_000;
        // Written child first, siblings out of order.
        [span(n, 3, 1, base + 200), span(n, 2, 1, base + 100), in_session(span(n, 1, 0, base), "s")]
    };
    for n in [2, 3, 1] {
        write(&mut store, &turn(n));
    }
    let session = store.session(Some("p"), "s").unwrap().unwrap();
    let turns: Vec<_> = session.turns.iter().map(|t| t.summary.trace_id).collect();
    assert_eq!(turns, [1, 2, 3].map(trace_id));
    for turn in &session.turns {
        let tree: Vec<_> = turn.spans.iter().map(|s| (s.span_id, s.depth, s.offset_ns)).collect();
        assert_eq!(tree, [(span_id(1), 0, 0), (span_id(2), 1, 100), (span_id(3), 1, 200)]);
        let alone = store.trace(turn.summary.trace_id).unwrap().unwrap();
        assert_eq!(serde_json::to_value(&alone).unwrap(), serde_json::to_value(turn).unwrap());
    }
    assert_eq!((session.turns[0].previous, session.turns[0].next), (None, Some(trace_id(2))));
    assert_eq!((session.turns[2].previous, session.turns[2].next), (Some(trace_id(2)), None));
}

#[test]
fn the_same_session_id_in_two_projects_is_two_sessions() {
    let (_directory, mut store) = temporary();
    store.write(&project("a"), &[in_session(span(1, 1, 0, 2_000), "s")]).unwrap();
    store.write(&project("b"), &[in_session(span(2, 1, 0, 1_000), "s")]).unwrap();
    let of = |project| store.session(project, "s").unwrap().map(|s| (s.summary.project, s.summary.traces));
    assert_eq!(of(Some("b")), Some(("b".into(), 1)));
    assert_eq!(of(None), Some(("a".into(), 1)), "the one that was active last");
    assert_eq!(of(Some("c")), None);
    assert_eq!(store.trace(trace_id(1)).unwrap().unwrap().previous, None);
}

/// Follows the cursors of both lists to their end.
fn walk(store: &SqliteStore, limit: usize, project: Option<&str>) -> (Vec<String>, Vec<String>) {
    let (mut sessions, mut traces) = (Vec::new(), Vec::new());
    let project = project.map(str::to_owned);
    let mut query = SessionQuery { project: project.clone(), limit, after: None };
    loop {
        let page = store.sessions(&query).unwrap();
        sessions.extend(page.items.into_iter().map(|s| s.session));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let mut query = TraceQuery { project, limit, ..TraceQuery::default() };
    loop {
        let page = store.traces(&query).unwrap();
        assert!(page.items.len() <= limit);
        traces.extend(page.items.into_iter().map(|t| t.trace_id.to_string()));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    (sessions, traces)
}

#[test]
fn pages_show_every_row_once_newest_first_also_where_times_are_equal() {
    let (_directory, mut store) = temporary();
    for n in 1..=30 {
        let span = in_session(span(n, 1, 0, 1_000 * (n / 4)), &format!("s{n:02}"));
        store.write(&project(if n % 3 == 0 { "a" } else { "b" }), &[span]).unwrap();
    }
    for (project, count) in [(None, 30), (Some("a"), 10), (Some("b"), 20)] {
        let whole = walk(&store, 1_000, project);
        assert_eq!(whole.0.iter().collect::<BTreeSet<_>>().len(), count);
        assert_eq!(whole.1.iter().collect::<BTreeSet<_>>().len(), count);
        assert!(whole.1.is_sorted_by(|a, b| a > b), "ids grow with time here");
        for limit in [1, 4, 7, 10] {
            assert_eq!(walk(&store, limit, project), whole);
        }
    }
}

#[test]
fn traces_are_filtered_by_project_session_and_status_together() {
    let (_directory, mut store) = temporary();
    for n in 1..=16 {
        let mut span = span(n, 1, 0, n * 100);
        if n & 1 > 0 {
            span.status = Status::Error;
        }
        let span = in_session(span, if n & 2 > 0 { "s" } else { "t" });
        store.write(&project(if n & 4 > 0 { "a" } else { "b" }), &[span]).unwrap();
    }
    for status in [None, Some(Status::Error), Some(Status::Ok)] {
        for session in [None, Some("s".to_owned())] {
            for project in [None, Some("a".to_owned())] {
                let expected = [status.is_some(), session.is_some(), project.is_some()]
                    .into_iter()
                    .fold(16, |n, filtered| if filtered { n / 2 } else { n });
                let query = TraceQuery { project, session: session.clone(), status, ..TraceQuery::default() };
                let page = store.traces(&query).unwrap();
                assert_eq!(page.items.len(), expected, "{query:?}");
                for trace in page.items {
                    assert!(query.project.as_ref().is_none_or(|p| *p == trace.project));
                    assert!(query.session.is_none() || query.session == trace.session);
                    assert!(status.is_none_or(|s| s == trace.status));
                }
            }
        }
    }
}

#[test]
fn a_page_holds_50_rows_unless_asked_and_never_more_than_1000() {
    let (_directory, mut store) = temporary();
    let spans: Vec<_> = (1..=1_001).map(|n| span(n, 1, 0, n)).collect();
    write(&mut store, &spans);
    let rows = |limit| store.traces(&TraceQuery { limit, ..TraceQuery::default() }).unwrap().items.len();
    assert_eq!([rows(0), rows(3), rows(usize::MAX)], [50, 3, 1_000]);
}

#[test]
fn a_cursor_of_another_list_is_refused() {
    let (_directory, mut store) = temporary();
    write(&mut store, &[in_session(span(1, 1, 0, 1), "s"), in_session(span(2, 1, 0, 1), "s2")]);
    let after = store.traces(&TraceQuery { limit: 1, ..TraceQuery::default() }).unwrap().next;
    assert!(after.is_some());
    let error = store.sessions(&SessionQuery { after, ..SessionQuery::default() }).unwrap_err();
    assert!(matches!(error, Error::Cursor), "{error}");
    let after = Some("%' OR 1".to_owned());
    assert!(matches!(store.traces(&TraceQuery { after, ..TraceQuery::default() }), Err(Error::Cursor)));
}

#[test]
fn the_change_counter_moves_when_anybody_writes_and_rests_otherwise() {
    let (directory, mut store) = temporary();
    let reader = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let before = (store.change_counter().unwrap(), reader.change_counter().unwrap());
    assert_eq!(before, (store.change_counter().unwrap(), reader.change_counter().unwrap()));
    write(&mut store, &[span(1, 1, 0, 1)]);
    assert_ne!(store.change_counter().unwrap(), before.0);
    assert_ne!(reader.change_counter().unwrap(), before.1);
}
