//! `docs/JOURNAL.md` says what the code does.

use std::collections::BTreeMap;

use observe_wire::journal::{
    chunk::{ARRIVED_AT, CAPACITY_AT, COMMITTED_AT, HEADER, MAGIC, SEQUENCE_AT},
    entry::{
        ALIGN, Ending, Entry, Field, HEADER as ENTRY_HEADER, Kind, LOST, PAYLOAD, RAW, RAW_STRING, Start,
    },
    receipts::{NAME, POST},
};

fn document() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/JOURNAL.md")).unwrap()
}

/// The rows of the table whose head begins so: the cells without their backticks.
fn table(head: &str) -> Vec<Vec<String>> {
    let text = document();
    let lines = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|row| {
        row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    });
    let rows: Vec<_> = rows.collect();
    assert!(!rows.is_empty(), "no table begins with {head:?}");
    rows
}

/// Names and bytes of the table whose head begins so.
fn bytes(head: &str) -> BTreeMap<u8, String> {
    table(head).into_iter().map(|row| (row[1].parse().unwrap(), row[0].clone())).collect()
}

#[test]
fn the_chunks_header_is_the_documents() {
    let places: Vec<_> =
        table("| Bytes | Name |").into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let place = |at: usize, name: &str| (format!("{at}..{}", at + 8), name.to_owned());
    let expected = [
        place(0, "MAGIC"),
        place(CAPACITY_AT, "CAPACITY_AT"),
        place(COMMITTED_AT, "COMMITTED_AT"),
        place(SEQUENCE_AT, "SEQUENCE_AT"),
        place(ARRIVED_AT, "ARRIVED_AT"),
        (format!("{}..{HEADER}", ARRIVED_AT + 8), String::new()),
    ];
    assert_eq!(places, expected);
    let [text @ .., version] = MAGIC.to_le_bytes();
    let magic = format!("`{}` and the format's version, `{version:#04x}`", String::from_utf8_lossy(&text));
    assert!(document().contains(&magic), "{magic}");
    assert!(document().contains(&format!("Entries begin at byte {HEADER} and at multiples of {ALIGN}")));
    assert!(document().contains(&format!("A header of {ENTRY_HEADER} bytes")));
    assert!(document().contains(&format!("the byte `{RAW_STRING:#04x}`")));
}

/// Every byte that the reader takes for a kind, with its name and the length that it must have behind the header.
#[test]
fn the_kinds_are_the_documents() {
    let documented: Vec<_> = table("| Kind | Byte |").into_iter().map(|row| row[..3].join(" ")).collect();
    let mut found = Vec::new();
    for byte in 0..=u8::MAX {
        let fits = |fixed: &usize| {
            let len = u32::try_from(ENTRY_HEADER + fixed).unwrap().to_le_bytes();
            let bytes = [&[byte, 0, 0, 0][..], &len, &[0; 64]].concat();
            Entry::read(&bytes).map(|(entry, _)| entry.kind)
        };
        if let Some((fixed, kind)) = (0..=64).find_map(|fixed| Some((fixed, fits(&fixed)?))) {
            found.push(format!("{kind:?} {byte} {fixed}"));
        }
    }
    assert_eq!(documented, found);
}

#[test]
fn the_flags_are_the_documents() {
    let expected = [(RAW, "RAW"), (PAYLOAD, "PAYLOAD"), (LOST, "LOST")];
    assert_eq!(bytes("| Flag | Bit |"), expected.map(|(bit, name)| (bit, name.to_owned())).into());
}

#[test]
fn the_records_of_what_was_told_are_the_documents() {
    let expected = [(POST, "POST"), (NAME, "NAME")];
    assert_eq!(bytes("| Record | Byte |"), expected.map(|(byte, name)| (byte, name.to_owned())).into());
}

#[test]
fn the_fields_and_endings_are_the_documents() {
    let all = 0..=u8::MAX;
    let fields = all.clone().filter_map(|byte| Some((byte, format!("{:?}", Field::of(byte)?))));
    assert_eq!(bytes("| Field | Byte |"), fields.collect());
    let endings = all.filter_map(|byte| Some((byte, format!("{:?}", Ending::of(byte)?))));
    assert_eq!(bytes("| Ending | Byte |"), endings.collect());
}

/// A start in which every byte is the number of its place tells which bytes a field is made of.
#[test]
fn the_fixed_part_of_a_start_is_the_documents() {
    let ones = |place: std::ops::Range<usize>| {
        let mut bytes = crate::writer::entry(Kind::Start, 0, 0, &[0; Start::LEN], b"");
        bytes[ENTRY_HEADER + place.start..ENTRY_HEADER + place.end].fill(1);
        let start = Entry::read(&bytes).unwrap().0.start();
        let fields = [
            ("span", u128::from(start.span)),
            ("ticks", start.ticks.into()),
            ("parent", start.parent.into()),
            ("trace", start.trace),
            ("stamp", start.stamp.into()),
            ("site", start.site.into()),
        ];
        fields
            .into_iter()
            .filter(|(_, n)| *n != 0)
            .map(|(name, n)| (name, n.count_ones() as usize))
            .collect::<Vec<_>>()
    };
    let mut end = 0;
    for row in table("| Bytes | Field |") {
        let (from, to) = row[0].split_once("..").unwrap();
        let place = from.parse::<usize>().unwrap()..to.parse().unwrap();
        assert_eq!(place.start, end, "the rows follow one another");
        end = place.end;
        let expected: Vec<_> =
            Some((&*row[1], place.len())).filter(|(name, _)| !name.is_empty()).into_iter().collect();
        assert_eq!(ones(place), expected);
    }
    assert_eq!(end, Start::LEN);
}
