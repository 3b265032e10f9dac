//! The schema is what its document says, and serves the lists from indexes.

use std::collections::{BTreeMap, BTreeSet};

use observe_store::{SessionQuery, SqliteStore, Store, TraceQuery};
use rusqlite::Connection;

use crate::common::*;

/// Table names to their "column type" rows and index names, as `docs/STORE.md` lists them.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/STORE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut table = None;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("##") {
            let name = heading.trim_start_matches('#').trim();
            table = name.strip_prefix('`').and_then(|n| n.strip_suffix('`')).map(str::to_owned);
        }
        let (Some(table), Some(row)) = (&table, line.strip_prefix("| `")) else { continue };
        let cells: Vec<_> = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        for name in cells[0].split(", ").map(|name| name.trim_matches('`')) {
            tables.entry(table.clone()).or_default().insert(format!("{name} {}", cells[1]));
        }
    }
    tables
}

/// The same from a database.
fn actual(connection: &Connection) -> BTreeMap<String, BTreeSet<String>> {
    let mut statement = connection
        .prepare(
            "SELECT t.name, c.name || ' ' || c.type FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table'
             UNION ALL
             SELECT i.tbl_name, i.name || ' (' || (SELECT group_concat(name, ', ') FROM pragma_index_info(i.name)) || ')'
             FROM sqlite_schema i WHERE i.type = 'index' AND i.sql IS NOT NULL",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?))).unwrap();
    let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (table, row) in rows.map(Result::unwrap) {
        tables.entry(table).or_default().insert(row);
    }
    tables
}

#[test]
fn the_document_lists_every_table_column_and_index() {
    let (_directory, store) = temporary();
    let connection = Connection::open(store.path()).unwrap();
    assert_eq!(documented(), actual(&connection));
}

#[test]
fn a_database_of_schema_1_is_brought_up_to_date_and_keeps_its_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("observe.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../migrations/0001_initial.sql")).unwrap();
    // What the program of that version wrote.
    old.execute_batch(
        "INSERT INTO spans (trace_id, span_id, project, service, name, span_type, status, level, start_ns, end_ns)
         VALUES (x'00000000000000000000000000000001', x'0000000000000002', 'p', 'p', 'old', 'span', 'ok', 'debug', 1, 5);
         INSERT INTO traces (trace_id, project, name, session, status, start_ns, last_ns, spans, errors, warnings)
         VALUES (x'00000000000000000000000000000001', 'p', 'old', 's', 'ok', 1, 5, 1, 0, 0);
         INSERT INTO sessions
         (project, session, traces, failed_traces, start_ns, last_ns, active_ns, spans, errors, warnings)
         VALUES ('p', 's', 1, 0, 1, 5, 4, 1, 0, 0);
         PRAGMA user_version = 1",
    )
    .unwrap();
    drop(old);

    // A reader brings it up to date as well.
    let store = SqliteStore::open_read_only(&path).unwrap();
    let trace = store.trace(trace_id(1)).unwrap().unwrap();
    assert_eq!((&*trace.spans[0].name, trace.spans[0].dropped), ("old", 0));
    let totals = trace.summary.totals;
    assert_eq!((totals.spans, totals.dropped, totals.debugs), (1, 0, 1));
    let sessions = store.sessions(&SessionQuery::default()).unwrap().items;
    let totals = &sessions[0].totals;
    assert_eq!((&*sessions[0].session, totals.dropped, totals.debugs), ("s", 0, 1));
    drop(store);

    let mut store = SqliteStore::open(&path).unwrap();
    let mut more = in_session(span(1, 3, 2, 2), "s");
    more.dropped = 7;
    write(&mut store, &[more]);
    let totals = store.trace(trace_id(1)).unwrap().unwrap().summary.totals;
    assert_eq!((totals.spans, totals.dropped, totals.debugs), (2, 7, 1));
    let connection = Connection::open(&path).unwrap();
    assert_eq!(documented(), actual(&connection));
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 4);
}

#[test]
fn lists_and_roll_ups_read_no_payload() {
    let (_directory, mut store) = temporary();
    let mut long = in_session(span(1, 1, 0, 1), "s");
    long.input = Some("1".repeat(1_000).into());
    write(&mut store, &[long]);
    Connection::open(store.path()).unwrap().execute_batch("DROP TABLE payloads").unwrap();
    write(&mut store, &[in_session(span(1, 2, 1, 2), "s")]);
    let traces = store.traces(&TraceQuery::default()).unwrap().items;
    assert_eq!((traces[0].totals.spans, traces[0].input.as_deref()), (2, Some(&*"1".repeat(200))));
    assert_eq!(store.sessions(&SessionQuery::default()).unwrap().items[0].first_input, traces[0].input);
    assert!(store.trace(trace_id(1)).is_err(), "this one does read them");
}

#[test]
fn a_text_that_comes_again_is_kept_once_and_small() {
    let (_directory, mut store) = temporary();
    let text = serde_json::json!({ "messages": "The same conversation again. ".repeat(1_000) }).to_string();
    let spans: Vec<_> = (1..=50)
        .map(|n| {
            let mut span = span(n, n, 0, n);
            span.input = Some(text.as_str().into());
            span.output = Some("\"short\"".into());
            span
        })
        .collect();
    write(&mut store, &spans);
    let connection = Connection::open(store.path()).unwrap();
    let (rows, bytes): (i64, i64) = connection
        .query_row("SELECT count(*), sum(length(body)) FROM payloads", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(rows, 1);
    assert!(bytes < 1_000, "{} bytes became {bytes}", text.len());
    for n in [1, 50] {
        let trace = store.trace(trace_id(n)).unwrap().unwrap();
        assert_eq!(trace.spans[0].input.as_ref().unwrap().get(), text);
        assert_eq!(trace.spans[0].output.as_ref().unwrap().get(), "\"short\"");
    }
}
