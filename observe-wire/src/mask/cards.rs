//! Card numbers: thirteen to nineteen digits that pass Luhn's check.

use std::ops::Range;

use super::patterns::{begins_word, find, run};

/// Card numbers in `bytes`: as one run of digits, or in the groups that are printed on cards.
pub(super) fn cards(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = find(bytes, at, |byte| byte.is_ascii_digit()) {
        let end = begin + run(bytes, begin, |byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
        at = end;
        // A run may hold more than numbers of cards: dates and counts with spaces between.
        let mut from = begin;
        while end - from >= 13 {
            match card_at(bytes, from, end) {
                Some(card) => {
                    from = card.end;
                    found.push(card);
                }
                None => from += 1,
            }
        }
    }
    found
}

/// The card number that begins at `begin` and ends at `end` or before.
fn card_at(bytes: &[u8], begin: usize, end: usize) -> Option<Range<usize>> {
    let is_first = matches!(bytes.get(begin), Some(b'2'..=b'6')) && begins_word(bytes, begin);
    if !is_first || matches!(bytes.get(..begin), Some([.., b'.' | b'-' | b'_'])) {
        return None;
    }
    let run_of_card = bytes.get(..end)?;
    let mut groups = [0usize; 5];
    let (mut group, mut stop) = (0, begin);
    while group < groups.len() {
        let length = run(run_of_card, stop, |byte| byte.is_ascii_digit());
        if length == 0 {
            break;
        }
        groups[group] = length;
        (group, stop) = (group + 1, stop + length);
        if is_printed(&groups[..group]) && is_end(bytes, stop) && passes_check(bytes.get(begin..stop)?) {
            return Some(begin..stop);
        }
        stop += 1;
    }
    None
}

/// Whether digits are grouped like this on cards. At any place in memory at least one of the groups has four digits of
/// which the first stands at a multiple of four: what the [`Sieve`](super::Sieve) looks for.
fn is_printed(groups: &[usize]) -> bool {
    matches!(groups, [13..=19] | [4, 4, 4, 4] | [4, 4, 4, 4, 3] | [4, 6, 5] | [4, 6, 4])
}

/// Whether no number or word goes on at `at`.
fn is_end(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..).unwrap_or_default() {
        [b'.' | b'-', after, ..] => !after.is_ascii_digit(),
        [after, ..] => !after.is_ascii_alphanumeric() && *after != b'_',
        [] => true,
    }
}

/// Luhn's check.
fn passes_check(digits: &[u8]) -> bool {
    let digits = digits.iter().rev().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => digit,
            (_, double @ 10..) => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}
