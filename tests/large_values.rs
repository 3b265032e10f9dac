//! Values that are far larger than the journal has room for.

mod support;

use std::time::Duration;

use observe::{TraceId, observe};
use support::{id, input};

#[observe(trace_id = trace, skip(trace))]
fn large(trace: TraceId, text: &str, n: usize) -> usize {
    text.len() + n
}

#[test]
fn four_megabytes_at_each_of_three_hundred_calls_stay_valid_json() {
    let trace_id = id("large");
    let text = "\u{e9}\"x\n".repeat(800_000);
    for n in 0..300 {
        large(trace_id, &text, n);
    }
    let report = observe::flush(Duration::from_secs(60));
    assert!(report.complete, "{report:?}");
    let spans = support::memory().trace(trace_id);
    assert_eq!(spans.len() as u64 + report.dropped, 300);
    // What found no room in the journal says so.
    let texts: Vec<_> = spans.iter().map(input).filter(|recorded| recorded["$error"].is_null()).collect();
    assert!(!texts.is_empty());
    for recorded in texts {
        let text = recorded["text"].as_str().unwrap();
        assert!(text.ends_with(" bytes]") && text.len() < 4_000_000, "{}", text.len());
    }
}
