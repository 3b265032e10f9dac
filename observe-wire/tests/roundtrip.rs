//! What is written is read back.

mod common;

use std::borrow::Cow;

use common::{resource, span};
use observe_model::{Code, Resource, Span, SpanId, SpanType, Timestamp, TraceAttributes, TraceId};
use observe_wire::{DecodedResource, Encoder, ExportResponse, Limits, Origin, decode, export_response};
use proptest::{collection::vec, prelude::*, sample::Index};

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
    fn what_spans_of_one_origin_share_is_never_anothers(
        places in vec(span(), 1..4),
        spans in vec((span(), any::<Index>(), any::<Index>(), 0..3_u32, 0..3_u64, any::<bool>()), 1..12),
    ) {
        let mut encoder = Encoder::new(&Resource::default());
        let mut plain = Encoder::new(&Resource::default());
        let mut expected = vec![];
        for (span, site, scope, site_step, stamp_step, copied) in spans {
            let (site, scope) = (site.index(places.len()), scope.index(places.len()));
            // A step of 0 is no number, one of 1 gives each its own slot, and with one of 256 all share one.
            let number = |index: usize, step| (index as u64 + 1) * [0, 1, 256][step];
            let origin = Origin {
                site: number(site, site_step as usize) as u32,
                stamp: number(scope, stamp_step as usize),
            };
            let (code, attributes) = (&places[site].code, &*places[scope].attributes);
            let code = code.as_ref().map(|code| Code {
                function: Cow::Borrowed(&*code.function),
                file: Cow::Borrowed(&*code.file),
                line: code.line,
            });
            let span = Span { code, attributes: Cow::Borrowed(attributes), ..span };
            let span = if copied { span.into_owned() } else { span };
            encoder.push_from(origin, &span);
            plain.push(&span);
            expected.push(span);
        }
        let body = encoder.take();
        prop_assert_eq!(&body, &plain.take());
        let decoded = decode(&body, &Limits::default()).unwrap();
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
fn a_number_given_to_another_place_does_not_mix_them_up() {
    let mut encoder = Encoder::new(&Resource::default());
    let functions = ["docs::find".to_owned(), "docs::rank".to_owned()];
    let scopes = ["ada", "bob"].map(|user| TraceAttributes { user: Some(user.into()), ..Default::default() });
    let origin = Origin { site: 1, stamp: 1 };
    for i in [0, 0, 1, 1, 0] {
        let code = Code { function: Cow::Borrowed(&*functions[i]), file: "src/docs.rs".into(), line: 3 };
        let attributes = Cow::Borrowed(&scopes[i]);
        encoder.push_from(origin, &Span { code: Some(code), attributes, ..begun(&functions[i]) });
    }
    let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
    for span in &decoded.resources[0].spans {
        assert_eq!(span.code.as_ref().unwrap().function, span.name);
        let user = if span.name == "docs::find" { "ada" } else { "bob" };
        assert_eq!(span.attributes.user.as_deref(), Some(user));
    }
}

#[test]
fn a_span_keeps_the_name_and_type_that_the_program_gave_it() {
    let mut encoder = Encoder::new(&Resource::default());
    for (name, span_type) in [("a", SpanType::Tool), ("b", SpanType::Tool), ("b", SpanType::Generation)] {
        let code = Some(Code { function: "f".into(), file: "f.rs".into(), line: 1 });
        encoder.push_from(Origin { site: 7, stamp: 0 }, &Span { span_type, code, ..begun(name) });
    }
    let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
    let seen: Vec<_> = decoded.resources[0].spans.iter().map(|span| (&*span.name, span.span_type)).collect();
    assert_eq!(seen, [("a", SpanType::Tool), ("b", SpanType::Tool), ("b", SpanType::Generation)]);
}

#[test]
fn nothing_to_say_is_an_empty_answer() {
    assert!(export_response(0, "").is_empty());
    assert_eq!(ExportResponse::decode(&[]), Ok(ExportResponse::default()));
    assert!(ExportResponse::decode(&vec![0; ExportResponse::MAX_BYTES + 1]).is_err());
    assert!(ExportResponse::decode(b"<html>").is_err());
}
