//! Platforms that are told of a trace step by step, each step in a request of its own, in order.
//!
//! Spans arrive here when they end, children before their parents. They are held until their trace can be told in order:
//! until it has ended, or its first span is known to run for long. From then on the rest of it is told as it comes. What
//! is held is bounded in bytes; beyond that new spans are dropped, and counted.

mod held;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use observe_model::{Metric, Record, Resource, Score, Span, SpanId, TraceId};
use observe_wire::platform::{Post, Writer};

use self::held::{Held, size};
use super::{Destination, Progress};
use crate::{
    delivery::{Order, Outbox, Settings},
    report::Once,
};

/// Bytes that are held or wait to be sent before new spans are dropped.
const LIMIT: usize = 32 * 1024 * 1024;

/// Bytes that wait to be sent from which on spans better wait in the journal.
const CROWDED: usize = 3 * 1024 * 1024;

/// Traces of which it is remembered that they have ended.
const REMEMBERED: usize = 4096;

/// A platform of this kind; its settings.
pub(crate) trait Platform: Clone + fmt::Debug + Send + 'static {
    /// The name of the destination.
    const NAME: &str;

    /// Whether the writer holds the spans of a trace until that ends: they count as held for as long.
    const HOLDS: bool = false;

    /// How requests are sent.
    fn delivery(&self) -> Settings;

    /// What the paths of posts stand behind.
    fn address(&self) -> &str;

    /// Begins the trace that the platform is to know as `id`, with its first span. In the paths of posts [`Order::NAME`]
    /// stands for the name that it gives the trace itself.
    fn begin(&self, id: TraceId, root: &Span<'_>, resource: &Resource) -> (Box<dyn Writer>, Vec<Post>);

    /// Goes on with a trace that was told to its end, because something below its first span came after: `top`.
    fn resume(&self, id: TraceId, top: &Span<'_>, resource: &Resource) -> Box<dyn Writer> {
        self.begin(id, top, resource).0
    }

    /// Whether the answer to the post names the trace.
    fn names(&self, post: &Post) -> bool {
        let _ = post;
        false
    }

    /// A score or metric about a trace that is not told just now; `None` if there is no place for it.
    fn record(&self, id: TraceId, record: &Record) -> Option<Post>;
}

/// Tells a platform of traces step by step: `Artanis`, `Tracium`, `Trajectory`.
#[derive(Debug)]
#[expect(private_bounds, reason = "there are no others than ours")]
pub struct Stepwise<P: Platform> {
    platform: P,
    resource: Resource,
    traces: HashMap<TraceId, Held>,
    /// Bytes of the spans that are held.
    bytes: usize,
    ended: Ended,
    outbox: Option<Outbox>,
    progress: Arc<Progress>,
    said: Once,
}

#[expect(private_bounds, reason = "there are no others than ours")]
impl<P: Platform> Stepwise<P> {
    /// A destination that sends where `settings` say; its thread begins with the first span.
    pub fn new(settings: P) -> Self {
        Self {
            platform: settings,
            resource: Resource::default(),
            traces: HashMap::new(),
            bytes: 0,
            ended: Ended::default(),
            outbox: None,
            progress: Arc::default(),
            said: Once::new(),
        }
    }

    /// Bytes that have neither arrived nor gone to disk.
    fn waiting(&self) -> usize {
        self.outbox.as_ref().map_or(0, Outbox::waiting)
    }

    fn post(&self, id: TraceId, posts: Vec<Post>) {
        for post in posts {
            let order = Order { names: self.platform.names(&post), ..Order::of(id) };
            let url = format!("{}{}", self.platform.address(), post.path).into();
            match &self.outbox {
                Some(outbox) => outbox.post_in_order(order, &url, post.body.into(), post.spans),
                None => self.progress.update(|counts| counts.dropped += post.spans),
            }
        }
    }

    /// Tells what is new of a trace; if it `ends`, all of it.
    fn tell(&mut self, trace: TraceId, ends: bool) {
        let Some(mut held) = self.traces.remove(&trace) else { return };
        let before = held.bytes();
        let told = held.tell(trace, ends, self.ended.contains(trace), &self.platform, &self.resource);
        self.bytes = self.bytes.saturating_sub(before - held.bytes());
        if let Some((id, posts)) = told {
            self.post(id, posts);
        }
        if ends {
            self.bytes = self.bytes.saturating_sub(held.bytes());
            if held.is_whole() {
                self.ended.insert(trace);
            }
        } else {
            self.traces.insert(trace, held);
        }
    }

    fn take(&mut self, record: Record) {
        let target = match &record {
            Record::Score(score) => &score.target,
            Record::Metric(metric) => &metric.target,
        };
        let post = match target.trace_id {
            Some(trace) => match self.traces.get_mut(&trace) {
                Some(held) => return held.record(record),
                None => self.platform.record(trace, &record).map(|post| (trace, post)),
            },
            None => None,
        };
        match post {
            Some((trace, post)) => self.post(trace, vec![post]),
            None => {
                self.said.say(&format!(
                    "destination {}: it has no place for some scores or metrics, which are counted as dropped",
                    P::NAME
                ));
                self.progress.update(|counts| counts.dropped += 1);
            }
        }
    }
}

impl<P: Platform> Destination for Stepwise<P> {
    fn name(&self) -> &str {
        P::NAME
    }

    fn begin(&mut self, resource: &Resource) {
        self.resource = resource.clone();
        self.outbox = Some(Outbox::start(self.platform.delivery(), &self.progress));
    }

    fn wants_running(&self) -> bool {
        true
    }

    fn for_child(&self) -> Option<Box<dyn Destination>> {
        Some(Box::new(Self::new(self.platform.clone())))
    }

    fn record(&mut self, span: &Span<'_>) {
        let held = self.traces.get(&span.trace_id);
        // One that is held already is replaced by what is known now, however large.
        let is_known = held.is_some_and(|held| held.knows(span.span_id));
        if !is_known && self.bytes + self.waiting() + size(span) > LIMIT {
            self.progress.update(|counts| counts.dropped += 1);
            return;
        }
        let held = self.traces.entry(span.trace_id).or_default();
        let before = held.bytes();
        held.take(span.clone().into_owned());
        self.bytes = (self.bytes + held.bytes()).saturating_sub(before);
    }

    fn record_score(&mut self, score: &Score) {
        self.take(Record::Score(score.clone()));
    }

    fn record_metric(&mut self, metric: &Metric) {
        self.take(Record::Metric(metric.clone()));
    }

    fn settle(&mut self, open: &dyn Fn() -> HashSet<TraceId>) {
        if self.traces.is_empty() {
            return;
        }
        let open = open();
        let mut ended = Vec::new();
        for (trace, held) in &mut self.traces {
            if held.settle(open.contains(trace)) {
                ended.push(*trace);
            }
        }
        ended.into_iter().for_each(|trace| self.tell(trace, true));
    }

    fn hand_over(&mut self, now: bool) {
        let news: Vec<_> =
            self.traces.iter().filter(|(_, held)| held.has_news()).map(|(id, _)| *id).collect();
        news.into_iter().for_each(|trace| self.tell(trace, false));
        if now && let Some(outbox) = &self.outbox {
            outbox.hurry();
        }
    }

    fn is_crowded(&self) -> bool {
        self.waiting() > CROWDED
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// The process ends: so does what still runs, as far as anybody will ever know.
impl<P: Platform> Drop for Stepwise<P> {
    fn drop(&mut self) {
        self.traces.values_mut().for_each(Held::interrupt);
        let traces: Vec<_> = self.traces.keys().copied().collect();
        traces.into_iter().for_each(|trace| self.tell(trace, true));
    }
}

/// A header that says who sends.
pub(super) fn user_agent() -> (String, String) {
    ("User-Agent".to_owned(), concat!("observe/", env!("CARGO_PKG_VERSION")).to_owned())
}

/// A directory of its own for each receiver, who is told by address and key.
pub(super) fn spool_below(directory: &Path, name: &str, receiver: &[&str]) -> PathBuf {
    directory.join(format!("{name}-{}", SpanId::from_seed(receiver.join(" "))))
}

/// Traces that were told to their end: what comes after it belongs to them as well.
#[derive(Debug, Default)]
struct Ended {
    traces: HashSet<TraceId>,
    order: VecDeque<TraceId>,
}

impl Ended {
    fn contains(&self, trace: TraceId) -> bool {
        self.traces.contains(&trace)
    }

    fn insert(&mut self, trace: TraceId) {
        if self.traces.insert(trace) {
            self.order.push_back(trace);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.traces.remove(&oldest);
        }
    }
}
