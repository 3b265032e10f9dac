//! What we say to whoever runs the host: one line on stderr, once per matter.

use std::sync::atomic::{AtomicBool, Ordering};

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

/// Prints `observe: <text>` on stderr.
pub fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "observe: {text}");
}
