//! Langfuse.
//!
//! Sources: its OpenTelemetry endpoint, <https://langfuse.com/docs/opentelemetry/get-started>, and what its Python client
//! 5.0.4 sends.

use std::time::Duration;

use observe_wire::{Dialect, Extras};
use serde_json::Value;

use super::{Platform, Process, Variables, account::account, basic, header, trimmed};
use crate::{
    delivery::{Ask, Lookup},
    destination::{OtlpSettings, otlp::Records},
    settings::{Unheeded, var},
};

account! {
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
    Langfuse, "langfuse", "LANGFUSE", "https://cloud.langfuse.com", gzip: true
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

impl From<Langfuse> for Platform {
    fn from(settings: Langfuse) -> Self {
        let base = trimmed(&settings.base_url);
        let mut platform = settings.platform(Dialect::Langfuse);
        // Without it the cloud shows what came minutes later.
        platform.otlp.headers.push(header("x-langfuse-ingestion-version", "4"));
        let page = |project: &str| format!("{base}/project/{project}/traces/{{trace_id}}");
        Self {
            page: Some(page(settings.project_id.as_deref().unwrap_or("{project}"))),
            lookup: Some(Lookup {
                asks: vec![Ask::get(format!("{base}/api/public/projects"))],
                wanted: settings.project_id.clone(),
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
            ..platform
        }
    }
}

/// The id of the project that keys belong to.
fn project(answer: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let id = answer["data"][0]["id"].as_str().ok_or("it names no project for these keys")?;
    Ok(vec![("project", id.to_owned())])
}
