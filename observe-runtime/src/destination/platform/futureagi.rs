//! Future AGI.
//!
//! Source: what its Python client `fi-instrumentation-otel` 1.1.0 sends.

use observe_wire::Dialect;

use super::{Platform, Process, Variables, header};
use crate::{destination::OtlpSettings, settings::var};

/// Settings of the destination `futureagi`.
///
/// ```
/// use observe_runtime::destination::{FutureAgi, Otlp};
/// let destination = Otlp::new(FutureAgi::new("api key", "secret key")); // for `observe::builder().destination(..)`
/// ```
///
/// Traces go to a project of the type `observe`. It has no endpoint for scores and metrics: those travel as spans.
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
}

impl FutureAgi {
    /// The platform at its usual place.
    pub fn new(api_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            secret_key: secret_key.into(),
            base_url: "https://api.futureagi.com".to_owned(),
            project: None,
        }
    }

    /// Reads `FI_API_KEY`, `FI_SECRET_KEY`, `FI_BASE_URL` and `FI_PROJECT_NAME`.
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
        Ok(Self {
            base_url: from.get("FI_BASE_URL").unwrap_or(default.base_url),
            project: from.get("FI_PROJECT_NAME"),
            ..default
        })
    }
}

impl From<FutureAgi> for Platform {
    fn from(settings: FutureAgi) -> Self {
        let FutureAgi { api_key, secret_key, base_url, project } = settings;
        let otlp = OtlpSettings {
            headers: vec![header("x-api-key", api_key), header("x-secret-key", secret_key)],
            dialect: Dialect::FutureAgi,
            ..OtlpSettings::new(format!("{}/tracer/v1/traces", host(&base_url)))
        };
        Self { process: Process { project, ..Process::default() }, ..Self::new("futureagi", otlp) }
    }
}

/// Scheme and host of an address.
fn host(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find('/').map_or(url.len(), |at| begin + at);
    &url[..end]
}
