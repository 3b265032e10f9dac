//! The journal's reader: what a well-formed journal gives, and that any other bytes do no harm.

mod document;
mod hostile;
mod recovered;
mod writer;
