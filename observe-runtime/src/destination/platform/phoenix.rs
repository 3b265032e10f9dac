//! Phoenix.
//!
//! Sources: the variables of its Python package `arize-phoenix-otel` 0.17, and the REST API of its server 20.26,
//! <https://arize.com/docs/phoenix/sdk-api-reference/rest-api/overview>.

use std::time::Duration;

use observe_model::{Metric, Record, Resource, Score, ScoreValue, Target};
use serde_json::{Map, Value, json};

use super::{Platform, Process, Variables, header, trimmed};
use crate::{
    destination::{
        OtlpSettings,
        otlp::{Records, headers},
    },
    settings::{Unheeded, var},
};

/// Settings of the destination `phoenix`.
///
/// ```
/// use observe_runtime::destination::{Otlp, Phoenix};
/// let destination = Otlp::new(Phoenix::new("http://localhost:6006")); // for `observe::builder().destination(..)`
/// ```
///
/// Scores become annotations of the span, trace or session that they are about, by code; so do metrics that are kept. A
/// score's id is the annotation's identifier: given again, it replaces what it was.
#[derive(Debug, Clone)]
pub struct Phoenix {
    /// Where it is, as its clients are told: with or without `/v1/traces` behind it.
    pub endpoint: String,
    /// A key of its server, if that asks for one.
    pub api_key: Option<String>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// The project, where it is not what [`Settings::project`](crate::Settings::project) says.
    pub project: Option<String>,
}

/// Variables of its client without effect.
pub(in crate::destination) const UNHEEDED: Unheeded =
    &[("PHOENIX_GRPC_PORT", "spans go over HTTP, to PHOENIX_COLLECTOR_ENDPOINT")];

impl Phoenix {
    /// A server without keys.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), api_key: None, headers: Vec::new(), project: None }
    }

    /// Reads `PHOENIX_COLLECTOR_ENDPOINT` (else `OTEL_EXPORTER_OTLP_ENDPOINT`, else `http://localhost:6006`),
    /// `PHOENIX_API_KEY`, `PHOENIX_CLIENT_HEADERS` (`key=value,..`, percent-encoded) and `PHOENIX_PROJECT` (or
    /// `PHOENIX_PROJECT_NAME`).
    pub fn from_env() -> Self {
        Self::read(var)
    }

    /// [`Phoenix::from_env`] with `var` for the environment.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Self {
        let from = Variables(&var);
        from.say_unheeded("phoenix", UNHEEDED);
        let endpoint = from.first(&["PHOENIX_COLLECTOR_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
        Self {
            api_key: from.get("PHOENIX_API_KEY"),
            headers: from.get("PHOENIX_CLIENT_HEADERS").map_or_else(Vec::new, |text| headers(&text)),
            project: from.first(&["PHOENIX_PROJECT", "PHOENIX_PROJECT_NAME"]),
            ..Self::new(endpoint.unwrap_or_else(|| "http://localhost:6006".to_owned()))
        }
    }
}

impl From<Phoenix> for Platform {
    fn from(settings: Phoenix) -> Self {
        let endpoint = trimmed(&settings.endpoint);
        let base = trimmed(endpoint.strip_suffix("/v1/traces").unwrap_or(endpoint)).to_owned();
        let mut headers = settings.headers;
        // A header that was said wins over the key, as in its clients.
        let has_authorization = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some(key) = settings.api_key.filter(|_| !has_authorization) {
            headers.push(header("authorization", format!("Bearer {key}")));
        }
        let otlp = OtlpSettings { headers, ..OtlpSettings::new(format!("{base}/v1/traces")) };
        Self {
            process: Process { project: settings.project, ..Process::default() },
            page: Some(format!("{base}/redirects/traces/{{trace_id}}")),
            records: Some(Records {
                base: format!("{base}/v1"),
                put: annotation,
                around: ("{\"data\":[", "]}"),
                most: 100,
                // Half of what the server keeps an annotation for whose span has not come.
                patience: Duration::from_secs(5 * 60),
            }),
            ..Self::new("phoenix", otlp)
        }
    }
}

/// A score or metric as an annotation, and where that is posted.
fn annotation(record: &Record, _: &Resource) -> Option<(String, Vec<u8>)> {
    let (id, name, target) = match record {
        Record::Score(Score { id, name, target, .. }) | Record::Metric(Metric { id, name, target, .. }) => {
            (id, name, target)
        }
    };
    let (result, metadata) = match record {
        Record::Score(score) => of_score(score),
        Record::Metric(metric) => (json!({"score": metric.value}), metric_metadata(metric)),
    };
    // `note` is a name that the server keeps for its own.
    let name = if name == "note" { "note (score)" } else { name };
    let mut annotation = json!({
        "name": name, "annotator_kind": "CODE", "identifier": id, "result": result, "metadata": metadata
    });
    let (endpoint, key, about) = match target {
        Target { span_id: Some(span), .. } => ("span_annotations", "span_id", span.to_string()),
        Target { trace_id: Some(trace), .. } => ("trace_annotations", "trace_id", trace.to_string()),
        Target { session: Some(session), .. } => ("session_annotations", "session_id", session.clone()),
        _ => return None,
    };
    annotation[key] = about.into();
    Some((format!("/{endpoint}"), annotation.to_string().into_bytes()))
}

fn of_score(score: &Score) -> (Value, Map<String, Value>) {
    let mut result = match &score.value {
        ScoreValue::Numeric(number) => json!({"score": number}),
        ScoreValue::Boolean(value) => json!({"score": u8::from(*value), "label": value.to_string()}),
        ScoreValue::Categorical(text) | ScoreValue::Text(text) => json!({"label": text}),
    };
    if let Some(comment) = &score.comment {
        result["explanation"] = comment.as_str().into();
    }
    (result, score_metadata(score))
}

/// What a score says that platforms have no field for.
pub(super) fn score_metadata(score: &Score) -> Map<String, Value> {
    let mut metadata = score.metadata.clone();
    let correction = score.correction.as_ref().and_then(|json| serde_json::from_str(json.as_str()).ok());
    let author = score.author.as_deref().map(Value::from);
    for (key, value) in [("correction", correction), ("author", author)] {
        if let Some(value) = value {
            metadata.entry(key).or_insert(value);
        }
    }
    metadata
}

/// The same for a metric.
pub(super) fn metric_metadata(metric: &Metric) -> Map<String, Value> {
    let mut metadata = Map::new();
    if let Some(unit) = &metric.unit {
        metadata.insert("unit".to_owned(), unit.as_str().into());
    }
    if !metric.tags.is_empty() {
        metadata.insert("tags".to_owned(), metric.tags.as_slice().into());
    }
    metadata
}
