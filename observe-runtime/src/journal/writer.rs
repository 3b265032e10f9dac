//! The host's side of the journal: one entry at a time, into the thread's own chunk.

use std::{
    cell::Cell,
    mem::{self, ManuallyDrop},
};

use observe_wire::journal::entry::{self, HEADER, Kind};

use super::{
    chunk::{Rest, Tail},
    pool::{self, Class},
};
use crate::context;

/// No destructor, so that an access never asks whether one was registered; [`GiveBack`] has it.
struct Local {
    /// An entry is being written: whatever the captured values call is not recorded.
    busy: Cell<bool>,
    rest: Cell<ManuallyDrop<Option<Rest>>>,
    /// The last stamp that was written to the chunk; 0 for none.
    stamp: Cell<u64>,
}

thread_local! {
    static LOCAL: Local = const {
        Local { busy: Cell::new(false), rest: Cell::new(ManuallyDrop::new(None)), stamp: Cell::new(0) }
    };
    static GIVE_BACK: GiveBack = const { GiveBack };
}

/// Lets go of the thread's chunk when the thread ends, so that the collector can recycle it.
struct GiveBack;

impl Drop for GiveBack {
    fn drop(&mut self) {
        LOCAL.with(|local| drop(local.replace_tail(None)));
    }
}

impl Local {
    #[inline(always)]
    fn replace_tail(&self, tail: Option<Tail>) -> Option<Tail> {
        let rest = self.rest.replace(ManuallyDrop::new(tail.map(Tail::rest)));
        ManuallyDrop::into_inner(rest).map(Rest::resume)
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

/// Says that the thread writes an entry, until it is dropped.
struct Busy;

impl Drop for Busy {
    #[inline(always)]
    fn drop(&mut self) {
        LOCAL.with(|local| local.busy.set(false));
    }
}

/// An entry that is being written, with [`Draft::commit`] and [`Draft::keep`] at its end. Dropped without them, it leaves
/// nothing behind, and the rest of its chunk unused.
pub(crate) struct Draft {
    tail: Tail,
    _busy: Busy,
    kind: Kind,
    flags: u8,
    /// A piece found no room; the payload is lost.
    full: bool,
    /// The thread took this chunk for this entry.
    fresh: bool,
}

impl Draft {
    /// [`Draft::begin`] of a start or an end where the thread's chunk has room and knows the stamp, which is nearly always;
    /// else nothing is done.
    // Apart from the rest, so that nothing of it is moved through memory.
    #[inline(always)]
    pub(crate) fn begin_quickly<const N: usize>(kind: Kind, stamp: u64) -> Option<Self> {
        LOCAL.with(|local| {
            if local.busy.get() || (stamp != 0 && local.stamp.get() != stamp) {
                return None;
            }
            let mut tail = local.replace_tail(None)?;
            if !tail.skip(HEADER + N) {
                local.replace_tail(Some(tail));
                return None;
            }
            local.busy.set(true);
            Some(Self { tail, _busy: Busy, kind, flags: 0, full: false, fresh: false })
        })
    }

    /// Begins an entry whose fixed part, written by [`Draft::commit`], has `N` bytes; `stamp` is what a start names.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin<const N: usize>(kind: Kind, stamp: u64) -> Result<Self, Lost> {
        if LOCAL.with(|local| local.busy.replace(true)) {
            return Err(Lost::Busy);
        }
        let busy = Busy;
        let kept = LOCAL.with(|local| local.replace_tail(None));
        let (mut tail, fresh) = ready(kept, kind, HEADER + N, stamp).map_err(|kept| {
            LOCAL.with(|local| local.replace_tail(kept));
            Lost::Full
        })?;
        if kind == Kind::Change {
            tail.has_changes();
        }
        tail.advance(HEADER + N);
        Ok(Self { tail, _busy: busy, kind, flags: 0, full: false, fresh })
    }

    /// Bytes of the entry so far.
    #[inline(always)]
    pub(crate) fn mark(&self) -> usize {
        self.tail.pending_len()
    }

    /// Takes the payload back to an earlier [`Draft::mark`].
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.tail.rewind(mark);
    }

    /// Whether the journal had no room for a piece, so that the payload is lost.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Appends to the payload, in a larger chunk if this one has no room.
    #[inline(never)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let has_room = self.tail.room() >= bytes.len() || self.grow(bytes.len());
        if has_room && let Some(room) = self.tail.free().get_mut(..bytes.len()) {
            room.copy_from_slice(bytes);
            self.tail.advance(bytes.len());
        }
    }

    /// Appends a byte to the payload.
    #[inline(always)]
    pub(crate) fn put_byte(&mut self, byte: u8) {
        if !self.put_padded([byte], 1) {
            self.put(&[byte]);
        }
    }

    /// Appends the first `len` of `bytes` to the payload; false if this chunk may have no room for all of them.
    #[inline(always)]
    pub(crate) fn put_padded<const N: usize>(&mut self, bytes: [u8; N], len: usize) -> bool {
        self.tail.put_padded(bytes, len)
    }

    /// Appends what `write` puts into `n` bytes of this chunk, if it says that it did; else, or if there is no room,
    /// appends nothing and says so.
    #[inline(always)]
    pub(crate) fn fill(&mut self, n: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        self.tail.fill(n, write)
    }

    /// Appends what [`capture::append`](crate::capture::append) wrote.
    pub(crate) fn put_captured(&mut self, bytes: &[u8], raw: bool) {
        self.put(bytes);
        if raw {
            self.mark_raw();
        }
    }

    /// Marks the payload as holding raw segments.
    #[inline(always)]
    pub(crate) fn mark_raw(&mut self) {
        self.flags |= entry::RAW;
    }

    /// Moves the entry to a chunk with room for `more` bytes; what is committed already stays for the reader.
    fn grow(&mut self, more: usize) -> bool {
        if self.full {
            return false;
        }
        // Room for a quarter more, so that a payload which grows piece by piece is not copied at each.
        let len = self.tail.pending_len() + more;
        let need = len.saturating_add(len / 4);
        // What a start names is in force while it is being written.
        let stamp = if self.kind == Kind::Start { context::current().stamp } else { 0 };
        match ready(None, self.kind, need, stamp) {
            Ok((mut tail, _)) => {
                if self.kind == Kind::Change {
                    tail.has_changes();
                }
                let written = self.tail.pending();
                tail.free()[..written.len()].copy_from_slice(written);
                tail.advance(written.len());
                pool::leave(mem::replace(&mut self.tail, tail));
                self.fresh = true;
            }
            Err(_) => {
                self.full = true;
                pool::count_lost_payload();
            }
        }
        !self.full
    }

    /// Makes the entry visible to the collector; `fixed` writes its fixed part. `payload` says whether it has one, which
    /// may be empty.
    #[inline(always)]
    pub(crate) fn commit<const N: usize>(
        &mut self,
        kind: Kind,
        code: u8,
        payload: bool,
        fixed: impl FnOnce(&mut [u8; N]),
    ) {
        let mut flags = self.flags | if payload { entry::PAYLOAD } else { 0 };
        if self.full {
            self.tail.rewind(HEADER + N);
            flags = entry::LOST;
        }
        let tail = &mut self.tail;
        let len = tail.pending_len();
        let head =
            tail.pending().get_mut(..HEADER + N).and_then(|head| head.split_first_chunk_mut::<HEADER>());
        if let Some((header, rest)) = head
            && let Some(rest) = rest.first_chunk_mut::<N>()
        {
            *header = entry::header(kind, code, flags, len as u32);
            fixed(rest);
        }
        tail.align();
        tail.publish();
        pool::wrote();
    }

    /// Appends what `write` puts to `bytes` and leaves no entry: for what is recorded later. Whether it holds raw segments;
    /// `None` if there was no room for it, or an entry is being written.
    pub(crate) fn aside(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Self)) -> Option<bool> {
        let quickly = Self::begin_quickly::<0>(Kind::Change, 0);
        let mut draft = quickly.or_else(|| Self::begin::<0>(Kind::Change, 0).ok())?;
        write(&mut draft);
        let payload = if draft.full { None } else { draft.tail.pending().get(HEADER..) };
        let is_written = payload.map(|payload| bytes.extend_from_slice(payload)).is_some();
        let is_raw = draft.flags & entry::RAW != 0;
        draft.tail.rewind(0);
        draft.keep();
        is_written.then_some(is_raw)
    }

    /// Keeps the chunk for the thread's next entry.
    #[inline(always)]
    pub(crate) fn keep(self) {
        if self.fresh {
            return self.keep_fresh();
        }
        let Self { tail, .. } = self;
        LOCAL.with(|local| local.rest.set(ManuallyDrop::new(Some(tail.rest()))));
    }

    /// Keeps a new chunk, unless it was made for one large payload, or the thread is past its destructors and would never
    /// give it back.
    #[cold]
    #[inline(never)]
    fn keep_fresh(self) {
        let Self { tail, .. } = self;
        let keep = tail.capacity() <= pool::CHUNK && GIVE_BACK.try_with(|_| ()).is_ok();
        LOCAL.with(|local| {
            if !keep {
                local.stamp.set(0);
            }
            match keep {
                true => drop(local.replace_tail(Some(tail))),
                false => pool::leave(tail),
            }
        });
    }
}

/// A tail with room for `need` bytes behind the definition of `stamp`: `kept` if it has it, else a new one, and whether
/// it is new. `kept` comes back if there is none.
fn ready(kept: Option<Tail>, kind: Kind, need: usize, stamp: u64) -> Result<(Tail, bool), Option<Tail>> {
    let class = if kind == Kind::Start { Class::Start } else { Class::Follow };
    let definition = context::stamp(stamp);
    let definition_len =
        definition.as_ref().map_or(0, |s| (HEADER + 8 + s.encoded.len()).next_multiple_of(entry::ALIGN));
    let (mut tail, fresh) = match kept {
        Some(tail) if tail.room() >= definition_len + need => (tail, false),
        kept => match pool::take(definition_len + need, class) {
            Some(tail) => {
                if let Some(kept) = kept {
                    pool::leave(kept);
                }
                (tail, true)
            }
            None => return Err(kept),
        },
    };
    if fresh {
        LOCAL.with(|local| local.stamp.set(0));
    }
    if let Some(stamp) = definition.filter(|s| s.number != LOCAL.with(|local| local.stamp.get())) {
        let len = HEADER + 8 + stamp.encoded.len();
        let bytes = tail.free();
        bytes[..HEADER].copy_from_slice(&entry::header(Kind::Stamp, 0, entry::PAYLOAD, len as u32));
        bytes[HEADER..HEADER + 8].copy_from_slice(&stamp.number.to_le_bytes());
        bytes[HEADER + 8..len].copy_from_slice(&stamp.encoded);
        tail.commit(definition_len);
        LOCAL.with(|local| local.stamp.set(stamp.number));
    }
    Ok((tail, fresh))
}

/// Captures a value apart from any entry: what it calls is not recorded.
pub(crate) fn unrecorded<R>(capture: impl FnOnce() -> R) -> R {
    let was_busy = LOCAL.with(|local| local.busy.replace(true));
    // Within another capture, that one goes on.
    let _busy = (!was_busy).then_some(Busy);
    capture()
}

/// Lets go of the thread's chunk without a word: it belongs to the process from which this one was forked.
pub(super) fn leave_chunk() {
    LOCAL.with(|local| {
        mem::forget(local.replace_tail(None));
        local.stamp.set(0);
    });
}

/// Whether this thread is writing an entry: a panic now is one of a captured value.
pub(crate) fn is_capturing() -> bool {
    LOCAL.with(|local| local.busy.get())
}
