//! The journal: what a recording process writes while it runs, and how anybody reads it back after it died.
//!
//! The runtime writes these bytes into chunks of memory that may lie in files, and joins them itself while the process
//! lives; [`recover`] does it from the files alone. `docs/JOURNAL.md` is the format's document.

pub mod assemble;
pub mod chunk;
mod dead;
pub mod entry;
pub mod escape;
mod fields;
mod home;
pub mod lenient;
pub mod notes;
mod plain;
pub mod receipts;
mod recover;
pub mod render;

pub use dead::{Batch, Dead, each_dead, recover_all_dead, recover_dead};
pub use home::{Home, any_below};
pub use plain::{Plain, PlainSite, RawStart};
pub use recover::{Found, RecoverError, Recovered, recover};
