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
    settings::var,
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
    /// Share of the recorded traces that is sent there, 0 to 1. Default 1.
    pub sample_rate: f64,
}

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
            sample_rate: 1.0,
        }
    }

    /// Reads `LANGFUSE_PUBLIC_KEY`, `LANGFUSE_SECRET_KEY`, `LANGFUSE_BASE_URL` (or the older `LANGFUSE_HOST`),
    /// `LANGFUSE_TIMEOUT` (seconds), `LANGFUSE_TRACING_ENVIRONMENT`, `LANGFUSE_RELEASE`, `LANGFUSE_SAMPLE_RATE`,
    /// `LANGFUSE_TRACING_ENABLED` and `LANGFUSE_PROJECT_ID`.
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
        Ok(Self {
            base_url: from.first(&["LANGFUSE_BASE_URL", "LANGFUSE_HOST"]).unwrap_or(default.base_url),
            timeout: from.seconds("LANGFUSE_TIMEOUT").unwrap_or(default.timeout),
            project_id: from.get("LANGFUSE_PROJECT_ID"),
            environment: from.environment("LANGFUSE_TRACING_ENVIRONMENT"),
            release: from.get("LANGFUSE_RELEASE"),
            sample_rate: from.share("LANGFUSE_SAMPLE_RATE").unwrap_or(default.sample_rate),
            ..default
        })
    }
}

impl From<Langfuse> for Platform {
    fn from(settings: Langfuse) -> Self {
        let Langfuse { public_key, secret_key, base_url, timeout, .. } = settings;
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
            gzip: true,
            dialect: Dialect::Langfuse,
            ..OtlpSettings::new(format!("{base}/api/public/otel/v1/traces"))
        };
        let page = |project: &str| format!("{base}/project/{project}/traces/{{trace_id}}");
        Self {
            extras: Extras { scope: vec![("public_key".to_owned(), public_key)], ..Extras::default() },
            process: Process {
                release: settings.release,
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
