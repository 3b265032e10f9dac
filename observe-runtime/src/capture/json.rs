//! A value as JSON, straight into the caller's bytes: what `serde_json::to_string` writes, byte for byte, without
//! allocating. Where it differs, it does so on purpose:
//!
//! - **Size.** Once [`Limits::bytes`] are written, no further element is serialised. A sequence then ends with
//!   `"$cut: N more"` (`"$cut"` if its length is not known), an object with `"$cut":N` (`"$cut":true`), what an
//!   enum variant holds is `"$cut"`, a string ends with `…[+N bytes]`, raw JSON or a number given as text is
//!   `"$cut: N bytes"`. The compound tells the value so with an error, which ends the value's own loop at once; the
//!   compound around it takes the error for the value's end. Over the cap come at most the element that crossed it,
//!   whose strings are cut to what is left, and the marks and brackets that close the open levels: 128 bytes and 40
//!   for each level, beside the names of that element's fields and variants, which are never cut.
//! - **Depth.** An array or object more than [`Limits::depth`] deep is `"$cut: too deep"`. So is what lies within more
//!   than four times as many `Some`s and newtypes, which write nothing but use up the stack.
//! - **Redaction.** A value under a name that means a secret is `"[redacted]"`, and is not asked for its content. Names
//!   are struct fields, string keys of maps, also of raw JSON, and variants (but for a variant `Token`, which is rather a
//!   model's); in the text of a `Debug` what [`Shown`] tells for one. Not seen: names inside strings, internally or
//!   adjacently tagged variants, pairs in sequences.
//! - **Long strings.** Over 256 bytes they are copied as they are, as the segment [`RAW`], length (`u32`,
//!   little-endian), bytes, which [`render`](observe_wire::journal::render::render) turns into a JSON string. The size cap counts them
//!   as they lie here.
//! - **Locks.** What serde would wait for, as a `Mutex`, is the name of its type: its caller may hold it. See [`locks`].
//! - **Failure.** A value whose `Serialize` fails becomes `{"$error":"<message>"}`, the message cut to 200 bytes. A
//!   failure inside it that its `Serialize` swallows counts too, since half a value may have been written. An error's
//!   message, and raw JSON handed over as a `Display`, are the only things allocated here.
//! - **Raw JSON.** Text in a `RawValue` or a number of arbitrary precision is passed on as it is, but for secrets; only the
//!   byte that marks a raw segment makes it fail. A value that calls itself by their names without the feature is taken for one.

#![forbid(unsafe_code)]

mod compound;
mod error;
mod key;
mod locks;
mod serializer;
#[cfg(test)]
mod tests;

use std::{
    any::type_name,
    fmt::{self, Display, Write},
};

use serde::{Serialize, ser::Error as _};

use self::error::{Error, Message};
use super::{
    is_secret,
    redacted::without_secrets,
    shown::Shown,
    text::{self, Sink},
};

pub(super) use self::locks::waits_to_print;
pub(crate) use observe_wire::journal::entry::RAW_STRING as RAW;

/// Strings longer than this are copied raw.
const RAW_OVER: usize = 256;

/// How much of one value is captured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes after which the value is cut.
    pub(crate) bytes: usize,
    /// Arrays and objects within each other.
    pub(crate) depth: u32,
    /// Whether values under names that mean a secret are left out.
    pub(crate) redact: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: 64 * 1024, depth: 64, redact: true }
    }
}

/// Why a value was not captured whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// It has more bytes than it may.
    Size,
    /// It is deeper than it may be.
    Depth,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// The bytes hold raw segments: they are JSON only after [`render`](observe_wire::journal::render).
    pub(crate) raw: bool,
    /// The first thing that was cut.
    pub(crate) cut: Option<Cut>,
    /// Its `Serialize` failed: the bytes are a placeholder with the error's message.
    pub(crate) failed: bool,
}

/// Writes `value` to the sink as JSON. If the value panics, the caller truncates the sink; nothing else is left behind.
#[inline]
pub(crate) fn capture<S: Sink, T: Serialize + ?Sized>(value: &T, sink: &mut S, limits: Limits) -> Outcome {
    capture_by(sink, limits, |writer| writer.value(value))
}

/// The same of what `write` writes.
#[inline]
pub(crate) fn capture_by<S: Sink>(
    sink: &mut S,
    limits: Limits,
    write: impl FnOnce(&mut Writer<'_, S>) -> Done,
) -> Outcome {
    let start = sink.mark();
    let mut writer = Writer {
        end: start.saturating_add(limits.bytes),
        sink,
        depth: limits.depth,
        layers: limits.depth.saturating_mul(4),
        complete_at: None,
        redact: limits.redact,
        outcome: Outcome::default(),
        failure: None,
    };
    match write(&mut writer) {
        Ok(()) if writer.failure.is_none() => writer.outcome,
        result => writer.conclude(start, result),
    }
}

/// Whether a value was written.
pub(crate) type Done = Result<(), Error>;

/// The state of one capture; `&mut Writer` is the serializer.
pub(crate) struct Writer<'s, S> {
    sink: &'s mut S,
    /// The sink's length from which on elements are cut.
    end: usize,
    /// Arrays and objects that may still be opened.
    depth: u32,
    /// `Some`s and newtypes that may still be entered.
    layers: u32,
    /// The sink's length when a compound closed early, while the error that says so is on its way up.
    complete_at: Option<usize>,
    redact: bool,
    outcome: Outcome,
    failure: Option<Box<Message>>,
}

impl<S: Sink> Writer<'_, S> {
    /// Whether the cap is reached.
    #[inline(always)]
    fn full(&self) -> bool {
        self.sink.len() >= self.end
    }

    fn left(&self) -> usize {
        self.end.saturating_sub(self.sink.len())
    }

    /// Marks a value that closed early: what it returns is an error, and everything is in place.
    #[cold]
    fn complete(&mut self) -> Error {
        self.complete_at = Some(self.sink.len());
        Error(None)
    }

    /// Decides what an error from an inner value means: that it is complete, or that the whole value fails.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, error: Error) -> Done {
        // Taken: the next error is another one.
        if self.complete_at.take() == Some(self.sink.len()) {
            return Ok(());
        }
        if self.failure.is_none() {
            let Error(message) = error;
            self.failure = Some(message.unwrap_or_default());
        }
        Err(Error(None))
    }

    #[cold]
    #[inline(never)]
    fn conclude(mut self, start: usize, result: Done) -> Outcome {
        if let Err(error) = result {
            // What settle returns is in the writer too.
            let _ = self.settle(error);
        }
        let Some(failure) = self.failure else { return self.outcome };
        self.sink.truncate(start);
        self.sink.put(b"{\"$error\":\"");
        text::escape(failure.text().as_bytes(), |piece| self.sink.put(piece));
        self.sink.put(b"\"}");
        Outcome { raw: false, cut: None, failed: true }
    }

    /// Writes a string with its quotes.
    #[inline(never)]
    fn string(&mut self, value: &str) {
        // The shorter ones are copied in other ways. Apart, each has registers enough.
        if !self.plain_string(value, text::copy_and_check_blocks) {
            self.other_string(value);
        }
    }

    #[inline(never)]
    fn other_string(&mut self, value: &str) {
        if value.len() >= text::BLOCK || !self.plain_string(value, text::copy_and_check_few) {
            self.unusual_string(value);
        }
    }

    /// Writes a string, if it is not long, not cut, and `copy`, which says whether anything is to be escaped, finds nothing.
    #[inline(always)]
    fn plain_string(&mut self, value: &str, copy: impl FnOnce(&[u8], &mut [u8]) -> bool) -> bool {
        let len = value.len();
        len <= RAW_OVER
            && self.sink.len().saturating_add(len) <= self.end
            && self.sink.fill(len + 2, |room| match room {
                [open, between @ .., close] => {
                    (*open, *close) = (b'"', b'"');
                    !copy(value.as_bytes(), between)
                }
                _ => false,
            })
    }

    /// A string that is long, cut, or has something to escape.
    #[inline(never)]
    fn unusual_string(&mut self, value: &str) {
        let left = self.left();
        let raw = value.len() > RAW_OVER && left > RAW_OVER;
        // A raw segment's length has 32 bits.
        let head = if raw {
            text::head(value, left.min(u32::MAX as usize - 64))
        } else {
            text::prefix_within(value, left)
        };
        let dropped = value.len() - head.len();
        if dropped > 0 {
            self.outcome.cut.get_or_insert(Cut::Size);
        }
        if raw {
            return self.raw_segment(head, dropped);
        }
        self.sink.put_array([b'"']);
        text::escape(head.as_bytes(), |piece| self.sink.put(piece));
        if dropped > 0 {
            text::put_cut_mark(dropped, |piece| self.sink.put(piece));
        }
        self.sink.put_array([b'"']);
    }

    fn raw_segment(&mut self, head: &str, dropped: usize) {
        let mut len = head.len();
        if dropped > 0 {
            text::put_cut_mark(dropped, |piece| len += piece.len());
        }
        let [a, b, c, d] = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        self.sink.put_array([RAW, a, b, c, d]);
        self.sink.put(head.as_bytes());
        if dropped > 0 {
            text::put_cut_mark(dropped, |piece| self.sink.put(piece));
        }
        self.outcome.raw = true;
    }

    /// Writes what `value` prints as a string with its quotes; `seen` is shown the pieces.
    fn display<T: Display + ?Sized>(&mut self, value: &T, seen: impl FnMut(&str)) -> Done {
        self.print(format_args!("{value}"), seen, None)
    }

    /// Writes what `value` prints for debugging as a string with its quotes.
    #[inline(never)]
    pub(crate) fn debug(&mut self, value: &dyn fmt::Debug) -> Done {
        let shown = self.redact.then(Shown::default);
        self.print(format_args!("{value:?}"), |_| {}, shown)
    }

    /// Writes a text with its quotes, all of it or what is `shown`.
    fn print(&mut self, text: fmt::Arguments<'_>, seen: impl FnMut(&str), shown: Option<Shown>) -> Done {
        self.sink.put_array([b'"']);
        let mut pieces = Pieces { writer: &mut *self, seen, shown, dropped: 0, depth: 0 };
        let mut printed = pieces.write_fmt(text);
        let (dropped, depth) = (pieces.dropped, pieces.depth);
        if depth > DEEPEST_TEXT {
            // The error was ours.
            printed = Ok(());
            self.outcome.cut.get_or_insert(Cut::Depth);
            self.sink.put("…[too deep]".as_bytes());
        }
        if dropped > 0 {
            self.outcome.cut.get_or_insert(Cut::Size);
            text::put_cut_mark(dropped, |piece| self.sink.put(piece));
        }
        self.sink.put_array([b'"']);
        printed.map_err(|_| Error::custom("its Display failed"))
    }

    /// Writes text that is JSON already.
    fn verbatim(&mut self, json: &str) -> Done {
        if json.is_empty() || json.as_bytes().contains(&RAW) {
            return Err(Error::custom("its raw JSON is empty or holds a control character"));
        }
        if json.len() <= self.left() {
            let redacted = if self.redact { without_secrets(json) } else { None };
            let json = redacted.as_deref().unwrap_or(json);
            if json.len() <= self.left() {
                self.sink.put(json.as_bytes());
                return Ok(());
            }
        }
        self.outcome.cut.get_or_insert(Cut::Size);
        self.sink.put(b"\"$cut: ");
        text::put_u64(self.sink, json.len() as u64);
        self.sink.put(b" bytes\"");
        Ok(())
    }

    /// Writes `open`, a name from the program's text, and a colon. Inlined: a literal's check and copy fold to a few
    /// stores.
    #[inline(always)]
    fn name(&mut self, open: u8, name: &'static str) {
        let len = name.len();
        if len <= RAW_OVER
            && self.sink.fill(len + 4, |room| match room {
                [first, quote, between @ .., close, colon] => {
                    (*first, *quote, *close, *colon) = (open, b'"', b'"', b':');
                    !text::copy_and_check(name.as_bytes(), between)
                }
                _ => false,
            })
        {
            return;
        }
        self.unusual_name(open, name);
    }

    #[cold]
    #[inline(never)]
    fn unusual_name(&mut self, open: u8, name: &'static str) {
        self.sink.put_array([open, b'"']);
        text::escape(name.as_bytes(), |piece| self.sink.put(piece));
        self.sink.put_array(*b"\":");
    }

    #[cold]
    #[inline(never)]
    fn redacted(&mut self) {
        self.sink.put(b"\"[redacted]\"");
    }

    /// Whether what a variant holds is a secret. A model's streamed `Token("..")` is not.
    #[inline(always)]
    fn is_secret_variant(&self, name: &'static str) -> bool {
        self.redact && is_secret(name) && !name.eq_ignore_ascii_case("token")
    }

    /// Enters an array or object. If that is too deep, writes so instead.
    #[inline(always)]
    fn descend(&mut self) -> bool {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                true
            }
            None => {
                self.too_deep();
                false
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn too_deep(&mut self) {
        self.outcome.cut.get_or_insert(Cut::Depth);
        self.sink.put(b"\"$cut: too deep\"");
    }

    /// Serialises a value, unless that would be to wait for a lock.
    #[inline(always)]
    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if locks::waits::<T>() {
            return self.display(&format_args!("<{}>", type_name::<T>()), |_| {});
        }
        value.serialize(self)
    }

    /// Serialises what a `Some` or a newtype holds.
    #[inline]
    fn layer<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if self.layers == 0 {
            self.too_deep();
            return Ok(());
        }
        self.layers -= 1;
        let result = self.value(value);
        self.layers += 1;
        result
    }

    #[inline]
    fn boolean(&mut self, value: bool) {
        // Zeros, because whoever looks for secrets may see what is behind the word, and no text.
        let (word, len) = if value { (*b"true\0\0\0\0", 4) } else { (*b"false\0\0\0", 5) };
        if !self.sink.put_padded(word, len) {
            self.sink.put(&word[..len]);
        }
    }

    #[inline]
    fn integer(&mut self, value: i64) {
        if value < 0 {
            self.sink.put_array([b'-']);
        }
        text::put_u64(self.sink, value.unsigned_abs());
    }

    #[inline]
    fn float<F: zmij::Float>(&mut self, finite: F) {
        self.sink.put(zmij::Buffer::new().format_finite(finite).as_bytes());
    }
}

/// Brackets within each other from which on a text is cut: whoever writes it calls itself as deep.
const DEEPEST_TEXT: usize = 256;

/// Takes a `Display`'s pieces until the cap is reached, and counts the rest.
struct Pieces<'a, 's, S, F> {
    writer: &'a mut Writer<'s, S>,
    seen: F,
    /// Of debug text, what is written of it.
    shown: Option<Shown>,
    dropped: usize,
    /// Brackets that are open.
    depth: usize,
}

impl<S: Sink, F: FnMut(&str)> Write for Pieces<'_, '_, S, F> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if self.depth > DEEPEST_TEXT {
            return Err(fmt::Error);
        }
        for byte in piece.bytes() {
            match byte {
                b'(' | b'[' | b'{' => self.depth += 1,
                b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        if self.depth > DEEPEST_TEXT {
            return Err(fmt::Error);
        }
        let Self { writer, seen, shown, dropped, .. } = self;
        seen(piece);
        let mut put = |piece: &str| {
            let head = if *dropped > 0 { "" } else { text::prefix_within(piece, writer.left()) };
            text::escape(head.as_bytes(), |bytes| writer.sink.put(bytes));
            *dropped += piece.len() - head.len();
        };
        match shown {
            Some(shown) => shown.pass(piece, put),
            None => put(piece),
        }
        Ok(())
    }
}
