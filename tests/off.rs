//! With the feature `off` an annotated function is the function. Run with `cargo test --features off --test off`.
#![cfg(feature = "off")]

use std::time::Duration;

use observe::{destination::Memory, observe};

#[observe(as_type = "tool", name = name, metadata = { length: name.len() })]
fn work(name: &str) -> usize {
    assert_eq!((observe::current_trace_id(), observe::current_span_id()), (None, None));
    name.len()
}

#[observe]
async fn wait(_name: &str) {
    std::future::ready(()).await;
}

#[test]
fn nothing_is_recorded_and_nothing_is_left_of_the_attribute() {
    let memory = Memory::new();
    let _observe = observe::builder().destination(memory.clone()).init();
    assert_eq!(observe::session("s").sync_scope(|| work("four")), 4);
    // The future holds its argument and its state, and nothing of ours.
    assert!(size_of_val(&wait("four")) <= 4 * size_of::<usize>());
    assert!(observe::flush(Duration::from_secs(1)).complete);
    assert!(memory.spans().is_empty());
}
