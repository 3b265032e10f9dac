//! What a well-formed journal gives.

use std::{fs, io};

use observe_model::{Metric, Record, Span, SpanId, Status, Target, Timestamp};
use observe_wire::journal::{
    Found, Home, RecoverError, Recovered,
    entry::{Ending, Field, Kind},
    recover, recover_all_dead, recover_dead,
};

use crate::writer::{arrived, book, change, chunk, ended, note, small, stamp, start};

fn spans(files: &[Vec<u8>]) -> (Result<Recovered, RecoverError>, Vec<Span<'static>>) {
    let mut spans = Vec::new();
    let files: Vec<_> = files.iter().map(Vec::as_slice).collect();
    let recovered = recover(&files, |resource, found| {
        assert_eq!(resource.project, "p");
        let Found::Span(span) = found else { return };
        spans.push(span.clone().into_owned());
    });
    (recovered, spans)
}

#[test]
fn everything_that_was_written_is_found() {
    let (recovered, spans) = spans(&[small()]);
    assert_eq!(recovered, Ok(Recovered { spans: 3, interrupted: 1, ..Recovered::default() }));
    let told: Vec<_> = spans
        .iter()
        .map(|s| (s.status, s.input.as_deref(), s.output.as_deref(), s.model.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (Status::Error, Some(r#"{"question":"why?"}"#), None, None),
            (Status::Ok, Some("[]"), Some(r#""a\"b""#), Some("small")),
            (Status::Interrupted, Some("{}"), None, None),
        ]
    );
    assert_eq!((spans[0].start, spans[0].end), (Timestamp(1_000_001), Some(Timestamp(1_001_001))));
    assert_eq!(spans[0].status_message.as_deref(), Some("no answer"));
    let sessions: Vec<_> = spans.iter().map(|s| s.attributes.session.as_deref()).collect();
    assert_eq!(sessions, [Some("s"), Some("s"), None]);
    assert_eq!(spans[1].parent_id, SpanId::from_int(1));
}

#[test]
fn an_end_is_found_in_an_older_chunk_and_another_file_than_its_start() {
    let ends = chunk(2, &[ended(1, Ending::Returned, "1"), change(1, Field::Name, r#""n""#)], 0);
    let starts = chunk(3, &[start(1, 0, 0, "{}")], 0);
    let (recovered, spans) = spans(&[starts, [book(), ends].concat()]);
    assert_eq!(recovered, Ok(Recovered { spans: 1, ..Recovered::default() }));
    assert_eq!((&*spans[0].name, spans[0].output.as_deref()), ("n", Some("1")));
}

#[test]
fn a_start_that_is_there_twice_is_one_span_and_the_later_one_counts() {
    let first = chunk(2, &[start(1, 0, 0, "{}")], 0);
    let copy = chunk(3, &[stamp(9, "later"), start(1, 0, 9, "{}")], 0);
    let (recovered, spans) = spans(&[[book(), copy, first].concat()]);
    assert_eq!(recovered.map(|r| r.spans), Ok(1));
    assert_eq!(spans[0].attributes.session.as_deref(), Some("later"));
}

#[test]
fn a_chunk_that_was_being_moved_to_another_file_is_read_once() {
    let record = Record::Metric(Metric {
        id: "m".into(),
        name: "tokens".into(),
        value: 2.0,
        unit: None,
        tags: Vec::new(),
        target: Target::default(),
        at: Timestamp(1),
    });
    let moved = chunk(2, &[start(1, 0, 0, "{}"), note(Kind::Record, 0, &record)], 0);
    let (recovered, spans) = spans(&[[book(), moved.clone()].concat(), moved]);
    let once = Recovered { spans: 1, interrupted: 1, metrics: 1, ..Recovered::default() };
    assert_eq!((recovered, spans.len()), (Ok(once), 1));
}

#[test]
fn numbers_of_stamps_are_a_chunks_own() {
    let files = [book(), chunk(2, &[stamp(4, "s")], 0), chunk(3, &[start(1, 0, 4, "{}")], 0)];
    assert_eq!(spans(&files).1[0].attributes.session, None);
}

#[test]
fn ends_and_changes_without_a_start_give_nothing() {
    let entries = [ended(1, Ending::Returned, "1"), change(2, Field::Output, "2")];
    let (recovered, spans) = spans(&[book(), chunk(2, &entries, 0)]);
    assert_eq!((recovered, spans.len()), (Ok(Recovered::default()), 0));
}

#[test]
fn what_has_arrived_is_not_given_again() {
    let entries = [
        start(1, 0, 0, "{}"),
        start(2, 1, 0, "{}"),
        ended(2, Ending::Returned, "1"),
        start(3, 1, 0, "{}"),
        change(3, Field::Trace, r#"{"name":"n"}"#),
        ended(3, Ending::Returned, "2"),
        start(4, 1, 0, "{}"),
    ];
    let len = entries.concat().len();
    let more = [ended(4, Ending::Returned, "3"), ended(1, Ending::Returned, "4")];
    let chunk = chunk(2, &[&entries[..], &more].concat(), 0);
    let (_, spans) = spans(&[book(), arrived(chunk, len)]);
    let ids: Vec<_> = spans.iter().map(|span| span.span_id.to_int()).collect();
    assert_eq!(ids, [1, 3, 4], "3 says something of its trace, which another one may lack");
}

#[test]
fn spans_without_a_clock_are_an_error_that_says_so() {
    let (recovered, spans) = spans(&[chunk(2, &[start(1, 0, 0, "{}")], 0)]);
    assert_eq!((recovered, spans.len()), (Err(RecoverError::NoClock), 0));
}

/// A process's directory below `root`, its process gone.
fn dead(root: &std::path::Path, file: &[u8]) {
    let home = Home::create(root, ["here"]).unwrap();
    fs::write(home.file(1), file).unwrap();
}

#[test]
fn a_dead_processs_journal_is_written_and_removed_and_a_living_ones_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let living = Home::create(root.path(), ["here"]).unwrap();
    fs::write(living.file(1), small()).unwrap();
    dead(root.path(), &small());
    let mut written = 0;
    let recovered = recover_dead(root.path(), "here", |resource, batch| {
        assert_eq!(resource.project, "p");
        written += batch.spans.len();
        Ok(())
    });
    assert_eq!((recovered.unwrap().spans, written), (3, 3));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    assert!(living.file(1).exists());
}

#[test]
fn what_is_owed_to_several_is_given_to_each_and_removed_by_the_last() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::create(root.path(), ["here", "there"]).unwrap();
    fs::write(home.file(1), small()).unwrap();
    drop(home);
    let spans = |name: &str| recover_dead(root.path(), name, |_, _| Ok(())).unwrap().spans;
    assert_eq!([spans("elsewhere"), spans("here"), spans("here"), spans("elsewhere")], [0, 3, 0, 0]);
    // Whoever asks for all is given it too, and takes nothing away.
    for _ in 0..2 {
        let all = recover_all_dead(root.path(), "here", |_, _| Ok(()));
        assert_eq!(all.unwrap().spans, 3);
    }
    // Two may read at once, but nobody the same for the same.
    let both = recover_dead(root.path(), "there", |_, _| {
        assert_eq!(
            (spans("there"), recover_all_dead(root.path(), "here", |_, _| Ok(())).unwrap().spans),
            (0, 3)
        );
        Ok(())
    });
    assert_eq!(both.unwrap().spans, 3);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_journal_whose_spans_could_not_be_written_stays() {
    let root = tempfile::tempdir().unwrap();
    dead(root.path(), &small());
    let failed = recover_dead(root.path(), "here", |_, _| Err(io::Error::other("the disk is full")));
    assert_eq!(failed.unwrap_err().to_string(), "the disk is full");
    assert_eq!(recover_dead(root.path(), "here", |_, _| Ok(())).unwrap().spans, 3);
}

#[test]
fn a_damaged_journal_gives_what_can_be_read_and_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let mut file = small();
    file.extend(b"no chunk");
    dead(root.path(), &file);
    let mut written = 0;
    let mut recover = || {
        recover_dead(root.path(), "here", |_, batch| {
            written += batch.spans.len();
            Ok(())
        })
    };
    let error = recover().unwrap_err().to_string();
    assert!(
        error.ends_with(".damaged: 8 bytes are damaged; the 3 spans in the others were recovered"),
        "{error}"
    );
    assert_eq!(recover().unwrap(), Recovered::default(), "it is not read again");
    assert_eq!(written, 3);
}

#[test]
fn a_journal_larger_than_any_process_writes_is_set_aside_unread() {
    let root = tempfile::tempdir().unwrap();
    let home = Home::create(root.path(), ["here"]).unwrap();
    for number in 0..3 {
        fs::File::create(home.file(number)).unwrap().set_len(180 << 20).unwrap();
    }
    drop(home);
    let error = recover_dead(root.path(), "here", |_, _| Ok(())).unwrap_err().to_string();
    assert!(error.contains("larger than 536870912 bytes"), "{error}");
    assert!(fs::read_dir(root.path()).unwrap().all(|e| e.unwrap().path().extension().is_some()));
}

#[test]
fn spans_with_large_attributes_are_written_a_few_at_a_time() {
    let session = "s".repeat(1 << 20);
    let entries: Vec<_> =
        [stamp(1, &session)].into_iter().chain((1..=40).map(|n| start(n, 0, 1, "{}"))).collect();
    let root = tempfile::tempdir().unwrap();
    dead(root.path(), &[book(), chunk(2, &entries, 0)].concat());
    let mut batches = Vec::new();
    let recovered = recover_dead(root.path(), "here", |_, batch| {
        batches.push(batch.spans.len());
        Ok(())
    });
    assert_eq!(recovered.unwrap().spans, 40);
    assert!(batches.iter().all(|spans| *spans <= 4), "{batches:?}");
}

/// What the fuzzer begins with is a journal of today's format.
#[test]
fn the_fuzzers_seed_is_the_small_journal() {
    let seed = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/journal/small")).unwrap();
    assert_eq!(seed, small(), "write what `small` gives to fuzz/seeds/journal/small");
}
