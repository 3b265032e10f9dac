//! What is written is read back.

mod common;

use std::borrow::Cow;

use common::{resource, span};
use observe_model::{Resource, Span, SpanId, Timestamp, TraceAttributes, TraceId};
use observe_wire::{DecodedResource, Encoder, ExportResponse, Limits, decode, export_response};
use proptest::{collection::vec, prelude::*};

proptest! {
    #[test]
    fn decode_gives_back_what_was_encoded(resource in resource(), spans in vec(span(), 1..6)) {
        let mut encoder = Encoder::new(&resource);
        spans.iter().for_each(|span| encoder.push(span));
        let length = encoder.len();
        let body = encoder.take();
        prop_assert_eq!(body.len(), length);
        let decoded = decode(&body, &Limits::default()).unwrap();
        prop_assert_eq!((decoded.rejected, decoded.reason), (0, None));
        prop_assert_eq!(decoded.resources, vec![DecodedResource { resource, spans }]);
    }

    #[test]
    fn spans_of_several_traces_keep_their_own_attributes(a in span(), b in span()) {
        let mut encoder = Encoder::new(&Resource::default());
        for span in [&a, &a, &b, &a, &b, &b] {
            encoder.push(span);
        }
        let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
        let expected = [&a, &a, &b, &a, &b, &b].map(Clone::clone);
        prop_assert_eq!(&decoded.resources[0].spans, &expected);
    }

    #[test]
    fn an_answer_is_read_back(rejected in 0..i64::MAX as u64, message: String) {
        let body = export_response(rejected, &message);
        prop_assert_eq!(ExportResponse::decode(&body), Ok(ExportResponse { rejected, message }));
    }
}

fn begun(name: &str) -> Span<'static> {
    Span::begin(TraceId::from_seed("t"), SpanId::from_seed(name), name.to_owned(), Timestamp(1))
}

#[test]
fn an_encoder_is_used_again_after_take() {
    let resource = Resource { project: "p".into(), service: "s".into(), ..Default::default() };
    let mut encoder = Encoder::new(&resource);
    assert!(encoder.is_empty());
    for name in ["first", "second"] {
        encoder.push(&begun(name));
        assert!(!encoder.is_empty());
        let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
        assert_eq!(
            decoded.resources,
            [DecodedResource { resource: resource.clone(), spans: vec![begun(name)] }]
        );
        assert!(encoder.is_empty());
    }
    assert_eq!(decode(&encoder.take(), &Limits::default()), Ok(Default::default()));
}

#[test]
fn attributes_changed_in_place_are_not_taken_for_the_old_ones() {
    let mut encoder = Encoder::new(&Resource::default());
    let mut attributes = TraceAttributes::default();
    for session in ["a", "b"] {
        attributes.session = Some(session.into());
        attributes.tags = vec![session.into()];
        encoder.push(&Span { attributes: Cow::Borrowed(&attributes), ..begun(session) });
    }
    let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
    for span in &decoded.resources[0].spans {
        assert_eq!(span.attributes.session.as_deref(), Some(&*span.name));
        assert_eq!(span.attributes.tags, [&*span.name]);
    }
}

#[test]
fn nothing_to_say_is_an_empty_answer() {
    assert!(export_response(0, "").is_empty());
    assert_eq!(ExportResponse::decode(&[]), Ok(ExportResponse::default()));
    assert!(ExportResponse::decode(&vec![0; ExportResponse::MAX_BYTES + 1]).is_err());
    assert!(ExportResponse::decode(b"<html>").is_err());
}
