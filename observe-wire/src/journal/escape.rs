//! The bytes of a string as they stand in a JSON string.

/// How many bytes are looked at side by side: an array of this size becomes a vector register.
pub const BLOCK: usize = 16;

/// Copies `from` to the start of `to`. True if a byte in it needs escaping. `to` must be at least as long; if it is not,
/// nothing is copied and the answer is true.
#[inline(always)]
pub fn copy_and_check(from: &[u8], to: &mut [u8]) -> bool {
    if from.len() < BLOCK { copy_and_check_few(from, to) } else { copy_and_check_blocks(from, to) }
}

/// [`copy_and_check`] of at least a [`BLOCK`], of which each is one step, the last one overlapping those before. Of less,
/// it does not say that nothing needs escaping.
#[inline(always)]
pub fn copy_and_check_blocks(from: &[u8], to: &mut [u8]) -> bool {
    let (Some(to), Some(tail)) = (to.get_mut(..from.len()), from.last_chunk::<BLOCK>()) else { return true };
    let mut seen = Seen([[0xFF; BLOCK]; 2]);
    seen.add(tail);
    for (from, to) in from.as_chunks::<BLOCK>().0.iter().zip(to.as_chunks_mut::<BLOCK>().0) {
        // Read once.
        let block = *from;
        *to = block;
        seen.add(&block);
    }
    put_last(to, tail);
    seen.needs_escape()
}

/// [`copy_and_check`] of less than a [`BLOCK`]. Of more, it does not say that nothing needs escaping.
#[inline(always)]
pub fn copy_and_check_few(from: &[u8], to: &mut [u8]) -> bool {
    let Some(to) = to.get_mut(..from.len()).filter(|to| to.len() < BLOCK) else { return true };
    if let (Some(head), Some(tail)) = (from.first_chunk::<8>(), from.last_chunk::<8>()) {
        put_first(to, head);
        put_last(to, tail);
        return (mask8(u64::from_le_bytes(*head)) | mask8(u64::from_le_bytes(*tail))) != 0;
    }
    if let (Some(head), Some(tail)) = (from.first_chunk::<4>(), from.last_chunk::<4>()) {
        put_first(to, head);
        put_last(to, tail);
        let word = u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32;
        return mask8(word) != 0;
    }
    // Three at the most: the first, the one in the middle, and the last.
    let mut found = false;
    for at in [0, from.len() / 2, from.len().saturating_sub(1)] {
        if let (Some(from), Some(to)) = (from.get(at), to.get_mut(at)) {
            *to = *from;
            found |= must_escape(*from);
        }
    }
    found
}

#[inline(always)]
fn put_first<const N: usize>(to: &mut [u8], bytes: &[u8; N]) {
    if let Some(to) = to.first_chunk_mut() {
        *to = *bytes;
    }
}

#[inline(always)]
fn put_last<const N: usize>(to: &mut [u8], bytes: &[u8; N]) {
    if let Some(to) = to.last_chunk_mut() {
        *to = *bytes;
    }
}

/// What tells of all blocks that were looked at whether a byte needs escaping: two steps for each, and one test behind them.
/// The least of each place, once with control characters and the quote turned to what is no more than a space, and once
/// with the backslash turned to zero.
struct Seen([[u8; BLOCK]; 2]);

impl Seen {
    #[inline(always)]
    fn add(&mut self, block: &[u8; BLOCK]) {
        for (least, turn) in self.0.iter_mut().zip([b'"' ^ b' ', b'\\']) {
            for (least, byte) in least.iter_mut().zip(block) {
                *least = (*least).min(byte ^ turn);
            }
        }
    }

    #[inline(always)]
    fn needs_escape(&self) -> bool {
        let [quotes, backslashes] = &self.0;
        let mut found = [0; BLOCK];
        for (found, (quote, backslash)) in found.iter_mut().zip(quotes.iter().zip(backslashes)) {
            *found = if *quote <= b' ' || *backslash == 0 { 0xFF } else { 0 };
        }
        found.iter().fold(0, |any, byte| any | byte) != 0
    }
}

#[inline(always)]
fn must_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of each byte that needs escaping. The lowest one set is right; a borrow may set ones above it.
#[inline(always)]
fn mask8(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * 0x5C)).wrapping_sub(ONES);
    (control | quote | backslash) & !word & (ONES * 0x80)
}

#[inline(always)]
fn needs_escape(block: &[u8; BLOCK]) -> bool {
    let mut seen = Seen([[0xFF; BLOCK]; 2]);
    seen.add(block);
    seen.needs_escape()
}

/// Where the first byte that needs escaping is, or the length.
fn clean_length(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<BLOCK>();
    let mut at = chunks.iter().take_while(|chunk| !needs_escape(chunk)).count() * BLOCK;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let mask = mask8(u64::from_le_bytes(*word));
        if mask != 0 {
            return at + mask.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    bytes.iter().skip(at).position(|byte| must_escape(*byte)).map_or(bytes.len(), |found| at + found)
}

/// Gives the pieces of the escaped form of `bytes`, without the quotes around it, one after another.
#[inline]
pub fn escape(mut bytes: &[u8], mut put: impl FnMut(&[u8])) {
    loop {
        let (clean, rest) = bytes.split_at(clean_length(bytes));
        if !clean.is_empty() {
            put(clean);
        }
        let Some((byte, rest)) = rest.split_first() else { return };
        let (escaped, len) = escaped(*byte);
        put(&escaped[..len]);
        bytes = rest;
    }
}

/// How many bytes `byte` takes in a JSON string.
#[inline]
pub fn escaped_len(byte: u8) -> usize {
    if must_escape(byte) { escaped(byte).1 } else { 1 }
}

/// The escape sequence for a byte that needs one, and its length.
fn escaped(byte: u8) -> ([u8; 6], usize) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            return ([b'\\', b'u', b'0', b'0', digits[0], digits[1]], 6);
        }
    };
    ([b'\\', short, 0, 0, 0, 0], 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_needs_escaping_is_found_wherever_it_stands() {
        for byte in 0..=255 {
            for len in 1..80 {
                for at in 0..len {
                    let mut from = vec![b'x'; len];
                    from[at] = byte;
                    let mut to = vec![0; len];
                    assert_eq!(copy_and_check(&from, &mut to), must_escape(byte), "{byte} at {at} of {len}");
                    assert_eq!(to, from);
                    assert_eq!(clean_length(&from), if must_escape(byte) { at } else { len });
                }
            }
        }
    }
}
