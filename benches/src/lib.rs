//! What a recorded call costs, beside the same call under other tracers.
//!
//! A *case* is a tracer in one state, with the functions it annotates and the root it opens above them: see [`cases`].
//! A *shape* is how the functions call each other: see [`shapes`]. Tracers are global to a process, so each process
//! measures one case, and the scripts beside this package run them in turn.
#![forbid(unsafe_code)]

pub mod cases;
pub mod clock;
pub mod destination;
pub mod payload;
pub mod shapes;
