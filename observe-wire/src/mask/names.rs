//! Which names mean a secret.
//!
//! A name is taken apart into words: letters, split at everything that is not one (`_`, `-`, spaces, digits) and where
//! capitals begin a word (`apiKey`, `APIKey`). Case does not count. The name means a secret if
//!
//! 1. one of its words, or two that follow each other put together, is in [`SECRETS`], a final `s` aside
//!    (`db_password`, `x-api-key`, `apikey`, `PassWord`, `aws_secret_access_key`, `Set-Cookie`, `credentials`); or
//! 2. its last word is in [`TOKENS`] (`token`, `csrfToken`, `authtoken`), unless the word before `token` says that it is one of
//!    a model's ([`OF_A_MODEL`]: `eos_token`, `cost_per_token`).
//!
//! So what LLMs count stays: `tokens`, `max_tokens`, `token_count`, `tokenizer`, `total_token_usage`. Names longer than
//! [`LONGEST`] are text, not names.

/// Words that mean a secret wherever they stand.
const SECRETS: [u128; 20] = packed([
    "password",
    "passwd",
    "passphrase",
    "secret",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "apikey",
    "accesskey",
    "authkey",
    "privatekey",
    "secretkey",
    "signingkey",
    "encryptionkey",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "clientsecret",
    "setcookie",
]);

/// Words that mean a secret at the end of a name: elsewhere a token is counted, measured or described.
const TOKENS: [u128; 8] = packed([
    "token",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "sessiontoken",
    "idtoken",
    "csrftoken",
    "securitytoken",
]);

/// Words before `token` that make it one of a language model's.
const OF_A_MODEL: [u128; 17] = packed([
    "per",
    "first",
    "last",
    "next",
    "bos",
    "eos",
    "pad",
    "unk",
    "sep",
    "cls",
    "mask",
    "stop",
    "special",
    "image",
    "audio",
    "prompt",
    "completion",
]);

/// The longest name that is looked at, in bytes.
const LONGEST: usize = 128;

/// Whether a value under this name is not to be recorded.
///
/// ```
/// use observe_wire::mask::is_secret;
/// assert!(is_secret("db_password") && is_secret("X-Api-Key"));
/// assert!(!is_secret("max_tokens"));
/// ```
#[inline(always)]
pub fn is_secret(name: &str) -> bool {
    may_be_secret(name) && means_secret(name)
}

/// Rejects most names by the letters they have. Inlined: for a literal the compiler works it out.
#[inline(always)]
fn may_be_secret(name: &str) -> bool {
    if name.len() < "token".len() || name.len() > LONGEST {
        return false;
    }
    // Letters of either case share their low five bits. What else shares them only makes the check let more through.
    let has = name.bytes().fold(0u32, |has, byte| has | 1 << (byte & 31));
    let all = |letters: u32| has & letters == letters;
    // Only as the last word does `token` alone mean a secret: after it come at most digits and signs.
    let ends_like_token =
        || !matches!(name.as_bytes().last(), Some(b'a'..=b'm' | b'o'..=b'z' | b'A'..=b'M' | b'O'..=b'Z'));
    let token = all(letters("token"))
        && (ends_like_token() || all(letters("access")) || all(letters("auth")) || all(letters("refresh")));
    token
        || all(letters("key"))
        || all(letters("cookie"))
        || all(letters("paswd"))
        || all(letters("secrt"))
        || all(letters("passphrase"))
        || all(letters("authoriz"))
        || all(letters("bear"))
        || all(letters("credntial"))
}

const fn letters(word: &str) -> u32 {
    let (mut has, mut at) = (0, 0);
    while at < word.len() {
        has |= 1 << (word.as_bytes()[at] & 31);
        at += 1;
    }
    has
}

#[inline(never)]
fn means_secret(name: &str) -> bool {
    let (mut rest, mut before, mut last) = (name.as_bytes(), Word::default(), Word::default());
    while let Some(word) = next_word(&mut rest) {
        (before, last) = (last, Word::of(word));
        // No word of the list ends in `s`: the singular is enough.
        if SECRETS.contains(&last.singular().letters)
            || SECRETS.contains(&before.then(last).singular().letters)
        {
            return true;
        }
    }
    TOKENS.contains(&last.letters) && !OF_A_MODEL.contains(&before.letters)
}

/// A word in lower case, its first letter in the lowest byte; empty if it has more than 16, which no word of the lists has.
#[derive(Clone, Copy, Default)]
struct Word {
    letters: u128,
    len: usize,
}

impl Word {
    const fn of(word: &[u8]) -> Word {
        let (mut letters, mut at) = (0, word.len());
        if at > 16 {
            return Word { letters, len: 0 };
        }
        while at > 0 {
            at -= 1;
            letters = letters << 8 | word[at].to_ascii_lowercase() as u128;
        }
        Word { letters, len: word.len() }
    }

    fn then(self, next: Word) -> Word {
        if self.len == 0 || next.len == 0 || self.len + next.len > 16 {
            return Word::default();
        }
        Word { letters: self.letters | next.letters << (self.len * 8), len: self.len + next.len }
    }

    /// Without a final `s`.
    fn singular(self) -> Word {
        let Some(len) = self.len.checked_sub(1) else { return self };
        if self.letters >> (len * 8) != u128::from(b's') {
            return self;
        }
        Word { letters: self.letters & !(0xFF << (len * 8)), len }
    }
}

const fn packed<const N: usize>(words: [&str; N]) -> [u128; N] {
    let (mut packed, mut at) = ([0; N], 0);
    while at < N {
        packed[at] = Word::of(words[at].as_bytes()).letters;
        at += 1;
    }
    packed
}

/// Takes the next word from the front. What is not ASCII counts as a letter.
fn next_word<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    let start = rest.iter().position(is_letter)?;
    let name = &rest[start..];
    let ends = |at: usize| match (name[at - 1], name[at], name.get(at + 1)) {
        (_, here, _) if !is_letter(&here) => true,
        (before, b'A'..=b'Z', _) if !before.is_ascii_uppercase() => true,
        (_, b'A'..=b'Z', Some(after)) => after.is_ascii_lowercase(),
        _ => false,
    };
    let end = (1..name.len()).find(|at| ends(*at)).unwrap_or(name.len());
    let (word, left) = name.split_at(end);
    *rest = left;
    Some(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "password passwd passphrase secret api_key apikey API_KEY apiKey APIKey ApiKey APIkey x-api-key openai_apikey \
        access_key accessKeyId aws_secret_access_key private_key privateKeyPem authorization Authorization Proxy-Authorization \
        auth_token access_token refresh_token id_token bearer bearerToken cookie set-cookie Set-Cookie setCookie cookies \
        session_token credential credentials client_secret clientSecret token Token TOKEN csrfToken csrf_token X-Auth-Token \
        db.password password2 new_password PassWord pass_phrase user[password] secrets api_keys token2 access_token_v2 \
        AWS_SESSION_TOKEN idtoken securityToken hf_token webhook_secret_1 oauth2token";

    const PLAIN: &str = "tokens max_tokens token_count tokenizer total_token_usage prompt_tokens completion_tokens tokenCount \
        cached_tokens eos_token cost_per_token first_token time_to_first_token next_token tokenized tokenId maxTokens \
        key keys keyboard primary_key public_key cache_key monkey secretary secretion passage pass bypass author authority \
        authorized auth cook cooking forbear bearing content role description temperature messages id ok name model \
        input_token_details a_p apikeyboard k e y t o k n accredited compass cookbook to_ken keytar";

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in SECRET.split_whitespace() {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_secrets_stay() {
        for name in PLAIN.split_whitespace() {
            assert!(!is_secret(name), "{name}");
        }
        assert!(!is_secret(&"password ".repeat(20)), "text is not a name");
        assert!(!is_secret(""));
    }

    #[test]
    fn the_quick_check_lets_every_word_of_the_lists_through() {
        for word in words_of(&[&SECRETS, &TOKENS]) {
            assert!(may_be_secret(&word) && may_be_secret(&word.to_uppercase()), "{word}");
        }
    }

    fn words_of(lists: &[&[u128]]) -> Vec<String> {
        let unpacked =
            lists.concat().into_iter().map(|word| String::from_utf8(word.to_le_bytes().to_vec()).unwrap());
        unpacked.map(|word| word.trim_end_matches('\0').to_owned()).collect()
    }

    fn parts() -> Vec<String> {
        let more = ["key", "api", "Pass", "word", "é", "1", ""].map(str::to_owned);
        [words_of(&[&SECRETS, &TOKENS, &OF_A_MODEL]), more.to_vec()].concat()
    }

    proptest! {
        #[test]
        fn the_quick_check_rejects_nothing_that_the_rule_accepts(
            words in prop::collection::vec(prop::sample::select(parts()), 0..5),
            between in prop::sample::select(vec!["", "_", "-", "1", "."]),
        ) {
            let name = words.join(between);
            prop_assert!(name.len() > LONGEST || may_be_secret(&name) || !means_secret(&name), "{name}");
        }

        #[test]
        fn any_text_may_be_a_name(name in "\\PC{0,40}") {
            let _ = means_secret(&name);
        }
    }
}
