//! What a process is set to do: by its environment, and by code, which wins.

#[cfg(feature = "delivery")]
mod client;
mod parse;
mod variables;

use std::{env, path::PathBuf, time::Duration};

use observe_model::{Price, Resource};
use observe_wire::{Dialect, mask::Mask};

#[cfg(all(test, feature = "otlp"))]
pub(crate) use client::UNHEEDED_OF_BATCHES;
#[cfg(feature = "delivery")]
pub(crate) use client::{Unheeded, Variables};
pub(crate) use parse::environment;
#[cfg(feature = "otlp")]
pub(crate) use parse::percent_decoded;
pub use variables::{VARIABLES, Variable};

use crate::{capture, mask::MaskHook, price::Prices, report::say_once};

/// Settings of a process. `docs/SETTINGS.md` lists the variable and the builder's method of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether anything is recorded. Default true.
    pub enabled: bool,
    /// Whether scores are recorded where spans are. Default true.
    pub scores: bool,
    /// Names of destinations; `None` leaves the choice to the program.
    pub destinations: Option<Vec<String>>,
    /// Directory of the local store, and of what waits for receivers that are away; `None` for `observe` in the user's data directory.
    pub dir: Option<PathBuf>,
    /// The file that the destination `jsonl` appends to; `None` for `spans.jsonl` in that directory.
    pub jsonl: Option<PathBuf>,
    /// In whose words the destination `otlp` writes spans. Default OpenInference.
    pub otlp_dialect: Dialect,
    /// Address of the local viewer's pages. Default `http://127.0.0.1:4319`.
    pub viewer: String,
    /// The project that traces are filed under. Default the service, else the program's file name.
    pub project: Option<String>,
    /// The service that runs. Default the project.
    pub service: Option<String>,
    /// The release that runs.
    pub release: Option<String>,
    /// `production`, `staging`, ..; see [`Settings::set_environment`].
    pub environment: Option<String>,
    /// Share of traces that is recorded, 0 to 1. Default 1.
    pub sample_rate: f64,
    /// The same for traces whose root begins with this name.
    pub sample_rates: Vec<(String, f64)>,
    /// Which of the recorded traces are given to destinations. Default all.
    pub keep: Keep,
    /// Bytes of one captured value, the rest of which is cut. Default 1 MiB.
    pub capture_limit: usize,
    /// What the tokens of models cost, where nobody says what a call did: by the model's name, or by a beginning of names
    /// that ends in `*`, of which the longest counts.
    pub prices: Vec<(String, Price)>,
    /// Whether keys, tokens, card numbers and the like are taken out of what is recorded, wherever they stand. Default true.
    pub mask_patterns: bool,
    /// What else is taken out.
    pub mask_hook: Option<MaskHook>,
    /// How long a thread waits for room before a new span is dropped and counted because the journal is full. Default 0.
    pub overflow_wait: Duration,
    /// Which baggage becomes attributes of spans, and which attributes are sent as baggage: names, or beginnings of names
    /// that end in `*`. Default `session.id`, `user.id` and `langfuse_*`.
    pub baggage_keys: Vec<String>,
    /// Whether [`inject`](crate::propagate::inject) sends baggage. Default false.
    pub send_baggage: bool,
    /// Says on stderr what it does. Default false.
    pub debug: bool,
}

/// Which traces are given to destinations; decided when a trace ends. If nothing is set, all are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// Those in which a span failed.
    pub failed: bool,
    /// Those that took longer, from the start of their first span to the end of their last.
    pub slower_than: Option<Duration>,
}

impl Keep {
    /// Whether every trace is kept.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// Where the viewer serves its pages unless told otherwise.
const VIEWER: &str = "http://127.0.0.1:4319";

impl Settings {
    /// Reads the environment. An empty variable counts as unset. A bad value and an `OBSERVE_*` variable that nobody knows
    /// are reported on stderr, once, and left out.
    pub fn from_env() -> Self {
        variables::report_unknown(env::vars_os().filter_map(|(name, _)| name.into_string().ok()));
        Self::read(var)
    }

    /// [`Settings::from_env`] with `var` for the environment: it gives a variable's value if it is set and not empty.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Self {
        let from = parse::Source::new(&var);
        let attributes = from.parsed("OTEL_RESOURCE_ATTRIBUTES", "key=value,key=value", parse::pairs);
        let attribute = |names: &[&str]| {
            let pairs = attributes.as_deref().unwrap_or_default();
            names
                .iter()
                .find_map(|name| pairs.iter().find(|(n, _)| n == name))
                .map(|(_, value)| value.clone())
        };
        let service = from.text("OTEL_SERVICE_NAME").or_else(|| attribute(&["service.name"]));
        let environment = from.text("OBSERVE_ENVIRONMENT");
        let environment =
            environment.or_else(|| attribute(&["deployment.environment.name", "deployment.environment"]));
        let rates = from.parsed("OBSERVE_SAMPLE_RATE", parse::RATES, parse::rates).unwrap_or_default();
        let enabled = from.parsed("OBSERVE_ENABLED", parse::BOOLEAN, parse::boolean);
        let disabled = from.parsed("OTEL_SDK_DISABLED", parse::BOOLEAN, parse::boolean);
        Self {
            enabled: enabled.or(disabled.map(|disabled| !disabled)).unwrap_or(true),
            scores: from.parsed("OBSERVE_SCORES", parse::BOOLEAN, parse::boolean).unwrap_or(true),
            destinations: from.text("OBSERVE_DESTINATIONS").map(|names| list(&names)),
            dir: from.text("OBSERVE_DIR").map(PathBuf::from),
            jsonl: from.text("OBSERVE_JSONL").map(PathBuf::from),
            otlp_dialect: from
                .parsed("OBSERVE_OTLP_DIALECT", &dialects(), |text| text.parse().ok())
                .unwrap_or_default(),
            viewer: from.text("OBSERVE_VIEWER").unwrap_or_else(|| VIEWER.to_owned()),
            project: from.text("OBSERVE_PROJECT").or_else(|| attribute(&["openinference.project.name"])),
            service,
            release: from.text("OBSERVE_RELEASE").or_else(|| attribute(&["service.version"])),
            environment: environment.and_then(|name| parse::environment(&name)),
            sample_rate: rates.all.unwrap_or(1.0),
            sample_rates: rates.named,
            keep: from.parsed("OBSERVE_KEEP", parse::KEEP, parse::keep).unwrap_or_default(),
            capture_limit: from
                .parsed("OBSERVE_CAPTURE_LIMIT", "a number of bytes", |text| text.parse().ok())
                .unwrap_or(capture::DEFAULT_LIMIT),
            prices: from.parsed("OBSERVE_PRICES", parse::PRICES, parse::prices).unwrap_or_default(),
            mask_patterns: from.parsed("OBSERVE_MASK", parse::BOOLEAN, parse::boolean).unwrap_or(true),
            mask_hook: None,
            overflow_wait: from
                .parsed("OBSERVE_OVERFLOW", "drop, or wait:100ms", parse::overflow)
                .unwrap_or_default(),
            baggage_keys: from.text("OBSERVE_BAGGAGE_KEYS").map_or_else(baggage_keys, |names| list(&names)),
            send_baggage: from
                .parsed("OBSERVE_SEND_BAGGAGE", parse::BOOLEAN, parse::boolean)
                .unwrap_or(false),
            debug: from.parsed("OBSERVE_DEBUG", parse::BOOLEAN, parse::boolean).unwrap_or_else(|| {
                DEBUG.iter().any(|name| from.text(name).is_some_and(|text| is_true(&text)))
            }),
        }
    }

    /// Sets the environment's name: at most 40 of `a` to `z`, `0` to `9`, `_` and `-`. Another text is taken in the
    /// nearest such form, and said so once on stderr.
    pub fn set_environment(&mut self, name: &str) {
        self.environment = parse::environment(name);
    }

    /// What takes out what is not to leave the process.
    pub(crate) fn mask(&self) -> Mask {
        Mask::new(self.mask_patterns, self.mask_hook.as_ref().map(MaskHook::guarded))
    }

    /// What says what calls cost of which nobody said it.
    pub(crate) fn prices(&self) -> Prices {
        Prices::new(&self.prices)
    }

    /// The process, as spans name it.
    pub(crate) fn resource(&self) -> Resource {
        let project = self.project.clone().or_else(|| self.service.clone()).unwrap_or_else(program);
        Resource {
            service: self.service.clone().unwrap_or_else(|| project.clone()),
            project,
            release: self.release.clone(),
            environment: self.environment.clone(),
        }
    }
}

/// The variables by which clients of platforms are told to say what they do.
const DEBUG: [&str; 3] = ["LANGFUSE_DEBUG", "INTERACTIVEAI_DEBUG", "ARTANIS_DEBUG"];

fn is_true(text: &str) -> bool {
    parse::boolean(text.trim()) == Some(true)
}

/// The dialects that there are.
fn dialects() -> String {
    Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect::<Vec<_>>().join(", ")
}

/// The baggage that is read unless told otherwise.
pub(crate) fn baggage_keys() -> Vec<String> {
    list("session.id,user.id,langfuse_*")
}

/// Names with commas between.
fn list(names: &str) -> Vec<String> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

/// A variable of the process that is set and not empty. One that is no text is reported.
pub(crate) fn var(name: &str) -> Option<String> {
    match env::var_os(name)?.into_string() {
        Ok(value) => Some(value).filter(|value| !value.trim().is_empty()),
        Err(_) => {
            say_once(&format!("{name} is ignored: it is not Unicode text"));
            None
        }
    }
}

/// The program's file name without its ending.
fn program() -> String {
    let path = env::current_exe().ok();
    path.as_deref()
        .and_then(|p| p.file_stem())
        .map_or_else(|| "default".to_owned(), |name| name.to_string_lossy().into_owned())
}
