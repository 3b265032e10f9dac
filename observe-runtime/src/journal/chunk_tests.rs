//! What a chunk promises, with real threads; `tests/loom.rs` tries every order of their steps.

use observe_wire::journal::chunk::HEADER;

use super::chunk::{Chunk, SHORT, Segment};

fn chunk(capacity: usize) -> Chunk {
    Segment::heap(capacity).unwrap().cut(capacity).pop().unwrap()
}

#[test]
fn a_reader_sees_whole_commits_while_they_are_written() {
    let (mut tail, chunk) = chunk(HEADER + (1 << 16)).open(1);
    let writer = std::thread::spawn(move || {
        for n in 0..8192_u64 {
            tail.free()[..8].copy_from_slice(&n.to_le_bytes());
            tail.commit(8);
        }
        assert_eq!(tail.room(), 0);
        tail.commit(8);
    });
    let mut seen = 0;
    while seen < 8192 {
        let bytes = chunk.committed();
        for word in bytes[seen * 8..].chunks(8) {
            assert_eq!(word, (seen as u64).to_le_bytes());
            seen += 1;
        }
    }
    writer.join().unwrap();
    let chunk = Chunk::reclaim(chunk).unwrap_or_else(|_| panic!("the tail is gone"));
    let (tail, again) = chunk.open(2);
    assert!(again.committed().is_empty());
    let again = Chunk::reclaim(again).err().expect("a chunk with a tail cannot be had by value");
    drop(tail);
    assert!(Chunk::reclaim(again).is_ok());
}

#[test]
fn what_is_put_at_once_never_passes_the_end() {
    for room in [0, 8, SHORT - 8, SHORT, SHORT + 8, 4096] {
        let (mut tail, _chunk) = chunk(HEADER + 8 + room).open(1);
        tail.commit(8);
        let mut at = 0;
        while tail.put(at, [b'x'; 24]) {
            at += 5;
        }
        assert_eq!(tail.room(), room);
        assert!(room - at < SHORT, "of {room} bytes {} are left", room - at);
        assert!(!tail.is_clear(at) && !tail.fill(at, 1, |_| true) && !tail.fill(0, SHORT + 1, |_| true));
        // Whoever asks for it exactly has the rest.
        tail.free().fill(b'y');
        tail.commit(usize::MAX);
        assert_eq!(tail.room(), 0);
    }
}

#[test]
fn what_is_put_at_once_lies_below_what_was_asked_for() {
    let (mut tail, _chunk) = chunk(HEADER + 4096).open(1);
    tail.cap(100);
    assert!(tail.put(99, [b'x']) && !tail.put(100, [b'x']) && !tail.commit_with([0; 8], [], 100));
    assert!(tail.commit_with(*b"a header", [], 8) && tail.put(100, [b'x']), "for one entry");
}

#[test]
fn what_is_not_committed_is_written_over() {
    let (mut tail, reader) = chunk(HEADER + 4096).open(1);
    for (text, len) in [(*b"entry 1.", 8), (*b"given up", 0), (*b"entry 2.", 8)] {
        assert!(tail.put(0, text));
        tail.commit(len);
    }
    assert!(tail.commit_with(*b"a header", [u64::from_le_bytes(*b"a word. ")], 16));
    assert_eq!(tail.room(), 4064);
    assert_eq!(reader.committed(), b"entry 1.entry 2.a headera word. ");
}

#[test]
fn chunks_of_a_segment_do_not_overlap() {
    let chunks = Segment::heap(4 * 128).unwrap().cut(128);
    assert_eq!(chunks.len(), 4);
    let mut open: Vec<_> = chunks.into_iter().zip(0..).map(|(c, n)| c.open(n)).collect();
    for (n, (tail, _)) in open.iter_mut().enumerate() {
        tail.free().fill(n as u8);
        tail.commit(64);
    }
    for (n, (_, chunk)) in open.iter().enumerate() {
        assert_eq!(chunk.committed(), [n as u8; 64]);
    }
}

#[cfg(feature = "mapped")]
#[test]
fn a_mapped_file_holds_what_was_committed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("0.journal");
    let chunk = Segment::file(path.clone(), 256).unwrap().cut(128).remove(0);
    let (mut tail, reader) = chunk.open(7);
    tail.free()[..8].copy_from_slice(b"entries!");
    tail.commit(8);
    let file = std::fs::read(&path).unwrap();
    let (chunks, damaged) = observe_wire::journal::chunk::chunks(&file);
    let told: Vec<_> = chunks.iter().map(|c| (c.sequence, c.entries)).collect();
    assert_eq!((told, damaged), (vec![(7, &b"entries!"[..]), (0, &b""[..])], 0));
    drop((tail, reader));
    assert!(!path.exists());
}

#[cfg(feature = "mapped")]
#[test]
fn what_is_out_of_memory_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let (len, text) = (1 << 16, [7; 5_000]);
    let mut chunks = Segment::file(directory.path().join("0.journal"), 2 * len).unwrap().cut(len);
    let (mut tail, chunk) = chunks.remove(0).open(1);
    tail.free()[..text.len()].copy_from_slice(&text);
    tail.commit(text.len());
    drop(tail);
    assert!(chunk.release() && !chunk.release(), "once");
    assert_eq!((chunk.is_released(), chunk.len(), chunk.committed()), (true, text.len(), &text[..]));
    let chunk = Chunk::reclaim(chunk).unwrap_or_else(|_| panic!("the tail is gone"));
    let (mut tail, chunk) = chunk.open(2);
    assert_eq!((chunk.is_released(), chunk.len()), (false, 0));
    tail.commit(8);
    assert_eq!(chunk.committed(), [7; 8], "what was there before");
    let (tail, plain) = Segment::heap(len).unwrap().cut(len).remove(0).open(1);
    drop(tail);
    assert!(!plain.release() && !plain.is_released(), "plain memory lies nowhere else");
}
