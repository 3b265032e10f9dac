//! `/api/v1/events`: tells pages that something changed, so that they ask again.

use std::{convert::Infallible, fs, path::Path, sync::Arc, time::Duration, time::SystemTime};

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use observe_store::{SqliteStore, Store};
use tokio::{
    sync::watch::{self, Receiver, Sender},
    time::{MissedTickBehavior, interval},
};

use super::Source;

/// How often the database is looked at while a page listens.
const EVERY: Duration = Duration::from_millis(250);

/// Counts the changes that were noticed.
#[derive(Clone)]
pub(crate) struct Changes(Arc<Sender<u64>>);

impl Changes {
    /// One event at once, so that a page that has just connected misses nothing, and one per change.
    pub(crate) fn stream(&self) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
        let mut receiver = self.0.subscribe();
        receiver.mark_changed();
        Sse::new(stream::unfold(receiver, next)).keep_alive(KeepAlive::default())
    }
}

async fn next(mut receiver: Receiver<u64>) -> Option<(Result<Event, Infallible>, Receiver<u64>)> {
    receiver.changed().await.ok()?;
    let revision = *receiver.borrow_and_update();
    let event = Event::default().event("change").data(format!(r#"{{"revision":{revision}}}"#));
    Some((Ok(event), receiver))
}

/// The counter, and the task that moves it.
pub(crate) fn watch(source: Source) -> (Changes, impl Future<Output = ()> + Send + 'static) {
    let sender = Arc::new(watch::channel(0).0);
    let changes = Changes(Arc::clone(&sender));
    let task = async move {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut watched = Watched::default();
        loop {
            ticks.tick().await;
            if sender.receiver_count() == 0 {
                continue;
            }
            let path = source.path().to_owned();
            let look = move || {
                let changed = watched.look(&path);
                (watched, changed)
            };
            let Ok((after, changed)) = tokio::task::spawn_blocking(look).await else { return };
            watched = after;
            if changed {
                sender.send_modify(|revision| *revision += 1);
            }
        }
    };
    (changes, task)
}

/// The database as it was when last looked at.
#[derive(Default)]
struct Watched {
    file: Option<Identity>,
    store: Option<SqliteStore>,
    counter: Option<u64>,
}

impl Watched {
    /// Whether anything may have changed since the last look.
    fn look(&mut self, path: &Path) -> bool {
        let file = Identity::of(path);
        if file != self.file || self.store.is_none() {
            self.store = SqliteStore::open_read_only(path).ok();
        }
        let counter = self.store.as_ref().and_then(|store| store.change_counter().ok());
        let changed = file != self.file || counter != self.counter;
        (self.file, self.counter) = (file, counter);
        changed
    }
}

/// Tells a file from another that took its place: people delete databases while they develop.
#[derive(PartialEq)]
struct Identity {
    created: Option<SystemTime>,
    #[cfg(unix)]
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self {
            created: file.created().ok(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&file),
        })
    }
}
