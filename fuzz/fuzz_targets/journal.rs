//! The journal's reader: any bytes give spans or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe_wire::journal::{Found, recover};

fuzz_target!(|file: &[u8]| {
    // Two files of one process, so that one may continue the other.
    let (first, second) = file.split_at(file.len() / 2);
    for files in [&[file][..], &[second, first]] {
        let (mut spans, mut records) = (0, 0);
        let recovered = recover(files, |_, found| match found {
            Found::Span(span) => {
                spans += 1;
                drop(span.clone().into_owned());
            }
            Found::Record(_) => records += 1,
        });
        let recovered = recovered.unwrap_or_default();
        assert_eq!((recovered.spans, recovered.scores + recovered.metrics), (spans, records));
    }
});
