//! Every public call works wherever code may run: before `init`, while unwinding, in destructors of all kinds, on threads of
//! C libraries, in forked children, after shutdown. Where nothing can be recorded it does nothing.
#![allow(unsafe_code, reason = "nothing else makes a thread as C does")]

#[path = "support/child.rs"]
mod child;

use std::{env, time::Duration};

use child::{child, said};
use observe::{
    Cost, JoinSet, Level, ObserveExt, SpanId, SpanType, TraceId, Usage, agent, attributes, carry,
    current_context, current_span, current_span_id, current_trace, current_trace_id, flush, flush_async,
    metric, observe, propagate, score, session, span, spawn, spawn_blocking, spawn_local, thread,
    trace_context, trace_url, trace_url_for, trace_urls_for,
};

#[observe(as_type = "tool")]
fn work(number: u32) -> u32 {
    number + 1
}

#[observe]
async fn work_async(number: u32) -> u32 {
    work(number)
}

/// Polls a future that is ready at once.
fn finish<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("it waits for nothing"),
    }
}

/// Every kind of public call.
fn everything() {
    assert_eq!(work(41), 42);
    assert_eq!(finish(work_async(1)), 2);
    session("s").user("u").tag("t").tags(["a"]).metadata("k", 1).sync_scope(|| {
        work(2);
        say_everything();
        span("said")
            .as_type(SpanType::Tool)
            .input(1)
            .model("m")
            .level(Level::Debug)
            .sync_scope(say_everything);
    });
    say_everything();
    attributes().name("n").version("1").environment("test").sync_scope(|| work(3));
    finish(session("s").scope(work_async(3)));
    finish(span("by hand").scope(work_async(4).in_current_span()));
    agent("agent").input(1).model("m").version("2").lazy().sync_scope(|| work(5));
    let _ = span("tried").try_sync_scope(|| Err::<(), _>("failed"));
    let _ = finish(agent("tried").try_scope(async { Err::<(), _>("failed") }));
    let _ = span("called").sync_call(|| Ok::<_, String>(1));
    let _ = finish(agent("called").call(async { Ok::<_, String>(1) }));
    let _ = propagate::headers();
    {
        let _scope = session("entered").enter();
        work(6);
    }
    carry(|| work(7))();
    current_context().sync_scope(|| work(8));
    let mut headers = Vec::new();
    propagate::inject(&mut headers);
    propagate::extract(&headers).sync_scope(|| work(9));
    finish(propagate::extract(&headers).scope(work_async(10)));
    let (trace, parent) = (TraceId::from_seed("x"), SpanId::from_seed("x"));
    trace_context(trace, None).sync_scope(|| work(11));
    finish(work_async(12).with_trace_id(trace).with_parent(parent));
    finish(current_context().scope(work_async(13)));
    thread::spawn(|| work(14)).join().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| work(15));
        thread::Builder::new().spawn_scoped(scope, || work(16)).unwrap();
    });
    thread::Builder::new().name("named").stack_size(1 << 20).spawn(|| work(17)).unwrap().join().unwrap();
    let _ = (current_trace_id(), current_span_id());
    let _ = (trace_url(), trace_url_for(trace), trace_urls_for(trace), observe::database_path());
    let _ = flush(Duration::ZERO);
    let _ = futures_util::FutureExt::now_or_never(flush_async(Duration::ZERO));
}

/// Everything that handles, scores and metrics can say, wherever that is.
fn say_everything() {
    let (trace, span) = (TraceId::from_seed("x"), SpanId::from_seed("x"));
    let here = current_span();
    here.input(1).input_field("f", 2).output(3).state_before(4).state_after(5).state("s", 6).name("n");
    here.as_type(SpanType::Chain).model("m").parameters(()).prompt("p", 1).tools([1]).version("1");
    here.usage(Usage::new(1, 2)).cost(Cost::new(0.5, 0.5)).time_to_first_token(Duration::ZERO).first_token();
    here.level(Level::Warning)
        .status_message("m")
        .tags(["t"])
        .metadata("k", 1)
        .event("e", ())
        .link(trace, span);
    here.error(&std::fmt::Error).mark_failed("f");
    let _ = (here.id(), here.trace());
    let whole = current_trace().name("n").session("s").user("u").tags(["t"]).metadata("k", 1).version("1");
    whole.release("r").environment("test").public(true).summary(1).input(2).output(3).mark_failed("f");
    // Of a session, so that there is always something that it is about.
    score("s", 1).comment("c").correction(2).metadata("k", 3).author("a").id("i").on_session("s").record();
    score("s", true).on_trace(trace).record();
    score("s", "good").on_span(trace, span).record();
    if current_span_id().is_some() {
        score("s", 0.5).on_current_span().record();
        metric("m", 1).unit("u").tag("t").tags(["a"]).persist().record();
    }
    metric("m", 1).on_trace(trace).persist().record();
}

/// The helpers of tokio, which works in neither destructors of thread-locals nor at exit: there the host cannot call them.
fn with_tokio() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    session("tokio").sync_scope(|| {
        runtime.block_on(tokio::task::LocalSet::new().run_until(async {
            assert_eq!(spawn(work_async(20)).await.unwrap(), 21);
            assert_eq!(spawn_local(work_async(21)).await.unwrap(), 22);
            assert_eq!(spawn_blocking(|| work(22)).await.unwrap(), 23);
            let mut tasks = JoinSet::new();
            tasks.spawn(work_async(23));
            assert_eq!(tasks.join_next().await.unwrap().unwrap(), 24);
        }));
    });
}

/// Does everything when it is dropped.
struct Last;

/// Likewise, with tokio.
struct Unwound;

impl Drop for Unwound {
    fn drop(&mut self) {
        assert!(std::thread::panicking());
        everything();
        with_tokio();
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        everything();
    }
}

thread_local! {
    static LAST: Last = const { Last };
}

extern "C" fn c_thread(_: *mut libc::c_void) -> *mut libc::c_void {
    LAST.with(|_| everything());
    with_tokio();
    std::ptr::null_mut()
}

extern "C" fn at_exit() {
    everything();
}

/// Runs on a thread that the standard library knows nothing of.
fn on_c_thread() {
    // SAFETY: the thread's function has the signature that is asked for and does not unwind; `thread` is joined once.
    unsafe {
        let mut thread = std::mem::zeroed();
        let made = libc::pthread_create(&raw mut thread, std::ptr::null(), c_thread, std::ptr::null_mut());
        assert_eq!(made, 0);
        assert_eq!(libc::pthread_join(thread, std::ptr::null_mut()), 0);
    }
}

/// Does everything in a forked child, which ends in order; its own child's `at_exit` does so once more.
#[cfg(unix)]
fn in_a_child() {
    // SAFETY: what the child does is what is tested: our own locks, and the allocator, which sees to forks itself.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: it only sets a timer, which ends a child that hangs.
        unsafe { libc::alarm(60) };
        everything();
        with_tokio();
        on_c_thread();
        std::process::exit(0);
    }
    let mut status = 0;
    // SAFETY: `status` is a place for the status.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "the child failed");
}

/// What the process does; in the run of the test list, nothing.
#[test]
fn role() {
    if env::var_os("ROLE").is_none() {
        return;
    }
    // SAFETY: the function has the signature that is asked for and does not unwind.
    unsafe { libc::atexit(at_exit) };
    everything();
    with_tokio();
    on_c_thread();
    in_a_child();
    let guard = observe::init();
    everything();
    with_tokio();
    on_c_thread();
    in_a_child();
    std::thread::spawn(|| LAST.with(|_| everything())).join().unwrap();
    let unwound = std::panic::catch_unwind(|| {
        let _last = Unwound;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(unwound.is_err());
    drop(guard);
    everything();
    with_tokio();
    // The second registration runs before the runtime's own at the end of the process, the first one after it.
    // SAFETY: as above.
    unsafe { libc::atexit(at_exit) };
}

#[cfg(unix)]
#[test]
fn every_public_call_works_before_init_after_shutdown_and_fork_in_destructors_while_unwinding_and_on_threads_of_c()
 {
    let directory = tempfile::tempdir().unwrap();
    let output = child("1").env("OBSERVE_DIR", directory.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said(&output), Vec::<String>::new());
    use observe_store::Store;
    let store = observe_store::SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let traces = |session: &str| {
        let query =
            observe_store::TraceQuery { session: Some(session.into()), limit: 100, ..Default::default() };
        store.traces(&query).unwrap().items.len()
    };
    // After init, on the thread of C and as its last, on the other thread likewise, while unwinding, after the guard, and
    // once at the end before the runtime's; in the forked child as it begins, on its thread of C and as that thread's last.
    assert_eq!(traces("entered"), 8 + 3);
    // Four traces each after init, on the thread of C, while unwinding and after the guard; in the child twice.
    assert_eq!(traces("tokio"), 4 * (4 + 2));
}

#[test]
fn every_public_function_is_among_those_that_are_called_here() {
    let exports = include_str!("../src/lib.rs");
    let calls = include_str!("anywhere.rs");
    let lists = exports.split("pub use observe_runtime::{").skip(1);
    let names = lists.filter_map(|list| list.split('}').next()).flat_map(|list| list.split(','));
    let mut checked = 0;
    for name in names.map(str::trim).filter(|name| name.starts_with(|c: char| c.is_lowercase())) {
        // `destination` holds types only.
        let is_called = [format!(" {name}("), format!("({name}("), format!(" {name}::")]
            .iter()
            .any(|c| calls.contains(c));
        assert!(is_called || name == "destination", "`{name}` is not called");
        checked += 1;
    }
    assert!(checked > 20, "{checked}");
}
