//! What we send beside what a platform's own client was recorded to send: every difference is listed with its reason, and
//! one that is listed and not there fails as well.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What is said of one thing, by key.
pub(crate) type Said = BTreeMap<String, Value>;

/// Of which span (`*` for any), what (`+` only ours, `-` only theirs, `~` another value), and why.
pub(crate) type Difference = (&'static str, &'static str, &'static str);

/// What is different of the thing called `name`.
pub(crate) fn differences(name: &str, theirs: &Said, ours: &Said) -> BTreeSet<(String, String)> {
    let keys: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    let sign = |key: &str| match (theirs.get(key), ours.get(key)) {
        (Some(theirs), Some(ours)) if theirs == ours => None,
        (Some(_), Some(_)) => Some('~'),
        (Some(_), None) => Some('-'),
        (None, _) => Some('+'),
    };
    keys.into_iter().filter_map(|key| Some((name.to_owned(), format!("{}{key}", sign(key)?)))).collect()
}

/// Fails unless what is different is what is listed.
pub(crate) fn only_listed<'a>(
    platform: &str,
    mut found: BTreeSet<(String, String)>,
    listed: impl Iterator<Item = &'a Difference>,
) {
    for (span, difference, why) in listed {
        let before = found.len();
        found.retain(|(s, d)| !((s == span || *span == "*") && d == difference));
        assert!(
            found.len() < before,
            "{platform}: {span} no longer has {difference}, which was there because {why}"
        );
    }
    assert!(found.is_empty(), "{platform}: {found:#?}");
}
