//! Reads Markdown and text files and cuts them into passages: one heading each, and no longer than can be quoted.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;

/// Bytes of text after which a section goes on in a new passage.
const PASSAGE_SIZE: usize = 800;

/// A piece of one file under one heading.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Passage {
    /// Where it stands: `README.md > Tests`.
    pub(crate) source: String,
    /// Its lines as they are in the file, except that fenced code is indented by four spaces instead.
    pub(crate) text: String,
}

/// The passages of all `.md` and `.txt` files at or below `parts`, which are paths relative to `base`.
pub(crate) fn read(base: &Path, parts: &[&str]) -> io::Result<Vec<Passage>> {
    let mut files = Vec::new();
    for part in parts {
        find_files(&base.join(part), &mut files)?;
    }
    let mut passages = Vec::new();
    for file in files {
        let bytes = fs::read(&file).map_err(|error| about(&file, error))?;
        let name = file.strip_prefix(base).unwrap_or(&file).display().to_string();
        cut(&name, &String::from_utf8_lossy(&bytes), &mut passages);
    }
    Ok(passages)
}

/// Collects documents in the order of their names. Hidden files and symbolic links (which may lead in circles) stay out.
fn find_files(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|error| about(path, error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let document = path.extension().is_some_and(|e| e == "md" || e == "markdown" || e == "txt");
        if !hidden && (kind.is_dir() || kind.is_file() && document) {
            find_files(&path, files)?;
        }
    }
    Ok(())
}

/// An error that says which file it is about.
fn about(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
}

/// Cuts one file's text at its headings, and where a passage would grow too long.
fn cut(file: &str, text: &str, passages: &mut Vec<Passage>) {
    let mut headings: Vec<(usize, &str)> = Vec::new();
    let mut passage = String::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if in_code {
            passage.push_str(&format!("    {line}\n"));
        } else if let Some((level, title)) = heading(line) {
            close(file, &headings, &mut passage, passages);
            headings.retain(|(outer, _)| *outer < level);
            headings.push((level, title));
        } else {
            for sentence in line.split_inclusive(". ") {
                if passage.len() + sentence.len() > PASSAGE_SIZE {
                    close(file, &headings, &mut passage, passages);
                }
                passage.push_str(sentence);
            }
            passage.push('\n');
        }
    }
    close(file, &headings, &mut passage, passages);
}

/// `## Tests` is a heading of level 2.
fn heading(line: &str) -> Option<(usize, &str)> {
    let title = line.trim_start_matches('#');
    let level = line.len() - title.len();
    ((1..=6).contains(&level) && title.starts_with(' ')).then(|| (level, title.trim()))
}

/// Moves what has been gathered to `passages`, unless it is blank.
fn close(file: &str, headings: &[(usize, &str)], text: &mut String, passages: &mut Vec<Passage>) {
    let text = std::mem::take(text);
    if !text.trim().is_empty() {
        let titles = headings.iter().map(|(_, title)| *title);
        let source = std::iter::once(file).chain(titles).collect::<Vec<_>>().join(" > ");
        passages.push(Passage { source, text: text.trim_end().to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_know_their_headings_and_code_is_indented() {
        let mut passages = Vec::new();
        cut("a.md", "# One\ntext\n## Two\n```sh\n# no heading\n```\n# Three\n\nmore", &mut passages);
        let found: Vec<_> = passages.iter().map(|p| (p.source.as_str(), p.text.as_str())).collect();
        let expected =
            [("a.md > One", "text"), ("a.md > One > Two", "    # no heading"), ("a.md > Three", "\nmore")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_long_section_becomes_several_passages_and_loses_nothing() {
        let text = "All work and no play. ".repeat(200);
        let mut passages = Vec::new();
        cut("a.txt", &text, &mut passages);
        assert!(passages.len() > 1 && passages.iter().all(|p| p.text.len() <= PASSAGE_SIZE));
        let words: usize = passages.iter().map(|p| p.text.split_whitespace().count()).sum();
        assert_eq!(words, text.split_whitespace().count());
    }
}
