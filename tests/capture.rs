//! What a call records of itself: its arguments, what it returned, how it ended.

mod support;

use std::{
    fmt,
    future::Future,
    pin::pin,
    task::{Context, Waker},
};

use observe::{Level, SpanType, Status, TraceId, observe};
use serde::Serialize;
use serde_json::json;
use support::{id, input, named, output, trace};

#[derive(Serialize, Clone)]
struct Passage {
    text: String,
    score: f32,
}

#[derive(Debug)]
struct NotSerialize(#[expect(dead_code, reason = "shown by Debug")] u8);
struct Opaque;

#[observe(trace_id = trace)]
fn retrieve(trace: TraceId, query: &str, k: usize) -> Vec<Passage> {
    vec![Passage { text: query.to_uppercase(), score: 0.5 }; k]
}

#[test]
fn arguments_are_the_input_by_name_and_the_return_value_is_the_output() {
    let trace_id = id("arguments");
    retrieve(trace_id, "a \"b\"\n", 2);
    let spans = trace(trace_id);
    let span = named(&spans, "retrieve");
    assert_eq!(input(span), json!({"trace": trace_id, "query": "a \"b\"\n", "k": 2}));
    assert_eq!(
        output(span),
        json!([{"text": "A \"B\"\n", "score": 0.5}, {"text": "A \"B\"\n", "score": 0.5}])
    );
    assert_eq!((span.status, span.span_type, span.level), (Status::Ok, SpanType::Span, Level::Default));
    assert!(span.end.unwrap() >= span.start);
    let code = span.code.as_ref().unwrap();
    assert_eq!((&*code.function, &*code.file), ("capture::retrieve", "tests/capture.rs"));
}

struct Agent {
    greeting: String,
}

impl Agent {
    #[observe(trace_id = trace, skip(trace))]
    fn greet(&mut self, trace: TraceId, name: String) -> &str {
        self.greeting.push_str(&name);
        &self.greeting
    }

    #[observe(trace_id = trace, skip(trace))]
    async fn ask(self, trace: TraceId, (first, second): (u8, u8)) -> Option<u8> {
        std::future::ready(first.checked_sub(second)).await
    }
}

#[test]
fn methods_leave_self_out_and_patterns_are_captured_by_their_names() {
    let trace_id = id("methods");
    let mut agent = Agent { greeting: "hello ".into() };
    assert_eq!(agent.greet(trace_id, "you".into()), "hello you");
    assert_eq!(now(agent.ask(trace_id, (1, 2))), None);
    let spans = trace(trace_id);
    assert_eq!(input(named(&spans, "greet")), json!({"name": "you"}));
    assert_eq!(output(named(&spans, "greet")), json!("hello you"));
    assert_eq!(input(named(&spans, "ask")), json!({"first": 1, "second": 2}));
    assert_eq!(named(&spans, "ask").output.as_deref(), Some("null"));
}

#[observe(trace_id = trace, skip(trace))]
fn anything<T>(
    trace: TraceId,
    debug: NotSerialize,
    opaque: &Opaque,
    generic: T,
    closure: impl Fn() -> u8,
) -> Opaque {
    let _ = (debug, opaque, generic, closure());
    Opaque
}

#[test]
fn a_value_that_cannot_be_serialised_is_its_debug_text_or_its_types_name() {
    let trace_id = id("anything");
    anything(trace_id, NotSerialize(7), &Opaque, 1, || 3);
    let spans = trace(trace_id);
    let recorded = input(named(&spans, "anything"));
    assert_eq!(recorded["debug"], "NotSerialize(7)");
    assert_eq!(recorded["opaque"], "<capture::Opaque>");
    assert_eq!(recorded["generic"], "<i32>");
    assert!(recorded["closure"].as_str().unwrap().starts_with("<capture::"), "{recorded}");
    assert_eq!(output(named(&spans, "anything")), "<capture::Opaque>");
}

#[derive(Debug)]
struct Refused(std::num::ParseIntError);
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}
impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[observe(trace_id = trace, skip(trace), as_type = "tool")]
fn parse(trace: TraceId, text: &str) -> Result<i32, Refused> {
    if text.is_empty() {
        return Ok(0);
    }
    let number: i32 = text.parse().map_err(Refused)?;
    Ok(number + 1)
}

#[test]
fn every_way_out_of_a_function_is_recorded() {
    let (early, error, tail) = (id("early"), id("error"), id("tail"));
    let _ = (parse(early, ""), parse(error, "x"), parse(tail, "1"));
    assert_eq!(output(named(&trace(early), "parse")), 0);
    assert_eq!(output(named(&trace(tail), "parse")), 2);
    let spans = trace(error);
    let span = named(&spans, "parse");
    assert_eq!((span.status, span.level, span.span_type), (Status::Error, Level::Error, SpanType::Tool));
    assert_eq!(span.status_message.as_deref(), Some("refused: invalid digit found in string"));
    assert_eq!(span.output, None);
}

#[observe(trace_id = trace, skip_all)]
fn breaks(trace: TraceId, number: u8) -> u8 {
    assert!(number > 3, "{number} is too small");
    number
}

#[observe(trace_id = trace, skip_all)]
async fn breaks_later(trace: TraceId) {
    std::future::ready(()).await;
    panic!("later");
}

#[test]
fn a_panic_ends_the_span_with_its_message_and_goes_on() {
    let trace_id = id("panic");
    let unwound = std::panic::catch_unwind(|| breaks(trace_id, 2)).unwrap_err();
    assert_eq!(unwound.downcast_ref::<String>().unwrap(), "2 is too small");
    assert!(std::panic::catch_unwind(|| now(breaks_later(trace_id))).is_err());
    assert_eq!(observe::current_trace_id(), None, "unwinding restored the context");
    let spans = trace(trace_id);
    for (name, text) in [("breaks", "2 is too small"), ("breaks_later", "later")] {
        let span = named(&spans, name);
        assert_eq!((span.status, &span.input), (Status::Error, &None));
        let message = span.status_message.as_deref().unwrap();
        assert!(message.starts_with("panicked at tests/capture.rs:") && message.ends_with(text), "{message}");
    }
}

#[observe(trace_id = trace, skip(trace))]
async fn waits(trace: TraceId, who: &str) -> u8 {
    std::future::pending().await
}

#[test]
fn a_dropped_future_ends_cancelled_and_one_that_was_never_polled_records_nothing() {
    let trace_id = id("cancelled");
    {
        let mut future = pin!(waits(trace_id, "me"));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(waits(trace_id, "nobody"));
    let spans = trace(trace_id);
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].status, spans[0].output.as_deref()), (Status::Cancelled, None));
    assert_eq!(input(&spans[0]), json!({"who": "me"}));
}

#[observe(
    trace_id = trace,
    name = format!("search {engine}"),
    as_type = "retriever",
    level = "warning",
    model = engine,
    version = 2,
    metadata = { engine: engine, "two words": [1, 2] },
    skip(trace),
    capture_output = false
)]
fn search(trace: TraceId, engine: &str) -> Result<u8, u8> {
    Ok(1)
}

#[test]
fn the_attributes_arguments_say_what_they_name() {
    let trace_id = id("attribute");
    search(trace_id, "bm25").unwrap();
    let spans = trace(trace_id);
    let span = named(&spans, "search bm25");
    assert_eq!((span.span_type, span.level), (SpanType::Retriever, Level::Warning));
    assert_eq!((span.model.as_deref(), span.version.as_deref()), (Some("bm25"), Some("2")));
    assert_eq!(json!(span.metadata), json!({"engine": "bm25", "two words": [1, 2]}));
    assert_eq!(span.output, None);
}

#[observe(trace_id = trace, skip(trace))]
fn speaks(trace: TraceId, number: u8) -> u8 {
    observe::current_span()
        .name("spoke")
        .output(json!({"n": number}))
        .usage(observe::Usage::new(3, 4))
        .cost(0.5);
    observe::current_span()
        .level(Level::Warning)
        .metadata("attempt", 1)
        .metadata("attempt", 2)
        .mark_failed("no answer");
    number
}

#[test]
fn what_is_said_of_the_current_span_wins_over_what_was_captured() {
    observe::current_span().output(1).mark_failed("outside a span this does nothing");
    let trace_id = id("said");
    speaks(trace_id, 5);
    let spans = trace(trace_id);
    let span = named(&spans, "spoke");
    assert_eq!((input(span), output(span)), (json!({"number": 5}), json!({"n": 5})));
    assert_eq!((span.usage.total(), span.cost.total()), (Some(7), Some(0.5)));
    assert_eq!((span.status, span.status_message.as_deref()), (Status::Error, Some("no answer")));
    assert_eq!(json!(span.metadata), json!({"attempt": 2}));
}

struct Explosive;
impl Serialize for Explosive {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("boom")
    }
}
struct Unwilling;
impl Serialize for Unwilling {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not me"))
    }
}
struct Nosy;
impl Serialize for Nosy {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&helper())
    }
}
#[observe]
fn helper() -> u8 {
    9
}

#[observe(trace_id = trace, skip(trace))]
fn fragile(trace: TraceId, bomb: Explosive, unwilling: Unwilling, nosy: Nosy, fine: u8) -> Explosive {
    bomb
}

#[test]
fn a_value_that_fails_costs_only_itself_and_what_it_calls_is_not_recorded() {
    let trace_id = id("fragile");
    fragile(trace_id, Explosive, Unwilling, Nosy, 4);
    let spans = trace(trace_id);
    assert_eq!(spans.len(), 1);
    let recorded = input(&spans[0]);
    assert_eq!(recorded["fine"], 4);
    assert_eq!(recorded["nosy"], "9");
    assert!(recorded["bomb"]["$error"].as_str().unwrap().contains("panicked"), "{recorded}");
    assert!(recorded["unwilling"]["$error"].as_str().unwrap().contains("not me"), "{recorded}");
    assert!(output(&spans[0])["$error"].is_string());
    assert_eq!(spans[0].status, Status::Ok);
}

#[test]
fn a_value_larger_than_a_chunk_arrives_whole() {
    let trace_id = id("large");
    let text = "x\u{e9}\"".repeat(100_000);
    assert_eq!(retrieve(trace_id, &text, 1).len(), 1);
    let spans = trace(trace_id);
    assert_eq!(input(&spans[0])["query"], text);
    assert_eq!(output(&spans[0])[0]["text"], text.to_uppercase());
}

#[derive(Serialize)]
struct Login {
    user: &'static str,
    api_key: &'static str,
}

#[observe(trace_id = trace, skip(trace), metadata = { authorization: "hunter2", kind: "x" })]
fn log_in(trace: TraceId, password: &str, max_tokens: u32, login: Login) -> Login {
    observe::current_span().metadata("client_secret", "hunter2").metadata("login", &login);
    login
}

#[test]
fn values_under_names_that_mean_a_secret_are_redacted_everywhere() {
    let trace_id = id("secrets");
    let login = Login { user: "me", api_key: "hunter2" };
    observe::session("s").metadata("token", "hunter2").metadata("nested", &login).sync_scope(|| {
        log_in(trace_id, "hunter2", 5, Login { user: "me", api_key: "hunter2" });
    });
    let spans = trace(trace_id);
    let span = named(&spans, "log_in");
    let redacted = json!({"user": "me", "api_key": "[redacted]"});
    assert_eq!(input(span), json!({"password": "[redacted]", "max_tokens": 5, "login": redacted}));
    assert_eq!(output(span), redacted);
    assert_eq!(
        json!(span.metadata),
        json!({"authorization": "[redacted]", "kind": "x", "client_secret": "[redacted]", "login": redacted})
    );
    assert_eq!(json!(span.attributes.metadata), json!({"token": "[redacted]", "nested": redacted}));
    assert!(!format!("{spans:?}").contains("hunter2"));
}

/// The value of a future that is ready at once.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the future waits"),
    }
}
