//! The journal under pressure: threads that come and go, futures that wander, payloads of every size, flushes meanwhile.
//! Nothing is lost, mangled or kept for ever. `.ci/safety` runs this with sanitizers too.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use observe::{
    Guard, SpanId, Status, TraceId,
    destination::{Destination, Progress},
    observe,
};
use observe_runtime::{Settings, Span};

/// What is kept of a span.
struct Seen {
    name: String,
    parent: Option<SpanId>,
    status: Status,
    /// Length of its input as JSON, if that is what [`filled`] makes, in quotes and under the name `text`.
    input: Option<usize>,
}

/// Keeps a little of every span.
#[derive(Clone, Default)]
struct Counting {
    spans: Arc<Mutex<HashMap<TraceId, HashMap<SpanId, Seen>>>>,
    progress: Arc<Progress>,
}

impl Destination for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn record(&mut self, span: &Span<'_>) {
        let text =
            span.input.as_deref().and_then(|json| json.strip_prefix("{\"text\":\"")?.strip_suffix("\"}"));
        let seen = Seen {
            name: span.name.to_string(),
            parent: span.parent_id,
            status: span.status,
            input: text.filter(|text| *text == filled(text.len())).map(str::len),
        };
        let before = self.spans.lock().unwrap().entry(span.trace_id).or_default().insert(span.span_id, seen);
        assert!(before.is_none(), "a span was given out twice");
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// A text of this length in which every byte depends on its place, without anything to escape.
fn filled(len: usize) -> String {
    (0..len).map(|n| char::from(b'a' + (n % 251 % 26) as u8)).collect()
}

/// One test at a time: together they would fill the journal, which is bounded, and see each other's memory.
struct Turn {
    counting: &'static Counting,
    trace: TraceId,
    _alone: MutexGuard<'static, ()>,
}

fn turn(test: &str) -> Turn {
    static ALONE: Mutex<()> = Mutex::new(());
    static RECORDING: OnceLock<(Counting, Guard)> = OnceLock::new();
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (counting, _) = RECORDING.get_or_init(|| {
        let counting = Counting::default();
        let settings =
            Settings { capture_limit: 16 << 20, enabled: true, sample_rate: 1.0, ..Settings::from_env() };
        (counting.clone(), observe_runtime::start(&settings, vec![Box::new(counting)], Vec::new))
    });
    Turn { counting, trace: TraceId::from_seed(test), _alone: alone }
}

impl Turn {
    /// Looks at the test's spans when all have arrived.
    fn spans<R>(&self, look: impl FnOnce(&HashMap<SpanId, Seen>) -> R) -> R {
        flush();
        look(self.counting.spans.lock().unwrap().entry(self.trace).or_default())
    }

    fn count(&self) -> usize {
        self.spans(HashMap::len)
    }
}

fn flush() {
    let report = observe::flush(Duration::from_secs(60));
    assert!(report.complete && report.dropped == 0, "{report:?}");
}

#[observe(trace_id = trace, skip(trace, run))]
fn root<T>(trace: TraceId, run: impl FnOnce() -> T) -> T {
    run()
}

#[observe]
fn step(number: u32) -> u32 {
    number + 1
}

#[observe]
fn take(text: &str) -> usize {
    text.len()
}

#[test]
fn threads_that_begin_and_end_lose_nothing() {
    let turn = turn("threads");
    let trace = turn.trace;
    for _ in 0..20 {
        thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || root(trace, || (0..n * 50).for_each(|n| _ = step(n))));
            }
        });
    }
    assert_eq!(turn.count(), 20 * (8 + 50 * 28));
}

#[test]
fn futures_that_move_between_threads_keep_their_tree() {
    #[observe(trace_id = trace, skip(trace))]
    async fn outer(trace: TraceId, depth: u32) {
        inner(depth).await;
        tokio::join!(inner(0), inner(1));
    }
    #[observe]
    async fn inner(depth: u32) {
        tokio::task::yield_now().await;
        step(depth);
        if depth > 0 {
            Box::pin(inner(depth - 1)).await;
        }
        tokio::task::yield_now().await;
    }
    let turn = turn("futures");
    let trace = turn.trace;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..200).map(|_| tokio::spawn(outer(trace, 4))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    turn.spans(|spans| {
        // Five deep, one, and two; each with a step.
        assert_eq!(spans.len(), 200 * (1 + 8 * 2));
        for span in spans.values() {
            let parent = span.parent.map(|id| spans[&id].name.as_str());
            let is_right = match span.name.as_str() {
                "outer" => parent.is_none(),
                "step" => parent == Some("inner"),
                _ => matches!(parent, Some("inner" | "outer")),
            };
            assert!(is_right && span.status == Status::Ok, "{} under {parent:?}", span.name);
        }
    });
}

#[test]
fn payloads_of_all_sizes_around_a_chunks_arrive_whole() {
    const KIB: usize = 1024;
    let turn = turn("payloads");
    let trace = turn.trace;
    let sizes: Vec<usize> = (63 * KIB..66 * KIB).step_by(61).chain(64 * KIB - 260..64 * KIB + 20).collect();
    thread::scope(|scope| {
        for share in sizes.chunks(sizes.len().div_ceil(2)) {
            scope.spawn(move || {
                for (n, size) in share.iter().enumerate() {
                    root(trace, || take(&filled(*size)));
                    // The journal is bounded, and a collector that gets no turn reads nothing.
                    if n % 32 == 0 {
                        flush();
                    }
                }
            });
        }
    });
    let mut arrived: Vec<_> = turn.spans(|spans| spans.values().filter_map(|span| span.input).collect());
    let mut sizes = sizes;
    sizes.sort_unstable();
    arrived.sort_unstable();
    assert_eq!(arrived, sizes);
}

#[test]
fn payloads_of_10_megabytes_arrive_whole_and_their_memory_is_used_again() {
    let turn = turn("large payloads");
    let text = filled(10_000_000);
    for _ in 0..6 {
        root(turn.trace, || take(&text));
        flush();
    }
    let arrived: Vec<_> = turn.spans(|spans| spans.values().filter_map(|span| span.input).collect());
    assert_eq!(arrived, [10_000_000; 6]);
}

#[test]
fn flushes_from_other_threads_while_spans_are_open_lose_nothing() {
    let turn = turn("flushes");
    let trace = turn.trace;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                flush();
            }
        });
        let hosts: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || (0..40).for_each(|_| root(trace, || (0..100).for_each(|n| _ = step(n)))))
            })
            .collect();
        hosts.into_iter().for_each(|host| host.join().unwrap());
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(turn.count(), 3 * 40 * 101);
}

/// Bytes of memory that the process occupies.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let text = fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_short_lived_threads_do_not_grow_memory() {
    const MIB: usize = 1 << 20;
    let turn = turn("short-lived threads");
    let trace = turn.trace;
    let ten_thousand = || {
        for n in 0..10_000 {
            thread::spawn(move || root(trace, || step(n))).join().unwrap();
            // As above: each thread has a chunk of its own until the collector has seen it.
            if n % 500 == 0 {
                flush();
            }
        }
    };
    flush();
    let before = resident();
    ten_thousand();
    flush();
    let once = resident();
    ten_thousand();
    assert_eq!(turn.count(), 40_000);
    let twice = resident();
    // A sanitizer keeps memory of its own.
    if std::env::var_os("SANITIZER").is_none() {
        // 64 MiB is what the journal may take at the most.
        assert!(once < before + 64 * MIB, "{before} bytes became {once}");
        // What this test itself keeps of 20,000 spans is in there.
        assert!(twice < once + 16 * MIB, "{once} bytes became {twice}");
    }
}

#[test]
fn what_another_thread_says_of_a_span_before_it_ends_is_kept() {
    const SPANS: usize = 20_000;
    let turn = turn("another thread");
    let ((ask, asked), (reply, replied)) = (mpsc::channel(), mpsc::channel());
    thread::scope(|scope| {
        scope.spawn(move || {
            for span in asked {
                observe::SpanHandle::name(span, "renamed");
                reply.send(()).unwrap();
            }
        });
        let tell = || {
            ask.send(observe::current_span()).unwrap();
            replied.recv().unwrap();
        };
        (0..SPANS).for_each(|_| root(turn.trace, tell));
        drop(ask);
    });
    let renamed = turn.spans(|spans| spans.values().filter(|seen| seen.name == "renamed").count());
    assert_eq!(renamed, SPANS);
}
