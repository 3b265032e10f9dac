//! What a value prints for debugging, without what stands there under names of secrets.

use std::fmt::{self, Write};

use super::is_secret;

/// What stands in the text in place of a secret.
const REDACTED: &str = "[redacted]";

/// The longest name that is looked at, in bytes; a longer one means no secret.
const LONGEST: usize = 128;

/// Takes out of debug text, piece by piece, what belongs to a name that means a secret: what follows `name: ` or
/// `"name": ` to the next comma or bracket beside it, and what stands in `Name(..)`, at any depth.
///
/// It knows strings and characters as the standard library prints them, and nothing of the types: of text that somebody
/// prints in another form it may hide too much.
pub(super) struct Shown {
    place: Place,
    name: Name,
    /// A secret comes next, if anything.
    expected: Option<Hidden>,
    hidden: Option<Hidden>,
}

/// A value that is not shown.
#[derive(Clone, Copy)]
struct Hidden {
    /// Brackets that are open in it.
    depth: usize,
    /// Whether it ends at a comma: not so what stands in parentheses.
    at_comma: bool,
    /// Whether a blank was the last of it.
    blank: bool,
}

/// Where in a literal the text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    Text,
    TextEscape,
    Char,
    CharEscape,
    /// Behind the character. An escape may have more of it to come, as `\u{7f}`.
    CharEnd {
        escaped: bool,
    },
}

/// What a character changes.
enum Change {
    Nothing,
    /// It is the first that is not shown.
    Hide,
    /// It is the first that is shown again.
    Show {
        after_blank: bool,
    },
}

impl Default for Shown {
    fn default() -> Self {
        Self { place: Place::Code, name: Name::default(), expected: None, hidden: None }
    }
}

impl Shown {
    /// Gives what is shown of the next piece to `keep`.
    pub(super) fn pass(&mut self, piece: &str, mut keep: impl FnMut(&str)) {
        let mut from = 0;
        for (at, c) in piece.char_indices() {
            match self.take(c) {
                Change::Nothing => {}
                Change::Hide => {
                    keep(piece.get(from..at).unwrap_or_default());
                    keep(REDACTED);
                }
                Change::Show { after_blank } => {
                    from = at;
                    keep(if after_blank { " " } else { "" });
                }
            }
        }
        if self.hidden.is_none() {
            keep(piece.get(from..).unwrap_or_default());
        }
    }

    fn take(&mut self, c: char) -> Change {
        let before = self.place;
        self.place = before.after(c);
        let is_code = self.place == Place::Code && matches!(before, Place::Code | Place::CharEnd { .. });
        let code = if is_code { c } else { '"' };
        if let Some(hidden) = &mut self.hidden {
            return match hidden.take(code) {
                true => Change::Nothing,
                false => {
                    let after_blank = hidden.blank;
                    (self.hidden, self.name) = (None, Name::default());
                    Change::Show { after_blank }
                }
            };
        }
        if let Some(mut hidden) = self.expected {
            match code {
                // What looked like a name was the beginning of a path.
                ':' => self.expected = None,
                ' ' | '\n' => return Change::Nothing,
                _ => {
                    self.expected = None;
                    if hidden.take(code) {
                        self.hidden = Some(hidden);
                        return Change::Hide;
                    }
                }
            }
        }
        match code {
            '"' => self.name.take_literal(before, self.place, c),
            ':' | '(' => {
                let at_comma = code == ':';
                let is_secret = self.name.is_secret(at_comma);
                self.expected = is_secret.then_some(Hidden { depth: 0, at_comma, blank: false });
                self.name = Name::default();
            }
            ' ' => self.name.ended = true,
            c if c.is_alphanumeric() || matches!(c, '_' | '-') => self.name.push(c),
            _ => self.name = Name::default(),
        }
        Change::Nothing
    }
}

impl Hidden {
    /// Whether this character, `"` if it is part of a literal, belongs to it.
    fn take(&mut self, code: char) -> bool {
        match code {
            ',' if self.at_comma && self.depth == 0 => return false,
            ')' | ']' | '}' if self.depth == 0 => return false,
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth -= 1,
            _ => {}
        }
        self.blank = code == ' ';
        true
    }
}

impl Place {
    fn after(self, c: char) -> Self {
        match (self, c) {
            (Self::Text, '\\') => Self::TextEscape,
            (Self::Text, '"') => Self::Code,
            (Self::Text | Self::TextEscape, _) => Self::Text,
            (Self::Char, '\\') => Self::CharEscape,
            (Self::Char, _) => Self::CharEnd { escaped: false },
            (Self::CharEscape, _) => Self::CharEnd { escaped: true },
            (Self::CharEnd { .. }, '\'') => Self::Code,
            (Self::CharEnd { escaped: true }, '{' | '}' | '0'..='9' | 'a'..='f') => self,
            (_, '"') => Self::Text,
            (_, '\'') => Self::Char,
            _ => Self::Code,
        }
    }
}

/// The last word or string literal.
struct Name {
    bytes: [u8; LONGEST],
    /// More than there is room for: too long.
    len: usize,
    /// Nothing more belongs to it.
    ended: bool,
}

impl Default for Name {
    fn default() -> Self {
        Self { bytes: [0; LONGEST], len: 0, ended: false }
    }
}

impl Name {
    fn push(&mut self, c: char) {
        if self.ended {
            (self.len, self.ended) = (0, false);
        }
        let end = self.len + c.len_utf8();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            c.encode_utf8(room);
        }
        self.len = end;
    }

    /// A part of a literal, from one place to another.
    fn take_literal(&mut self, before: Place, now: Place, c: char) {
        match (before, now) {
            (Place::Text | Place::TextEscape, Place::Text | Place::TextEscape) => self.push(c),
            (Place::Text, Place::Code) => self.ended = true,
            _ => (self.len, self.ended) = (0, false),
        }
    }

    /// Whether it means a secret, before a colon or else before a parenthesis, to which a name is close. A model's
    /// streamed `Token("..")` is none, as where a value is serialised.
    fn is_secret(&self, before_colon: bool) -> bool {
        let name = self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok());
        name.is_some_and(|name| {
            is_secret(name) && (before_colon || !(self.ended || name.eq_ignore_ascii_case("token")))
        })
    }
}

/// What `value` prints for debugging, without secrets.
pub(crate) fn text(value: &dyn fmt::Debug) -> String {
    struct Text(Shown, String);
    impl Write for Text {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            self.0.pass(piece, |kept| self.1.push_str(kept));
            Ok(())
        }
    }
    let mut text = Text(Shown::default(), String::new());
    // A `Debug` that fails has said what it could.
    let _ = write!(text, "{value:?}");
    text.1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn passed(pieces: &[&str]) -> String {
        let (mut shown, mut text) = (Shown::default(), String::new());
        pieces.iter().for_each(|piece| shown.pass(piece, |kept| text.push_str(kept)));
        text
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    struct Card<'a> {
        number: &'a str,
        password: &'a str,
        inner: Option<Vec<Inner>>,
        last: char,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    struct Inner {
        api_key: Option<(u8, &'static str)>,
        by: BTreeMap<&'static str, [u8; 2]>,
        token: Held,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "only printed")]
    enum Held {
        Password(&'static str, u8),
        Token(&'static str),
        Unit,
    }

    fn card() -> Card<'static> {
        let inner = |token| Inner {
            api_key: Some((1, "k, } \" x")),
            by: BTreeMap::from([("authorization", [7, 8]), ("max_tokens", [5, 6])]),
            token,
        };
        let inner = Some(vec![inner(Held::Unit), inner(Held::Password("deep", 3))]);
        Card { number: "41", password: "hun\"ter2, '}'", inner, last: '"' }
    }

    #[test]
    fn values_under_names_of_secrets_are_taken_out_at_any_depth() {
        let inner = r#"Inner { api_key: [redacted], by: {"authorization": [redacted], "max_tokens": [5, 6]}, token: [redacted] }"#;
        assert_eq!(
            text(&card()),
            format!(
                r#"Card {{ number: "41", password: [redacted], inner: Some([{inner}, {inner}]), last: '"' }}"#
            )
        );
        assert_eq!(
            text(&[Held::Password("a", 1), Held::Token("b")]),
            r#"[Password([redacted]), Token("b")]"#
        );
    }

    #[test]
    fn the_form_of_many_lines_is_known_too() {
        let shown = passed(&[&format!("{:#?}", card())]);
        assert!(shown.contains("number: \"41\",\n    password: [redacted],\n    inner: Some("), "{shown}");
        assert!(
            shown.contains("\"max_tokens\": [\n") && shown.contains("\"authorization\": [redacted],\n"),
            "{shown}"
        );
        for secret in ["hun", "k, }", "deep", "7", "8"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[test]
    fn what_only_looks_like_it_stays() {
        for text in [
            r#"Path { of: token::Kind, note: "password: x, (secret: y)" }"#,
            r#"Usage { max_tokens: 5, c: ':', d: '\'', e: '\u{7f}', f: '"' } password"#,
            "don't, or won't (cannot): it's ''' all",
            "Token(5) primary_key: 1, key(2), cookies()",
        ] {
            assert_eq!(passed(&[text]), text);
        }
    }

    #[test]
    fn what_somebody_prints_otherwise_hides_its_secrets_too() {
        for (text, expected) in [
            ("password=1, password:hunter2 and more", "password=1, password:[redacted]"),
            ("x-api-key : abc; d", "x-api-key : [redacted]"),
            ("secret: , a: 1", "secret: , a: 1"),
            ("{ secret: (a, b) , c: 1 }", "{ secret: [redacted] , c: 1 }"),
            (
                "it's password: '\\'', x: 'a', \"cookie\": ''', y",
                "it's password: [redacted], x: 'a', \"cookie\": [redacted], y",
            ),
        ] {
            assert_eq!(passed(&[text]), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "([a-z]{1,3}|password|token|[(){}\\[\\],:'\" \\\\]|é){0,40}", cuts in prop::collection::vec(0usize..200, 0..8)) {
            let mut pieces = vec![&*text];
            for cut in cuts {
                let last = pieces.pop().unwrap_or_default();
                match last.split_at_checked(cut % (last.len() + 1)) {
                    Some((head, rest)) => pieces.extend([head, rest]),
                    None => pieces.push(last),
                }
            }
            prop_assert_eq!(passed(&pieces), passed(&[&text]));
        }

        #[test]
        fn no_password_is_shown(password in "\\PC{1,20}", around in "[a-z]{0,5}") {
            #[derive(Debug)]
            #[expect(dead_code, reason = "only printed")]
            struct Login<'a> { user: &'a str, password: &'a str, by: BTreeMap<&'a str, &'a str>, end: u8 }
            let login = Login { user: &around, password: &password, by: BTreeMap::from([("secret", &*password)]), end: 9 };
            let expected = format!("Login {{ user: {around:?}, password: [redacted], by: {{\"secret\": [redacted]}}, end: 9 }}");
            prop_assert_eq!(text(&login), expected);
        }
    }
}
