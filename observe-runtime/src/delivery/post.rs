//! What is posted when: new requests side by side, those of one trace in order, what waits on disk one by one behind
//! them, nothing while the receiver is away.
//!
//! Where the order matters, all that waits of a trace is either in memory or on disk: the first request that goes to disk
//! takes along those behind it, and newer ones follow while any of them is there.

mod landed;

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use observe_model::TraceId;
use observe_wire::journal::receipts::ReceiptFile;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    lanes::Lanes,
    pace::Pace,
    parcel::{Content, Parcel},
    spool::{Spool, Taken},
    transport::{Lost, Transport},
    verdict::Answer,
};
use crate::{destination::Progress, report::Once};

/// Requests under way at once, so that a slow receiver's answering time is no ceiling; one of them from disk at the most.
const UNDER_WAY: usize = 4;

/// Times that a request is posted in vain before it goes to disk.
const TRIES: u32 = 3;

/// The same where there is no disk, before it is lost: about a minute.
const TRIES_WITHOUT_DISK: u32 = 7;

/// Bytes that wait in memory while the receiver is away, and while it is only slow; the rest goes to disk.
const KEPT: usize = 4 * 1024 * 1024;
const KEPT_FOR_SLOW: usize = 16 * 1024 * 1024;

/// Time between requests from disk, so that a receiver which has come back is not overrun.
const REPLAY: Duration = Duration::from_millis(50);

/// The same where they come in order: such requests are many and small.
const REPLAY_IN_ORDER: Duration = Duration::from_millis(5);

/// Time between looks at what other processes left on disk.
const LOOK: Duration = Duration::from_secs(60);

/// How long what is under way may take when the process ends.
const GRACE: Duration = Duration::from_secs(1);

/// What is said when it cannot be noted what was told.
pub(super) const UNNOTED: &str =
    "what arrives is sent once more if the process is killed, since it cannot be noted";

/// What the loop is told.
#[derive(Debug)]
pub(super) enum Message {
    Post(Parcel),
    /// Somebody waits: if nobody answers, what is there goes to disk at once. A receiver that asks for patience gets it.
    Hurry,
}

struct Waiting {
    /// In the order they came.
    number: u64,
    /// Shared with the task that posts it, so that it is not lost with a task that is cut off.
    parcel: Arc<Parcel>,
    attempts: u32,
    /// Its file, if it was on disk.
    file: Option<Taken>,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.parcel.body.len()
    }
}

/// What a task ends with, and which it was.
type Landed = Result<(Id, Result<Answer, Lost>), JoinError>;

pub(super) struct Post<T> {
    name: String,
    transport: Arc<T>,
    /// What may be posted next; of a trace whose requests come in order, the first.
    waiting: VecDeque<Waiting>,
    lanes: Lanes<Waiting>,
    /// Bytes of what waits in memory.
    kept: usize,
    tasks: JoinSet<Result<Answer, Lost>>,
    under_way: HashMap<Id, Waiting>,
    pace: Pace,
    spool: Option<Spool>,
    /// Where it is noted what needs no telling any more.
    pub(super) receipts: Option<ReceiptFile>,
    /// When the disk may be asked next.
    replay_at: Instant,
    look_at: Instant,
    /// Somebody waits for what is there.
    hurried: bool,
    /// The last request failed because nobody answered.
    is_gone: bool,
    /// Requests that came so far.
    count: u64,
    progress: Arc<Progress>,
    said: Once,
}

impl<T: Transport> Post<T> {
    pub(super) fn new(name: String, transport: T, spool: Option<Spool>, progress: Arc<Progress>) -> Self {
        let now = Instant::now();
        Self {
            name,
            transport: Arc::new(transport),
            waiting: VecDeque::new(),
            lanes: Lanes::new(),
            kept: 0,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            pace: Pace::default(),
            spool,
            receipts: None,
            replay_at: now,
            look_at: now + LOOK,
            hurried: false,
            is_gone: false,
            count: 0,
            progress,
            said: Once::new(),
        }
    }

    /// Posts until nobody sends messages any more, and then what can be posted in a moment.
    pub(super) async fn run(mut self, mut messages: UnboundedReceiver<Message>) {
        loop {
            // Compressing takes this thread's time too: what came meanwhile counts before the next is begun.
            while let Ok(message) = messages.try_recv() {
                self.take(message);
            }
            // One moment for both: what was too early for the one is what the other waits for.
            let now = Instant::now();
            self.start(now);
            let wake = self.wake(now);
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.take(message),
                    None => break,
                },
                Some(landed) = self.tasks.join_next_with_id() => self.land(landed),
                () = sleep_until(wake) => {}
            }
        }
        self.close().await;
    }

    /// When there is something to do although nothing happens.
    fn wake(&self, now: Instant) -> Instant {
        match self.pace.pause(now) {
            Some(resume) => resume,
            // Earlier, `start` has found no place for it, or no file: whatever lands makes room.
            None if self.has_spooled() && self.replay_at > now => self.replay_at,
            None => self.look_at,
        }
    }

    fn has_spooled(&self) -> bool {
        self.spool.as_ref().is_some_and(|spool| !spool.is_empty())
    }

    fn is_replaying(&self) -> bool {
        self.under_way.values().any(|request| request.file.is_some())
    }

    /// Posts what may be posted now.
    fn start(&mut self, now: Instant) {
        if now >= self.look_at {
            self.look_at = now + LOOK;
            self.spool.iter_mut().for_each(Spool::look);
        }
        while self.has_place(now, UNDER_WAY)
            && let Some(request) = self.take_waiting().or_else(|| self.take_spooled(now))
        {
            self.post(request);
        }
        // One more for what is on disk, which would else wait for a gap between new requests.
        if self.has_place(now, UNDER_WAY + 1)
            && let Some(request) = self.take_spooled(now)
        {
            self.post(request);
        }
    }

    /// The next request in memory, unless it is about spans that are under way. Behind those on disk it goes there too.
    fn take_waiting(&mut self) -> Option<Waiting> {
        let is_about_others = |request: &Waiting| request.parcel.content == Content::Records;
        while self.has_spooled() && self.waiting.front().is_some_and(is_about_others) {
            let request = self.next()?;
            self.put_away(request, "what it may be about is on disk");
        }
        let next = self.waiting.front()?;
        let is_before = |other: &Waiting| other.number < next.number && !is_about_others(other);
        if is_about_others(next) && self.under_way.values().any(is_before) {
            return None;
        }
        self.next()
    }

    fn has_place(&self, now: Instant, places: usize) -> bool {
        self.pace.pause(now).is_none() && self.under_way.len() < self.pace.limit(places)
    }

    /// The oldest request on disk, if it is time for one.
    fn take_spooled(&mut self, now: Instant) -> Option<Waiting> {
        if now < self.replay_at || self.is_replaying() {
            return None;
        }
        let (parcel, file) = self.spool.as_mut()?.take()?;
        Some(Waiting { number: 0, parcel: Arc::new(parcel), attempts: 0, file: Some(file) })
    }

    fn post(&mut self, mut request: Waiting) {
        if let Some(order) = request.parcel.order {
            if self.lanes.has_ended(order.trace) {
                let error = format!("{} is not posted: its receiver knows no such trace", request.parcel.url);
                return self.refuse(request, error);
            }
            if request.parcel.needs_name() {
                let name = self.lanes.name(order.trace).unwrap_or_else(|| order.trace.to_string().into());
                request.parcel = Arc::new(request.parcel.named(&name));
            }
        }
        let (transport, parcel) = (Arc::clone(&self.transport), Arc::clone(&request.parcel));
        let task = self.tasks.spawn(async move { transport.post(&parcel).await });
        self.under_way.insert(task.id(), request);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Post(parcel) => self.accept(parcel),
            Message::Hurry => self.hurry(),
        }
    }

    fn accept(&mut self, parcel: Parcel) {
        self.count += 1;
        let order = parcel.order;
        let request = Waiting { number: self.count, parcel: Arc::new(parcel), attempts: 0, file: None };
        if order.is_some_and(|order| self.is_on_disk(order.trace)) {
            return self.put_away(request, "what came before it is on disk");
        }
        self.kept += request.bytes();
        match order {
            Some(order) => self.waiting.extend(self.lanes.enter(order.trace, request)),
            None => self.waiting.push_back(request),
        }
        if self.spool.is_some() {
            let (most, why) = match self.pace.is_away() {
                true => (KEPT, "its receiver is away"),
                false => (KEPT_FOR_SLOW, "its receiver is slower than what is recorded"),
            };
            while self.kept > most
                && let Some(request) = self.next()
            {
                self.put_away(request, why);
            }
        }
    }

    /// Whether requests of the trace wait there, and none in memory.
    fn is_on_disk(&self, trace: TraceId) -> bool {
        !self.lanes.is_busy(trace) && self.spool.as_ref().is_some_and(|spool| spool.holds(trace))
    }

    /// The first that waits.
    fn next(&mut self) -> Option<Waiting> {
        let request = self.waiting.pop_front()?;
        self.kept -= request.bytes();
        Some(request)
    }

    /// Lets the next request of the trace have its turn, now that this one is gone.
    fn go_on(&mut self, gone: &Parcel) {
        if let Some(order) = gone.order
            && let Some(next) = self.lanes.leave(order.trace)
        {
            self.insert(next);
        }
    }

    fn hurry(&mut self) {
        self.hurried = true;
        if self.pace.is_away() && self.is_gone {
            self.put_all_away();
        }
    }

    fn put_all_away(&mut self) {
        while self.spool.is_some()
            && let Some(request) = self.next()
        {
            self.put_away(request, "its receiver is away");
        }
    }

    /// Notes that the request needs no posting any more, whoever reads the journal.
    fn note(&mut self, parcel: &Parcel) {
        if let Some(order) = parcel.order {
            self.note_with(|receipts| {
                parcel.keys.iter().try_for_each(|key| receipts.note(order.trace, *key))
            });
        }
    }

    fn note_with(&mut self, note: impl FnOnce(&mut ReceiptFile) -> io::Result<()>) {
        if let Some(Err(error)) = self.receipts.as_mut().map(note) {
            self.say(&format!("{UNNOTED}: {error}"));
        }
    }

    /// Puts a request where it stood.
    fn put_back(&mut self, request: Waiting) {
        self.kept += request.bytes();
        self.insert(request);
    }

    fn insert(&mut self, request: Waiting) {
        let at = self.waiting.partition_point(|waiting| waiting.number < request.number);
        self.waiting.insert(at, request);
    }

    /// Puts a request on disk, and what waits behind it; where there is none, it is lost.
    fn put_away(&mut self, request: Waiting, error: &str) {
        let mut next = (request.file.is_none()).then_some(request.parcel);
        while let Some(parcel) = next {
            let is_kept = self.put(&parcel, error);
            let behind = match parcel.order {
                Some(order) if is_kept => self.lanes.leave(order.trace),
                _ => return self.go_on(&parcel),
            };
            self.kept -= behind.as_ref().map_or(0, Waiting::bytes);
            next = behind.map(|request| request.parcel);
        }
    }

    /// Whether it is on disk now.
    fn put(&mut self, parcel: &Parcel, error: &str) -> bool {
        let name = parcel.order.and_then(|order| self.lanes.name(order.trace));
        let put = self.spool.as_mut().map(|spool| match name {
            Some(name) => spool.put(&parcel.named(&name), SystemTime::now()),
            None => spool.put(parcel, SystemTime::now()),
        });
        match put {
            Some(Ok(lost)) => {
                parcel.settle(|tally| {
                    tally.spooled += parcel.spans;
                    tally.error = Some(error.to_owned());
                });
                self.count_lost(lost);
                self.note(parcel);
                return true;
            }
            Some(Err(disk)) => {
                let error = format!("{error}; and it cannot be kept on disk: {disk}");
                self.say(&error);
                parcel.settle(|tally| lose(tally, parcel.spans, error));
            }
            None => parcel.settle(|tally| lose(tally, parcel.spans, error.to_owned())),
        }
        self.note(parcel);
        false
    }

    /// Counts spans that were on disk for too long, or had to make room there.
    fn count_lost(&self, lost: u64) {
        if lost > 0 {
            self.say(&format!("{lost} spans were on disk for too long, or made room for newer ones"));
            self.progress.update(|counts| counts.dropped += lost);
        }
    }

    /// Posts for a moment what is left, and puts the rest on disk.
    async fn close(mut self) {
        let deadline = Instant::now() + GRACE;
        loop {
            if !self.pace.is_away() {
                self.start_new();
            }
            match timeout_at(deadline, self.tasks.join_next_with_id()).await {
                Ok(Some(landed)) => self.land(landed),
                Ok(None) | Err(_) => break,
            }
        }
        self.tasks.abort_all();
        let left: Vec<_> = self.under_way.drain().map(|(_, request)| request).collect();
        left.into_iter().for_each(|request| self.put_back(request));
        while let Some(request) = self.next() {
            self.put_away(request, "the process ended before it could be sent");
        }
    }

    /// [`start`](Self::start) without what is on disk, which stays for the next process.
    fn start_new(&mut self) {
        let now = Instant::now();
        self.replay_at = now + LOOK;
        self.start(now);
    }

    fn say(&self, text: &str) {
        self.said.say(&format!("destination {}: {text}", self.name));
    }
}

fn lose(tally: &mut super::parcel::Tally, spans: u64, error: String) {
    tally.failed += spans;
    tally.error = Some(error);
}

#[cfg(test)]
#[path = "post_tests.rs"]
mod tests;
