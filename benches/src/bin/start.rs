//! `start WHAT`: what it adds to the start of a process to record. `nothing` records nothing; `environment` records to
//! what the environment names. Prints nanoseconds: from `main` to here, and processor time since the process began.
//!
//! It uses nothing of this package, so that no peer is linked: some run before `main`.
#![forbid(unsafe_code)]

use std::{env, time::Instant};

use rustix::time::{ClockId, clock_gettime};

fn main() {
    let start = Instant::now();
    let guard = (env::args().nth(1).as_deref() == Some("environment")).then(observe::init);
    let wall = start.elapsed().as_nanos();
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    println!("{{\"wall\": {wall}, \"cpu\": {}}}", cpu.tv_sec * 1_000_000_000 + cpu.tv_nsec);
    drop(guard);
}
