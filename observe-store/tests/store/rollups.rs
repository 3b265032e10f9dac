//! Roll-ups equal what the spans say, however they arrive.

use std::collections::BTreeMap;

use observe_model::{Level, Span, SpanId, Status, Usage};
use observe_store::{SessionQuery, SqliteStore, Store, Totals, TraceQuery};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::common::*;

/// Any state of one of few spans of few traces, so that most are written again and again.
fn any_span() -> impl Strategy<Value = Span<'static>> {
    let ids = (1..4_u64, 1..7_u64).prop_flat_map(|(trace, id)| (Just(trace), Just(id), 0..id));
    let times = (0..60_u64, option::of(0..90_u64));
    let numbers = (option::of(1..9_u64), option::of(1..9_u32), 0..3_u64);
    let words = (option::of(select(vec!["s1", "s2"])), option::of(select(vec!["u1", "u2"])));
    let states = (select(Status::ALL), select(Level::ALL));
    (ids, times, numbers, words, states).prop_map(
        |((trace, id, parent), (start, end), (tokens, cost, dropped), (session, user), (status, level))| {
            let mut span = span(trace, id, parent, start);
            span.end = end.map(observe_model::Timestamp);
            span.status = status;
            span.level = level;
            span.usage = Usage { output: tokens, ..Usage::default() };
            span.cost.total = cost.map(|quarters| f64::from(quarters) / 4.0);
            span.dropped = dropped;
            span.input = Some(format!("{id}-{start}").into());
            let attributes = span.attributes.to_mut();
            attributes.session = session.map(str::to_owned);
            attributes.user = user.map(str::to_owned);
            attributes.tags = user.map(str::to_owned).into_iter().collect();
            span
        },
    )
}

/// Whether a span in this state has no end yet, or never will.
fn is_open(status: Status) -> bool {
    matches!(status, Status::Running | Status::Interrupted)
}

/// The spans as they should stand in the end: the last write of each, but one without an end changes no ended one.
fn last_states(writes: &[Span<'static>]) -> Vec<Span<'static>> {
    let mut states = BTreeMap::new();
    for write in writes {
        let state = states.entry((write.trace_id, write.span_id)).or_insert_with(|| write.clone());
        if !is_open(write.status) || is_open(state.status) {
            *state = write.clone();
        }
    }
    states.into_values().collect()
}

/// Whether `below` is under `above`, by following parents one at a time.
fn is_under(spans: &[&Span<'_>], below: &Span<'_>, above: SpanId) -> bool {
    let parent = below.parent_id.and_then(|id| spans.iter().find(|s| s.span_id == id));
    parent.is_some_and(|parent| parent.span_id == above || is_under(spans, parent, above))
}

/// The sums of one trace by the letter of their definition.
fn totals(spans: &[&Span<'_>]) -> Totals {
    let counts = |span: &&&Span<'_>, reports: fn(&Span<'_>) -> bool| {
        reports(span) && !spans.iter().any(|below| reports(below) && is_under(spans, below, span.span_id))
    };
    let costs = spans.iter().filter(|s| counts(s, |s| !s.cost.is_unknown())).filter_map(|s| s.cost.total());
    let tokens = spans.iter().filter(|s| counts(s, |s| !s.usage.is_unknown())).filter_map(|s| s.usage.output);
    Totals {
        spans: spans.len() as u64,
        errors: spans.iter().filter(|s| s.status == Status::Error).count() as u64,
        warnings: spans.iter().filter(|s| s.level == Level::Warning).count() as u64,
        debugs: spans.iter().filter(|s| s.level == Level::Debug).count() as u64,
        dropped: spans.iter().map(|s| s.dropped).sum(),
        usage: Usage { output: tokens.reduce(|a, b| a + b), ..Usage::default() },
        cost: costs.reduce(|a, b| a + b),
    }
}

/// Both lists as JSON.
fn lists(store: &SqliteStore) -> serde_json::Value {
    let sessions = store.sessions(&SessionQuery::default()).unwrap();
    let traces = store.traces(&TraceQuery::default()).unwrap();
    serde_json::json!([sessions, traces])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rollups_depend_on_the_last_state_of_the_spans_alone(writes in vec(any_span(), 1..60), batch in 1..9_usize) {
        let (_directory, mut store) = temporary();
        for spans in writes.chunks(batch) {
            write(&mut store, spans);
        }
        let states = last_states(&writes);
        let (_directory, mut fresh) = temporary();
        write(&mut fresh, &states);
        prop_assert_eq!(lists(&store), lists(&fresh));

        let mut sessions: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for trace in store.traces(&TraceQuery::default()).unwrap().items {
            let spans: Vec<_> = states.iter().filter(|s| s.trace_id == trace.trace_id).collect();
            let last = spans.iter().map(|s| s.end.unwrap_or(s.start).max(s.start)).max().unwrap();
            prop_assert_eq!(Some(trace.start), spans.iter().map(|s| s.start).min());
            prop_assert_eq!(trace.duration_ns, last.since(trace.start));
            prop_assert_eq!(trace.end, (trace.status != Status::Running).then_some(last));
            prop_assert_eq!(&trace.totals, &totals(&spans));
            if let Some(root) = spans.iter().filter(|s| s.parent_id.is_none()).min_by_key(|s| (s.start, s.span_id)) {
                prop_assert_eq!((&*trace.name, trace.status), (&*root.name, root.status));
                prop_assert_eq!(trace.input.as_deref(), root.input.as_deref());
            }
            if let Some(session) = trace.session {
                let sums = sessions.entry(session).or_default();
                *sums = (sums.0 + trace.totals.spans, sums.1 + trace.duration_ns, sums.2 + trace.totals.dropped);
            }
        }
        let listed = store.sessions(&SessionQuery::default()).unwrap().items;
        let listed: BTreeMap<_, _> =
            listed.into_iter().map(|s| (s.session, (s.totals.spans, s.active_ns, s.totals.dropped))).collect();
        prop_assert_eq!(listed, sessions);
    }
}

#[test]
fn an_agent_that_repeats_its_model_calls_usage_is_counted_once() {
    let (_directory, mut store) = temporary();
    let mut spans = [span(1, 1, 0, 1), span(1, 2, 1, 2), span(1, 3, 1, 3)];
    for (span, tokens) in spans.iter_mut().zip([30, 10, 20]) {
        span.usage = Usage::new(tokens, 1);
    }
    spans[0].cost = 0.5.into();
    write(&mut store, &spans);
    let totals = store.trace(trace_id(1)).unwrap().unwrap().summary.totals;
    assert_eq!(totals.usage, Usage::new(30, 2));
    assert_eq!(totals.cost, Some(0.5), "no model call says what it cost, so the agent's word counts");
}

#[test]
fn a_trace_moves_to_the_session_that_becomes_known_later() {
    let (_directory, mut store) = temporary();
    let sessions = |store: &SqliteStore| {
        let items = store.sessions(&SessionQuery::default()).unwrap().items;
        items.into_iter().map(|s| (s.session, s.traces, s.totals.spans)).collect::<Vec<_>>()
    };
    write(&mut store, &[span(1, 2, 1, 10)]);
    assert!(sessions(&store).is_empty());
    write(&mut store, &[in_session(span(1, 3, 1, 11), "first")]);
    assert_eq!(sessions(&store), [("first".into(), 1, 2)]);
    write(&mut store, &[in_session(span(1, 1, 0, 5), "root's")]);
    assert_eq!(sessions(&store), [("root's".into(), 1, 3)]);
}

#[test]
fn a_running_span_is_updated_in_place_and_never_set_back() {
    let (_directory, mut store) = temporary();
    let mut running = span(1, 1, 0, 5);
    running.status = Status::Running;
    running.end = None;
    let state = |store: &SqliteStore| {
        let trace = store.trace(trace_id(1)).unwrap().unwrap();
        (trace.summary.status, trace.summary.end.is_some(), trace.spans.len(), trace.spans[0].status)
    };
    write(&mut store, &[running.clone()]);
    assert_eq!(state(&store), (Status::Running, false, 1, Status::Running));
    write(&mut store, &[span(1, 1, 0, 5)]);
    assert_eq!(state(&store), (Status::Ok, true, 1, Status::Ok));
    write(&mut store, &[running.clone()]);
    assert_eq!(state(&store), (Status::Ok, true, 1, Status::Ok));
    // The journal of a process that was killed right after the span had ended.
    running.status = Status::Interrupted;
    write(&mut store, &[running]);
    assert_eq!(state(&store), (Status::Ok, true, 1, Status::Ok));
}

#[test]
fn what_a_journal_brings_back_fills_in_and_replaces_nothing_that_ended() {
    let (_directory, mut store) = temporary();
    let (mut ended, mut open) = (span(1, 1, 0, 5), span(1, 2, 1, 5));
    ended.model = Some("said before".into());
    (open.status, open.end, open.dropped) = (Status::Running, None, 4);
    write(&mut store, &[ended, open]);
    // The journal has the ends of both, and not what was said of the first.
    store.write_missing(&project("p"), &[span(1, 1, 0, 5), span(1, 2, 1, 5), span(1, 3, 1, 6)]).unwrap();
    let trace = store.trace(trace_id(1)).unwrap().unwrap();
    let told: Vec<_> = trace.spans.iter().map(|s| (s.status, s.model.as_deref(), s.dropped)).collect();
    assert_eq!(told, [(Status::Ok, Some("said before"), 0), (Status::Ok, None, 4), (Status::Ok, None, 0)]);
}

#[test]
fn a_trace_whose_root_never_comes_takes_its_earliest_span_for_it() {
    let (_directory, mut store) = temporary();
    let mut running = span(1, 3, 9, 20);
    running.status = Status::Running;
    write(&mut store, &[running, span(1, 2, 9, 10)]);
    let trace = store.trace(trace_id(1)).unwrap().unwrap().summary;
    assert_eq!((&*trace.name, trace.status), ("span 2", Status::Running));
    write(&mut store, &[span(1, 3, 9, 20)]);
    assert_eq!(store.trace(trace_id(1)).unwrap().unwrap().summary.status, Status::Ok);
}

#[test]
fn numbers_beyond_what_sqlite_holds_are_cut_and_never_wrap() {
    let (_directory, mut store) = temporary();
    let huge = |id| {
        let mut span = in_session(span(id, id, 0, u64::MAX - 100), "s");
        span.usage = Usage::new(u64::MAX, u64::MAX);
        span.cost = f64::NAN.into();
        span
    };
    write(&mut store, &[huge(1), huge(2)]);
    let summary = store.session(None, "s").unwrap().unwrap().summary;
    assert_eq!(summary.totals.usage.input, Some(i64::MAX as u64));
    assert_eq!(summary.start.0, i64::MAX as u64);
    assert_eq!(summary.totals.cost, None);
}
