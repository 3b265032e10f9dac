//! The store's promises, kept through its public face.

mod answers;
mod common;
mod faults;
mod processes;
mod rollups;
mod said;
mod schema;
