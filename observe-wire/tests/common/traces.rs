//! Traces for platforms that are told of them step by step.

use std::borrow::Cow;

use observe_model::{Span, SpanId, Timestamp};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::span;

pub(crate) fn micros(at: Timestamp) -> Timestamp {
    Timestamp(at.0 / 1000 * 1000)
}

/// Spans of one trace, parents before children, all with the attributes of the first.
pub(crate) fn trace() -> impl Strategy<Value = Vec<Span<'static>>> {
    vec((span(), any::<Index>()), 1..6).prop_map(|spans| {
        let mut trace: Vec<Span<'static>> = Vec::new();
        for (n, (mut span, parent)) in spans.into_iter().enumerate() {
            span.span_id = SpanId::from_seed(n.to_string());
            span.parent_id = (n > 0).then(|| trace[parent.index(n)].span_id);
            if let Some(root) = trace.first() {
                (span.trace_id, span.attributes) = (root.trace_id, root.attributes.clone());
            }
            trace.push(span);
        }
        trace
    })
}

/// Has `start` and `end` called as a destination does: a span's children between its own start and end.
pub(crate) fn walk(
    trace: &[Span<'static>],
    at: &Span<'static>,
    visit: &mut impl FnMut(&Span<'static>, bool),
) {
    let is_root = at.span_id == trace[0].span_id;
    if !is_root {
        visit(at, true);
    }
    let mut children: Vec<_> = trace.iter().filter(|span| span.parent_id == Some(at.span_id)).collect();
    children.sort_by_key(|span| span.start);
    children.into_iter().for_each(|child| walk(trace, child, visit));
    if !is_root {
        visit(at, false);
    }
}

pub(crate) fn by_id(mut spans: Vec<Span<'static>>) -> Vec<Span<'static>> {
    spans.sort_by_key(|span| span.span_id);
    spans
}

/// `null` says nothing.
pub(crate) fn something(text: Option<Cow<'static, str>>) -> Option<Cow<'static, str>> {
    text.filter(|text| text != "null")
}
