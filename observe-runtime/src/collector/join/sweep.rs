//! Reads chunks from entry to entry, and makes the plain spans among them, which are most, of the bytes where they lie.

use std::{mem, ops::Range, sync::Arc};

use observe_model::TraceAttributes;
use observe_wire::{
    journal::{
        Plain, RawStart,
        assemble::note,
        entry::{Entry, Glance, Kind},
    },
    mask::Mask,
};

use super::{Open, Table};
use crate::{
    clock::Anchor,
    collector::{
        chunks::At,
        outlets::{Batch, Outlets},
    },
};

/// Starts of a chunk that are remembered apart from all others, for ends that follow soon: twice this at the most.
const RECENT: usize = 16;

/// What most entries are.
const START: u8 = Kind::Start as u8;
const END: u8 = Kind::End as u8;

/// A span that began in the chunk that is being read: its id, and where.
#[derive(Clone, Copy)]
pub(super) struct Begun {
    pub(super) id: u64,
    pub(super) offset: u32,
}

impl Begun {
    /// Its start, among the `bytes` of the chunk.
    fn start(self, bytes: &[u8]) -> Option<&[u8]> {
        bytes.get(self.offset as usize..).and_then(Entry::peek).map(|start| start.bytes)
    }
}

impl Table {
    /// Reads a chunk on, up to `due`. How many bytes that was.
    pub(super) fn read_chunk(
        &mut self,
        number: u32,
        due: usize,
        anchor: &Anchor,
        outlets: &mut Outlets,
    ) -> usize {
        let Some((chunk, from)) = self.chunks.load(number) else { return 0 };
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
        let read = bytes.len();
        drop(chunk);
        self.chunks.was_read(number, read);
        read - from
    }

    /// Reads a chunk's entries from `at` on, up to the next definition of attributes, which it gives.
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
        let mut nothing_said = self.nothing_is_said();
        // The start that was read last, and all of it. Mostly its end is next.
        let mut last: Option<(Begun, &[u8])> = None;
        let mut definition = None;
        while let Some(rest) = bytes.get(*at..)
            && let Some(Glance { kind, id, bytes: entry, next }) = Entry::peek(rest)
        {
            let offset = *at as u32;
            *at += next;
            match kind {
                START => {
                    if let Some((before, _)) = last.replace((Begun { id, offset }, entry)) {
                        self.remember(number, bytes, before);
                    }
                }
                END => {
                    let begun = match last {
                        Some((begun, _)) if begun.id == id => last.take(),
                        _ => self.take_begun(id).and_then(|begun| Some((begun, begun.start(bytes)?))),
                    };
                    let is_plain = |_: &_| nothing_said || self.is_plain(id);
                    let plain = begun
                        .filter(is_plain)
                        .and_then(|(_, start)| self.plain(start, entry, attributes, anchor));
                    match (plain, begun) {
                        (Some(plain), Some((begun, _))) => {
                            let end = offset as usize..*at;
                            batch.push(plain, outlets, || self.is_suspect(bytes, begun, end));
                        }
                        _ => {
                            batch.give(outlets);
                            if let Some((before, _)) = last.take() {
                                self.remember(number, bytes, before);
                            }
                            let end = At { chunk: number, offset };
                            self.end(id, begun.map(|(begun, _)| begun), end, anchor, outlets);
                            nothing_said = self.nothing_is_said();
                        }
                    }
                }
                _ => match Entry::read(rest).map(|(entry, _)| entry) {
                    Some(entry) if entry.kind == Kind::Stamp => {
                        definition = Some(entry);
                        break;
                    }
                    Some(entry) if entry.kind == Kind::Record => outlets.record_other(&entry),
                    // Changes were found by the look; the others are for those who read the files without this process.
                    Some(_) => {}
                    None => break,
                },
            }
        }
        if let Some((before, _)) = last {
            self.remember(number, bytes, before);
        }
        batch.give(outlets);
        definition
    }

    /// The plain span of this start and end, if it is one.
    #[inline(always)]
    fn plain<'a>(
        &self,
        start: &'a [u8],
        end: &'a [u8],
        attributes: impl Fn(u64) -> Option<&'a TraceAttributes>,
        anchor: &Anchor,
    ) -> Option<Plain<'a>> {
        let start = RawStart::read(start)?;
        let site = (*self.plain_sites.get((start.site() as usize).wrapping_sub(1))?)?;
        Plain::read(start, end, site, attributes(start.stamp())?, |ticks| anchor.to_wall(ticks))
    }

    /// Notes a start of the chunk that is being read.
    fn remember(&mut self, number: u32, bytes: &[u8], begun: Begun) {
        if self.begun.len() == 2 * RECENT {
            self.set_aside(number, bytes, RECENT);
        }
        self.begun.push(begun);
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
    fn is_suspect(&mut self, bytes: &[u8], start: Begun, end: Range<usize>) -> bool {
        // Mostly its end follows soon.
        self.sieve.may_hold_secrets(start.offset as usize..end.end) && self.may_hold_secret(bytes, start, end)
    }

    #[inline(never)]
    fn may_hold_secret(&mut self, bytes: &[u8], start: Begun, end: Range<usize>) -> bool {
        let (at, len) = (start.offset as usize, start.start(bytes).map_or(0, <[u8]>::len));
        self.sieve.may_hold_secrets(at..at + len) || self.sieve.may_hold_secrets(end)
    }

    /// Whether nothing was said of any span beside its start and end.
    fn nothing_is_said(&self) -> bool {
        self.said.is_empty() && self.dropped.is_empty()
    }

    /// Whether nothing was said of this one.
    #[inline(never)]
    fn is_plain(&self, id: u64) -> bool {
        !self.said.contains_key(&id) && !self.dropped.contains_key(&id)
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
    pub(super) fn open(&mut self, number: u32, bytes: &[u8], begun: Begun) -> Option<Open> {
        let start = RawStart::read(begun.start(bytes)?)?;
        let reading = self.chunks.reading(number)?;
        reading.held += 1;
        let stamp = reading.stamp(start.stamp(), number);
        Some(Open { start: At { chunk: number, offset: begun.offset }, stamp, shown: false })
    }
}

/// The attributes of a stamp's entry, masked.
fn stamped(entry: &Entry<'_>, mask: &Mask) -> Arc<TraceAttributes> {
    let mut attributes = note(entry).unwrap_or_default();
    mask.attributes(&mut attributes);
    Arc::new(attributes)
}
