//! What a receiver has to be asked before requests can be addressed to it: the project that keys belong to, or the id of an
//! experiment.

use serde_json::Value;

/// A question, and what its answer says.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    /// Asked one after the other, until one is answered.
    pub(crate) asks: Vec<Ask>,
    /// Which of several is wanted.
    pub(crate) wanted: Option<String>,
    /// What the names stand for, by an answer and the wanted one; an error says what is wrong with the answer.
    pub(crate) read: fn(&Value, Option<&str>) -> Result<Facts, String>,
}

/// Names, and what stands for `{name}` in addresses and headers.
pub(crate) type Facts = Vec<(&'static str, String)>;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(super) url: String,
    /// What is posted; `None` for a `GET`.
    pub(super) body: Option<Value>,
}

impl Ask {
    pub(crate) fn get(url: String) -> Self {
        Self { url, body: None }
    }

    pub(crate) fn post(url: String, body: Value) -> Self {
        Self { url, body: Some(body) }
    }
}

/// Whether something in `text` has to be looked up.
pub(super) fn is_open(text: &str) -> bool {
    text.contains('{')
}

/// `text` with what is known in place of the names.
pub(super) fn fill(text: &str, facts: &Facts) -> String {
    facts.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_and_others_stay() {
        let facts = vec![("project", "p1".to_owned())];
        assert_eq!(fill("/{project}/{trace_id}", &facts), "/p1/{trace_id}");
        assert!(is_open("/{project}") && !is_open("/p1"));
    }
}
