//! What a process that was killed leaves in its directory: whatever the files hold, they are read, and gone or set aside.
#![no_main]

use std::{cell::Cell, fs, io, path::Path};

use libfuzzer_sys::fuzz_target;
use observe_model::{SpanId, TraceId};
use observe_wire::{
    journal::{
        Home,
        chunk::{ARRIVED_AT, CAPACITY_AT, COMMITTED_AT, HEADER, MAGIC},
        each_dead,
        receipts::Receipts,
        recover_all_dead,
    },
    platform::Key,
};

// Four bytes say how long the destination's file is and how much of the journal is committed and has arrived; those of the file follow,
// and the journal's entries.
fuzz_target!(|bytes: &[u8]| {
    let Some(([owed_len, of_all, committed, arrived], rest)) = bytes.split_first_chunk::<4>() else { return };
    let (owed, entries) = rest.split_at(rest.len().min(usize::from(*owed_len)));
    // In memory, where there is such a place: a disk is what takes longest here.
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let root = base.join(format!("observe-fuzz-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    let home = Home::create(&root, ["a", "b"]).unwrap();
    fs::write(home.owed("a"), owed).unwrap();
    let part = |of: u8| (entries.len() * usize::from(of) / 128) as u64;
    let mut chunk = vec![0; HEADER];
    let numbers = [(0, MAGIC), (CAPACITY_AT, HEADER as u64 + part(*of_all)), (COMMITTED_AT, part(*committed))];
    for (at, number) in numbers.into_iter().chain([(ARRIVED_AT, part(*arrived))]) {
        chunk[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    fs::write(home.file(1), [&chunk, entries].concat()).unwrap();
    fs::write(home.file(2), entries).unwrap();
    let owed_at = home.owed("a");
    drop(home);

    let (receipts, len) = Receipts::read(owed);
    assert!(len <= owed.len());
    let trace = TraceId::from_seed("a");
    let key = Key::span(SpanId::from_seed("a"));
    let (spans, again) = (Cell::new(0), Cell::new(0));
    let first = each_dead(&root, "a", |dead| {
        assert_eq!(dead.receipts().has(trace, key), receipts.has(trace, key));
        assert_eq!(dead.receipts().name(trace), receipts.name(trace));
        dead.read(|_, batch| {
            spans.set(spans.get() + batch.spans.len() as u64);
            Ok(())
        })?;
        dead.note(trace, key)?;
        // This process is killed.
        Err(io::ErrorKind::Interrupted.into())
    });
    assert_eq!(first.unwrap_err().kind(), io::ErrorKind::Interrupted);
    let noted = fs::read(&owed_at).unwrap();
    let (receipts, whole) = Receipts::read(&noted);
    assert_eq!((receipts.has(trace, key), whole), (true, noted.len()));

    let second = each_dead(&root, "a", |dead| {
        assert!(dead.receipts().has(trace, key));
        dead.read(|_, batch| {
            again.set(again.get() + batch.spans.len() as u64);
            Ok(())
        })
    });
    assert_eq!(spans, again);
    if let Ok(recovered) = second {
        assert_eq!(recovered.spans, spans.get());
    }
    assert!(!owed_at.exists());
    // The other destination still has it to come, and is the last.
    let _ = recover_all_dead(&root, "b", |_, _| Ok(()));
    let left = fs::read_dir(&root).unwrap().flatten();
    assert!(left.into_iter().all(|entry| entry.path().extension().is_some_and(|ending| ending == "damaged")));
    fs::remove_dir_all(&root).unwrap();
});
