//! Joins starts, changes and ends by span id.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    mem,
    sync::Arc,
    time::Duration,
};

use observe_model::{Record, Span, Timestamp, TraceAttributes};
use observe_wire::{
    Origin,
    journal::{
        assemble::{self, Parts, assemble},
        entry::{Entry, Field, Kind},
    },
};

use super::chunks::{At, Chunks, Stamp};
use crate::{
    clock::Anchor,
    journal::{Chunk, dropped, pool},
    report::Once,
    site::Site,
};

/// Spans that are given out in one sweep, so that the destinations keep up with it.
const BATCH: usize = 8192;

/// Sweeps after which an end without a start is forgotten: its start was dropped.
const ORPHAN_AFTER: u32 = 3;

/// A span that began and has not ended.
#[derive(Clone, Copy)]
struct Open {
    start: At,
    stamp: Option<Stamp>,
    /// It was shown as running, and nothing was said of it since.
    shown: bool,
}

/// A span that ended and was not given out yet.
#[derive(Clone, Copy)]
struct Ended {
    id: u64,
    open: Open,
    end: At,
}

/// An end whose start has not been read.
struct Orphan {
    id: u64,
    end: At,
    waited: u32,
}

/// Something said of a span that is not open: it has ended, or its start was not read yet.
struct Stray {
    id: u64,
    waited: u32,
}

/// Spans that were dropped below another.
#[derive(Default)]
struct Dropped {
    count: u64,
    /// Sweeps since the other was last seen here.
    waited: u32,
}

/// Span ids are random already: one multiplication spreads them.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0 ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Ids = HashSet<u64, BuildHasherDefault<IdHasher>>;
type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

#[derive(Default)]
pub(super) struct Table {
    chunks: Chunks,
    open: ById<Open>,
    /// What was said of spans, in order; few have any.
    changes: ById<Vec<At>>,
    strays: Vec<Stray>,
    late: Once,
    /// Scores and metrics that were not given out yet.
    records: Vec<At>,
    /// What was dropped below spans; few have any.
    dropped: ById<Dropped>,
    orphans: Vec<Orphan>,
    /// Spans whose end was read in this sweep, and in the one before.
    ended: Vec<Ended>,
    ready: VecDeque<Ended>,
    /// Spans given out so far.
    given: u64,
    sites: Vec<&'static Site>,
    /// Chunks that nothing here needs any more, and how many spans must have arrived before they are given back.
    settling: VecDeque<(Vec<u64>, Chunk)>,
}

impl Table {
    /// Reads every chunk up to what is committed now. Whether there was anything new.
    pub(super) fn read_journal(&mut self) -> bool {
        let Self { chunks, open, changes, strays, records, orphans, ended, .. } = self;
        let found = chunks.read(|entry, at, stamps| match entry.kind {
            Kind::Start => {
                let stamp = stamps.find(entry.start().stamp);
                open.insert(entry.id(), Open { start: at, stamp, shown: false });
            }
            Kind::End => match open.remove(&entry.id()) {
                Some(open) => ended.push(Ended { id: entry.id(), open, end: at }),
                None => orphans.push(Orphan { id: entry.id(), end: at, waited: 0 }),
            },
            Kind::Record => records.push(at),
            _ => {
                changes.entry(entry.id()).or_default().push(at);
                match open.get_mut(&entry.id()) {
                    Some(open) => open.shown = false,
                    None => strays.push(Stray { id: entry.id(), waited: 0 }),
                }
            }
        });
        if !self.orphans.is_empty() {
            self.place_orphans();
        }
        if !self.strays.is_empty() {
            self.place_strays();
        }
        // After the entries: what was dropped below a span before it ended is counted before its end is read.
        self.count_dropped();
        Site::learn(&mut self.sites);
        found
    }

    /// Adds up what was dropped below each span.
    fn count_dropped(&mut self) {
        for (id, count) in dropped::drain() {
            self.dropped.entry(id).or_default().count += count;
            if let Some(open) = self.open.get_mut(&id) {
                open.shown = false;
            }
        }
        if !self.dropped.is_empty() {
            self.forget_dropped();
        }
    }

    /// Forgets what was dropped below spans that are not here any more: they were given out before.
    fn forget_dropped(&mut self) {
        let Self { dropped, open, ended, ready, .. } = self;
        let mut is_old = false;
        for (id, dropped) in dropped.iter_mut() {
            dropped.waited = if open.contains_key(id) { 0 } else { dropped.waited + 1 };
            is_old |= dropped.waited > ORPHAN_AFTER;
        }
        if is_old {
            for span in ended.iter().chain(&*ready) {
                if let Some(dropped) = dropped.get_mut(&span.id) {
                    dropped.waited = 0;
                }
            }
            dropped.retain(|_, dropped| dropped.waited <= ORPHAN_AFTER);
        }
    }

    /// Ends of spans that began on another thread, whose chunk was read before theirs.
    fn place_orphans(&mut self) {
        for mut orphan in mem::take(&mut self.orphans) {
            if let Some(open) = self.open.remove(&orphan.id) {
                self.ended.push(Ended { id: orphan.id, open, end: orphan.end });
            } else if orphan.waited < ORPHAN_AFTER {
                orphan.waited += 1;
                self.orphans.push(orphan);
            } else {
                self.chunks.let_go(orphan.end);
                self.changes.remove(&orphan.id).into_iter().flatten().for_each(|at| self.chunks.let_go(at));
            }
        }
    }

    /// Forgets what was said of spans that had been given out before, and says so.
    fn place_strays(&mut self) {
        let mut strays = mem::take(&mut self.strays);
        strays.retain_mut(|stray| {
            stray.waited += 1;
            self.changes.contains_key(&stray.id) && !self.open.contains_key(&stray.id)
        });
        if strays.iter().any(|stray| stray.waited > ORPHAN_AFTER) {
            let waiting = self.waiting();
            strays.retain(|stray| {
                let is_late = stray.waited > ORPHAN_AFTER && !waiting.contains(&stray.id);
                if is_late {
                    self.changes
                        .remove(&stray.id)
                        .into_iter()
                        .flatten()
                        .for_each(|at| self.chunks.let_go(at));
                    self.late.say("something was said of a span after it had ended, and is not kept");
                }
                !is_late
            });
        }
        self.strays = strays;
    }

    /// The spans that ended and were not given out yet.
    fn waiting(&self) -> Ids {
        self.ended.iter().chain(&self.ready).map(|span| span.id).collect()
    }

    /// How many spans have been given out, and how many will have been when all that ended by now are.
    pub(super) fn given(&self) -> (u64, u64) {
        (self.given, self.given + (self.ready.len() + self.ended.len()) as u64)
    }

    /// Whether a whole batch waits to be given out.
    pub(super) fn has_batch(&self) -> bool {
        self.ready.len() >= BATCH
    }

    /// Makes what ended in this sweep ready to be given out in the next.
    pub(super) fn make_ready(&mut self) {
        self.ready.extend(self.ended.drain(..));
    }

    /// Gives out spans that ended in a sweep before, [`BATCH`] at the most.
    pub(super) fn give_ready(&mut self, anchor: &Anchor, mut give: impl FnMut(&Span<'_>, Origin)) -> bool {
        let count = self.ready.len().min(BATCH);
        let mut waiting: Option<Ids> = None;
        for _ in 0..count {
            let Some(span) = self.ready.pop_front() else { break };
            if let Some(waiting) = &mut waiting {
                waiting.remove(&span.id);
            }
            let changes = if self.changes.is_empty() { None } else { self.changes.remove(&span.id) };
            let changes = changes.map(|changes| self.hand_up(&span, changes, &mut waiting));
            self.with_span(
                span.id,
                &span.open,
                Some(span.end),
                changes.as_deref().unwrap_or_default(),
                anchor,
                &mut give,
            );
            if !self.dropped.is_empty() {
                self.dropped.remove(&span.id);
            }
            self.chunks.let_go(span.open.start);
            self.chunks.let_go(span.end);
            changes.into_iter().flatten().for_each(|at| self.chunks.let_go(at));
        }
        self.given += count as u64;
        count > 0
    }

    /// Hands what was said of the trace up to the span's parent, if that is still to be given out, so that in the end
    /// the trace's first span has all of it. Gives the other changes back.
    #[inline(never)]
    fn hand_up(&mut self, span: &Ended, changes: Vec<At>, waiting: &mut Option<Ids>) -> Vec<At> {
        let is_of_trace =
            |at: &At| self.chunks.entry(*at).is_some_and(|entry| entry.code == Field::Trace as u8);
        let (of_trace, mut rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_of_trace);
        if of_trace.is_empty() {
            return rest;
        }
        let parent = self.chunks.entry(span.open.start).map_or(0, |start| start.start().parent);
        let waiting = waiting.get_or_insert_with(|| self.waiting());
        let is_to_come = match self.open.get_mut(&parent) {
            Some(open) => {
                open.shown = false;
                true
            }
            None => waiting.contains(&parent),
        };
        if is_to_come {
            self.changes.entry(parent).or_default().extend(of_trace);
        } else {
            rest.extend(of_trace);
        }
        rest
    }

    /// Gives out the scores and metrics that were read.
    pub(super) fn give_records(&mut self, mut give: impl FnMut(&Record)) {
        for at in mem::take(&mut self.records) {
            if let Some(record) = self.chunks.entry(at).and_then(|entry| assemble::note(&entry)) {
                give(&record);
            }
            self.chunks.let_go(at);
        }
    }

    /// Gives out the spans that began longer than `after` ago and have not ended, each once.
    pub(super) fn give_running(
        &mut self,
        anchor: &Anchor,
        after: Duration,
        mut give: impl FnMut(&Span<'_>, Origin),
    ) {
        let now = Timestamp::now();
        let mut shown = Vec::new();
        for (id, open) in self.open.iter().filter(|(_, open)| !open.shown) {
            let changes = self.changes.get(id).map(Vec::as_slice).unwrap_or_default();
            self.with_span(*id, open, None, changes, anchor, |span, origin| {
                if u128::from(now.since(span.start)) >= after.as_nanos() {
                    give(span, origin);
                    shown.push(*id);
                }
            });
        }
        for id in shown {
            if let Some(open) = self.open.get_mut(&id) {
                open.shown = true;
            }
        }
    }

    #[inline(always)]
    fn with_span(
        &self,
        id: u64,
        open: &Open,
        end: Option<At>,
        changes: &[At],
        anchor: &Anchor,
        use_span: impl FnOnce(&Span<'_>, Origin),
    ) {
        let Some(start) = self.chunks.entry(open.start) else { return };
        let fixed = start.start();
        // Without changes this allocates nothing.
        let mut changes: Vec<Entry<'_>> = changes.iter().filter_map(|at| self.chunks.entry(*at)).collect();
        if changes.len() > 1 {
            // Several threads may have said something, and chunks are not read in the order of time.
            changes.sort_by_key(Entry::ticks);
        }
        let parts = Parts {
            start: fixed,
            input: start.payload(),
            site: self.sites.get((fixed.site as usize).wrapping_sub(1)).map(|site| &site.note),
            changes: &changes,
            end: end.and_then(|at| self.chunks.entry(at)),
            attributes: open.stamp.and_then(|stamp| self.chunks.attributes(stamp)),
        };
        let mut origin = Origin { site: fixed.site, stamp: fixed.stamp };
        let dropped = if self.dropped.is_empty() { 0 } else { self.dropped.get(&id).map_or(0, |d| d.count) };
        let give = |span: &mut Span<'_>| {
            span.dropped = dropped;
            if matches!(span.attributes, Cow::Owned(_)) {
                // They are its own then: something was said of the trace in it, or of its tags.
                origin.stamp = 0;
            }
            use_span(span, origin);
        };
        assemble(&parts, |ticks| anchor.to_wall(ticks), give);
    }

    /// Sets aside the chunks that their threads have left and that are read to their end. `given` are the counts of
    /// spans that destinations have been given by now; those that were kept in the journal until they arrived.
    pub(super) fn retire_chunks(&mut self, given: &[u64]) {
        for number in self.chunks.left(!self.ready.is_empty()) {
            if self.chunks.is_held(number) {
                self.copy_out(number);
            }
            if let Some(chunk) = self.chunks.remove(number) {
                self.settling.push_back((given.to_vec(), chunk));
            }
        }
    }

    /// Copies the entries that are still needed out of a chunk.
    fn copy_out(&mut self, number: u32) {
        let chunks = &mut self.chunks;
        let waiting = self.ended.iter_mut().chain(&mut self.ready);
        let (ended, opens): (Vec<_>, Vec<_>) = waiting.map(|span| (&mut span.end, &mut span.open)).unzip();
        for open in opens.into_iter().chain(self.open.values_mut()) {
            if open.start.is_in(number) {
                let attributes = open.stamp.and_then(|stamp| chunks.shared_attributes(stamp));
                (open.start, open.stamp) = chunks.keep(open.start, attributes);
            }
        }
        let changes = self.changes.values_mut().flatten().chain(&mut self.records);
        let orphans = self.orphans.iter_mut().map(|orphan| &mut orphan.end);
        for at in ended.into_iter().chain(changes).chain(orphans).filter(|at| at.is_in(number)) {
            *at = chunks.keep(*at, None).0;
        }
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

    /// Whether every span has been given out and has arrived.
    pub(super) fn is_empty(&self) -> bool {
        let nothing_waits = self.ended.is_empty() && self.ready.is_empty() && self.records.is_empty();
        self.open.is_empty() && nothing_waits && self.settling.is_empty()
    }
}

/// The attributes of a stamp's entry.
pub(super) fn stamped(entry: &Entry<'_>) -> Arc<TraceAttributes> {
    Arc::new(assemble::note(entry).unwrap_or_default())
}
