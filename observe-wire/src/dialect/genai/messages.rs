//! Input and output as the messages of the GenAI conventions, `[{"role", "parts": [{"type", "content"}]}]`, such that
//! what was recorded comes back to the byte.

use std::{borrow::Cow, io::Write as _};

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::dialect::payload::{is_json, literal};

/// How a payload became messages, which stands beside them; without it they are what was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A text: the content of the one message.
    Text,
    /// Any other JSON: as a text the content of the one message.
    Json,
    /// An array of messages with role and content, as chat APIs take them.
    Chat,
    /// An object with such an array under `messages`.
    Messages,
}

impl Form {
    const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Chat, Self::Messages];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Chat => "chat",
            Self::Messages => "messages",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == name)
    }
}

/// A message as the conventions have it.
#[derive(Deserialize)]
struct Conventional {
    #[serde(rename = "role")]
    _role: String,
    #[serde(rename = "parts")]
    _parts: Vec<IgnoredAny>,
}

/// A message as chat APIs take it, where nothing else is said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Chat<'j> {
    #[serde(borrow)]
    pub(crate) role: &'j RawValue,
    #[serde(borrow)]
    pub(crate) content: &'j RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChatInput<'j> {
    #[serde(borrow)]
    messages: Vec<Chat<'j>>,
}

/// The chat messages that `json` consists of and of nothing else.
pub(crate) fn chat(json: &str) -> Option<Vec<Chat<'_>>> {
    chat_of(json).map(|(_, messages)| messages)
}

fn chat_of(json: &str) -> Option<(Form, Vec<Chat<'_>>)> {
    let (form, messages) = match json.as_bytes().first()? {
        b'[' => (Form::Chat, serde_json::from_str(json).ok()?),
        b'{' => (Form::Messages, serde_json::from_str::<ChatInput<'_>>(json).ok()?.messages),
        _ => return None,
    };
    let is_text = |raw: &RawValue| raw.get().starts_with('"');
    let is_chat = |message: &Chat<'_>| is_text(message.role) && is_text(message.content);
    let messages: Vec<Chat<'_>> = messages;
    (!messages.is_empty() && messages.iter().all(is_chat)).then_some((form, messages))
}

/// The messages that `json` is, or that it becomes by saying what `role` says, and how they came to be.
pub(super) fn of<'j>(json: &'j str, role: &str, finish: Option<&str>) -> (Cow<'j, [u8]>, Option<Form>) {
    let has_messages = json.starts_with('[')
        && serde_json::from_str::<Vec<Conventional>>(json).is_ok_and(|messages| !messages.is_empty());
    if has_messages {
        return (Cow::Borrowed(json.as_bytes()), None);
    }
    if let Some((form, messages)) = chat_of(json)
        && rebuilt(form, messages.iter().map(|message| (message.role, message.content))) == json
    {
        let messages = messages.iter().map(|message| (message.role.get(), message.content.get()));
        return (Cow::Owned(written(messages, finish)), Some(form));
    }
    let role = format!("\"{role}\"");
    if literal(json.as_bytes()).is_some() && is_json(json) {
        return (Cow::Owned(written([(role.as_str(), json)].into_iter(), finish)), Some(Form::Text));
    }
    let quoted = serde_json::Value::from(json).to_string();
    (Cow::Owned(written([(role.as_str(), quoted.as_str())].into_iter(), finish)), Some(Form::Json))
}

/// Messages of one text each, by roles and contents that are JSON strings.
fn written<'j>(messages: impl Iterator<Item = (&'j str, &'j str)>, finish: Option<&str>) -> Vec<u8> {
    let finish = finish.map_or_else(String::new, |reason| format!(r#","finish_reason":"{reason}""#));
    let mut out = Vec::new();
    for (n, (role, content)) in messages.enumerate() {
        out.push(if n == 0 { b'[' } else { b',' });
        // Writing to memory cannot fail.
        let _ = write!(out, r#"{{"role":{role},"parts":[{{"type":"text","content":{content}}}]{finish}}}"#);
    }
    out.push(b']');
    out
}

/// Chat messages as a program records them.
fn rebuilt<'j>(form: Form, messages: impl Iterator<Item = (&'j RawValue, &'j RawValue)>) -> String {
    let messages: Vec<_> =
        messages.map(|(role, content)| format!(r#"{{"role":{role},"content":{content}}}"#)).collect();
    let messages = messages.join(",");
    match form {
        Form::Messages => format!(r#"{{"messages":[{messages}]}}"#),
        _ => format!("[{messages}]"),
    }
}

#[derive(Deserialize)]
struct Written<'j> {
    #[serde(borrow)]
    role: &'j RawValue,
    #[serde(borrow)]
    parts: Vec<Part<'j>>,
}

#[derive(Deserialize)]
struct Part<'j> {
    #[serde(borrow)]
    content: &'j RawValue,
}

/// The JSON that became `messages` in this form; `None` if they cannot have been made of any.
pub(super) fn recorded(messages: &str, form: Form) -> Option<String> {
    let messages: Vec<Written<'_>> = serde_json::from_str(messages).ok()?;
    let text = |message: &Written<'_>| message.parts.first().map(|part| part.content.get().to_owned());
    match form {
        Form::Text => messages.first().and_then(text),
        Form::Json => serde_json::from_str(&messages.first().and_then(text)?).ok(),
        Form::Chat | Form::Messages => {
            let parts: Option<Vec<_>> =
                messages.iter().map(|message| Some((message.role, message.parts.first()?.content))).collect();
            Some(rebuilt(form, parts?.into_iter()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_becomes_messages_and_comes_back() {
        for (json, form, expected) in [
            (
                r#""why?""#,
                Some(Form::Text),
                r#"[{"role":"user","parts":[{"type":"text","content":"why?"}]}]"#,
            ),
            (
                r#"{"q":"é"}"#,
                Some(Form::Json),
                r#"[{"role":"user","parts":[{"type":"text","content":"{\"q\":\"é\"}"}]}]"#,
            ),
            (
                r#"[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}]"#,
                Some(Form::Chat),
                r#"[{"role":"system","parts":[{"type":"text","content":"be brief"}]},{"role":"user","parts":[{"type":"text","content":"why?"}]}]"#,
            ),
            (
                r#"{"messages":[{"role":"user","content":"why?"}]}"#,
                Some(Form::Messages),
                r#"[{"role":"user","parts":[{"type":"text","content":"why?"}]}]"#,
            ),
            (r#"[{"role":"user","parts":[]}]"#, None, r#"[{"role":"user","parts":[]}]"#),
            ("[]", Some(Form::Json), r#"[{"role":"user","parts":[{"type":"text","content":"[]"}]}]"#),
        ] {
            let (messages, made) = of(json, "user", None);
            assert_eq!((std::str::from_utf8(&messages).unwrap(), made), (expected, form));
            if let Some(form) = form {
                assert_eq!(recorded(expected, form).as_deref(), Some(json));
                assert_eq!(Form::named(form.as_str()), Some(form));
            }
        }
        // Blanks, another order of keys and other fields would not come back from chat messages.
        for json in [r#"[{"role": "user","content":"why?"}]"#, r#"[{"content":"why?","role":"user"}]"#] {
            let (messages, form) = of(json, "user", Some("stop"));
            assert_eq!(form, Some(Form::Json));
            assert_eq!(recorded(std::str::from_utf8(&messages).unwrap(), Form::Json).as_deref(), Some(json));
        }
        assert_eq!(recorded("[{}]", Form::Text), None);
    }
}
