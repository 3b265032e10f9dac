//! What docs/ARCHITECTURE.md says holds: which package may use which, and where `unsafe` stands.

use std::{collections::BTreeSet, fs, path::Path};

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

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn document() -> String {
    fs::read_to_string(Path::new(ROOT).join("docs/ARCHITECTURE.md")).unwrap()
}

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
    let document = document();
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

/// The files below `directory` that hold `text`, as they are called from the root on.
fn files_with(text: &str, directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_with(text, &path, found);
        } else if path.extension().is_some_and(|it| it == "rs")
            && fs::read_to_string(&path).unwrap().contains(text)
        {
            found.insert(path.strip_prefix(ROOT).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}

#[test]
fn unsafe_code_stands_where_the_architecture_document_says() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let mut found = BTreeSet::new();
    for package in &metadata.packages {
        let sources = package.manifest_path.parent().unwrap().join("src");
        files_with("allow(unsafe_code", sources.as_std_path(), &mut found);
    }
    let document = document();
    let (_, list) = document.split_once("`unsafe` stands in these files").unwrap();
    let items = list.lines().skip(2).take_while(|line| !line.is_empty());
    let named = items.filter_map(|line| Some(line.strip_prefix("- `")?.split_once('`')?.0.to_owned()));
    assert_eq!(found, named.collect());
}
