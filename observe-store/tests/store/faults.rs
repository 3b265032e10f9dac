//! What happens to a file that is damaged, foreign, too new, missing or out of reach.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
};

use observe_store::{Error, SqliteStore, Store, TraceQuery};
use rusqlite::Connection;

use crate::common::*;

const GARBAGE: &[u8] = b"this is no database, but somebody may want it back";

/// The databases in `directory` that were set aside, without what belongs to them.
fn set_aside(directory: &Path) -> Vec<PathBuf> {
    let mut files = files(directory, ".corrupt-");
    files.retain(|f| !f.to_str().unwrap().ends_with("-wal") && !f.to_str().unwrap().ends_with("-shm"));
    files
}

/// The files in `directory` whose name holds `part`, sorted.
fn files(directory: &Path, part: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.file_name().unwrap().to_str().unwrap().contains(part));
    files.sort();
    files
}

#[test]
fn a_corrupt_file_is_set_aside_whole_and_a_new_one_begun() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("observe.db");
    for round in 1..=3 {
        fs::write(&path, GARBAGE).unwrap();
        fs::write(directory.path().join("observe.db-wal"), b"wal").unwrap();
        let mut store = SqliteStore::open(&path).unwrap();
        write(&mut store, &[span(1, 1, 0, 1)]);
        let aside = store.set_aside().unwrap().to_owned();
        assert!(aside.starts_with(directory.path()));
        assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("observe.db.corrupt-"));
        assert_eq!(fs::read(&aside).unwrap(), GARBAGE);
        let wal = PathBuf::from(format!("{}-wal", aside.display()));
        assert_eq!(fs::read(wal).unwrap(), b"wal");
        assert_eq!(store.traces(&TraceQuery::default()).unwrap().items.len(), 1);
        drop(store);
        let kept = set_aside(directory.path());
        assert_eq!(kept.len(), round, "none was overwritten");
        assert!(kept.iter().all(|f| fs::read(f).unwrap() == GARBAGE));
    }
    assert!(SqliteStore::open(&path).unwrap().set_aside().is_none());
}

#[test]
fn stores_that_open_the_same_corrupt_file_at_once_end_up_with_one_new_one() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("observe.db");
        fs::write(&path, GARBAGE).unwrap();
        let all = Barrier::new(4);
        let renamed = thread::scope(|scope| {
            let open = |n: u64| {
                let (all, path) = (&all, &path);
                scope.spawn(move || {
                    all.wait();
                    let mut store = SqliteStore::open(path).unwrap();
                    write(&mut store, &[span(n, 1, 0, 1)]);
                    store.set_aside().is_some()
                })
            };
            let threads: Vec<_> = (1..=4).map(open).collect();
            threads.into_iter().map(|t| t.join().unwrap()).filter(|renamed| *renamed).count()
        });
        assert_eq!(renamed, 1, "one of them says so");
        assert_eq!(set_aside(directory.path()).len(), 1);
        let store = SqliteStore::open_read_only(&path).unwrap();
        assert_eq!(store.traces(&TraceQuery::default()).unwrap().items.len(), 4);
    }
}

#[test]
fn damage_that_shows_later_is_an_error_that_recover_mends() {
    let (directory, mut store) = temporary();
    let path = store.path().to_owned();
    write(&mut store, &[span(1, 1, 0, 1)]);
    drop(store);
    let root: u64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'spans'", [], |row| row.get::<_, i64>(0))
        .unwrap()
        .try_into()
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let page = usize::try_from(root - 1).unwrap() * 4096;
    bytes[page..page + 4096].fill(0xa5);
    fs::write(&path, &bytes).unwrap();

    let mut store = SqliteStore::open(&path).unwrap();
    assert!(store.set_aside().is_none(), "the beginning of the file is sound");
    let error = store.write(&project("p"), &[span(2, 1, 0, 1)]).unwrap_err();
    assert!(error.is_corrupt(), "{error}");
    let mut store = store.recover().unwrap();
    assert_eq!(fs::read(store.set_aside().unwrap()).unwrap(), bytes);
    write(&mut store, &[span(2, 1, 0, 1)]);
    let store = store.recover().unwrap();
    assert!(store.set_aside().is_none(), "a sound file stays where it is");
    assert_eq!(store.traces(&TraceQuery::default()).unwrap().items.len(), 1);
    assert_eq!(set_aside(directory.path()).len(), 1);
}

#[test]
fn a_reader_leaves_a_corrupt_file_where_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("observe.db");
    fs::write(&path, GARBAGE).unwrap();
    assert!(SqliteStore::open_read_only(&path).unwrap_err().is_corrupt());
    assert_eq!(fs::read(&path).unwrap(), GARBAGE);
    assert!(files(directory.path(), ".corrupt-").is_empty());
}

#[test]
fn a_reader_says_so_when_there_is_no_file_and_creates_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("observe.db");
    let error = SqliteStore::open_read_only(&path).unwrap_err();
    assert!(matches!(&error, Error::Missing(p) if *p == path), "{error}");
    assert!(files(directory.path(), "").is_empty());
}

#[test]
fn a_reader_cannot_write() {
    let (_directory, store) = temporary();
    let mut reader = SqliteStore::open_read_only(store.path()).unwrap();
    let error = reader.write(&project("p"), &[span(1, 1, 0, 1)]).unwrap_err();
    assert!(matches!(error, Error::Unwritable(_)), "{error}");
}

/// Opens `path` both ways; neither may change the file or put another in its place.
fn refuse(path: &Path) -> [Error; 2] {
    let before = fs::read(path).unwrap();
    let errors = [SqliteStore::open(path).unwrap_err(), SqliteStore::open_read_only(path).unwrap_err()];
    assert_eq!(fs::read(path).unwrap(), before);
    assert!(files(path.parent().unwrap(), ".corrupt-").is_empty());
    errors
}

#[test]
fn a_newer_schema_is_refused_and_left_as_it_is() {
    let (_directory, store) = temporary();
    let path = store.path().to_owned();
    drop(store);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    for error in refuse(&path) {
        assert!(matches!(error, Error::NewerSchema { found: 99, .. }) && !error.is_corrupt(), "{error}");
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("theirs.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    for error in refuse(&path) {
        assert!(matches!(error, Error::Foreign(_)) && !error.is_corrupt(), "{error}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_one_clear_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = SqliteStore::open(file.join("observe.db")).unwrap_err();
    assert!(matches!(error, Error::Directory { .. }), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot write the directory {}", file.display())), "{text}");
    assert!(text.contains("OBSERVE_DIR") && !text.contains('\n'), "{text}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_sees_what_is_created() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/deep/observe.db");
    let mut store = SqliteStore::open(&path).unwrap();
    write(&mut store, &[span(1, 1, 0, 1)]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for file in ["observe.db", "observe.db-wal", "observe.db-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
}
