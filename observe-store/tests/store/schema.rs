//! The schema is what its document says, and serves the lists from indexes.

use std::collections::{BTreeMap, BTreeSet};

use observe_store::{SessionQuery, Store, TraceQuery};
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
