//! Values that are no good: kept as given where that is harmless, else normalised, which is said once. Nothing else that
//! is recorded is lost for them.
//!
//! The test runs this binary again with `ROLE` set, to see what it says on stderr; [`role`] is what the child does then.

#[path = "support/child.rs"]
mod child;

use std::{env, path::Path};

use child::{child, said};
use observe::{
    Cost, ScoreValue, Status, TraceId, attributes, current_span, current_trace, metric, observe, score,
    session,
};
use observe_store::{RecordQuery, SqliteStore, Store};
use serde_json::{Value, json, value::RawValue};

/// A value that no Rust string can hold, as JSON of other languages may.
fn foreign() -> Box<RawValue> {
    RawValue::from_string(r#"{"text":"a\ud800b \ud83d\ude00"}"#.to_owned()).unwrap()
}

const MENDED: &str = "a\u{fffd}b \u{1f600}";

const CONTROL: &str = "\0\u{1b}[31m\u{7}\r\n\u{202e}";

#[observe(trace_id = TraceId::from_seed("foreign"))]
fn takes_foreign(value: Box<RawValue>) -> Box<RawValue> {
    current_span()
        .metadata("kept", 1)
        .metadata("foreign", &value)
        .parameters(json!({"temperature": 0.5}))
        .parameters(&value)
        .event("odd", &value)
        .state("odd", &value)
        .input_field("more", &value);
    current_trace().metadata("foreign", &value).summary(&value);
    score("foreign", 1).metadata("foreign", &value).correction(&value).record();
    value
}

#[observe(trace_id = TraceId::from_seed("numbers"))]
fn says_no_numbers() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        current_span().cost(Cost { output: Some(0.5), ..bad.into() });
        score("no number", bad).record();
        metric("no number", bad).persist().record();
    }
    metric("number", 1).persist().record();
}

/// As one provider in trouble answered.
#[observe(as_type = "generation", trace_id = TraceId::from_seed("negatives"))]
fn says_negatives() -> Value {
    current_span().cost(-0.5);
    json!({"model": "m", "usage": {"prompt_tokens": -3, "completion_tokens": 7}})
}

#[observe(trace_id = TraceId::from_seed("texts"))]
fn says_odd_texts() {
    let huge = "x".repeat(10 << 20);
    current_span().name(CONTROL).tags([CONTROL]).metadata(CONTROL, CONTROL);
    current_trace().session("").user("").tags([huge.as_str(), "short"]).name(CONTROL);
    session("").user("").sync_scope(says_nothing);
}

#[observe]
fn says_nothing() {}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    if env::var_os("ROLE").is_none() {
        return;
    }
    let _observe = observe::init();
    takes_foreign(foreign());
    says_no_numbers();
    says_negatives();
    session(CONTROL).sync_scope(says_odd_texts);
    attributes()
        .metadata("foreign", foreign())
        .trace_id(TraceId::from_seed("scope"))
        .sync_scope(says_nothing);
}

/// What the child said of itself, line by line.
fn run(directory: &Path) -> Vec<String> {
    let output = child("1").env("OBSERVE_DIR", directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    said(&output)
}

#[test]
fn bad_values_are_kept_or_normalised_with_one_warning_each_and_nothing_else_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut said = run(directory.path());
    said.sort();
    let about = [
        "no finite number is kept as text",
        "cost that is no finite number",
        "empty session or user",
        "surrogate",
    ];
    for word in about {
        assert_eq!(said.iter().filter(|line| line.contains(word)).count(), 1, "{word}: {said:#?}");
    }
    let store = SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let trace = |seed| store.trace(TraceId::from_seed(seed)).unwrap().unwrap();

    // As text it is harmless, and stays as it was given.
    let raw = foreign();
    let foreign = trace("foreign");
    let span = &foreign.spans[0];
    assert_eq!(span.status, Status::Ok);
    assert_eq!(
        span.input.as_ref().unwrap().get(),
        format!(r#"{{"value":{},"more":{}}}"#, raw.get(), raw.get())
    );
    assert_eq!(span.output.as_ref().unwrap().get(), raw.get());
    let details = span.details.as_ref().unwrap();
    assert_eq!(details.states[0].value.as_str(), raw.get());
    assert_eq!(foreign.said.as_ref().unwrap().summary.as_ref().unwrap().as_str(), raw.get());
    // As a value it is not: what is beside it stays.
    assert_eq!((&span.metadata["kept"], &span.metadata["foreign"]["text"]), (&json!(1), &json!(MENDED)));
    assert_eq!(Value::from(details.parameters.clone()), json!({"temperature": 0.5, "text": MENDED}));
    assert_eq!(Value::from(details.events[0].attributes.clone()), json!({"text": MENDED}));
    assert_eq!(span.trace_metadata["foreign"]["text"], MENDED);
    let judged = &foreign.scores[0].record;
    assert_eq!(judged.metadata["foreign"]["text"], MENDED);
    assert_eq!(judged.correction.as_ref().unwrap().as_str(), raw.get());
    assert_eq!(trace("scope").spans[0].trace_metadata["foreign"]["text"], MENDED);

    let numbers = trace("numbers");
    assert_eq!((numbers.spans[0].cost, numbers.spans[0].cost_output), (Some(0.5), Some(0.5)));
    let texts: Vec<_> = numbers.scores.iter().map(|score| score.record.value.clone()).collect();
    assert_eq!(texts.len(), 3);
    assert!(texts.contains(&ScoreValue::Text("NaN".into())), "{texts:?}");
    let kept = store.metrics(&RecordQuery::default()).unwrap().items;
    assert_eq!(kept.iter().map(|metric| metric.record.name.as_str()).collect::<Vec<_>>(), ["number"]);

    let negatives = &trace("negatives").spans[0];
    assert_eq!((negatives.usage.input, negatives.usage.output, negatives.cost), (None, Some(7), Some(-0.5)));
    assert!(negatives.output.as_ref().unwrap().get().contains("-3"), "what was returned stays as it was");

    let texts = trace("texts");
    assert_eq!((texts.summary.name.as_str(), texts.spans[0].name.as_str()), (CONTROL, CONTROL));
    assert_eq!(texts.summary.session.as_deref(), Some(CONTROL), "an empty session changes nothing");
    assert_eq!(texts.spans[0].metadata[CONTROL], CONTROL);
    assert!(texts.spans[0].tags.iter().any(|tag| tag == CONTROL));
    assert!(texts.summary.tags.iter().any(|tag| tag.starts_with("xxx") && tag.len() <= 1 << 20));
    assert_eq!(texts.spans.len(), 2);
}
