//! The table of rows says what is there.

use std::{fs, path::Path};

/// Row and tests of each line of the table.
fn table() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/ROWS.md")).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| S"));
    rows.map(|row| {
        let (number, _) = row.split_once(' ').unwrap();
        let tests = row.rsplit(" | ").next().unwrap().trim_end_matches(" |");
        (format!("S{number}"), tests.split("<br>").map(|test| test.trim_matches('`').to_owned()).collect())
    })
    .collect()
}

#[test]
fn every_row_is_there_once_and_in_order() {
    let rows: Vec<_> = table().into_iter().map(|(row, _)| row).collect();
    assert_eq!(rows, (1..=53).map(|n| format!("S{n}")).collect::<Vec<_>>());
}

#[test]
fn every_test_that_a_row_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (row, tests) in table() {
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or_else(|| panic!("{row}: {test}"));
            let source =
                fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{row}: {file}: {error}"));
            let Some(at) = source.find(&format!("fn {name}(")) else { panic!("{row}: no test {test}") };
            // The attribute stands right above, other attributes aside.
            let mut above = source[..at].trim_end().lines().rev().take_while(|line| !line.trim().is_empty());
            assert!(above.any(|line| line.contains("test")), "{row}: {test} is no test");
        }
    }
}
