//! The variables of platforms' own clients.

use std::time::Duration;

use super::{environment, parse};
#[cfg(feature = "otlp")]
use crate::destination::OtlpSettings;
use crate::report::say_once;

/// Variables of a platform's client that have no effect here, each with the reason.
pub(crate) type Unheeded = &'static [(&'static str, &'static str)];

/// Those of OpenTelemetry's that are about batches.
#[cfg(feature = "otlp")]
pub(crate) const UNHEEDED_OF_BATCHES: Unheeded = &[
    (
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "what waits to be sent is bounded in bytes, and goes to disk before any of it is dropped",
    ),
    ("OTEL_BSP_EXPORT_TIMEOUT", "each request has the time limit of its destination"),
];

/// Where the settings of a platform are read from: gives a variable's value if it is set and not empty.
pub(crate) struct Variables<'a>(pub(crate) &'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        Some((self.0)(name)?.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The first of several variables that is set.
    pub(crate) fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    /// A variable that must be set.
    pub(crate) fn needed(&self, name: &str, meaning: &str) -> Result<String, String> {
        self.get(name).ok_or_else(|| format!("{name} is not set: it is {meaning}"))
    }

    /// The variable's value, if `parse` can read it; else that is said.
    pub(crate) fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.get(name)?;
        let value = parse(&text);
        if value.is_none() {
            say_once(&format!("{name}={text} is ignored: expected {expected}"));
        }
        value
    }

    /// The client of a platform can be switched off, and is then no destination.
    pub(crate) fn not_off(&self, name: &str) -> Result<(), String> {
        match self.get(name).filter(|text| text.eq_ignore_ascii_case("false")) {
            Some(text) => Err(format!("{name}={text} switches it off")),
            None => Ok(()),
        }
    }

    /// Whether it is true; a text that is neither is said.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.parsed(name, parse::BOOLEAN, parse::boolean).unwrap_or(false)
    }

    /// A share, 0 to 1.
    pub(crate) fn share(&self, name: &str) -> Option<f64> {
        let share = |text: &str| text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
        self.parsed(name, "a number from 0 to 1", share)
    }

    /// A time in seconds.
    pub(crate) fn seconds(&self, name: &str) -> Option<Duration> {
        let seconds = |text: &str| {
            let seconds = text.parse().ok()?;
            Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero())
        };
        self.parsed(name, "seconds", seconds)
    }

    /// A number of things, one at least.
    pub(crate) fn count(&self, name: &str) -> Option<u64> {
        self.parsed(name, "a number from 1", |text| text.parse().ok().filter(|number| *number > 0))
    }

    /// The settings with what OpenTelemetry's variables say of batches. Those of them that mean nothing here are said.
    #[cfg(feature = "otlp")]
    pub(crate) fn batch(&self, destination: &str, settings: OtlpSettings) -> OtlpSettings {
        self.say_unheeded(destination, UNHEEDED_OF_BATCHES);
        let delay = self.count("OTEL_BSP_SCHEDULE_DELAY").map(Duration::from_millis);
        OtlpSettings {
            flush_at: self.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE").or(settings.flush_at),
            flush_interval: delay.unwrap_or(settings.flush_interval),
            ..settings
        }
    }

    /// Whether bodies are compressed, by the first of these that is set.
    pub(crate) fn gzip(&self, names: &[&str]) -> Option<bool> {
        let name = names.iter().find(|name| self.get(name).is_some())?;
        self.parsed(name, "gzip or none", |text| match text.to_ascii_lowercase().as_str() {
            "gzip" => Some(true),
            "none" => Some(false),
            _ => None,
        })
    }

    pub(crate) fn environment(&self, name: &str) -> Option<String> {
        environment(&self.get(name)?)
    }

    /// The commit that runs, as builders and hosters name it.
    pub(crate) fn commit(&self) -> Option<String> {
        self.first(COMMITS)
    }

    /// Says of each of these that is set that it has no effect, and why.
    pub(crate) fn say_unheeded(&self, destination: &str, unheeded: Unheeded) {
        for (name, why) in unheeded.iter().filter(|(name, _)| self.get(name).is_some()) {
            say_once(&format!("destination {destination}: {name} has no effect: {why}"));
        }
    }
}

/// In the order in which the clients of Langfuse and InteractiveAI look: Render, GitLab, CircleCI, Heroku, Travis, Jenkins,
/// GitHub, Bitbucket, Azure, Drone.
pub(crate) const COMMITS: &[&str] = &[
    "RENDER_GIT_COMMIT",
    "CI_COMMIT_SHA",
    "CIRCLE_SHA1",
    "SOURCE_VERSION",
    "TRAVIS_COMMIT",
    "GIT_COMMIT",
    "GITHUB_SHA",
    "BITBUCKET_COMMIT",
    "BUILD_SOURCEVERSION",
    "DRONE_COMMIT_SHA",
];
