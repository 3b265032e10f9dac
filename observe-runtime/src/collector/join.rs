//! Joins starts, changes and ends by span id.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    time::Duration,
};

use observe_model::{Span, TraceAttributes};
use slab::Slab;

use super::assemble::{Parts, assemble};
use crate::{
    clock::Anchor,
    journal::{
        Chunk,
        entry::{Entry, Kind},
        pool,
    },
    site::Site,
};

/// Sweeps after which a chunk that its thread has left is given back although open spans have entries in it: those are
/// copied out.
const PATIENCE: u32 = 3;

/// Sweeps after which an end without a start is forgotten: its start was dropped.
const ORPHAN_AFTER: u32 = 3;

/// Where an entry lies.
enum At {
    /// In a chunk of [`Table::chunks`], at this offset.
    Chunk(u32, u32),
    /// Copied out of a chunk that was given back.
    Own(Box<[u8]>),
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

/// What is known of a span that was not given out yet.
#[derive(Default)]
struct Open {
    start: Option<At>,
    end: Option<At>,
    changes: Vec<At>,
    attributes: Option<Arc<TraceAttributes>>,
    /// It was shown as running, and nothing was said of it since.
    shown: bool,
    /// Sweeps since its end was read.
    waited: u32,
}

/// Span ids are random already: one multiplication spreads them.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[derive(Default)]
pub(super) struct Table {
    /// Chunks by the number that [`At`] names, and those numbers in the order in which the chunks were taken.
    chunks: Slab<Reading>,
    order: Vec<usize>,
    fresh: Vec<Arc<Chunk>>,
    spans: HashMap<u64, Open, BuildHasherDefault<IdHasher>>,
    /// Spans whose end was read in this sweep, and in the one before.
    ended: Vec<u64>,
    ready: Vec<u64>,
    sites: Vec<&'static Site>,
}

impl Table {
    /// Reads every chunk up to what is committed now. Whether there was anything new.
    pub(super) fn read_journal(&mut self) -> bool {
        pool::taken(&mut self.fresh);
        for chunk in self.fresh.drain(..) {
            let reading = Reading { chunk, read: 0, stamps: Vec::new(), held: 0, left: 0 };
            self.order.push(self.chunks.insert(reading));
        }
        let mut found = false;
        for n in 0..self.order.len() {
            found |= self.read_chunk(self.order[n]);
        }
        Site::learn(&mut self.sites);
        found
    }

    fn read_chunk(&mut self, number: usize) -> bool {
        let Some(reading) = self.chunks.get_mut(number) else { return false };
        let before = reading.read;
        let chunk = Arc::clone(&reading.chunk);
        let bytes = chunk.committed();
        while let Some((entry, len)) = bytes.get(reading.read..).and_then(Entry::read) {
            let at = At::Chunk(number as u32, reading.read as u32);
            reading.read += len;
            if entry.kind == Kind::Stamp {
                reading.stamps.push((entry.id(), Arc::new(super::assemble::stamp(&entry))));
                continue;
            }
            reading.held += 1;
            let open = self.spans.entry(entry.id()).or_default();
            match entry.kind {
                Kind::Start => {
                    let stamp = entry.start().stamp;
                    let named = reading.stamps.iter().rev().find(|(n, _)| *n == stamp);
                    open.attributes = named.map(|(_, a)| Arc::clone(a));
                    open.start = Some(at);
                }
                Kind::Change => {
                    open.changes.push(at);
                    open.shown = false;
                }
                Kind::End => {
                    open.end = Some(at);
                    self.ended.push(entry.id());
                }
                Kind::Stamp => {}
            }
        }
        reading.read > before
    }

    /// Gives out the spans that ended in the sweep before, and lets go of the chunks that nothing needs any more.
    pub(super) fn give_ready(&mut self, anchor: &Anchor, mut give: impl FnMut(&Span<'_>)) -> bool {
        let ready = std::mem::take(&mut self.ready);
        let gave = !ready.is_empty();
        for id in ready {
            let Some(mut open) = self.spans.remove(&id) else { continue };
            if open.start.is_none() && open.waited < ORPHAN_AFTER {
                open.waited += 1;
                self.spans.insert(id, open);
                self.ended.push(id);
                continue;
            }
            self.with_parts(&open, |parts| {
                if let Some(span) = assemble(parts, anchor) {
                    give(&span);
                }
            });
            self.let_go(&open);
        }
        self.ready = std::mem::take(&mut self.ended);
        self.give_back_chunks();
        gave
    }

    /// Gives out the spans that began longer than `after` ago and have not ended, each once.
    pub(super) fn give_running(&mut self, anchor: &Anchor, after: Duration, mut give: impl FnMut(&Span<'_>)) {
        let now = observe_model::Timestamp::now();
        let mut shown = Vec::new();
        for (id, open) in self.spans.iter().filter(|(_, open)| !open.shown && open.end.is_none()) {
            self.with_parts(open, |parts| {
                if let Some(span) = assemble(parts, anchor)
                    && u128::from(now.since(span.start)) >= after.as_nanos()
                {
                    give(&span);
                    shown.push(*id);
                }
            });
        }
        for id in shown {
            if let Some(open) = self.spans.get_mut(&id) {
                open.shown = true;
            }
        }
    }

    fn entry<'a>(&'a self, at: &'a At) -> Option<Entry<'a>> {
        let bytes = match at {
            At::Chunk(number, offset) => {
                self.chunks.get(*number as usize)?.chunk.committed().get(*offset as usize..)?
            }
            At::Own(bytes) => bytes,
        };
        Entry::read(bytes).map(|(entry, _)| entry)
    }

    fn with_parts(&self, open: &Open, use_parts: impl FnOnce(&Parts<'_>)) {
        let Some(start) = open.start.as_ref().and_then(|at| self.entry(at)) else { return };
        let start_fixed = start.start();
        let site = self.sites.get((start_fixed.site as usize).wrapping_sub(1)).copied();
        let changes: Vec<Entry<'_>> = open.changes.iter().filter_map(|at| self.entry(at)).collect();
        let end = open.end.as_ref().and_then(|at| self.entry(at));
        use_parts(&Parts {
            start: start_fixed,
            input: start.payload(),
            site,
            changes: &changes,
            end,
            attributes: open.attributes.as_deref(),
        });
    }

    /// Notes that a span's entries are no longer needed.
    fn let_go(&mut self, open: &Open) {
        for at in open.start.iter().chain(&open.end).chain(&open.changes) {
            if let At::Chunk(number, _) = at
                && let Some(reading) = self.chunks.get_mut(*number as usize)
            {
                reading.held -= 1;
            }
        }
    }

    /// Returns chunks to the pool that their threads have left and that are read to their end.
    fn give_back_chunks(&mut self) {
        let mut order = std::mem::take(&mut self.order);
        order.retain(|&number| {
            let Some(reading) = self.chunks.get_mut(number) else { return false };
            // First the count, then the length: a thread that left after the count was taken may have written more.
            let is_left = Arc::strong_count(&reading.chunk) == 1;
            if !is_left || reading.read < reading.chunk.committed().len() {
                return true;
            }
            reading.left += 1;
            if reading.held > 0 && reading.left < PATIENCE {
                return true;
            }
            if reading.held > 0 {
                self.copy_out(number);
            }
            match Chunk::reclaim(self.chunks.remove(number).chunk) {
                Ok(chunk) => pool::give_back(chunk),
                // Cannot be: nobody else had it. It is freed when whoever it is lets go.
                Err(chunk) => drop(chunk),
            }
            false
        });
        self.order = order;
    }

    /// Copies the entries of open spans out of a chunk.
    fn copy_out(&mut self, number: usize) {
        let Some(reading) = self.chunks.get(number) else { return };
        let bytes = reading.chunk.committed();
        for open in self.spans.values_mut() {
            for at in open.start.iter_mut().chain(&mut open.end).chain(&mut open.changes) {
                if let At::Chunk(n, offset) = *at
                    && n as usize == number
                    && let Some((_, len)) = bytes.get(offset as usize..).and_then(Entry::read)
                {
                    let whole = bytes.get(offset as usize..).unwrap_or_default();
                    *at = At::Own(whole[..len.min(whole.len())].into());
                }
            }
        }
    }
}
