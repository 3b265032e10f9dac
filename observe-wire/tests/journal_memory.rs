//! How much memory a journal can make its reader take: less than 64 times its own size. One test, alone in its process,
//! so that nothing else allocates meanwhile.

#[path = "journal/writer.rs"]
#[allow(dead_code, reason = "the journal's other tests use the rest")]
mod writer;

use observe_model::{SpanId, TraceId};
use observe_wire::journal::{
    Found,
    entry::{Ending, Field, Kind, PAYLOAD, RAW, RAW_STRING, moment},
    recover,
};
use peak_alloc::PeakAlloc;
use writer::{book, change, chunk, ended, entry, stamp, start};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes taken at most while the file is read, for each of its bytes.
fn taken(file: &[u8]) -> f64 {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let look = |found: Found<'_, '_>| match found {
        Found::Span(span) => assert!(span.end.is_none() || !span.name.is_empty()),
        Found::Record(_) => {}
    };
    recover(&[file], |_, found| look(found)).unwrap();
    (MEMORY.peak_usage() - before) as f64 / file.len() as f64
}

#[test]
fn a_journal_takes_less_than_64_times_its_own_size() {
    let each = |make: &dyn Fn(u64) -> Vec<u8>| (1..20_000).map(make).collect::<Vec<_>>();
    let zeros = format!("{{\"metadata\":{{\"a\":[{}0]}}}}", "0,".repeat(200_000));
    let many_stamps = (1..4_000_u64).flat_map(|n| {
        let zeros = format!("{{\"metadata\":{{\"a\":[{}0]}}}}", "0,".repeat(60));
        [entry(Kind::Stamp, 0, PAYLOAD, &n.to_le_bytes(), zeros.as_bytes()), start(n, 0, n, "")]
    });
    let list = |name, of: &str| format!("{{\"{name}\":[{}{of}]}}", format!("{of},").repeat(20_000));
    let errors = list("errors", r#"{"message":""}"#);
    let ids = (TraceId::from_seed("a"), SpanId::from_seed("a"));
    let links = list("links", &format!(r#"{{"trace_id":"{}","span_id":"{}"}}"#, ids.0, ids.1));
    let score = format!(
        "{{\"score\":{{\"type\":\"text\",\"value\":\"\",\"metadata\":{{\"a\":[{}0]}}}}}}",
        "0,".repeat(200_000)
    );
    let controls = [&[RAW_STRING][..], &1_000_000_u32.to_le_bytes(), &[2; 1_000_000]].concat();
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("starts", each(&|n| start(n, 0, 0, ""))),
        ("starts of one span", each(&|_| start(1, 0, 0, ""))),
        ("ends without a start", each(&|n| ended(n, Ending::Returned, ""))),
        ("changes of one span", [vec![start(1, 0, 0, "")], each(&|_| change(1, Field::Output, ""))].concat()),
        ("stamps that nobody names", each(&|n| stamp(n, ""))),
        (
            "a stamp that all name",
            [vec![stamp(1, &"s".repeat(100_000))], each(&|n| start(n, 0, 1, ""))].concat(),
        ),
        (
            "a stamp of zeros",
            vec![entry(Kind::Stamp, 0, PAYLOAD, &[1; 8], zeros.as_bytes()), {
                start(1, 0, u64::from_le_bytes([1; 8]), "")
            }],
        ),
        ("stamps of zeros", many_stamps.collect()),
        ("metadata of zeros", vec![start(1, 0, 0, ""), change(1, Field::Metadata, &zeros)]),
        ("errors of one span", vec![start(1, 0, 0, ""), change(1, Field::Details, &errors)]),
        ("links of one span", vec![start(1, 0, 0, ""), change(1, Field::Details, &links)]),
        ("a score of zeros", vec![entry(Kind::Record, 0, PAYLOAD, &[0; 8], score.as_bytes())]),
        (
            "a string to escape",
            vec![
                start(1, 0, 0, ""),
                entry(Kind::End, Ending::Returned as u8, PAYLOAD | RAW, &moment(1, 1), &controls),
            ],
        ),
    ];
    for (what, entries) in cases {
        let taken = taken(&[book(), chunk(2, &entries, 0)].concat());
        assert!(taken < 64.0, "{what} take {taken:.1} times the file's size");
    }
    let chunks = chunk(2, &[], 0).repeat(20_000);
    let taken = taken(&[book(), chunks].concat());
    assert!(taken < 64.0, "empty chunks take {taken:.1} times the file's size");
}
