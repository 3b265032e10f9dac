//! Where the host writes: chunks of memory, each written by one thread and read by the collector meanwhile.
//!
//! The layout of an entry is in [`entry`], the one piece of shared memory in [`chunk`], the bound on all of it in
//! [`pool`], and the host's side in [`writer`].

mod chunk;
pub(crate) mod entry;
pub(crate) mod pool;
mod writer;

pub(crate) use chunk::Chunk;
pub(crate) use writer::{Draft, Lost, is_capturing};
