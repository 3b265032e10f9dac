//! What can be said of a span and of its trace, from inside, and what becomes of it.

mod support;

use std::{fmt, time::Duration};

use futures_util::{Stream, StreamExt as _, stream};
use observe::{
    Cost, Level, Span, SpanId, SpanType, Status, TraceId, Usage, current_span, current_trace, observe,
};
use serde_json::{Value, json};
use support::{id, input, named, output, trace};

fn details<'a>(span: &'a Span<'_>) -> &'a observe::Details {
    span.details.as_deref().unwrap_or_else(|| panic!("nothing said of `{}`", span.name))
}

fn value(json: &observe::Json) -> Value {
    serde_json::from_str(json.as_str()).unwrap()
}

#[derive(Debug)]
struct Unreachable(std::io::Error);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the model is unreachable")
    }
}

impl std::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

fn unreachable() -> Unreachable {
    Unreachable(std::io::Error::other("connection refused"))
}

#[test]
fn everything_that_is_said_of_a_span_arrives() {
    support::memory();
    #[observe(trace_id = id("everything"), as_type = "generation")]
    fn answer(question: &str) -> usize {
        current_span()
            .input_field("limit", 3_u64)
            .state_before(json!({"step": 1}))
            .state_after(json!({"step": 2}))
            .state("cart", [1, 2])
            .model("small")
            .parameters(json!({"temperature": 0.2, "top_k": 40}))
            .parameters(json!({"top_k": 50}))
            .prompt("qa", 7)
            .tools(json!([{"name": "search"}]))
            .usage(Usage { cache_read: Some(4), reasoning: Some(5), ..Usage::new(10, 20) })
            .cost(Cost::new(0.25, 0.5))
            .time_to_first_token(Duration::from_millis(120))
            .level(Level::Warning)
            .status_message("slow today")
            .version("2.1")
            .tags(["night", "slow", "night"])
            .metadata("attempt", 2)
            .event("retry", json!({"after_ms": 50}))
            .event("gave up", ())
            .link(TraceId::from_seed("other"), SpanId::from_seed("other"));
        question.len()
    }
    answer("why?");
    let spans = trace(id("everything"));
    let span = named(&spans, "answer");
    let said = details(span);
    assert_eq!(input(span), json!({"question": "why?", "limit": 3}));
    assert_eq!(output(span), json!(4));
    let states: Vec<_> = said.states.iter().map(|state| (state.name.as_str(), value(&state.value))).collect();
    let expected = [("before", json!({"step": 1})), ("after", json!({"step": 2})), ("cart", json!([1, 2]))];
    assert_eq!(states, expected);
    assert_eq!(Value::from(said.parameters.clone()), json!({"temperature": 0.2, "top_k": 50}));
    let prompt = said.prompt.as_ref().unwrap();
    assert_eq!((prompt.name.as_str(), prompt.version.as_deref()), ("qa", Some("7")));
    assert_eq!(value(said.tools.as_ref().unwrap()), json!([{"name": "search"}]));
    assert_eq!((span.usage.total_input(), span.usage.total_output()), (Some(14), Some(25)));
    assert_eq!((span.cost.input, span.cost.total()), (Some(0.25), Some(0.75)));
    assert_eq!(said.time_to_first, Some(120_000_000));
    assert_eq!((span.level, span.status), (Level::Warning, Status::Ok));
    assert_eq!(span.status_message.as_deref(), Some("slow today"));
    assert_eq!(span.version.as_deref(), Some("2.1"));
    assert_eq!(span.attributes.tags, ["night", "slow"]);
    assert_eq!(span.metadata["attempt"], 2);
    let events: Vec<_> = said
        .events
        .iter()
        .map(|event| (event.name.as_str(), Value::from(event.attributes.clone())))
        .collect();
    assert_eq!(events, [("retry", json!({"after_ms": 50})), ("gave up", json!({}))]);
    assert!(said.events.iter().all(|event| span.start <= event.at && event.at <= span.end.unwrap()));
    assert_eq!(said.links[0].trace_id, TraceId::from_seed("other"));
}

#[test]
fn a_providers_answer_says_its_model_and_tokens() {
    support::memory();
    #[observe(as_type = "generation", trace_id = trace, skip(trace))]
    fn chat(trace: TraceId, prompt: &str) -> Value {
        let usage = json!({"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}});
        json!({"model": "gpt-4o-mini-2024-07-18", "choices": [prompt], "usage": usage})
    }
    #[observe(as_type = "generation", model = "mine", trace_id = trace, skip(trace))]
    fn chat_by_hand(trace: TraceId) -> Value {
        current_span().usage(Usage::new(1, 2));
        chat(trace, "inside")
    }
    chat(id("answer"), "why?");
    let spans = trace(id("answer"));
    let span = named(&spans, "chat");
    assert_eq!(span.model.as_deref(), Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(span.usage, Usage { cache_read: Some(60), ..Usage::new(40, 5) });
    chat_by_hand(id("answer by hand"));
    let spans = trace(id("answer by hand"));
    let span = named(&spans, "chat_by_hand");
    assert_eq!((span.model.as_deref(), span.usage), (Some("mine"), Usage::new(1, 2)));
}

#[tokio::test]
async fn a_providers_stream_says_its_model_and_tokens() {
    support::memory();
    #[observe(as_type = "generation", trace_id = id("streamed"))]
    fn chat(prompt: &str) -> impl Stream<Item = Value> {
        let model = "gpt-4o-mini";
        stream::iter([
            json!({"model": model, "choices": [{"delta": {"content": prompt}}], "usage": null}),
            json!({"model": model, "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}),
        ])
    }
    assert_eq!(chat("why?").count().await, 2);
    let spans = trace(id("streamed"));
    let span = named(&spans, "chat");
    assert_eq!((span.model.as_deref(), span.usage), (Some("gpt-4o-mini"), Usage::new(5, 2)));
}

#[test]
fn foreign_json_with_half_a_surrogate_pair_is_kept_as_it_came() {
    support::memory();
    let foreign =
        || serde_json::value::RawValue::from_string(r#"{"text":"cut \ud83d","n":-5}"#.to_owned()).unwrap();
    #[observe(trace_id = trace, skip(trace))]
    fn pass_on(trace: TraceId, answer: &serde_json::value::RawValue) -> Box<serde_json::value::RawValue> {
        current_span().state_after(answer);
        answer.to_owned()
    }
    let _whole = pass_on(id("surrogates"), &foreign());
    let spans = trace(id("surrogates"));
    let span = named(&spans, "pass_on");
    assert_eq!(span.output.as_deref(), Some(foreign().get()));
    assert_eq!(span.input.as_deref(), Some(format!(r#"{{"answer":{}}}"#, foreign().get()).as_str()));
    assert_eq!(details(span).states[0].value.as_str(), foreign().get());

    // A store keeps it as well, and everything beside it.
    let directory = tempfile::tempdir().unwrap();
    let mut store = observe_store::SqliteStore::open(directory.path().join("observe.db")).unwrap();
    observe_store::Store::write(&mut store, &Default::default(), std::slice::from_ref(span)).unwrap();
    let kept = observe_store::Store::trace(&store, id("surrogates")).unwrap().unwrap();
    assert_eq!(kept.spans[0].output.as_ref().unwrap().get(), foreign().get());
}

#[test]
fn most_spans_have_no_details() {
    support::memory();
    #[observe(trace_id = id("plain"))]
    fn plain() {}
    plain();
    assert_eq!(named(&trace(id("plain")), "plain").details, None);
}

#[test]
fn a_type_said_later_is_the_type() {
    support::memory();
    #[observe(trace_id = id("type"))]
    fn look_up() {
        current_span().as_type(SpanType::Retriever).first_token();
    }
    look_up();
    let spans = trace(id("type"));
    let span = named(&spans, "look_up");
    assert_eq!(span.span_type, SpanType::Retriever);
    assert!(details(span).time_to_first.unwrap() <= span.duration().unwrap());
}

#[test]
fn an_error_keeps_its_type_and_its_sources() {
    support::memory();
    #[observe(trace_id = id("sources"))]
    fn fails() -> Result<(), Unreachable> {
        Err(unreachable())
    }
    assert!(fails().is_err());
    let spans = trace(id("sources"));
    let span = named(&spans, "fails");
    assert_eq!(span.status, Status::Error);
    assert_eq!(span.status_message.as_deref(), Some("the model is unreachable: connection refused"));
    let failure = &details(span).errors[0];
    assert!(failure.kind.as_deref().is_some_and(|kind| kind.ends_with("Unreachable")), "{failure:?}");
    assert_eq!(
        (failure.message.as_str(), &failure.sources[..]),
        ("the model is unreachable", &["connection refused".to_owned()][..])
    );
}

#[test]
fn a_failure_sticks_whatever_is_returned() {
    support::memory();
    #[observe(trace_id = id("sticks"))]
    fn by_word() -> Result<u8, String> {
        current_span().mark_failed("no tool answered");
        Ok(1)
    }
    #[observe(trace_id = id("sticks"))]
    fn by_error() -> u8 {
        current_span().error(&unreachable());
        2
    }
    by_word().unwrap();
    by_error();
    let spans = trace(id("sticks"));
    let (word, error) = (named(&spans, "by_word"), named(&spans, "by_error"));
    assert_eq!((word.status, word.level, output(word)), (Status::Error, Level::Error, json!(1)));
    assert_eq!(word.status_message.as_deref(), Some("no tool answered"));
    assert_eq!((error.status, output(error)), (Status::Error, json!(2)));
    assert_eq!(details(error).errors[0].sources, ["connection refused"]);
}

#[test]
fn the_last_word_wins_whichever_thread_says_it() {
    support::memory();
    #[observe(trace_id = id("threads"))]
    fn work(n: u8) -> u8 {
        let span = current_span().output("first").name("first");
        for word in ["second", "third", "last"] {
            std::thread::spawn(move || {
                span.output(word).name(word);
            })
            .join()
            .unwrap();
        }
        n
    }
    for n in 0..50 {
        work(n);
    }
    let spans = trace(id("threads"));
    assert_eq!(spans.len(), 50);
    for span in &spans {
        assert_eq!((&*span.name, output(span)), ("last", json!("last")));
    }
}

#[tokio::test]
async fn a_handle_works_after_await_points_and_in_other_tasks() {
    support::memory();
    #[observe(trace_id = id("tasks"))]
    async fn work() {
        let (span, whole) = (current_span(), current_trace());
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            span.metadata("from", "a task");
            whole.summary("done");
        })
        .await
        .unwrap();
        assert_eq!(span.id(), current_span().id());
    }
    work().await;
    let spans = trace(id("tasks"));
    let span = named(&spans, "work");
    assert_eq!(span.metadata["from"], "a task");
    assert_eq!(value(details(span).trace.as_ref().unwrap().summary.as_ref().unwrap()), json!("done"));
}

#[test]
fn what_is_said_of_the_trace_from_anywhere_inside_is_on_its_first_span() {
    support::memory();
    #[observe(trace_id = id("whole"), session = "scope's", user = "ada", tags = ["a"])]
    fn root() -> &'static str {
        current_trace().name("early").tags(["b"]);
        middle();
        current_trace().version("3");
        "span output"
    }
    #[observe]
    fn middle() {
        leaf();
    }
    #[observe]
    fn leaf() {
        current_trace()
            .name("weather-query")
            .session("said")
            .tags(["c", "a"])
            .metadata("tier", "premium")
            .metadata("seats", 4)
            .release("r7")
            .environment("staging")
            .public(true)
            .summary(json!({"steps": 3}))
            .input(json!({"question": "why?"}))
            .output("because");
    }
    root();
    let spans = trace(id("whole"));
    let root = named(&spans, "root");
    let said = details(root).trace.as_ref().unwrap();
    assert_eq!(said.attributes.name.as_deref(), Some("weather-query"));
    assert_eq!((said.attributes.version.as_deref(), said.attributes.public), (Some("3"), Some(true)));
    assert_eq!(value(said.summary.as_ref().unwrap()), json!({"steps": 3}));
    assert_eq!(value(said.input.as_ref().unwrap()), json!({"question": "why?"}));
    assert_eq!(value(said.output.as_ref().unwrap()), json!("because"));
    assert_eq!(output(root), json!("span output"), "a span's own output stays apart");
    let all = &root.attributes;
    assert_eq!((all.session.as_deref(), all.user.as_deref()), (Some("said"), Some("ada")));
    assert_eq!(all.tags, ["a", "b", "c"]);
    assert_eq!(Value::from(all.metadata.clone()), json!({"tier": "premium", "seats": 4}));
    assert_eq!((all.release.as_deref(), all.environment.as_deref()), (Some("r7"), Some("staging")));
    for name in ["middle", "leaf"] {
        assert_eq!(named(&spans, name).details, None, "{name}");
    }
}

#[test]
fn a_trace_marked_failed_from_below_fails_with_its_root() {
    support::memory();
    #[observe(trace_id = id("failed trace"))]
    fn root() -> u8 {
        below();
        7
    }
    #[observe]
    fn below() {
        current_trace().mark_failed("no answer");
    }
    root();
    let spans = trace(id("failed trace"));
    let root = named(&spans, "root");
    assert_eq!(
        (root.status, root.status_message.as_deref(), output(root)),
        (Status::Error, Some("no answer"), json!(7))
    );
    assert_eq!(named(&spans, "below").status, Status::Ok);
}

#[test]
fn outside_a_trace_and_after_the_end_nothing_happens() {
    support::memory();
    current_span().output(1).error(&unreachable()).event("e", ()).state("s", 1);
    current_trace().name("n").mark_failed("m");
    #[observe(trace_id = id("over"), capture_output = false)]
    fn work() -> observe::SpanHandle {
        current_span()
    }
    let over = work();
    assert_eq!(trace(id("over")).len(), 1);
    over.output("too late");
    over.trace().name("too late");
    let spans = trace(id("over"));
    assert_eq!((spans.len(), output(&spans[0])), (1, json!(null)));
}

#[test]
fn bad_values_are_kept_or_left_out_and_lose_nothing_else() {
    support::memory();
    #[observe(trace_id = id("bad"))]
    fn work() {
        let long = "x".repeat(10 << 20);
        current_span()
            .cost(Cost { output: Some(0.5), ..f64::NAN.into() })
            .event("odd", f64::INFINITY)
            .event("\0\u{1b}[31m", json!({"\u{7}": "\r\n"}))
            .parameters("no object")
            .state("password", "hunter2")
            .metadata("after", true);
        current_trace().session("").user("\u{0}bell").tags([&*long, "short"]).summary(f64::NAN);
    }
    work();
    let spans = trace(id("bad"));
    let span = named(&spans, "work");
    let said = details(span);
    assert_eq!((span.cost.total, span.cost.output), (None, Some(0.5)));
    assert_eq!(said.events[1].name, "\0\u{1b}[31m");
    assert_eq!(said.states[0].value.as_str(), r#""[redacted]""#);
    assert_eq!(span.metadata["after"], true);
    assert_eq!((span.attributes.session.as_deref(), span.attributes.user.as_deref()), (None, Some("\0bell")));
    let tags = &span.attributes.tags;
    assert!(tags[0].starts_with("xxx") && tags[0].len() <= 1 << 20, "{} bytes", tags[0].len());
}
