//! What must not leave the process: secrets told by what they look like, and what the user's own hook takes out.
//!
//! Values under names that mean a secret ([`is_secret`]) are left out where they are captured. Here texts are searched
//! for keys, tokens, private keys, passwords in addresses and card numbers, before anybody is given them. Most of what is
//! recorded holds none: the [`Sieve`] says so of many spans at once.

mod cards;
mod json;
mod names;
mod patterns;
mod sieve;
mod walk;

use std::{borrow::Cow, fmt, sync::Arc};

use observe_model::{Json, Metadata};
use serde_json::Value;

pub use names::is_secret;
pub use sieve::Sieve;

use crate::journal::{Plain, lenient};

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Takes out of a value what is not to be recorded. It must not panic.
pub type Hook = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// Takes secrets out of what was recorded.
///
/// ```
/// use observe_model::{Span, SpanId, Timestamp, TraceId};
/// use observe_wire::mask::Mask;
/// let mut span = Span::begin(TraceId::from_seed("a"), SpanId::from_seed("b"), "pay", Timestamp::now());
/// span.input = Some(r#"{"card":"4111 1111 1111 1111","note":"for tea"}"#.into());
/// Mask::default().span(&mut span);
/// assert_eq!(span.input.as_deref(), Some(r#"{"card":"[redacted]","note":"for tea"}"#));
/// ```
#[derive(Clone)]
pub struct Mask {
    patterns: bool,
    hook: Option<Hook>,
}

/// What looks like a secret is taken out, and no hook asked.
impl Default for Mask {
    fn default() -> Self {
        Self::new(true, None)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mask").field("patterns", &self.patterns).field("hook", &self.hook.is_some()).finish()
    }
}

impl Mask {
    /// Takes out what looks like a secret, if `patterns`, and then asks `hook` about what is left.
    pub fn new(patterns: bool, hook: Option<Hook>) -> Self {
        Self { patterns, hook }
    }

    /// Whether what looks like a secret is taken out.
    pub fn has_patterns(&self) -> bool {
        self.patterns
    }

    /// Whether everything is to be looked at one by one, because there is a hook.
    pub fn has_hook(&self) -> bool {
        self.hook.is_some()
    }

    /// Whether there may be something to take out of a span of which the [`Sieve`] could not say that there is nothing.
    pub fn concerns(&self, span: &Plain<'_>) -> bool {
        self.has_hook() || (self.patterns && span.payloads().any(patterns::may_hold_secrets))
    }

    /// JSON text without what is to be taken out; `None` if it stays as it is.
    fn json(&self, text: &str) -> Option<String> {
        let may = self.patterns && patterns::may_hold_secrets(text.as_bytes());
        let redacted = if may { json::redacted(text) } else { None };
        let Some(hook) = &self.hook else { return redacted };
        let text = redacted.as_deref().unwrap_or(text);
        let before = lenient::read(text).unwrap_or_else(|| Value::from(text));
        let mut value = before.clone();
        hook(&mut value);
        // What is kept stays to the digit.
        if value == before { redacted } else { Some(value.to_string()) }
    }

    /// The same for a text that is no JSON.
    fn text(&self, text: &str) -> Option<String> {
        let redacted = if self.patterns { redacted(text, true) } else { None };
        let Some(hook) = &self.hook else { return redacted };
        let before = Value::from(redacted.as_deref().unwrap_or(text));
        let mut value = before.clone();
        hook(&mut value);
        match value {
            value if value == before => redacted,
            Value::String(text) => Some(text),
            value => Some(value.to_string()),
        }
    }

    /// The same for what things are found by, of which the hook is not asked. It may be as long a number as that of a card.
    fn id(&self, id: &str) -> Option<String> {
        if self.patterns { redacted(id, false) } else { None }
    }

    fn metadata(&self, metadata: &Metadata) -> Option<Metadata> {
        if metadata.is_empty() {
            return None;
        }
        let masked = self.json(Json::of(metadata).as_str())?;
        // A hook may have made something else of it.
        Some(
            lenient::read(&masked)
                .unwrap_or_else(|| Metadata::from_iter([("masked".to_owned(), masked.into())])),
        )
    }
}

/// `text` without the secrets in it; `None` if it has none.
fn redacted(text: &str, with_cards: bool) -> Option<String> {
    let secrets = patterns::secrets(text, with_cards);
    if secrets.is_empty() {
        return None;
    }
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for secret in secrets {
        // Secrets begin and end with ASCII, so both are borders of characters.
        kept.push_str(text.get(from..secret.start).unwrap_or_default());
        kept.push_str(REDACTED);
        from = secret.end;
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    Some(kept)
}

/// Puts what `masked` gives in place of a text, if it gives anything.
fn replace(text: &mut Cow<'_, str>, masked: impl FnOnce(&str) -> Option<String>) {
    if let Some(masked) = masked(text) {
        *text = Cow::Owned(masked);
    }
}

#[cfg(test)]
mod tests;
