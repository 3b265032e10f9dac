//! The bytes under a captured value: where they go, and how strings and numbers become JSON text.

#![forbid(unsafe_code)]

use super::json::Limits;
use observe_wire::journal::escape::escaped_len;
pub(super) use observe_wire::journal::escape::{
    BLOCK, copy_and_check, copy_and_check_blocks, copy_and_check_few, escape,
};

/// Where captured bytes go: the tail of the thread's journal chunk. Whoever writes says at which place, and goes on where
/// that ends.
///
/// It never fails. When there is no more room it remembers that, and swallows what comes.
pub(crate) trait Sink {
    /// Whether at once [`SHORT`] bytes can be written at this place without passing a cap. It may be denied where they could.
    fn is_clear(&self, at: usize) -> bool;

    /// Has `write` fill the `n` bytes at this place. False if it says so, or if it is not clear that there is room for them:
    /// then whatever they hold is still to be written. `n` is a constant or a bounded string's length.
    fn fill(&mut self, at: usize, n: usize, write: impl FnOnce(&mut [u8]) -> bool) -> bool;

    /// Writes `bytes`, not all of which need count, at this place, or gives false, as [`fill`](Sink::fill) does.
    fn put_padded<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> bool;

    /// Writes bytes at this place; where they end.
    fn put(&mut self, at: usize, bytes: &[u8]) -> usize;

    /// Whether there was no room for something.
    fn is_full(&self) -> bool;

    /// How many bytes of one value are captured.
    fn limit(&self, limits: &Limits) -> usize {
        limits.bytes
    }

    /// Writes a few bytes whose number the compiler knows: no call to `memcpy`.
    #[inline(always)]
    fn put_array<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> usize {
        if self.put_padded(at, bytes) { at + N } else { put_slowly(self, at, &bytes) }
    }
}

#[cold]
#[inline(never)]
fn put_slowly<S: Sink + ?Sized>(sink: &mut S, at: usize, bytes: &[u8]) -> usize {
    sink.put(at, bytes)
}

/// For what is captured off the hot path: no place is clear, it finds the room for all.
impl Sink for &mut Vec<u8> {
    fn is_clear(&self, _at: usize) -> bool {
        false
    }
    fn fill(&mut self, _at: usize, _n: usize, _write: impl FnOnce(&mut [u8]) -> bool) -> bool {
        false
    }
    fn put_padded<const N: usize>(&mut self, _at: usize, _bytes: [u8; N]) -> bool {
        false
    }
    fn put(&mut self, at: usize, bytes: &[u8]) -> usize {
        self.truncate(at);
        self.extend_from_slice(bytes);
        self.len()
    }
    fn is_full(&self) -> bool {
        false
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

/// Writes an unsigned integer. Not inlined: it would be most of a struct's code.
#[inline(never)]
pub(super) fn put_u64<S: Sink>(sink: &mut S, at: usize, value: u64) -> usize {
    if let Some(digits) = SHORTEST.get(value as usize) {
        // The length is told by the last byte, which is zero where it is written: whoever looks for secrets may see it.
        if value < THOUSAND && sink.put_padded(at, (digits & 0x00FF_FFFF).to_le_bytes()) {
            return at + (digits >> 24) as usize;
        }
    } else if value < THOUSAND * THOUSAND {
        let first = SHORTEST[(value / THOUSAND) as usize % SHORTEST.len()];
        let last = THREES[(value % THOUSAND) as usize];
        let len = (first >> 24) as usize;
        let digits = u64::from(first & 0x00FF_FFFF) | u64::from(last) << (len * 8);
        if sink.put_padded(at, digits.to_le_bytes()) {
            return at + len + 3;
        }
    }
    put_long(sink, at, value)
}

const THOUSAND: u64 = 1000;

/// The three digits of each number below a thousand, the first in the lowest byte.
static THREES: [u32; THOUSAND as usize] = {
    let (mut all, mut n) = ([0; THOUSAND as usize], 0);
    while n < all.len() {
        let digits = [b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8, 0];
        all[n] = u32::from_le_bytes(digits);
        n += 1;
    }
    all
};

/// The same without leading zeros, and in the highest byte how many are left.
static SHORTEST: [u32; THOUSAND as usize] = {
    let (mut all, mut n) = (THREES, 0);
    while n < all.len() {
        let len = if n < 10 {
            1
        } else if n < 100 {
            2
        } else {
            3
        };
        all[n] = all[n] >> ((3 - len) * 8) | len << 24;
        n += 1;
    }
    all
};

/// Ten to the power of eight.
const EIGHT: u64 = 100_000_000;

/// A number of up to sixteen digits: two eights.
#[inline(never)]
fn put_long<S: Sink>(sink: &mut S, at: usize, value: u64) -> usize {
    let (first, last) = (value / EIGHT, value % EIGHT);
    if first == 0 {
        let (digits, len) = first_digits(last);
        if sink.put_padded(at, digits) {
            return at + len;
        }
    } else if first < EIGHT {
        let (digits, len) = first_digits(first);
        let mut both = [0; 16];
        if let Some(to) = both.first_chunk_mut() {
            *to = digits;
        }
        if let Some(to) = both.get_mut(len..).and_then(|to| to.first_chunk_mut()) {
            *to = (eight_digits(last) | ZEROS).to_le_bytes();
        }
        if sink.put_padded(at, both) {
            return at + len + 8;
        }
    }
    put_longer(sink, at, value)
}

/// A number of up to twenty digits, or one for which there may be no room.
#[inline(never)]
fn put_longer<S: Sink>(sink: &mut S, at: usize, value: u64) -> usize {
    sink.put(at, itoa::Buffer::new().format(value).as_bytes())
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
