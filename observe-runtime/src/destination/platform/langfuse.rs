//! Langfuse.
//!
//! Sources: its OpenTelemetry endpoint, <https://langfuse.com/docs/opentelemetry/get-started>, and what its Python client
//! 5.0.4 sends.

use std::time::Duration;

use observe_wire::{Dialect, Extras};
use serde_json::Value;

use super::{Platform, Process, Variables, basic, header, trimmed};
use crate::{
    delivery::{Ask, Lookup},
    destination::{OtlpSettings, otlp::Records},
    settings::{Unheeded, var},
};

/// Settings of the destination `langfuse`.
///
/// ```
/// use observe_runtime::destination::{Langfuse, Otlp};
/// let mut langfuse = Langfuse::new("pk-lf-..", "sk-lf-..");
/// langfuse.base_url = "https://us.cloud.langfuse.com".to_owned();
/// let destination = Otlp::new(langfuse); // for `observe::builder().destination(..)`
/// ```
///
/// Scores go to Langfuse's own endpoint, as do metrics that are kept, as numeric scores. Its address of a trace's page
/// names the project, which it is asked for once, unless [`Langfuse::project_id`] says it.
#[derive(Debug, Clone)]
pub struct Langfuse {
    /// `pk-lf-..`
    pub public_key: String,
    /// `sk-lf-..`
    pub secret_key: String,
    /// Where it is. Default `https://cloud.langfuse.com`.
    pub base_url: String,
    /// How long a request may take. Default 5 seconds.
    pub timeout: Duration,
    /// The project that the keys belong to, for [`trace_url`](crate::trace_url).
    pub project_id: Option<String>,
    /// The environment, where it is not what [`Settings::environment`](crate::Settings::environment) says.
    pub environment: Option<String>,
    /// The release, where it is not what [`Settings::release`](crate::Settings::release) says.
    pub release: Option<String>,
    /// The release where neither says one: a commit.
    pub commit: Option<String>,
    /// Share of the recorded traces that is sent there, 0 to 1. Default 1.
    pub sample_rate: f64,
    /// Spans after which a request is sent, if it is not full before: at about a mebibyte. Default none.
    pub flush_at: Option<u64>,
    /// The time after which it is sent. Default 200 milliseconds.
    pub flush_interval: Duration,
    /// Where spans are posted below [`Langfuse::base_url`]. Default `/api/public/otel/v1/traces`.
    pub traces_path: String,
    /// Whether bodies are compressed with gzip. Default true.
    pub gzip: bool,
}

/// Where compression is asked for, the first that is set.
const COMPRESSION: &[&str] =
    &["LANGFUSE_OTEL_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];

/// Variables of its client without effect.
pub(in crate::destination) const UNHEEDED: Unheeded = &[
    (
        "LANGFUSE_OTEL_MAX_BATCH_SIZE_BYTES",
        "requests have about a mebibyte, and one that is refused for its size is divided",
    ),
    (
        "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED",
        "#[observe(capture_input = false, capture_output = false)] says what is recorded, for every destination",
    ),
    ("LANGFUSE_MEDIA_UPLOAD_ENABLED", "media is sent as it was recorded, not uploaded by itself"),
    ("LANGFUSE_MEDIA_UPLOAD_THREAD_COUNT", "media is sent as it was recorded, not uploaded by itself"),
    ("LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS", "prompts are not fetched"),
    ("LANGFUSE_OPENAI_SKIP_RAW_RESPONSES", "no client of a provider is wrapped"),
];

impl Langfuse {
    /// Langfuse's cloud in Europe, with the keys of a project.
    pub fn new(public_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            public_key: public_key.into(),
            secret_key: secret_key.into(),
            base_url: "https://cloud.langfuse.com".to_owned(),
            timeout: Duration::from_secs(5),
            project_id: None,
            environment: None,
            release: None,
            commit: None,
            sample_rate: 1.0,
            flush_at: None,
            flush_interval: Duration::from_millis(200),
            traces_path: "/api/public/otel/v1/traces".to_owned(),
            gzip: true,
        }
    }

    /// Reads `LANGFUSE_PUBLIC_KEY`, `LANGFUSE_SECRET_KEY`, `LANGFUSE_BASE_URL` (or the older `LANGFUSE_HOST`),
    /// `LANGFUSE_TIMEOUT` (seconds), `LANGFUSE_TRACING_ENVIRONMENT`, `LANGFUSE_RELEASE`, `LANGFUSE_SAMPLE_RATE`,
    /// `LANGFUSE_TRACING_ENABLED`, `LANGFUSE_FLUSH_AT` (spans), `LANGFUSE_FLUSH_INTERVAL` (seconds; else OpenTelemetry's for both),
    /// `LANGFUSE_OTEL_TRACES_EXPORT_PATH`, `LANGFUSE_OTEL_COMPRESSION` (else that of OpenTelemetry; `gzip` or `none`) and
    /// `LANGFUSE_PROJECT_ID`. Where no release is said, the commit that builders and hosters name, such as `GITHUB_SHA`.
    ///
    /// # Errors
    /// What is to be set, if a key is missing; that it is switched off, if it is.
    pub fn from_env() -> Result<Self, String> {
        Self::read(var)
    }

    /// [`Langfuse::from_env`] with `var` for the environment.
    ///
    /// # Errors
    /// As there.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let from = Variables(&var);
        from.not_off("LANGFUSE_TRACING_ENABLED")?;
        let public = from.needed("LANGFUSE_PUBLIC_KEY", "the public key of a project, pk-lf-..")?;
        let secret = from.needed("LANGFUSE_SECRET_KEY", "the secret key of a project, sk-lf-..")?;
        let default = Self::new(public, secret);
        from.say_unheeded("langfuse", UNHEEDED);
        let batch = from.batch("langfuse", OtlpSettings::new(""));
        Ok(Self {
            base_url: from.first(&["LANGFUSE_BASE_URL", "LANGFUSE_HOST"]).unwrap_or(default.base_url),
            timeout: from.seconds("LANGFUSE_TIMEOUT").unwrap_or(default.timeout),
            project_id: from.get("LANGFUSE_PROJECT_ID"),
            environment: from.environment("LANGFUSE_TRACING_ENVIRONMENT"),
            release: from.get("LANGFUSE_RELEASE"),
            commit: from.commit(),
            sample_rate: from.share("LANGFUSE_SAMPLE_RATE").unwrap_or(default.sample_rate),
            flush_at: from.count("LANGFUSE_FLUSH_AT").or(batch.flush_at),
            flush_interval: from.seconds("LANGFUSE_FLUSH_INTERVAL").unwrap_or(batch.flush_interval),
            traces_path: from.get("LANGFUSE_OTEL_TRACES_EXPORT_PATH").unwrap_or(default.traces_path),
            gzip: from.gzip(COMPRESSION).unwrap_or(default.gzip),
            ..default
        })
    }
}

impl From<Langfuse> for Platform {
    fn from(settings: Langfuse) -> Self {
        let Langfuse { public_key, secret_key, base_url, timeout, traces_path, gzip, .. } = settings;
        let base = trimmed(&base_url);
        let otlp = OtlpSettings {
            headers: vec![
                basic(&public_key, &secret_key),
                header("x-langfuse-sdk-name", "rust"),
                header("x-langfuse-sdk-version", env!("CARGO_PKG_VERSION")),
                header("x-langfuse-public-key", &public_key),
                // Without it the cloud shows what came minutes later.
                header("x-langfuse-ingestion-version", "4"),
            ],
            timeout,
            gzip,
            flush_at: settings.flush_at,
            flush_interval: settings.flush_interval,
            dialect: Dialect::Langfuse,
            ..OtlpSettings::new(format!("{base}/{}", traces_path.trim_start_matches('/')))
        };
        let page = |project: &str| format!("{base}/project/{project}/traces/{{trace_id}}");
        Self {
            extras: Extras { scope: vec![("public_key".to_owned(), public_key)], ..Extras::default() },
            process: Process {
                release: settings.release,
                commit: settings.commit,
                environment: settings.environment,
                ..Process::default()
            },
            share: settings.sample_rate,
            page: Some(page(settings.project_id.as_deref().unwrap_or("{project}"))),
            lookup: Some(Lookup {
                asks: vec![Ask::get(format!("{base}/api/public/projects"))],
                wanted: settings.project_id,
                read: |answer, _| project(answer),
            }),
            records: Some(Records {
                base: format!("{base}/api/public/scores"),
                put: |record, resource| {
                    Some((String::new(), Dialect::Langfuse.score(record, resource.environment.as_deref())?))
                },
                around: ("[", "]"),
                most: 100,
                patience: Duration::from_secs(60),
            }),
            ..Self::new("langfuse", otlp)
        }
    }
}

/// The id of the project that keys belong to.
fn project(answer: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let id = answer["data"][0]["id"].as_str().ok_or("it names no project for these keys")?;
    Ok(vec![("project", id.to_owned())])
}
