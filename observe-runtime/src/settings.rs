//! What the environment says.

use std::{env, time::Duration};

use observe_model::Resource;

use crate::{capture, report::say};

/// Settings of a process, from `OBSERVE_*` variables. An empty variable counts as unset; a bad value is reported on
/// stderr and left out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `OBSERVE_ENABLED`: whether anything is recorded. Default true.
    pub enabled: bool,
    /// `OBSERVE_DESTINATIONS`: names of destinations, separated by commas; `None` if unset.
    pub destinations: Option<Vec<String>>,
    /// `OBSERVE_PROJECT`, `OBSERVE_RELEASE`, `OBSERVE_ENVIRONMENT`. The project's default is the program's file name.
    pub resource: Resource,
    /// `OBSERVE_SAMPLE_RATE`: share of traces that is recorded, 0 to 1. Default 1.
    pub sample_rate: f64,
    /// `OBSERVE_CAPTURE_LIMIT`: bytes of one captured value, the rest of which is cut. Default 1 MiB.
    pub capture_limit: usize,
    /// `OBSERVE_OVERFLOW`: what becomes of a new span when the journal is full. `drop` (the default, zero) drops and
    /// counts it; `wait:100ms` has its thread wait so long for room first.
    pub overflow_wait: Duration,
    /// `OBSERVE_DEBUG`: says on stderr what it does. Default false.
    pub debug: bool,
}

impl Settings {
    /// Reads the environment.
    pub fn from_env() -> Self {
        let project = var("OBSERVE_PROJECT").unwrap_or_else(program);
        let resource = Resource {
            service: project.clone(),
            project,
            release: var("OBSERVE_RELEASE"),
            environment: var("OBSERVE_ENVIRONMENT"),
        };
        let rate = |text: &str| text.parse().ok().filter(|r| (0.0..=1.0).contains(r));
        Self {
            enabled: parsed("OBSERVE_ENABLED", "true or false", boolean).unwrap_or(true),
            destinations: var("OBSERVE_DESTINATIONS").map(|names| {
                names.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect()
            }),
            resource,
            sample_rate: parsed("OBSERVE_SAMPLE_RATE", "a number from 0 to 1", rate).unwrap_or(1.0),
            capture_limit: parsed("OBSERVE_CAPTURE_LIMIT", "a number of bytes", |text| text.parse().ok())
                .unwrap_or(capture::DEFAULT_LIMIT),
            overflow_wait: parsed("OBSERVE_OVERFLOW", "drop, or wait:100ms", overflow).unwrap_or_default(),
            debug: parsed("OBSERVE_DEBUG", "true or false", boolean).unwrap_or(false),
        }
    }
}

/// A variable that is set, not empty, and text.
pub(crate) fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.trim().is_empty())
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// `drop`, or `wait:` and a time in milliseconds or seconds.
fn overflow(text: &str) -> Option<Duration> {
    if text == "drop" {
        return Some(Duration::ZERO);
    }
    let time = text.strip_prefix("wait:")?;
    match (time.strip_suffix("ms"), time.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        (None, None) => None,
    }
}

fn parsed<T>(name: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = var(name)?;
    let value = parse(text.trim());
    if value.is_none() {
        say(&format!("{name}={text} is ignored: expected {expected}"));
    }
    value
}

/// The program's file name without its ending.
fn program() -> String {
    let path = env::current_exe().ok();
    path.as_deref()
        .and_then(|p| p.file_stem())
        .map_or_else(|| "default".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_policy_is_drop_or_a_time_to_wait() {
        assert_eq!(overflow("drop"), Some(Duration::ZERO));
        assert_eq!(overflow("wait:100ms"), Some(Duration::from_millis(100)));
        assert_eq!(overflow("wait:2s"), Some(Duration::from_secs(2)));
        for bad in ["", "wait", "wait:", "wait:5", "wait:ms", "wait:-1s", "block"] {
            assert_eq!(overflow(bad), None, "{bad}");
        }
    }
}
