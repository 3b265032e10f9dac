//! The bytes under a captured value: where they go, and how strings and numbers become JSON text.

#![forbid(unsafe_code)]

use observe_wire::journal::escape::escaped_len;
pub(super) use observe_wire::journal::escape::{copy_and_check, escape};

/// Where captured bytes go: the tail of the thread's journal chunk.
///
/// It never fails. When there is no more room it remembers that, swallows what comes, and reports a `len` of
/// `usize::MAX`: every cap is then exceeded, so that the capture stops early.
pub(crate) trait Sink {
    /// At least `n` writable bytes that follow what is written, or `None` if only [`put`](Sink::put) can find room for
    /// them. What is written there counts after [`advance`](Sink::advance). `n` is a constant or a bounded string's length.
    fn room(&mut self, n: usize) -> Option<&mut [u8]>;

    /// Keeps the first `n` bytes of the last [`room`](Sink::room), which was asked for at least as many.
    fn advance(&mut self, n: usize);

    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Bytes written to this entry so far.
    fn len(&self) -> usize;

    /// Goes back to an earlier `len`.
    fn truncate(&mut self, len: usize);

    /// Appends a few bytes whose number the compiler knows: no call to `memcpy`.
    #[inline(always)]
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(to) = self.room(N).and_then(|room| room.first_chunk_mut()) {
            *to = bytes;
            return self.advance(N);
        }
        put_slowly(self, &bytes);
    }
}

#[cold]
#[inline(never)]
fn put_slowly<S: Sink + ?Sized>(sink: &mut S, bytes: &[u8]) {
    sink.put(bytes);
}

/// For what is captured off the hot path.
impl Sink for Vec<u8> {
    fn room(&mut self, n: usize) -> Option<&mut [u8]> {
        // A Vec shows its length only through its contents: the bytes past it cannot be lent in safe code.
        let _ = n;
        None
    }
    fn advance(&mut self, _n: usize) {
        unreachable!("no room was given");
    }
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
    fn len(&self) -> usize {
        Vec::len(self)
    }
    fn truncate(&mut self, len: usize) {
        Vec::truncate(self, len);
    }
}

/// How much of `text` has an escaped form of at most `limit` bytes, cut at a character boundary.
pub(super) fn prefix_within(text: &str, limit: usize) -> &str {
    let mut used = 0;
    for (at, byte) in text.bytes().enumerate() {
        used += escaped_len(byte);
        if used > limit {
            return head(text, at);
        }
    }
    text
}

/// The first `len` bytes of `text` or a little less, cut at a character boundary.
pub(super) fn head(text: &str, len: usize) -> &str {
    if len >= text.len() {
        return text;
    }
    // A character has four bytes at most: one of the last four places is a boundary.
    let boundary = (len.saturating_sub(3)..=len).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..boundary).unwrap_or_default()
}

/// Writes what says that `dropped` bytes of a string are not there: `…[+N bytes]`.
pub(super) fn put_cut_mark(dropped: usize, mut put: impl FnMut(&[u8])) {
    put("…[+".as_bytes());
    put(itoa::Buffer::new().format(dropped).as_bytes());
    put(b" bytes]");
}

/// Ten to the power of eight.
const EIGHT: u64 = 100_000_000;

/// Writes an unsigned integer. Not inlined: it would be most of a struct's code.
#[inline(never)]
pub(super) fn put_u64<S: Sink>(sink: &mut S, value: u64) {
    if value < EIGHT
        && let Some(to) = sink.room(8).and_then(|room| room.first_chunk_mut())
    {
        let len = put_head(value, to);
        return sink.advance(len);
    }
    put_long(sink, value);
}

/// A number of nine to sixteen digits: two eights.
#[inline(never)]
fn put_long<S: Sink>(sink: &mut S, value: u64) {
    let (head, tail) = (value / EIGHT, value % EIGHT);
    if head.wrapping_sub(1) < EIGHT - 1
        && let Some(room) = sink.room(16)
        && let Some(to) = room.first_chunk_mut()
    {
        let len = put_head(head, to);
        put_eight(tail, room, len);
        return sink.advance(len + 8);
    }
    put_longer(sink, value);
}

/// A number of up to twenty digits, or one for which there may be no room.
#[inline(never)]
fn put_longer<S: Sink>(sink: &mut S, value: u64) {
    sink.put(itoa::Buffer::new().format(value).as_bytes());
}

const ZEROS: u64 = u64::MAX / 255 * b'0' as u64;

/// Writes a number below 10^8 without leading zeros; gives its length. What follows it in `to` is overwritten.
#[inline(always)]
fn put_head(value: u64, to: &mut [u8; 8]) -> usize {
    if value < 10 {
        to[0] = b'0' + value as u8;
        return 1;
    }
    let digits = eight_digits(value);
    let leading = digits.trailing_zeros() as usize / 8;
    *to = ((digits | ZEROS) >> (leading * 8)).to_le_bytes();
    8 - leading
}

/// Writes all eight digits of a number below 10^8.
#[inline(always)]
fn put_eight(value: u64, room: &mut [u8], at: usize) {
    if let Some(to) = room.get_mut(at..).and_then(|to| to.first_chunk_mut()) {
        *to = (eight_digits(value) | ZEROS).to_le_bytes();
    }
}

/// The eight digits of a number below 10^8, one to a byte, the first in the lowest: halves, then pairs, then digits are
/// divided side by side in one word, each division a multiplication that is exact for its range.
#[inline(always)]
fn eight_digits(value: u64) -> u64 {
    let halves = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let pairs = ((halves - hundreds * 100) << 16) | hundreds;
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    ((pairs - tens * 10) << 8) | tens
}
