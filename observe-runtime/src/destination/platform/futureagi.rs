//! Future AGI.
//!
//! Source: what its Python client `fi-instrumentation-otel` 1.1.0 sends.

use std::{collections::BTreeMap, time::Duration};

use observe_model::Metadata;
use observe_wire::{Dialect, Extras};
use serde_json::{Value, json};

use super::{Hidden, Platform, Process, Variables, header};
use crate::{
    destination::OtlpSettings,
    report::say_once,
    settings::{Unheeded, var},
};

/// Settings of the destination `futureagi`.
///
/// ```
/// use observe_runtime::destination::{EvalTag, FutureAgi, Otlp};
/// let mut futureagi = FutureAgi::new("api key", "secret key");
/// // Only for a project of experiments:
/// futureagi.version = Some("prompt 3".to_owned());
/// futureagi.experiment = Some(vec![EvalTag::new("LLM", "toxicity", "turing_large").map("input", "input.value")]);
/// let destination = Otlp::new(futureagi); // for `observe::builder().destination(..)`
/// ```
///
/// Traces go to a project of the type `observe`, unless it is one of experiments. The platform has no endpoint for scores
/// and metrics: those travel as spans.
#[derive(Debug, Clone)]
pub struct FutureAgi {
    /// The key.
    pub api_key: String,
    /// The other key.
    pub secret_key: String,
    /// Where it is; a path behind the host is left out, as its own client does. Default `https://api.futureagi.com`.
    pub base_url: String,
    /// The project, where it is not what [`Settings::project`](crate::Settings::project) says.
    pub project: Option<String>,
    /// What is tried in a project of experiments: its project version.
    pub version: Option<String>,
    /// Makes the project one of experiments, in which the platform evaluates spans like this. Unlike its own client, it is
    /// not asked beforehand whether there are such evaluations already.
    pub experiment: Option<Vec<EvalTag>>,
    /// What of spans is not sent there. Default nothing.
    pub hidden: Hidden,
    /// Whether bodies are compressed with gzip. Default false.
    pub gzip: bool,
    /// Spans after which a request is sent, if it is not full before: at about a mebibyte. Default none.
    pub flush_at: Option<u64>,
    /// The time after which it is sent. Default 200 milliseconds.
    pub flush_interval: Duration,
}

/// How the platform is to evaluate the spans of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalTag {
    /// Which spans: `LLM`, `TOOL`, `CHAIN`, `RETRIEVER`, `EMBEDDING`, `AGENT`, `GUARDRAIL` or `EVALUATOR`.
    pub kind: String,
    /// The evaluation: one of the platform's own, such as `toxicity`, or of the account's.
    pub eval_name: String,
    /// What its results are called, once in a project. Default the evaluation's name.
    pub name: String,
    /// The attribute of the span that each of the evaluation's inputs is.
    pub mapping: BTreeMap<String, String>,
    /// Anything that the evaluation can be told.
    pub config: Metadata,
    /// Who evaluates: `turing_large`, `turing_small`, `turing_flash`, `protect` or `protect_flash`.
    pub model: String,
}

impl EvalTag {
    /// Evaluates spans of this kind by this evaluation and model.
    pub fn new(kind: impl Into<String>, eval_name: impl Into<String>, model: impl Into<String>) -> Self {
        let eval_name = eval_name.into();
        Self {
            kind: kind.into(),
            name: eval_name.clone(),
            eval_name,
            mapping: BTreeMap::new(),
            config: Metadata::new(),
            model: model.into(),
        }
    }

    /// Gives the evaluation this attribute of the span, such as `input.value`, as its `input`.
    pub fn map(mut self, input: impl Into<String>, attribute: impl Into<String>) -> Self {
        self.mapping.insert(input.into(), attribute.into());
        self
    }

    fn to_json(&self) -> Value {
        json!({
            "type": "OBSERVATION_SPAN_TYPE", "value": self.kind, "eval_name": self.eval_name, "config": self.config,
            "mapping": self.mapping, "custom_eval_name": self.name, "model": self.model,
        })
    }
}

/// Where compression is asked for, the first that is set.
const COMPRESSION: &[&str] = &["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"];

/// Variables of its client without effect.
pub(in crate::destination) const UNHEEDED: Unheeded = &[
    ("FI_GRPC_URL", "spans go over HTTP, to FI_BASE_URL"),
    ("FI_MAX_ACTIVE_SPANS_TRACKED", "nothing is kept here of spans that run"),
    (
        "FI_BASE64_IMAGE_MAX_LENGTH",
        "images are sent as they were recorded; FI_HIDE_INPUT_IMAGES leaves them out",
    ),
    (
        "FI_PII_REDACTION",
        "the hook of builder().mask(..) takes out what it is told to, for every destination",
    ),
];

impl FutureAgi {
    /// The platform at its usual place.
    pub fn new(api_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            secret_key: secret_key.into(),
            base_url: "https://api.futureagi.com".to_owned(),
            project: None,
            version: None,
            experiment: None,
            hidden: Hidden::default(),
            gzip: false,
            flush_at: None,
            flush_interval: Duration::from_millis(200),
        }
    }

    /// Reads `FI_API_KEY`, `FI_SECRET_KEY`, `FI_BASE_URL`, `FI_PROJECT_NAME`, `FI_PROJECT_VERSION_NAME`, and into
    /// [`FutureAgi::hidden`] `FI_HIDE_INPUTS`, `FI_HIDE_OUTPUTS`, `FI_HIDE_INPUT_MESSAGES` (also `FI_HIDE_INPUT_TEXT`,
    /// `FI_HIDE_INPUT_IMAGES`), `FI_HIDE_OUTPUT_MESSAGES` (also `FI_HIDE_OUTPUT_TEXT`), `FI_HIDE_EMBEDDING_VECTORS` and
    /// `FI_HIDE_LLM_INVOCATION_PARAMETERS`; and OpenTelemetry's variables of compression and batches.
    ///
    /// # Errors
    /// What is to be set, if a key is missing.
    pub fn from_env() -> Result<Self, String> {
        Self::read(var)
    }

    /// [`FutureAgi::from_env`] with `var` for the environment.
    ///
    /// # Errors
    /// As there.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let from = Variables(&var);
        let key = from.needed("FI_API_KEY", "the API key of the platform")?;
        let default = Self::new(key, from.needed("FI_SECRET_KEY", "the secret key of the platform")?);
        from.say_unheeded("futureagi", UNHEEDED);
        let OtlpSettings { flush_at, flush_interval, .. } = from.batch("futureagi", OtlpSettings::new(""));
        Ok(Self {
            base_url: from.get("FI_BASE_URL").unwrap_or(default.base_url),
            project: from.get("FI_PROJECT_NAME"),
            version: from.get("FI_PROJECT_VERSION_NAME"),
            hidden: Hidden::read(&from),
            gzip: from.gzip(COMPRESSION).unwrap_or(default.gzip),
            flush_at,
            flush_interval,
            ..default
        })
    }
}

impl From<FutureAgi> for Platform {
    fn from(settings: FutureAgi) -> Self {
        let FutureAgi { api_key, secret_key, base_url, project, version, experiment, hidden, .. } = settings;
        let otlp = OtlpSettings {
            gzip: settings.gzip,
            flush_at: settings.flush_at,
            flush_interval: settings.flush_interval,
            headers: vec![header("x-api-key", api_key), header("x-secret-key", secret_key)],
            dialect: Dialect::FutureAgi,
            ..OtlpSettings::new(format!("{}/tracer/v1/traces", host(&base_url)))
        };
        let mut resource: Vec<_> =
            version.map(|name| ("project_version_name".to_owned(), name)).into_iter().collect();
        if let Some(tags) = experiment {
            resource.push(("project_type".to_owned(), "experiment".to_owned()));
            resource.push(("eval_tags".to_owned(), eval_tags(&tags)));
        }
        Self {
            extras: Extras { resource, ..Extras::default() },
            process: Process { project, ..Process::default() },
            hidden,
            ..Self::new("futureagi", otlp)
        }
    }
}

/// The tags as JSON, those of each name once.
fn eval_tags(tags: &[EvalTag]) -> String {
    let mut kept: Vec<&EvalTag> = Vec::new();
    for tag in tags {
        match kept.iter().any(|known| known.name == tag.name) {
            true => say_once(&format!(
                "destination futureagi: two eval tags are called `{}`: the first is used; give each a name",
                tag.name
            )),
            false => kept.push(tag),
        }
    }
    Value::from_iter(kept.into_iter().map(EvalTag::to_json)).to_string()
}

/// Scheme and host of an address.
fn host(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find('/').map_or(url.len(), |at| begin + at);
    &url[..end]
}
