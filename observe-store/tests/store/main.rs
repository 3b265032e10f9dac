//! The store's promises, kept through its public face.

mod answers;
mod common;
