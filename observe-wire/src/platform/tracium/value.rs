//! What Tracium takes: names of its characters and lengths, values within its size.

use std::borrow::Cow;

use observe_model::Json;
use serde_json::Value;

/// Bytes of an input or output, in JSON with everything escaped that is not ASCII.
const LARGEST: usize = 100_000;

/// What its client writes for a larger one, and for data in base64 of this length or more.
const OMITTED: &str = "[content omitted: exceeded 100KB]";
const DATA_OMITTED: &str = "[image/data omitted for size]";
const DATA: usize = 2_000;

/// What ends a text that was cut.
const CUT: &str = " (truncated for size)";

/// Fields whose data may be as long as it likes.
const DATA_FIELDS: [&str; 2] = ["audio_b64", "image_b64"];

/// The longest texts that it takes, in characters.
pub(super) const NAME: usize = 512;
pub(super) const AGENT: usize = 256;
pub(super) const MODEL: usize = 256;
pub(super) const WORKSPACE: usize = 256;
pub(super) const VERSION: usize = 128;
pub(super) const TENANT: usize = 255;
pub(super) const TAG: usize = 128;
pub(super) const TAGS: usize = 100;
pub(super) const PROMPT: usize = 10_000;
pub(super) const ERROR: usize = 10_000;

/// Different model calls, scores and metrics that are told of a trace: a choice of ours.
pub(super) const STEPS: usize = 100;

/// What an agent without a name is called, as its client does.
const UNNAMED: &str = "app";

/// The beginning of a text, as many characters as it takes.
pub(super) fn cut(text: &str, longest: usize) -> &str {
    text.char_indices().nth(longest).map_or(text, |(end, _)| &text[..end])
}

/// An agent's name: letters, digits, blanks, `-`, `_` and `.`. Another would be refused, and with it the trace.
pub(super) fn agent_name(name: &str) -> String {
    let is_taken = |c: char| c.is_ascii_alphanumeric() || " -_.".contains(c);
    let name = cut(name.trim(), AGENT).chars().map(|c| if is_taken(c) { c } else { '_' }).collect::<String>();
    if name.is_empty() { UNNAMED.to_owned() } else { name }
}

/// Tags without blanks around them, none twice whatever its case, as many as it takes.
pub(super) fn tags<'a>(tags: impl IntoIterator<Item = Cow<'a, str>>) -> Vec<String> {
    let (mut kept, mut seen) = (Vec::new(), Vec::new());
    for tag in tags {
        let tag = cut(tag.trim(), TAG);
        let lower = tag.to_lowercase();
        if !tag.is_empty() && kept.len() < TAGS && !seen.contains(&lower) {
            kept.push(tag.to_owned());
            seen.push(lower);
        }
    }
    kept
}

/// An input or output within the size that it takes: long data is replaced, a text that is still too long is cut, anything
/// else is left out.
pub(super) fn value(text: &str) -> Json {
    if text.len() < DATA {
        return Json::from_text(text);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        // Nested too deep to be looked at, or no JSON.
        return if text.len() > LARGEST / 6 { Json::of(OMITTED) } else { Json::from_text(text) };
    };
    let has_data = omit_data(&mut value);
    if escaped(text) <= LARGEST && !has_data {
        return Json::from_text(text);
    }
    if let Value::String(text) = &mut value {
        cut_escaped(text);
    }
    let json = Json::of(&value);
    if escaped(json.as_str()) > LARGEST { Json::of(OMITTED) } else { json }
}

/// Bytes of JSON if everything is escaped that is not ASCII.
fn escaped(json: &str) -> usize {
    json.chars().map(escaped_char).sum()
}

fn escaped_char(c: char) -> usize {
    if c.is_ascii() { 1 } else { 6 * c.len_utf16() }
}

/// Cuts a text that is too long once it is escaped and quoted.
fn cut_escaped(text: &mut String) {
    let room = LARGEST - CUT.len() - 2;
    let (mut bytes, mut end) = (0, text.len());
    for (at, c) in text.char_indices() {
        bytes += match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            c if c.is_ascii_control() => 6,
            c => escaped_char(c),
        };
        if bytes <= room {
            end = at + c.len_utf8();
        }
        if bytes > LARGEST - 2 {
            text.truncate(end);
            text.push_str(CUT);
            return;
        }
    }
}

/// Replaces long strings that are data; whether there were any.
fn omit_data(value: &mut Value) -> bool {
    match value {
        Value::String(text) if is_data(text) => {
            *value = DATA_OMITTED.into();
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |found, item| omit_data(item) | found),
        Value::Object(fields) => {
            let fields = fields.iter_mut().filter(|(key, _)| !DATA_FIELDS.contains(&key.as_str()));
            fields.fold(false, |found, (_, field)| omit_data(field) | found)
        }
        _ => false,
    }
}

/// As the client tells it; a long text of plain letters passes for data as well.
fn is_data(text: &str) -> bool {
    let is_base64 = |c: u8| c.is_ascii_alphanumeric() || b"+/=-_\r\n".contains(&c);
    text.len() >= DATA && (text.starts_with("data:") || text.bytes().all(is_base64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags_are_made_such_as_are_taken() {
        assert_eq!(agent_name(" support/bot: émile "), "support_bot_ _mile");
        assert_eq!((agent_name(" "), agent_name(&"a".repeat(300)).len()), ("app".to_owned(), 256));
        assert_eq!(tags(["a ", "A", "", "b"].map(Cow::Borrowed)), ["a", "b"]);
        assert_eq!(tags((0..200).map(|n| n.to_string().into())).len(), 100);
    }

    #[test]
    fn long_data_is_replaced_wherever_it_is() {
        let data = "A".repeat(3000);
        let json = Json::of(&serde_json::json!({
            "img": format!("data:image/png;base64,{data}"), "list": [data], "audio_b64": data, "short": "data:abc",
        }));
        let taken: Value = serde_json::from_str(value(json.as_str()).as_str()).unwrap();
        assert_eq!(taken["img"], DATA_OMITTED);
        assert_eq!((&taken["list"][0], &taken["short"]), (&DATA_OMITTED.into(), &"data:abc".into()));
        assert_eq!(taken["audio_b64"], data);
    }

    #[test]
    fn what_is_too_large_is_cut_if_it_is_a_text_and_else_left_out() {
        for piece in ["word ", "é ", "\"\\ ", "\u{1F600} ", "\u{1} "] {
            let text = Json::of(&piece.repeat(200_000 / piece.len()));
            let taken = value(text.as_str());
            let kept: String = serde_json::from_str(taken.as_str()).unwrap();
            assert!(kept.ends_with(CUT) && escaped(taken.as_str()) <= LARGEST, "{piece}");
            assert!(escaped(taken.as_str()) > LARGEST - 30, "{piece}: {}", escaped(taken.as_str()));
        }
        let list = Json::of(&vec!["a word or two"; 10_000]);
        assert_eq!(value(list.as_str()), Json::of(OMITTED));
        let small = Json::of(&vec!["a word or two"; 1_000]);
        assert_eq!(value(small.as_str()), small);
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        assert_eq!(value(&deep), Json::of(OMITTED));
    }
}
