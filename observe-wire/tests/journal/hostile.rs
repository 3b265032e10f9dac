//! Files that no process wrote: no panic, and spans or an error. `journal_memory.rs` holds the bound on memory.

use observe_model::Status;
use observe_wire::journal::{Found, chunk::HEADER, entry::Entry, recover};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::writer::{book, chunk, journal, small, start};

/// Reads the files; holds what must be so whatever they are, and gives how many spans there were.
fn read(files: &[Vec<u8>]) -> u64 {
    let files: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    let bytes: usize = files.iter().map(|file| file.len()).sum();
    let mut spans = 0;
    let recovered = recover(&files, |_, found| {
        let Found::Span(span) = found else { return };
        spans += 1;
        assert_eq!(span.end.is_none(), span.status == Status::Interrupted);
        drop(span.clone().into_owned());
    });
    match recovered {
        Ok(recovered) => {
            assert_eq!(recovered.spans, spans);
            assert!(recovered.interrupted <= spans && recovered.damaged <= bytes as u64);
        }
        Err(error) => assert!(spans == 0 && !error.to_string().is_empty()),
    }
    // A start is an entry of 64 bytes at least.
    assert!(spans <= bytes as u64 / 64);
    spans
}

proptest! {
    #[test]
    fn any_bytes_do_no_harm(files in vec(vec(any::<u8>(), 0..600), 0..3)) {
        read(&files);
    }

    #[test]
    fn any_bytes_behind_a_chunks_header_do_no_harm(bytes in vec(any::<u8>(), 0..600), committed: u64) {
        let mut file = small();
        file.truncate(HEADER);
        file[8..16].copy_from_slice(&((HEADER + bytes.len()) as u64).to_le_bytes());
        file[16..24].copy_from_slice(&committed.to_le_bytes());
        file.extend(bytes);
        read(&[file]);
    }

    #[test]
    fn any_well_formed_journal_is_read(files in journal()) {
        read(&files);
    }

    #[test]
    fn a_damaged_journal_does_no_harm(
        mut files in journal(),
        damage in vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..10),
    ) {
        for (file, at, byte) in damage {
            let file = file.get_mut(&mut files);
            let at = at.index(file.len());
            file[at] = byte;
        }
        read(&files);
    }

    #[test]
    fn an_entry_says_nothing_that_lies_beyond_it(bytes in vec(any::<u8>(), 0..200)) {
        if let Some((entry, next)) = Entry::read(&bytes) {
            prop_assert!(next <= bytes.len().next_multiple_of(8));
            let _ = (entry.id(), entry.ticks(), entry.start(), entry.payload());
        }
    }
}

/// A file that was cut off, as by a disk that lost its end, gives the spans of the chunks that are whole.
#[test]
fn a_journal_cut_off_anywhere_gives_what_was_there() {
    let chunks: Vec<_> = (1..=3).map(|n| chunk(1 + n, &[start(n, 0, 0, "{}")], 0)).collect();
    let whole = [book(), chunks.concat()].concat();
    let mut ends: Vec<_> = (0..=3).map(|n| whole.len() - n * chunks[0].len()).collect();
    ends.reverse();
    for len in 0..=whole.len() {
        let expected = ends.iter().rposition(|end| *end <= len).unwrap_or(0);
        assert_eq!(read(&[whole[..len].to_vec()]), expected as u64, "{len} of {} bytes", whole.len());
    }
}

#[test]
fn a_journal_committed_up_to_anywhere_gives_what_was_committed() {
    let whole = small();
    let second = whole.windows(8).rposition(|bytes| bytes.starts_with(b"OBSJRNL")).unwrap();
    let mut before = 0;
    for committed in 0..u64::try_from(whole.len()).unwrap() {
        let mut file = whole.clone();
        file[second + 16..second + 24].copy_from_slice(&committed.to_le_bytes());
        let spans = read(&[file]);
        assert!(before <= spans);
        before = spans;
    }
    assert_eq!(before, 3);
}
