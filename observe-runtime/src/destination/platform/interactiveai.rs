//! InteractiveAI.
//!
//! Source: what its Python client 1.1.9, a fork of Langfuse's, sends.

use std::time::Duration;

use observe_wire::{Dialect, Extras};
use serde_json::Value;

use super::{Platform, Process, Variables, basic, header, trimmed};
use crate::{
    delivery::{Ask, Lookup},
    destination::{OtlpSettings, otlp::Records},
    settings::{Unheeded, var},
};

/// Settings of the destination `interactiveai`.
///
/// ```
/// use observe_runtime::destination::{InteractiveAi, Otlp};
/// let destination = Otlp::new(InteractiveAi::new("pk-..", "sk-..")); // for `observe::builder().destination(..)`
/// ```
///
/// Its endpoint for scores and its pages of traces name the project, which it is asked for once. Keys that see several
/// projects need [`InteractiveAi::project_id`] to tell which.
#[derive(Debug, Clone)]
pub struct InteractiveAi {
    /// The public key.
    pub public_key: String,
    /// The secret key.
    pub secret_key: String,
    /// Where it is. Default `https://app.interactive.ai`.
    pub base_url: String,
    /// How long a request may take. Default 5 seconds.
    pub timeout: Duration,
    /// Which of the projects that the keys see.
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
    /// Where spans are posted below [`InteractiveAi::base_url`]. Default `/api/public/otel/v1/traces`.
    pub traces_path: String,
    /// Whether bodies are compressed with gzip. Default false.
    pub gzip: bool,
}

/// Where compression is asked for, the first that is set.
const COMPRESSION: &[&str] = &["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];

/// Variables of its client without effect.
pub(in crate::destination) const UNHEEDED: Unheeded = &[
    ("INTERACTIVEAI_MAX_EVENT_SIZE_BYTES", "a score that is refused for its size is reported"),
    (
        "INTERACTIVEAI_MAX_BATCH_SIZE_BYTES",
        "requests have about a mebibyte, and one that is refused for its size is divided",
    ),
    (
        "INTERACTIVEAI_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED",
        "#[observe(capture_input = false, capture_output = false)] says what is recorded, for every destination",
    ),
    ("INTERACTIVEAI_MEDIA_UPLOAD_ENABLED", "media is sent as it was recorded, not uploaded by itself"),
    ("INTERACTIVEAI_MEDIA_UPLOAD_THREAD_COUNT", "media is sent as it was recorded, not uploaded by itself"),
];

impl InteractiveAi {
    /// The platform at its usual place, with the keys of a project.
    pub fn new(public_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            public_key: public_key.into(),
            secret_key: secret_key.into(),
            base_url: "https://app.interactive.ai".to_owned(),
            timeout: Duration::from_secs(5),
            project_id: None,
            environment: None,
            release: None,
            commit: None,
            sample_rate: 1.0,
            flush_at: None,
            flush_interval: Duration::from_millis(200),
            traces_path: "/api/public/otel/v1/traces".to_owned(),
            gzip: false,
        }
    }

    /// Reads `INTERACTIVEAI_PUBLIC_KEY`, `INTERACTIVEAI_SECRET_KEY`, `INTERACTIVEAI_BASE_URL` (or the older
    /// `INTERACTIVEAI_HOST`), `INTERACTIVEAI_TIMEOUT` (seconds), `INTERACTIVEAI_TRACING_ENVIRONMENT`,
    /// `INTERACTIVEAI_RELEASE`, `INTERACTIVEAI_SAMPLE_RATE`, `INTERACTIVEAI_TRACING_ENABLED`, `INTERACTIVEAI_FLUSH_AT`
    /// (spans), `INTERACTIVEAI_FLUSH_INTERVAL` (seconds), `INTERACTIVEAI_OTEL_TRACES_EXPORT_PATH`, the compression of
    /// OpenTelemetry's variables and `INTERACTIVEAI_PROJECT_ID`. Where no release is said, the commit that builders and
    /// hosters name, such as `GITHUB_SHA`.
    ///
    /// # Errors
    /// What is to be set, if a key is missing; that it is switched off, if it is.
    pub fn from_env() -> Result<Self, String> {
        Self::read(var)
    }

    /// [`InteractiveAi::from_env`] with `var` for the environment.
    ///
    /// # Errors
    /// As there.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let from = Variables(&var);
        from.not_off("INTERACTIVEAI_TRACING_ENABLED")?;
        let public = from.needed("INTERACTIVEAI_PUBLIC_KEY", "the public key of a project")?;
        let secret = from.needed("INTERACTIVEAI_SECRET_KEY", "the secret key of a project")?;
        let default = Self::new(public, secret);
        from.say_unheeded("interactiveai", UNHEEDED);
        let batch = from.batch("interactiveai", OtlpSettings::new(""));
        Ok(Self {
            base_url: from
                .first(&["INTERACTIVEAI_BASE_URL", "INTERACTIVEAI_HOST"])
                .unwrap_or(default.base_url),
            timeout: from.seconds("INTERACTIVEAI_TIMEOUT").unwrap_or(default.timeout),
            project_id: from.get("INTERACTIVEAI_PROJECT_ID"),
            environment: from.environment("INTERACTIVEAI_TRACING_ENVIRONMENT"),
            release: from.get("INTERACTIVEAI_RELEASE"),
            commit: from.commit(),
            sample_rate: from.share("INTERACTIVEAI_SAMPLE_RATE").unwrap_or(default.sample_rate),
            flush_at: from.count("INTERACTIVEAI_FLUSH_AT").or(batch.flush_at),
            flush_interval: from.seconds("INTERACTIVEAI_FLUSH_INTERVAL").unwrap_or(batch.flush_interval),
            traces_path: from.get("INTERACTIVEAI_OTEL_TRACES_EXPORT_PATH").unwrap_or(default.traces_path),
            gzip: from.gzip(COMPRESSION).unwrap_or(default.gzip),
            ..default
        })
    }
}

impl From<InteractiveAi> for Platform {
    fn from(settings: InteractiveAi) -> Self {
        let InteractiveAi { public_key, secret_key, base_url, timeout, traces_path, gzip, .. } = settings;
        let base = trimmed(&base_url);
        let otlp = OtlpSettings {
            headers: vec![
                basic(&public_key, &secret_key),
                header("x-interactiveai-sdk-name", "rust"),
                header("x-interactiveai-sdk-version", env!("CARGO_PKG_VERSION")),
                header("x-interactiveai-public-key", &public_key),
            ],
            timeout,
            gzip,
            flush_at: settings.flush_at,
            flush_interval: settings.flush_interval,
            dialect: Dialect::InteractiveAi,
            ..OtlpSettings::new(format!("{base}/{}", traces_path.trim_start_matches('/')))
        };
        Self {
            extras: Extras { scope: vec![("public_key".to_owned(), public_key)], ..Extras::default() },
            process: Process {
                release: settings.release,
                commit: settings.commit,
                environment: settings.environment,
                ..Process::default()
            },
            share: settings.sample_rate,
            page: Some(format!("{base}/project/{{project}}/traces/{{trace_id}}")),
            lookup: Some(Lookup {
                asks: vec![Ask::get(format!("{base}/api/platform/v1/projects"))],
                wanted: settings.project_id,
                read: project,
            }),
            records: Some(Records {
                base: format!(
                    "{base}/api/platform/v1/organizations/{{organization}}/projects/{{project}}/scores"
                ),
                put: |record, resource| {
                    Some((
                        String::new(),
                        Dialect::InteractiveAi.score(record, resource.environment.as_deref())?,
                    ))
                },
                around: ("", ""),
                most: 1,
                patience: Duration::from_secs(60),
            }),
            ..Self::new("interactiveai", otlp)
        }
    }
}

/// Project and organization: the wanted one, else the only one.
fn project(answer: &Value, wanted: Option<&str>) -> Result<Vec<(&'static str, String)>, String> {
    let projects = answer["data"].as_array().map_or(&[][..], Vec::as_slice);
    let project = match wanted {
        Some(id) => projects.iter().find(|project| project["id"] == id),
        None => projects.first().filter(|_| projects.len() == 1),
    };
    let text = |name: &str| project?[name].as_str().map(ToOwned::to_owned);
    match (text("id"), text("orgId"), wanted) {
        (Some(project), Some(organization), _) => {
            Ok(vec![("project", project), ("organization", organization)])
        }
        (.., Some(id)) => Err(format!("the keys do not see the project {id}")),
        (.., None) => Err(format!(
            "the keys see {} projects, of which INTERACTIVEAI_PROJECT_ID has to name one",
            projects.len()
        )),
    }
}
