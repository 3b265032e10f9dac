//! What the C library tells of the process: that it ends in an orderly way, for programs that leave by
//! `std::process::exit` or forget their guard, and that it forks.
#![allow(unsafe_code)]

use std::{
    panic::catch_unwind,
    sync::{Once, OnceLock},
};

/// What to call.
pub(crate) struct Hooks {
    /// When the process exits.
    pub(crate) exit: fn(),
    /// On the thread that forks, before it does.
    pub(crate) before_fork: fn(),
    /// On that thread afterwards.
    pub(crate) forked: fn(),
    /// On its copy, the only thread of the child. Other threads' locks stay as they were, so none may be waited for.
    pub(crate) in_child: fn(),
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Nothing may unwind into C.
fn call(hook: impl FnOnce(&Hooks) -> fn()) {
    if let Some(hooks) = HOOKS.get() {
        let _ = catch_unwind(hook(hooks));
    }
}

extern "C" fn exit() {
    call(|hooks| hooks.exit);
}

#[cfg(unix)]
extern "C" fn before_fork() {
    call(|hooks| hooks.before_fork);
}

#[cfg(unix)]
extern "C" fn forked() {
    call(|hooks| hooks.forked);
}

#[cfg(unix)]
extern "C" fn in_child() {
    call(|hooks| hooks.in_child);
}

/// Has `hooks` called from here on; the first call of this function decides.
pub(crate) fn listen(hooks: Hooks) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        if HOOKS.set(hooks).is_err() {
            return;
        }
        // SAFETY: `exit` has the signature that `atexit` asks for, does not unwind, and is never unloaded before the
        // process ends. A full table makes the call fail, which only costs the flush at exit.
        unsafe { libc::atexit(exit) };
        // SAFETY: as above. Out of memory makes the call fail; then a fork is not noticed.
        #[cfg(unix)]
        unsafe {
            libc::pthread_atfork(Some(before_fork), Some(forked), Some(in_child))
        };
    });
}
