//! One trace on its way: what is known of it and not told yet.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use observe_model::{Record, Resource, Span, SpanId, Status, TraceId};
use observe_wire::platform::{Key, Post, Writer};

use super::Platform;
use crate::destination::Hold;

/// Why a span that never ended says that it did not.
pub(super) const INTERRUPTED: &str = "the process ended before it did";

/// Bytes that a span occupies, about.
pub(super) fn size(span: &Span<'_>) -> usize {
    let texts = [&span.input, &span.output, &span.status_message];
    let details = span.details.as_deref().map_or(0, |details| {
        let errors = details.errors.iter().map(|error| error.message.len()).sum::<usize>();
        let states = details.states.iter().map(|state| state.value.as_str().len()).sum::<usize>();
        mem::size_of_val(details) + errors + states
    });
    mem::size_of::<Span<'static>>()
        + details
        + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
}

/// A post that is to be made.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) post: Post,
    /// What is noted when it needs no telling any more.
    pub(super) keys: Vec<Key>,
    /// Of what it tells.
    pub(super) hold: Option<Hold>,
}

impl Step {
    pub(super) fn of(post: Post) -> Self {
        Self { keys: vec![post.key], post, hold: None }
    }

    /// Lets the last of `steps` hold what they tell; where there is none, `or` does.
    fn hold(steps: &mut [Self], hold: Option<Hold>, or: &mut Option<Hold>) {
        Hold::join(steps.last_mut().map_or(or, |step| &mut step.hold), hold);
    }
}

/// What is known of a span.
#[derive(Debug)]
struct Known {
    span: Span<'static>,
    bytes: usize,
    /// None while it runs: it is in the journal for as long.
    hold: Option<Hold>,
}

/// A trace that has not ended.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Spans that were not told to their end; the first span among them.
    spans: HashMap<SpanId, Known>,
    bytes: usize,
    /// Scores and metrics that wait for the trace to be told.
    records: Vec<(Record, Option<Hold>)>,
    told: Option<Told>,
    /// Something came since it was told.
    has_news: bool,
    /// One of its spans runs for long, so that it is told before it ends.
    is_long: bool,
    /// Nothing came of it since the last look, and nothing of it was open.
    quiet: bool,
    /// The process ends.
    is_cut_off: bool,
}

/// A trace that was begun.
#[derive(Debug)]
struct Told {
    /// What the platform knows it as.
    id: TraceId,
    /// Its first span; `None` if it was told to its end before, and this comes after.
    root: Option<SpanId>,
    is_whole: bool,
    /// Its writer has what was told, until the end.
    holds: bool,
    writer: Box<dyn Writer>,
    /// Of what is told at the end; the spans among it.
    hold: Option<Hold>,
    at_end: Vec<SpanId>,
    /// Spans that began and have not ended.
    started: HashSet<SpanId>,
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn knows(&self, span: SpanId) -> bool {
        self.spans.contains_key(&span)
    }

    /// `hold` keeps it in the journal until it is told.
    pub(super) fn take(&mut self, span: Span<'static>, mut hold: Option<Hold>) {
        self.has_news = true;
        self.quiet = false;
        self.is_long |= span.status == Status::Running;
        let bytes = size(&span);
        self.bytes += bytes;
        if let Some(before) = self.spans.remove(&span.span_id) {
            self.bytes -= before.bytes;
            Hold::join(&mut hold, before.hold);
        }
        self.spans.insert(span.span_id, Known { span, bytes, hold });
    }

    pub(super) fn record(&mut self, record: Record, hold: Option<Hold>) {
        self.has_news = true;
        self.quiet = false;
        self.records.push((record, hold));
    }

    /// The scores and metrics of a trace that cannot be told.
    pub(super) fn take_records(&mut self) -> Vec<(Record, Option<Hold>)> {
        mem::take(&mut self.records)
    }

    /// Leaves the spans that are to be told.
    pub(super) fn retain(&mut self, is_untold: impl Fn(SpanId) -> bool) {
        self.spans.retain(|id, _| is_untold(*id));
    }

    /// Keeps nothing in the journal any more. Whether it did.
    pub(super) fn let_go(&mut self) -> bool {
        let of_spans = self.spans.values_mut().map(|known| known.hold.take());
        let of_records = self.records.iter_mut().map(|(_, hold)| hold.take());
        let of_end = self.told.iter_mut().map(|told| told.hold.take());
        of_spans.chain(of_records).chain(of_end).flatten().count() > 0
    }

    /// Whether there is something to tell although the trace goes on.
    pub(super) fn has_news(&self) -> bool {
        self.has_news && self.is_long
    }

    /// Whether it has ended: at two looks in a row none of its spans was open.
    pub(super) fn settle(&mut self, is_open: bool) -> bool {
        let has_ended = self.quiet && !is_open;
        self.quiet = !is_open;
        has_ended
    }

    /// Whether it was told from its first span on, which no other service began.
    pub(super) fn is_whole(&self) -> bool {
        self.told.as_ref().is_some_and(|told| told.is_whole)
    }

    /// Nothing more will be known of it.
    pub(super) fn interrupt(&mut self) {
        self.is_cut_off = true;
    }

    /// What is new, in order, and what the platform knows the trace as; if it `ends`, all of it. `None` while it cannot be
    /// told because its first span is not known. `goes_on` after it was told to its end before.
    pub(super) fn tell<P: Platform>(
        &mut self,
        trace: TraceId,
        ends: bool,
        goes_on: bool,
        platform: &P,
        resource: &Resource,
    ) -> Option<(TraceId, Vec<Step>)> {
        if ends {
            self.end_all();
        }
        let (mut told, mut steps) = match self.told.take() {
            Some(told) => (told, Vec::new()),
            None => self.begin(trace, ends, goes_on, platform, resource)?,
        };
        for (record, hold) in mem::take(&mut self.records) {
            let mut step: Vec<_> = told.writer.record(&record).map(Step::of).into_iter().collect();
            Step::hold(&mut step, hold, &mut told.hold);
            steps.extend(step);
        }
        self.walk(&mut told, &mut steps);
        if ends && let Some(root) = told.root.and_then(|root| self.spans.get_mut(&root)) {
            let mut last: Vec<_> =
                told.writer.finish(&stamped(&root.span, resource)).into_iter().map(Step::of).collect();
            Hold::join(&mut told.hold, root.hold.take());
            Step::hold(&mut last, told.hold.take(), &mut None);
            if let Some(step) = last.last_mut() {
                // Before the post's own: killed in between, that post alone is made again.
                let spans = mem::take(&mut told.at_end).into_iter().chain([root.span.span_id]);
                step.keys = spans.map(Key::span).chain([step.post.key]).collect();
            }
            steps.extend(last);
        }
        self.has_news = false;
        let id = told.id;
        self.told = Some(told);
        Some((id, steps))
    }

    /// What still runs never ended, as far as will be known.
    fn end_all(&mut self) {
        let spans = self.spans.values_mut().map(|known| &mut known.span);
        for span in spans.filter(|span| span.status == Status::Running) {
            span.status = Status::Interrupted;
            span.status_message.get_or_insert(INTERRUPTED.into());
        }
    }

    fn begin<P: Platform>(
        &self,
        trace: TraceId,
        ends: bool,
        goes_on: bool,
        platform: &P,
        resource: &Resource,
    ) -> Option<(Told, Vec<Step>)> {
        let root = self.first(ends)?;
        let is_whole = root.parent_id.is_none();
        // A part of another service's trace is a trace of its own, lest one overwrite the other. When the process is cut off,
        // the span above is more likely to be one of ours that had not ended.
        let id = if is_whole || goes_on || self.is_cut_off {
            trace
        } else {
            TraceId::from_seed(format!("{trace}-{}", root.span_id))
        };
        let (top, root) = (stamped(root, resource), root.span_id);
        let (writer, posts, root) = if goes_on {
            (platform.resume(id, &top, resource), Vec::new(), None)
        } else {
            let (writer, posts) = platform.begin(id, &top, resource);
            (writer, posts, Some(root))
        };
        let holds = P::HOLDS && !goes_on;
        let is_whole = is_whole && !goes_on;
        let posts = posts.into_iter().map(Step::of).collect();
        Some((
            Told {
                id,
                root,
                is_whole,
                holds,
                writer,
                hold: None,
                at_end: Vec::new(),
                started: HashSet::new(),
            },
            posts,
        ))
    }

    /// The trace's first span, as far as it is known: the one without a parent, else the earliest without one here. While the
    /// trace goes on only a span that runs can be that: another one's parent would run, and be known.
    fn first(&self, ends: bool) -> Option<&Span<'static>> {
        let spans = || self.spans.values().map(|known| &known.span);
        let is_top = |span: &&Span<'_>| span.parent_id.is_none_or(|parent| !self.knows(parent));
        let may_be = |span: &&Span<'_>| ends || span.status == Status::Running;
        spans()
            .find(|span| span.parent_id.is_none())
            .or_else(|| spans().filter(may_be).filter(is_top).min_by_key(|span| (span.start, span.span_id)))
    }

    /// Tells every span that began or ended, its children in between. What was told to its end is let go of.
    fn walk(&mut self, told: &mut Told, steps: &mut Vec<Step>) {
        let mut below: HashMap<Option<SpanId>, Vec<(&Span<'_>, SpanId)>> = HashMap::new();
        for Known { span, .. } in self.spans.values() {
            let parent = span.parent_id.filter(|parent| self.spans.contains_key(parent));
            below.entry(parent).or_default().push((span, span.span_id));
        }
        // The last first: they go onto a stack.
        below
            .values_mut()
            .for_each(|spans| spans.sort_by_key(|(span, id)| std::cmp::Reverse((span.start, *id))));
        let mut stack: Vec<_> = below.remove(&None).unwrap_or_default();
        let (mut path, mut ended) = (Vec::new(), Vec::new());
        let mut leave = |span: &Span<'_>, told: &mut Told, steps: &mut Vec<Step>| {
            if told.root != Some(span.span_id) && span.status != Status::Running {
                let before = steps.len();
                steps.extend(told.writer.end(span).into_iter().map(Step::of));
                told.started.remove(&span.span_id);
                ended.push((span.span_id, before..steps.len()));
            }
        };
        while let Some((span, id)) = stack.pop() {
            while let Some(above) = path.pop_if(|above: &mut &Span<'_>| Some(above.span_id) != span.parent_id)
            {
                leave(above, told, steps);
            }
            if told.root != Some(id) && told.started.insert(id) {
                steps.extend(told.writer.start(span).into_iter().map(Step::of));
            }
            path.push(span);
            stack.extend(below.remove(&Some(id)).unwrap_or_default());
        }
        path.into_iter().rev().for_each(|span| leave(span, told, steps));
        for (id, its) in ended {
            let Some(Known { bytes, hold, .. }) = self.spans.remove(&id) else { continue };
            if its.is_empty() {
                told.at_end.push(id);
            }
            Step::hold(steps.get_mut(its).unwrap_or_default(), hold, &mut told.hold);
            if !told.holds {
                self.bytes -= bytes;
            }
        }
    }
}

/// The first span with what its process says where it says nothing itself.
fn stamped(root: &Span<'static>, resource: &Resource) -> Span<'static> {
    let mut root = root.clone();
    let attributes = root.attributes.to_mut();
    attributes.release = attributes.release.take().or_else(|| resource.release.clone());
    attributes.environment = attributes.environment.take().or_else(|| resource.environment.clone());
    root
}
