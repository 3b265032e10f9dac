//! The `observe` command.
fn main() {}
