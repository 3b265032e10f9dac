//! How a value becomes JSON in the journal: by `Serialize` if its type has it, else by `Debug`, else by its type's name.
//!
//! Which of them is decided by the compiler, at the call the macro writes: method look-up on a [`Probe`] behind four
//! references finds the trait that needs the fewest dereferences first. No bound is ever asked of the user's types.

mod error;
mod probe;

pub use error::{
    Fork, ProbeError, ViaDebugError, ViaDeref, ViaDisplay, ViaError, ViaNameError, ViaPlain, ViaResult,
};
pub use probe::{Probe, Slot, ViaDebug, ViaName, ViaSerialize, ViaUnit};

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use serde::Serialize;

use crate::journal::Draft;

/// Writes `value` as JSON to the draft. Whatever goes wrong in it costs this value only.
pub(crate) fn put<T: Serialize + ?Sized>(draft: &mut Draft, value: &T) {
    let before = draft.len();
    let done = catch_unwind(AssertUnwindSafe(|| serde_json::to_writer(Out(draft), value)));
    let problem = match done {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "panicked while it was captured".to_owned(),
    };
    draft.truncate(before);
    put_problem(draft, &problem);
}

struct Out<'a>(&'a mut Draft);

impl std::io::Write for Out<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.put(buf);
        Ok(buf.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn put_problem(draft: &mut Draft, problem: &str) {
    let _ = serde_json::to_writer(Out(draft), &serde_json::json!({ "$error": problem }));
}

/// Writes what `value` prints as a JSON string.
pub(crate) fn put_text(draft: &mut Draft, value: &dyn fmt::Display) {
    struct Text<'a>(&'a dyn fmt::Display);
    impl Serialize for Text<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self.0)
        }
    }
    put(draft, &Text(value));
}
