//! The chunks that are being read, and where entries lie in them.

use std::{collections::VecDeque, mem, sync::Arc};

use observe_model::TraceAttributes;
use observe_wire::journal::entry::{ALIGN, Entry, Field, HEADER, Kind, PAYLOAD, header};
use slab::Slab;

use crate::{
    destination::Given,
    journal::{
        Chunk, Piece, Spares, Tail,
        pool::{self, Class},
    },
};

/// Sweeps after which a chunk that its thread has left is given back although spans have entries in it: those are
/// copied out.
const PATIENCE: u32 = 3;

/// Where an entry lies: a chunk's number, and the offset in it.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) chunk: u32,
    pub(super) offset: u32,
}

/// Instead of a chunk's number: the offset is the number of an entry in plain memory.
const APART: u32 = u32::MAX;

/// Where a span's attributes are: a chunk's number, and their place among the chunk's.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    chunk: u32,
    index: u32,
}

/// A chunk that is being read.
pub(super) struct Reading {
    pub(super) chunk: Piece,
    pub(super) read: usize,
    /// How far changes were looked for.
    scanned: usize,
    /// The attributes that entries of this chunk name, the latest last.
    pub(super) stamps: Vec<(u64, Arc<TraceAttributes>)>,
    /// Entries that are needed after they were read.
    pub(super) held: usize,
    /// Looks since its thread left it.
    left: u32,
    /// So much was read when destinations had been given this.
    arriving: Option<(Vec<Given>, usize)>,
    /// How much has arrived.
    arrived: usize,
}

impl Reading {
    fn new(chunk: Piece) -> Self {
        Self { chunk, read: 0, scanned: 0, stamps: Vec::new(), held: 0, left: 0, arriving: None, arrived: 0 }
    }

    /// Where the attributes of this number are, if they were read; `number` is this chunk's.
    pub(super) fn stamp(&self, stamp: u64, number: u32) -> Option<Stamp> {
        if stamp == 0 {
            return None;
        }
        let index = self.stamps.iter().rposition(|(n, _)| *n == stamp)?;
        Some(Stamp { chunk: number, index: index as u32 })
    }

    /// Gives the changes among the entries that are new, and holds them.
    fn scan(&mut self, number: u32, spares: &mut Spares, change: &mut impl FnMut(&Entry<'_>, At)) {
        // First this: then the flag is that of all of it. What is out of memory stays there if there is nothing to find.
        let len = self.chunk.len();
        if !self.chunk.may_have_changes() || self.scanned >= len {
            return;
        }
        self.chunk.load(spares);
        let bytes = self.chunk.committed();
        while let Some((entry, len)) = bytes.get(self.scanned..).and_then(Entry::read) {
            if entry.kind == Kind::Change {
                self.held += 1;
                change(&entry, At { chunk: number, offset: self.scanned as u32 });
            }
            self.scanned += len;
        }
        self.chunk.unload(spares);
    }
}

/// All chunks that are being read.
#[derive(Default)]
pub(super) struct Chunks {
    readings: Slab<Reading>,
    /// Their numbers in the order in which they were taken.
    order: Vec<u32>,
    /// What the last look found and is still to be read: chunks, and how far.
    pub(super) due: VecDeque<(u32, usize)>,
    fresh: Vec<Piece>,
    /// Memory for what comes back from disk.
    spares: Spares,
    /// The chunk that entries are copied to, and its number. It lies in the journal like any other, so that a process
    /// which is killed leaves its long-running spans there.
    copies: Option<(Tail, u32)>,
    /// Chunks of copies that the pool has not announced yet.
    unannounced: Vec<Arc<Chunk>>,
    /// Copies for which the journal had no room.
    apart: Slab<Box<[u8]>>,
}

impl Chunks {
    /// Finds out what is committed now and makes it due. Gives every change that is committed by then: all that was
    /// said of a span before an end that is due now.
    pub(super) fn look(&mut self, mut change: impl FnMut(&Entry<'_>, At)) {
        self.take_fresh();
        for number in &self.order {
            let Some(reading) = self.readings.get(*number as usize) else { continue };
            let len = reading.chunk.len();
            if len > reading.read {
                self.due.push_back((*number, len));
            }
        }
        // Behind all ends that are due now: a chunk that says nothing of changes has none that came before those.
        self.take_fresh();
        for number in &self.order {
            if let Some(reading) = self.readings.get_mut(*number as usize) {
                reading.scan(*number, &mut self.spares, &mut change);
            }
        }
    }

    fn take_fresh(&mut self) {
        pool::taken(&mut self.fresh);
        for chunk in self.fresh.drain(..) {
            if let Some(own) = self.unannounced.iter().position(|own| chunk.is(own)) {
                self.unannounced.swap_remove(own);
            } else {
                self.order.push(self.readings.insert(Reading::new(chunk)) as u32);
            }
        }
    }

    pub(super) fn reading(&mut self, number: u32) -> Option<&mut Reading> {
        self.readings.get_mut(number as usize)
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

    /// Whether a change says something of the span's trace.
    pub(super) fn is_of_trace(&self, at: At) -> bool {
        self.entry(at).is_some_and(|entry| entry.code == Field::Trace as u8)
    }

    /// Notes that an entry of a chunk is needed once more; not so of one apart, which is needed once.
    pub(super) fn hold(&mut self, at: At) -> bool {
        let reading = self.reading(at.chunk);
        reading.map(|reading| reading.held += 1).is_some()
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
    /// which counts only while nothing is due.
    pub(super) fn left(&mut self) -> Vec<u32> {
        let (readings, waits) = (&mut self.readings, !self.due.is_empty());
        let can_go = |number: &u32| {
            let Some(reading) = readings.get_mut(*number as usize) else { return false };
            // First this, then the length: what a thread writes until it leaves counts.
            if !reading.chunk.is_left() || reading.read < reading.chunk.len() {
                return false;
            }
            reading.left += u32::from(!waits);
            reading.held == 0 || reading.left >= PATIENCE
        };
        // What is due is in this order too: from its first on, hardly anything is read to its end.
        let next = self.due.front().and_then(|(next, _)| self.order.iter().position(|number| number == next));
        let stay = self.order.split_off(next.unwrap_or(self.order.len()));
        let (left, mut kept): (_, Vec<_>) = mem::take(&mut self.order).into_iter().partition(can_go);
        kept.extend(stay);
        self.order = kept;
        left
    }

    /// Notes in the chunks how much of them has arrived. All that was read has been given out, and `given` is what
    /// destinations have been given by now.
    pub(super) fn note_arrived(&mut self, given: &[Given]) {
        for number in &self.order {
            let Some(reading) = self.readings.get_mut(*number as usize) else { continue };
            if let Some((given, read)) = &reading.arriving {
                if !given.iter().all(Given::has_settled) {
                    continue;
                }
                reading.arrived = *read;
                reading.chunk.set_arrived(*read);
                reading.arriving = None;
            }
            if reading.read > reading.arrived {
                reading.arriving = Some((given.to_vec(), reading.read));
            }
        }
    }

    pub(super) fn is_held(&self, number: u32) -> bool {
        self.readings.get(number as usize).is_some_and(|reading| reading.held > 0)
    }

    /// Gives a chunk that is to be read, in memory.
    pub(super) fn load(&mut self, number: u32) -> Option<(Piece, usize)> {
        let reading = self.readings.get(number as usize)?;
        reading.chunk.load(&mut self.spares);
        Some((reading.chunk.clone(), reading.read))
    }

    /// Notes that a chunk was read so far.
    pub(super) fn was_read(&mut self, number: u32, read: usize) {
        if let Some(reading) = self.readings.get_mut(number as usize) {
            // What is no entry is not read again and again.
            reading.read = read;
            if reading.held == 0 {
                reading.chunk.unload(&mut self.spares);
            }
        }
    }

    /// Takes a chunk out.
    pub(super) fn remove(&mut self, number: u32) -> Option<Piece> {
        let mut chunk = self.readings.try_remove(number as usize)?.chunk;
        chunk.unload(&mut self.spares);
        Some(chunk)
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
        let number = self.readings.insert(Reading::new(Piece::Chunk(Arc::clone(&chunk)))) as u32;
        self.order.push(number);
        self.unannounced.push(chunk);
        self.copies = Some((tail, number));
        true
    }
}
