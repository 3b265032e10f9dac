//! What makes capturing dangerous: values that call back, fail, wait, are too deep or too large, and bad moments.

mod support;

use std::{
    cell::RefCell,
    fmt,
    future::Future,
    panic::catch_unwind,
    pin::Pin,
    sync::{Arc, Mutex, RwLock},
    task::{Context, Poll, Waker},
};

use observe::{Status, TraceId, observe};
use serde::{Serialize, Serializer};
use support::{id, input, named, names, output, trace};

#[observe(trace_id = trace, skip_all)]
fn under<R>(trace: TraceId, call: impl FnOnce() -> R) -> R {
    call()
}

/// Its own printing and serialising is observed, and what these call.
struct Recursive(u8);

#[observe]
impl fmt::Debug for Recursive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown(self))
    }
}

#[observe]
impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&shown(&self.0))
    }
}

struct Written(Recursive);

#[observe]
fn shown(value: &Recursive) -> String {
    format!("R{}", value.0)
}

#[observe]
fn takes_both(debug: &Recursive, json: &Written) -> Recursive {
    Recursive(debug.0 + json.0.0)
}

#[test]
fn printing_and_serialising_may_be_observed_themselves() {
    let trace_id = id("recursive");
    let text = under(trace_id, || {
        takes_both(&Recursive(1), &Written(Recursive(2)));
        format!("{:?} {}", Recursive(3), serde_json::to_string(&Written(Recursive(4))).unwrap())
    });
    assert_eq!(text, "R3 \"R4\"");
    let spans = trace(trace_id);
    let span = named(&spans, "takes_both");
    assert_eq!(input(span), serde_json::json!({"debug": "R1", "json": "R2"}));
    assert_eq!(output(span), "R3");
    // The calls that were not for our sake are recorded, each once.
    let mut others = names(&spans);
    others.sort();
    assert_eq!(others, ["fmt", "serialize", "shown", "shown", "takes_both", "under"]);
    assert_eq!(output(named(&spans, "serialize")), "<()>");
}

#[derive(Serialize)]
struct Guarded {
    one: Mutex<u8>,
    list: Vec<RwLock<u8>>,
    shared: Option<Arcs>,
}

#[derive(Serialize)]
struct Arcs(Box<Mutex<u8>>);

#[observe(trace_id = trace, skip(trace))]
fn locks(
    trace: TraceId,
    mutex: &Mutex<u8>,
    shared: Arc<RwLock<u8>>,
    boxed: Box<Mutex<u8>>,
    nested: &Guarded,
    debug: &Mutex<Recursive>,
) {
    let _ = (mutex, shared, boxed, nested, debug);
}

#[test]
fn a_lock_that_the_caller_holds_is_not_waited_for() {
    let trace_id = id("locks");
    let (mutex, shared) = (Mutex::new(1), Arc::new(RwLock::new(2)));
    let nested = Guarded {
        one: Mutex::new(3),
        list: vec![RwLock::new(4)],
        shared: Some(Arcs(Box::new(Mutex::new(5)))),
    };
    let debug = Mutex::new(Recursive(6));
    let _held = (
        mutex.lock(),
        shared.write(),
        nested.one.lock(),
        nested.list[0].write(),
        nested.shared.as_ref().map(|arcs| arcs.0.lock()),
        debug.lock(),
    );
    locks(trace_id, &mutex, shared.clone(), Box::new(Mutex::new(7)), &nested, &debug);
    let spans = trace(trace_id);
    let recorded = input(named(&spans, "locks"));
    for place in ["/mutex", "/boxed", "/nested/one", "/nested/shared", "/debug"] {
        let text = recorded.pointer(place).and_then(|value| value.as_str()).unwrap_or_default();
        assert!(text.contains("Mutex"), "{place}: {recorded}");
    }
    for place in ["/shared", "/nested/list/0"] {
        let text = recorded.pointer(place).and_then(|value| value.as_str()).unwrap_or_default();
        assert!(text.contains("RwLock"), "{place}: {recorded}");
    }
}

#[test]
fn a_lock_that_a_panic_poisoned_costs_only_itself() {
    let (mutex, shared) = (Mutex::new(1), Arc::new(RwLock::new(2)));
    let poisoned = catch_unwind(|| {
        let (_one, _two) = (mutex.lock(), shared.write());
        panic!("while it holds them");
    });
    assert!(poisoned.is_err() && mutex.is_poisoned() && shared.is_poisoned());
    let nested = Guarded { one: Mutex::new(3), list: vec![], shared: None };
    locks(id("poisoned"), &mutex, shared, Box::new(Mutex::new(7)), &nested, &Mutex::new(Recursive(6)));
    let spans = trace(id("poisoned"));
    let recorded = input(named(&spans, "locks"));
    for (place, lock) in [("mutex", "Mutex"), ("shared", "RwLock"), ("boxed", "Mutex"), ("debug", "Mutex")] {
        assert!(recorded[place].as_str().is_some_and(|text| text.contains(lock)), "{place}: {recorded}");
    }
    assert_eq!(named(&spans, "locks").status, Status::Ok);
}

/// As the crate of that name has it: to print it is to lock it.
mod dashmap {
    pub(crate) struct DashMap<K>(pub(crate) K);

    impl<K> std::fmt::Debug for DashMap<K> {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            unreachable!("here it would wait")
        }
    }
}

#[observe(trace_id = trace, skip(trace))]
fn maps(trace: TraceId, map: &dashmap::DashMap<u8>, shared: Option<Arc<dashmap::DashMap<u8>>>) {
    let _ = (map.0, shared);
}

#[test]
fn a_map_that_locks_its_entries_is_not_printed() {
    let trace_id = id("maps");
    maps(trace_id, &dashmap::DashMap(1), Some(Arc::new(dashmap::DashMap(2))));
    let spans = trace(trace_id);
    let recorded = input(named(&spans, "maps"));
    assert_eq!(recorded["map"], "<traps::dashmap::DashMap<u8>>");
    assert_eq!(recorded["shared"], "<core::option::Option<alloc::sync::Arc<traps::dashmap::DashMap<u8>>>>");
}

#[observe(trace_id = trace, skip(trace))]
fn cells(trace: TraceId, json: &RefCell<u8>, debug: &RefCell<Recursive>, fine: u8) -> u8 {
    fine
}

#[test]
fn a_cell_that_is_borrowed_costs_only_itself() {
    let trace_id = id("cells");
    let (json, debug) = (RefCell::new(1), RefCell::new(Recursive(2)));
    let _held = (json.borrow_mut(), debug.borrow_mut());
    cells(trace_id, &json, &debug, 3);
    let spans = trace(trace_id);
    let recorded = input(named(&spans, "cells"));
    assert_eq!((&recorded["fine"], &recorded["debug"]), (&3.into(), &"RefCell { value: <borrowed> }".into()));
    assert!(recorded["json"]["$error"].is_string(), "{recorded}");
}

#[derive(Serialize)]
struct Deep(Option<Box<Deep>>, u8);

#[derive(Debug)]
struct DeepText {
    next: Option<Box<DeepText>>,
}

#[observe(trace_id = trace, skip(trace))]
fn deep(trace: TraceId, json: &Deep, debug: &DeepText, fine: u8) -> u8 {
    fine
}

#[test]
fn a_value_fifty_thousand_levels_deep_is_cut() {
    let trace_id = id("deep");
    let (mut json, mut debug) = (Deep(None, 0), DeepText { next: None });
    for n in 0..50_000u32 {
        json = Deep(Some(Box::new(json)), n as u8);
        debug = DeepText { next: Some(Box::new(debug)) };
    }
    deep(trace_id, &json, &debug, 3);
    let spans = trace(trace_id);
    let span = named(&spans, "deep");
    assert_eq!(input(span)["fine"], 3);
    assert!(span.input.as_ref().unwrap().contains("$cut: too deep"), "the array is cut");
    let text = input(span)["debug"].as_str().unwrap().to_owned();
    assert!(text.starts_with("DeepText { next: Some(") && text.ends_with("…[too deep]"), "{text}");
    // To drop them at once would overflow the stack without any of us.
    while let Some(next) = json.0.take() {
        json = *next;
    }
    while let Some(next) = debug.next.take() {
        debug = *next;
    }
}

struct CallsWhenDropped(TraceId);

#[observe]
impl Drop for CallsWhenDropped {
    fn drop(&mut self) {
        last_words(self.0);
    }
}

#[observe(trace_id = trace, skip(trace))]
fn last_words(trace: TraceId) -> u8 {
    7
}

thread_local! {
    static LATE: RefCell<Option<CallsWhenDropped>> = const { RefCell::new(None) };
}

#[test]
fn calls_from_a_thread_locals_destructor_are_recorded() {
    let trace_id = id("destructor");
    std::thread::spawn(move || {
        // Registered before our own thread-locals, so that it is dropped after them, and once more the other way round.
        LATE.with(|late| *late.borrow_mut() = Some(CallsWhenDropped(trace_id)));
        last_words(trace_id);
    })
    .join()
    .unwrap();
    let spans = trace(trace_id);
    assert_eq!(names(&spans), ["last_words", "last_words"]);
    assert!(spans.iter().all(|span| output(span) == 7));
}

#[test]
fn calls_from_drop_while_unwinding_are_recorded_as_what_they_are() {
    let trace_id = id("unwinding");
    let unwound = catch_unwind(|| {
        under(trace_id, || {
            let _guard = CallsWhenDropped(trace_id);
            panic!("on purpose");
        })
    });
    assert!(unwound.is_err());
    let spans = trace(trace_id);
    assert_eq!(named(&spans, "under").status, Status::Error);
    assert!(named(&spans, "under").status_message.as_ref().unwrap().ends_with("on purpose"));
    assert_eq!((named(&spans, "drop").status, named(&spans, "last_words").status), (Status::Ok, Status::Ok));
    assert_eq!(output(named(&spans, "last_words")), 7);
}

#[observe(skip_all)]
fn sink_in(n: u32) -> u32 {
    if n == 0 { 0 } else { sink_in(n - 1) + 1 }
}

#[observe(skip_all)]
async fn sink_in_later(n: u32) -> u32 {
    if n == 0 {
        return 0;
    }
    let deeper: Pin<Box<dyn Future<Output = u32>>> = Box::pin(sink_in_later(n - 1));
    deeper.await + 1
}

#[test]
fn ten_thousand_calls_within_each_other_fit_on_the_stack() {
    let trace_id = id("recursion");
    let depth = std::thread::Builder::new().stack_size(16 << 20);
    let depth = depth.spawn(move || {
        under(trace_id, || sink_in(10_000));
        let mut future = std::pin::pin!(sink_in_later(10_000));
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    });
    assert_eq!(depth.unwrap().join().unwrap(), Poll::Ready(10_000));
    assert!(trace(trace_id).len() > 10_000);
}

async fn plain(a: [u64; 64], b: String) -> usize {
    let local = [a[0]; 64];
    std::future::ready(()).await;
    local.len() + b.len()
}

#[observe]
async fn observed(a: [u64; 64], b: String) -> usize {
    let local = [a[0]; 64];
    std::future::ready(()).await;
    local.len() + b.len()
}

#[test]
fn a_future_is_larger_by_its_arguments_and_hardly_more() {
    let arguments = size_of::<([u64; 64], String)>();
    let (plain, observed) =
        (size_of_val(&plain([0; 64], String::new())), size_of_val(&observed([0; 64], String::new())));
    assert!(observed <= plain + arguments + 128, "{plain} bytes became {observed}");
}
