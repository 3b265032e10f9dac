//! A file with one line of JSON for each span.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use observe_model::{Record, Resource, Span};
use serde::Serialize;

use super::{Queue, Sink};

/// Appends each finished span, score and metric to a file, as one line of JSON.
///
/// A line is an object: `resource` says whose it is (`project`, `service`, `release`, `environment`), and one of `span`,
/// `score` and `metric` holds the rest, in the form in which [`Span`], [`Score`](crate::Score) and
/// [`Metric`](crate::Metric) serialise. What is unknown is left out. `input` and `output` are the recorded values
/// themselves.
///
/// ```json
/// {"resource":{"project":"docs","service":"docs"},"span":{"trace_id":"..","span_id":"..","name":"retrieve",..}}
/// ```
///
/// Lines are written as soon as they are handed over, a batch in one piece, so that several processes may append to the
/// same file. Nothing is ever removed from it: what rotates logs can rotate it, as the file is opened for each batch.
///
/// ```
/// use observe_runtime::destination::Jsonl;
/// let destination = Jsonl::append_to("/tmp/spans.jsonl"); // for `observe::builder().destination(..)`
/// ```
#[derive(Debug)]
pub struct Jsonl {
    path: PathBuf,
    /// The last batch was perhaps written in part.
    is_torn: bool,
}

impl Jsonl {
    /// A destination that appends to the file at `path`, which is made, with its directory, when there is a first line.
    pub fn append_to(path: impl Into<PathBuf>) -> Queue<Self> {
        Queue::new(Self::new(path.into()))
    }

    fn new(path: PathBuf) -> Self {
        Self { path, is_torn: false }
    }

    fn append<T: Serialize>(&mut self, lines: impl Iterator<Item = T>) -> Result<(), String> {
        let mut text = Vec::new();
        if self.is_torn {
            text.push(b'\n');
        }
        lines.for_each(|line| push(&mut text, &line));
        let written = open(&self.path).and_then(|mut file| file.write_all(&text));
        self.is_torn = written.is_err();
        written.map_err(|error| {
            format!("{} cannot be written: {error}; its lines are lost meanwhile", self.path.display())
        })
    }
}

/// A line.
#[derive(Serialize)]
struct Line<'a, T> {
    resource: &'a Resource,
    #[serde(flatten)]
    what: T,
}

#[derive(Serialize)]
struct OfSpan<'a> {
    span: &'a Span<'a>,
}

/// Appends a line.
fn push(text: &mut Vec<u8>, line: &impl Serialize) {
    let begin = text.len();
    if serde_json::to_writer(&mut *text, line).is_err() {
        return text.truncate(begin);
    }
    // A recorded value keeps its line ends, which in JSON stand between tokens alone.
    for byte in text.iter_mut().skip(begin).filter(|byte| matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
    text.push(b'\n');
}

/// The file, to be read by nobody else: what was recorded may be private.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            options.open(path)
        }
        opened => opened,
    }
}

impl Sink for Jsonl {
    fn name(&self) -> &'static str {
        "jsonl"
    }

    fn for_child(&self) -> Option<Self> {
        Some(Self::new(self.path.clone()))
    }

    fn write(&mut self, resource: &Resource, spans: &[Span<'static>]) -> Result<(), String> {
        let ended = spans.iter().filter(|span| span.end.is_some());
        self.append(ended.map(|span| Line { resource, what: OfSpan { span } }))
    }

    fn write_records(&mut self, resource: &Resource, records: &[Record]) -> Result<(), String> {
        self.append(records.iter().map(|what| Line { resource, what }))
    }
}

#[cfg(test)]
mod tests {
    use observe_model::{Metric, Score, SpanId, Timestamp, TraceId};
    use serde_json::Value;

    use super::*;

    fn lines(path: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn span(input: &str) -> Span<'static> {
        let mut span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "step", Timestamp(1));
        (span.end, span.input) = (Some(Timestamp(2)), Some(input.to_owned().into()));
        span
    }

    #[test]
    fn each_span_score_and_metric_is_one_line_that_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("made/spans.jsonl");
        let mut jsonl = Jsonl::new(path.clone());
        let resource = Resource { project: "docs".into(), ..Resource::default() };
        // A value with line ends of its own.
        let spans = [span("{\n  \"a\": \"x\\ny\"\r\n}"), span("2")];
        jsonl.write(&resource, &spans).unwrap();
        let score = Score { name: "quality".into(), ..Score::default() };
        let metric = Metric { name: "chars".into(), value: 5.0, ..Metric::default() };
        jsonl
            .write_records(&resource, &[Record::Score(score.clone()), Record::Metric(metric.clone())])
            .unwrap();
        let lines = lines(&path);
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line["resource"]["project"] == "docs"));
        assert_eq!(lines[0]["span"]["input"]["a"], "x\ny");
        assert_eq!(serde_json::from_value::<Span<'_>>(lines[1]["span"].clone()).unwrap(), spans[1]);
        assert_eq!(serde_json::from_value::<Score>(lines[2]["score"].clone()).unwrap(), score);
        assert_eq!(serde_json::from_value::<Metric>(lines[3]["metric"].clone()).unwrap(), metric);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_said_and_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spans.jsonl");
        std::fs::create_dir(&path).unwrap();
        let mut jsonl = Jsonl::new(path.clone());
        let error = jsonl.write(&Resource::default(), &[span("1")]).unwrap_err();
        assert!(error.contains("spans.jsonl cannot be written"), "{error}");
        std::fs::remove_dir(&path).unwrap();
        jsonl.write(&Resource::default(), &[span("2")]).unwrap();
        // What a failure has left of a line stands alone.
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().next(), Some(""));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<Value>(text.trim()).unwrap()["span"]["input"], 2);
    }
}
