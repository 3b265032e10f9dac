//! Where and how to send, as OpenTelemetry's environment variables say it.

use std::{path::PathBuf, time::Duration};

use observe_wire::Dialect;

use crate::{
    report::say_once,
    settings::{Variables, percent_decoded, var},
};

/// How spans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// `application/x-protobuf`, which every receiver takes.
    #[default]
    Protobuf,
    /// `application/json`.
    Json,
}

/// Settings of the `otlp` destination: any receiver of OTLP over HTTP.
///
/// Source: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
///
/// ```
/// use observe_runtime::destination::{Encoding, Otlp, OtlpSettings};
/// let settings = OtlpSettings { encoding: Encoding::Json, ..OtlpSettings::new("http://localhost:4318/v1/traces") };
/// let destination = Otlp::new(settings); // for `observe::builder().destination(..)`
/// ```
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
    /// How spans are written.
    pub encoding: Encoding,
    /// In whose words they are written.
    pub dialect: Dialect,
    /// Spans after which a request is sent, if it is not full before: at about a mebibyte. `None` waits until it is.
    pub flush_at: Option<u64>,
    /// The time after which a request is sent that is not full.
    pub flush_interval: Duration,
    /// Where requests wait while the receiver is away or too slow: at most 256 MiB, for a week. `None` keeps nothing on disk:
    /// after about a minute they are lost, and counted.
    pub spool: Option<PathBuf>,
    /// Where the journal lies meanwhile, so that a process which is killed loses nothing: what it left there, the next one
    /// sends. Not without a `spool`. `None` keeps it in plain memory.
    pub journal: Option<PathBuf>,
}

impl OtlpSettings {
    /// Sends to `url`, which is used as given, without headers, with a time limit of 10 seconds, as protobuf without
    /// compression, in the words of OpenInference, every 200 milliseconds, and without a place on disk.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            gzip: false,
            encoding: Encoding::default(),
            dialect: Dialect::default(),
            flush_at: None,
            flush_interval: Duration::from_millis(200),
            spool: None,
            journal: None,
        }
    }

    /// Reads `OTEL_EXPORTER_OTLP_ENDPOINT` (`/v1/traces` is appended; default `http://localhost:4318`),
    /// `OTEL_EXPORTER_OTLP_HEADERS` (`key=value,..`, values percent-encoded), `OTEL_EXPORTER_OTLP_TIMEOUT` (in
    /// milliseconds), `OTEL_EXPORTER_OTLP_COMPRESSION` (`gzip` or `none`) and `OTEL_EXPORTER_OTLP_PROTOCOL`
    /// (`http/protobuf` or `http/json`). Of each, the form with `TRACES` in its name wins; its endpoint is used exactly as
    /// given. `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` says after how many spans a request is sent, `OTEL_BSP_SCHEDULE_DELAY` after how
    /// many milliseconds.
    ///
    /// # Errors
    /// What to set instead, if the protocol is `grpc`: a receiver of that would not understand a word.
    pub fn from_env() -> Result<Self, String> {
        Self::read(var)
    }

    /// [`OtlpSettings::from_env`] with `var` for the environment.
    ///
    /// # Errors
    /// As there.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let either = |end: &str| {
            let specific = format!("OTEL_EXPORTER_OTLP_TRACES_{end}");
            let general = format!("OTEL_EXPORTER_OTLP_{end}");
            var(&specific).map(|text| (specific, text)).or_else(|| Some((general.clone(), var(&general)?)))
        };
        let url = var("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").unwrap_or_else(|| {
            let base =
                var("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_else(|| "http://localhost:4318".to_owned());
            format!("{}/v1/traces", base.trim_end_matches('/'))
        });
        let mut settings = Variables(&var).batch("otlp", Self::new(url));
        if let Some((_, text)) = either("HEADERS") {
            settings.headers = headers(&text);
        }
        let ignored = |name: &str, text: &str, expected: &str| {
            say_once(&format!("{name}={text} is ignored: expected {expected}"));
        };
        if let Some((name, text)) = either("TIMEOUT") {
            match text.trim().parse() {
                Ok(millis) => settings.timeout = Duration::from_millis(millis),
                Err(_) => ignored(&name, &text, "milliseconds"),
            }
        }
        match either("COMPRESSION") {
            None => {}
            Some((name, text)) => match text.trim() {
                "none" => {}
                "gzip" => settings.gzip = true,
                _ => ignored(&name, &text, "gzip or none"),
            },
        }
        match either("PROTOCOL") {
            None => {}
            Some((name, text)) => match text.trim() {
                "http/protobuf" => {}
                "http/json" => settings.encoding = Encoding::Json,
                "grpc" => {
                    return Err(format!(
                        "{name}=grpc is not spoken here: set it to http/protobuf, and OTEL_EXPORTER_OTLP_ENDPOINT to where the receiver takes HTTP, mostly port 4318"
                    ));
                }
                _ => ignored(&name, &text, "http/protobuf or http/json"),
            },
        }
        Ok(settings)
    }
}

/// `key=value` pairs with commas between, values percent-encoded. What is no pair is left out, unseen: it may be secret.
pub(in crate::destination) fn headers(text: &str) -> Vec<(String, String)> {
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

    fn read(set: &[(&str, &str)]) -> Result<OtlpSettings, String> {
        OtlpSettings::read(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_form_for_traces_wins_and_its_endpoint_is_used_as_given() {
        let plain = read(&[]).unwrap();
        assert_eq!(
            (plain.url.as_str(), plain.encoding),
            ("http://localhost:4318/v1/traces", Encoding::Protobuf)
        );
        let general = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ];
        let settings = read(&general).unwrap();
        assert_eq!(settings.url, "http://c:4318/v1/traces");
        assert_eq!(settings.headers, [("a".to_owned(), "1".to_owned())]);
        let rest = (settings.timeout, settings.gzip, settings.encoding);
        assert_eq!(rest, (Duration::from_millis(2500), true, Encoding::Json));
        let for_traces = [
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/here"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ];
        let settings = read(&[general, for_traces].concat()).unwrap();
        assert_eq!(settings.url, "http://t/here");
        assert_eq!(settings.headers, [("b".to_owned(), "2".to_owned())]);
        let rest = (settings.timeout, settings.gzip, settings.encoding);
        assert_eq!(rest, (Duration::from_millis(1), false, Encoding::Protobuf));
    }

    #[test]
    fn grpc_is_refused_with_what_to_set_instead() {
        for name in ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] {
            let error = read(&[(name, "grpc")]).unwrap_err();
            assert!(
                error.starts_with(name) && error.contains("http/protobuf") && error.contains("4318"),
                "{error}"
            );
        }
        // A word that means nothing is no reason to send nothing.
        assert!(read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml")]).is_ok());
    }
}
