//! Puts `#[observe]` on every function of a crate, in place.
//!
//! It is how we know that the attribute fits all of Rust: real crates are annotated with it, and their own tests must
//! pass as before, while every call is recorded ([`observe-from-start`](../../from-start/src/lib.rs)).

mod functions;
mod report;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) use self::report::Report;

/// The dependency that the attribute names as `::observe`.
const FROM_START: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/from-start");

/// Annotates the crate whose manifest lies in `root`, and says what it did.
///
/// # Errors
/// If there is no manifest or it has been annotated before, if a file cannot be read or written, or if one is no Rust.
pub(crate) fn annotate(root: &Path) -> Result<Report, String> {
    let manifest = root.join("Cargo.toml");
    let with_dependency = depend(&read(&manifest)?)
        .ok_or_else(|| format!("{}: it depends on something called `observe` already", manifest.display()))?;
    let mut report = Report::default();
    for file in sources(root)? {
        let text = read(&file)?;
        let annotated = functions::annotate(&text, &mut report)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        if annotated != text {
            write(&file, &annotated)?;
        }
    }
    write(&manifest, &with_dependency)?;
    Ok(report)
}

/// The manifest with the dependency; `None` if it has one of that name.
fn depend(manifest: &str) -> Option<String> {
    const TABLE: &str = "[dependencies.observe]";
    let has = manifest.lines().map(str::trim_start).any(|line| {
        line.starts_with(TABLE)
            || line.strip_prefix("observe").is_some_and(|l| l.trim_start().starts_with('='))
    });
    let dependency = format!("\n{TABLE}\npackage = \"observe-from-start\"\npath = {FROM_START:?}\n");
    (!has).then(|| format!("{}\n{dependency}", manifest.trim_end()))
}

/// The Rust files of the package in `root`.
///
/// Not the build script, which cannot use the package's dependencies; nor other packages inside; nor files that the
/// compiler is expected to refuse, in words that lie beside them.
fn sources(root: &Path) -> Result<Vec<PathBuf>, String> {
    let (mut files, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        let fault = |error| format!("{}: {error}", directory.display());
        for entry in fs::read_dir(&directory).map_err(fault)? {
            let path = entry.map_err(fault)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                let other = name.starts_with('.') || path.join("Cargo.toml").exists();
                let top = directory == root && matches!(&*name, "target" | "build");
                if !other && !top {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "rs")
                && !(directory == root && name == "build.rs")
                && !path.with_extension("stderr").exists()
            {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_annotated_but_for_its_build_script_and_what_must_not_compile() {
        let package = tempfile::tempdir().unwrap();
        let path = |name: &str| package.path().join(name);
        for directory in ["src", "tests/ui", "inner/src"] {
            fs::create_dir_all(path(directory)).unwrap();
        }
        let manifest = "[package]\nname = \"it\"\n\n[dependencies]\n";
        for name in ["build.rs", "src/lib.rs", "tests/all.rs", "tests/ui/bad.rs", "inner/src/lib.rs"] {
            fs::write(path(name), "fn f() {}\n").unwrap();
        }
        for (name, text) in
            [("Cargo.toml", manifest), ("inner/Cargo.toml", manifest), ("tests/ui/bad.stderr", "")]
        {
            fs::write(path(name), text).unwrap();
        }

        let report = annotate(package.path()).unwrap();

        assert_eq!(report.to_string().lines().next(), Some("2 functions: 2 annotated, 0 left out"));
        let annotated = |name: &str| read(&path(name)).unwrap().contains("observe");
        assert!(annotated("src/lib.rs") && annotated("tests/all.rs") && annotated("Cargo.toml"));
        for other in ["build.rs", "tests/ui/bad.rs", "inner/src/lib.rs", "inner/Cargo.toml"] {
            assert!(!annotated(other), "{other}");
        }
        assert!(annotate(package.path()).unwrap_err().contains("already"));
    }
}
