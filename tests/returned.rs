//! Functions that return a future: observed as the async call that they are.

mod support;

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use futures_util::future::BoxFuture;
use observe::{Level, Status, TraceId, observe};
use serde_json::json;
use support::{id, input, named, output, trace, tree};

#[observe]
fn child(of: &str) -> usize {
    of.len()
}

async fn pause() {
    tokio::task::yield_now().await;
}

#[observe(trace_id = trace, skip(trace))]
fn opaque(trace: TraceId, text: &str) -> impl Future<Output = usize> + Send {
    child("before");
    async move {
        pause().await;
        child(text)
    }
}

#[observe(trace_id = trace, skip(trace))]
fn pinned<'a>(trace: TraceId, text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    child("before");
    Box::pin(async move {
        pause().await;
        child(text)
    })
}

#[observe(trace_id = trace, skip(trace))]
fn aliased(trace: TraceId, text: &str) -> BoxFuture<'_, usize> {
    if text.is_empty() {
        return Box::pin(std::future::ready(0));
    }
    child("before");
    Box::pin(async move {
        pause().await;
        child(text)
    })
}

type Answer<'a> = Pin<Box<dyn Future<Output = usize> + 'a>>;

#[observe(trace_id = trace, skip(trace))]
fn own_alias(trace: TraceId, text: &str) -> Answer<'_> {
    child("before");
    Box::pin(async move {
        pause().await;
        child(text)
    })
}

#[observe(trace_id = trace, skip(trace))]
fn unpinned(trace: TraceId, text: &str) -> Box<dyn Future<Output = usize> + Send + Unpin + '_> {
    child("before");
    Box::new(Box::pin(async move {
        pause().await;
        child(text)
    }))
}

#[tokio::test]
async fn a_returned_future_is_observed_as_the_async_call_that_it_is() {
    for name in ["opaque", "pinned", "aliased", "own_alias", "unpinned"] {
        let trace_id = id(name);
        let value = match name {
            "opaque" => opaque(trace_id, "text").await,
            "pinned" => pinned(trace_id, "text").await,
            "aliased" => aliased(trace_id, "text").await,
            "own_alias" => own_alias(trace_id, "text").await,
            _ => unpinned(trace_id, "text").await,
        };
        assert_eq!(value, 4);
        assert_eq!(observe::current_trace_id(), None);
        let spans = trace(trace_id);
        assert_eq!(tree(&spans), format!("{name}\n child\n child\n"));
        let span = named(&spans, name);
        assert_eq!((input(span), output(span)), (json!({"text": "text"}), json!(4)));
        assert_eq!((span.status, span.level, span.parent_id), (Status::Ok, Level::Default, None));
        let ends: Vec<_> = spans.iter().filter(|s| s.name == "child").map(|s| s.end.unwrap()).collect();
        assert!(ends.iter().all(|end| *end <= span.end.unwrap()), "{name}");
    }
}

#[test]
fn the_span_begins_with_the_call_and_ends_with_the_value() {
    let trace_id = id("late");
    let future = opaque(trace_id, "text");
    assert_eq!(observe::current_trace_id(), None, "nothing is in force between the polls");
    let spans = trace(trace_id);
    assert_eq!(support::names(&spans), ["child"], "it has not ended");
    let mut future = pin!(future);
    let mut task = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut task).is_pending());
    assert_eq!(observe::current_trace_id(), None);
    assert_eq!(future.as_mut().poll(&mut task), Poll::Ready(4));
    assert_eq!(output(named(&trace(trace_id), "opaque")), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_be_polled_by_another_task_on_another_thread() {
    let trace_id = id("elsewhere");
    let mut tasks = Vec::new();
    for _ in 0..100 {
        tasks.push(tokio::spawn(opaque(trace_id, "elsewhere")));
        tasks.push(tokio::spawn(aliased(trace_id, "elsewhere")));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 9);
    }
    let spans = trace(trace_id);
    let calls: Vec<_> = spans.iter().filter(|s| s.name != "child").collect();
    assert_eq!(calls.len(), 200);
    for call in calls {
        assert_eq!((call.status, call.parent_id), (Status::Ok, None));
        assert_eq!(spans.iter().filter(|s| s.parent_id == Some(call.span_id)).count(), 2);
    }
}

#[tokio::test]
async fn dropped_before_its_end_it_was_cancelled() {
    #[observe(trace_id = trace, skip_all)]
    fn never(trace: TraceId) -> impl Future<Output = ()> {
        std::future::pending()
    }
    #[observe(trace_id = trace, skip_all)]
    fn never_boxed(trace: TraceId) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
    let trace_id = id("cancelled");
    tokio::select! { biased; () = never(trace_id) => {}, () = never_boxed(trace_id) => {}, () = pause() => {} }
    drop(opaque(trace_id, "never polled"));
    let spans = trace(trace_id);
    for name in ["never", "never_boxed", "opaque"] {
        let span = named(&spans, name);
        assert_eq!((span.status, span.output.as_deref()), (Status::Cancelled, None), "{name}");
    }
    assert_eq!(observe::current_trace_id(), None);
}

#[derive(Debug)]
struct Refused;
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}
impl std::error::Error for Refused {}
impl From<std::num::ParseIntError> for Refused {
    fn from(_: std::num::ParseIntError) -> Self {
        Self
    }
}

/// The types inside are known from the signature alone.
#[observe(trace_id = trace, skip(trace))]
fn parse(trace: TraceId, text: &str) -> impl Future<Output = Result<u16, Refused>> {
    async move {
        let number = text.parse()?;
        Ok(number)
    }
}

#[observe(trace_id = trace, skip(trace))]
fn parse_boxed(trace: TraceId, text: &str) -> BoxFuture<'_, Result<u16, Refused>> {
    Box::pin(async move { Ok(text.parse()?) })
}

#[tokio::test]
async fn an_err_that_it_gives_fails_the_span() {
    let trace_id = id("failed");
    assert!(parse(trace_id, "x").await.is_err());
    assert!(parse_boxed(trace_id, "x").await.is_err());
    let spans = trace(trace_id);
    for name in ["parse", "parse_boxed"] {
        let span = named(&spans, name);
        assert_eq!((span.status, span.level), (Status::Error, Level::Error));
        assert_eq!((span.status_message.as_deref(), span.output.as_deref()), (Some("refused"), None));
    }
    let trace_id = id("parsed");
    assert_eq!(parse(trace_id, "7").await.unwrap() + parse_boxed(trace_id, "8").await.unwrap(), 15);
    let spans = trace(trace_id);
    assert_eq!((output(named(&spans, "parse")), output(named(&spans, "parse_boxed"))), (json!(7), json!(8)));
}

#[test]
fn a_panic_in_a_poll_ends_the_span_at_once() {
    #[observe(trace_id = trace, skip_all)]
    fn explode(trace: TraceId) -> impl Future<Output = ()> {
        async { panic!("boom {}", 1) }
    }
    let trace_id = id("panicked");
    let mut future = Box::pin(explode(trace_id));
    let mut task = Context::from_waker(Waker::noop());
    assert!(catch_unwind(AssertUnwindSafe(|| _ = future.as_mut().poll(&mut task))).is_err());
    let spans = trace(trace_id);
    let span = named(&spans, "explode");
    assert_eq!(span.status, Status::Error);
    assert!(span.status_message.as_deref().unwrap().ends_with("boom 1"), "{span:?}");
    assert_eq!(observe::current_trace_id(), None);
    drop(future);
}

#[async_trait::async_trait]
trait Tool: Sync {
    async fn call(&self, trace: TraceId, (a, b): (u8, u8)) -> Result<u8, Refused>;

    #[observe(trace_id = trace, skip(trace))]
    async fn twice(&self, trace: TraceId, n: u8) -> u8 {
        assert_eq!(observe::current_trace_id(), Some(trace));
        pause().await;
        n * 2
    }
}

struct Adder(u8);

#[async_trait::async_trait]
impl Tool for Adder {
    #[observe(trace_id = trace, skip(trace))]
    async fn call(&self, trace: TraceId, (a, b): (u8, u8)) -> Result<u8, Refused> {
        pause().await;
        assert_eq!(observe::current_trace_id(), Some(trace));
        child("inside");
        a.checked_add(b).and_then(|sum| sum.checked_add(self.0)).ok_or(Refused)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attribute_stands_inside_what_async_trait_rewrites() {
    let trace_id = id("async_trait");
    let tool: Box<dyn Tool + Send> = Box::new(Adder(1));
    let (sum, twice) = tokio::spawn(async move {
        let refused = tool.call(trace_id, (255, 1)).await;
        assert!(refused.is_err());
        (tool.call(trace_id, (2, 3)).await.unwrap(), tool.twice(trace_id, 4).await)
    })
    .await
    .unwrap();
    assert_eq!((sum, twice), (6, 8));
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "call\n child\ncall\n child\ntwice\n");
    let mut calls: Vec<_> = spans.iter().filter(|s| s.name == "call").collect();
    calls.sort_by_key(|s| s.start);
    assert_eq!((calls[0].status, calls[0].status_message.as_deref()), (Status::Error, Some("refused")));
    assert_eq!((calls[1].status, output(calls[1])), (Status::Ok, json!(6)));
    let twice = named(&spans, "twice");
    assert_eq!((input(twice), output(twice)), (json!({"n": 4}), json!(8)));
}

struct Above;

#[observe(trace_id = trace, skip(trace))]
#[async_trait::async_trait]
impl Tool for Above {
    async fn call(&self, trace: TraceId, (a, b): (u8, u8)) -> Result<u8, Refused> {
        pause().await;
        assert_eq!(observe::current_trace_id(), Some(trace));
        a.checked_sub(b).ok_or(Refused)
    }
}

#[tokio::test]
async fn the_attribute_stands_above_async_trait() {
    let trace_id = id("above async_trait");
    assert_eq!(Above.call(trace_id, (3, 1)).await.unwrap(), 2);
    let spans = trace(trace_id);
    let call = named(&spans, "call");
    assert_eq!((input(call), output(call), call.status), (json!({"a": 3, "b": 1}), json!(2), Status::Ok));
}

trait Native {
    async fn ask(&self, trace: TraceId, n: u8) -> u8;
    fn tell(&self, trace: TraceId, n: u8) -> impl Future<Output = u8> + Send;

    #[observe(trace_id = trace, skip(trace))]
    fn default(&self, trace: TraceId, n: u8) -> impl Future<Output = u8> {
        async move { n + 1 }
    }
}

impl Native for Adder {
    #[observe(trace_id = trace, skip(trace))]
    async fn ask(&self, trace: TraceId, n: u8) -> u8 {
        pause().await;
        n + self.0
    }

    #[observe(trace_id = trace, skip(trace))]
    fn tell(&self, trace: TraceId, n: u8) -> impl Future<Output = u8> + Send {
        async move { n + self.0 }
    }
}

#[tokio::test]
async fn native_async_functions_in_traits_are_observed() {
    let trace_id = id("native");
    assert_eq!((Adder(1).ask(trace_id, 1).await, Adder(2).tell(trace_id, 1).await), (2, 3));
    assert_eq!(Native::default(&Adder(0), trace_id, 1).await, 2);
    let spans = trace(trace_id);
    for (name, value) in [("ask", 2), ("tell", 3), ("default", 2)] {
        let span = named(&spans, name);
        assert_eq!((input(span), output(span), span.status), (json!({"n": 1}), json!(value), Status::Ok));
    }
}

#[observe(trace_id = trace, name = format!("down {n}"), skip_all)]
fn down(trace: TraceId, n: u32) -> BoxFuture<'static, u32> {
    Box::pin(async move { if n == 0 { 0 } else { n + down(trace, n - 1).await } })
}

#[tokio::test]
async fn a_recursive_future_is_a_chain_of_spans() {
    let trace_id = id("recursion");
    assert_eq!(down(trace_id, 3).await, 6);
    let spans = trace(trace_id);
    assert_eq!(tree(&spans), "down 3\n down 2\n  down 1\n   down 0\n");
    assert_eq!(output(named(&spans, "down 3")), 6);
}

#[observe(trace_id = trace, skip_all)]
fn function(trace: TraceId) -> impl Fn(&str) -> usize {
    |text| text.len()
}

#[observe(trace_id = trace, skip_all)]
fn value(trace: TraceId) -> impl serde::Serialize {
    vec![1, 2]
}

#[observe(trace_id = trace, skip_all)]
fn text(trace: TraceId) -> impl fmt::Debug + Clone {
    Some("text")
}

#[test]
fn other_values_behind_a_trait_are_captured_by_their_types() {
    let trace_id = id("other");
    assert_eq!(function(trace_id)("abc"), 3);
    assert_eq!(serde_json::to_string(&value(trace_id)).unwrap(), "[1,2]");
    assert_eq!(format!("{:?}", text(trace_id).clone()), "Some(\"text\")");
    let spans = trace(trace_id);
    let function = named(&spans, "function");
    assert_eq!((function.status, function.output.as_deref()), (Status::Ok, None));
    assert_eq!(output(named(&spans, "value")), json!([1, 2]));
    assert_eq!(output(named(&spans, "text")), json!("text"));
}

/// Types and traits of these names that are not those of the language.
mod own {
    #![allow(dead_code, reason = "compiled, not run")]
    use super::{Infallible, observe};

    trait Future {
        type Output;
    }
    impl Future for u8 {
        type Output = Infallible;
    }
    trait Iterator {}
    impl Iterator for u8 {}
    struct BoxFuture<'a, T>(&'a T);
    enum Result<T, E> {
        Fine(T),
        Bad(E),
    }

    #[observe]
    fn future() -> impl Future<Output = Infallible> {
        1_u8
    }
    #[observe]
    fn iterator() -> impl Iterator {
        1_u8
    }
    #[observe]
    fn struct_of_that_name(n: &u8) -> BoxFuture<'_, u8> {
        BoxFuture(n)
    }
    #[observe]
    fn result() -> Result<impl ::std::iter::Iterator<Item = u8>, u8> {
        if false {
            return Result::Bad(1);
        }
        Result::Fine(::std::iter::empty())
    }
}

#[tokio::test]
async fn no_lifetime_is_asked_of_a_type_parameter() {
    #[observe(trace_id = trace, skip_all)]
    fn given<'a, T: Default + Send>(trace: TraceId, _text: &'a str) -> BoxFuture<'a, T> {
        Box::pin(async { T::default() })
    }
    #[observe(trace_id = trace, skip_all)]
    fn opaque<'a, T: Default>(trace: TraceId, text: &'a str) -> impl Future<Output = T> + 'a {
        async move {
            child(text);
            T::default()
        }
    }
    #[observe(trace_id = trace, skip_all)]
    fn bound<'a, T: Default + Send + 'a>(trace: TraceId, _text: &'a str) -> BoxFuture<'a, T> {
        Box::pin(async { T::default() })
    }
    struct Boxed<T, U>(Box<dyn Fn(T) -> BoxFuture<'static, U>>);
    #[observe(trace_id = trace, skip_all)]
    impl<T, U> Boxed<T, U> {
        fn call(&self, trace: TraceId, text: T) -> BoxFuture<'static, U> {
            (self.0)(text)
        }
        fn items(&self, trace: TraceId, items: Vec<U>) -> Option<Box<dyn Iterator<Item = U> + '_>>
        where
            U: Copy,
        {
            let first = *items.first()?;
            Some(Box::new(std::iter::repeat_n(first, 2)))
        }
    }
    let trace_id = id("generic");
    let number: u8 = given(trace_id, "").await;
    assert_eq!(
        (number, opaque::<u8>(trace_id, "").await, bound::<String>(trace_id, "").await),
        (0, 0, String::new())
    );
    let text = String::from("ab");
    let boxed =
        Boxed(Box::new(|text: &str| Box::pin(std::future::ready(text.len())) as BoxFuture<'static, usize>));
    assert_eq!(boxed.call(trace_id, &text).await, 2);
    assert_eq!(boxed.items(trace_id, vec![7]).unwrap().sum::<usize>(), 14);
    let spans = trace(trace_id);
    assert_eq!(output(named(&spans, "given")), "<u8>");
    assert_eq!(output(named(&spans, "call")), "<usize>");
    assert_eq!(output(named(&spans, "items")), json!(["<usize>", "<usize>"]));
    assert_eq!(output(named(&spans, "opaque")), "<u8>");
    assert_eq!(output(named(&spans, "bound")), "<alloc::string::String>");
}

#[test]
fn the_future_is_what_it_was_besides() {
    fn is_unpin_clone_and_send<F: Unpin + Clone + Send + Sync>(_: &F) {}
    #[observe]
    fn ready() -> impl Future<Output = u8> + Clone {
        std::future::ready(1)
    }
    is_unpin_clone_and_send(&ready());
}
