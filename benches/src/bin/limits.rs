//! What a captured span cannot cost less than: two clock reads, and copying its bytes. Prints processor nanoseconds.
#![forbid(unsafe_code)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use observe_benches::{
    clock,
    payload::{PROMPT, Reply, Request},
};

/// The median of fifteen stretches, per repetition.
fn measure(name: &str, repetitions: u32, mut once: impl FnMut()) {
    let mut stretches: Vec<Duration> = (0..15)
        .map(|_| {
            let start = clock::thread();
            for _ in 0..repetitions {
                once();
            }
            clock::thread().saturating_sub(start)
        })
        .collect();
    stretches.sort();
    println!("{{\"name\": \"{name}\", \"ns\": {}}}", stretches[7].as_nanos() as f64 / f64::from(repetitions));
}

/// Copies of `bytes` one behind the other, as a journal is written.
fn copy(name: &str, bytes: usize, repetitions: u32) {
    let source = vec![b'x'; bytes];
    let mut journal = vec![0; bytes.max(64 * 1024)];
    let mut at = 0;
    measure(name, repetitions, || {
        if at + bytes > journal.len() {
            at = 0;
        }
        journal[at..at + bytes].copy_from_slice(black_box(&source));
        black_box(&journal);
        at += bytes;
    });
}

fn main() {
    let counter = quanta::Clock::new();
    measure("two reads of the time stamp counter", 1_000_000, || {
        black_box((counter.raw(), counter.raw()));
    });
    measure("two reads of `Instant`", 1_000_000, || {
        black_box((Instant::now(), Instant::now()));
    });
    copy("copy of 192 bytes, what the span is in the journal", 192, 1_000_000);
    copy("copy of 1 kB", 1_000, 1_000_000);
    copy("copy of 100 kB", 100_000, 10_000);
    copy("copy of 10 MB", 10_000_000, 50);
    let mut buffer = Vec::with_capacity(4096);
    measure(
        "arguments and return value as JSON by `serde_json`, into a buffer that is reused",
        1_000_000,
        || {
            buffer.clear();
            // Writing to memory does not fail, nor do these values.
            let _ = serde_json::to_writer(&mut buffer, black_box(&(PROMPT, Request { id: 7 })));
            let _ = serde_json::to_writer(&mut buffer, black_box(&Reply { id: 257, ok: false }));
            black_box(&buffer);
        },
    );
}
