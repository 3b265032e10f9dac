//! What the tests share: one recording process, and a way to look at what a piece of code recorded.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::{sync::OnceLock, time::Duration};

use observe::{Guard, Span, TraceId, destination::Memory};
use serde_json::Value;

/// The memory that all tests of this process record to.
pub fn memory() -> &'static Memory {
    static RECORDING: OnceLock<(Memory, Guard)> = OnceLock::new();
    let (memory, _) = RECORDING.get_or_init(|| {
        let memory = Memory::new();
        (memory.clone(), observe::builder().project("tests").destination(memory).init())
    });
    memory
}

/// Everything in the trace `id`, once it has arrived.
pub fn trace(id: TraceId) -> Vec<Span<'static>> {
    let report = observe::flush(Duration::from_secs(60));
    assert!(report.complete && report.dropped == 0, "{report:?}");
    memory().trace(id)
}

/// The span of that name.
pub fn named<'a>(spans: &'a [Span<'static>], name: &str) -> &'a Span<'static> {
    let mut found = spans.iter().filter(|s| s.name == name);
    let span = found.next().unwrap_or_else(|| panic!("no span `{name}` among {:?}", names(spans)));
    assert!(found.next().is_none(), "two spans `{name}`");
    span
}

pub fn names(spans: &[Span<'static>]) -> Vec<String> {
    spans.iter().map(|s| s.name.to_string()).collect()
}

pub fn input(span: &Span<'_>) -> Value {
    span.input.as_deref().map_or(Value::Null, json)
}

pub fn output(span: &Span<'_>) -> Value {
    span.output.as_deref().map_or(Value::Null, json)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A trace id of its own for each test.
pub fn id(test: &str) -> TraceId {
    memory();
    TraceId::from_seed(test)
}

/// The trace as text, one line a span, children indented below their parent, siblings by start.
pub fn tree(spans: &[Span<'static>]) -> String {
    fn below(spans: &[Span<'static>], parent: Option<observe::SpanId>, depth: usize, text: &mut String) {
        let mut children: Vec<_> = spans.iter().filter(|s| s.parent_id == parent).collect();
        children.sort_by_key(|s| s.start);
        for child in children {
            text.push_str(&format!("{:depth$}{}\n", "", child.name));
            below(spans, Some(child.span_id), depth + 1, text);
        }
    }
    let mut text = String::new();
    below(spans, None, 0, &mut text);
    text
}
