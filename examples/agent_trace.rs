//! Traces by hand, as Tracium has them: an agent whose trace holds what happens inside.
//!
//! The page's examples in its order; run them with `cargo run --example agent_trace`.
//! Source: Tracium, "Traces".
#![allow(dead_code, clippy::print_stdout, reason = "a program; the tests include this file, too")]

use std::fmt;

use observe::{SpanType, observe};
use serde_json::json;

fn main() {
    let _observe = observe::init();
    run();
}

/// Every example of the page.
pub(crate) fn run() {
    creating_a_trace();
    trace_handle();
    across_threads();
    lazy_start(false);
    lazy_start(true);
    // The caller sees the error as it was.
    let _ = error_handling();
    let _ = marked_by_hand();
    fail_safe();
}

/// "Creating a Trace": the agent's name is required, everything else is not.
fn creating_a_trace() {
    observe::agent("support-bot")
        .model("gpt-4")
        .tags(["production", "support"])
        .metadata("customer_tier", "premium")
        .version("1.2.0")
        .sync_scope(|| {
            // All spans created inside are part of this trace.
            your_code();
        });
}

#[observe]
fn your_code() {}

/// "Trace Handle Methods".
fn trace_handle() {
    let name = "my-agent";
    observe::agent(name).sync_scope(|| {
        println!("Trace ID: {:?}", observe::current_trace_id());
        println!("Agent: {name}");
        let trace = observe::current_trace();
        // Tags merge, in the order in which they come.
        trace.tags(["urgent", "high-priority"]);
        observe::span("completion").as_type(SpanType::Generation).sync_scope(|| {});
        trace.summary(json!({ "total_tokens": 500, "outcome": "success" }));
    });
}

/// "Automatic Context Propagation": to threads, here those of a scope.
fn across_threads() {
    observe::agent("batch-processor").sync_scope(|| {
        let results: Vec<_> = observe::thread::scope(|scope| {
            let threads = ["a", "b", "c"].map(|item| scope.spawn(move || process(item)));
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        observe::current_span().output(results);
    });
}

#[observe(as_type = "tool")]
fn process(item: &str) -> String {
    item.to_uppercase()
}

/// "Lazy Start": if no span is created, there is no trace.
fn lazy_start(should_process: bool) {
    observe::agent("conditional-agent").lazy().sync_scope(|| {
        if should_process {
            observe::span("process_request").as_type(SpanType::Generation).sync_scope(|| {});
        }
    });
}

#[derive(Debug)]
struct SpecificError;

impl fmt::Display for SpecificError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operation is not possible on a Sunday")
    }
}

impl std::error::Error for SpecificError {}

/// "Error Handling": an error that leaves the scope marks the trace failed by itself.
fn error_handling() -> Result<(), SpecificError> {
    observe::agent("error-handler").try_sync_scope(risky_operation)
}

fn risky_operation() -> Result<(), SpecificError> {
    Err(SpecificError)
}

/// The same by hand, with words of one's own; what is returned later does not take it back.
fn marked_by_hand() -> Result<(), SpecificError> {
    observe::agent("error-handler").sync_scope(|| {
        risky_operation().inspect_err(|error| {
            observe::current_trace().mark_failed(format!("Operation failed: {error}"));
        })
    })
}

/// "Fail-Safe Design": whatever happens to the recording, the function runs.
fn fail_safe() {
    struct Broken;
    impl serde::Serialize for Broken {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("a value that cannot be recorded")
        }
    }
    let result = observe::agent("resilient-agent").sync_scope(|| {
        observe::current_span().input(Broken);
        your_important_function()
    });
    assert_eq!(result, 42);
}

#[observe]
fn your_important_function() -> u32 {
    42
}
