//! One trace on its way: what is known of it and not told yet.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use observe_model::{Record, Resource, Span, SpanId, Status, TraceId};
use observe_wire::platform::{Post, Writer};

use super::Platform;

/// Why a span that never ended says that it did not.
const INTERRUPTED: &str = "the process ended before it did";

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

/// A trace that has not ended.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Spans that were not told to their end, as they are known now, with their size; the first span among them.
    spans: HashMap<SpanId, (Span<'static>, usize)>,
    bytes: usize,
    /// Scores and metrics that wait for the trace to be told.
    records: Vec<Record>,
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

    pub(super) fn take(&mut self, span: Span<'static>) {
        self.has_news = true;
        self.quiet = false;
        self.is_long |= span.status == Status::Running;
        let bytes = size(&span);
        self.bytes += bytes;
        if let Some((_, before)) = self.spans.insert(span.span_id, (span, bytes)) {
            self.bytes -= before;
        }
    }

    pub(super) fn record(&mut self, record: Record) {
        self.has_news = true;
        self.records.push(record);
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
    ) -> Option<(TraceId, Vec<Post>)> {
        if ends {
            self.end_all();
        }
        let (mut told, mut posts) = match self.told.take() {
            Some(told) => (told, Vec::new()),
            None => self.begin(trace, ends, goes_on, platform, resource)?,
        };
        for record in mem::take(&mut self.records) {
            posts.extend(told.writer.record(&record));
        }
        self.walk(&mut told, &mut posts);
        if ends && let Some((root, _)) = told.root.and_then(|root| self.spans.get(&root)) {
            posts.extend(told.writer.finish(&stamped(root, resource)));
        }
        self.has_news = false;
        let id = told.id;
        self.told = Some(told);
        Some((id, posts))
    }

    /// What still runs never ended, as far as will be known.
    fn end_all(&mut self) {
        for (span, _) in self.spans.values_mut().filter(|(span, _)| span.status == Status::Running) {
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
    ) -> Option<(Told, Vec<Post>)> {
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
        Some((Told { id, root, is_whole, holds, writer, started: HashSet::new() }, posts))
    }

    /// The trace's first span, as far as it is known: the one without a parent, else the earliest without one here. While the
    /// trace goes on only a span that runs can be that: another one's parent would run, and be known.
    fn first(&self, ends: bool) -> Option<&Span<'static>> {
        let spans = || self.spans.values().map(|(span, _)| span);
        let is_top = |span: &&Span<'_>| span.parent_id.is_none_or(|parent| !self.knows(parent));
        let may_be = |span: &&Span<'_>| ends || span.status == Status::Running;
        spans()
            .find(|span| span.parent_id.is_none())
            .or_else(|| spans().filter(may_be).filter(is_top).min_by_key(|span| (span.start, span.span_id)))
    }

    /// Tells every span that began or ended, its children in between. What was told to its end is let go of.
    fn walk(&mut self, told: &mut Told, posts: &mut Vec<Post>) {
        let mut below: HashMap<Option<SpanId>, Vec<(&Span<'_>, SpanId)>> = HashMap::new();
        for (span, _) in self.spans.values() {
            let parent = span.parent_id.filter(|parent| self.spans.contains_key(parent));
            below.entry(parent).or_default().push((span, span.span_id));
        }
        // The last first: they go onto a stack.
        below
            .values_mut()
            .for_each(|spans| spans.sort_by_key(|(span, id)| std::cmp::Reverse((span.start, *id))));
        let mut stack: Vec<_> = below.remove(&None).unwrap_or_default();
        let (mut path, mut ended) = (Vec::new(), Vec::new());
        let mut leave = |span: &Span<'_>, told: &mut Told, posts: &mut Vec<Post>| {
            if told.root != Some(span.span_id) && span.status != Status::Running {
                posts.extend(told.writer.end(span));
                told.started.remove(&span.span_id);
                ended.push(span.span_id);
            }
        };
        while let Some((span, id)) = stack.pop() {
            while let Some(above) = path.pop_if(|above: &mut &Span<'_>| Some(above.span_id) != span.parent_id)
            {
                leave(above, told, posts);
            }
            if told.root != Some(id) && told.started.insert(id) {
                posts.extend(told.writer.start(span));
            }
            path.push(span);
            stack.extend(below.remove(&Some(id)).unwrap_or_default());
        }
        path.into_iter().rev().for_each(|span| leave(span, told, posts));
        for id in ended {
            if let Some((_, bytes)) = self.spans.remove(&id)
                && !told.holds
            {
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
