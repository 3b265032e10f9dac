//! Joins starts, changes and ends by span id.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
    time::Duration,
};

use observe_model::{Span, Timestamp, TraceAttributes};
use observe_wire::journal::{
    assemble::{self, Parts, assemble},
    entry::{Entry, Kind},
};
use slab::Slab;

use super::keep::Keeper;
use crate::{
    clock::Anchor,
    journal::{Chunk, pool},
    site::Site,
};

/// Sweeps after which a chunk that its thread has left is given back although open spans have entries in it: those are
/// copied out.
const PATIENCE: u32 = 3;

/// Sweeps after which an end without a start is forgotten: its start was dropped.
const ORPHAN_AFTER: u32 = 3;

/// Where an entry lies.
pub(super) enum At {
    /// In a chunk of [`Table::chunks`], at this offset.
    Chunk(u32, u32),
    /// Copied out of a chunk, because the journal was full.
    Own(Box<[u8]>),
}

/// A chunk that is being read.
pub(super) struct Reading {
    pub(super) chunk: Arc<Chunk>,
    pub(super) read: usize,
    /// The attributes that entries of this chunk name, the latest last.
    stamps: Vec<(u64, Arc<TraceAttributes>)>,
    /// Entries of spans that were not given out yet.
    pub(super) held: usize,
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
    chunks: Slab<Reading>,
    /// The chunks' numbers in the order in which they were taken.
    order: Vec<usize>,
    fresh: Vec<Arc<Chunk>>,
    spans: HashMap<u64, Open, BuildHasherDefault<IdHasher>>,
    /// Spans whose end was read in this sweep, and in the one before.
    ended: Vec<u64>,
    ready: Vec<u64>,
    sites: Vec<&'static Site>,
    keeper: Keeper,
    /// Chunks that nothing here needs any more, and how many spans must have arrived before they are given back.
    settling: VecDeque<(Vec<u64>, Chunk)>,
}

impl Table {
    /// Reads every chunk up to what is committed now. Whether there was anything new.
    pub(super) fn read_journal(&mut self) -> bool {
        pool::taken(&mut self.fresh);
        for chunk in self.fresh.drain(..) {
            if !self.keeper.owns(&chunk) {
                self.order.push(self.chunks.insert(Reading::new(chunk)));
            }
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
            match entry.kind {
                Kind::Start => {
                    let open = self.spans.entry(entry.id()).or_default();
                    open.attributes = reading.stamp(entry.start().stamp);
                    open.start = Some(at);
                }
                Kind::Change => {
                    let open = self.spans.entry(entry.id()).or_default();
                    open.changes.push(at);
                    open.shown = false;
                }
                Kind::End => {
                    self.spans.entry(entry.id()).or_default().end = Some(at);
                    self.ended.push(entry.id());
                }
                Kind::Stamp => {
                    let attributes = assemble::note(&entry).unwrap_or_default();
                    reading.stamps.push((entry.id(), Arc::new(attributes)));
                    continue;
                }
                // For those who read the files without this process.
                Kind::Site | Kind::Clock | Kind::Resource => continue,
            }
            reading.held += 1;
        }
        reading.read > before
    }

    /// Gives out the spans that ended in the sweep before.
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
            self.with_span(&open, anchor, &mut give);
            self.let_go(&open);
        }
        self.ready = std::mem::take(&mut self.ended);
        gave
    }

    /// Gives out the spans that began longer than `after` ago and have not ended, each once.
    pub(super) fn give_running(&mut self, anchor: &Anchor, after: Duration, mut give: impl FnMut(&Span<'_>)) {
        let now = Timestamp::now();
        let mut shown = Vec::new();
        for (id, open) in self.spans.iter().filter(|(_, open)| !open.shown && open.end.is_none()) {
            self.with_span(open, anchor, |span| {
                if u128::from(now.since(span.start)) >= after.as_nanos() {
                    give(span);
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

    fn with_span(&self, open: &Open, anchor: &Anchor, use_span: impl FnOnce(&Span<'_>)) {
        let Some(start) = open.start.as_ref().and_then(|at| self.entry(at)) else { return };
        let fixed = start.start();
        let changes: Vec<Entry<'_>> = open.changes.iter().filter_map(|at| self.entry(at)).collect();
        let parts = Parts {
            start: fixed,
            input: start.payload(),
            site: self.sites.get((fixed.site as usize).wrapping_sub(1)).map(|site| &site.note),
            changes: &changes,
            end: open.end.as_ref().and_then(|at| self.entry(at)),
            attributes: open.attributes.as_deref(),
        };
        if let Some(span) = assemble(&parts, |ticks| anchor.to_wall(ticks)) {
            use_span(&span);
        }
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

    /// Sets aside the chunks that their threads have left and that are read to their end. `given` are the counts of
    /// spans that destinations have been given by now; those that were kept in the journal until they arrived.
    pub(super) fn retire_chunks(&mut self, given: &[u64]) {
        let mut order = std::mem::take(&mut self.order);
        order.retain(|&number| {
            let Some(reading) = self.chunks.get_mut(number) else { return false };
            // First this, then the length: what a thread writes until it leaves counts.
            if !Chunk::is_left(&reading.chunk) || reading.read < reading.chunk.committed().len() {
                return true;
            }
            reading.left += 1;
            if reading.held > 0 && reading.left < PATIENCE {
                return true;
            }
            if reading.held > 0 {
                self.copy_out(number);
            }
            // Nobody else has it: the count was one, and the collector makes no copies.
            if let Ok(chunk) = Chunk::reclaim(self.chunks.remove(number).chunk) {
                self.settling.push_back((given.to_vec(), chunk));
            }
            false
        });
        self.order = order;
    }

    /// Returns chunks to the pool whose spans have arrived: `arrived` are the destinations' counts of those.
    pub(super) fn give_back_chunks(&mut self, arrived: &[u64]) {
        let settled = |given: &[u64]| given.iter().zip(arrived).all(|(given, arrived)| arrived >= given);
        while self.settling.front().is_some_and(|(given, _)| settled(given)) {
            if let Some((_, chunk)) = self.settling.pop_front() {
                pool::give_back(chunk);
            }
        }
    }

    /// Copies the entries of open spans out of a chunk.
    fn copy_out(&mut self, number: usize) {
        let Some(reading) = self.chunks.get(number) else { return };
        let chunk = Arc::clone(&reading.chunk);
        let bytes = chunk.committed();
        for open in self.spans.values_mut() {
            let attributes = open.attributes.as_deref();
            for at in open.start.iter_mut().chain(&mut open.end).chain(&mut open.changes) {
                if let At::Chunk(n, offset) = *at
                    && n as usize == number
                    && let Some(rest) = bytes.get(offset as usize..)
                    && let Some((entry, len)) = Entry::read(rest)
                {
                    let stamp = if entry.kind == Kind::Start { entry.start().stamp } else { 0 };
                    let stamp = attributes.filter(|_| stamp != 0).map(|a| (stamp, a));
                    *at = self.keeper.keep(
                        &rest[..len.min(rest.len())],
                        stamp,
                        &mut self.chunks,
                        &mut self.order,
                    );
                }
            }
        }
    }

    /// Whether every span has been given out and has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.settling.is_empty()
    }
}

impl Reading {
    pub(super) fn new(chunk: Arc<Chunk>) -> Self {
        Self { chunk, read: 0, stamps: Vec::new(), held: 0, left: 0 }
    }

    /// The attributes of this number.
    fn stamp(&self, number: u64) -> Option<Arc<TraceAttributes>> {
        if number == 0 {
            return None;
        }
        self.stamps.iter().rev().find(|(n, _)| *n == number).map(|(_, attributes)| Arc::clone(attributes))
    }
}
