//! A stream without end needs no more memory than one that is cut.

use observe::{Status, destination::Memory, observe};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

#[observe]
fn numbers(n: u64) -> impl Iterator<Item = u64> {
    0..n
}

/// What one call needs at its most, in bytes.
fn peak(n: u64) -> usize {
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    assert_eq!(numbers(n).last(), Some(n - 1));
    ALLOCATED.peak_usage().saturating_sub(before)
}

#[test]
fn ten_million_items_need_no_more_memory_than_those_that_are_kept() {
    let memory = Memory::new();
    let _guard = observe::builder().project("tests").destination(memory.clone()).init();
    // More than the capture limit holds, so that everything has its full size.
    peak(300_000);
    let peak = peak(10_000_000);
    assert!(peak < 8 * 1024 * 1024, "{peak} bytes");
    assert!(observe::flush(std::time::Duration::from_secs(10)).complete);
    let spans = memory.spans();
    let output = spans[1].output.as_deref().unwrap();
    assert!(
        output.starts_with("[0,1,2,") && output.ends_with(" more\"]"),
        "{}",
        &output[output.len() - 40..]
    );
    assert_eq!(spans[1].status, Status::Ok);
    serde_json::from_str::<Vec<serde_json::Value>>(output).unwrap();
}
