//! Writes journals as the runtime does, or nearly.

use observe_model::{Level, Resource, SpanType, Timestamp, TraceAttributes};
use observe_wire::journal::{
    chunk::{ARRIVED_AT, CAPACITY_AT, COMMITTED_AT, HEADER as CHUNK_HEADER, MAGIC, SEQUENCE_AT},
    entry::{ALIGN, Ending, Field, HEADER, Kind, PAYLOAD, RAW, RAW_STRING, header, moment},
    notes::{ClockNote, SiteNote},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde::Serialize;

/// The trace of all spans here.
pub(crate) const TRACE: u128 = 7 << 64;

/// One entry, padded.
pub(crate) fn entry(kind: Kind, code: u8, flags: u8, fixed: &[u8], payload: &[u8]) -> Vec<u8> {
    let len = HEADER + fixed.len() + payload.len();
    let mut bytes = header(kind, code, flags, u32::try_from(len).unwrap()).to_vec();
    bytes.extend(fixed);
    bytes.extend(payload);
    bytes.resize(len.next_multiple_of(ALIGN), 0);
    bytes
}

pub(crate) fn note(kind: Kind, id: u64, value: &impl Serialize) -> Vec<u8> {
    entry(kind, 0, PAYLOAD, &id.to_le_bytes(), &serde_json::to_vec(value).unwrap())
}

pub(crate) fn start(span: u64, parent: u64, stamp: u64, input: &str) -> Vec<u8> {
    // Trace in two halves.
    let fixed = [span, 1_000 + span, parent, TRACE as u64, (TRACE >> 64) as u64, stamp, 1];
    entry(Kind::Start, 0, PAYLOAD, &fixed.map(u64::to_le_bytes).concat(), input.as_bytes())
}

pub(crate) fn change(span: u64, field: Field, json: &str) -> Vec<u8> {
    entry(Kind::Change, field as u8, PAYLOAD, &moment(span, 1_500 + span), json.as_bytes())
}

pub(crate) fn ended(span: u64, ending: Ending, output: &str) -> Vec<u8> {
    entry(Kind::End, ending as u8, PAYLOAD, &moment(span, 2_000 + span), output.as_bytes())
}

/// A chunk of these entries, with `spare` bytes of room behind them.
pub(crate) fn chunk(sequence: u64, entries: &[Vec<u8>], spare: usize) -> Vec<u8> {
    let entries = entries.concat();
    let mut bytes = vec![0; CHUNK_HEADER];
    let capacity = CHUNK_HEADER + entries.len() + spare + 8;
    let mut put = |at: usize, n: u64| bytes[at..at + 8].copy_from_slice(&n.to_le_bytes());
    put(0, MAGIC);
    put(CAPACITY_AT, capacity as u64);
    put(COMMITTED_AT, entries.len() as u64);
    put(SEQUENCE_AT, sequence);
    bytes.extend(entries);
    bytes.resize(capacity, 0);
    bytes
}

/// The same with so many bytes of entries marked as arrived.
pub(crate) fn arrived(mut chunk: Vec<u8>, len: usize) -> Vec<u8> {
    chunk[ARRIVED_AT..ARRIVED_AT + 8].copy_from_slice(&(len as u64).to_le_bytes());
    chunk
}

/// What a process notes of itself at its start: it belongs to the project `p`, its clock ticks once a nanosecond, and
/// its only place is `step`.
pub(crate) fn book() -> Vec<u8> {
    let site = SiteNote {
        name: "step".into(),
        span_type: SpanType::Tool,
        level: Level::Default,
        function: "m::step".into(),
        file: "m.rs".into(),
        line: 3,
    };
    let clock = ClockNote { wall: Timestamp(1_000_000), nanos_per_tick: 1.0 };
    let resource = Resource { project: "p".into(), ..Resource::default() };
    let entries =
        [note(Kind::Resource, 0, &resource), note(Kind::Clock, 1_000, &clock), note(Kind::Site, 1, &site)];
    chunk(1, &entries, 0)
}

/// The attributes of a session, as a stamp.
pub(crate) fn stamp(number: u64, session: &str) -> Vec<u8> {
    let attributes = TraceAttributes { session: Some(session.to_owned()), ..TraceAttributes::default() };
    note(Kind::Stamp, number, &attributes)
}

/// A small journal with one of everything: three spans, of which one has no end.
pub(crate) fn small() -> Vec<u8> {
    let raw = [&[RAW_STRING][..], &3_u32.to_le_bytes(), b"a\"b"].concat();
    let entries = [
        stamp(4, "s"),
        start(1, 0, 4, r#"{"question":"why?"}"#),
        start(2, 1, 4, "[]"),
        change(2, Field::Model, r#""small""#),
        entry(Kind::End, Ending::Returned as u8, PAYLOAD | RAW, &moment(2, 2_002), &raw),
        start(3, 1, 0, "{}"),
        ended(1, Ending::Error, r#""no answer""#),
    ];
    [book(), chunk(2, &entries, 24)].concat()
}

/// A part of a journal: mostly entries that fit together, now and then one that nothing else knows of.
pub(crate) fn any_entry() -> impl Strategy<Value = Vec<u8>> {
    let kinds = select(
        &[
            Kind::Start,
            Kind::Change,
            Kind::End,
            Kind::Stamp,
            Kind::Site,
            Kind::Clock,
            Kind::Resource,
            Kind::Record,
        ][..],
    );
    let json = select(&["{}", "\"text\"", "[1,2]", "null", "1e999", "{\"session\":\"s\"}", "\u{1}"][..]);
    let odd = (kinds, any::<u8>(), any::<u8>(), vec(any::<u8>(), 16..70), vec(any::<u8>(), 0..40))
        .prop_map(|(kind, code, flags, fixed, payload)| entry(kind, code, flags, &fixed, &payload));
    prop_oneof![
        4 => (1..9_u64, 0..9_u64, 0..3_u64, json.clone()).prop_map(|(s, p, t, json)| start(s, p, t, json)),
        2 => (1..9_u64, 1..18_u8, json.clone())
            .prop_map(|(span, field, json)| change(span, Field::of(field).unwrap(), json)),
        2 => (1..9_u64, 1..5_u8, json).prop_map(|(s, e, json)| ended(s, Ending::of(e).unwrap(), json)),
        1 => (0..3_u64).prop_map(|number| stamp(number, "s")),
        1 => odd,
    ]
}

/// Files that a process could have left.
pub(crate) fn journal() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let chunk = (any::<u64>(), vec(any_entry(), 0..12), 0..64_usize)
        .prop_map(|(sequence, entries, spare)| chunk(sequence, &entries, spare));
    let files = vec(vec(chunk, 1..4).prop_map(|chunks| chunks.concat()), 1..3);
    (option::weighted(0.9, Just(book())), files)
        .prop_map(|(book, files)| book.into_iter().chain(files).collect())
}
