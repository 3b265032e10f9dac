//! The process that recorded.

use serde::{Deserialize, Serialize};

/// What all spans of one process share; an OTLP resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// The project that the traces belong to. The same session id in two projects is two sessions.
    pub project: String,
    /// `service.name`; the project's name where nothing else is said.
    pub service: String,
    /// The release that runs, e.g. a commit id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// `production`, `staging`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}
