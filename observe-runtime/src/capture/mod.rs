//! How a value becomes JSON in the journal: by `Serialize` if its type has it, else by `Debug`, else by its type's name.
//!
//! Which of them is decided by the compiler, at the call the macro writes: see [`probe`]. No bound is ever asked of the
//! user's types.

mod error;
mod json;
mod pen;
mod probe;
mod redacted;
mod shown;
mod text;
mod tied;

#[cfg(feature = "delivery")]
pub(crate) use error::chain;
pub(crate) use error::{ByRef, failure};
pub(crate) use pen::Capture;
pub use probe::{probe, problem, returned};
pub use redacted::Redacted;
pub(crate) use shown::text as debug_text;
pub use tied::{Family, argument_tied};

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
};

use observe_model::Json;
use observe_wire::journal::{lenient, render::render};
use serde::Serialize;

use self::{json::Outcome, pen::Pen};
pub(crate) use self::{
    json::{Limits, Writer},
    text::Sink,
};
use crate::{
    journal::{self, Desk, Draft},
    site::Key,
};
pub(crate) use observe_wire::mask::is_secret;

/// Bytes of one value that are captured unless the settings say otherwise.
pub(crate) const DEFAULT_LIMIT: usize = 1024 * 1024;

static LIMIT: AtomicUsize = AtomicUsize::new(DEFAULT_LIMIT);

/// The same, less what is written without a look at it.
static LIMIT_AT_ONCE: AtomicUsize = AtomicUsize::new(DEFAULT_LIMIT - journal::SHORT);

/// What stands in place of a secret.
pub(crate) const REDACTED: &[u8] = br#""[redacted]""#;

/// Sets how many bytes of one value are captured.
pub(crate) fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
    LIMIT_AT_ONCE.store(bytes.saturating_sub(journal::SHORT), Ordering::Relaxed);
}

/// How many bytes of one value are captured.
#[inline]
pub(crate) fn limit() -> usize {
    LIMIT.load(Ordering::Relaxed)
}

/// How far in an entry can be written what is not over the cap of any value in it.
#[inline]
pub(crate) fn limit_at_once() -> usize {
    LIMIT_AT_ONCE.load(Ordering::Relaxed)
}

/// Writes `value` as JSON to the draft. Whatever goes wrong in it costs this value only.
pub(crate) fn put<T: Serialize + ?Sized>(draft: &mut Draft<'_>, value: &T) {
    put_any(draft, &probe(value));
}

/// [`put`] of a value of any type.
pub(crate) fn put_any(draft: &mut Draft<'_>, value: &dyn Capture) {
    put_here::<0>(draft, value);
}

/// [`put_any`], compiled where it is called.
// The guard is no call as long as one place alone sets it: whoever calls this gives a `PLACE` of its own.
#[inline(always)]
pub(crate) fn put_here<const PLACE: u8>(draft: &mut Draft<'_>, value: &dyn Capture) {
    let Draft { desk, at } = draft;
    *at = match catch_unwind(AssertUnwindSafe(|| put_unguarded(desk, *at, value))) {
        Ok(at) => at,
        Err(panic) => put_panicked(desk, *at, panic),
    };
}

/// [`put_here`] of each of `values` behind its name, unless that means a secret. Under one guard, which is set again behind
/// a value that panicked.
#[inline(always)]
pub(crate) fn put_each<const PLACE: u8>(draft: Draft<'_>, names: &[Key], values: &[&dyn Capture]) -> usize {
    let Draft { desk, mut at } = draft;
    let mut pairs = names.iter().zip(values);
    while let Err(panic) = catch_unwind(AssertUnwindSafe(|| {
        for (name, value) in &mut pairs {
            let (behind, is_to_follow) = name.put(&mut desk.sink, at);
            at = behind;
            if is_to_follow {
                at = put_unguarded(desk, at, *value);
            }
        }
    })) {
        at = put_panicked(desk, at, panic);
    }
    at
}

#[inline(always)]
fn put_unguarded(desk: &mut Writer<Desk>, at: usize, value: &dyn Capture) -> usize {
    let (end, Outcome { raw, .. }) = desk.one(at, |at| value.capture(Pen(at)).0);
    if raw {
        desk.sink.mark_raw();
    }
    end
}

/// Apart, with the drop of what was thrown, so that the way of all others is short.
#[cold]
#[inline(never)]
fn put_panicked(desk: &mut Writer<Desk>, at: usize, panic: Box<dyn Any + Send>) -> usize {
    drop(panic);
    desk.reset();
    desk.sink.put(at, PANICKED)
}

/// What is shown for a value that panicked.
const PANICKED: &[u8] = br#"{"$error":"panicked while it was captured"}"#;

/// Appends `value` to `bytes` as [`put`] writes it to a draft; whether the bytes hold raw segments. Nothing that it calls
/// is recorded.
pub(crate) fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> bool {
    let before = bytes.len();
    let limits = Limits { bytes: LIMIT.load(Ordering::Relaxed), ..Limits::default() };
    let captured = journal::unrecorded(|| {
        catch_unwind(AssertUnwindSafe(|| json::capture(value, &mut *bytes, before, limits)))
    });
    match captured {
        Ok((_, Outcome { raw, .. })) => raw,
        Err(_) => {
            bytes.truncate(before);
            bytes.extend_from_slice(PANICKED);
            false
        }
    }
}

/// `value` as JSON text, redacted and bounded like any other; null if it fails.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Json {
    let limits = Limits { bytes: limit(), ..Limits::default() };
    let mut bytes = Vec::new();
    let captured = journal::unrecorded(|| {
        catch_unwind(AssertUnwindSafe(|| json::capture(value, &mut bytes, 0, limits)))
    });
    match captured {
        Ok(_) => Json::from_text(render(&bytes)),
        Err(_) => Json::default(),
    }
}

/// `value` as a JSON value, redacted and bounded like any other; null if it fails.
pub(crate) fn to_value<T: Serialize + ?Sized>(value: &T) -> serde_json::Value {
    lenient::read(to_json(value).as_str()).unwrap_or_default()
}

/// Writes what `value` prints as a JSON string.
pub(crate) fn put_text(draft: &mut Draft<'_>, value: &dyn fmt::Display) {
    struct Text<'a>(&'a dyn fmt::Display);
    impl Serialize for Text<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self.0)
        }
    }
    put(draft, &Text(value));
}
