//! Tracium: a trace is the run of an agent there, with spans below it.
//!
//! Source: its client for Python, 1.5.10, and <https://docs.tracium.ai>.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use observe_model::{Record, Resource, Span, TraceId};
use observe_wire::platform::{Post, Writer, tracium};

use super::stepwise::{Platform, Reach, Stepwise};
use crate::{
    delivery::Order,
    report::say_once,
    settings::{Unheeded, Variables, var},
};

/// Where its client sends.
const ADDRESS: &str = "https://api.tracium.ai";

/// Sends traces to Tracium: it creates the trace, takes its name from the answer, tells of every span when it begins and
/// when it ended, children between the two of their parent, and completes the trace or has it fail.
///
/// A trace is told of when it has ended, or when it runs for more than a second. Spans have our ids, so that one which is
/// sent again is the same one. A process that is killed leaves the rest of its traces to the next one. Session and user
/// are tags, `session:..` and `user:..`; scores and metrics that were given before the trace ended are in its summary,
/// later ones have no place.
///
/// ```
/// use observe_runtime::destination::{Destination, Tracium, TraciumSettings};
/// let tracium = Tracium::new(TraciumSettings::new("sk_live_..."));
/// assert_eq!(tracium.name(), "tracium");
/// ```
pub type Tracium = Stepwise<TraciumSettings>;

/// Settings of the `tracium` destination.
#[derive(Debug, Clone)]
pub struct TraciumSettings {
    /// The key.
    pub api_key: String,
    /// Where the platform is, without a path. Default `https://api.tracium.ai`.
    pub url: String,
    /// The workspace that traces are filed under. Default none.
    pub workspace: Option<String>,
    /// The tenant whose traces they are. Default none.
    pub tenant: Option<String>,
    /// How long one request may take. Default 10 seconds.
    pub timeout: Duration,
    /// Where requests wait while the platform is away: at most 256 MiB, for a week. `None` keeps nothing on disk: after
    /// about a minute they are lost, and counted.
    pub spool: Option<PathBuf>,
    /// Where the journal lies meanwhile, so that a process which is killed loses nothing: what it left there, the next one
    /// sends. Not without a `spool`. `None` keeps it in plain memory.
    pub journal: Option<PathBuf>,
}

/// Variables of its client without effect.
pub(super) const UNHEEDED: Unheeded = &[
    (
        "TRACIUM_FORCE_SYNC",
        "nothing is sent where spans are recorded; observe::flush() waits until all has arrived",
    ),
    ("TRACIUM_DISABLE_THREAD_PROPAGATION", "only observe::thread and observe::carry take a trace to threads"),
];

impl TraciumSettings {
    /// Sends to `https://api.tracium.ai` with this key.
    pub fn new(api_key: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            url: ADDRESS.to_owned(),
            workspace: None,
            tenant: None,
            timeout: Duration::from_secs(10),
            spool: None,
            journal: None,
        }
    }

    /// Reads `TRACIUM_API_KEY`, `TRACIUM_BASE_URL` (as its own client has it, `http://` without a scheme) and
    /// `TRACIUM_WORKSPACE_ID`. `None` without a key, which is said on stderr.
    pub fn from_env() -> Option<Self> {
        Self::read(var)
    }

    /// [`TraciumSettings::from_env`] with `var` for the environment.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let from = Variables(&var);
        let Some(api_key) = from.get("TRACIUM_API_KEY") else {
            say_once("destination tracium: there is no key: set TRACIUM_API_KEY");
            return None;
        };
        from.say_unheeded("tracium", UNHEEDED);
        let mut settings = Self { workspace: from.get("TRACIUM_WORKSPACE_ID"), ..Self::new(api_key) };
        if let Some(url) = from.get("TRACIUM_BASE_URL") {
            let scheme = if url.contains("://") { "" } else { "http://" };
            settings.url = format!("{scheme}{}", url.trim_end_matches('/'));
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

impl Platform for TraciumSettings {
    const NAME: &str = "tracium";

    fn reach(&self) -> Reach<'_> {
        Reach {
            url: &self.url,
            account: [("X-API-Key", Some(&self.api_key)), ("X-Tenant-ID", self.tenant.as_ref())]
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?.clone())))
                .collect(),
            timeout: self.timeout,
            spool: self.spool.as_deref(),
            journal: self.journal.as_deref(),
        }
    }

    fn receiver(&self) -> String {
        let tenant = self.tenant.as_deref().unwrap_or_default();
        super::stepwise::receiver(Self::NAME, &[&self.url, &self.api_key, tenant])
    }

    fn begin(&self, id: TraceId, root: &Span<'_>, _: &Resource) -> (Box<dyn Writer>, Vec<Post>) {
        let settings = tracium::Settings { workspace: self.workspace.clone(), tenant: self.tenant.clone() };
        let (writer, posts) = tracium::TraceWriter::begin(settings, id, Order::NAME, root);
        (Box::new(writer), posts)
    }

    fn names(&self, post: &Post) -> bool {
        post.path == tracium::CREATE
    }

    fn record(&self, _: TraceId, _: &Record) -> Option<Post> {
        None
    }
}
