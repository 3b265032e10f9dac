//! The OTLP decoder: any body gives spans or an error, and what it gives can be written in each dialect and read
//! again, as protobuf and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe_wire::{Dialect, Encoder, ExportResponse, Extras, Limits, decode, decode_json, to_json};

fuzz_target!(|body: &[u8]| {
    let _ = ExportResponse::decode(body);
    let Ok(decoded) = decode(body, &Limits::default()) else { return };
    for resource in decoded.resources {
        for dialect in Dialect::ALL {
            let mut encoder = Encoder::in_dialect(&resource.resource, *dialect, &Extras::default());
            resource.spans.iter().for_each(|span| encoder.push(span));
            let body = encoder.take();
            let again = decode(&body, &Limits::default()).expect("what was decoded can be encoded");
            let json = to_json(&body).expect("what was encoded can be JSON");
            assert_eq!(decode_json(&json, &Limits::default()).as_ref(), Ok(&again));
            let spans: usize = again.resources.iter().map(|resource| resource.spans.len()).sum();
            assert_eq!((spans, again.rejected), (resource.spans.len(), 0));
        }
    }
});
