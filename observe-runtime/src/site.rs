//! What is the same for every call of one function.

use std::{
    borrow::Cow,
    cell::Cell,
    mem::ManuallyDrop,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use observe_model::{Level, SpanType};

use observe_wire::journal::{entry::Kind, notes::SiteNote};

use crate::{
    capture,
    journal::{Draft, book},
};

/// One place in the source that begins spans; made by the macro as a `static`.
#[derive(Debug)]
pub struct Site {
    pub(crate) note: SiteNote<'static>,
    number: AtomicU32,
}

/// Bytes of a name that are copied at once.
const SHORT: usize = 24;

/// The name of a captured value.
#[derive(Debug)]
pub struct Key {
    /// A comma, the name as JSON, and a colon.
    json: &'static str,
    /// The same, padded, if it is short: a copy of constant length is no call.
    padded: [u8; SHORT],
    name: &'static str,
    /// 0 until somebody asks, then 1 for an ordinary name, 2 for one that means a secret.
    verdict: AtomicU8,
}

impl Key {
    /// The key `name`, which `json` holds as JSON between a comma and a colon.
    pub const fn new(name: &'static str, json: &'static str) -> Self {
        let mut padded = [0; SHORT];
        let (bytes, mut n) = (json.as_bytes(), 0);
        while n < bytes.len() && n < SHORT {
            padded[n] = bytes[n];
            n += 1;
        }
        Self { json, padded, name, verdict: AtomicU8::new(0) }
    }

    /// Writes comma, name and colon.
    #[inline(always)]
    pub(crate) fn put(&self, draft: &mut Draft) {
        let len = self.json.len();
        if len <= SHORT
            && let Some(room) = draft.reserve(SHORT).and_then(|room| room.first_chunk_mut::<SHORT>())
        {
            *room = self.padded;
            return draft.advance(len);
        }
        draft.put(self.json.as_bytes());
    }

    /// Whether the value must not be captured.
    #[inline]
    pub(crate) fn is_secret(&self) -> bool {
        match self.verdict.load(Ordering::Relaxed) {
            0 => self.judge(),
            verdict => verdict == 2,
        }
    }

    #[cold]
    fn judge(&self) -> bool {
        let secret = capture::is_secret(self.name);
        self.verdict.store(1 + u8::from(secret), Ordering::Relaxed);
        secret
    }
}

static SITES: Mutex<Vec<&'static Site>> = Mutex::new(Vec::new());

thread_local! {
    /// Held while the thread forks, so that the child's copy is whole and unlocked. No destructor: a thread may fork late.
    static HELD: Cell<ManuallyDrop<Option<MutexGuard<'static, Vec<&'static Site>>>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
}

fn sites() -> MutexGuard<'static, Vec<&'static Site>> {
    SITES.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Site {
    /// A site that gets its number when it is first reached.
    pub const fn new(
        name: &'static str,
        span_type: SpanType,
        level: Level,
        function: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        let note = SiteNote {
            name: Cow::Borrowed(name),
            span_type,
            level,
            function: Cow::Borrowed(function),
            file: Cow::Borrowed(file),
            line,
        };
        Self { note, number: AtomicU32::new(0) }
    }

    /// The number that journal entries name the site by; from 1.
    #[inline]
    pub(crate) fn number(&'static self) -> u32 {
        match self.number.load(Ordering::Relaxed) {
            0 => self.register(),
            number => number,
        }
    }

    #[cold]
    fn register(&'static self) -> u32 {
        let mut sites = sites();
        let known = self.number.load(Ordering::Relaxed);
        if known != 0 {
            return known;
        }
        sites.push(self);
        let number = u32::try_from(sites.len()).unwrap_or(u32::MAX);
        // Noted before any start can name it.
        book::note(Kind::Site, u64::from(number), &self.note);
        self.number.store(number, Ordering::Relaxed);
        number
    }

    /// Leaves notes on all that have a number, for a journal that begins later.
    pub(crate) fn leave_notes() {
        for (n, site) in sites().iter().enumerate() {
            book::note(Kind::Site, n as u64 + 1, &site.note);
        }
    }

    /// Keeps others from changing the list until [`Site::let_go`] on this thread.
    pub(crate) fn hold() {
        HELD.with(|held| held.set(ManuallyDrop::new(Some(sites()))));
    }

    /// Ends [`Site::hold`].
    pub(crate) fn let_go() {
        HELD.with(|held| drop(ManuallyDrop::into_inner(held.replace(ManuallyDrop::new(None)))));
    }

    /// Copies to `known` the sites that it does not have yet, so that `known[number - 1]` is the site.
    pub(crate) fn learn(known: &mut Vec<&'static Site>) {
        let sites = sites();
        known.extend_from_slice(sites.get(known.len()..).unwrap_or_default());
    }
}
