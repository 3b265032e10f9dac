//! A call at the end of the process, for programs that leave by `std::process::exit` or forget their guard.
#![allow(unsafe_code)]

use std::{
    panic::catch_unwind,
    sync::{Once, OnceLock},
};

static CALL: OnceLock<fn()> = OnceLock::new();

/// Calls `call` once when the process exits in an orderly way; the first call of this function decides.
pub(crate) fn on_exit(call: fn()) {
    extern "C" fn run() {
        if let Some(call) = CALL.get() {
            // Nothing may unwind into C.
            let _ = catch_unwind(call);
        }
    }
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if CALL.set(call).is_ok() {
            // SAFETY: `run` has the signature that `atexit` asks for, does not unwind, and is never unloaded before
            // the process ends. A full table makes the call fail, which only costs the flush at exit.
            unsafe { libc::atexit(run) };
        }
    });
}
