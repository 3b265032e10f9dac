//! The platforms that take OTLP: what tells each from any other receiver, as data. [`Otlp`](super::Otlp) sends to all of them.

mod account;
pub(super) mod futureagi;
mod hidden;
pub(super) mod interactiveai;
pub(super) mod langfuse;
mod mlflow;
pub(super) mod phoenix;

pub use futureagi::{EvalTag, FutureAgi};
pub use hidden::Hidden;
pub use interactiveai::InteractiveAi;
pub use langfuse::Langfuse;
pub use mlflow::{Experiment, Mlflow};
pub use phoenix::Phoenix;

use super::{OtlpSettings, otlp::Records};
use crate::{delivery::Lookup, mask, settings::Variables};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use observe_model::{Resource, SpanId};
use observe_wire::Extras;

/// Where and how [`Otlp`](super::Otlp) sends: made of [`OtlpSettings`] for any receiver, or of a platform's own settings,
/// such as [`Langfuse`].
#[derive(Debug, Clone)]
pub struct Platform {
    /// The destination's name.
    pub(super) name: &'static str,
    pub(super) otlp: OtlpSettings,
    /// Said of the process beside what the dialect says.
    pub(super) extras: Extras,
    /// What the platform's own variables say of the process, for this platform alone.
    pub(super) process: Process,
    /// Share of traces that is sent, 0 to 1.
    pub(super) share: f64,
    /// What of spans it is not shown.
    pub(super) hidden: Hidden,
    /// What `{names}` in addresses and headers stand for.
    pub(super) lookup: Option<Lookup>,
    /// The page of a trace: `{trace_id}`, and names that are looked up.
    pub(super) page: Option<String>,
    /// Where scores and metrics are posted; `None` sends them as spans.
    pub(super) records: Option<Records>,
}

/// What is said of a process, where it is not what our own settings say.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    pub(super) project: Option<String>,
    pub(super) release: Option<String>,
    /// The release where nothing else names one.
    pub(super) commit: Option<String>,
    pub(super) environment: Option<String>,
}

impl Platform {
    /// A platform called `name` that is sent to as `otlp` says, and has no peculiarities.
    fn new(name: &'static str, otlp: OtlpSettings) -> Self {
        Self {
            name,
            otlp,
            extras: Extras::default(),
            process: Process::default(),
            share: 1.0,
            hidden: Hidden::default(),
            lookup: None,
            page: None,
            records: None,
        }
    }

    /// A name for the receiver and the key.
    pub(super) fn receiver(&self) -> String {
        let OtlpSettings { url, headers, .. } = &self.otlp;
        format!("{}-{}", self.name, SpanId::from_seed(format!("{url} {headers:?}")))
    }

    /// The process, as this platform is told of it.
    pub(super) fn resource(&self, ours: &Resource) -> Resource {
        let Process { project, release, commit, environment } = self.process.clone();
        let service = if ours.service == ours.project { project.clone() } else { None };
        let mut resource = Resource {
            project: project.unwrap_or_else(|| ours.project.clone()),
            service: service.unwrap_or_else(|| ours.service.clone()),
            release: release.or_else(|| ours.release.clone()).or(commit),
            environment: environment.or_else(|| ours.environment.clone()),
        };
        mask::current().resource(&mut resource);
        resource
    }
}

impl From<OtlpSettings> for Platform {
    fn from(otlp: OtlpSettings) -> Self {
        Self::new("otlp", otlp)
    }
}

/// A header with user and password.
fn basic(user: &str, password: &str) -> (String, String) {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    ("authorization".to_owned(), format!("Basic {credentials}"))
}

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// An address without the slashes at its end.
fn trimmed(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// `text` as a part of an address: everything but letters, digits and `-._~` percent-encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
