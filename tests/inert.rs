//! Every public call may be made at any time: before `init`, after the end, while unwinding, in destructors. Where there is
//! nothing to record to, it does nothing, and what the host does goes on.
//!
//! Each test runs this binary again with `ROLE` set; [`role`] is what the child does then.
#![allow(clippy::print_stdout, reason = "a child tells its results that way")]

#[path = "support/child.rs"]
mod child;

use std::{cell::RefCell, env, time::Duration};

use observe::{
    Level, ObserveExt, SpanId, SpanType, TraceId, agent, attributes, carry, current_span, observe, session,
    span, trace_context,
};

#[observe]
fn work(number: u32) -> u32 {
    number + 1
}

/// Makes every kind of call; gives how many of them did what they do to the host.
fn everything() -> u32 {
    let (trace, parent) = (TraceId::from_seed("seed"), SpanId::from_seed("seed"));
    let mut sum = 0;
    {
        let _session = session("s").user("u").tag("t").tags(["a"]).metadata("k", 1).enter();
        let _attributes = attributes().name("n").version("1").environment("Bad Name").enter();
        let _place = trace_context(trace, parent).enter();
        let _span = span("step").as_type(SpanType::Tool).input(1).model("m").level(Level::Warning).enter();
        let _agent = agent("bot").version("2").lazy().enter();
        sum += work(0);
        current_span().output(1).metadata("k", 1).mark_failed("no");
    }
    sum += session("s").sync_scope(|| work(0));
    sum += span("step").try_sync_scope(|| Ok::<_, String>(work(0))).unwrap_or_default();
    sum += agent("bot").lazy().sync_scope(|| work(0));
    sum += carry(|| work(0))();
    let mut future = Box::pin(
        async { span(SpanType::Chain).scope(async { work(0) }).await }
            .with_trace_id(trace)
            .with_parent(parent)
            .in_current_span(),
    );
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    sum += match future.as_mut().poll(&mut task) {
        std::task::Poll::Ready(result) => result,
        std::task::Poll::Pending => 0,
    };
    let _ = (observe::current_trace_id(), observe::current_span_id());
    let _ = (observe::trace_url(), observe::trace_url_for(trace), observe::trace_urls_for(trace));
    let _ = observe::flush(Duration::from_secs(5));
    sum
}

const ALL: u32 = 6;

/// Makes every call when it is dropped.
struct AtTheEnd(&'static str);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        println!("{} {}", self.0, everything());
    }
}

thread_local! {
    static LATE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    static LATER: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
}

#[allow(unsafe_code, reason = "the only way to run something after our own end")]
fn at_exit() {
    extern "C" fn call() {
        println!("at exit {}", everything());
    }
    // SAFETY: `call` takes nothing and does not unwind: no call of ours panics.
    assert_eq!(unsafe { libc::atexit(call) }, 0);
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    match env::var("ROLE").unwrap_or_default().as_str() {
        "before init" => println!("before init {}", everything()),
        "all" => {
            // Registered first, so run last: after the collector has closed.
            at_exit();
            println!("before init {}", everything());
            let _observe = observe::builder().dir(env::temp_dir()).destinations(["none"]).init();
            println!("off {}", everything());
        }
        "recording" => {
            at_exit();
            let directory = tempfile::tempdir().unwrap();
            let guard = observe::builder().dir(directory.path()).init();
            println!("recording {}", everything());
            let unwound = std::panic::catch_unwind(|| {
                let _at_the_end = AtTheEnd("unwinding");
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(unwound.is_err());
            let thread = std::thread::spawn(|| {
                LATE.set(Some(AtTheEnd("thread-local, used before")));
                println!("thread {}", everything());
                LATER.set(Some(AtTheEnd("thread-local, used after")));
            });
            thread.join().unwrap();
            drop(guard);
            println!("after the guard {}", everything());
        }
        _ => {}
    }
}

/// The child's lines.
fn lines(role: &str) -> Vec<String> {
    let output = child::child(role).arg("--test-threads=1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ours = |line: &&str| line.rsplit(' ').next().is_some_and(|n| n == ALL.to_string());
    text.lines().filter(ours).map(|line| line.rsplit("... ").next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn without_init_every_call_does_nothing_and_the_host_goes_on() {
    assert_eq!(lines("before init"), ["before init 6"]);
}

#[test]
fn with_nowhere_to_record_to_every_call_does_nothing() {
    assert_eq!(lines("all"), ["before init 6", "off 6", "at exit 6"]);
}

#[test]
fn while_recording_every_call_works_in_destructors_while_unwinding_and_after_the_end() {
    let expected = [
        "recording 6",
        "unwinding 6",
        "thread 6",
        "thread-local, used after 6",
        "thread-local, used before 6",
        "after the guard 6",
        "at exit 6",
    ];
    let lines = lines("recording");
    for line in expected {
        assert!(lines.iter().any(|l| l == line), "{line} is missing: {lines:?}");
    }
}
