//! What is written is read back.

mod common;

use std::borrow::Cow;

use common::{json, record, resource, span, text};
use observe_model::{Code, Level, Resource, Span, SpanId, SpanType, Timestamp, TraceAttributes, TraceId};
use observe_wire::{
    DecodedResource, Dialect, Encoder, ExportResponse, Extras, Limits, decode, export_response,
    journal::{
        Plain, PlainSite, RawStart,
        assemble::{Parts, assemble},
        entry::{self, ALIGN, Ending, Entry, HEADER, Kind, LOST, PAYLOAD, RAW, RAW_STRING, Start},
        notes::SiteNote,
    },
};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::Value;

proptest! {
    #[test]
    fn decode_gives_back_what_was_encoded(
        resource in resource(),
        spans in vec(span(), 1..6),
        records in vec(record(), 0..3),
    ) {
        let all = vec![DecodedResource { resource, spans, records }];
        let DecodedResource { resource, spans, records } = &all[0];
        for dialect in Dialect::ALL {
            let mut encoder = Encoder::in_dialect(resource, *dialect, &Extras::default());
            spans.iter().for_each(|span| encoder.push(span));
            records.iter().for_each(|record| encoder.push_record(record));
            let length = encoder.len();
            let body = encoder.take();
            prop_assert_eq!(body.len(), length);
            let decoded = decode(&body, &Limits::default()).unwrap();
            prop_assert_eq!((decoded.rejected, decoded.reason), (0, None));
            prop_assert_eq!(&decoded.resources, &all, "{}", dialect);
        }
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
    fn what_plain_spans_share_is_never_anothers(
        places in vec(span(), 1..4),
        spans in vec((span(), any::<Index>(), any::<Index>(), 0..3_u32, 0..3_u64, payload(), payload()), 1..12),
    ) {
        let notes: Vec<_> = places.iter().map(site_note).collect();
        let mut encoder = Encoder::new(&Resource::default());
        let mut pushed = Encoder::new(&Resource::default());
        for (span, site, scope, site_step, stamp_step, input, output) in spans {
            let (site, scope) = (site.index(places.len()), scope.index(places.len()));
            // A step of 1 gives each its own slot, and with one of 256 all share one.
            let start = Start {
                span: span.span_id.to_int(),
                ticks: span.start.0,
                parent: span.parent_id.map_or(0, SpanId::to_int),
                trace: span.trace_id.to_int(),
                stamp: (scope as u64 + 1) * [0, 1, 256][stamp_step as usize],
                site: (site as u32 + 1) * [1, 128, 256][site_step as usize],
                given_parent: false,
            };
            let entries = entries(&start, span.end.unwrap_or_default().0, &input, &output);
            let (first, next) = Entry::read(&entries).unwrap();
            let (last, _) = Entry::read(&entries[next..]).unwrap();
            let (note, attributes) = (&notes[site], &*places[scope].attributes);
            let Some(plain) = plain(&entries, note, attributes) else {
                let elsewhere = note.name.is_empty() || note.file.is_empty() || attributes.version.is_some();
                // The answer of a model says something of the span.
                let calls = matches!(note.span_type, SpanType::Generation | SpanType::Embedding);
                prop_assert!(elsewhere || calls, "only what comes from elsewhere keeps it from being plain");
                continue;
            };
            encoder.push_plain(&plain);
            pushed.push(&plain.to_span());
            let parts = Parts {
                start: first.start(),
                input: first.payload(),
                site: Some(note),
                changes: &[],
                end: Some(last),
                attributes: Some(attributes),
            };
            assemble(&parts, Timestamp, |same| assert_eq!(*same, plain.to_span())).unwrap();
        }
        prop_assert_eq!(encoder.take(), pushed.take());
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
fn every_dialect_is_known_by_its_name() {
    for dialect in Dialect::ALL {
        assert_eq!(dialect.to_string().parse(), Ok(*dialect));
    }
    let error = "datadog".parse::<Dialect>().unwrap_err().to_string();
    assert!(
        error.starts_with("unknown dialect `datadog`: expected one of openinference, langfuse"),
        "{error}"
    );
}

#[test]
fn a_plain_span_is_written_in_the_dialect_too() {
    let span = begun("find");
    let (note, attributes) = (site_note(&span), TraceAttributes::default());
    let start = Start { span: 1, ticks: 2, parent: 0, trace: 3, stamp: 1, site: 1, given_parent: false };
    let entries = entries(&start, 4, &(0, vec![]), &(0, vec![]));
    let plain = plain(&entries, &note, &attributes).unwrap();
    for dialect in Dialect::ALL {
        let [mut plainly, mut wholly] =
            [(); 2].map(|()| Encoder::in_dialect(&Resource::default(), *dialect, &Extras::default()));
        plainly.push_plain(&plain);
        wholly.push(&plain.to_span());
        assert_eq!(plainly.take(), wholly.take(), "{dialect}");
    }
}

#[test]
fn what_is_said_of_the_process_beside_the_dialect_replaces_what_the_dialect_says() {
    let resource = Resource { project: "p".into(), service: "s".into(), ..Default::default() };
    let extras = Extras { resource: vec![("service.name".into(), "other".into())], ..Default::default() };
    for dialect in Dialect::ALL {
        let mut encoder = Encoder::in_dialect(&resource, *dialect, &extras);
        encoder.push(&begun("find"));
        let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
        assert_eq!(decoded.resources[0].resource, Resource { service: "other".into(), ..resource.clone() });
    }
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
            [DecodedResource { resource: resource.clone(), spans: vec![begun(name)], records: vec![] }]
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

/// A place that gives its spans what `span` has.
fn site_note<'a>(span: &'a Span<'_>) -> SiteNote<'a> {
    let (function, file, line) =
        span.code.as_ref().map_or(("f", "f.rs", 1), |code| (&*code.function, &*code.file, code.line));
    SiteNote {
        name: Cow::Borrowed(&*span.name),
        span_type: span.span_type,
        level: span.level,
        function: Cow::Borrowed(function),
        file: Cow::Borrowed(file),
        line,
    }
}

/// Flags and bytes of a payload: none, JSON, JSON with a raw string, or one that was lost.
fn payload() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let raw = |text: String| {
        let len = (text.len() as u32).to_le_bytes();
        (PAYLOAD | RAW, [&b"["[..], &[RAW_STRING], &len, text.as_bytes(), b"]"].concat())
    };
    prop_oneof![
        Just((0, vec![])),
        Just((LOST, vec![])),
        json().prop_map(|json| (PAYLOAD, json.to_string().into_bytes())),
        text().prop_map(|text| (PAYLOAD, Value::from(text).to_string().into_bytes())),
        text().prop_map(raw),
    ]
}

/// The entries of a span's start and end, as they lie in a chunk.
fn entries(start: &Start, end: u64, input: &(u8, Vec<u8>), output: &(u8, Vec<u8>)) -> Vec<u8> {
    let mut fixed = [0; Start::LEN];
    start.write(&mut fixed);
    let mut bytes = vec![];
    let end = entry::moment(start.span, end);
    for (kind, code, fixed, (flags, payload)) in [
        (Kind::Start, start.code(), &fixed[..], input),
        (Kind::End, Ending::Returned as u8, &end[..], output),
    ] {
        let len = HEADER + fixed.len() + payload.len();
        bytes.extend(entry::header(kind, code, *flags, len as u32));
        bytes.extend([fixed, payload].concat());
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    }
    bytes
}

fn plain<'a>(
    entries: &'a [u8],
    note: &'a SiteNote<'a>,
    attributes: &'a TraceAttributes,
) -> Option<Plain<'a>> {
    let start = Entry::peek(entries)?;
    let end = Entry::peek(&entries[start.next..])?;
    Plain::read(RawStart::read(start.bytes)?, end.bytes, PlainSite::of(note)?, attributes, Timestamp)
}

#[test]
fn a_number_given_to_another_place_does_not_mix_them_up() {
    let mut encoder = Encoder::new(&Resource::default());
    let functions = ["docs::find", "docs::rank"].map(|function| Span {
        code: Some(Code { function: function.into(), file: "src/docs.rs".into(), line: 3 }),
        level: Level::Warning,
        ..begun(function)
    });
    let notes = functions.each_ref().map(site_note);
    let scopes = ["ada", "bob"].map(|user| TraceAttributes { user: Some(user.into()), ..Default::default() });
    let start = Start { span: 1, ticks: 2, parent: 0, trace: 3, stamp: 1, site: 1, given_parent: false };
    let entries = entries(&start, 4, &(0, vec![]), &(0, vec![]));
    for i in [0, 0, 1, 1, 0] {
        encoder.push_plain(&plain(&entries, &notes[i], &scopes[i]).unwrap());
    }
    let decoded = decode(&encoder.take(), &Limits::default()).unwrap();
    for span in &decoded.resources[0].spans {
        assert_eq!(span.code.as_ref().unwrap().function, span.name);
        let user = if span.name == "docs::find" { "ada" } else { "bob" };
        assert_eq!(span.attributes.user.as_deref(), Some(user));
        assert_eq!(span.level, Level::Warning);
    }
}

#[test]
fn only_a_span_that_returned_is_plain() {
    let span = Span { span_type: SpanType::Tool, ..begun("tool") };
    let (note, attributes) = (site_note(&span), TraceAttributes::default());
    let start = Start { span: 1, ticks: 2, parent: 0, trace: 3, stamp: 0, site: 1, given_parent: false };
    let ended = |start: &Start, ending: Ending| {
        let mut entries = entries(start, 4, &(0, vec![]), &(0, vec![]));
        entries[HEADER + Start::LEN + 1] = ending as u8;
        plain(&entries, &note, &attributes).map(|plain| plain.to_span().into_owned())
    };
    assert_eq!(ended(&start, Ending::Returned).map(|span| span.span_type), Some(SpanType::Tool));
    for ending in [Ending::Error, Ending::Panicked, Ending::Cancelled] {
        assert_eq!(ended(&start, ending), None);
    }
    assert_eq!(ended(&Start { trace: 0, ..start }, Ending::Returned), None);
    assert_eq!(ended(&Start { given_parent: true, ..start }, Ending::Returned), None);
    assert_eq!(ended(&Start { span: 0, ..start }, Ending::Returned), None);
    assert!(RawStart::read(b"too short").is_none());
}

#[test]
fn nothing_to_say_is_an_empty_answer() {
    assert!(export_response(0, "").is_empty());
    assert_eq!(ExportResponse::decode(&[]), Ok(ExportResponse::default()));
    assert!(ExportResponse::decode(&vec![0; ExportResponse::MAX_BYTES + 1]).is_err());
    assert!(ExportResponse::decode(b"<html>").is_err());
}
