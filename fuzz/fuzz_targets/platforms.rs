//! The readers of platforms with a JSON of their own: any posts give spans or errors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe_wire::platform::{artanis, tracium, trajectory};

// A line each: the path, a blank, the body.
fuzz_target!(|posts: &[u8]| {
    let (mut artanis, mut tracium) = (artanis::Reader::default(), tracium::Reader::default());
    let mut trajectory = trajectory::Reader::default();
    for post in posts.split(|byte| *byte == b'\n') {
        let at = post.iter().position(|byte| *byte == b' ').unwrap_or(post.len());
        let (path, body) = post.split_at(at);
        let path = String::from_utf8_lossy(path);
        let _ = artanis.take(&path, body);
        let _ = tracium.take(&path, body);
        let _ = trajectory.take(&path, body);
    }
    for spans in [artanis.spans(), tracium.spans(), trajectory.spans()] {
        for span in spans {
            // Its texts are JSON.
            for text in [&span.input, &span.output].into_iter().flatten() {
                assert_eq!(observe_model::Json::from_text(text.to_string()).as_str(), text);
            }
        }
    }
    artanis.scores();
    trajectory.records();
});
