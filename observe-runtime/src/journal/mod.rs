//! Where the host writes: chunks of memory, each written by one thread and read by the collector meanwhile.
//!
//! The layout of an entry is `observe_wire::journal`'s, so that files can be read without their process. The one piece
//! of shared memory is in [`chunk`], the bound on all of it in [`pool`], and the host's side in [`writer`].

pub(crate) mod book;
mod chunk;
#[cfg(test)]
mod chunk_tests;
mod directory;
pub(crate) mod dropped;
pub(crate) mod pool;
mod spill;
mod sync;
mod writer;

pub(crate) use chunk::{Chunk, SHORT, Tail};
pub(crate) use spill::{Piece, Spares};
pub(crate) use writer::{Desk, Draft, Lost, is_capturing, unrecorded};

/// Leaves everything to the process from which this one was forked; for its only thread.
pub(crate) fn begin_anew() {
    writer::leave_chunk();
    pool::begin_anew();
    book::begin_anew();
}
