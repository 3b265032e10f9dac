//! Joins starts, changes and ends by span id.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    mem,
    time::Duration,
};

use observe_model::{Span, Timestamp, TraceId};
use observe_wire::{
    journal::{
        PlainSite,
        assemble::{Parts, assemble},
        entry::Entry,
        notes::SiteNote,
    },
    mask::Sieve,
};

use self::sweep::Begun;
use super::{
    chunks::{At, Chunks, Stamp},
    outlets::Outlets,
};
use crate::{
    clock::Anchor,
    destination::Given,
    journal::{Piece, dropped, pool},
    report::Once,
    site::Site,
};

mod sweep;

/// Bytes of the journal that are read in one sweep, so that the destinations keep up with it.
const PORTION: usize = 8 * pool::CHUNK;

/// A span that began and has not ended.
#[derive(Clone, Copy)]
struct Open {
    start: At,
    stamp: Option<Stamp>,
    /// It was shown as running, and nothing was said of it since.
    shown: bool,
}

/// An end that was read before its start.
struct Orphan {
    id: u64,
    end: At,
    /// The look that found it.
    look: u64,
}

/// What was said of a span.
struct Said {
    changes: Vec<At>,
    /// The look that found the latest.
    look: u64,
}

/// Spans that were dropped below another.
struct Dropped {
    count: u64,
    /// The look after which they were last counted.
    look: u64,
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

type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

#[derive(Default)]
pub(super) struct Table {
    chunks: Chunks,
    /// Looks so far. What a look makes due is read before the next.
    look: u64,
    /// Spans that began, but for those of the chunk that is being read.
    open: ById<Open>,
    begun: Vec<Begun>,
    /// What was said of spans that were not given out yet; few have any.
    said: ById<Said>,
    late: Once,
    /// What was dropped below spans; few have any.
    dropped: ById<Dropped>,
    orphans: Vec<Orphan>,
    sites: Vec<&'static SiteNote<'static>>,
    /// The same, but for those whose spans are never plain.
    plain_sites: Vec<Option<PlainSite<'static>>>,
    /// Of what is being read of a chunk.
    sieve: Sieve,
    /// Chunks that nothing here needs any more, and what must have arrived before they are given back.
    settling: VecDeque<(Vec<Given>, Piece)>,
}

impl Table {
    /// Makes due what is committed now. Whether there is anything.
    pub(super) fn look(&mut self) -> bool {
        self.look += 1;
        let Self { chunks, said, open, look, .. } = self;
        chunks.look(|change, at| {
            let said = said.entry(change.id()).or_insert_with(|| Said { changes: Vec::new(), look: *look });
            said.changes.push(at);
            said.look = *look;
            if let Some(open) = open.get_mut(&change.id()) {
                open.shown = false;
            }
        });
        // After the look: what was dropped below a span before an end that is due is counted now.
        self.count_dropped();
        Site::learn(&mut self.sites);
        let fresh = self.sites.get(self.plain_sites.len()..).unwrap_or_default();
        self.plain_sites.extend(fresh.iter().map(|site| PlainSite::of(site)));
        self.has_due()
    }

    /// Whether there is more to be read of what the last look found.
    pub(super) fn has_due(&self) -> bool {
        !self.chunks.due.is_empty()
    }

    /// Adds up what was dropped below each span.
    fn count_dropped(&mut self) {
        for (id, count) in dropped::drain() {
            let dropped = self.dropped.entry(id).or_insert(Dropped { count: 0, look: 0 });
            dropped.count += count;
            dropped.look = self.look;
            if let Some(open) = self.open.get_mut(&id) {
                open.shown = false;
            }
        }
    }

    /// Reads a portion of what is due and gives out the spans that ended in it. Whether there was any.
    pub(super) fn read(&mut self, anchor: &Anchor, outlets: &mut Outlets) -> bool {
        let mut portion = 0;
        while portion < PORTION
            && let Some((number, due)) = self.chunks.due.pop_front()
        {
            portion += self.read_chunk(number, due, anchor, outlets);
        }
        if !self.has_due() {
            self.place_orphans(anchor, outlets);
            self.forget();
        }
        portion > 0
    }

    /// Gives out a span that ended, unless its start is still to come.
    #[inline(never)]
    fn end(&mut self, id: u64, begun: Option<Begun>, end: At, anchor: &Anchor, outlets: &mut Outlets) {
        let open = match begun {
            Some(begun) => self.open_here(end.chunk, begun),
            None => self.open.remove(&id),
        };
        match open {
            Some(open) => self.give(id, open, end, anchor, outlets),
            None => {
                self.chunks.hold(end);
                self.orphans.push(Orphan { id, end, look: self.look });
            }
        }
    }

    fn open_here(&mut self, number: u32, begun: Begun) -> Option<Open> {
        let chunk = self.chunks.reading(number)?.chunk.clone();
        self.open(number, chunk.committed(), begun)
    }

    /// Gives out a span whose start is held.
    fn give(&mut self, id: u64, open: Open, end: At, anchor: &Anchor, outlets: &mut Outlets) {
        let changes = match self.said.remove(&id) {
            Some(said) => self.hand_up(open.start, said.changes),
            None => Vec::new(),
        };
        self.with_span(id, &open, Some(end), &changes, anchor, |span| outlets.record(span));
        self.dropped.remove(&id);
        self.chunks.let_go(open.start);
        changes.into_iter().for_each(|at| self.chunks.let_go(at));
    }

    /// Hands what was said of the trace up from the span that began at `start` to its parent, if that is still to be given
    /// out, so that in the end the trace's first span has all of it. Gives the other changes back.
    fn hand_up(&mut self, start: At, changes: Vec<At>) -> Vec<At> {
        let (mut of_trace, mut rest): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|at| self.chunks.is_of_trace(*at));
        if of_trace.is_empty() {
            return rest;
        }
        let parent = self.chunks.entry(start).map_or(0, |start| start.start().parent);
        let is_to_come = match self.open.get_mut(&parent) {
            Some(open) => {
                open.shown = false;
                true
            }
            None => self.begun.iter().any(|begun| begun.id == parent),
        };
        if !is_to_come {
            rest.extend(&of_trace);
            if parent == 0 || !self.has_due() {
                return rest;
            }
            // Where it began may be read yet: then both have it.
            of_trace.retain(|at| self.chunks.hold(*at));
        }
        let said = self.said.entry(parent).or_insert(Said { changes: Vec::new(), look: 0 });
        said.changes.extend(of_trace);
        said.look = self.look;
        rest
    }

    /// Gives out spans that began in a chunk which was read after that of their ends. An end that another look finds
    /// without its start has none: it was dropped.
    fn place_orphans(&mut self, anchor: &Anchor, outlets: &mut Outlets) {
        for orphan in mem::take(&mut self.orphans) {
            if let Some(open) = self.open.remove(&orphan.id) {
                self.give(orphan.id, open, orphan.end, anchor, outlets);
            } else if orphan.look == self.look {
                self.orphans.push(orphan);
                continue;
            }
            self.chunks.let_go(orphan.end);
        }
    }

    /// Forgets what was said of spans that are not here, or dropped below them. Their starts were there to be read at the
    /// look after it at the latest, so they are gone.
    fn forget(&mut self) {
        let Self { chunks, said, late, dropped, open, look, .. } = self;
        dropped.retain(|id, dropped| dropped.look == *look || open.contains_key(id));
        said.retain(|id, said| {
            let keep = said.look == *look || open.contains_key(id);
            if !keep {
                if !said.changes.iter().all(|at| chunks.is_of_trace(*at)) {
                    late.say("something was said of a span after it had ended, and is not kept");
                }
                said.changes.drain(..).for_each(|at| chunks.let_go(at));
            }
            keep
        });
    }

    /// The traces of spans that have not ended, between two looks.
    pub(super) fn open_traces(&self) -> HashSet<TraceId> {
        let starts = self.open.values().filter_map(|open| self.chunks.entry(open.start));
        starts.filter_map(|start| TraceId::from_int(start.start().trace)).collect()
    }

    /// Gives out the spans that began longer than `after` before `now` and have not ended, each once: `give` says whether
    /// it was shown.
    pub(super) fn give_running(
        &mut self,
        anchor: &Anchor,
        now: Timestamp,
        after: Duration,
        mut give: impl FnMut(&mut Span<'_>) -> bool,
    ) {
        let mut shown = Vec::new();
        for (id, open) in self.open.iter().filter(|(_, open)| !open.shown) {
            let changes = self.said.get(id).map(|said| said.changes.as_slice()).unwrap_or_default();
            self.with_span(*id, open, None, changes, anchor, |span| {
                if u128::from(now.since(span.start)) >= after.as_nanos() && give(span) {
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

    fn with_span(
        &self,
        id: u64,
        open: &Open,
        end: Option<At>,
        changes: &[At],
        anchor: &Anchor,
        use_span: impl FnOnce(&mut Span<'_>),
    ) {
        let Some(start) = self.chunks.entry(open.start) else { return };
        let fixed = start.start();
        // Without changes this allocates nothing.
        let mut changes: Vec<Entry<'_>> = changes.iter().filter_map(|at| self.chunks.entry(*at)).collect();
        // Several threads may have said something, and chunks are not read in the order of time.
        changes.sort_by_key(Entry::ticks);
        let parts = Parts {
            start: fixed,
            input: start.payload(),
            site: self.sites.get((fixed.site as usize).wrapping_sub(1)).copied(),
            changes: &changes,
            end: end.and_then(|at| self.chunks.entry(at)),
            attributes: open.stamp.and_then(|stamp| self.chunks.attributes(stamp)),
        };
        let dropped = self.dropped.get(&id).map_or(0, |dropped| dropped.count);
        let give = |span: &mut Span<'_>| {
            span.dropped = dropped;
            use_span(span);
        };
        assemble(&parts, |ticks| anchor.to_wall(ticks), give);
    }

    /// Sets aside the chunks that their threads have left and that are read to their end. `given` is what destinations
    /// have been given by now; it stays in the journal until it has arrived there.
    pub(super) fn retire_chunks(&mut self, given: &[Given]) {
        for number in self.chunks.left() {
            if self.chunks.is_held(number) {
                self.copy_out(number);
            }
            if let Some(chunk) = self.chunks.remove(number) {
                if !given.iter().all(Given::has_settled) {
                    pool::set_aside(&chunk);
                }
                self.settling.push_back((given.to_vec(), chunk));
            }
        }
    }

    /// Copies the entries that are still needed out of a chunk.
    fn copy_out(&mut self, number: u32) {
        let chunks = &mut self.chunks;
        for open in self.open.values_mut().filter(|open| open.start.chunk == number) {
            let attributes = open.stamp.and_then(|stamp| chunks.shared_attributes(stamp));
            (open.start, open.stamp) = chunks.keep(open.start, attributes);
        }
        let changes = self.said.values_mut().flat_map(|said| &mut said.changes);
        let orphans = self.orphans.iter_mut().map(|orphan| &mut orphan.end);
        for at in changes.chain(orphans).filter(|at| at.chunk == number) {
            *at = chunks.keep(*at, None).0;
        }
    }

    /// Notes in the chunks that stay how much of them has arrived, so that little is sent twice if the process is killed.
    pub(super) fn note_arrived(&mut self, given: &[Given]) {
        // An end that waits for its start was read and not given out.
        if !given.is_empty() && !self.has_due() && self.orphans.is_empty() {
            self.chunks.note_arrived(given);
        }
    }

    /// Returns chunks to the pool whose spans have arrived.
    pub(super) fn give_back_chunks(&mut self) {
        while self.settling.front().is_some_and(|(given, _)| given.iter().all(Given::has_settled)) {
            if let Some((_, chunk)) = self.settling.pop_front() {
                pool::give_back(chunk);
            }
        }
    }

    /// Whether every span has been given out and has arrived.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && !self.has_due() && self.settling.is_empty()
    }
}
