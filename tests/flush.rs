//! A flush ends wherever it is called, and says what became of every span.
#![allow(clippy::print_stdout, reason = "a child tells its results on stdout")]

#[path = "support/child.rs"]
mod child;
#[path = "support/recorder.rs"]
mod recorder;

use std::{
    cell::RefCell,
    env,
    net::TcpListener,
    sync::{Arc, Barrier, OnceLock},
    thread,
    time::Duration,
};

use observe::{
    Guard, Report, TraceId,
    destination::{Delivered, Otlp, OtlpSettings},
    observe,
};
use recorder::Recorder;

const LONG: Duration = Duration::from_secs(30);

/// The receiver that all tests of this process send to.
fn receiver() -> &'static Recorder {
    static RECORDING: OnceLock<(Recorder, Guard)> = OnceLock::new();
    let (recorder, _) = RECORDING.get_or_init(|| {
        let recorder = Recorder::start();
        let otlp = Otlp::new(OtlpSettings::new(recorder.at("/v1/traces")));
        (recorder.clone(), observe::builder().destination(otlp).init())
    });
    recorder
}

#[observe(trace_id = trace, skip(trace))]
fn step(trace: TraceId) {}

fn id(test: &str) -> TraceId {
    receiver();
    TraceId::from_seed(test)
}

/// Everything arrived, the spans of `trace` among it.
fn arrived(report: &Report, trace: TraceId, spans: usize) {
    let (name, counts) = &report.destinations[0];
    assert_eq!((name.as_str(), report.complete, report.dropped), ("otlp", true, 0), "{report:?}");
    assert_eq!((counts.failed, counts.dropped, counts.spooled), (0, 0, 0), "{report:?}");
    let at_receiver = receiver().spans().iter().filter(|span| span.trace_id == trace).count();
    assert_eq!(at_receiver, spans);
}

#[test]
fn a_flush_blocks_inside_block_on_of_a_runtime_of_one_thread() {
    let trace = id("current thread");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let report = runtime.block_on(async {
        step(trace);
        observe::flush(LONG)
    });
    arrived(&report, trace, 1);
}

#[test]
fn an_awaited_flush_lets_other_tasks_of_a_runtime_of_one_thread_run() {
    let trace = id("awaited");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let held = receiver().hold();
    let report = runtime.block_on(async {
        step(trace);
        // The receiver answers only when the other task has run: a flush that blocked the thread would wait for ever.
        let other = async { drop(held) };
        tokio::join!(observe::flush_async(LONG), other).0
    });
    arrived(&report, trace, 1);
}

#[test]
fn an_awaited_flush_needs_no_runtime() {
    let trace = id("no runtime");
    step(trace);
    let report = futures_util::future::FutureExt::now_or_never(observe::flush_async(LONG));
    assert!(report.is_none(), "it begins when it is polled, and does not block");
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut flush = Box::pin(observe::flush_async(LONG));
    let report = loop {
        match flush.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(report) => break report,
            std::task::Poll::Pending => thread::park(),
        }
    };
    arrived(&report, trace, 1);
}

#[test]
fn a_flush_in_a_destructor_ends() {
    struct AtEnd(TraceId, &'static RefCell<Option<Report>>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            step(self.0);
            self.1.replace(Some(observe::flush(LONG)));
        }
    }
    let trace = id("destructors");
    let report = || -> &'static RefCell<Option<Report>> { Box::leak(Box::default()) };
    // In a block, in a task that is cancelled with its runtime, and while a panic unwinds.
    let plain = report();
    drop(AtEnd(trace, plain));
    let cancelled = report();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let guard = AtEnd(trace, cancelled);
    drop(local.spawn_local(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    }));
    local.block_on(&runtime, tokio::task::yield_now());
    drop(local);
    drop(runtime);
    let unwound = report();
    let panics = std::panic::AssertUnwindSafe(|| {
        let _guard = AtEnd(trace, unwound);
        std::panic::panic_any("on purpose");
    });
    assert!(std::panic::catch_unwind(panics).is_err());
    for report in [plain, cancelled, unwound] {
        arrived(report.borrow().as_ref().unwrap(), trace, 3);
    }
}

#[test]
fn a_flush_after_the_hosts_runtime_is_gone_ends() {
    let trace = id("gone");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        tokio::spawn(async move { step(trace) }).await.unwrap();
    });
    drop(runtime);
    arrived(&observe::flush(LONG), trace, 1);
}

#[test]
fn flushes_of_many_threads_at_once_all_end() {
    let trace = id("at once");
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        let flushes: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    step(trace);
                    barrier.wait();
                    observe::flush(LONG)
                })
            })
            .collect();
        for flush in flushes {
            arrived(&flush.join().unwrap(), trace, 16);
        }
    });
}

/// What a child process says of its report, as `role` asks.
fn told(role: &str) -> String {
    let output = child::child(role).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the children of other tests do.
#[test]
fn role() {
    let Ok(role) = env::var("ROLE") else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let mut settings = OtlpSettings::new(url);
    let recorder = match role.as_str() {
        "refused" => {
            let recorder = Recorder::listen(listener);
            recorder.answer("/v1/traces", 401, r#"{"error": "no such key"}"#);
            Some(recorder)
        }
        // Nobody answers, and there is a place on disk.
        "spooled" => {
            drop(listener);
            settings.spool = Some(env::temp_dir().join(format!("observe-flush-{}", std::process::id())));
            None
        }
        // It takes connections and says nothing.
        "hangs" => {
            Box::leak(Box::new(listener));
            None
        }
        "at exit" => {
            let recorder = Recorder::listen(listener);
            let guard = observe::builder().destination(Otlp::new(settings)).init();
            step(TraceId::from_seed("at exit"));
            // The end of the process flushes, and so does what it runs.
            std::mem::forget(guard);
            assert!(observe::flush(LONG).complete);
            step(TraceId::from_seed("at exit"));
            extern "C" fn last() {
                println!("complete: {}", observe::flush(LONG).complete);
            }
            at_exit(last);
            println!("spans: {}", recorder.spans().len());
            std::process::exit(0);
        }
        other => panic!("{other}"),
    };
    let spool = settings.spool.clone();
    let _guard = observe::builder().destination(Otlp::new(settings)).init();
    step(TraceId::from_seed("reported"));
    let report = observe::flush(if role == "hangs" { Duration::from_millis(300) } else { LONG });
    let Delivered { accepted, sent, failed, dropped, spooled, error, .. } = &report.destinations[0].1;
    println!(
        "accepted {accepted} sent {sent} failed {failed} dropped {dropped} spooled {spooled} complete {} {error:?}",
        report.complete
    );
    drop(recorder);
    spool.map(std::fs::remove_dir_all);
    // Nothing more is to be waited for.
    std::process::exit(0);
}

#[allow(unsafe_code, reason = "there is no other way to run code at the end of a process")]
fn at_exit(run: extern "C" fn()) {
    // SAFETY: `run` is a function that returns, and may be called at any time.
    unsafe { libc::atexit(run) };
}

#[test]
fn a_report_says_what_was_refused_and_why() {
    let said = told("refused");
    assert!(said.contains("accepted 1 sent 0 failed 1 dropped 0 spooled 0 complete true"), "{said}");
    assert!(said.contains("answered 401: check the keys of this destination"), "{said}");
}

#[test]
fn a_report_says_what_waits_on_disk() {
    let said = told("spooled");
    assert!(said.contains("accepted 1 sent 0 failed 0 dropped 0 spooled 1 complete true"), "{said}");
}

#[test]
fn a_flush_of_a_receiver_that_hangs_ends_at_its_deadline() {
    let said = told("hangs");
    assert!(said.contains("accepted 1 sent 0 failed 0 dropped 0 spooled 0 complete false"), "{said}");
}

#[test]
fn a_flush_at_the_end_of_the_process_ends() {
    let said = told("at exit");
    assert!(said.contains("spans: 1") && said.contains("complete: true"), "{said}");
}
