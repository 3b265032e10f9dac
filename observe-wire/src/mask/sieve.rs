//! Tells at a glance where in the journal there is no secret, many spans at once: a fraction of an instruction for a byte.

use std::ops::Range;

use fearless_simd::{Level, Simd, dispatch, i8x32, i64x4, prelude::*, u8x32, u32x8};

/// Bytes in a row, neither blank nor quote, that everything has which [`patterns`](super::patterns) finds, but for card
/// numbers. So many cover eight bytes that begin at a multiple of eight.
pub(super) const RUN: usize = 15;

/// Bytes that are looked at together.
const BLOCK: usize = 512;

/// Bytes that are told apart from others, where there may be a secret in a block.
const LINE: usize = 64;

/// Where nothing can be told to be clean.
const NOWHERE: Range<usize> = Range { start: usize::MAX, end: 0 };

/// Says which parts of a piece of the journal may hold a secret.
///
/// ```
/// use observe_wire::mask::Sieve;
/// let mut sieve = Sieve::default();
/// sieve.look(b"Which of these two rivers is the longer?", 0);
/// assert!(!sieve.may_hold_secrets(0..40));
/// sieve.look(b"The key is sk-a1B2c3D4e5F6g7H8, is it not?", 4);
/// assert!(sieve.may_hold_secrets(4..40));
/// ```
#[derive(Debug)]
pub struct Sieve {
    level: Level,
    /// Where the first line begins.
    from: usize,
    /// The numbers of the lines that may hold a secret, in order.
    suspect: Vec<usize>,
    /// Where none of them is: what was asked of last lies here, and what follows mostly does.
    clean: Range<usize>,
}

impl Default for Sieve {
    fn default() -> Self {
        Self { level: Level::new(), from: 0, suspect: Vec::new(), clean: 0..usize::MAX }
    }
}

impl Sieve {
    /// Looks through `bytes` from `from` on, and forgets what it looked through before.
    pub fn look(&mut self, bytes: &[u8], from: usize) {
        (self.from, self.clean) = (from, 0..0);
        self.suspect.clear();
        let (level, bytes) = (self.level, bytes.get(from..).unwrap_or_default());
        dispatch!(level, simd => look(simd, bytes, &mut self.suspect));
    }

    /// Says from now on that there may be a secret anywhere.
    pub fn suspect_all(&mut self) {
        self.clean = NOWHERE;
    }

    /// Whether a secret may lie in these of the bytes, or cannot be told from what lies beside them.
    #[inline(always)]
    pub fn may_hold_secrets(&mut self, range: Range<usize>) -> bool {
        (range.start < self.clean.start || range.end > self.clean.end) && self.holds_suspect_line(range)
    }

    #[inline(never)]
    fn holds_suspect_line(&mut self, range: Range<usize>) -> bool {
        if self.clean == NOWHERE {
            return true;
        }
        let line = |at: usize| at.saturating_sub(self.from) / LINE;
        let begin = |line: usize| line * LINE + self.from;
        let next = self.suspect.partition_point(|suspect| *suspect < line(range.start));
        if self.suspect.get(next).is_some_and(|suspect| *suspect <= line(range.end)) {
            return true;
        }
        let before = next.checked_sub(1).and_then(|last| self.suspect.get(last));
        self.clean = before.map_or(0, |last| begin(last + 1))
            ..self.suspect.get(next).map_or(usize::MAX, |next| begin(*next));
        false
    }
}

#[inline(always)]
fn look<S: Simd>(simd: S, bytes: &[u8], suspect: &mut Vec<usize>) {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for (at, block) in blocks.iter().enumerate() {
        if is_suspect(simd, block) {
            note(simd, block, at * (BLOCK / LINE), suspect);
        }
    }
    note(simd, rest, blocks.len() * (BLOCK / LINE), suspect);
}

/// Notes the lines of `bytes` that may hold a secret; `first` is the number of the first of them.
#[inline(always)]
fn note<S: Simd>(simd: S, bytes: &[u8], first: usize, suspect: &mut Vec<usize>) {
    let (lines, rest) = bytes.as_chunks::<LINE>();
    let mut last = [0; LINE];
    last.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    for (at, line) in lines.iter().chain([&last]).enumerate() {
        if is_suspect(simd, line) {
            suspect.push(first + at);
        }
    }
}

/// Whether eight bytes of ASCII, neither blank nor quote, begin at a multiple of eight, or four digits at a multiple of
/// four.
#[inline(always)]
fn is_suspect<S: Simd, const N: usize>(simd: S, block: &[u8; N]) -> bool {
    let (none, all) = (i64x4::splat(simd, 0), i64x4::splat(simd, -1));
    let (mut runs, mut digits) = (none, u32x8::splat(simd, u32::MAX));
    for bytes in block.as_chunks::<32>().0 {
        let bytes = u8x32::from_slice(simd, bytes);
        let signed: i8x32<S> = bytes.bitcast();
        let words = signed.simd_gt(b'"' as i8).select(i8x32::splat(simd, -1), i8x32::splat(simd, 0));
        let words: i64x4<S> = words.bitcast();
        runs |= words.simd_eq(all).select(all, none);
        // Nothing is left of a digit.
        let others: u32x8<S> = (bytes ^ b'0').saturating_sub(u8x32::splat(simd, 9)).bitcast();
        digits = digits.min(others);
    }
    // Both at once: two looks would keep the bytes in registers from the first to the second.
    let numbers = digits.simd_eq(0).select(u32x8::splat(simd, u32::MAX), u32x8::splat(simd, 0));
    let numbers: i64x4<S> = numbers.bitcast();
    (runs | numbers).simd_eq(none).any_false()
}
