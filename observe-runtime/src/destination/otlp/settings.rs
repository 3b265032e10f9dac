//! Where and how to send, as OpenTelemetry's environment variables say it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use observe_model::SpanId;

use crate::{
    report::say_once,
    settings::{percent_decoded, var},
};

/// Settings of the `otlp` destination.
///
/// Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// Where requests go, the path included.
    pub url: String,
    /// Headers that every request carries.
    pub headers: Vec<(String, String)>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Whether bodies are compressed with gzip: about a tenth of the bytes, for several times the processor time.
    pub gzip: bool,
    /// Where requests wait while the receiver is away or too slow: at most 256 MiB, for a week. `None` keeps nothing on disk:
    /// after about a minute they are lost, and counted.
    pub spool: Option<PathBuf>,
    /// Where the journal lies meanwhile, so that a process which is killed loses nothing: what it left there, the next one
    /// sends. Not without a `spool`. `None` keeps it in plain memory.
    pub journal: Option<PathBuf>,
}

impl OtlpSettings {
    /// Sends to `url`, which is used as given, without headers, with a time limit of 10 seconds, without compression and without a place
    /// on disk.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            gzip: false,
            spool: None,
            journal: None,
        }
    }

    /// Reads `OTEL_EXPORTER_OTLP_ENDPOINT` (`/v1/traces` is appended; default `http://localhost:4318`),
    /// `OTEL_EXPORTER_OTLP_HEADERS` (`key=value,..`, values percent-encoded), `OTEL_EXPORTER_OTLP_TIMEOUT` (in
    /// milliseconds) and `OTEL_EXPORTER_OTLP_COMPRESSION` (`gzip` or `none`). Of each, the form with `TRACES` in its name
    /// wins; its endpoint is used exactly as given.
    pub fn from_env() -> Self {
        let either = |end: &str| {
            var(&format!("OTEL_EXPORTER_OTLP_TRACES_{end}"))
                .or_else(|| var(&format!("OTEL_EXPORTER_OTLP_{end}")))
        };
        let url = var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").unwrap_or_else(|| {
            let base =
                var("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| "http://localhost:4318".to_owned());
            format!("{}/v1/traces", base.trim_end_matches('/'))
        });
        let mut settings = Self::new(url);
        if let Some(text) = either("HEADERS") {
            settings.headers = headers(&text);
        }
        if let Some(text) = either("TIMEOUT") {
            match text.parse() {
                Ok(millis) => settings.timeout = Duration::from_millis(millis),
                Err(_) => {
                    say_once(&format!("OTEL_EXPORTER_OTLP_TIMEOUT={text} is ignored: expected milliseconds"))
                }
            }
        }
        match either("COMPRESSION").as_deref() {
            None | Some("none") => {}
            Some("gzip") => settings.gzip = true,
            Some(text) => {
                say_once(&format!("OTEL_EXPORTER_OTLP_COMPRESSION={text} is ignored: expected gzip or none"));
            }
        }
        settings
    }

    /// The same with places on disk in the data directory `directory`: for what waits, one of its own for each receiver
    /// and key, so that what was meant for one is never sent to another, and one for the journal.
    pub fn keep_below(mut self, directory: &Path) -> Self {
        self.spool = Some(directory.join("spool").join(self.receiver()));
        self.journal = Some(directory.join("journal"));
        self
    }

    /// A name for the receiver and the key.
    pub(super) fn receiver(&self) -> String {
        let receiver = SpanId::from_seed(format!("{} {:?}", self.url, self.headers));
        format!("otlp-{receiver}")
    }
}

/// `key=value` pairs with commas between, values percent-encoded. What is no pair is left out, unseen: it may be secret.
fn headers(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), percent_decoded(value.trim()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_with_percent_encoded_values() {
        let expected = [("authorization", "Basic a=b"), ("x-key", "100%"), ("y", "%zz")];
        let expected: Vec<_> = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(headers("authorization=Basic%20a=b, x-key=100%25 ,no pair,y=%zz"), expected);
    }
}
