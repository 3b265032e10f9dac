//! Where a destination leaves its requests.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use bytes::Bytes;
use observe_wire::{journal::receipts::ReceiptFile, platform};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::{
    left::Left,
    lookup::Lookup,
    parcel::{Content, Order, Parcel},
    post::{Message, Post, UNNOTED},
    spool::{Spool, SpoolSettings},
    transport::Http,
};
use crate::{
    destination::{Hold, Progress, TracePage},
    report::{self, Once},
};

/// How long the end of the process waits until what is left has been sent or is on disk.
const CLOSING: Duration = Duration::from_secs(3);

/// How requests are sent.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The destination's name.
    pub(crate) name: String,
    /// Headers of every request.
    pub(crate) headers: Vec<(String, String)>,
    /// How long one request may take.
    pub(crate) timeout: Duration,
    /// Whether bodies are compressed.
    pub(crate) gzip: bool,
    /// `None` keeps nothing on disk.
    pub(crate) spool: Option<SpoolSettings>,
    /// What processes that were killed left for this destination, which goes to the spool first.
    pub(crate) left: Option<Left>,
    /// Where it is noted, beside this process's journal, what of each trace was told.
    pub(crate) receipts: Option<PathBuf>,
    /// What `{names}` in addresses and headers stand for.
    pub(crate) lookup: Option<Lookup>,
    /// The page of a trace, once it is known what its address names.
    pub(crate) page: Option<(TracePage, String)>,
}

/// Sends what is left in it, on a thread of its own.
#[derive(Debug)]
pub(crate) struct Outbox {
    messages: Option<UnboundedSender<Message>>,
    /// Says, by being disconnected, that the thread is done.
    done: Option<Receiver<()>>,
    /// Bytes that have neither arrived nor gone to disk.
    memory: Arc<AtomicUsize>,
    progress: Arc<Progress>,
}

/// Says, when it is dropped, that the destination has begun.
struct Begins(Arc<Progress>);

impl Drop for Begins {
    fn drop(&mut self) {
        self.0.set_begins(false);
    }
}

impl Outbox {
    /// Starts the thread. Without one, whatever is posted counts as failed.
    pub(crate) fn start(settings: Settings, progress: &Arc<Progress>) -> Self {
        let (messages, inbox) = unbounded_channel();
        let (working, done) = mpsc::channel::<()>();
        let name = format!("observe-{}", settings.name);
        let counts = Arc::clone(progress);
        progress.set_begins(settings.left.is_some());
        let begins = Begins(Arc::clone(progress));
        let run = move || {
            let _working = working;
            let said = Once::new();
            let say = |error: &str| said.say(&format!("destination {}: {error}", settings.name));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, http) = match (runtime, Http::new(&settings)) {
                (Ok(runtime), Ok(http)) => (runtime, Arc::new(http)),
                (Err(error), _) => return say(&error.to_string()),
                (_, Err(error)) => return say(&error),
            };
            let mut spool = settings.spool.map(Spool::open);
            if let (Some(left), Some(spool)) = (&settings.left, &mut spool) {
                match left.put_in(spool, &counts) {
                    Ok(Some(text)) => report::say(&format!("destination {}: {text}", settings.name)),
                    Ok(None) => {}
                    Err(error) => say(&error),
                }
            }
            drop(begins);
            let receipts = settings.receipts.as_deref().map(ReceiptFile::open).transpose();
            let receipts = receipts.unwrap_or_else(|error| {
                say(&format!("{UNNOTED}: {error}"));
                None
            });
            runtime.block_on(async {
                let asks = Arc::clone(&http);
                tokio::spawn(async move { asks.learn_page().await });
                let mut post = Post::new(settings.name, http, spool, counts);
                post.receipts = receipts;
                post.run(inbox).await;
            });
        };
        match thread::Builder::new().name(name).spawn(run) {
            Ok(_) => Self {
                messages: Some(messages),
                done: Some(done),
                memory: Arc::default(),
                progress: Arc::clone(progress),
            },
            Err(error) => {
                Once::new().say(&format!("no thread to send with: {error}"));
                Self { messages: None, done: None, memory: Arc::default(), progress: Arc::clone(progress) }
            }
        }
    }

    /// Posts `body`, which holds `spans` spans, to `url`.
    pub(crate) fn post(&self, url: &Arc<str>, content: Content, body: Bytes, spans: u64) {
        self.send(Parcel::new(Arc::clone(url), None, content, body, spans, &self.progress, &self.memory));
    }

    /// Posts `body`, JSON that holds `records` scores and metrics, to `url` when all spans that were posted before have their
    /// answer.
    pub(crate) fn post_records(&self, url: Arc<str>, body: Bytes, records: u64, hold: Option<Hold>) {
        let parcel = Parcel::new(url, None, Content::Records, body, records, &self.progress, &self.memory);
        self.send(parcel.holding(hold));
    }

    /// Posts JSON to `url` when all that was posted before of its trace has its answer, and notes `keys` when it is gone.
    /// Spans may be none: nobody waits for such a request by itself.
    pub(crate) fn post_in_order(
        &self,
        order: Order,
        url: Arc<str>,
        post: platform::Post,
        keys: Vec<platform::Key>,
        hold: Option<Hold>,
    ) {
        let (order, body) = (Some(order), post.body.into());
        let parcel = Parcel::new(url, order, Content::Json, body, post.spans, &self.progress, &self.memory)
            .holding(hold);
        self.send(Parcel { keys, ..parcel });
    }

    fn send(&self, parcel: Parcel) {
        let sent = match &self.messages {
            Some(messages) => messages.send(Message::Post(parcel)).map_err(|unsent| unsent.0),
            None => Err(Message::Post(parcel)),
        };
        if let Err(Message::Post(parcel)) = sent {
            parcel.settle(|tally| tally.failed += parcel.spans);
        }
    }

    /// Says that somebody waits: if nobody answers, what is there goes to disk at once.
    pub(crate) fn hurry(&self) {
        if let Some(messages) = &self.messages {
            let _ = messages.send(Message::Hurry);
        }
    }

    /// Bytes that have neither arrived nor gone to disk.
    pub(crate) fn waiting(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }
}

/// Waits until what is left has been sent or is on disk.
impl Drop for Outbox {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(done) = self.done.take() {
            let _ = done.recv_timeout(CLOSING);
        }
    }
}
