//! Functions that return a stream or an iterator: the span stays open until its end or its drop.

mod support;

use std::{
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{Stream, StreamExt, stream, stream::BoxStream};
use observe::{Level, Span, Status, TraceId, observe};
use serde_json::json;
use support::{id, input, named, output, trace, tree};

#[observe]
fn child(n: u32) -> u32 {
    n
}

#[observe(trace_id = trace, skip(trace))]
fn opaque(trace: TraceId, n: u32) -> impl Stream<Item = u32> + Send {
    child(n);
    stream::iter(0..n).then(|n| async move {
        tokio::task::yield_now().await;
        child(n)
    })
}

#[observe(trace_id = trace, skip(trace))]
fn pinned(trace: TraceId, n: u32) -> Pin<Box<dyn Stream<Item = u32> + Send>> {
    Box::pin(child_stream(n))
}

#[observe(trace_id = trace, skip(trace))]
fn aliased(trace: TraceId, n: u32) -> BoxStream<'static, u32> {
    child_stream(n).boxed()
}

#[observe(trace_id = trace, skip(trace))]
fn yielded(trace: TraceId, n: u32) -> impl Stream<Item = u32> {
    child(n);
    async_stream::stream! {
        for n in 0..n {
            tokio::task::yield_now().await;
            yield child(n);
        }
    }
}

#[observe(trace_id = trace, skip(trace))]
async fn awaited(trace: TraceId, n: u32) -> Result<impl Stream<Item = u32>, String> {
    tokio::task::yield_now().await;
    if n == 0 {
        return Err("nothing to give".to_owned());
    }
    Ok(child_stream(n))
}

#[observe(trace_id = trace, skip(trace))]
async fn awaited_boxed(trace: TraceId, n: u32) -> Result<BoxStream<'static, u32>, String> {
    tokio::task::yield_now().await;
    Ok(child_stream(n).boxed())
}

#[async_trait::async_trait]
trait Model {
    async fn chat(&self, trace: TraceId, n: u32) -> Result<BoxStream<'static, u32>, String>;
}

#[async_trait::async_trait]
impl Model for () {
    #[observe(trace_id = trace, skip(trace))]
    async fn chat(&self, trace: TraceId, n: u32) -> Result<BoxStream<'static, u32>, String> {
        assert_eq!(observe::current_trace_id(), Some(trace));
        Ok(child_stream(n).boxed())
    }
}

fn child_stream(n: u32) -> impl Stream<Item = u32> + Send {
    child(n);
    stream::iter(0..n).then(|n| async move {
        tokio::task::yield_now().await;
        child(n)
    })
}

async fn by_name(name: &str, trace_id: TraceId) -> Pin<Box<dyn Stream<Item = u32>>> {
    match name {
        "opaque" => Box::pin(opaque(trace_id, 3)),
        "pinned" => pinned(trace_id, 3),
        "aliased" => aliased(trace_id, 3),
        "yielded" => Box::pin(yielded(trace_id, 3)),
        "awaited" => Box::pin(awaited(trace_id, 3).await.unwrap()),
        "awaited_boxed" => awaited_boxed(trace_id, 3).await.unwrap(),
        _ => ().chat(trace_id, 3).await.unwrap(),
    }
}

const NAMES: [&str; 7] = ["opaque", "pinned", "aliased", "yielded", "awaited", "awaited_boxed", "chat"];

fn time_to_first(span: &Span<'_>) -> Option<u64> {
    span.details.as_ref().and_then(|details| details.time_to_first)
}

#[tokio::test]
async fn the_items_of_a_stream_are_the_output_of_the_call() {
    for name in NAMES {
        let trace_id = id(name);
        let mut stream = by_name(name, trace_id).await;
        assert_eq!(observe::current_trace_id(), None);
        let mut items = Vec::new();
        while let Some(item) = stream.next().await {
            assert_eq!(observe::current_trace_id(), None, "nothing is in force between the polls");
            items.push(item);
        }
        assert_eq!(items, [0, 1, 2]);
        assert_eq!(stream.next().await, None);
        let spans = trace(trace_id);
        assert_eq!(
            tree(&spans),
            format!("{name}\n child\n child\n child\n child\n"),
            "before the stream is dropped"
        );
        let span = named(&spans, name);
        assert_eq!((input(span), output(span)), (json!({"n": 3}), json!([0, 1, 2])), "{name}");
        assert_eq!((span.status, span.level), (Status::Ok, Level::Default));
        let first = time_to_first(span).unwrap();
        assert!(first > 0 && first <= span.duration().unwrap());
    }
}

#[tokio::test]
async fn dropped_early_it_was_abandoned_with_the_items_that_came() {
    for name in NAMES {
        let trace_id = id(&format!("abandoned {name}"));
        let mut stream = by_name(name, trace_id).await;
        assert_eq!(stream.next().await, Some(0));
        tokio::select! { biased; _ = stream.next() => unreachable!(), () = async {} => {} }
        drop(stream);
        let spans = trace(trace_id);
        let span = named(&spans, name);
        assert_eq!((span.status, output(span)), (Status::Abandoned, json!([0])), "{name}");
        assert!(time_to_first(span).is_some());
    }
    let trace_id = id("never polled");
    drop(opaque(trace_id, 1));
    let spans = trace(trace_id);
    let span = named(&spans, "opaque");
    assert_eq!((span.status, output(span), time_to_first(span)), (Status::Abandoned, json!([]), None));
}

#[tokio::test]
async fn a_stream_that_does_not_come_to_be_fails_the_call() {
    let trace_id = id("no stream");
    assert!(awaited(trace_id, 0).await.is_err());
    let spans = trace(trace_id);
    let span = named(&spans, "awaited");
    assert_eq!((span.status, span.status_message.as_deref()), (Status::Error, Some("nothing to give")));
    #[observe(trace_id = trace, skip_all)]
    fn perhaps(trace: TraceId, some: bool) -> Option<impl Iterator<Item = u8>> {
        some.then(|| [1, 2].into_iter())
    }
    let trace_id = id("perhaps");
    assert!(perhaps(trace_id, false).is_none());
    let spans = trace(trace_id);
    let span = named(&spans, "perhaps");
    assert_eq!((span.status, span.output.as_deref()), (Status::Ok, Some("null")));
    let trace_id = id("some");
    assert_eq!(perhaps(trace_id, true).unwrap().sum::<u8>(), 3);
    assert_eq!(output(named(&trace(trace_id), "perhaps")), json!([1, 2]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_stream_may_be_polled_by_other_tasks_on_other_threads() {
    let trace_id = id("elsewhere");
    let mut stream: BoxStream<'static, u32> = aliased(trace_id, 50);
    let mut sum = 0;
    for _ in 0..50 {
        let (item, rest) = tokio::spawn(async move {
            let item = stream.next().await;
            assert_eq!(observe::current_trace_id(), None);
            (item, stream)
        })
        .await
        .unwrap();
        stream = rest;
        sum += item.unwrap();
    }
    assert_eq!((sum, stream.next().await), (49 * 25, None));
    let spans = trace(trace_id);
    let span = named(&spans, "aliased");
    assert_eq!(output(span), json!((0..50).collect::<Vec<_>>()));
    assert_eq!(spans.iter().filter(|s| s.parent_id == Some(span.span_id)).count(), 51);
}

#[tokio::test]
async fn an_item_that_is_an_err_fails_the_call() {
    #[observe(trace_id = trace, skip_all)]
    fn broken(trace: TraceId) -> impl Stream<Item = Result<u8, std::num::ParseIntError>> {
        async_stream::try_stream! {
            yield 1;
            let number = "x".parse::<u8>()?;
            yield number;
        }
    }
    #[observe(trace_id = trace, skip_all)]
    async fn broken_later(
        trace: TraceId,
    ) -> Result<impl Stream<Item = Result<u8, std::num::ParseIntError>>, std::num::ParseIntError> {
        let first = "1".parse::<u8>()?;
        Ok(async_stream::try_stream! {
            yield first;
            let number = "x".parse::<u8>()?;
            yield number;
        })
    }
    let trace_id = id("broken later");
    assert_eq!(pin!(broken_later(trace_id).await.unwrap()).count().await, 2);
    assert_eq!(named(&trace(trace_id), "broken_later").status, Status::Error);
    let trace_id = id("broken");
    let mut stream = pin!(broken(trace_id));
    assert!(matches!(stream.next().await, Some(Ok(1))));
    assert!(matches!(stream.next().await, Some(Err(_))));
    assert!(stream.next().await.is_none());
    let spans = trace(trace_id);
    let span = named(&spans, "broken");
    let text = "invalid digit found in string";
    assert_eq!((span.status, span.level), (Status::Error, Level::Error));
    assert_eq!(span.status_message.as_deref(), Some(text));
    assert_eq!(output(span), json!([1, {"$error": text}]));
}

#[observe(trace_id = trace, skip(trace))]
fn squares(
    trace: TraceId,
    n: u64,
) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator + Clone + Send {
    (0..n).map(|n| u64::from(child(n as u32)).pow(2)).collect::<Vec<_>>().into_iter()
}

#[observe(trace_id = trace, skip(trace))]
fn lazily(trace: TraceId, n: u32) -> impl Iterator<Item = u32> {
    child(n);
    (0..n).map(child)
}

#[observe(trace_id = trace, skip(trace))]
fn boxed<'a>(trace: TraceId, items: &'a [u32]) -> Box<dyn Iterator<Item = u32> + 'a> {
    if items.is_empty() {
        return Box::new(iter::empty());
    }
    Box::new(items.iter().map(|n| child(*n)))
}

#[test]
fn the_items_of_an_iterator_are_the_output_of_the_call() {
    let trace_id = id("iterators");
    let mut seen = Vec::new();
    for item in lazily(trace_id, 3) {
        assert_eq!(observe::current_trace_id(), None, "nothing is in force between the items");
        seen.push(item);
    }
    assert_eq!(seen, [0, 1, 2]);
    assert_eq!(boxed(trace_id, &[7, 8]).collect::<Vec<_>>(), [7, 8]);
    let spans = trace(trace_id);
    let expected = "lazily\n child\n child\n child\n child\nboxed\n child\n child\n";
    assert_eq!(tree(&spans), expected);
    assert_eq!(output(named(&spans, "lazily")), json!([0, 1, 2]));
    assert_eq!(output(named(&spans, "boxed")), json!([7, 8]));
    assert!(spans.iter().all(|s| s.status == Status::Ok));
    assert!(time_to_first(named(&spans, "lazily")).is_some());
}

#[test]
fn an_iterator_keeps_what_else_it_is() {
    let trace_id = id("squares");
    let mut iterator = squares(trace_id, 5);
    assert_eq!((iterator.len(), iterator.size_hint()), (5, (5, Some(5))));
    assert_eq!((iterator.next(), iterator.next_back(), iterator.nth(1)), (Some(0), Some(16), Some(4)));
    assert_eq!(iterator.clone().collect::<Vec<_>>(), [9], "a copy is an iterator like any other");
    drop(iterator);
    let spans = trace(trace_id);
    let span = named(&spans, "squares");
    assert_eq!((span.status, output(span)), (Status::Abandoned, json!([0, 16, 4])));
}

#[test]
fn one_whose_last_item_was_taken_was_not_abandoned() {
    let trace_id = id("exhausted");
    let both: Vec<_> = squares(trace_id, 2).zip([1, 2]).collect();
    assert_eq!(both.len(), 2);
    let mut iterator = squares(trace_id, 1);
    assert_eq!(iterator.next(), Some(0));
    drop(iterator);
    let spans = trace(trace_id);
    let mut calls: Vec<_> = spans.iter().filter(|s| s.name == "squares").collect();
    calls.sort_by_key(|s| s.start);
    assert_eq!((calls[0].status, output(calls[0])), (Status::Ok, json!([0, 1])));
    assert_eq!((calls[1].status, output(calls[1])), (Status::Ok, json!([0])));
}

#[test]
fn a_panic_while_it_looks_for_the_next_item_ends_the_span() {
    #[observe(trace_id = trace, skip_all)]
    fn fragile(trace: TraceId) -> impl Iterator<Item = u8> {
        [1, 0].into_iter().map(|n| 1_u8.checked_div(n).expect("no zero"))
    }
    let trace_id = id("fragile");
    let mut iterator = fragile(trace_id);
    assert_eq!(iterator.next(), Some(1));
    assert!(catch_unwind(AssertUnwindSafe(|| iterator.next())).is_err());
    assert_eq!(observe::current_trace_id(), None);
    assert_eq!(iterator.next(), None);
    let spans = trace(trace_id);
    let span = named(&spans, "fragile");
    assert_eq!((span.status, output(span)), (Status::Error, json!([1])));
    assert!(span.status_message.as_deref().unwrap().ends_with("no zero"), "{span:?}");
}

#[test]
fn items_beyond_the_capture_limit_are_counted() {
    #[observe(trace_id = trace, skip_all)]
    fn long(trace: TraceId) -> impl Iterator<Item = String> {
        (0..3000).map(|n| format!("{n:0999}"))
    }
    let trace_id = id("long");
    assert_eq!(long(trace_id).count(), 3000);
    let spans = trace(trace_id);
    let span = named(&spans, "long");
    assert!(span.output.as_ref().unwrap().len() <= 1024 * 1024 + 100);
    let items = output(span);
    let items = items.as_array().unwrap();
    let (mark, kept) = items.split_last().unwrap();
    assert!(kept.iter().enumerate().all(|(n, item)| *item == json!(format!("{n:0999}"))));
    assert_eq!(*mark, json!(format!("$cut: {} more", 3000 - kept.len())));
}

#[test]
fn items_are_not_captured_where_no_output_is() {
    #[observe(trace_id = trace, skip_all, capture_output = false)]
    fn quiet(trace: TraceId) -> impl Iterator<Item = Result<u8, String>> {
        [Ok(1), Err("no".to_owned())].into_iter()
    }
    let trace_id = id("quiet");
    assert_eq!(quiet(trace_id).count(), 2);
    let spans = trace(trace_id);
    let span = named(&spans, "quiet");
    assert_eq!((span.status, span.status_message.as_deref()), (Status::Error, Some("no")));
    assert_eq!(span.output, None);
    assert!(time_to_first(span).is_some());
}

#[test]
fn a_size_hint_that_panics_harms_nobody() {
    struct Odd(Arc<AtomicBool>);
    impl Iterator for Odd {
        type Item = u8;
        fn next(&mut self) -> Option<u8> {
            Some(1)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            self.0.store(true, Ordering::Relaxed);
            panic!("no idea")
        }
    }
    #[observe(trace_id = trace, skip_all)]
    fn odd(trace: TraceId, asked: Arc<AtomicBool>) -> impl Iterator<Item = u8> {
        Odd(asked)
    }
    let (trace_id, asked) = (id("odd"), Arc::default());
    let mut iterator = odd(trace_id, Arc::clone(&asked));
    assert_eq!(iterator.next(), Some(1));
    drop(iterator);
    assert!(asked.load(Ordering::Relaxed));
    assert_eq!(named(&trace(trace_id), "odd").status, Status::Abandoned);
}

trait Tokens: Stream<Item = String> {}
impl<S: Stream<Item = String>> Tokens for S {}

#[tokio::test]
async fn the_attribute_may_say_that_it_is_a_stream() {
    #[observe(trace_id = trace, skip_all, stream)]
    fn tokens(trace: TraceId) -> impl Tokens {
        stream::iter(["Hel".to_owned(), "lo".to_owned()])
    }
    #[observe(trace_id = trace, skip_all)]
    fn given<'a, T: Default + Clone + Send + 'a>(trace: TraceId, _text: &'a str) -> BoxStream<'a, T> {
        stream::iter([T::default()]).boxed()
    }
    let trace_id = id("said");
    assert_eq!(tokens(trace_id).collect::<String>().await, "Hello");
    assert_eq!(given::<u8>(trace_id, "").collect::<Vec<_>>().await, [0]);
    let spans = trace(trace_id);
    assert_eq!(output(named(&spans, "tokens")), json!(["Hel", "lo"]));
    assert_eq!(output(named(&spans, "given")), json!(["<u8>"]));
}

#[tokio::test]
async fn the_session_of_the_call_holds_for_what_comes_later() {
    #[observe(trace_id = trace, session = "s", skip_all)]
    fn stamped(trace: TraceId) -> impl Stream<Item = u32> {
        stream::iter(0..2).map(child)
    }
    let trace_id = id("stamped");
    let mut stream = stamped(trace_id);
    assert_eq!(stream.next().await, Some(0));
    observe::session("other").scope(stream.next()).await;
    drop(stream);
    let spans = trace(trace_id);
    assert_eq!(spans.len(), 3);
    assert!(spans.iter().all(|s| s.attributes.session.as_deref() == Some("s")));
}
