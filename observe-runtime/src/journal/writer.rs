//! The host's side of the journal: one entry at a time, into the thread's own chunk.

use std::{cell::Cell, mem::ManuallyDrop};

use observe_wire::journal::entry::{self, HEADER, Kind};

use super::{
    chunk::Tail,
    pool::{self, Class},
};
use crate::context;

/// No destructor, so that an access never asks whether one was registered; [`GiveBack`] has it.
struct Local {
    /// An entry is being written: whatever the captured values call is not recorded.
    busy: Cell<bool>,
    tail: Cell<ManuallyDrop<Option<Tail>>>,
    /// The last stamp that was written to the chunk; 0 for none.
    stamp: Cell<u64>,
}

thread_local! {
    static LOCAL: Local = const {
        Local { busy: Cell::new(false), tail: Cell::new(ManuallyDrop::new(None)), stamp: Cell::new(0) }
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
    #[inline]
    fn replace_tail(&self, tail: Option<Tail>) -> Option<Tail> {
        ManuallyDrop::into_inner(self.tail.replace(ManuallyDrop::new(tail)))
    }

    /// Keeps the tail for the next entry, unless the thread is past its destructors and would never give it back.
    #[inline]
    fn keep(&self, tail: Tail, fresh: bool) {
        let keep = !fresh || GIVE_BACK.try_with(|_| ()).is_ok();
        self.replace_tail(keep.then_some(tail));
        self.busy.set(false);
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

/// An entry that is being written. Dropped without [`Draft::commit`], it leaves nothing behind.
pub(crate) struct Draft {
    /// `None` once it is back in its place.
    tail: Option<Tail>,
    kind: Kind,
    class: Class,
    /// Bytes written so far, header included.
    len: usize,
    flags: u8,
    /// The thread took its first chunk for this entry, so its destructor may not be registered yet.
    fresh: bool,
    /// A piece found no room; nothing more is written behind [`Draft::fixed`].
    full: bool,
    /// Length of header and fixed part.
    fixed: usize,
}

impl Draft {
    /// Begins an entry whose fixed part, written by [`Draft::commit`], has `N` bytes; `stamp` is what a start names.
    #[inline]
    pub(crate) fn begin<const N: usize>(kind: Kind, stamp: u64) -> Result<Self, Lost> {
        LOCAL.with(|local| {
            if local.busy.replace(true) {
                return Err(Lost::Busy);
            }
            let class = if kind == Kind::Start { Class::Start } else { Class::Follow };
            let mut draft = Self {
                tail: local.replace_tail(None),
                kind,
                class,
                len: HEADER + N,
                flags: 0,
                fresh: false,
                full: false,
                fixed: HEADER + N,
            };
            if draft.room() < HEADER + N {
                draft.turn_page(HEADER + N, local)?;
            }
            if stamp != 0 && stamp != local.stamp.get() {
                draft.define_stamp(local, HEADER + N)?;
            }
            Ok(draft)
        })
    }

    #[inline]
    fn room(&self) -> usize {
        self.tail.as_ref().map_or(0, Tail::room)
    }

    #[inline]
    fn free(&mut self) -> &mut [u8] {
        self.tail.as_mut().map_or(&mut [], Tail::free)
    }

    /// Takes another chunk, before anything of this entry is written.
    #[cold]
    fn turn_page(&mut self, need: usize, local: &Local) -> Result<(), Lost> {
        // The stamp's definition goes to the same chunk; it is small beside one.
        let Some(tail) = pool::take(need, self.class) else {
            return Err(Lost::Full);
        };
        self.tail = Some(tail);
        self.fresh = true;
        local.stamp.set(0);
        Ok(())
    }

    /// Writes the stamp in force as an entry of its own in front of this one, with room for `need` bytes behind it.
    #[cold]
    fn define_stamp(&mut self, local: &Local, need: usize) -> Result<(), Lost> {
        let Some(stamp) = context::current_stamp() else {
            return Ok(());
        };
        let len = HEADER + 8 + stamp.encoded.len();
        let whole = len.next_multiple_of(entry::ALIGN);
        if self.room() < whole + need {
            self.turn_page(whole + need, local)?;
        }
        let bytes = self.free();
        bytes[..HEADER].copy_from_slice(&entry::header(Kind::Stamp, 0, entry::PAYLOAD, len as u32));
        bytes[HEADER..HEADER + 8].copy_from_slice(&stamp.number.to_le_bytes());
        bytes[HEADER + 8..len].copy_from_slice(&stamp.encoded);
        if let Some(tail) = &mut self.tail {
            tail.commit(whole);
        }
        local.stamp.set(stamp.number);
        Ok(())
    }

    /// Bytes of payload so far.
    #[inline]
    pub(crate) fn mark(&self) -> usize {
        self.len - self.fixed
    }

    /// Takes the payload back to an earlier [`Draft::mark`].
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.len = self.len.min(self.fixed.saturating_add(mark));
    }

    /// Whether the journal had no room for a piece, so that the payload is lost.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    /// Appends to the payload.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let len = self.len;
        if self.room() - len < bytes.len() && !self.grow(bytes.len()) {
            return;
        }
        self.free()[len..len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Room for at least `n` more bytes of payload in this chunk, to be followed by [`Draft::advance`].
    #[inline]
    pub(crate) fn reserve(&mut self, n: usize) -> Option<&mut [u8]> {
        let len = self.len;
        self.free().get_mut(len..).filter(|room| room.len() >= n)
    }

    /// Counts the first `n` bytes that [`Draft::reserve`] gave as written.
    #[inline]
    pub(crate) fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.room() - self.len);
        self.len += n;
    }

    /// Marks the payload as holding raw segments.
    pub(crate) fn mark_raw(&mut self) {
        self.flags |= entry::RAW;
    }

    /// Moves the entry to a chunk with room for `more` bytes; what lies there already stays for the reader.
    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        if self.full {
            return false;
        }
        let need = (self.len + more).saturating_mul(2);
        let stamp = if self.kind == Kind::Start { context::current_stamp() } else { None };
        let stamp_room =
            stamp.as_ref().map_or(0, |s| (HEADER + 8 + s.encoded.len()).next_multiple_of(entry::ALIGN));
        let len = self.len;
        let Some(mut old) = self.tail.take() else {
            return false;
        };
        let moved = LOCAL.with(|local| {
            self.turn_page(need + stamp_room, local).is_ok()
                && (stamp.is_none() || self.define_stamp(local, need).is_ok())
        });
        if moved {
            self.free()[..len].copy_from_slice(&old.free()[..len]);
        } else {
            self.tail = Some(old);
            self.full = true;
        }
        moved
    }

    /// Makes the entry visible to the collector. `payload` says whether it has one, which may be empty.
    #[inline]
    pub(crate) fn commit<const N: usize>(mut self, code: u8, fixed: &[u8; N], payload: bool) {
        debug_assert_eq!(self.fixed, HEADER + N);
        if self.full {
            self.len = self.fixed;
            self.flags = entry::LOST;
        } else if payload {
            self.flags |= entry::PAYLOAD;
        }
        let header = entry::header(self.kind, code, self.flags, self.len as u32);
        // Fits: the room is a multiple of the alignment, and at least `len`.
        let whole = self.len.next_multiple_of(entry::ALIGN);
        if let Some(tail) = &mut self.tail {
            let bytes = tail.free();
            bytes[..HEADER].copy_from_slice(&header);
            bytes[HEADER..HEADER + N].copy_from_slice(fixed);
            tail.commit(whole);
        }
        pool::wrote();
    }
}

/// Whether this thread is writing an entry: a panic now is one of a captured value.
pub(crate) fn is_capturing() -> bool {
    LOCAL.with(|local| local.busy.get())
}

impl Drop for Draft {
    #[inline]
    fn drop(&mut self) {
        LOCAL.with(|local| match self.tail.take() {
            // A chunk made for one large payload is given back at once; its next entries would keep it from the pool.
            Some(tail) if tail.capacity() <= pool::CHUNK => local.keep(tail, self.fresh),
            _ => {
                local.stamp.set(0);
                local.busy.set(false);
            }
        });
    }
}
