//! The bytes of a string as they stand in a JSON string.

/// Copies `from` to the start of `to`. True if a byte in it needs escaping. `to` must be at least as long; if it is not,
/// nothing is copied and the answer is true.
///
/// Sixteen bytes at a time, the last ones overlapping those before: arrays of this size become vector registers.
#[inline(always)]
pub fn copy_and_check(from: &[u8], to: &mut [u8]) -> bool {
    let Some(to) = to.get_mut(..from.len()) else { return true };
    if let Some(tail) = from.last_chunk::<16>() {
        let mut found = needs_escape(tail);
        for (from, to) in from.as_chunks::<16>().0.iter().zip(to.as_chunks_mut::<16>().0) {
            *to = *from;
            merge(&mut found, &needs_escape(from));
        }
        put_last(to, tail);
        return any(&found);
    }
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
    let mut found = false;
    for (from, to) in from.iter().zip(to) {
        *to = *from;
        found |= must_escape(*from);
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

/// All ones for each byte that needs escaping.
#[inline(always)]
fn needs_escape(bytes: &[u8; 16]) -> [u8; 16] {
    let mut found = [0; 16];
    for (found, byte) in found.iter_mut().zip(bytes) {
        *found = if must_escape(*byte) { 0xFF } else { 0 };
    }
    found
}

#[inline(always)]
fn merge(into: &mut [u8; 16], from: &[u8; 16]) {
    for (into, from) in into.iter_mut().zip(from) {
        *into |= from;
    }
}

#[inline(always)]
fn any(found: &[u8; 16]) -> bool {
    found.iter().fold(0, |any, byte| any | byte) != 0
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

/// Where the first byte that needs escaping is, or the length.
fn clean_length(bytes: &[u8]) -> usize {
    let (chunks, _) = bytes.as_chunks::<16>();
    let mut at = chunks.iter().take_while(|chunk| !any(&needs_escape(chunk))).count() * 16;
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
