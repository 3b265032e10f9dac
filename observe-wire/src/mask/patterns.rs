//! What a secret looks like: where keys, tokens, private keys, passwords and card numbers stand in a text.
//!
//! Each finder errs on the side of leaving a text alone: a token has a known beginning, a length that real ones
//! have and looks drawn by lot, a card number passes its check, so that prose, code and ids are kept.
//!
//! What is found here has [`RUN`](super::sieve::RUN) bytes in a row that are neither blank nor quote, or is a card number: on
//! that relies the [`Sieve`](super::Sieve).

use std::{ops::Range, sync::LazyLock};

use aho_corasick::{AhoCorasick, MatchKind};

use super::{cards::cards, names::is_secret, sieve::RUN};

/// Bytes of the shortest text that is one: a card number.
const SHORTEST: usize = 13;

/// How a secret begins.
#[derive(Debug, Clone, Copy)]
enum Head {
    /// A key, and how many bytes of it follow at least.
    Key(usize),
    /// An access key of Amazon's: sixteen capitals and digits follow.
    Amazon,
    /// A JSON web token.
    WebToken,
    /// What precedes a credential in an `Authorization`, but for its first letter.
    Scheme,
    /// A PEM block.
    Block,
    /// What precedes user and password in an address.
    Address,
    /// An escape of JSON behind which any of the others may hide.
    Escape,
}

const HEADS: &[(&str, Head)] = &[
    // OpenAI, Anthropic, Langfuse, Stripe and many who followed them
    ("sk-", Head::Key(12)),
    ("pk-", Head::Key(12)),
    ("rk-", Head::Key(12)),
    ("sk_", Head::Key(12)),
    ("pk_", Head::Key(12)),
    ("rk_", Head::Key(12)),
    // GitHub, GitLab
    ("ghp_", Head::Key(16)),
    ("gho_", Head::Key(16)),
    ("ghu_", Head::Key(16)),
    ("ghs_", Head::Key(16)),
    ("ghr_", Head::Key(16)),
    ("github_pat_", Head::Key(16)),
    ("glpat-", Head::Key(16)),
    // Slack
    ("xoxa-", Head::Key(12)),
    ("xoxb-", Head::Key(12)),
    ("xoxc-", Head::Key(12)),
    ("xoxd-", Head::Key(12)),
    ("xoxe-", Head::Key(12)),
    ("xoxo-", Head::Key(12)),
    ("xoxp-", Head::Key(12)),
    ("xoxr-", Head::Key(12)),
    ("xoxs-", Head::Key(12)),
    ("xapp-", Head::Key(12)),
    // Hugging Face, npm, PyPI, Groq, Replicate, Perplexity, xAI
    ("hf_", Head::Key(16)),
    ("npm_", Head::Key(20)),
    ("pypi-", Head::Key(20)),
    ("gsk_", Head::Key(16)),
    ("r8_", Head::Key(16)),
    ("pplx-", Head::Key(16)),
    ("xai-", Head::Key(16)),
    // Google
    ("AIza", Head::Key(30)),
    ("AKIA", Head::Amazon),
    ("ASIA", Head::Amazon),
    ("eyJ", Head::WebToken),
    ("earer ", Head::Scheme),
    ("EARER ", Head::Scheme),
    ("asic ", Head::Scheme),
    ("-----BEGIN ", Head::Block),
    ("://", Head::Address),
    ("\\u00", Head::Escape),
    ("\\/", Head::Escape),
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let texts = HEADS.iter().map(|(text, _)| text);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(texts).ok()
});

/// Gives each head in `bytes` and where it is, until `give` says that this is enough.
fn heads(bytes: &[u8], mut give: impl FnMut(Head, Range<usize>) -> bool) {
    if let Some(search) = &*SEARCH {
        for found in search.find_iter(bytes) {
            let head = HEADS.get(found.pattern().as_usize()).map(|(_, head)| *head);
            if head.is_some_and(|head| give(head, found.range())) {
                return;
            }
        }
    }
}

/// Whether there may be a secret in `payload`: JSON text, or what the journal holds of it. True wherever
/// [`secrets`] finds one in a string of it, or in the text between.
pub(super) fn may_hold_secrets(payload: &[u8]) -> bool {
    if payload.len() < SHORTEST {
        return false;
    }
    let mut may = false;
    heads(payload, |head, at| {
        may = match head {
            Head::Escape => true,
            Head::Block => is_private(payload, at.start),
            _ => secret_at(payload, head, at).is_some(),
        };
        may
    });
    may || any_named(payload) || !cards(payload).is_empty()
}

/// Where secrets stand in `text`, in order and apart from each other. Card numbers only if `with_cards`.
pub(super) fn secrets(text: &str, with_cards: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    if bytes.len() < SHORTEST {
        return Vec::new();
    }
    let mut found = if with_cards { cards(bytes) } else { Vec::new() };
    heads(bytes, |head, at| {
        let secret = match head {
            Head::Block => private_key(bytes, at.start),
            _ => secret_at(bytes, head, at),
        };
        let is_rest = secret.as_ref().is_some_and(|secret| secret.end == bytes.len());
        found.extend(secret);
        is_rest
    });
    found.extend(named(bytes));
    found.sort_by_key(|range: &Range<usize>| range.start);
    found.dedup_by(|next, kept| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
        }
        overlaps
    });
    found
}

/// The secret of which the head is at `at`, if it is one.
fn secret_at(bytes: &[u8], head: Head, at: Range<usize>) -> Option<Range<usize>> {
    match head {
        Head::Key(least) => {
            let length = run(bytes, at.end, is_token);
            let token = bytes.get(at.end..at.end + length)?;
            let is_key = length >= least && begins_word(bytes, at.start) && is_random(token);
            is_key.then_some(at.start..at.end + length)
        }
        Head::Amazon => {
            let length = run(bytes, at.end, is_token);
            let token = bytes.get(at.end..at.end + length)?;
            let is_key =
                length == 16 && token.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            (is_key && begins_word(bytes, at.start)).then_some(at.start..at.end + length)
        }
        Head::WebToken if begins_word(bytes, at.start) => {
            web_token(bytes.get(at.end..)?).map(|length| at.start..at.end + length)
        }
        Head::Scheme => authorization(bytes, at),
        Head::Address => password_of_address(bytes, at),
        Head::WebToken | Head::Block | Head::Escape => None,
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Where the first byte from `at` on stands that satisfies `is`: some bytes at a time, as vectors if the compiler can.
#[inline(always)]
pub(super) fn find(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let is_without = |block: &&[u8; 32]| !block.iter().fold(false, |any, byte| any | is(*byte));
    let skipped = rest.as_chunks::<32>().0.iter().take_while(is_without).count() * 32;
    Some(at + skipped + rest.get(skipped..)?.iter().position(|byte| is(*byte))?)
}

/// How many bytes from `at` on satisfy `is`.
pub(super) fn run(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is(**byte)).count()
}

/// The same backwards, before `at`.
fn run_before(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(..at).unwrap_or_default().iter().rev().take_while(|byte| is(**byte)).count()
}

/// Whether no word goes on before `at`. An escape such as `\n` of a JSON text ends one too.
pub(super) fn begins_word(bytes: &[u8], at: usize) -> bool {
    match bytes.get(..at).unwrap_or_default() {
        [] | [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        [.., before] => !before.is_ascii_alphanumeric(),
    }
}

/// Whether it looks drawn by lot: it has a digit, or small letters and capitals, or a word of a length that none has.
fn is_random(token: &[u8]) -> bool {
    const LONGEST_WORD: usize = 15;
    let small = token.iter().any(u8::is_ascii_lowercase);
    token.iter().any(u8::is_ascii_digit)
        || (small && token.iter().any(u8::is_ascii_uppercase))
        || token.split(|byte| !byte.is_ascii_alphabetic()).any(|word| word.len() > LONGEST_WORD)
}

/// The length of what follows `eyJ` in a JSON web token: three parts with dots between, of which the last may be empty.
fn web_token(rest: &[u8]) -> Option<usize> {
    let header = run(rest, 0, is_token);
    let payload = run(rest, header + 1, is_token);
    let dots = rest.get(header) == Some(&b'.') && rest.get(header + 1 + payload) == Some(&b'.');
    let signature = run(rest, header + payload + 2, is_token);
    (dots && header >= 8 && payload >= 8).then_some(header + payload + 2 + signature)
}

/// What follows `Bearer` or `Basic`.
fn authorization(bytes: &[u8], tail: Range<usize>) -> Option<Range<usize>> {
    const SURE: usize = 32;
    let is_credential = |byte: u8| is_token(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=');
    let begin = tail.start.checked_sub(1)?;
    let from = tail.end + run(bytes, tail.end, |byte| byte == b' ');
    let length = run(bytes, from, is_credential);
    let credential = bytes.get(from..from + length)?;
    let is_scheme = matches!(bytes.get(begin), Some(b'B' | b'b')) && begins_word(bytes, begin);
    let is_secret = length >= RUN && (is_random(credential) || length >= SURE);
    (is_scheme && is_secret).then_some(from..from + length)
}

/// The password of `scheme://user:password@host`.
fn password_of_address(bytes: &[u8], slashes: Range<usize>) -> Option<Range<usize>> {
    let ends = |byte: u8| byte <= b' ' || byte >= 0x7F || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\\');
    let authority = bytes.get(slashes.end..slashes.end + run(bytes, slashes.end, |byte| !ends(byte)))?;
    let user = authority.get(..authority.iter().rposition(|byte| *byte == b'@')?)?;
    let colon = user.iter().position(|byte| *byte == b':').filter(|colon| colon + 1 < user.len())?;
    let scheme = run_before(bytes, slashes.start, |byte| byte.is_ascii_alphanumeric());
    let password = slashes.end + colon + 1..slashes.end + user.len();
    (scheme + "://".len() + authority.len() >= RUN).then_some(password)
}

/// Whether the PEM block that begins at `begin` is one of a private key.
fn is_private(bytes: &[u8], begin: usize) -> bool {
    const LONGEST: usize = 64;
    let line = bytes.get(begin..bytes.len().min(begin + LONGEST)).unwrap_or_default();
    line.windows(11).any(|words| words == b"PRIVATE KEY")
}

/// The PEM block of a private key that begins at `begin`: to its last line, else to the end of the text.
fn private_key(bytes: &[u8], begin: usize) -> Option<Range<usize>> {
    const END: &[u8] = b"-----END ";
    if !is_private(bytes, begin) {
        return None;
    }
    let rest = bytes.get(begin..)?;
    let end = rest.windows(END.len()).position(|words| words == END).map(|end| {
        let label = end + END.len();
        let label = label + run(rest, label, |byte| byte == b' ' || byte.is_ascii_uppercase());
        label + run(rest, label, |byte| byte == b'-')
    });
    let block = begin..begin + end.unwrap_or(rest.len());
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mut lines = bytes.get(block.clone())?.split(|byte| !is_of_key(byte));
    lines.any(|line| line.len() >= RUN).then_some(block)
}

/// Values after the name of a secret and `=`, as in query strings, command lines and logs.
fn named(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    const SHORTEST: usize = 6;
    let ends = |byte: u8| {
        byte <= b' '
            || byte >= 0x7F
            || matches!(byte, b'&' | b'"' | b'\'' | b'\\' | b';' | b',' | b'<' | b'>' | b'(' | b')' | b'=')
    };
    let mut after = 0;
    let signs = std::iter::from_fn(move || {
        let equals = find(bytes, after, |byte| byte == b'=')?;
        after = equals + 1;
        Some(equals)
    });
    signs.filter_map(move |equals| {
        let name = run_before(bytes, equals, is_token);
        let value = run(bytes, equals + 1, |byte| !ends(byte));
        let is_value = value >= SHORTEST && name + 1 + value >= RUN;
        let begin = equals.checked_sub(name).filter(|_| is_value)?;
        // In JSON text the letter of an escape stands before the name, or seems to.
        let may_be_escaped = bytes.get(..begin).is_some_and(|before| before.ends_with(b"\\"));
        let is_name = [begin, begin + usize::from(may_be_escaped)].into_iter().any(|begin| {
            let name = bytes.get(begin..equals).and_then(|name| std::str::from_utf8(name).ok());
            name.is_some_and(is_secret)
        });
        is_name.then_some(equals + 1..equals + 1 + value)
    })
}

fn any_named(bytes: &[u8]) -> bool {
    named(bytes).next().is_some()
}

#[cfg(test)]
#[path = "patterns_tests.rs"]
mod tests;
