//! The bytes under a captured value: where they go, and how strings and numbers become JSON text.

#![forbid(unsafe_code)]

use observe_wire::journal::escape::escaped_len;
pub(super) use observe_wire::journal::escape::{
    BLOCK, copy_and_check, copy_and_check_blocks, copy_and_check_few, escape,
};

/// Where captured bytes go: the tail of the thread's journal chunk.
///
/// It never fails. When there is no more room it remembers that, swallows what comes, and reports a `len` of
/// `usize::MAX`: every cap is then exceeded, so that the capture stops early.
pub(crate) trait Sink {
    /// Appends what `write` puts into the next `n` bytes, if it says that it did. Else, or if only [`put`](Sink::put) can
    /// find room for them, appends nothing and gives false. `n` is a constant or a bounded string's length.
    fn fill(&mut self, n: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool;

    /// Appends the first `len` of `bytes`, or nothing and gives false, as [`fill`](Sink::fill) does.
    fn put_padded<const N: usize>(&mut self, bytes: [u8; N], len: usize) -> bool;

    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Bytes written to this entry so far.
    fn len(&self) -> usize;

    /// [`len`](Sink::len), also where there is no more room.
    fn mark(&self) -> usize {
        self.len()
    }

    /// Goes back to an earlier `mark`.
    fn truncate(&mut self, len: usize);

    /// Appends a few bytes whose number the compiler knows: no call to `memcpy`.
    #[inline(always)]
    fn put_array<const N: usize>(&mut self, bytes: [u8; N]) {
        if !self.put_padded(bytes, N) {
            put_slowly(self, &bytes);
        }
    }
}

#[cold]
#[inline(never)]
fn put_slowly<S: Sink + ?Sized>(sink: &mut S, bytes: &[u8]) {
    sink.put(bytes);
}

/// For what is captured off the hot path: it is always the sink that finds the room.
impl Sink for Vec<u8> {
    fn fill(&mut self, _n: usize, _write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        false
    }
    fn put_padded<const N: usize>(&mut self, _bytes: [u8; N], _len: usize) -> bool {
        false
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
    if value < 10_000 {
        let (digits, len) = up_to_four(value as usize);
        if sink.put_padded(digits, len) {
            return;
        }
    } else if value < EIGHT {
        let (digits, len) = first_digits(value);
        if sink.put_padded(digits, len) {
            return;
        }
    }
    put_long(sink, value);
}

/// A number of nine to sixteen digits: two eights.
#[inline(never)]
fn put_long<S: Sink>(sink: &mut S, value: u64) {
    let (first, last) = (value / EIGHT, value % EIGHT);
    if first.wrapping_sub(1) < EIGHT - 1 {
        let (digits, len) = first_digits(first);
        let mut both = [0; 16];
        if let Some(to) = both.first_chunk_mut() {
            *to = digits;
        }
        if let Some(to) = both.get_mut(len..).and_then(|to| to.first_chunk_mut()) {
            *to = (eight_digits(last) | ZEROS).to_le_bytes();
        }
        if sink.put_padded(both, len + 8) {
            return;
        }
    }
    put_longer(sink, value);
}

/// A number of up to twenty digits, or one for which there may be no room.
#[inline(never)]
fn put_longer<S: Sink>(sink: &mut S, value: u64) {
    sink.put(itoa::Buffer::new().format(value).as_bytes());
}

/// The two digits of each number below a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut n) = ([[0; 2]; 100], 0);
    while n < 100 {
        pairs[n] = [b'0' + n as u8 / 10, b'0' + n as u8 % 10];
        n += 1;
    }
    pairs
};

/// The digits of a number below 10,000 without leading zeros, and how many they are.
#[inline(always)]
fn up_to_four(value: usize) -> ([u8; 4], usize) {
    if value < 10 {
        return ([b'0' + value as u8, 0, 0, 0], 1);
    }
    let [a, b] = PAIRS.get(value / 100).copied().unwrap_or_default();
    let [c, d] = PAIRS[value % 100];
    match value {
        10..100 => ([c, d, 0, 0], 2),
        100..1000 => ([b, c, d, 0], 3),
        _ => ([a, b, c, d], 4),
    }
}

const ZEROS: u64 = u64::MAX / 255 * b'0' as u64;

/// The digits of a number below 10^8 without leading zeros, and how many they are.
#[inline(always)]
fn first_digits(value: u64) -> ([u8; 8], usize) {
    if value < 10 {
        return ((value | ZEROS).to_le_bytes(), 1);
    }
    let digits = eight_digits(value);
    let leading = digits.trailing_zeros() as usize / 8;
    (((digits | ZEROS) >> (leading * 8)).to_le_bytes(), 8 - leading)
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
