//! Processor time per span on the host's thread: `CASE` names the case, and `times.py` runs this once per case.
//!
//! Between stretches that the tracer can hold it is flushed, off the clock, so that no tracer is measured dropping.

use std::{env, thread, time::Duration};

use criterion::{
    BenchmarkGroup, Criterion,
    measurement::{Measurement, ValueFormatter, WallTime},
};
use observe_benches::{
    cases::{Functions, Root, Tally, Tracer, Visit, with},
    clock,
    payload::PROMPT,
    shapes,
};

const CHILDREN: u64 = 1000;

/// Spans between two flushes, the same for all tracers: what each writes over again is as warm in the caches.
const STRETCH: u64 = 2000;

/// Bytes of prompts that may be recorded between two flushes.
const BYTES: usize = 16 << 20;

/// Processor time of the calling thread, for criterion.
struct ThreadTime;

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        clock::thread()
    }

    fn end(&self, start: Duration) -> Duration {
        clock::thread().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

struct Calls<'a>(BenchmarkGroup<'a, ThreadTime>);

/// Splits `count` iterations in stretches of at most `most`, and flushes after each.
fn stretches(tracer: &Tracer, count: u64, most: u64, mut run: impl FnMut(u64) -> Duration) -> Duration {
    let (mut left, mut spent) = (count, Duration::ZERO);
    while left > 0 {
        let now = left.min(most.max(1));
        spent += run(now);
        tracer.flush();
        left -= now;
    }
    spent
}

/// Runs `once` so many times on this thread's clock.
#[inline(always)]
fn timed(times: u64, mut once: impl FnMut()) -> Duration {
    let start = clock::thread();
    for _ in 0..times {
        once();
    }
    clock::thread().saturating_sub(start)
}

impl Calls<'_> {
    /// `once` makes `spans` spans.
    fn sync<R: Root>(&mut self, tracer: &Tracer, name: &str, spans: u64, once: impl Fn()) {
        self.0.bench_function(name, |b| {
            b.iter_custom(|count| {
                stretches(tracer, count, STRETCH / spans, |n| R::around(|| timed(n, &once)))
            });
        });
    }

    fn asynchronous<R: Root>(&mut self, tracer: &Tracer, name: &str, spans: u64, once: impl AsyncFn()) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
        self.0.bench_function(name, |b| {
            b.iter_custom(|count| {
                stretches(tracer, count, STRETCH / spans, |n| {
                    runtime.block_on(R::around_async(async {
                        let start = clock::thread();
                        for _ in 0..n {
                            once().await;
                        }
                        clock::thread().saturating_sub(start)
                    }))
                })
            });
        });
    }

    /// An iteration is one root with a thousand children on each thread; the time is the threads' mean.
    fn threads<F: Functions, R: Root>(&mut self, tracer: &Tracer, threads: u32) {
        let each = |n| R::around(|| timed(n, || shapes::children::<F, R>(CHILDREN)));
        self.0.bench_function(format!("threads/{threads}"), |b| {
            b.iter_custom(|count| {
                stretches(tracer, count, STRETCH / CHILDREN / u64::from(threads), |n| {
                    let spent: Duration = thread::scope(|scope| {
                        let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| each(n))).collect();
                        running.into_iter().filter_map(|thread| thread.join().ok()).sum()
                    });
                    spent / threads
                })
            });
        });
    }

    fn prompt<F: Functions, R: Root>(&mut self, tracer: &Tracer, name: &str, bytes: usize) {
        let prompt: String = PROMPT.chars().cycle().take(bytes).collect();
        let most = STRETCH.min((BYTES / bytes) as u64);
        self.0.bench_function(format!("prompt/{name}"), |b| {
            b.iter_custom(|count| {
                stretches(tracer, count, most, |n| {
                    R::around(|| timed(n, || shapes::with_prompt::<F, R>(&prompt)))
                })
            });
        });
    }
}

impl Visit for Calls<'_> {
    type Result = Tally;

    fn visit<F: Functions, R: Root>(mut self, tracer: &Tracer) -> Tally {
        self.sync::<R>(tracer, "sync/leaf", 2, || shapes::children::<F, R>(1));
        self.sync::<R>(tracer, "sync/ten_deep", 11, shapes::ten_deep::<F, R>);
        self.sync::<R>(tracer, "sync/children", CHILDREN, || shapes::children::<F, R>(CHILDREN));
        self.asynchronous::<R>(tracer, "async/leaf", 2, async || shapes::children_async::<F, R>(1).await);
        self.asynchronous::<R>(tracer, "async/ten_deep", 11, shapes::ten_deep_async::<F, R>);
        self.asynchronous::<R>(tracer, "async/children", CHILDREN, async || {
            shapes::children_async::<F, R>(CHILDREN).await;
        });
        for threads in [1, 2, 8] {
            self.threads::<F, R>(tracer, threads);
        }
        for (name, bytes) in [("1kB", 1_000), ("100kB", 100_000), ("10MB", 10_000_000)] {
            self.prompt::<F, R>(tracer, name, bytes);
        }
        self.0.finish();
        tracer.flush()
    }
}

fn main() {
    let case = env::var("CASE").unwrap_or_else(|_| "plain".to_owned());
    let mut criterion = Criterion::default()
        .with_measurement(ThreadTime)
        .sample_size(10)
        .without_plots()
        .configure_from_args();
    let calls = Calls(criterion.benchmark_group(&case));
    match with(&case, calls) {
        Ok(tally) => eprintln!("{tally:?}"),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
