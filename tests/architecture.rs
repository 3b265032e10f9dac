//! Which package may use which: the arrows of docs/ARCHITECTURE.md, and no others.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};

const ARROWS: [(&str, &str); 13] = [
    ("observe-ai", "observe-macros"),
    ("observe-ai", "observe-runtime"),
    ("observe-ai", "observe-store"),
    ("observe-viewer", "observe-store"),
    ("observe-viewer", "observe-wire"),
    ("observe-viewer", "observe-model"),
    ("observe-runtime", "observe-wire"),
    ("observe-runtime", "observe-model"),
    ("observe-store", "observe-model"),
    ("observe-wire", "observe-model"),
    ("observe-from-start", "observe-ai"),
    // Examples and tests serve the page themselves, and read what was sent.
    ("observe-ai (dev)", "observe-viewer"),
    ("observe-ai (dev)", "observe-wire"),
];

#[test]
fn packages_use_each_other_as_the_architecture_says() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let ours: BTreeSet<_> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let mut found = BTreeSet::new();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|d| ours.contains(&d.name)) {
            let arrow = |dev| (format!("{}{dev}", package.name), dependency.name.clone());
            // A package whose tests use what it uses anyway draws no arrow of its own.
            if dependency.kind != DependencyKind::Development {
                found.insert(arrow(""));
            } else if !ARROWS.contains(&(&package.name, &dependency.name)) {
                found.insert(arrow(" (dev)"));
            }
        }
    }
    let expected: BTreeSet<_> = ARROWS.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_architecture_document_draws_the_same_arrows() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ARCHITECTURE.md")).unwrap();
    let mut drawn = BTreeSet::new();
    for line in document.lines().filter(|l| l.starts_with("observe-")) {
        let Some((from, to)) = line.split_once("->") else { continue };
        let from = from.split_whitespace().next().unwrap_or_default();
        let to = to.split(',').map(str::trim).filter(|name| name.starts_with("observe-"));
        drawn.extend(to.map(|to| (from.to_owned(), to.to_owned())));
    }
    let expected: BTreeSet<_> = ARROWS
        .into_iter()
        .filter(|(a, _)| !a.ends_with("(dev)"))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    assert_eq!(drawn, expected);
}
