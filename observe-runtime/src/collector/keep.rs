//! Which traces are given to destinations, where only those that failed or were slow are wanted: spans are held back
//! until their trace has ended, and then all of them are given, or none.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    mem,
    sync::atomic::{AtomicU64, Ordering},
};

use observe_model::{Span, Status, Timestamp, TraceId};

use crate::settings::Keep;

/// Bytes of spans that are held back. Beyond that the oldest trace is given before it has ended: in doubt it is kept.
const LIMIT: usize = 64 * 1024 * 1024;

/// Traces whose verdict is remembered for spans that come later.
const REMEMBERED: usize = 4096;

/// Spans of traces that were not kept.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);

/// How many spans were not given to destinations, because their traces neither failed nor were slow.
pub(crate) fn left_out() -> u64 {
    LEFT_OUT.load(Ordering::Relaxed)
}

/// A trace that has not ended.
#[derive(Debug)]
struct Trace {
    spans: Vec<Span<'static>>,
    bytes: usize,
    start: Timestamp,
    end: Timestamp,
    /// Nothing came of it since the last look, and nothing of it was open.
    quiet: bool,
}

/// Holds spans back until their trace's verdict.
#[derive(Debug)]
pub(super) struct Holding {
    keep: Keep,
    limit: usize,
    bytes: usize,
    traces: HashMap<TraceId, Trace>,
    /// The traces that are held, in the order in which their first spans came, and some that are not any more.
    order: VecDeque<TraceId>,
    /// Whether traces are kept, of the latest that were decided.
    verdicts: HashMap<TraceId, bool>,
    decided: VecDeque<TraceId>,
}

impl Holding {
    pub(super) fn new(keep: Keep) -> Self {
        Self {
            keep,
            limit: LIMIT,
            bytes: 0,
            traces: HashMap::new(),
            order: VecDeque::new(),
            verdicts: HashMap::new(),
            decided: VecDeque::new(),
        }
    }

    /// Whether no trace waits for its verdict.
    pub(super) fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// Takes a span that ended. What is known to be wanted then is given at once.
    pub(super) fn take(&mut self, span: &Span<'_>, mut give: impl FnMut(&Span<'_>)) {
        let failed = self.keep.failed && span.status == Status::Error;
        match self.verdicts.get(&span.trace_id) {
            Some(true) => return give(span),
            // A trace that fails after all is kept from here on.
            Some(false) if !failed => return count_left_out(1),
            _ => {}
        }
        let bytes = size(span);
        let trace = self.traces.entry(span.trace_id).or_insert_with(|| {
            self.order.push_back(span.trace_id);
            Trace { spans: Vec::new(), bytes: 0, start: span.start, end: span.start, quiet: false }
        });
        trace.start = trace.start.min(span.start);
        trace.end = trace.end.max(span.end.unwrap_or(span.start));
        trace.bytes += bytes;
        self.bytes += bytes;
        let slow = is_slow(self.keep, trace.end.since(trace.start));
        trace.spans.push(span.clone().into_owned());
        trace.quiet = false;
        if failed || slow {
            self.decide(span.trace_id, true, &mut give);
        }
        while self.bytes > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.decide(oldest, true, &mut give);
        }
    }

    /// Whether a span that still runs may be shown: its trace is known to be kept, also because it is slow by now.
    pub(super) fn may_show(
        &mut self,
        span: &Span<'_>,
        now: Timestamp,
        mut give: impl FnMut(&Span<'_>),
    ) -> bool {
        if self.verdicts.get(&span.trace_id) == Some(&true) {
            return true;
        }
        let slow = is_slow(self.keep, now.since(span.start));
        if slow {
            self.decide(span.trace_id, true, &mut give);
        }
        slow
    }

    /// Leaves out the traces that have ended: at two looks in a row no span of theirs was `open`. What was to be kept is
    /// gone already.
    pub(super) fn settle(&mut self, open: &HashSet<TraceId>) {
        let mut ended = Vec::new();
        for (id, trace) in &mut self.traces {
            let is_open = open.contains(id);
            if trace.quiet && !is_open {
                ended.push(*id);
            }
            trace.quiet = !is_open;
        }
        for trace in ended {
            self.decide(trace, false, &mut |_| {});
        }
        let traces = &self.traces;
        self.order.retain(|trace| traces.contains_key(trace));
    }

    /// Gives all that is held: the process ends, and what has not ended may matter.
    pub(super) fn give_all(&mut self, mut give: impl FnMut(&Span<'_>)) {
        for trace in mem::take(&mut self.order) {
            self.decide(trace, true, &mut give);
        }
    }

    fn decide(&mut self, id: TraceId, kept: bool, give: &mut impl FnMut(&Span<'_>)) {
        if self.verdicts.insert(id, kept).is_none() {
            self.decided.push_back(id);
            if self.decided.len() > REMEMBERED
                && let Some(oldest) = self.decided.pop_front()
            {
                self.verdicts.remove(&oldest);
            }
        }
        let Some(trace) = self.traces.remove(&id) else { return };
        self.bytes -= trace.bytes;
        if kept {
            trace.spans.iter().for_each(give);
        } else {
            count_left_out(trace.spans.len());
        }
    }
}

fn is_slow(keep: Keep, nanos: u64) -> bool {
    keep.slower_than.is_some_and(|limit| u128::from(nanos) > limit.as_nanos())
}

fn count_left_out(spans: usize) {
    LEFT_OUT.fetch_add(spans as u64, Ordering::Relaxed);
}

/// Bytes that a span occupies, about.
fn size(span: &Span<'_>) -> usize {
    let texts = [&span.input, &span.output, &span.status_message];
    mem::size_of::<Span<'static>>() + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ids;

    fn span(trace: TraceId, millis: u64, status: Status) -> Span<'static> {
        let mut span = Span::begin(trace, ids::span_id(), "step", Timestamp(1_000_000));
        span.end = Some(Timestamp(1_000_000 + millis * 1_000_000));
        span.status = status;
        span
    }

    fn take(holding: &mut Holding, span: &Span<'_>) -> usize {
        let mut given = 0;
        holding.take(span, |_| given += 1);
        given
    }

    #[test]
    fn a_trace_that_fails_or_is_slow_is_given_whole_and_another_not_at_all() {
        let mut holding = Holding::new(Keep { failed: true, slower_than: Some(Duration::from_millis(100)) });
        let [fails, slow, dull] = [(); 3].map(|()| ids::trace_id());
        for trace in [fails, slow, dull] {
            assert_eq!(take(&mut holding, &span(trace, 1, Status::Ok)), 0);
        }
        assert_eq!(take(&mut holding, &span(fails, 2, Status::Error)), 2);
        assert_eq!(take(&mut holding, &span(slow, 101, Status::Ok)), 2);
        assert_eq!(take(&mut holding, &span(slow, 1, Status::Ok)), 1, "what comes later belongs to it");
        holding.settle(&HashSet::from([dull]));
        assert!(!holding.is_empty(), "it goes on");
        let before = left_out();
        holding.settle(&HashSet::new());
        assert!(!holding.is_empty(), "a start of it may not have been seen yet");
        holding.settle(&HashSet::new());
        assert!(holding.is_empty());
        assert_eq!(take(&mut holding, &span(dull, 1, Status::Ok)), 0);
        assert_eq!((left_out() - before, holding.bytes), (2, 0));
        assert_eq!(take(&mut holding, &span(dull, 1, Status::Error)), 1, "it failed after all");
    }

    #[test]
    fn a_span_that_runs_is_shown_once_its_trace_is_slow() {
        let mut holding = Holding::new(Keep { failed: false, slower_than: Some(Duration::from_millis(100)) });
        let trace = ids::trace_id();
        take(&mut holding, &span(trace, 1, Status::Error));
        let running = Span::begin(trace, ids::span_id(), "root", Timestamp(0));
        let mut given = 0;
        assert!(!holding.may_show(&running, Timestamp(99_000_000), |_| given += 1));
        assert!(holding.may_show(&running, Timestamp(101_000_000), |_| given += 1));
        assert_eq!(given, 1);
    }

    #[test]
    fn what_is_held_is_bounded_and_in_doubt_the_oldest_trace_is_kept() {
        let mut holding = Holding::new(Keep { failed: true, slower_than: None });
        holding.limit = 10 * mem::size_of::<Span<'static>>();
        let traces: Vec<_> = (0..20).map(|_| ids::trace_id()).collect();
        let given: usize = traces.iter().map(|t| take(&mut holding, &span(*t, 1, Status::Ok))).sum();
        assert_eq!((given, holding.traces.len()), (10, 10));
        assert!(holding.verdicts[&traces[0]] && !holding.verdicts.contains_key(&traces[19]));
        let mut rest = 0;
        holding.give_all(|_| rest += 1);
        assert_eq!((rest, holding.bytes), (10, 0));
    }
}
