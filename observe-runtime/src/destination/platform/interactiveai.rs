//! InteractiveAI.
//!
//! Source: what its Python client 1.1.9, a fork of Langfuse's, sends.

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
    /// Settings of the destination `interactiveai`.
    ///
    /// ```
    /// use observe_runtime::destination::{InteractiveAi, Otlp};
    /// let destination = Otlp::new(InteractiveAi::new("pk-..", "sk-..")); // for `observe::builder().destination(..)`
    /// ```
    ///
    /// Its endpoint for scores and its pages of traces name the project, which it is asked for once. Keys that see several
    /// projects need [`InteractiveAi::project_id`] to tell which.
    InteractiveAi, "interactiveai", "INTERACTIVEAI", "https://app.interactive.ai", gzip: false
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

impl From<InteractiveAi> for Platform {
    fn from(settings: InteractiveAi) -> Self {
        let base = trimmed(&settings.base_url);
        Self {
            page: Some(format!("{base}/project/{{project}}/traces/{{trace_id}}")),
            lookup: Some(Lookup {
                asks: vec![Ask::get(format!("{base}/api/platform/v1/projects"))],
                wanted: settings.project_id.clone(),
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
            ..settings.platform(Dialect::InteractiveAi)
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
