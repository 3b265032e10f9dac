//! Scores and metrics: judgements and numbers beside spans.

mod support;

use observe::{
    Metric, Score, ScoreValue, SpanId, TraceId, current_span, current_trace_id, metric, observe, score,
    session,
};
use serde_json::json;
use support::{id, memory, named, trace};

fn scores(name: &str) -> Vec<Score> {
    trace(id("flush"));
    memory().scores().into_iter().filter(|score| score.name == name).collect()
}

fn metrics(name: &str) -> Vec<Metric> {
    trace(id("flush"));
    memory().metrics().into_iter().filter(|metric| metric.name == name).collect()
}

#[test]
fn a_score_is_about_the_current_trace_unless_it_says_otherwise() {
    memory();
    #[observe(trace_id = id("current"))]
    fn work() -> SpanId {
        score("of trace", 0.9).comment("good").record();
        score("of span", true).on_current_span().record();
        current_span().id().unwrap()
    }
    let span = session("s-1").sync_scope(work);
    let of_trace = &scores("of trace")[0];
    assert_eq!((of_trace.target.trace_id, of_trace.target.span_id), (Some(id("current")), None));
    assert_eq!(of_trace.target.session.as_deref(), Some("s-1"));
    assert_eq!((&of_trace.value, of_trace.comment.as_deref()), (&ScoreValue::Numeric(0.9), Some("good")));
    let of_span = &scores("of span")[0];
    assert_eq!((of_span.target.trace_id, of_span.target.span_id), (Some(id("current")), Some(span)));
}

#[test]
fn a_score_has_any_of_four_kinds_of_value_and_all_that_belongs_to_it() {
    memory();
    let of = TraceId::from_seed("elsewhere");
    let span = SpanId::from_seed("elsewhere");
    memory();
    score("kinds", 3).on_trace(of).record();
    score("kinds", false).on_span(of, span).record();
    score("kinds", "friendly").on_session("conversation-9").record();
    score("kinds", ScoreValue::Text("could be shorter".into()))
        .on_trace(of)
        .correction(json!({"answer": 42}))
        .metadata("model", "judge")
        .metadata("api_key", "k")
        .author("ada")
        .id("fixed")
        .record();
    let found = scores("kinds");
    let values: Vec<_> = found.iter().map(|score| score.value.clone()).collect();
    let expected = [
        ScoreValue::Numeric(3.0),
        ScoreValue::Boolean(false),
        ScoreValue::Categorical("friendly".into()),
        ScoreValue::Text("could be shorter".into()),
    ];
    assert_eq!(values, expected);
    assert_eq!((found[1].target.trace_id, found[1].target.span_id), (Some(of), Some(span)));
    assert_eq!(
        (found[2].target.trace_id, found[2].target.session.as_deref()),
        (None, Some("conversation-9"))
    );
    let last = &found[3];
    assert_eq!((last.id.as_str(), last.author.as_deref()), ("fixed", Some("ada")));
    assert_eq!(last.correction.as_ref().unwrap().as_str(), r#"{"answer":42}"#);
    assert_eq!((&last.metadata["model"], &last.metadata["api_key"]), (&json!("judge"), &json!("[redacted]")));
    assert!(found[0].id.len() == 32 && found[0].id != found[1].id);
}

#[test]
fn a_score_that_is_no_number_is_kept_as_text_and_one_about_nothing_is_not_kept() {
    memory();
    score("odd", f64::NAN).on_session("s").record();
    score("odd", 1).record();
    let found = scores("odd");
    assert_eq!((found.len(), &found[0].value), (1, &ScoreValue::Text("NaN".into())));
}

#[test]
fn a_metric_rides_with_its_span_and_is_a_record_of_its_own_if_it_is_to_persist() {
    memory();
    #[observe(trace_id = id("metrics"))]
    fn greet(name: &str) {
        metric("greeting_chars", name.len())
            .unit("chars")
            .tag("chat")
            .tags(["en", "chat"])
            .persist()
            .record();
        metric("passing", 0.5).record();
        assert_eq!(current_trace_id(), Some(id("metrics")));
    }
    greet("hello");
    let spans = trace(id("metrics"));
    let span = named(&spans, "greet");
    let events: Vec<_> = span.details.iter().flat_map(|details| &details.events).collect();
    assert_eq!(
        events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(),
        ["greeting_chars", "passing"]
    );
    let attributes = serde_json::Value::from(events[0].attributes.clone());
    assert_eq!(
        attributes,
        json!({"metric.value": 5.0, "metric.unit": "chars", "metric.tags": ["chat", "en"]})
    );
    let kept = metrics("greeting_chars");
    assert_eq!((kept.len(), kept[0].value, kept[0].unit.as_deref()), (1, 5.0, Some("chars")));
    assert_eq!(kept[0].tags, ["chat", "en"]);
    assert_eq!((kept[0].target.trace_id, kept[0].target.span_id), (Some(id("metrics")), Some(span.span_id)));
    assert!(metrics("passing").is_empty());
}

#[test]
fn a_metric_about_something_named_is_kept() {
    memory();
    metric("turns", 4).on_session("conversation-9").record();
    metric("broken", f64::INFINITY).on_session("conversation-9").record();
    assert_eq!(metrics("turns")[0].target.session.as_deref(), Some("conversation-9"));
    assert!(metrics("broken").is_empty());
}
