//! OTLP's JSON: any text gives spans or an error, and any protobuf gives JSON or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use observe_wire::{ExportResponse, Limits, decode_json, to_json};

fuzz_target!(|body: &[u8]| {
    let _ = ExportResponse::decode_json(body);
    if let Ok(json) = to_json(body) {
        let text = std::str::from_utf8(&json).expect("JSON is text");
        let _ = decode_json(text.as_bytes(), &Limits::default());
    }
    let Ok(decoded) = decode_json(body, &Limits::default()) else { return };
    let taken: usize =
        decoded.resources.iter().map(|resource| resource.spans.len() + resource.records.len()).sum();
    assert!(taken as u64 + decoded.rejected <= body.len() as u64);
    assert_eq!(decoded.rejected > 0, decoded.reason.is_some());
});
