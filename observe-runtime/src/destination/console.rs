//! Finished traces as trees on stderr.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    io::Write as _,
    sync::Arc,
};

use observe_model::{Metric, Score, ScoreValue, Span, SpanId, Status, Target, TraceId};

use super::{Destination, Progress};

/// Spans of traces whose root has not ended that are kept before the oldest trace is printed without it.
const LIMIT: usize = 100_000;

/// Characters of an input or output that are shown.
const PREVIEW: usize = 60;

/// Prints a trace when its root has ended, with durations, inputs and outputs. A part of a trace whose root is not recorded
/// here, because another service began it, is printed when nothing of it runs any more.
#[derive(Debug, Default)]
pub struct Console {
    traces: HashMap<TraceId, Held>,
    /// Traces in the order in which their first span came.
    order: Vec<TraceId>,
    held: usize,
    ended: Vec<TraceId>,
    progress: Arc<Progress>,
}

/// A trace that was not printed yet.
#[derive(Debug, Default)]
struct Held {
    spans: Vec<Span<'static>>,
    /// Nothing came of it since the last look, and nothing of it was open.
    quiet: bool,
}

impl Console {
    /// Prints to stderr.
    pub fn new() -> Self {
        Self::default()
    }

    fn print(&mut self, id: TraceId) {
        self.order.retain(|t| *t != id);
        let Some(Held { spans, .. }) = self.traces.remove(&id) else { return };
        self.held -= spans.len();
        // A closed stderr is no fault.
        let _ = std::io::stderr().write_all(tree(id, &spans).as_bytes());
    }

    fn print_line(&self, line: &str) {
        // A closed stderr is no fault.
        let _ = writeln!(std::io::stderr(), "{line}");
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }
}

impl Destination for Console {
    fn name(&self) -> &str {
        "console"
    }

    fn for_child(&self) -> Option<Box<dyn Destination>> {
        Some(Box::new(Self::new()))
    }

    fn record(&mut self, span: &Span<'_>) {
        let held = self.traces.entry(span.trace_id).or_default();
        if held.spans.is_empty() {
            self.order.push(span.trace_id);
        }
        held.spans.push(span.clone().into_owned());
        held.quiet = false;
        self.held += 1;
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
        if span.parent_id.is_none() {
            self.ended.push(span.trace_id);
        }
        if self.held > LIMIT
            && let Some(oldest) = self.order.first().copied()
        {
            self.print(oldest);
        }
    }

    fn record_score(&mut self, score: &Score) {
        let value = match &score.value {
            ScoreValue::Numeric(number) => number.to_string(),
            ScoreValue::Boolean(value) => value.to_string(),
            ScoreValue::Categorical(text) | ScoreValue::Text(text) => preview(text),
        };
        let why =
            score.comment.as_deref().map(|comment| format!("  {}", preview(comment))).unwrap_or_default();
        self.print_line(&format!("score {} = {value}  {}{why}", preview(&score.name), about(&score.target)));
    }

    fn record_metric(&mut self, metric: &Metric) {
        let unit = metric.unit.as_deref().map(|unit| format!(" {}", preview(unit))).unwrap_or_default();
        let name = preview(&metric.name);
        self.print_line(&format!("metric {name} = {}{unit}  {}", metric.value, about(&metric.target)));
    }

    fn settle(&mut self, open: &dyn Fn() -> HashSet<TraceId>) {
        if self.order.is_empty() {
            return;
        }
        let open = open();
        for id in &self.order {
            let Some(held) = self.traces.get_mut(id) else { continue };
            let is_open = open.contains(id);
            if held.quiet && !is_open {
                self.ended.push(*id);
            }
            held.quiet = !is_open;
        }
    }

    fn hand_over(&mut self, _now: bool) {
        for id in std::mem::take(&mut self.ended) {
            self.print(id);
        }
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// The trace as text: one line a span, children below their parent, siblings by start.
fn tree(id: TraceId, spans: &[Span<'_>]) -> String {
    let mut children: HashMap<Option<SpanId>, Vec<&Span<'_>>> = HashMap::new();
    let known: std::collections::HashSet<_> = spans.iter().map(|s| s.span_id).collect();
    for span in spans {
        children.entry(span.parent_id.filter(|p| known.contains(p))).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|s| s.start);
    }
    let mut text = format!("trace {id}");
    let first = spans.iter().min_by_key(|s| s.start);
    if let Some(session) = first.and_then(|s| s.attributes.session.as_deref()) {
        let _ = write!(text, "  session {session}");
    }
    text.push('\n');
    // The spans still to print, with the lines drawn to their left: no recursion, a trace may be deep.
    let mut stack: Vec<(&Span<'_>, String, bool)> = Vec::new();
    let push = |stack: &mut Vec<_>, parent, lines: &str| {
        let siblings = children.get(&parent).map_or(&[][..], Vec::as_slice);
        for (n, span) in siblings.iter().enumerate().rev() {
            stack.push((*span, lines.to_owned(), n + 1 == siblings.len()));
        }
    };
    push(&mut stack, None, "");
    while let Some((span, lines, is_last)) = stack.pop() {
        let _ = writeln!(text, "{lines}{} {}", if is_last { "└─" } else { "├─" }, line(span));
        push(&mut stack, Some(span.span_id), &format!("{lines}{}  ", if is_last { " " } else { "│" }));
    }
    text
}

/// What a score or metric is about.
fn about(target: &Target) -> String {
    match target {
        Target { trace_id: Some(trace), span_id: Some(span), .. } => format!("trace {trace} span {span}"),
        Target { trace_id: Some(trace), .. } => format!("trace {trace}"),
        Target { session: Some(session), .. } => format!("session {}", preview(session)),
        Target { .. } => String::new(),
    }
}

fn line(span: &Span<'_>) -> String {
    let mut line = format!("{} [{}] {}", span.name, span.span_type, duration(span));
    if span.status != Status::Ok {
        let _ = write!(line, "  {}", span.status);
        if let Some(message) = &span.status_message {
            let _ = write!(line, ": {}", preview(message));
        }
    }
    for (arrow, value) in [("<-", &span.input), ("->", &span.output)] {
        if let Some(value) = value {
            let _ = write!(line, "  {arrow} {}", preview(value));
        }
    }
    for event in span.details.iter().flat_map(|details| &details.events) {
        let _ = write!(line, "  · {}", preview(&event.name));
    }
    line
}

fn duration(span: &Span<'_>) -> String {
    match span.duration() {
        None => "..".to_owned(),
        Some(ns) if ns < 1_000_000 => format!("{:.1} µs", ns as f64 / 1e3),
        Some(ns) if ns < 1_000_000_000 => format!("{:.1} ms", ns as f64 / 1e6),
        Some(ns) => format!("{:.2} s", ns as f64 / 1e9),
    }
}

/// One line of at most [`PREVIEW`] characters.
fn preview(text: &str) -> String {
    let mut short: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(PREVIEW).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use observe_model::Timestamp;

    #[test]
    fn a_trace_prints_as_a_tree_with_durations() {
        let trace = TraceId::from_int(1).unwrap();
        let span = |id, parent: u64, name: &'static str, start| {
            let mut span = Span::begin(trace, SpanId::from_int(id).unwrap(), name, Timestamp(start));
            span.parent_id = SpanId::from_int(parent);
            span.status = Status::Ok;
            span.end = Some(Timestamp(start + 1_500_000));
            span
        };
        let mut failed = span(3, 1, "second", 20);
        (failed.status, failed.status_message) = (Status::Error, Some("no".into()));
        let spans = [failed, span(2, 1, "first", 10), span(4, 2, "leaf", 11), span(1, 0, "root", 1)];
        assert_eq!(
            tree(trace, &spans),
            "trace 00000000000000000000000000000001\n\
             └─ root [span] 1.5 ms\n   ├─ first [span] 1.5 ms\n   │  └─ leaf [span] 1.5 ms\n   └─ second [span] 1.5 ms  error: no\n"
        );
    }
}
