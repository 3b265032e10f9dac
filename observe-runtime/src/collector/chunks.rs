//! The chunks that are being read, and where entries lie in them.

use std::{mem, sync::Arc};

use observe_model::TraceAttributes;
use observe_wire::journal::entry::{ALIGN, Entry, HEADER, Kind, PAYLOAD, header};
use slab::Slab;

use super::join::stamped;
use crate::journal::{
    Chunk, Tail,
    pool::{self, Class},
};

/// Sweeps after which a chunk that its thread has left is given back although spans have entries in it: those are
/// copied out.
const PATIENCE: u32 = 3;

/// Where an entry lies: a chunk's number, and the offset in it.
#[derive(Clone, Copy)]
pub(super) struct At {
    chunk: u32,
    offset: u32,
}

/// Instead of a chunk's number: the offset is the number of an entry in plain memory.
const APART: u32 = u32::MAX;

impl At {
    pub(super) fn is_in(self, chunk: u32) -> bool {
        self.chunk == chunk
    }
}

/// Where a span's attributes are: a chunk's number, and their place among the chunk's.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    chunk: u32,
    index: u32,
}

/// A chunk that is being read.
struct Reading {
    chunk: Arc<Chunk>,
    read: usize,
    /// The attributes that entries of this chunk name, the latest last.
    stamps: Vec<(u64, Arc<TraceAttributes>)>,
    /// Entries of spans that were not given out yet.
    held: usize,
    /// Sweeps since its thread left it.
    left: u32,
}

impl Reading {
    fn new(chunk: Arc<Chunk>) -> Self {
        Self { chunk, read: 0, stamps: Vec::new(), held: 0, left: 0 }
    }
}

/// The attributes named in the chunk that is being read.
pub(super) struct Stamps<'a> {
    chunk: u32,
    stamps: &'a [(u64, Arc<TraceAttributes>)],
}

impl Stamps<'_> {
    #[inline]
    pub(super) fn find(&self, number: u64) -> Option<Stamp> {
        if number == 0 {
            return None;
        }
        let index = self.stamps.iter().rposition(|(n, _)| *n == number)?;
        Some(Stamp { chunk: self.chunk, index: index as u32 })
    }
}

/// All chunks that are being read.
#[derive(Default)]
pub(super) struct Chunks {
    readings: Slab<Reading>,
    /// Their numbers in the order in which they were taken.
    order: Vec<u32>,
    fresh: Vec<Arc<Chunk>>,
    /// The chunk that entries are copied to, and its number. It lies in the journal like any other, so that a process
    /// which is killed leaves its long-running spans there.
    copies: Option<(Tail, u32)>,
    /// Chunks of copies that the pool has not announced yet.
    unannounced: Vec<Arc<Chunk>>,
    /// Copies for which the journal had no room.
    apart: Slab<Box<[u8]>>,
}

impl Chunks {
    /// Reads every chunk up to what is committed now: gives each start, change and end. Whether there was anything.
    pub(super) fn read(&mut self, mut give: impl FnMut(&Entry<'_>, At, &Stamps<'_>)) -> bool {
        pool::taken(&mut self.fresh);
        for chunk in self.fresh.drain(..) {
            if let Some(own) = self.unannounced.iter().position(|own| Arc::ptr_eq(own, &chunk)) {
                self.unannounced.swap_remove(own);
            } else {
                self.order.push(self.readings.insert(Reading::new(chunk)) as u32);
            }
        }
        let mut found = false;
        for number in &self.order {
            if let Some(reading) = self.readings.get_mut(*number as usize) {
                found |= read_one(reading, *number, &mut give);
            }
        }
        found
    }

    #[inline]
    pub(super) fn entry(&self, at: At) -> Option<Entry<'_>> {
        let bytes = match self.readings.get(at.chunk as usize) {
            Some(reading) => reading.chunk.committed().get(at.offset as usize..)?,
            None => self.apart.get(at.offset as usize)?,
        };
        Entry::read(bytes).map(|(entry, _)| entry)
    }

    #[inline]
    pub(super) fn attributes(&self, stamp: Stamp) -> Option<&TraceAttributes> {
        let reading = self.readings.get(stamp.chunk as usize)?;
        reading.stamps.get(stamp.index as usize).map(|(_, attributes)| &**attributes)
    }

    pub(super) fn shared_attributes(&self, stamp: Stamp) -> Option<(u64, Arc<TraceAttributes>)> {
        self.readings.get(stamp.chunk as usize)?.stamps.get(stamp.index as usize).cloned()
    }

    /// Notes that an entry is no longer needed.
    #[inline]
    pub(super) fn let_go(&mut self, at: At) {
        if at.chunk == APART {
            self.apart.try_remove(at.offset as usize);
        } else if let Some(reading) = self.readings.get_mut(at.chunk as usize) {
            reading.held -= 1;
        }
    }

    /// The chunks that can go now: left by their threads, read to their end, and not needed; or needed by few for long,
    /// which counts only while nothing else `waits` to be given out.
    pub(super) fn left(&mut self, waits: bool) -> Vec<u32> {
        let readings = &mut self.readings;
        let can_go = |number: &u32| {
            let Some(reading) = readings.get_mut(*number as usize) else { return false };
            // First this, then the length: what a thread writes until it leaves counts.
            if !Chunk::is_left(&reading.chunk) || reading.read < reading.chunk.committed().len() {
                return false;
            }
            reading.left += u32::from(!waits);
            reading.held == 0 || reading.left >= PATIENCE
        };
        let (left, stay) = mem::take(&mut self.order).into_iter().partition(can_go);
        self.order = stay;
        left
    }

    pub(super) fn is_held(&self, number: u32) -> bool {
        self.readings.get(number as usize).is_some_and(|reading| reading.held > 0)
    }

    /// Takes a chunk out.
    pub(super) fn remove(&mut self, number: u32) -> Option<Chunk> {
        let reading = self.readings.try_remove(number as usize)?;
        // Nobody else has it: it was left, and no copies of the handle are made.
        Chunk::reclaim(reading.chunk).ok()
    }

    /// Copies an entry, with the attributes that it names, and says where both lie now.
    pub(super) fn keep(
        &mut self,
        at: At,
        attributes: Option<(u64, Arc<TraceAttributes>)>,
    ) -> (At, Option<Stamp>) {
        let Some(bytes) = self.whole_entry(at) else { return (at, None) };
        self.let_go(at);
        let definition =
            attributes.as_ref().and_then(|(_, a)| serde_json::to_vec(&**a).ok()).unwrap_or_default();
        let definition_len = (HEADER + 8 + definition.len()).next_multiple_of(ALIGN);
        if !self.make_room(definition_len + bytes.len()) {
            return (At { chunk: APART, offset: self.apart.insert(bytes) as u32 }, None);
        }
        let Some((tail, number)) = &mut self.copies else { return (at, None) };
        let Some(reading) = self.readings.get_mut(*number as usize) else { return (at, None) };
        let known =
            attributes.as_ref().and_then(|(n, _)| reading.stamps.iter().rposition(|(known, _)| known == n));
        let stamp = attributes.map(|(n, attributes)| {
            let index = known.unwrap_or_else(|| {
                let len = HEADER + 8 + definition.len();
                let to = tail.free();
                to[..HEADER].copy_from_slice(&header(Kind::Stamp, 0, PAYLOAD, len as u32));
                to[HEADER..HEADER + 8].copy_from_slice(&n.to_le_bytes());
                to[HEADER + 8..len].copy_from_slice(&definition);
                tail.commit(definition_len);
                reading.stamps.push((n, attributes));
                reading.stamps.len() - 1
            });
            Stamp { chunk: *number, index: index as u32 }
        });
        let offset = tail.committed() as u32;
        tail.free()[..bytes.len()].copy_from_slice(&bytes);
        tail.commit(bytes.len().next_multiple_of(ALIGN));
        reading.read = tail.committed();
        reading.held += 1;
        (At { chunk: *number, offset }, stamp)
    }

    fn whole_entry(&self, at: At) -> Option<Box<[u8]>> {
        let bytes = self.readings.get(at.chunk as usize)?.chunk.committed().get(at.offset as usize..)?;
        let (_, len) = Entry::read(bytes)?;
        Some(bytes[..len.min(bytes.len())].into())
    }

    fn make_room(&mut self, need: usize) -> bool {
        if self.copies.as_ref().is_some_and(|(tail, _)| tail.room() >= need) {
            return true;
        }
        let Some((tail, chunk)) = pool::take_with_chunk(need, Class::Follow) else { return false };
        let number = self.readings.insert(Reading::new(Arc::clone(&chunk))) as u32;
        self.order.push(number);
        self.unannounced.push(chunk);
        self.copies = Some((tail, number));
        true
    }
}

fn read_one(reading: &mut Reading, number: u32, give: &mut impl FnMut(&Entry<'_>, At, &Stamps<'_>)) -> bool {
    let before = reading.read;
    let Reading { chunk, read, stamps, held, .. } = reading;
    let bytes = chunk.committed();
    while let Some((entry, len)) = bytes.get(*read..).and_then(Entry::read) {
        let at = At { chunk: number, offset: *read as u32 };
        *read += len;
        match entry.kind {
            Kind::Start | Kind::Change | Kind::End | Kind::Record => {
                *held += 1;
                give(&entry, at, &Stamps { chunk: number, stamps });
            }
            Kind::Stamp => stamps.push((entry.id(), stamped(&entry))),
            // For those who read the files without this process.
            Kind::Site | Kind::Clock | Kind::Resource => {}
        }
    }
    *read > before
}
