//! Which baggage becomes attributes, and the other way round.

use std::sync::OnceLock;

use observe_model::TraceAttributes;
use observe_wire::w3c::Baggage;
use serde_json::Value;

use super::environment;
use crate::{Settings, capture, fork::PerProcess, settings};

/// What the settings say of baggage.
#[derive(Debug)]
pub(super) struct Rules {
    /// Names, or beginnings of names that end in `*`.
    keys: Vec<String>,
    send: bool,
}

static RULES: PerProcess<OnceLock<Rules>> = PerProcess::new(OnceLock::new());

/// Settles what becomes of baggage, and reads what the parent process left in the environment.
pub(crate) fn set_up(settings: &Settings) {
    let rules = Rules { keys: settings.baggage_keys.clone(), send: settings.send_baggage };
    let _ = RULES.get().set(rules);
    environment::read_environment();
}

/// Leaves it to the process from which this one was forked; for its only thread.
pub(crate) fn begin_anew() {
    RULES.renew(OnceLock::new());
    environment::begin_anew();
}

pub(super) fn current() -> &'static Rules {
    RULES.get().get_or_init(|| Rules { keys: settings::baggage_keys(), send: false })
}

/// The beginning of the names that Langfuse's clients write metadata under.
const METADATA: &str = "langfuse_metadata_";

impl Rules {
    fn admits(&self, key: &str) -> bool {
        self.keys.iter().any(|known| match known.strip_suffix('*') {
            Some(beginning) => key.starts_with(beginning),
            None => known == key,
        })
    }

    /// Sets what the listed keys say.
    pub(super) fn read(&self, baggage: &Baggage, attributes: &mut TraceAttributes) {
        for (key, value) in baggage.iter().filter(|(key, value)| self.admits(key) && !value.is_empty()) {
            let text = || Some(value.to_owned());
            match key {
                "session.id" | "langfuse_session_id" => attributes.session = text(),
                "user.id" | "langfuse_user_id" => attributes.user = text(),
                "langfuse_version" => attributes.version = text(),
                "langfuse_trace_name" => attributes.name = text(),
                "langfuse_environment" => attributes.environment = settings::environment(value),
                "langfuse_tags" => tags(value).for_each(|tag| attributes.add_tag(tag)),
                key => {
                    let name = key.strip_prefix(METADATA).unwrap_or(key);
                    let value = if capture::is_secret(name) { "[redacted]" } else { value };
                    attributes.metadata.insert(name.to_owned(), value.into());
                }
            }
        }
    }

    /// What is to be sent: nothing, unless it was turned on.
    pub(super) fn write(&self, arrived: Option<&Baggage>, attributes: Option<&TraceAttributes>) -> Baggage {
        if !self.send {
            return Baggage::default();
        }
        let mut baggage = arrived.cloned().unwrap_or_default();
        let mut set = |key: &str, value: &str| {
            if self.admits(key) {
                baggage.set(key, value);
            }
        };
        let Some(attributes) = attributes else { return baggage };
        let named = [
            ("session.id", &attributes.session),
            ("langfuse_session_id", &attributes.session),
            ("user.id", &attributes.user),
            ("langfuse_user_id", &attributes.user),
            ("langfuse_version", &attributes.version),
            ("langfuse_trace_name", &attributes.name),
            ("langfuse_environment", &attributes.environment),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                set(key, value);
            }
        }
        if !attributes.tags.is_empty() {
            set("langfuse_tags", &attributes.tags.join(","));
        }
        for (name, value) in attributes.metadata.iter().filter(|(name, _)| !capture::is_secret(name)) {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            set(name, &text);
            set(&format!("{METADATA}{name}"), &text);
        }
        baggage
    }
}

/// Tags with commas between, or as Langfuse's Python client writes them: `['a', 'b']`.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    let is_list = text.starts_with('[') && text.ends_with(']');
    let inner = if is_list { &text[1..text.len() - 1] } else { text };
    let bare = move |tag: &'_ str| is_list && tag.len() >= 2 && tag.starts_with(['\'', '"']);
    inner
        .split(',')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(move |tag| if bare(tag) { tag.trim_matches(['\'', '"']) } else { tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_each_client_of_langfuse_writes_them() {
        for text in ["a,b c", "['a', 'b c']", "[\"a\", \"b c\"]", " a , b c ,"] {
            assert_eq!(tags(text).collect::<Vec<_>>(), ["a", "b c"], "{text}");
        }
        assert_eq!(tags("").count(), 0);
        assert_eq!(tags("[]").count(), 0);
        assert_eq!(tags("['").collect::<Vec<_>>(), ["['"]);
    }
}
