//! Every public call works wherever code may run: before `init`, while unwinding, in destructors of all kinds, on threads of
//! C libraries, after shutdown. Where nothing can be recorded it does nothing.
#![allow(unsafe_code, reason = "nothing else makes a thread as C does")]

use std::{env, process::Command, time::Duration};

use observe::{
    ObserveExt, TraceId, Usage, carry, current_context, current_span, observe, propagate, session,
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
    session("s").user("u").tag("t").metadata("k", 1).sync_scope(|| {
        work(2);
        current_span().input(1).output(2).name("n").usage(Usage::new(1, 2)).mark_failed("f");
    });
    finish(session("s").scope(work_async(3)));
    finish(observe::span("by hand").scope(work_async(4).in_current_span()));
    observe::agent("agent").lazy().sync_scope(|| work(5));
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
    observe::trace_context(TraceId::from_seed("x"), None).sync_scope(|| work(11));
    let _ = (observe::current_trace_id(), observe::current_span_id(), observe::trace_url());
    let _ = observe::flush(Duration::ZERO);
}

/// Does everything when it is dropped.
struct Last;

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

/// What the process does; in the run of the test list, nothing.
#[test]
fn role() {
    if env::var_os("ROLE").is_none() {
        return;
    }
    // SAFETY: the function has the signature that is asked for and does not unwind.
    unsafe { libc::atexit(at_exit) };
    everything();
    on_c_thread();
    let guard = observe::init();
    everything();
    on_c_thread();
    std::thread::spawn(|| LAST.with(|_| everything())).join().unwrap();
    let unwound = std::panic::catch_unwind(|| {
        let _last = Last;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(unwound.is_err());
    drop(guard);
    everything();
    // The second registration runs before the runtime's own at the end of the process, the first one after it.
    // SAFETY: as above.
    unsafe { libc::atexit(at_exit) };
}

#[cfg(unix)]
#[test]
fn every_public_call_works_before_init_after_shutdown_in_destructors_while_unwinding_and_on_threads_of_c() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", "1").env("OBSERVE_DIR", directory.path());
    for name in ["OBSERVE_DESTINATIONS", "OBSERVE_DEBUG", "OBSERVE_ENABLED"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("observe: "), "{stderr}");
    use observe_store::Store;
    let store = observe_store::SqliteStore::open_read_only(directory.path().join("observe.db")).unwrap();
    let query =
        observe_store::TraceQuery { session: Some("entered".into()), limit: 100, ..Default::default() };
    let traces = store.traces(&query).unwrap().items.len();
    // After init, on the thread of C and as its last, on the other thread likewise, while unwinding, after the guard, and
    // once at the end before the runtime's.
    assert_eq!(traces, 8);
}
