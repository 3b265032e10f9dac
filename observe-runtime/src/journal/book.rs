//! What the process notes about itself, so that its files can be read without it: kept in chunks of their own, which
//! are never given back.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use observe_wire::journal::entry::{ALIGN, HEADER, Kind, PAYLOAD, header};
use serde::Serialize;

use super::{
    chunk::Tail,
    pool::{self, Class},
};
use crate::fork::PerProcess;

/// The chunks; the last one is written.
static BOOK: PerProcess<Mutex<Vec<Tail>>> = PerProcess::new(Mutex::new(Vec::new()));

/// Whether anybody could ever read it.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Leaves it to the process from which this one was forked.
pub(super) fn begin_anew() {
    BOOK.renew(Mutex::default());
    OPEN.store(false, Ordering::Relaxed);
}

/// Begins to take notes.
pub(crate) fn open() {
    OPEN.store(true, Ordering::Relaxed);
}

/// Notes `value` under `id`. For moments that are rare: it locks and allocates.
pub(crate) fn note(kind: Kind, id: u64, value: &impl Serialize) {
    if !OPEN.load(Ordering::Relaxed) {
        return;
    }
    let Ok(json) = serde_json::to_vec(value) else { return };
    let len = HEADER + 8 + json.len();
    let whole = len.next_multiple_of(ALIGN);
    let mut book = BOOK.get().lock().unwrap_or_else(PoisonError::into_inner);
    if book.last().is_none_or(|tail| tail.room() < whole) {
        let Some(tail) = pool::take(whole, Class::Follow) else { return };
        book.push(tail);
    }
    let Some(tail) = book.last_mut() else { return };
    let bytes = tail.free();
    bytes[..HEADER].copy_from_slice(&header(kind, 0, PAYLOAD, len as u32));
    bytes[HEADER..HEADER + 8].copy_from_slice(&id.to_le_bytes());
    bytes[HEADER + 8..len].copy_from_slice(&json);
    tail.commit(whole);
}
