//! MLflow.
//!
//! Sources: its OpenTelemetry endpoint, <https://mlflow.org/docs/latest/genai/tracing/opentelemetry/>, and the variables and
//! REST API of its Python package 3.17.

use std::time::Duration;

use observe_model::{Record, Resource, ScoreValue, Target, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Platform, Variables, basic, header, percent_encoded,
    phoenix::{metric_metadata, score_metadata},
    trimmed,
};
use crate::{
    delivery::{Ask, Lookup},
    destination::{OtlpSettings, otlp::Records},
    settings::var,
};

/// Settings of the destination `mlflow`.
///
/// ```
/// use observe_runtime::destination::{Experiment, Mlflow, Otlp};
/// let mut mlflow = Mlflow::new("http://localhost:5000");
/// mlflow.experiment = Experiment::Name("support-bot".to_owned());
/// let destination = Otlp::new(mlflow); // for `observe::builder().destination(..)`
/// ```
///
/// Scores become assessments of the trace or span that they are about, by code, and metrics that are kept likewise. About
/// a session MLflow keeps none: such a score is sent as a span.
#[derive(Debug, Clone)]
pub struct Mlflow {
    /// Where its tracking server is.
    pub tracking_uri: String,
    /// The experiment that traces are filed under.
    pub experiment: Experiment,
    /// The header that says who sends, if the server wants to know.
    pub authorization: Option<String>,
    /// How long a request may take. Default 10 seconds.
    pub timeout: Duration,
    /// Share of the recorded traces that is sent there, 0 to 1. Default 1.
    pub sample_rate: f64,
}

/// An experiment of MLflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Experiment {
    /// By its id.
    Id(String),
    /// By its name: looked up once, and made if there is none.
    Name(String),
}

/// The one that every server has.
impl Default for Experiment {
    fn default() -> Self {
        Self::Id("0".to_owned())
    }
}

impl Mlflow {
    /// A server without users, and the experiment that every server has.
    pub fn new(tracking_uri: impl Into<String>) -> Self {
        Self {
            tracking_uri: tracking_uri.into(),
            experiment: Experiment::default(),
            authorization: None,
            timeout: Duration::from_secs(10),
            sample_rate: 1.0,
        }
    }

    /// Reads `MLFLOW_TRACKING_URI`, `MLFLOW_EXPERIMENT_NAME` or `MLFLOW_EXPERIMENT_ID`, `MLFLOW_TRACKING_USERNAME` with
    /// `MLFLOW_TRACKING_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`, `MLFLOW_HTTP_REQUEST_TIMEOUT` (seconds) and
    /// `MLFLOW_TRACE_SAMPLING_RATIO`.
    ///
    /// # Errors
    /// What is to be set, if the address is missing or that of no server.
    pub fn from_env() -> Result<Self, String> {
        Self::read(var)
    }

    /// [`Mlflow::from_env`] with `var` for the environment.
    ///
    /// # Errors
    /// As there.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let from = Variables(&var);
        let uri =
            from.needed("MLFLOW_TRACKING_URI", "the address of a tracking server, http://localhost:5000")?;
        if !uri.starts_with("http://") && !uri.starts_with("https://") {
            return Err(format!(
                "MLFLOW_TRACKING_URI={uri} is no server that takes OTLP: start one with `mlflow server` and set its address, http://localhost:5000"
            ));
        }
        let user = from.get("MLFLOW_TRACKING_USERNAME").zip(from.get("MLFLOW_TRACKING_PASSWORD"));
        let token = from.get("MLFLOW_TRACKING_TOKEN");
        let name = from.get("MLFLOW_EXPERIMENT_NAME").map(Experiment::Name);
        let experiment = name.or_else(|| from.get("MLFLOW_EXPERIMENT_ID").map(Experiment::Id));
        let default = Self::new(uri);
        Ok(Self {
            timeout: from.seconds("MLFLOW_HTTP_REQUEST_TIMEOUT").unwrap_or(default.timeout),
            sample_rate: from.share("MLFLOW_TRACE_SAMPLING_RATIO").unwrap_or(default.sample_rate),
            experiment: experiment.unwrap_or_default(),
            authorization: match user {
                Some((user, password)) => Some(basic(&user, &password).1),
                None => token.map(|token| format!("Bearer {token}")),
            },
            ..default
        })
    }
}

impl From<Mlflow> for Platform {
    fn from(settings: Mlflow) -> Self {
        let base = trimmed(&settings.tracking_uri);
        let (experiment, lookup) = match settings.experiment {
            Experiment::Id(id) => (id, None),
            Experiment::Name(name) => ("{experiment}".to_owned(), Some(lookup(base, &name))),
        };
        let mut headers = vec![header("x-mlflow-experiment-id", &experiment)];
        headers.extend(settings.authorization.map(|value| header("authorization", value)));
        let timeout = settings.timeout;
        let otlp = OtlpSettings { headers, timeout, ..OtlpSettings::new(format!("{base}/v1/traces")) };
        Self {
            share: settings.sample_rate,
            lookup,
            page: Some(format!(
                "{base}/#/experiments/{experiment}/traces?selectedEvaluationId=tr-{{trace_id}}"
            )),
            records: Some(Records {
                base: format!("{base}/api/3.0/mlflow/traces"),
                put: assessment,
                around: ("", ""),
                most: 1,
                // It takes none of a trace that it does not know.
                patience: Duration::MAX,
            }),
            ..Self::new("mlflow", otlp)
        }
    }
}

/// The experiment of that name, which is made if there is none; another process may be quicker.
fn lookup(base: &str, name: &str) -> Lookup {
    let api = format!("{base}/api/2.0/mlflow/experiments");
    let by_name = Ask::get(format!("{api}/get-by-name?experiment_name={}", percent_encoded(name)));
    let create = Ask::post(format!("{api}/create"), json!({"name": name}));
    Lookup {
        asks: vec![by_name.clone(), create, by_name],
        wanted: None,
        read: |answer, _| experiment(answer),
    }
}

fn experiment(answer: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let found = answer["experiment"]["experiment_id"].as_str();
    let id = found.or_else(|| answer["experiment_id"].as_str()).ok_or("it names no experiment")?;
    Ok(vec![("experiment", id.to_owned())])
}

/// A score or metric as an assessment, and where that is posted.
fn assessment(record: &Record, _: &Resource) -> Option<(String, Vec<u8>)> {
    let (name, target, at, value) = match record {
        Record::Score(score) => (&score.name, &score.target, score.at, value(&score.value)),
        Record::Metric(metric) => (&metric.name, &metric.target, metric.at, metric.value.into()),
    };
    let (author, comment, id, metadata) = match record {
        Record::Score(s) => (s.author.as_deref(), s.comment.as_deref(), &s.id, score_metadata(s)),
        Record::Metric(m) => (None, None, &m.id, metric_metadata(m)),
    };
    let Target { trace_id: Some(trace), span_id, .. } = target else { return None };
    let trace = format!("tr-{trace}");
    let source = json!({"source_type": "CODE", "source_id": author.unwrap_or("observe")});
    let mut assessment = json!({
        "assessment_name": name, "trace_id": trace, "source": source,
        "create_time": time(at), "last_update_time": time(at),
        "feedback": {"value": value}, "metadata": texts(metadata, id),
    });
    if let Some(span) = span_id {
        assessment["span_id"] = span.to_string().into();
    }
    if let Some(comment) = comment {
        assessment["rationale"] = comment.into();
    }
    Some((format!("/{trace}/assessments"), json!({"assessment": assessment}).to_string().into_bytes()))
}

fn value(value: &ScoreValue) -> Value {
    match value {
        ScoreValue::Numeric(number) => (*number).into(),
        ScoreValue::Boolean(value) => (*value).into(),
        ScoreValue::Categorical(text) | ScoreValue::Text(text) => text.as_str().into(),
    }
}

/// RFC 3339 with milliseconds, which is what MLflow keeps.
fn time(at: Timestamp) -> String {
    Timestamp(at.0 / 1_000_000 * 1_000_000).to_string()
}

/// Metadata in MLflow is texts alone. The id tells one that was sent twice.
fn texts(metadata: Map<String, Value>, id: &str) -> Map<String, Value> {
    let text = |(key, value)| match value {
        Value::String(_) => (key, value),
        other => (key, Value::String(other.to_string())),
    };
    let mut texts: Map<_, _> = metadata.into_iter().map(text).collect();
    texts.insert("observe.id".to_owned(), id.into());
    texts
}
