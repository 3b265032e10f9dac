//! Trajectory: a trace is one object there, which holds its spans.
//!
//! Source: its client for Python, `trajectoryevals` 0.0.7.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use observe_model::{Record, Resource, Span, TraceId};
use observe_wire::platform::{Post, Writer, trajectory};

use super::stepwise::{Platform, Reach, Stepwise};
use crate::{
    report::say_once,
    settings::{Unheeded, Variables, var},
};

/// Where its client sends.
const ADDRESS: &str = "http://api.trajectoryevals.com";

/// Sends traces to Trajectory: each when it begins, without spans, and again, whole, when it has ended; a short one only
/// then at once after the other.
///
/// A trace is told of when it has ended, or when it runs for more than a second; until it ends its spans are held, and
/// those of a process that is killed are told by the next one. The session is its conversation. Scores and metrics that
/// were given before it ended are in its metadata, later ones have no place. Unlike its own client's, no key is checked
/// beforehand, and spans are sent by themselves only if they end after their trace.
///
/// ```
/// use observe_runtime::destination::{Destination, Trajectory, TrajectorySettings};
/// let trajectory = Trajectory::new(TrajectorySettings::new("key", "organization"));
/// assert_eq!(trajectory.name(), "trajectory");
/// ```
pub type Trajectory = Stepwise<TrajectorySettings>;

/// Settings of the `trajectory` destination.
#[derive(Debug, Clone)]
pub struct TrajectorySettings {
    /// The key.
    pub api_key: String,
    /// The organization that the key belongs to.
    pub organization: String,
    /// Where the platform is. Default `http://api.trajectoryevals.com`, its client's own: not encrypted, which is said on
    /// stderr.
    pub url: String,
    /// How long one request may take. Default 90 seconds, as its client has it.
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
    ("TRAJECTORY_EVALUATIONS", "no evaluations are run here; scores are sent"),
    ("TRAJECTORY_LOGGING_LEVEL", "OBSERVE_DEBUG=true says on stderr what is done"),
    ("TRAJECTORY_TRACING_LOCAL", "the destinations local and jsonl keep traces on disk"),
    ("TRAJECTORY_TRACING_LOCAL_DIR", "OBSERVE_DIR and OBSERVE_JSONL say where traces are kept on disk"),
];

impl TrajectorySettings {
    /// Sends to `http://api.trajectoryevals.com` with this key of this organization.
    pub fn new(api_key: impl Into<String>, organization: impl Into<String>) -> Self {
        Self {
            api_key: api_key.into(),
            organization: organization.into(),
            url: ADDRESS.to_owned(),
            timeout: Duration::from_secs(90),
            spool: None,
            journal: None,
        }
    }

    /// Reads `TRAJECTORY_API_KEY`, `TRAJECTORY_ORG_ID`, `TRAJECTORY_API_URL`, and `TRAJECTORY_MONITORING`, which leaves the
    /// destination out unless it is `true`, as `TRAJECTORY_ONLY_LOCAL_TRACING` does if it is. `None` without key and
    /// organization too, which is said on stderr.
    pub fn from_env() -> Option<Self> {
        Self::read(var)
    }

    /// [`TrajectorySettings::from_env`] with `var` for the environment.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let from = Variables(&var);
        let is_off = from.get("TRAJECTORY_MONITORING").is_some_and(|text| !text.eq_ignore_ascii_case("true"));
        if is_off || from.is_true("TRAJECTORY_ONLY_LOCAL_TRACING") {
            return None;
        }
        let (Some(api_key), Some(organization)) =
            (from.get("TRAJECTORY_API_KEY"), from.get("TRAJECTORY_ORG_ID"))
        else {
            say_once(
                "destination trajectory: a key or organization is missing: set TRAJECTORY_API_KEY and TRAJECTORY_ORG_ID",
            );
            return None;
        };
        from.say_unheeded("trajectory", UNHEEDED);
        let mut settings = Self::new(api_key, organization);
        if let Some(url) = from.get("TRAJECTORY_API_URL") {
            settings.url = url;
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

    /// Whether what is sent can be read on the way: `http` to anywhere but this machine.
    fn is_open(&self) -> bool {
        let host = self.url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
        let is_here = |host: &str| {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            name == "localhost" || host.starts_with("[::1]") || name.starts_with("127.")
        };
        host.is_some_and(|host| !is_here(host))
    }
}

impl Platform for TrajectorySettings {
    const NAME: &str = "trajectory";
    const HOLDS: bool = true;

    fn reach(&self) -> Reach<'_> {
        if self.is_open() {
            say_once(&format!(
                "destination trajectory: {} is not encrypted: set TRAJECTORY_API_URL to an address with https://",
                self.url
            ));
        }
        Reach {
            url: &self.url,
            account: vec![
                ("Authorization", format!("Bearer {}", self.api_key)),
                ("X-Organization-Id", self.organization.clone()),
            ],
            timeout: self.timeout,
            spool: self.spool.as_deref(),
            journal: self.journal.as_deref(),
        }
    }

    fn receiver(&self) -> String {
        super::stepwise::receiver(Self::NAME, &[&self.url, &self.api_key, &self.organization])
    }

    fn begin(&self, id: TraceId, root: &Span<'_>, resource: &Resource) -> (Box<dyn Writer>, Vec<Post>) {
        let (writer, posts) = trajectory::TraceWriter::begin(&resource.project, id, root);
        (Box::new(writer), posts)
    }

    fn resume(&self, id: TraceId, top: &Span<'_>, _: &Resource) -> Box<dyn Writer> {
        Box::new(trajectory::TraceWriter::resume(&self.organization, id, top))
    }

    fn record(&self, _: TraceId, _: &Record) -> Option<Post> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_what_travels_in_the_open() {
        let is_open = |url: &str| {
            TrajectorySettings { url: url.to_owned(), ..TrajectorySettings::new("k", "o") }.is_open()
        };
        for url in
            ["http://api.trajectoryevals.com", "http://10.0.0.1:8000/x", "http://localhost.example.com"]
        {
            assert!(is_open(url), "{url}");
        }
        for url in [
            "https://api.trajectoryevals.com",
            "http://localhost:8000",
            "http://127.0.0.1:1/x",
            "http://[::1]:80",
        ] {
            assert!(!is_open(url), "{url}");
        }
    }
}
