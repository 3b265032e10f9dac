//! The host's side of the journal: one entry at a time, into the thread's own chunk.

use std::{
    cell::Cell,
    mem::{self, ManuallyDrop},
};

use observe_wire::journal::entry::{self, HEADER, Kind};

use super::{
    chunk::Tail,
    pool::{self, Class},
};
use crate::{
    capture::{self, Limits, Sink, Writer},
    context,
};

/// What a thread writes at: the end of its chunk, and with it the state of the values in an entry.
pub(crate) struct Desk {
    tail: Tail,
    /// The last stamp that was written to the chunk; 0 for none.
    stamp: u64,
    kind: Kind,
    /// With [`entry::LOST`] if a piece found no room.
    flags: u8,
}

/// In a box, so that nothing but its address is moved for an entry. No destructor, so that an access never asks whether
/// one was registered; [`GiveBack`] has it.
type Boxed = ManuallyDrop<Option<Box<Writer<Desk>>>>;

struct Local {
    /// Taken while an entry is written: whatever the captured values call is not recorded.
    desk: Cell<Boxed>,
    /// There is a desk, here or where an entry is written, or none is to be made.
    is_made: Cell<bool>,
    behind: Cell<Behind>,
}

/// What is to be done with the chunk behind the entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    /// The thread took it for this entry.
    Fresh,
    /// It belongs to the process from which this one was forked.
    Foreign,
}

thread_local! {
    static LOCAL: Local = const {
        Local {
            desk: Cell::new(ManuallyDrop::new(None)),
            is_made: Cell::new(false),
            behind: Cell::new(Behind::Nothing),
        }
    };
    static GIVE_BACK: GiveBack = const { GiveBack };
}

/// Lets go of the thread's chunk when the thread ends, so that the collector can recycle it.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        drop(Taken::at_hand().leave());
    }
}

/// The thread's desk, if it is at hand, until this is dropped.
struct Taken(Boxed);

impl Taken {
    #[inline(always)]
    fn at_hand() -> Self {
        Self(LOCAL.with(|local| local.desk.replace(ManuallyDrop::new(None))))
    }

    /// Begins an entry of so many bytes, of what is known before its payload.
    #[inline(always)]
    fn begin(&mut self, kind: Kind, need: usize, stamp: u64) -> Result<&mut Writer<Desk>, Lost> {
        if self.0.is_none() {
            self.make(kind, need, stamp)?;
        }
        let desk = self.0.as_deref_mut().ok_or(Lost::Busy)?;
        if !desk.sink.begin(kind, need, stamp) && !desk.sink.make_room(need, stamp) {
            return Err(Lost::Full);
        }
        Ok(desk)
    }

    /// Makes a desk for an entry of so many bytes, unless the thread is writing at the one it has.
    #[cold]
    #[inline(never)]
    fn make(&mut self, kind: Kind, need: usize, stamp: u64) -> Result<(), Lost> {
        if LOCAL.with(|local| local.is_made.get()) {
            return Err(Lost::Busy);
        }
        let desk = Desk::take(kind, need, stamp).ok_or(Lost::Full)?;
        LOCAL.with(|local| local.is_made.set(true));
        self.0 = ManuallyDrop::new(Some(Box::new(Writer::new(desk, Limits::default()))));
        Ok(())
    }

    /// Sees to the chunk behind an entry.
    #[cold]
    #[inline(never)]
    fn see_to_chunk(&mut self) {
        let behind = LOCAL.with(|local| local.behind.replace(Behind::Nothing));
        let is_large = self.0.as_ref().is_some_and(|desk| desk.sink.tail.capacity() > pool::CHUNK);
        if behind == Behind::Foreign {
            mem::forget(self.leave());
        } else if is_large || GIVE_BACK.try_with(|_| ()).is_err() {
            // It was made for one large payload, or the thread is past its destructors and would never give it back.
            if let Some(tail) = self.leave() {
                pool::leave(tail);
            }
        }
    }

    /// Leaves the desk.
    fn leave(&mut self) -> Option<Tail> {
        let desk = self.0.take()?;
        LOCAL.with(|local| local.is_made.set(false));
        Some(desk.sink.tail)
    }
}

impl Drop for Taken {
    #[inline(always)]
    fn drop(&mut self) {
        let desk = mem::replace(&mut self.0, ManuallyDrop::new(None));
        LOCAL.with(|local| local.desk.set(desk));
    }
}

/// Why an entry is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The thread is writing another entry: this one comes from a value that is being captured.
    Busy,
    /// The journal is full.
    Full,
}

/// An entry that is being written. Without [`Draft::commit`] at its end it leaves nothing behind.
pub(crate) struct Draft<'d> {
    pub(crate) desk: &'d mut Writer<Desk>,
    /// Where what follows is written.
    pub(crate) at: usize,
}

impl Draft<'_> {
    /// Begins an entry whose fixed part has `N` bytes, and has `write` write it; `stamp` is what a start names.
    #[inline(always)]
    pub(crate) fn write<const N: usize, R>(
        kind: Kind,
        stamp: u64,
        write: impl FnOnce(Draft<'_>) -> R,
    ) -> Result<R, Lost> {
        let mut taken = Taken::at_hand();
        let desk = taken.begin(kind, HEADER + N, stamp)?;
        let result = write(Draft { desk, at: HEADER + N });
        if LOCAL.with(|local| local.behind.get() != Behind::Nothing) {
            taken.see_to_chunk();
        }
        Ok(result)
    }

    /// Sees to it that there is room for an entry, as [`Draft::write`] begins it, which must follow: it sees to the chunk.
    #[cold]
    #[inline(never)]
    pub(crate) fn reserve<const N: usize>(kind: Kind, stamp: u64) -> Result<(), Lost> {
        Taken::at_hand().begin(kind, HEADER + N, stamp).map(|_| ())
    }

    /// Appends to the payload.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.at = self.desk.sink.put(self.at, bytes);
    }

    /// Appends what [`capture::append`] wrote.
    pub(crate) fn put_captured(&mut self, bytes: &[u8], raw: bool) {
        self.put(bytes);
        if raw {
            self.desk.sink.mark_raw();
        }
    }

    /// Makes the entry visible to the collector. `payload` says whether it has one, which may be empty; `fixed` is its fixed
    /// part.
    #[inline(always)]
    pub(crate) fn commit<const WORDS: usize>(
        self,
        (kind, code): (Kind, u8),
        payload: bool,
        fixed: [u64; WORDS],
    ) {
        let Self { desk: Writer { sink: desk, .. }, at } = self;
        if kind == Kind::Change {
            desk.tail.has_changes();
        }
        let flags = desk.flags | if payload { entry::PAYLOAD } else { 0 };
        let header = entry::header(kind, code, flags, at as u32);
        // Chunks begin and end at such multiples too.
        let len = at.next_multiple_of(entry::ALIGN);
        if desk.is_full() || !desk.tail.commit_with(header, fixed, len) {
            // One by one: an array that is passed on would lie in memory on the usual way too.
            for (n, word) in fixed.into_iter().enumerate() {
                desk.put_word(HEADER + n * 8, word);
            }
            desk.commit_slowly((kind, code, flags), HEADER + WORDS * 8, at);
        }
        pool::wrote();
    }

    /// Appends what `write` puts to `bytes` and leaves no entry: for what is recorded later. Whether it holds raw segments;
    /// `None` if there was no room for it, or an entry is being written.
    pub(crate) fn aside(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Draft<'_>)) -> Option<bool> {
        let written = Self::write::<0, _>(Kind::Change, 0, |mut draft| {
            write(&mut draft);
            let Draft { desk: Writer { sink: desk, .. }, at } = draft;
            if desk.is_full() {
                return None;
            }
            bytes.extend_from_slice(desk.tail.free().get(HEADER..at)?);
            Some(desk.flags & entry::RAW != 0)
        });
        written.ok().flatten()
    }
}

impl Desk {
    /// One with a new chunk, which has room for so many bytes behind the definition of `stamp`.
    fn take(kind: Kind, need: usize, stamp: u64) -> Option<Self> {
        let class = if kind == Kind::Start { Class::Start } else { Class::Follow };
        let definition_len = context::stamp(stamp).map_or(0, |stamp| definition_len(&stamp));
        let tail = pool::take(definition_len + need, class)?;
        LOCAL.with(|local| local.behind.set(Behind::Fresh));
        Some(Self { tail, stamp: 0, kind, flags: 0 })
    }

    /// Begins an entry of so many bytes or more, if it is at once clear that the chunk has room for it, and it knows the
    /// stamp.
    #[inline(always)]
    fn begin(&mut self, kind: Kind, need: usize, stamp: u64) -> bool {
        (self.kind, self.flags) = (kind, 0);
        self.tail.cap(capture::limit_at_once());
        self.tail.is_clear(need) && (stamp == 0 || stamp == self.stamp)
    }

    /// Makes room for so many bytes behind the definition of `stamp`, in another chunk if this one has none.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, need: usize, stamp: u64) -> bool {
        let definition = context::stamp(stamp).filter(|stamp| stamp.number != self.stamp);
        if self.tail.room() < definition.as_ref().map_or(0, |stamp| definition_len(stamp)) + need {
            let Some(desk) = Self::take(self.kind, need, stamp) else { return false };
            pool::leave(mem::replace(self, desk).tail);
        }
        // It may be known to the chunk that was left.
        if let Some(stamp) = context::stamp(stamp).filter(|stamp| stamp.number != self.stamp) {
            let len = HEADER + 8 + stamp.encoded.len();
            let bytes = self.tail.free();
            bytes[..HEADER].copy_from_slice(&entry::header(Kind::Stamp, 0, entry::PAYLOAD, len as u32));
            bytes[HEADER..HEADER + 8].copy_from_slice(&stamp.number.to_le_bytes());
            bytes[HEADER + 8..len].copy_from_slice(&stamp.encoded);
            self.tail.commit(definition_len(&stamp));
            self.stamp = stamp.number;
        }
        self.tail.cap(capture::limit_at_once());
        true
    }

    /// Moves the entry, of which there are so many bytes, to a chunk with room for `more`; what is committed already stays
    /// for the reader.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, len: usize, more: usize) -> bool {
        // Room for a quarter more, so that a payload which grows piece by piece is not copied at each.
        let need = (len + more).saturating_add((len + more) / 4);
        // What a start names is in force while it is being written.
        let stamp = if self.kind == Kind::Start { context::current().stamp } else { 0 };
        let next = Self::take(self.kind, need, stamp).and_then(|mut next| {
            next.flags = self.flags;
            next.make_room(need, stamp).then_some(next)
        });
        if let Some(mut next) = next {
            next.tail.free()[..len].copy_from_slice(&self.tail.free()[..len]);
            pool::leave(mem::replace(self, next).tail);
            return true;
        }
        self.flags |= entry::LOST;
        // Nothing more is written at once.
        self.tail.cap(0);
        pool::count_lost_payload();
        false
    }

    /// Marks the payload as holding raw segments.
    pub(crate) fn mark_raw(&mut self) {
        self.flags |= entry::RAW;
    }

    /// [`Draft::commit`] where it is not clear that there is room, or where there was none for the payload.
    #[cold]
    #[inline(never)]
    fn commit_slowly(&mut self, (kind, code, mut flags): (Kind, u8, u8), fixed: usize, mut at: usize) {
        if self.is_full() {
            (at, flags) = (fixed, entry::LOST);
        }
        self.put_word(0, u64::from_le_bytes(entry::header(kind, code, flags, at as u32)));
        self.tail.commit(at.next_multiple_of(entry::ALIGN));
    }

    #[cold]
    #[inline(never)]
    fn put_word(&mut self, at: usize, word: u64) {
        if let Some(to) = self.tail.free().get_mut(at..).and_then(|to| to.first_chunk_mut()) {
            *to = word.to_le_bytes();
        }
    }
}

fn definition_len(stamp: &context::Stamp) -> usize {
    (HEADER + 8 + stamp.encoded.len()).next_multiple_of(entry::ALIGN)
}

impl Sink for Desk {
    #[inline(always)]
    fn is_clear(&self, at: usize) -> bool {
        self.tail.is_clear(at)
    }

    #[inline(always)]
    fn fill(&mut self, at: usize, n: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        self.tail.fill(at, n, write)
    }

    #[inline(always)]
    fn put_padded<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> bool {
        self.tail.put(at, bytes)
    }

    /// In a larger chunk if this one has no room.
    #[inline(never)]
    fn put(&mut self, at: usize, bytes: &[u8]) -> usize {
        let end = at.saturating_add(bytes.len());
        if self.is_full() || (self.tail.room() < end && !self.grow(at, bytes.len())) {
            return at;
        }
        let Some(room) = self.tail.free().get_mut(at..end) else { return at };
        room.copy_from_slice(bytes);
        end
    }

    fn is_full(&self) -> bool {
        self.flags & entry::LOST != 0
    }

    fn limit(&self, _limits: &Limits) -> usize {
        capture::limit()
    }
}

/// Captures a value apart from any entry: what it calls is not recorded.
pub(crate) fn unrecorded<R>(capture: impl FnOnce() -> R) -> R {
    /// Says again what was said before.
    struct Made(bool);
    impl Drop for Made {
        fn drop(&mut self) {
            LOCAL.with(|local| local.is_made.set(self.0));
        }
    }
    let _made = Made(LOCAL.with(|local| local.is_made.replace(true)));
    // Within another capture, that one goes on.
    let _taken = Taken::at_hand();
    capture()
}

/// Lets go of the thread's chunk without a word: it belongs to the process from which this one was forked.
pub(super) fn leave_chunk() {
    if is_capturing() {
        LOCAL.with(|local| local.behind.set(Behind::Foreign));
    } else {
        mem::forget(Taken::at_hand().leave());
    }
}

/// Whether this thread is writing an entry: a panic now is one of a captured value.
pub(crate) fn is_capturing() -> bool {
    Taken::at_hand().0.is_none() && LOCAL.with(|local| local.is_made.get())
}
