//! What is the same for every call of one function.

use std::{
    borrow::Cow,
    cell::Cell,
    mem::ManuallyDrop,
    panic::Location,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use observe_model::{Level, SpanType};

use observe_wire::journal::{entry::Kind, escape::escape, notes::SiteNote};

use crate::{
    capture::{self, Sink},
    journal::{Desk, book},
};

/// One place in the source that begins spans; made by the macro as a `static`.
#[derive(Debug)]
pub struct Site {
    pub(crate) name: &'static str,
    span_type: SpanType,
    level: Level,
    /// The module, and the path in it with the colons before it.
    function: [&'static str; 2],
    /// Where it is, if that is known.
    place: Option<&'static Location<'static>>,
    /// The names of the arguments that are captured, in order.
    arguments: &'static [&'static str],
    known: OnceLock<Known>,
}

/// Nothing is known yet: evaluated once, where each site would do it anew.
#[expect(clippy::declare_interior_mutable_const, reason = "each site is to have its own")]
const UNKNOWN: OnceLock<Known> = OnceLock::new();

/// What is found out of a site when it is first reached.
#[derive(Debug)]
pub(crate) struct Known {
    /// The number that journal entries name the site by; from 1.
    pub(crate) number: u32,
    note: SiteNote<'static>,
    pub(crate) keys: Box<[Key]>,
}

/// Bytes of a name that are copied at once.
const SHORT: usize = 24;

/// The name of an argument, as it stands in the input.
#[derive(Debug)]
pub(crate) struct Key {
    /// A brace or a comma, the name as JSON, a colon, and what stands for the value if that must not be captured.
    json: Box<[u8]>,
    /// The same, padded, if it is short: a copy of constant length is no call.
    padded: [u8; SHORT],
    /// The length of that; more if `json` is to be taken.
    len: usize,
    /// Whether the value must not be captured.
    is_secret: bool,
}

impl Key {
    fn new(n: usize, name: &str) -> Self {
        let mut json = if n == 0 { b"{\"".to_vec() } else { b",\"".to_vec() };
        escape(name.as_bytes(), |piece| json.extend_from_slice(piece));
        json.extend_from_slice(b"\":");
        let is_secret = capture::is_secret(name);
        if is_secret {
            json.extend_from_slice(capture::REDACTED);
        }
        let mut padded = [0; SHORT];
        for (to, from) in padded.iter_mut().zip(&json) {
            *to = *from;
        }
        // One question for both.
        let len = if is_secret { usize::MAX } else { json.len() };
        Self { json: json.into(), padded, len, is_secret }
    }

    /// Writes it at this place; where it ends, and whether its value is to follow.
    #[inline(always)]
    pub(crate) fn put(&self, desk: &mut Desk, at: usize) -> (usize, bool) {
        if self.len <= SHORT && desk.put_padded(at, self.padded) {
            return (at + self.len, true);
        }
        self.put_slowly(desk, at)
    }

    #[cold]
    #[inline(never)]
    fn put_slowly(&self, desk: &mut Desk, at: usize) -> (usize, bool) {
        (desk.put(at, &self.json), !self.is_secret)
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
    /// A site where this is called, whose span captures the arguments of these names. As little as can be: the compiler
    /// evaluates it for every annotated function, and each macro in its arguments costs more than what it does here.
    #[track_caller]
    pub const fn new(
        name: &'static str,
        module: &'static str,
        path: &'static str,
        arguments: &'static [&'static str],
    ) -> Self {
        let place = Some(Location::caller());
        let (span_type, level, function) = (SpanType::Span, Level::Default, [module, path]);
        Self { name, span_type, level, function, place, arguments, known: UNKNOWN }
    }

    /// A site outside any function that is known.
    pub(crate) const fn at(name: &'static str, place: Option<&'static Location<'static>>) -> Self {
        let (span_type, level) = (SpanType::Span, Level::Default);
        Self { name, span_type, level, function: [""; 2], place, arguments: &[], known: UNKNOWN }
    }

    /// Of another type than `Span`.
    pub const fn as_type(mut self, span_type: SpanType) -> Self {
        self.span_type = span_type;
        self
    }

    /// Of another level than `Default`.
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// What is known of the site, if it has been reached before.
    #[inline(always)]
    pub(crate) fn known_already(&'static self) -> Option<&'static Known> {
        self.known.get()
    }

    /// What is known of the site.
    pub(crate) fn known(&'static self) -> &'static Known {
        match self.known.get() {
            Some(known) => known,
            None => self.register(),
        }
    }

    #[cold]
    #[inline(never)]
    fn register(&'static self) -> &'static Known {
        let mut sites = sites();
        if let Some(known) = self.known.get() {
            return known;
        }
        sites.push(self);
        let number = u32::try_from(sites.len()).unwrap_or(u32::MAX);
        // Noted before any start can name it.
        let note = SiteNote {
            name: Cow::Borrowed(self.name),
            span_type: self.span_type,
            level: self.level,
            function: Cow::Owned(self.function.concat()),
            file: Cow::Borrowed(self.place.map_or("", Location::file)),
            line: self.place.map_or(0, Location::line),
        };
        book::note(Kind::Site, u64::from(number), &note);
        let keys = self.arguments.iter().enumerate().map(|(n, name)| Key::new(n, name)).collect();
        // The list is locked, so nobody else is in here, also not while the process forks.
        self.known.get_or_init(|| Known { number, note, keys })
    }

    /// Leaves notes on all that have a number, for a journal that begins later.
    pub(crate) fn leave_notes() {
        for (n, site) in sites().iter().enumerate() {
            if let Some(known) = site.known_already() {
                book::note(Kind::Site, n as u64 + 1, &known.note);
            }
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

    /// Copies to `known` what is known of the sites that it does not have yet, so that `known[number - 1]` is the site's.
    pub(crate) fn learn(known: &mut Vec<&'static SiteNote<'static>>) {
        let sites = sites();
        let rest = sites.get(known.len()..).unwrap_or_default();
        // While the list is locked, all of it is known.
        known.extend(rest.iter().map_while(|site| site.known_already()).map(|site| &site.note));
    }
}
