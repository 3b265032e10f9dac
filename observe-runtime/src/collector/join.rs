//! Joins starts, changes and ends by span id.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    mem,
    ops::Range,
    sync::Arc,
    time::Duration,
};

use observe_model::{Span, Timestamp, TraceAttributes, TraceId};
use observe_wire::{
    journal::{
        Plain, RawStart,
        assemble::{self, Parts, assemble},
        entry::{Entry, Kind},
    },
    mask::{Mask, Sieve},
};

use super::{
    chunks::{At, Chunks, Stamp},
    outlets::{Batch, Outlets},
};
use crate::{
    clock::Anchor,
    destination::Given,
    journal::{Chunk, dropped, pool},
    report::Once,
    site::Site,
};

/// Bytes of the journal that are read in one sweep, so that the destinations keep up with it.
const PORTION: usize = 8 * pool::CHUNK;

/// Starts of a chunk that are remembered apart from all others, for ends that follow soon: twice this at the most.
const RECENT: usize = 16;

/// A span that began and has not ended.
#[derive(Clone, Copy)]
struct Open {
    start: At,
    stamp: Option<Stamp>,
    /// It was shown as running, and nothing was said of it since.
    shown: bool,
}

/// A span that began in the chunk that is being read: its id, and where.
#[derive(Clone, Copy)]
struct Begun {
    id: u64,
    offset: u32,
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
    sites: Vec<&'static Site>,
    /// Of what is being read of a chunk.
    sieve: Sieve,
    /// Chunks that nothing here needs any more, and what must have arrived before they are given back.
    settling: VecDeque<(Vec<Given>, Chunk)>,
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

    /// Reads a chunk on, up to `due`. How many bytes that was.
    fn read_chunk(&mut self, number: u32, due: usize, anchor: &Anchor, outlets: &mut Outlets) -> usize {
        let Some(reading) = self.chunks.reading(number) else { return 0 };
        let (chunk, from) = (Arc::clone(&reading.chunk), reading.read);
        let bytes = chunk.committed().get(..due).unwrap_or_default();
        match (outlets.mask.has_hook(), outlets.mask.has_patterns()) {
            (true, _) => self.sieve.suspect_all(),
            (false, true) => self.sieve.look(bytes, from),
            (false, false) => {}
        }
        let mut at = from;
        while let Some(definition) = self.read_run(number, bytes, &mut at, anchor, outlets) {
            if let Some(reading) = self.chunks.reading(number) {
                reading.stamps.push((definition.id(), stamped(&definition, &outlets.mask)));
            }
        }
        self.set_aside(number, bytes, 0);
        if let Some(reading) = self.chunks.reading(number) {
            // What is no entry is not read again and again.
            reading.read = bytes.len();
        }
        bytes.len() - from
    }

    /// Reads a chunk's entries from `at` on, up to the next definition of attributes, which it gives. The plain spans
    /// among them, which are most, are made here of the bytes where they lie.
    fn read_run<'a>(
        &mut self,
        number: u32,
        bytes: &'a [u8],
        at: &mut usize,
        anchor: &Anchor,
        outlets: &mut Outlets,
    ) -> Option<Entry<'a>> {
        let latest = self.chunks.reading(number).and_then(|reading| reading.stamps.last().cloned());
        let (stamp, attributes) =
            latest.as_ref().map_or((0, TraceAttributes::none()), |(n, attributes)| (*n, &**attributes));
        let attributes = |of: u64| match of {
            0 => Some(TraceAttributes::none()),
            _ => (of == stamp).then_some(attributes),
        };
        let mut batch = Batch::new();
        let mut definition = None;
        while let Some(rest) = bytes.get(*at..)
            && let Some((kind, id, len)) = Entry::peek(rest)
        {
            let offset = *at as u32;
            *at += len;
            match kind {
                Kind::Start => {
                    if self.begun.len() == 2 * RECENT {
                        self.set_aside(number, bytes, RECENT);
                    }
                    self.begun.push(Begun { id, offset });
                }
                Kind::End => {
                    let begun = self.take_begun(id);
                    let suspect =
                        begun.is_some_and(|begun| self.is_suspect(bytes, begun.offset, offset as usize..*at));
                    let plain = begun.filter(|_| self.is_plain(id)).and_then(|begun| {
                        let start = RawStart::read(bytes.get(begun.offset as usize..)?)?;
                        let site = self.sites.get((start.site() as usize).wrapping_sub(1))?;
                        let to_wall = |ticks| anchor.to_wall(ticks);
                        Plain::read(&start, rest, site.note(), attributes(start.stamp())?, to_wall)
                    });
                    match plain {
                        Some(plain) if suspect => batch.push_suspect(plain, outlets),
                        Some(plain) => batch.push(plain, outlets),
                        None => {
                            batch.give(outlets);
                            let end = At { chunk: number, offset };
                            self.end(id, begun, end, anchor, outlets);
                        }
                    }
                }
                Kind::Stamp => {
                    definition = Entry::read(rest).map(|(entry, _)| entry);
                    break;
                }
                Kind::Record => _ = Entry::read(rest).map(|(entry, _)| outlets.record_other(&entry)),
                // Changes were found by the look; the others are for those who read the files without this process.
                Kind::Change | Kind::Site | Kind::Clock | Kind::Resource => {}
            }
        }
        batch.give(outlets);
        definition
    }

    /// Takes the start of this span, if it is among those of the chunk that is being read. Mostly it is the last.
    #[inline]
    fn take_begun(&mut self, id: u64) -> Option<Begun> {
        if let Some(last) = self.begun.pop_if(|begun| begun.id == id) {
            return Some(last);
        }
        let place = self.begun.iter().rposition(|begun| begun.id == id)?;
        Some(self.begun.remove(place))
    }

    /// Whether there may be a secret in the start or end of a span, as far as that can be told at a glance.
    #[inline]
    fn is_suspect(&mut self, bytes: &[u8], start: u32, end: Range<usize>) -> bool {
        let start = start as usize;
        // Mostly its end follows soon.
        self.sieve.may_hold_secrets(start..end.end) && self.may_hold_secret(bytes, start, end)
    }

    #[inline(never)]
    fn may_hold_secret(&mut self, bytes: &[u8], start: usize, end: Range<usize>) -> bool {
        let start_len = bytes.get(start..).and_then(Entry::peek).map_or(0, |(_, _, len)| len);
        self.sieve.may_hold_secrets(start..start + start_len) || self.sieve.may_hold_secrets(end)
    }

    /// Whether nothing was said of a span beside its start and end.
    #[inline]
    fn is_plain(&self, id: u64) -> bool {
        (self.said.is_empty() || !self.said.contains_key(&id))
            && (self.dropped.is_empty() || !self.dropped.contains_key(&id))
    }

    /// Puts the starts of the chunk that is being read among all others, but for the latest ones.
    #[cold]
    fn set_aside(&mut self, number: u32, bytes: &[u8], keep: usize) {
        let count = self.begun.len().saturating_sub(keep);
        let mut begun = mem::take(&mut self.begun);
        for begun in begun.drain(..count) {
            if let Some(open) = self.open(number, bytes, begun) {
                self.open.insert(begun.id, open);
            }
        }
        self.begun = begun;
    }

    /// Holds a start of this chunk.
    fn open(&mut self, number: u32, bytes: &[u8], begun: Begun) -> Option<Open> {
        let start = RawStart::read(bytes.get(begun.offset as usize..)?)?;
        let reading = self.chunks.reading(number)?;
        reading.held += 1;
        let stamp = reading.stamp(start.stamp(), number);
        Some(Open { start: At { chunk: number, offset: begun.offset }, stamp, shown: false })
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
        let chunk = Arc::clone(&self.chunks.reading(number)?.chunk);
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
            site: self.sites.get((fixed.site as usize).wrapping_sub(1)).map(|site| site.note()),
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

/// The attributes of a stamp's entry, masked.
fn stamped(entry: &Entry<'_>, mask: &Mask) -> Arc<TraceAttributes> {
    let mut attributes = assemble::note(entry).unwrap_or_default();
    mask.attributes(&mut attributes);
    Arc::new(attributes)
}
