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

impl Limits {
    const DEFAULT: Self = Self { bytes: 64 * 1024, depth: 64, redact: true };

    /// `Some`s and newtypes within each other.
    const fn layers(&self) -> u32 {
        self.depth.saturating_mul(4)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
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

/// Writes `value` to the sink as JSON, at this place; where it ends, and what became of it. If the value panics, what was
/// written is of no use, and nothing else is left behind.
pub(crate) fn capture<S, T>(value: &T, sink: S, at: usize, limits: Limits) -> (usize, Outcome)
where
    S: Sink,
    T: Serialize + ?Sized,
{
    Writer::new(sink, limits).one(at, |at| at.value(value))
}

/// Where what was written ends.
pub(crate) type Done = Result<usize, Error>;

/// The state of a capture. Between two values it is as it was made.
pub(crate) struct Writer<S> {
    pub(crate) sink: S,
    limits: Limits,
    /// Where the value begins.
    start: usize,
    /// Arrays and objects that may still be opened.
    depth: u32,
    /// `Some`s and newtypes that may still be entered.
    layers: u32,
    /// Something of what follows is not as it was made.
    noted: bool,
    outcome: Outcome,
    /// Where a compound closed early, while the error that says so is on its way up.
    complete_at: Option<usize>,
    failure: Option<Box<Message>>,
}

/// A place to write at: the serializer. It goes by value from one piece to the next, so that it stays in registers.
pub(crate) struct At<'w, S> {
    writer: &'w mut Writer<S>,
    at: usize,
}

impl<S: Sink> At<'_, S> {
    /// Serialises a value, unless that would be to wait for a lock.
    #[inline(always)]
    pub(crate) fn value<T: Serialize + ?Sized>(self, value: &T) -> Done {
        if locks::waits::<T>() {
            return self.writer.display(self.at, &format_args!("<{}>", type_name::<T>()), |_| {});
        }
        value.serialize(self)
    }

    /// Serialises what a `Some` or a newtype holds.
    #[inline]
    fn layer<T: Serialize + ?Sized>(self, value: &T) -> Done {
        let Self { writer, at } = self;
        if writer.layers == 0 {
            return Ok(writer.too_deep(at));
        }
        writer.layers -= 1;
        let done = At { writer, at }.value(value);
        writer.layers += 1;
        done
    }

    /// Writes what `value` prints for debugging as a string with its quotes.
    pub(crate) fn debug(self, value: &dyn fmt::Debug) -> Done {
        self.writer.debug(self.at, value)
    }
}

impl<S> Writer<S> {
    pub(crate) const fn new(sink: S, limits: Limits) -> Self {
        let outcome = Outcome { raw: false, cut: None, failed: false };
        let (depth, layers) = (limits.depth, limits.layers());
        Self {
            sink,
            limits,
            start: 0,
            depth,
            layers,
            noted: false,
            outcome,
            complete_at: None,
            failure: None,
        }
    }

    /// Makes it ready for another value, behind one that was not written whole.
    #[cold]
    pub(crate) fn reset(&mut self) {
        (self.depth, self.layers) = (self.limits.depth, self.limits.layers());
        (self.noted, self.outcome, self.complete_at, self.failure) = (false, Outcome::default(), None, None);
    }
}

impl<S: Sink> Writer<S> {
    /// Writes one value at this place; where it ends, and what became of it. If it panics, [`Writer::reset`] must follow.
    #[inline(always)]
    pub(crate) fn one(&mut self, at: usize, write: impl FnOnce(At<'_, S>) -> Done) -> (usize, Outcome) {
        self.start = at;
        match write(At { writer: self, at }) {
            Ok(end) if !self.noted => (end, Outcome::default()),
            done => self.conclude(done),
        }
    }

    /// Whether the cap is reached.
    #[inline(always)]
    fn full(&self, at: usize) -> bool {
        !self.sink.is_clear(at) && self.left(at) == 0
    }

    /// How many bytes may be written.
    #[inline(never)]
    fn left(&self, at: usize) -> usize {
        let end = self.start.saturating_add(self.sink.limit(&self.limits));
        if self.sink.is_full() { 0 } else { end.saturating_sub(at) }
    }

    /// What became of the value, to be changed.
    #[cold]
    fn outcome(&mut self) -> &mut Outcome {
        self.noted = true;
        &mut self.outcome
    }

    /// Notes what was cut, if it is the first thing.
    #[cold]
    fn cut(&mut self, cut: Cut) {
        self.outcome().cut.get_or_insert(cut);
    }

    /// Marks a value that closed early at this place: what it returns is an error, and everything is there.
    #[cold]
    fn complete(&mut self, at: usize) -> Error {
        self.noted = true;
        self.complete_at = Some(at);
        Error(None)
    }

    /// Decides what an error from an inner value means: that it is complete, or that the whole value fails.
    #[cold]
    #[inline(never)]
    fn settle(&mut self, error: Error) -> Done {
        // Taken: the next error is another one.
        if let Some(at) = self.complete_at.take() {
            return Ok(at);
        }
        self.noted = true;
        if self.failure.is_none() {
            let Error(message) = error;
            self.failure = Some(message.unwrap_or_default());
        }
        Err(Error(None))
    }

    #[cold]
    #[inline(never)]
    fn conclude(&mut self, done: Done) -> (usize, Outcome) {
        // What settle returns for a failure is here too.
        let mut at = done.or_else(|error| self.settle(error)).unwrap_or(self.start);
        let mut outcome = self.outcome;
        if let Some(failure) = self.failure.take() {
            at = self.sink.put(self.start, b"{\"$error\":\"");
            text::escape(failure.text().as_bytes(), |piece| at = self.sink.put(at, piece));
            at = self.sink.put(at, b"\"}");
            outcome = Outcome { raw: false, cut: None, failed: true };
        }
        self.reset();
        (at, outcome)
    }

    /// Writes a string with its quotes.
    #[inline(never)]
    fn string(&mut self, at: usize, value: &str) -> usize {
        // The shorter ones are copied in other ways. Apart, each has registers enough.
        if self.plain_string(at, value, text::copy_and_check_blocks) {
            return at + value.len() + 2;
        }
        self.other_string(at, value)
    }

    #[inline(never)]
    fn other_string(&mut self, at: usize, value: &str) -> usize {
        if value.len() < text::BLOCK && self.plain_string(at, value, text::copy_and_check_few) {
            return at + value.len() + 2;
        }
        self.unusual_string(at, value)
    }

    /// Writes a string, if it is not long, not cut, and `copy`, which says whether anything is to be escaped, finds nothing.
    #[inline(always)]
    fn plain_string(&mut self, at: usize, value: &str, copy: impl FnOnce(&[u8], &mut [u8]) -> bool) -> bool {
        let len = value.len();
        len <= RAW_OVER
            && self.sink.fill(at, len + 2, |room| match room {
                [open, between @ .., close] => {
                    (*open, *close) = (b'"', b'"');
                    !copy(value.as_bytes(), between)
                }
                _ => false,
            })
    }

    /// A string that is long, cut, or has something to escape, or for which there may be no room.
    #[inline(never)]
    fn unusual_string(&mut self, at: usize, value: &str) -> usize {
        let left = self.left(at);
        let raw = value.len() > RAW_OVER && left > RAW_OVER;
        // A raw segment's length has 32 bits.
        let head = if raw {
            text::head(value, left.min(u32::MAX as usize - 64))
        } else {
            text::prefix_within(value, left)
        };
        let dropped = value.len() - head.len();
        if dropped > 0 {
            self.cut(Cut::Size);
        }
        if raw {
            return self.raw_segment(at, head, dropped);
        }
        let mut at = self.sink.put(at, b"\"");
        text::escape(head.as_bytes(), |piece| at = self.sink.put(at, piece));
        if dropped > 0 {
            text::put_cut_mark(dropped, |piece| at = self.sink.put(at, piece));
        }
        self.sink.put(at, b"\"")
    }

    fn raw_segment(&mut self, at: usize, head: &str, dropped: usize) -> usize {
        let mut len = head.len();
        if dropped > 0 {
            text::put_cut_mark(dropped, |piece| len += piece.len());
        }
        let [a, b, c, d] = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        let mut at = self.sink.put(at, &[RAW, a, b, c, d]);
        at = self.sink.put(at, head.as_bytes());
        if dropped > 0 {
            text::put_cut_mark(dropped, |piece| at = self.sink.put(at, piece));
        }
        self.outcome().raw = true;
        at
    }

    /// Writes what `value` prints as a string with its quotes; `seen` is shown the pieces.
    fn display<T: Display + ?Sized>(&mut self, at: usize, value: &T, seen: impl FnMut(&str)) -> Done {
        self.print(at, format_args!("{value}"), seen, None)
    }

    #[inline(never)]
    fn debug(&mut self, at: usize, value: &dyn fmt::Debug) -> Done {
        let shown = self.limits.redact.then(Shown::default);
        self.print(at, format_args!("{value:?}"), |_| {}, shown)
    }

    /// Writes a text with its quotes, all of it or what is `shown`.
    fn print(
        &mut self,
        at: usize,
        text: fmt::Arguments<'_>,
        seen: impl FnMut(&str),
        shown: Option<Shown>,
    ) -> Done {
        let at = self.sink.put(at, b"\"");
        let mut pieces = Pieces { writer: &mut *self, at, seen, shown, dropped: 0, depth: 0 };
        let mut printed = pieces.write_fmt(text);
        let (mut at, dropped, depth) = (pieces.at, pieces.dropped, pieces.depth);
        if depth > DEEPEST_TEXT {
            // The error was ours.
            printed = Ok(());
            self.cut(Cut::Depth);
            at = self.sink.put(at, "…[too deep]".as_bytes());
        }
        if dropped > 0 {
            self.cut(Cut::Size);
            text::put_cut_mark(dropped, |piece| at = self.sink.put(at, piece));
        }
        at = self.sink.put(at, b"\"");
        printed.map(|()| at).map_err(|_| Error::custom("its Display failed"))
    }

    /// Writes text that is JSON already.
    fn verbatim(&mut self, at: usize, json: &str) -> Done {
        if json.is_empty() || json.as_bytes().contains(&RAW) {
            return Err(Error::custom("its raw JSON is empty or holds a control character"));
        }
        if json.len() <= self.left(at) {
            let redacted = if self.limits.redact { without_secrets(json) } else { None };
            let json = redacted.as_deref().unwrap_or(json);
            if json.len() <= self.left(at) {
                return Ok(self.sink.put(at, json.as_bytes()));
            }
        }
        self.cut(Cut::Size);
        let at = self.sink.put(at, b"\"$cut: ");
        let at = text::put_u64(&mut self.sink, at, json.len() as u64);
        Ok(self.sink.put(at, b" bytes\""))
    }

    /// Writes `open`, a name from the program's text, and a colon. Inlined: a literal's check and copy fold to a few
    /// stores.
    #[inline(always)]
    fn name(&mut self, at: usize, open: u8, name: &'static str) -> usize {
        let len = name.len() + 4;
        if len <= RAW_OVER
            && self.sink.fill(at, len, |room| match room {
                [first, quote, between @ .., close, colon] => {
                    (*first, *quote, *close, *colon) = (open, b'"', b'"', b':');
                    !text::copy_and_check(name.as_bytes(), between)
                }
                _ => false,
            })
        {
            return at + len;
        }
        self.unusual_name(at, open, name)
    }

    #[cold]
    #[inline(never)]
    fn unusual_name(&mut self, at: usize, open: u8, name: &'static str) -> usize {
        let mut at = self.sink.put(at, &[open, b'"']);
        text::escape(name.as_bytes(), |piece| at = self.sink.put(at, piece));
        self.sink.put(at, b"\":")
    }

    #[cold]
    #[inline(never)]
    fn redacted(&mut self, at: usize) -> usize {
        self.sink.put(at, b"\"[redacted]\"")
    }

    /// Whether what a variant holds is a secret. A model's streamed `Token("..")` is not.
    #[inline(always)]
    fn is_secret_variant(&self, name: &'static str) -> bool {
        self.limits.redact && is_secret(name) && !name.eq_ignore_ascii_case("token")
    }

    /// Enters an array or object. If that is too deep, writes so instead, and gives the place behind it.
    #[inline(always)]
    fn descend(&mut self, at: usize) -> Result<(), usize> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => Err(self.too_deep(at)),
        }
    }

    #[cold]
    #[inline(never)]
    fn too_deep(&mut self, at: usize) -> usize {
        self.cut(Cut::Depth);
        self.sink.put(at, b"\"$cut: too deep\"")
    }

    #[inline]
    fn boolean(&mut self, at: usize, value: bool) -> usize {
        // Zeros, because whoever looks for secrets may see what is behind the word, and no text.
        let (word, len) = if value { (*b"true\0\0\0\0", 4) } else { (*b"false\0\0\0", 5) };
        if self.sink.put_padded(at, word) { at + len } else { self.sink.put(at, &word[..len]) }
    }

    #[inline]
    fn integer(&mut self, at: usize, value: i64) -> usize {
        let at = if value < 0 { self.sink.put_array(at, [b'-']) } else { at };
        text::put_u64(&mut self.sink, at, value.unsigned_abs())
    }

    #[inline]
    fn float<F: zmij::Float>(&mut self, at: usize, finite: F) -> usize {
        self.sink.put(at, zmij::Buffer::new().format_finite(finite).as_bytes())
    }
}

/// Brackets within each other from which on a text is cut: whoever writes it calls itself as deep.
const DEEPEST_TEXT: usize = 256;

/// Takes a `Display`'s pieces until the cap is reached, and counts the rest.
struct Pieces<'a, S, F> {
    writer: &'a mut Writer<S>,
    at: usize,
    seen: F,
    /// Of debug text, what is written of it.
    shown: Option<Shown>,
    dropped: usize,
    /// Brackets that are open.
    depth: usize,
}

impl<S: Sink, F: FnMut(&str)> Write for Pieces<'_, S, F> {
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
        let Self { writer, at, seen, shown, dropped, .. } = self;
        seen(piece);
        let mut put = |piece: &str| {
            let head = if *dropped > 0 { "" } else { text::prefix_within(piece, writer.left(*at)) };
            text::escape(head.as_bytes(), |bytes| *at = writer.sink.put(*at, bytes));
            *dropped += piece.len() - head.len();
        };
        match shown {
            Some(shown) => shown.pass(piece, put),
            None => put(piece),
        }
        Ok(())
    }
}
