//! `observe` as an annotated crate links it, recording from before `main`: the crate's own tests do not call `init`, and
//! without it nothing would be captured.
//!
//! Spans are looked at and counted, not kept. When the process ends, it adds a line with the counts to the file that
//! `OBSERVE_FROM_START` names, `spans=.. failed=.. dropped=.. broken=..`, for `.ci/annotate` to read; if the variable is
//! not set, it writes nothing.

mod before_main;

use std::{env, fs::OpenOptions, io::Write as _, path::PathBuf, sync::Arc};

use observe::{
    Span, Status,
    destination::{Destination, Progress},
};
use serde::de::IgnoredAny;

pub use observe::{__private, observe};

/// Begins to record, for as long as the process lives.
fn begin() {
    let mut counts = Counts::default();
    counts.file = env::var_os("OBSERVE_FROM_START").map(Into::into);
    // The process ends without dropping it, which flushes too.
    std::mem::forget(observe::builder().destination(counts).init());
}

/// A destination that counts.
#[derive(Debug, Default)]
struct Counts {
    file: Option<PathBuf>,
    spans: u64,
    /// Those that ended with an error: an `Err` or a panic.
    failed: u64,
    /// Those that the journal had no room for.
    dropped: u64,
    /// Inputs and outputs that are no JSON, which must not be.
    broken: u64,
    progress: Arc<Progress>,
}

impl Destination for Counts {
    fn name(&self) -> &str {
        "counts"
    }

    fn record(&mut self, span: &Span<'_>) {
        self.spans += 1;
        self.failed += u64::from(span.status == Status::Error);
        self.dropped += span.dropped;
        for text in [&span.input, &span.output].into_iter().flatten() {
            if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
                self.broken += 1;
                eprintln!("`{}`: {error}: {text:.1000}", span.name);
            }
        }
        self.progress.update(|counts| {
            counts.accepted += 1;
            counts.sent += 1;
        });
    }

    fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

/// The process ends.
impl Drop for Counts {
    fn drop(&mut self) {
        let Self { file: Some(file), spans, failed, dropped, broken, .. } = self else { return };
        let line = format!("spans={spans} failed={failed} dropped={dropped} broken={broken}\n");
        let written = OpenOptions::new().create(true).append(true).open(&*file);
        if let Err(error) = written.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("{}: {error}", file.display());
        }
    }
}
