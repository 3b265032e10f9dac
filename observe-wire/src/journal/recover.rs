//! Spans from the files of a process that died.

use std::collections::HashMap;

use observe_model::{Resource, Span, Status, TraceAttributes};

use super::{
    assemble::{self, Parts, assemble},
    chunk::{Chunk, chunks},
    entry::{Entry, Kind},
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
    /// Bytes that could not be read.
    pub damaged: u64,
}

/// The entries of one span.
#[derive(Default)]
struct Found<'a> {
    start: Option<Entry<'a>>,
    attributes: Option<usize>,
    changes: Vec<Entry<'a>>,
    end: Option<Entry<'a>>,
}

/// Everything in the files, borrowed from them.
#[derive(Default)]
struct Book<'a> {
    resource: Resource,
    sites: HashMap<u64, SiteNote<'static>>,
    clocks: Vec<(u64, ClockNote)>,
    attributes: Vec<TraceAttributes>,
    /// Span ids in the order of their first entry.
    order: Vec<u64>,
    spans: HashMap<u64, Found<'a>>,
}

/// Reads the files of one process and gives every span of which the start is there: with its end, or *interrupted*.
///
/// The files may hold any bytes: what is no entry ends its chunk. Memory grows with the files' size alone.
///
/// # Errors
/// If there are spans and nothing to place them in time with.
pub fn recover(
    files: &[&[u8]],
    mut give: impl FnMut(&Resource, &Span<'_>),
) -> Result<Recovered, RecoverError> {
    let mut recovered = Recovered::default();
    let mut all: Vec<Chunk<'_>> = Vec::new();
    for file in files {
        let (chunks, damaged) = chunks(file);
        all.extend(chunks);
        recovered.damaged += damaged as u64;
    }
    all.sort_by_key(|chunk| chunk.sequence);
    let mut book = Book::default();
    for chunk in all {
        recovered.damaged += book.read(chunk.entries) as u64;
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
        if let Some(span) = book.span(*id) {
            recovered.spans += 1;
            recovered.interrupted += u64::from(span.status == Status::Interrupted);
            give(&book.resource, &span);
        }
    }
    Ok(recovered)
}

impl<'a> Book<'a> {
    /// Reads a chunk's entries. How many bytes at its end are none.
    fn read(&mut self, mut bytes: &'a [u8]) -> usize {
        let mut stamps: Vec<(u64, usize)> = Vec::new();
        while let Some((entry, len)) = Entry::read(bytes) {
            bytes = bytes.get(len..).unwrap_or_default();
            match entry.kind {
                Kind::Start | Kind::Change | Kind::End => self.read_span(entry, &stamps),
                Kind::Stamp => {
                    stamps.push((entry.id(), self.attributes.len()));
                    self.attributes.push(assemble::note(&entry).unwrap_or_default());
                }
                Kind::Site => drop(assemble::note(&entry).map(|site| self.sites.insert(entry.id(), site))),
                Kind::Clock => self.clocks.extend(assemble::note(&entry).map(|note| (entry.id(), note))),
                Kind::Resource => self.resource = assemble::note(&entry).unwrap_or_default(),
            }
        }
        bytes.len()
    }

    fn read_span(&mut self, entry: Entry<'a>, stamps: &[(u64, usize)]) {
        let order = &mut self.order;
        let found = self.spans.entry(entry.id()).or_insert_with(|| {
            order.push(entry.id());
            Found::default()
        });
        match entry.kind {
            Kind::Start => {
                let stamp = entry.start().stamp;
                found.attributes =
                    stamps.iter().rev().find(|(number, _)| *number == stamp).map(|(_, at)| *at);
                found.start = Some(entry);
            }
            Kind::End => found.end = Some(entry),
            _ => found.changes.push(entry),
        }
    }

    fn span(&self, id: u64) -> Option<Span<'_>> {
        let found = self.spans.get(&id)?;
        let start = found.start?;
        let fixed = start.start();
        let parts = Parts {
            site: self.sites.get(&u64::from(fixed.site)),
            start: fixed,
            input: start.payload(),
            changes: &found.changes,
            end: found.end,
            attributes: found.attributes.and_then(|at| self.attributes.get(at)),
        };
        let to_wall = |ticks| {
            let after = self.clocks.partition_point(|(at, _)| *at <= ticks);
            self.clocks
                .get(after.saturating_sub(1))
                .map_or_else(Default::default, |(at, note)| note.to_wall(*at, ticks))
        };
        let mut span = assemble(&parts, to_wall)?;
        if found.end.is_none() {
            span.status = Status::Interrupted;
        }
        Some(span)
    }
}
