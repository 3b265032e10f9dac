//! What we say to whoever runs the host: one line on stderr, once per matter.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Says one thing once.
#[derive(Debug)]
pub(crate) struct Once(AtomicBool);

impl Once {
    /// Nothing said yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Prints `observe: <text>` on stderr, the first time. A closed stderr is no fault.
    pub(crate) fn say(&self, text: &str) {
        if !self.0.swap(true, Ordering::Relaxed) {
            say(text);
        }
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

/// Prints `observe: <text>` on stderr, unless the same text was said before.
pub fn say_once(text: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
        say(text);
    }
}

/// Prints `observe: <text>` on stderr.
pub fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "observe: {text}");
}
