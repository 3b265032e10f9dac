//! What was said of spans and traces, and scores and metrics, is what the questions answer.

use observe_model::{
    Cost, Details, Event, Json, Metadata, Metric, Record, Score, ScoreValue, Span, State, Status, Target,
    Timestamp, TraceAttributes, TraceUpdate,
};
use observe_store::{RecordQuery, SqliteStore, Store, TraceQuery};

use crate::common::*;

fn details() -> Details {
    let state = |name: &str, value| State { name: name.into(), value: Json::from_text(value) };
    Details {
        // Long enough to lie among the payloads.
        states: vec![state("before", "[1]".to_owned()), state("after", format!("\"{}\"", "x".repeat(5_000)))],
        events: vec![Event { name: "retry".into(), at: Timestamp(3), attributes: Metadata::new() }],
        time_to_first: Some(7),
        ..Details::default()
    }
}

fn update(at: u64, name: &str, failed: Option<&str>) -> TraceUpdate {
    TraceUpdate {
        at: Timestamp(at),
        attributes: TraceAttributes { name: Some(name.into()), ..TraceAttributes::default() },
        input: Some(Json::from_text(format!("{{\"question\":\"{name}\"}}"))),
        failed: failed.map(str::to_owned),
        ..TraceUpdate::default()
    }
}

#[test]
fn what_was_said_of_a_span_comes_back_whole() {
    let (_directory, mut store) = temporary();
    let mut written = span(1, 1, 0, 1);
    written.details = Some(Box::new(details()));
    written.cost = Cost::new(0.25, 0.5);
    write(&mut store, &[written]);
    let trace = store.trace(trace_id(1)).unwrap().unwrap();
    let found = &trace.spans[0];
    assert_eq!(found.details, Some(details()));
    assert_eq!((found.cost_input, found.cost_output, found.cost), (Some(0.25), Some(0.5), Some(0.75)));
}

#[test]
fn what_was_said_of_a_trace_wins_over_its_root_and_the_latest_word_over_all() {
    let (_directory, mut store) = temporary();
    let mut root = span(1, 1, 0, 1);
    root.input = Some("\"root's\"".into());
    root.attributes.to_mut().merge(&update(5, "late", None).attributes);
    root.details = Some(Box::new(Details { trace: Some(update(5, "late", None)), ..Details::default() }));
    let mut detached = span(1, 2, 1, 2);
    let said = update(4, "early", Some("no answer"));
    detached.details = Some(Box::new(Details { trace: Some(said), ..Details::default() }));
    write(&mut store, &[detached, root]);
    let row = &store.traces(&TraceQuery::default()).unwrap().items[0];
    assert_eq!(
        (row.name.as_str(), row.status, row.status_message.as_deref()),
        ("late", Status::Error, Some("no answer"))
    );
    assert_eq!(row.input.as_deref(), Some(r#"{"question":"late"}"#));
    let trace = store.trace(trace_id(1)).unwrap().unwrap();
    let said = trace.said.unwrap();
    assert_eq!((said.attributes.name.as_deref(), said.failed.as_deref()), (Some("late"), Some("no answer")));
    assert_eq!(trace.spans[0].input.as_ref().unwrap().get(), "\"root's\"", "its own input stays apart");
}

#[test]
fn a_trace_is_called_what_was_said_last_also_where_its_root_had_ended_by_then() {
    let (_directory, mut store) = temporary();
    let scope = TraceAttributes { name: Some("scope's".into()), ..TraceAttributes::default() };
    let with = |mut span: Span<'static>, said: TraceUpdate| {
        span.attributes.to_mut().merge(&scope);
        span.attributes.to_mut().merge(&said.attributes);
        span.details = Some(Box::new(Details { trace: Some(said), ..Details::default() }));
        span
    };
    let root = with(span(1, 1, 0, 1), update(4, "early", None));
    // It says nothing of the name: that of the scope around it is older than what was said.
    let attributes = TraceAttributes { version: Some("3".into()), ..TraceAttributes::default() };
    let silent = TraceUpdate { at: Timestamp(5), attributes, ..TraceUpdate::default() };
    write(&mut store, &[root, with(span(1, 2, 1, 2), silent)]);
    let row = |store: &SqliteStore| store.traces(&TraceQuery::default()).unwrap().items.remove(0);
    assert_eq!((row(&store).name, row(&store).version.as_deref()), ("early".into(), Some("3")));
    let mut late = update(6, "late", None);
    late.attributes.environment = Some("staging".into());
    late.attributes.release = Some("r7".into());
    write(&mut store, &[with(span(1, 3, 1, 3), late)]);
    let row = row(&store);
    assert_eq!((row.name.as_str(), row.version.as_deref()), ("late", Some("3")));
    assert_eq!((row.environment.as_deref(), row.release.as_deref()), (Some("staging"), Some("r7")));
}

fn score(id: &str, name: &str, at: u64, value: ScoreValue, target: Target) -> Record {
    let (id, name) = (id.to_owned(), name.to_owned());
    Record::Score(Score { id, name, value, target, at: Timestamp(at), ..Score::default() })
}

fn about(n: u64) -> Target {
    Target { trace_id: Some(trace_id(n)), ..Target::default() }
}

fn names(store: &SqliteStore, query: &RecordQuery) -> Vec<String> {
    store.scores(query).unwrap().items.into_iter().map(|score| score.record.name).collect()
}

#[test]
fn a_score_given_again_under_its_id_replaces_what_it_was() {
    let (_directory, mut store) = temporary();
    let whole = Score {
        id: "a".into(),
        name: "quality".into(),
        value: ScoreValue::Categorical("good".into()),
        target: Target { trace_id: Some(trace_id(1)), span_id: Some(span_id(2)), session: Some("s".into()) },
        at: Timestamp(9),
        comment: Some("because".into()),
        correction: Some(Json::from_text("{\"b\":1.10}")),
        metadata: Metadata::from_iter([("judge".into(), "m".into())]),
        author: Some("ada".into()),
    };
    let before = score("a", "quality", 1, ScoreValue::Numeric(0.5), about(1));
    store.write_records(&project("p"), &[before, Record::Score(whole.clone())]).unwrap();
    let scores = store.scores(&RecordQuery::default()).unwrap().items;
    assert_eq!((scores.len(), scores[0].project.as_str(), &scores[0].record), (1, "p", &whole));
    write(&mut store, &[span(1, 1, 0, 1)]);
    assert_eq!(store.trace(trace_id(1)).unwrap().unwrap().scores, scores);
}

#[test]
fn scores_are_listed_newest_first_page_by_page_and_by_what_they_are_about() {
    let (_directory, mut store) = temporary();
    let session = Target { session: Some("s".into()), ..Target::default() };
    let records = [
        score("1", "one", 1, true.into(), about(1)),
        score("2", "two", 2, 2.into(), about(2)),
        score("3", "three", 3, "x".into(), session),
    ];
    store.write_records(&project("p"), &records).unwrap();
    let all = RecordQuery::default();
    assert_eq!(names(&store, &all), ["three", "two", "one"]);
    assert_eq!(names(&store, &RecordQuery { trace: Some(trace_id(2)), ..all.clone() }), ["two"]);
    assert_eq!(names(&store, &RecordQuery { session: Some("s".into()), ..all.clone() }), ["three"]);
    assert_eq!(names(&store, &RecordQuery { name: Some("one".into()), ..all.clone() }), ["one"]);
    assert!(names(&store, &RecordQuery { project: Some("q".into()), ..all.clone() }).is_empty());
    let first = store.scores(&RecordQuery { limit: 2, ..all.clone() }).unwrap();
    assert_eq!(first.items.len(), 2);
    assert_eq!(names(&store, &RecordQuery { after: first.next, ..all }), ["one"]);
}

#[test]
fn metrics_come_back_as_they_were_recorded_and_one_that_is_no_number_costs_only_itself() {
    let (_directory, mut store) = temporary();
    let metric = |id: &str, value| Metric {
        id: id.into(),
        name: "chars".into(),
        value,
        unit: Some("chars".into()),
        tags: vec!["b".into(), "a".into()],
        target: about(1),
        at: Timestamp(1),
    };
    let records = [Record::Metric(metric("1", f64::NAN)), Record::Metric(metric("2", 5.0))];
    store.write_records(&project("p"), &records).unwrap();
    let found =
        store.metrics(&RecordQuery { trace: Some(trace_id(1)), ..RecordQuery::default() }).unwrap().items;
    assert_eq!((found.len(), &found[0].record), (1, &metric("2", 5.0)));
}
