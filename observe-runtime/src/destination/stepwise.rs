//! Platforms that are told of a trace step by step, each step in a request of its own, in order.
//!
//! Spans arrive here when they end, children before their parents. They are held until their trace can be told in order:
//! until it has ended, or its first span is known to run for long. From then on the rest of it is told as it comes. What
//! is held is bounded in bytes; beyond that new spans are dropped, and counted.

mod held;
mod left;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use observe_model::{Metric, Record, Resource, Score, Span, SpanId, Status, TraceId};
use observe_wire::platform::{Post, Writer};

use self::held::{Held, Step, size};
use super::{Destination, Hold, Progress, say_full};
use crate::{
    delivery::{Left, Order, Outbox, Settings, SpoolSettings},
    journal::pool,
    report::Once,
};

/// Bytes that are held or wait to be sent before new spans are dropped.
const LIMIT: usize = 32 * 1024 * 1024;

/// Bytes that wait to be sent from which on spans better wait in the journal.
const CROWDED: usize = 3 * 1024 * 1024;

/// Traces of which it is remembered that they have ended.
const REMEMBERED: usize = 4096;

/// How a platform is reached.
pub(crate) struct Reach<'a> {
    /// What the paths of posts stand behind.
    pub(crate) url: &'a str,
    /// Headers that say who sends.
    pub(crate) account: Vec<(&'static str, String)>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    /// Where requests wait while the platform is away.
    pub(crate) spool: Option<&'a Path>,
    /// Where the journal lies meanwhile; of no use without a spool.
    pub(crate) journal: Option<&'a Path>,
}

impl Reach<'_> {
    fn address(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    fn delivery(self, name: &str) -> Settings {
        let agent = ("User-Agent", concat!("observe/", env!("CARGO_PKG_VERSION")).to_owned());
        let headers = self.account.into_iter().chain([agent]);
        Settings {
            name: name.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
            timeout: self.timeout,
            gzip: false,
            spool: self.spool.map(|path| SpoolSettings::new(path.to_owned())),
            left: None,
            receipts: None,
            lookup: None,
            page: None,
        }
    }
}

/// A platform of this kind; its settings.
pub(crate) trait Platform: Clone + fmt::Debug + Send + Sync + 'static {
    /// The name of the destination.
    const NAME: &str;

    /// Whether the writer holds the spans of a trace until that ends: they count as held for as long.
    const HOLDS: bool = false;

    /// How it is reached.
    fn reach(&self) -> Reach<'_>;

    /// What tells the receiver from others, as it is called on disk.
    fn receiver(&self) -> String;

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
    /// The journal outlives the process for it.
    is_kept: bool,
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
            is_kept: false,
            said: Once::new(),
        }
    }

    /// Bytes that have neither arrived nor gone to disk.
    fn waiting(&self) -> usize {
        self.outbox.as_ref().map_or(0, Outbox::waiting)
    }

    fn post(&self, id: TraceId, steps: Vec<Step>) {
        let reach = self.platform.reach();
        for Step { post, keys, hold } in steps {
            let order = Order { names: self.platform.names(&post), ..Order::of(id) };
            let url = format!("{}{}", reach.address(), post.path).into();
            match &self.outbox {
                Some(outbox) => outbox.post_in_order(order, url, post, keys, hold),
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
        if let Some((id, steps)) = told {
            self.post(id, steps);
        }
        if ends {
            let untold = held.take_records();
            untold.into_iter().for_each(|(record, hold)| self.post_record(trace, &record, hold));
            self.bytes = self.bytes.saturating_sub(held.bytes());
            if held.is_whole() {
                self.ended.insert(trace);
            }
        } else {
            self.traces.insert(trace, held);
        }
    }

    fn take(&mut self, record: Record) {
        let Some(trace) = left::target(&record).trace_id else { return self.pass_over() };
        let hold = Some(self.progress.hold());
        // What comes before its trace waits for it, if only to learn that there is none.
        match self.ended.contains(trace) && !self.traces.contains_key(&trace) {
            true => self.post_record(trace, &record, hold),
            false => self.traces.entry(trace).or_default().record(record, hold),
        }
    }

    /// Posts what is about a trace that is not told just now.
    fn post_record(&mut self, trace: TraceId, record: &Record, hold: Option<Hold>) {
        match self.platform.record(trace, record) {
            Some(post) => self.post(trace, vec![Step { hold, ..Step::of(post) }]),
            None => self.pass_over(),
        }
    }

    fn pass_over(&mut self) {
        self.said.say(&format!(
            "destination {}: it has no place for some scores or metrics, which are counted as dropped",
            P::NAME
        ));
        self.progress.update(|counts| counts.dropped += 1);
    }

    /// Keeps nothing in the journal any more that waits for the end of a trace, where there is no room for all that is
    /// recorded meanwhile.
    fn make_room(&mut self) {
        if !self.is_kept || pool::is_roomy() {
            return;
        }
        let held: usize = self.traces.values_mut().map(|held| usize::from(held.let_go())).sum();
        if held > 0 {
            say_full(P::NAME);
        }
    }
}

impl<P: Platform> Destination for Stepwise<P> {
    fn name(&self) -> &str {
        P::NAME
    }

    fn begin(&mut self, resource: &Resource) {
        self.resource = resource.clone();
        let platform = self.platform.clone();
        let left = self.journal().map(|root| Left {
            root,
            name: self.journal_name(),
            requests: Arc::new(move |dead, put| left::tell(&platform, dead, put)),
        });
        let receipts = self.journal().and_then(|root| pool::owed(&root, &self.journal_name()));
        self.is_kept = receipts.is_some();
        let settings = Settings { left, receipts, ..self.platform.reach().delivery(P::NAME) };
        self.outbox = Some(Outbox::start(settings, &self.progress));
    }

    fn journal(&self) -> Option<PathBuf> {
        let reach = self.platform.reach();
        reach.spool.and(reach.journal).map(Path::to_owned)
    }

    fn journal_name(&self) -> String {
        self.platform.receiver()
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
        // One that runs is in the journal anyway.
        let hold = (span.status != Status::Running).then(|| self.progress.hold());
        let held = self.traces.entry(span.trace_id).or_default();
        let before = held.bytes();
        held.take(span.clone().into_owned(), hold);
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
        if !self.traces.is_empty() {
            self.make_room();
        }
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

/// What a receiver is called on disk, who is told by address and key.
pub(super) fn receiver(name: &str, parts: &[&str]) -> String {
    format!("{name}-{}", SpanId::from_seed(parts.join(" ")))
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
