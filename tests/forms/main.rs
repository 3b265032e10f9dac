//! `#[observe]` on functions of every form: what compiled compiles, what worked works, and the span is right.
#![allow(clippy::all, reason = "odd forms are the point")]

mod asyncs;
mod captured;
mod containers;
mod grammar;
mod receivers;
mod seen;
mod signatures;
#[path = "../support/mod.rs"]
mod support;
