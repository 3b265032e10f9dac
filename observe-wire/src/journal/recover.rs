//! Spans from the files of a process that died.

use std::collections::HashMap;

use observe_model::{Record, Resource, Span, Status, TraceAttributes};

use super::{
    assemble::{self, Parts, assemble},
    chunk::{Chunk, chunks},
    entry::{Entry, Field, Kind},
    notes::{ClockNote, SiteNote},
};

/// How long a tick is taken to last where the process died before it knew: that of a clock with 2 GHz. Such a process
/// lived for about a millisecond.
const USUAL_TICK: f64 = 0.5;

/// Why files gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// They hold spans, but not the process's clock.
    #[error("the journal's first file is missing or damaged: its spans cannot be placed in time")]
    NoClock,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Spans given out.
    pub spans: u64,
    /// Of these, those without an end.
    pub interrupted: u64,
    /// Scores given out.
    pub scores: u64,
    /// Metrics given out.
    pub metrics: u64,
    /// Bytes that could not be read.
    pub damaged: u64,
}

/// What a journal held.
#[derive(Debug)]
pub enum Found<'s, 'a> {
    /// A span.
    Span(&'s Span<'a>),
    /// A score or metric.
    Record(&'s Record),
}

/// The entries of one span.
struct Entries<'a> {
    start: Entry<'a>,
    attributes: Option<usize>,
    changes: Vec<Entry<'a>>,
    end: Option<Entry<'a>>,
    /// Every destination has it.
    arrived: bool,
}

/// The attributes of a number, read when a start names it.
enum Stamp<'a> {
    Unread(Entry<'a>),
    /// In [`Book::attributes`].
    At(usize),
}

/// Everything in the files, borrowed from them.
#[derive(Default)]
struct Book<'a> {
    resource: Resource,
    sites: HashMap<u64, SiteNote<'static>>,
    clocks: Vec<(u64, ClockNote)>,
    attributes: Vec<TraceAttributes>,
    /// Span ids in the order of their starts.
    order: Vec<u64>,
    spans: HashMap<u64, Entries<'a>>,
    records: Vec<Entry<'a>>,
}

/// Reads the files of one process and gives every span of which the start is there, with its end or *interrupted*, and
/// every score and metric, but for those that have arrived.
///
/// The files may hold any bytes: what is no entry ends its chunk. Memory grows with the files' size alone: it
/// stays below 64 times that size, which only files made for it come near, and is usually a small part of it.
///
/// # Errors
/// If there are spans and nothing to place them in time with.
pub fn recover(
    files: &[&[u8]],
    mut give: impl FnMut(&Resource, Found<'_, '_>),
) -> Result<Recovered, RecoverError> {
    let mut recovered = Recovered::default();
    let mut all: Vec<Chunk<'_>> = Vec::new();
    for file in files {
        let (chunks, damaged) = chunks(file);
        all.extend(chunks);
        recovered.damaged += damaged as u64;
    }
    all.sort_by_key(|chunk| chunk.sequence);
    // Killed while it moved a chunk to another file, the process has left it in both.
    all.dedup_by(|again, chunk| again.sequence == chunk.sequence && again.entries == chunk.entries);
    let mut book = Book::default();
    for chunk in &all {
        recovered.damaged += book.read(chunk) as u64;
    }
    // An end may lie in an older chunk than its start. Those without a start are not worth any memory.
    for chunk in &all {
        book.join(chunk);
    }
    book.clocks.sort_by_key(|(ticks, _)| *ticks);
    if book.clocks.is_empty() && !book.spans.is_empty() {
        return Err(RecoverError::NoClock);
    }
    let rate = book.clocks.iter().rev().map(|(_, note)| note.nanos_per_tick).find(|rate| *rate > 0.0);
    for (_, note) in &mut book.clocks {
        note.nanos_per_tick = rate.unwrap_or(USUAL_TICK);
    }
    for id in &book.order {
        let interrupted = book.with_span(*id, |span| {
            give(&book.resource, Found::Span(span));
            span.status == Status::Interrupted
        });
        if let Some(interrupted) = interrupted {
            recovered.spans += 1;
            recovered.interrupted += u64::from(interrupted);
        }
    }
    for record in book.records.iter().filter_map(assemble::note) {
        give(&book.resource, Found::Record(&record));
        match record {
            Record::Score(_) => recovered.scores += 1,
            Record::Metric(_) => recovered.metrics += 1,
        }
    }
    Ok(recovered)
}

impl<'a> Book<'a> {
    /// Reads a chunk's starts, and what the process noted of itself. How many bytes at the chunk's end are no entries.
    fn read(&mut self, chunk: &Chunk<'a>) -> usize {
        let mut bytes = chunk.entries;
        let mut stamps: HashMap<u64, Stamp<'a>> = HashMap::new();
        while let Some((entry, len)) = Entry::read(bytes) {
            let has_arrived = chunk.has_arrived(bytes);
            bytes = bytes.get(len..).unwrap_or_default();
            match entry.kind {
                Kind::Start => self.read_start(entry, &mut stamps),
                Kind::Change | Kind::End => {}
                Kind::Stamp => drop(stamps.insert(entry.id(), Stamp::Unread(entry))),
                Kind::Site => drop(assemble::note(&entry).map(|site| self.sites.insert(entry.id(), site))),
                Kind::Clock => self.clocks.extend(assemble::note(&entry).map(|note| (entry.id(), note))),
                Kind::Record if has_arrived => {}
                Kind::Record => self.records.push(entry),
                Kind::Resource => self.resource = assemble::note(&entry).unwrap_or_default(),
            }
        }
        bytes.len()
    }

    fn read_start(&mut self, start: Entry<'a>, stamps: &mut HashMap<u64, Stamp<'a>>) {
        let all = &mut self.attributes;
        let attributes = stamps.get_mut(&start.start().stamp).map(|stamp| match stamp {
            Stamp::At(at) => *at,
            Stamp::Unread(entry) => {
                let at = all.len();
                all.push(assemble::note(entry).unwrap_or_default());
                *stamp = Stamp::At(at);
                at
            }
        });
        let found = Entries { start, attributes, changes: Vec::new(), end: None, arrived: false };
        // There twice, it was copied to another chunk.
        if self.spans.insert(start.id(), found).is_none() {
            self.order.push(start.id());
        }
    }

    /// Adds a chunk's changes and ends to the spans that they name.
    fn join(&mut self, chunk: &Chunk<'a>) {
        let mut bytes = chunk.entries;
        while let Some((entry, len)) = Entry::read(bytes) {
            let has_arrived = chunk.has_arrived(bytes);
            bytes = bytes.get(len..).unwrap_or_default();
            match (entry.kind, self.spans.get_mut(&entry.id())) {
                (Kind::Change, Some(found)) => found.changes.push(entry),
                (Kind::End, Some(found)) => (found.end, found.arrived) = (Some(entry), has_arrived),
                _ => {}
            }
        }
    }

    /// Lends the span of this id, if it can be made.
    fn with_span<R>(&self, id: u64, give: impl FnOnce(&Span<'_>) -> R) -> Option<R> {
        let found = self.spans.get(&id)?;
        // What was said of its trace may not have: the process would have handed it up to a span that was open.
        if found.arrived && !found.changes.iter().any(|change| change.code == Field::Trace as u8) {
            return None;
        }
        let mut changes = found.changes.clone();
        changes.sort_by_key(Entry::ticks);
        let fixed = found.start.start();
        let parts = Parts {
            site: self.sites.get(&u64::from(fixed.site)),
            start: fixed,
            input: found.start.payload(),
            changes: &changes,
            end: found.end,
            attributes: found.attributes.and_then(|at| self.attributes.get(at)),
        };
        let to_wall = |ticks| {
            let after = self.clocks.partition_point(|(at, _)| *at <= ticks);
            self.clocks
                .get(after.saturating_sub(1))
                .map_or_else(Default::default, |(at, note)| note.to_wall(*at, ticks))
        };
        assemble(&parts, to_wall, |span| {
            if found.end.is_none() {
                span.status = Status::Interrupted;
            }
            give(span)
        })
    }
}
