//! What the platforms' own clients sent, and how it differs from what we do.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::recorder::{Recorder, Request};

/// Requests of a client, in the order in which they arrived.
pub(crate) struct Recorded(Vec<Value>);

/// Headers that differ: in all requests by the reason that stands behind.
const HEADERS: &[(&str, &str)] = &[
    ("user-agent", "we say who we are"),
    ("accept", "we say `*/*` by saying it as well or not at all, which means the same"),
    ("accept-encoding", "answers are small: none is asked for compressed"),
    ("connection", "keeping connections is what HTTP/1.1 does unasked"),
    ("x-fern-language", "the language of a generated client, which ours is not"),
    ("host", "the receiver's"),
    ("content-length", "the body's"),
    ("x-langfuse-ingestion-version", "the client names it with spans alone, and elsewhere it means nothing"),
];

/// Values that differ, where the names are the same.
const VALUES: &[(&str, &str)] = &[
    ("x-langfuse-sdk-name", "rust"),
    ("x-langfuse-sdk-version", env!("CARGO_PKG_VERSION")),
    ("x-interactiveai-sdk-name", "rust"),
    ("x-interactiveai-sdk-version", env!("CARGO_PKG_VERSION")),
];

impl Recorded {
    pub(crate) fn read(platform: &str) -> Self {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/platforms/recorded/{platform}.json"));
        Self(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    }

    /// Methods and paths of what was posted, those of one address in a row as one.
    pub(crate) fn posts(&self) -> Vec<String> {
        let posts = self.0.iter().filter(|request| request["method"] == "POST");
        let mut lines: Vec<_> =
            posts.map(|request| format!("POST {}", request["path"].as_str().unwrap())).collect();
        lines.dedup();
        lines
    }

    /// The JSON that was posted to a path.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Value> {
        self.0
            .iter()
            .filter(|request| request["path"] == path)
            .map(|request| request["body"].clone())
            .collect()
    }

    /// The headers of requests to a path, those apart that are no platform's business.
    fn headers(&self, path: &str) -> BTreeSet<(String, String)> {
        let request = self.0.iter().find(|request| request["path"] == path).unwrap();
        let headers = request["headers"].as_object().unwrap().iter();
        let header = |(name, value): (&String, &Value)| (name.clone(), plain(name, value.as_str().unwrap()));
        headers.map(header).filter(|(name, _)| !is_different(name)).collect()
    }
}

/// The value as we send it: with our name in it, and as base64 what was recorded in the clear.
fn plain(name: &str, value: &str) -> String {
    if let Some((_, ours)) = VALUES.iter().find(|(known, _)| *known == name) {
        return (*ours).to_owned();
    }
    match value.strip_prefix("Basic base64(").and_then(|rest| rest.strip_suffix(')')) {
        Some(credentials) => format!("Basic {}", STANDARD.encode(credentials)),
        None => value.to_owned(),
    }
}

fn is_different(name: &str) -> bool {
    HEADERS.iter().any(|(known, _)| *known == name)
}

/// Every request has the headers that the client's has; what we send of the process is what it sends, by these names.
pub(crate) fn compare(recorded: &Recorded, recorder: &Recorder, platform: &str) {
    let of_client: BTreeSet<_> = recorded.0.iter().map(|r| r["path"].as_str().unwrap().to_owned()).collect();
    for request in recorder.requests() {
        let path = request.path.clone();
        assert!(of_client.contains(&path), "{platform}'s client sends nothing to {path}");
        assert_eq!(headers(&request), recorded.headers(&path), "{platform}: {path}");
    }
}

fn headers(request: &Request) -> BTreeSet<(String, String)> {
    let headers = request.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
    headers.filter(|(name, _)| !is_different(name)).collect()
}

/// The fields of our objects that are not the client's, those apart that are different each time.
pub(crate) fn different<'v>(
    pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    own: &[&str],
) -> Vec<(String, Value)> {
    let mut different = Vec::new();
    for (ours, theirs) in pairs {
        let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
        let missing: Vec<_> = theirs.keys().filter(|key| !ours.contains_key(*key)).collect();
        assert!(missing.is_empty(), "{missing:?} of {theirs:?}");
        let differs = |(key, value): &(&String, &Value)| {
            !own.contains(&key.as_str()) && theirs.get(*key) != Some(*value)
        };
        different.extend(ours.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())));
    }
    different
}
