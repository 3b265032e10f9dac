//! Artanis: a trace is one piece of work there, with an input, an output and states.
//!
//! Source: its client for Python, 0.17.0, and <https://docs.artanis.ai>.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use observe_model::{Record, Resource, Span, TraceId};
use observe_wire::platform::{Post, Writer, artanis};

use super::stepwise::{Platform, Reach, Stepwise};
use crate::{
    report::say_once,
    settings::{Variables, var},
};

/// Where its client sends.
const ADDRESS: &str = "https://app.artanis.ai";

/// Sends traces to Artanis: `running` when a trace is first told of, its input, each step inside as a state when it ended,
/// its output and `completed`, in this order. Sessions are groups there, scores feedback.
///
/// A trace is told of when it has ended, or when it runs for more than a second. Ids come from ours, so that a trace which
/// is sent again is the same one; what it says inside may be doubled if an answer was lost: an input, state, output or
/// score, of which each is one request. A process that is killed leaves the rest of its traces to the next one.
///
/// ```
/// use observe_runtime::destination::{Artanis, ArtanisSettings, Destination};
/// let artanis = Artanis::new(ArtanisSettings::new("sk_..."));
/// assert_eq!(artanis.name(), "artanis");
/// ```
pub type Artanis = Stepwise<ArtanisSettings>;

/// Settings of the `artanis` destination.
#[derive(Debug, Clone)]
pub struct ArtanisSettings {
    /// The key, which says the project.
    pub api_key: String,
    /// Where the platform is, without a path. Default `https://app.artanis.ai`.
    pub url: String,
    /// How long one request may take. Default 10 seconds.
    pub timeout: Duration,
    /// Where requests wait while the platform is away: at most 256 MiB, for a week. `None` keeps nothing on disk: after
    /// about a minute they are lost, and counted.
    pub spool: Option<PathBuf>,
    /// Where the journal lies meanwhile, so that a process which is killed loses nothing: what it left there, the next one
    /// sends. Not without a `spool`. `None` keeps it in plain memory.
    pub journal: Option<PathBuf>,
}

impl ArtanisSettings {
    /// Sends to `https://app.artanis.ai` with this key.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            url: ADDRESS.to_owned(),
            timeout: Duration::from_secs(10),
            spool: None,
            journal: None,
        }
    }

    /// Reads `ARTANIS_API_KEY` and `ARTANIS_BASE_URL`. `None` without a key, which is said on stderr, and where
    /// `ARTANIS_ENABLED` is set and none of `true`, `1` and `yes`, as its own client has it.
    pub fn from_env() -> Option<Self> {
        Self::read(var)
    }

    /// [`ArtanisSettings::from_env`] with `var` for the environment.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let from = Variables(&var);
        let is_true = |text: String| ["true", "1", "yes"].contains(&text.to_lowercase().as_str());
        if !from.get("ARTANIS_ENABLED").is_none_or(is_true) {
            return None;
        }
        let Some(api_key) = from.get("ARTANIS_API_KEY") else {
            say_once("destination artanis: there is no key: set ARTANIS_API_KEY");
            return None;
        };
        let mut settings = Self::new(api_key);
        if let Some(url) = from.get("ARTANIS_BASE_URL") {
            url.trim_end_matches('/').clone_into(&mut settings.url);
        }
        Some(settings)
    }

    /// The same with places on disk in the data directory `directory`: for what waits, one of its own for each address and
    /// key, so that what was meant for one is never sent to another, and one for the journal.
    pub fn keep_below(mut self, directory: &Path) -> Self {
        self.spool = Some(directory.join("spool").join(self.receiver()));
        self.journal = Some(directory.join("journal"));
        self
    }
}

impl Platform for ArtanisSettings {
    const NAME: &str = "artanis";

    fn reach(&self) -> Reach<'_> {
        Reach {
            url: &self.url,
            account: vec![("Authorization", format!("Bearer {}", self.api_key))],
            timeout: self.timeout,
            spool: self.spool.as_deref(),
            journal: self.journal.as_deref(),
        }
    }

    fn receiver(&self) -> String {
        super::stepwise::receiver(Self::NAME, &[&self.url, &self.api_key])
    }

    fn begin(&self, id: TraceId, root: &Span<'_>, _: &Resource) -> (Box<dyn Writer>, Vec<Post>) {
        let (writer, posts) = artanis::TraceWriter::begin(id, root);
        (Box::new(writer), posts)
    }

    fn record(&self, id: TraceId, record: &Record) -> Option<Post> {
        Some(artanis::record(id, record))
    }
}
