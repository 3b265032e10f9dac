//! Secrets, and how they are searched for.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses a part of it")]

/// Secrets, put together here, so that no scanner takes this file for a leak.
pub fn corpus() -> Vec<String> {
    let tail = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4";
    let dashes = "-----";
    let key = format!("sk-{tail}");
    vec![
        key.clone(),
        format!("sk-proj-{tail}"),
        format!("sk-ant-api03-{tail}"),
        format!("pk-lf-{tail}"),
        format!("ghp_{tail}"),
        format!("github_pat_{tail}"),
        format!("xoxb-1234567890-{tail}"),
        format!("AKIA{}", "IOSFODNN7EXAMPL3"),
        format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{tail}"),
        format!("Bearer {tail}.{tail}"),
        format!("{dashes}BEGIN PRIVATE KEY{dashes}\nMIIEvQ{tail}\n{tail}\n{dashes}END PRIVATE KEY{dashes}"),
        "4111 1111 1111 1111".to_owned(),
        "3782-822463-10005".to_owned(),
        "5500000000000004".to_owned(),
        "30569309025904".to_owned(),
        format!("postgres://app:{tail}@db.internal/prod"),
        format!("https://api.example.com/v1?api_key={tail}"),
        // Long, so that it is recorded as it stands; and within JSON, so that it is escaped twice.
        format!("{}\n{key}", "one of many words ".repeat(40)),
        format!("{{\"said\":\"the key\\n{key}\"}}"),
    ]
}

/// A value under the name of a secret, which looks like none.
pub const PASSWORD: &str = "correct horse battery";

/// What of each secret is searched for: enough to be of use to somebody, and written alike however often it is escaped.
pub fn needles() -> [&'static str; 7] {
    let cards = ["1111 1111 1111", "822463-10005", "5500000000000004", "30569309025904"];
    ["a1B2c3D4e5", "J0k1L2m3N4", "IOSFODNN7EXAMPL3", cards[0], cards[1], cards[2], cards[3]]
}

pub fn assert_no_secret(place: &str, text: &str) {
    for needle in needles().into_iter().chain([PASSWORD]) {
        if let Some(at) = text.find(needle) {
            let begin = text[..at].char_indices().rev().nth(80).map_or(0, |(at, _)| at);
            panic!("{place} shows `{needle}`: ..{}", &text[begin..at + needle.len()]);
        }
    }
}

/// No secret could hide from the search.
#[test]
fn every_secret_is_found_however_it_is_escaped() {
    let escaped = |text: &str| serde_json::Value::from(text).to_string();
    for secret in corpus() {
        let [once, twice] = [escaped(&secret), escaped(&escaped(&secret))];
        for text in [&secret, &once, &twice] {
            let found = std::panic::catch_unwind(|| assert_no_secret("the corpus", text));
            assert!(found.is_err(), "nothing of `{text}` is searched for");
        }
    }
}
