//! What a process is set to do, it does: which traces it records and sends, and what it says of settings that are wrong.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what the child does then.
#![allow(clippy::print_stdout, reason = "a child tells its results that way")]

#[path = "support/child.rs"]
mod child;

use std::{env, path::Path, process::Output, time::Duration};

use child::{child, said};
use observe::{SpanType, TraceId, agent, current_span, observe, score, span, trace_context};
use observe_store::{RecordQuery, SqliteStore, Store, TraceQuery};
use serde_json::json;

#[observe]
fn checkout() {
    step(true);
}

#[observe]
fn other() {
    step(true);
}

#[observe]
fn step(well: bool) {
    if !well {
        current_span().mark_failed("it went wrong");
    }
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    match env::var("ROLE").unwrap_or_default().as_str() {
        "named" => {
            let _observe = observe::init();
            checkout();
            other();
            span("checkout").sync_scope(|| step(true));
            agent("checkout").lazy().sync_scope(|| step(true));
            span("other").sync_scope(|| step(true));
            let given = || trace_context(TraceId::from_seed("given"), None);
            given().sync_scope(checkout);
            given().sync_scope(|| span("checkout").sync_scope(|| step(true)));
        }
        "many" => {
            let _observe = observe::init();
            for n in 0..200 {
                trace_context(TraceId::from_seed(format!("{n}")), None).sync_scope(other);
            }
        }
        "keep" => {
            let guard = observe::init();
            span("fine").sync_scope(|| step(true));
            span("failed inside").sync_scope(|| {
                step(true);
                step(false);
                step(true);
            });
            println!("left out {}", observe::flush(Duration::from_secs(60)).left_out);
            let undecided = span("undecided").enter();
            step(true);
            drop(guard);
            // Ends in order, with the trace open.
            std::mem::forget(undecided);
            std::process::exit(0);
        }
        "url" => {
            let trace_id = TraceId::from_seed("url");
            let url = || format!("{:?} {:?}", observe::trace_url(), observe::trace_url_for(trace_id));
            println!("before {}", url());
            let _observe = observe::init();
            println!("outside {}", url());
            trace_context(trace_id, None).sync_scope(|| println!("inside {}", url()));
            println!("all {:?}", observe::trace_urls_for(trace_id));
        }
        "again" => {
            let _first = observe::builder().sample_rate(1.0).init();
            let _same = observe::builder().sample_rate(1.0).init();
            let _other = observe::builder().sample_rate(0.5).init();
            let _another = observe::builder().destination(observe::destination::Memory::new()).init();
            checkout();
        }
        "scored" => {
            let _observe = observe::init();
            span("judged").sync_scope(|| {
                step(true);
                score("quality", 0.9).record();
            });
        }
        "priced" => {
            let _observe = observe::init();
            let answer = || {
                let usage = json!({
                    "prompt_tokens": 1_000_000, "completion_tokens": 500_000,
                    "prompt_tokens_details": {"cached_tokens": 500_000},
                    "completion_tokens_details": {"reasoning_tokens": 300_000},
                });
                Ok::<_, String>(json!({"model": "gpt-4o-mini-2024-07-18", "usage": usage}))
            };
            let call = || span(SpanType::Generation).trace_id(TraceId::from_seed("priced"));
            let _ = call().sync_call(answer);
            let _ = call().sync_call(|| answer().inspect(|_| _ = current_span().cost(0.25)));
            let _ = call().model("another").sync_call(answer);
        }
        "plain" => {
            let _observe = observe::init();
            let _again = observe::init();
            checkout();
        }
        _ => {}
    }
}

fn run(role: &str, directory: &Path, variables: &[(&str, &str)]) -> Output {
    let output = child(role).env("OBSERVE_DIR", directory).envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// The line of the child's that begins so, without its beginning.
fn told(output: &Output, begin: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.split_once(begin).map(|(_, rest)| rest.to_owned()));
    line.unwrap_or_else(|| panic!("{begin} is missing in {text}"))
}

/// Root names, empty without a root, and numbers of spans of the traces that arrived.
fn traces(directory: &Path) -> Vec<(String, usize)> {
    let Ok(store) = SqliteStore::open_read_only(directory.join("observe.db")) else { return Vec::new() };
    let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
    let ids = store.traces(&query).unwrap().items.into_iter().map(|t| t.trace_id);
    let mut traces: Vec<_> = ids
        .map(|id| {
            let spans = store.trace(id).unwrap().unwrap().spans;
            let root = spans.iter().find(|s| s.parent_id.is_none());
            (root.map_or_else(String::new, |root| root.name.clone()), spans.len())
        })
        .collect();
    traces.sort();
    traces
}

fn named(traces: &[(&str, usize)]) -> Vec<(String, usize)> {
    traces.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[test]
fn traces_of_one_name_are_sampled_by_a_rate_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    run("named", directory.path(), &[("OBSERVE_SAMPLE_RATE", "0,checkout=1")]);
    assert_eq!(
        traces(directory.path()),
        named(&[("checkout", 2), ("checkout", 2), ("checkout", 2), ("checkout", 4)])
    );
    let directory = tempfile::tempdir().unwrap();
    run("named", directory.path(), &[("OBSERVE_SAMPLE_RATE", "checkout=0")]);
    assert_eq!(traces(directory.path()), named(&[("other", 2), ("other", 2)]));
}

#[test]
fn every_process_samples_the_same_traces() {
    let ids = |directory: &Path| {
        let store = SqliteStore::open_read_only(directory.join("observe.db")).unwrap();
        let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
        let mut ids: Vec<_> = store.traces(&query).unwrap().items.into_iter().map(|t| t.trace_id).collect();
        ids.sort();
        ids
    };
    let [one, other] = [(); 2].map(|()| {
        let directory = tempfile::tempdir().unwrap();
        run("many", directory.path(), &[("OBSERVE_SAMPLE_RATE", "0.5")]);
        ids(directory.path())
    });
    assert_eq!(one, other);
    assert!((50..150).contains(&one.len()), "{}", one.len());
}

#[test]
fn only_traces_that_failed_or_had_not_ended_are_sent_where_only_such_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("keep", directory.path(), &[("OBSERVE_KEEP", "failed")]);
    assert_eq!(told(&output, "left out "), "2");
    let arrived = traces(directory.path());
    assert!(arrived.contains(&("failed inside".to_owned(), 4)), "{arrived:?}");
    assert_eq!(arrived.len(), 2, "{arrived:?}");
}

#[test]
fn a_trace_that_took_longer_than_the_limit_is_sent() {
    let directory = tempfile::tempdir().unwrap();
    run("named", directory.path(), &[("OBSERVE_KEEP", "slow:0ms")]);
    assert_eq!(traces(directory.path()).len(), 6);
    let directory = tempfile::tempdir().unwrap();
    run("named", directory.path(), &[("OBSERVE_KEEP", "failed,slow:3600s")]);
    assert!(traces(directory.path()).is_empty());
}

#[test]
fn a_trace_has_an_address_at_the_local_viewer() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("url", directory.path(), &[]);
    let id = TraceId::from_seed("url");
    let url = format!("http://127.0.0.1:4319/traces/{id}");
    assert_eq!(told(&output, "before "), "None None");
    assert_eq!(told(&output, "outside "), format!("None Some({url:?})"));
    assert_eq!(told(&output, "inside "), format!("Some({url:?}) Some({url:?})"));
    assert_eq!(told(&output, "all "), format!("[(\"local\", {url:?})]"));
    let elsewhere = run("url", directory.path(), &[("OBSERVE_VIEWER", "https://traces.example/")]);
    assert_eq!(told(&elsewhere, "outside "), format!("None Some(\"https://traces.example/traces/{id}\")"));
    let unsampled = run("url", directory.path(), &[("OBSERVE_SAMPLE_RATE", "0")]);
    assert_eq!(told(&unsampled, "inside "), format!("None Some({url:?})"));
}

#[test]
fn the_first_set_up_counts_and_another_one_is_said_to_be_refused_once() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("again", directory.path(), &[]);
    let said = said(&output);
    assert!(said.len() == 1 && said[0].contains("set up already"), "{said:?}");
    assert_eq!(traces(directory.path()), named(&[("checkout", 2)]));
}

#[test]
fn a_wrong_variable_is_said_once_with_what_is_right_and_the_program_records_on() {
    let directory = tempfile::tempdir().unwrap();
    let wrong = [
        ("OBSERVE_SAMPLERATE", "0"),
        ("OBSERVE_SAMPLE_RATE", "lots"),
        ("OBSERVE_ENVIRONMENT", "Prod 1"),
        ("OBSERVE_DESTINATIONS", "local,lokal"),
    ];
    let output = run("plain", directory.path(), &wrong);
    let said = said(&output);
    let expected = [
        "OBSERVE_SAMPLERATE is no setting of ours and is ignored: did you mean OBSERVE_SAMPLE_RATE?",
        "OBSERVE_SAMPLE_RATE=lots is ignored: expected a number from 0 to 1",
        "environment `Prod 1` is recorded as `prod-1`",
        "OBSERVE_DESTINATIONS names `lokal`",
    ];
    for text in expected {
        assert_eq!(said.iter().filter(|line| line.contains(text)).count(), 1, "{text}: {said:?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:?}");
    assert_eq!(traces(directory.path()), named(&[("checkout", 2)]));
}

#[test]
fn opentelemetrys_switch_turns_recording_off() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("plain", directory.path(), &[("OTEL_SDK_DISABLED", "true")]);
    assert_eq!((said(&output), traces(directory.path())), (vec![], vec![]));
    let on = [("OTEL_SDK_DISABLED", "true"), ("OBSERVE_ENABLED", "true")];
    run("plain", directory.path(), &on);
    assert_eq!(traces(directory.path()), named(&[("checkout", 2)]));
}

#[test]
fn scores_can_be_left_out_while_spans_are_recorded() {
    for (value, expected) in [("on", 1), ("off", 0)] {
        let directory = tempfile::tempdir().unwrap();
        run("scored", directory.path(), &[("OBSERVE_SCORES", value)]);
        let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
        let scores = store.scores(&RecordQuery::default()).unwrap().items.len();
        assert_eq!((scores, traces(directory.path())), (expected, named(&[("judged", 2)])), "{value}");
    }
}

#[test]
fn a_call_costs_what_its_tokens_do_where_nobody_says_it() {
    let directory = tempfile::tempdir().unwrap();
    let output = run("priced", directory.path(), &[("OBSERVE_PRICES", "gpt-4o-mini*=1/10/0.5,gpt-4o*=9/9")]);
    assert!(said(&output).is_empty(), "{output:?}");
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let trace = store.trace(TraceId::from_seed("priced")).unwrap().unwrap();
    let costs: Vec<_> =
        trace.spans.iter().map(|span| (span.cost_input, span.cost_output, span.cost)).collect();
    // Half a million tokens at $1, as many from the cache at $0.5, and as many of output, reasoning among them, at $10.
    let (input, output) = (0.75, 5.0);
    let expected =
        [(Some(input), Some(output), Some(input + output)), (None, None, Some(0.25)), (None, None, None)];
    assert_eq!(costs, expected);
    assert_eq!(trace.summary.totals.cost, Some(input + output + 0.25));
}

#[test]
fn release_and_environment_are_recorded_with_every_trace() {
    let directory = tempfile::tempdir().unwrap();
    let set = [("OBSERVE_RELEASE", "2.1.0"), ("OBSERVE_ENVIRONMENT", "QA 2")];
    run("named", directory.path(), &set);
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let traces = store.traces(&TraceQuery::default()).unwrap().items;
    assert_eq!(traces.len(), 6);
    for trace in traces {
        assert_eq!((trace.release.as_deref(), trace.environment.as_deref()), (Some("2.1.0"), Some("qa-2")));
    }
}
