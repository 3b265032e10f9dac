//! Keeps the entries of long-running spans, so that a few of them do not hold whole chunks.
//!
//! They are copied to chunks of the collector's own, which lie in the journal like any other: a process that is killed
//! leaves its open spans there.

use std::sync::Arc;

use observe_model::TraceAttributes;
use observe_wire::journal::entry::{ALIGN, HEADER, Kind, PAYLOAD, header};
use slab::Slab;

use super::join::{At, Reading};
use crate::journal::{
    Chunk, Tail,
    pool::{self, Class},
};

#[derive(Default)]
pub(super) struct Keeper {
    tail: Option<Tail>,
    /// The tail's chunk and its number in the table.
    chunk: Option<(Arc<Chunk>, usize)>,
    /// The last stamp written to the chunk.
    stamp: u64,
    /// The chunk was just taken and has not come past [`Keeper::owns`] yet.
    announced: Vec<Arc<Chunk>>,
}

impl Keeper {
    /// Whether this newly taken chunk is one of the keeper's, which is in the table already.
    pub(super) fn owns(&mut self, chunk: &Arc<Chunk>) -> bool {
        let before = self.announced.len();
        self.announced.retain(|own| !Arc::ptr_eq(own, chunk));
        self.announced.len() < before
    }

    /// Copies a whole entry, with the attributes that it names, and says where it lies now.
    pub(super) fn keep(
        &mut self,
        entry: &[u8],
        stamp: Option<(u64, &TraceAttributes)>,
        chunks: &mut Slab<Reading>,
        order: &mut Vec<usize>,
    ) -> At {
        let stamp =
            stamp.and_then(|(number, attributes)| Some((number, serde_json::to_vec(attributes).ok()?)));
        let stamp_len =
            stamp.as_ref().map_or(0, |(_, json)| (HEADER + 8 + json.len()).next_multiple_of(ALIGN));
        if !self.make_room(stamp_len + entry.len(), chunks, order) {
            return At::Own(entry.into());
        }
        let (Some(tail), Some((_, number))) = (&mut self.tail, &self.chunk) else {
            return At::Own(entry.into());
        };
        if let Some((stamp, json)) = stamp.filter(|(stamp, _)| *stamp != self.stamp) {
            let bytes = tail.free();
            let len = HEADER + 8 + json.len();
            bytes[..HEADER].copy_from_slice(&header(Kind::Stamp, 0, PAYLOAD, len as u32));
            bytes[HEADER..HEADER + 8].copy_from_slice(&stamp.to_le_bytes());
            bytes[HEADER + 8..len].copy_from_slice(&json);
            tail.commit(stamp_len);
            self.stamp = stamp;
        }
        let offset = tail.committed();
        tail.free()[..entry.len()].copy_from_slice(entry);
        tail.commit(entry.len().next_multiple_of(ALIGN));
        if let Some(reading) = chunks.get_mut(*number) {
            reading.read = tail.committed();
            reading.held += 1;
        }
        At::Chunk(*number as u32, offset as u32)
    }

    fn make_room(&mut self, need: usize, chunks: &mut Slab<Reading>, order: &mut Vec<usize>) -> bool {
        if self.tail.as_ref().is_some_and(|tail| tail.room() >= need) {
            return true;
        }
        let Some((tail, chunk)) = pool::take_with_chunk(need, Class::Follow) else { return false };
        let number = chunks.insert(Reading::new(Arc::clone(&chunk)));
        order.push(number);
        self.announced.push(Arc::clone(&chunk));
        (self.tail, self.chunk, self.stamp) = (Some(tail), Some((chunk, number)), 0);
        true
    }
}
