//! What an annotated function does is what it did without the attribute.

mod support;

use std::any::type_name;

use observe::{TraceId, observe};
use serde_json::json;
use support::{id, input, named, output, trace};

#[observe(trace_id = trace)]
fn knows_a_type(trace: TraceId) -> &'static str {
    struct Own;
    assert!(size_of::<Own>() == 0);
    type_name::<Own>()
}

#[observe(trace_id = trace)]
fn knows_a_macro(trace: TraceId) -> u8 {
    macro_rules! number {
        () => {
            7
        };
    }
    struct Own(u8);
    impl Default for Own {
        fn default() -> Self {
            Self(number!())
        }
    }
    Own::default().0
}

#[observe(trace_id = trace)]
fn knows_what_a_macro_defines(trace: TraceId) -> u8 {
    use std::cell::Cell;
    thread_local! {
        static DROPPED: Cell<u8> = const { Cell::new(0) };
    }
    struct Own;
    impl Drop for Own {
        fn drop(&mut self) {
            DROPPED.set(DROPPED.get() + 1);
        }
    }
    drop([Own, Own]);
    DROPPED.get()
}

#[observe(trace_id = trace)]
async fn knows_what_a_macro_defines_and_waits(trace: TraceId) -> u8 {
    std::thread_local!(static LAST: u8 = const { 3 });
    fn last() -> u8 {
        LAST.with(|last| *last)
    }
    std::future::ready(()).await;
    last()
}

#[observe(trace_id = trace)]
async fn knows_a_type_and_waits(trace: TraceId) -> Result<&'static str, String> {
    enum Own {}
    std::future::ready(()).await;
    Ok(type_name::<Own>())
}

/// The same without the attribute.
fn plain() -> &'static str {
    async fn knows_a_type_and_waits() -> &'static str {
        enum Own {}
        type_name::<Own>()
    }
    let name =
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(knows_a_type_and_waits());
    Box::leak(name.replace("plain::", "").into_boxed_str())
}

#[test]
fn a_type_inside_a_function_keeps_its_name() {
    let trace_id = id("types inside");
    assert_eq!(knows_a_type(trace_id), "unchanged::knows_a_type::Own");
    assert_eq!(knows_a_macro(trace_id), 7);
    // What stands in an `async fn` belongs to its state machine already.
    let waited = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(knows_a_type_and_waits(trace_id));
    assert_eq!(waited.unwrap(), plain());
    let spans = trace(trace_id);
    assert_eq!(output(named(&spans, "knows_a_type")), json!("unchanged::knows_a_type::Own"));
    assert_eq!(output(named(&spans, "knows_a_macro")), json!(7));
}

#[test]
fn an_item_inside_a_function_may_use_what_a_macro_beside_it_defines() {
    let trace_id = id("macros inside");
    assert_eq!(knows_what_a_macro_defines(trace_id), 2);
    let waited = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(knows_what_a_macro_defines_and_waits(trace_id));
    assert_eq!(waited, 3);
    let spans = trace(trace_id);
    assert_eq!(output(named(&spans, "knows_what_a_macro_defines")), json!(2));
    assert_eq!(output(named(&spans, "knows_what_a_macro_defines_and_waits")), json!(3));
}

#[observe(trace_id = trace, skip(trace))]
fn takes_nothing(trace: TraceId, nothing: ()) {
    nothing
}

#[test]
fn an_argument_of_the_unit_type_is_null() {
    let trace_id = id("unit");
    takes_nothing(trace_id, ());
    assert_eq!(input(named(&trace(trace_id), "takes_nothing")), json!({"nothing": null}));
}
