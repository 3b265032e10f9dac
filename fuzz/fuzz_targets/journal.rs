//! The journal's reader: any bytes give spans or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe_wire::journal::recover;

fuzz_target!(|file: &[u8]| {
    // Two files of one process, so that one may continue the other.
    let (first, second) = file.split_at(file.len() / 2);
    for files in [&[file][..], &[second, first]] {
        let mut spans = 0;
        let recovered = recover(files, |_, span| {
            spans += 1;
            drop(span.clone().into_owned());
        });
        assert_eq!(recovered.map_or(0, |recovered| recovered.spans), spans);
    }
});
