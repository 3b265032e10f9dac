//! More spans at once than the receiver takes: they wait on disk, not in memory, and none is dropped.
//!
//! The test runs this binary again with `ROLE` set; [`role`] is what the child does then.
#![allow(clippy::print_stdout, reason = "a child tells its results that way")]

#[path = "support/child.rs"]
mod child;
#[path = "support/receiver.rs"]
mod receiver;

use std::{
    env, fs, io,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use observe::observe;
use receiver::Receiver;

/// Three times what the journal has in memory.
const SPANS: u32 = 100_000;
const TEXT: usize = 1_000;

/// Megabytes of memory that the child may take.
const MOST: u64 = 100;

#[observe]
fn step(number: u32, text: &str) -> u32 {
    number
}

#[test]
fn role() {
    if env::var_os("ROLE").is_none() {
        return;
    }
    let _observe = observe::init();
    let text = "x".repeat(TEXT);
    (0..SPANS).for_each(|number| _ = step(number, &text));
    println!("recorded");
    io::stdin().read_exact(&mut [0]).unwrap();
    let report = observe::flush(Duration::from_secs(120));
    let (_, counts) = &report.destinations[0];
    println!("dropped {} {}", report.dropped + counts.dropped, report.complete);
    println!("peak {}", peak());
}

/// The most memory that this process has had, in megabytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or(0, |text| text.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000)
}

fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(
            |entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() },
        )
        .sum()
}

#[test]
fn a_burst_waits_on_disk_for_a_receiver_that_hangs_and_all_of_it_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let at_gate = Arc::clone(&gate);
    let receiver = Receiver::start(move |request| {
        drop(at_gate.lock());
        request.take()
    });
    let mut child = child::child("burst")
        .env("OBSERVE_DIR", directory.path())
        .env("OBSERVE_DESTINATIONS", "otlp")
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.url())
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "120000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line == "recorded"));
    let waiting = size(&directory.path().join("journal"));
    assert!(waiting > 80_000_000, "{waiting} bytes wait on disk");
    drop(closed);
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let said: Vec<_> = said.collect();
    assert!(said.contains(&"dropped 0 true".to_owned()), "{said:?}");
    assert_eq!(receiver.with_all(|spans| spans.count()), SPANS as usize);
    let peak: u64 = said.iter().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();
    assert!(peak < MOST, "{peak} MB");
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read_dir(directory.path().join("journal")).unwrap().count(), 0, "its files are gone");
}
