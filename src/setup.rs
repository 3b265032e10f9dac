//! The default set-up: what the environment names, else the local store.

use std::{path::PathBuf, time::Duration};

use observe_runtime::{
    __private::say_once,
    Guard, MaskHook, Price, Settings,
    destination::{Console, Destination, Dialect, Jsonl},
};

/// Begins to record, to every destination that the environment names; to the local store if it names none.
///
/// Hold the guard in `main`: dropped, it waits until everything has arrived. A process that ends without dropping it
/// does so too. Only the first call in a process does something: another one with the same settings is harmless, one with
/// other settings is refused and said so on stderr. Nothing here fails: a destination that cannot be had
/// is reported on stderr, and the others go on.
///
/// `docs/SETTINGS.md` lists the variables. These are asked for most:
///
/// | Variable | |
/// |---|---|
/// | `OBSERVE_ENABLED` | `false` records nothing |
/// | `OBSERVE_DESTINATIONS` | `local`, `otlp`, a platform such as `langfuse`, `console`, `jsonl`, `none`; several with commas between. Default `local`, and each platform whose keys are set |
/// | `OBSERVE_DIR` | directory of the local store and of what is not sent yet. Default: `observe` in the user's data directory |
/// | `OBSERVE_PROJECT` | the project that traces belong to. Default: the program's file name |
/// | `OBSERVE_SAMPLE_RATE` | share of traces to record, 0 to 1. Default 1 |
/// | `OBSERVE_KEEP` | `failed,slow:2s` sends only traces that failed or took longer. Default `all` |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT`, `.._HEADERS`, `.._TIMEOUT` | where and how `otlp` sends |
///
/// ```
/// let _observe = observe::init();
/// ```
pub fn init() -> Guard {
    builder().init()
}

/// [`init`] with settings from code, which win over the environment's.
///
/// ```
/// use observe::destination::Memory;
/// let memory = Memory::new();
/// let _observe = observe::builder().project("support-bot").destination(memory.clone()).init();
/// ```
pub fn builder() -> Builder {
    Builder { settings: Settings::from_env(), destinations: Vec::new() }
}

/// Settings of the process; made by [`builder`].
#[must_use = "nothing is recorded until `init`"]
pub struct Builder {
    settings: Settings,
    destinations: Vec<Box<dyn Destination>>,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Builder {
    /// Whether anything is recorded.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.settings.enabled = enabled;
        self
    }

    /// Whether scores are recorded where spans are.
    pub fn scores(mut self, scores: bool) -> Self {
        self.settings.scores = scores;
        self
    }

    /// Sends spans to the destinations of these names, instead of those that `OBSERVE_DESTINATIONS` names; `docs/SETTINGS.md`
    /// lists them.
    pub fn destinations<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.destinations = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sends spans there. The destinations given here replace the default ones; those that `OBSERVE_DESTINATIONS` names
    /// stay.
    pub fn destination(mut self, destination: impl Destination + 'static) -> Self {
        self.destinations.push(Box::new(destination));
        self
    }

    /// The directory of the local store, and of what has not been written or sent yet.
    pub fn dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.settings.dir = Some(directory.into());
        self
    }

    /// The file that the destination `jsonl` appends to.
    pub fn jsonl(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings.jsonl = Some(file.into());
        self
    }

    /// In whose words the destination `otlp` writes spans.
    pub fn otlp_dialect(mut self, dialect: Dialect) -> Self {
        self.settings.otlp_dialect = dialect;
        self
    }

    /// The address of the local viewer, for [`trace_url`](crate::trace_url).
    pub fn viewer(mut self, address: impl Into<String>) -> Self {
        self.settings.viewer = address.into();
        self
    }

    /// The project that the traces are filed under; the service's name, else the program's, if none is set.
    pub fn project(mut self, name: impl Into<String>) -> Self {
        self.settings.project = Some(name.into());
        self
    }

    /// The service that runs, as OpenTelemetry calls it.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.settings.service = Some(name.into());
        self
    }

    /// The release that runs, such as a commit.
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.settings.release = Some(release.into());
        self
    }

    /// `production`, `staging`, ..: at most 40 of `a` to `z`, `0` to `9`, `_` and `-`. Another text is recorded in the
    /// nearest such form, and said so on stderr.
    pub fn environment(mut self, name: impl AsRef<str>) -> Self {
        self.settings.set_environment(name.as_ref());
        self
    }

    /// The share of traces to record, 0 to 1: chosen by trace id, so that every process chooses alike. What is no such
    /// number is taken for the nearest.
    pub fn sample_rate(mut self, rate: f64) -> Self {
        self.settings.sample_rate = share(rate);
        self
    }

    /// The same for traces whose root begins with this name: the name of the function or the literal in its attribute,
    /// or that of the [`span`](crate::span) or [`agent`](crate::agent).
    pub fn sample(mut self, name: impl Into<String>, rate: f64) -> Self {
        let name = name.into();
        self.settings.sample_rates.retain(|(known, _)| *known != name);
        self.settings.sample_rates.push((name, share(rate)));
        self
    }

    /// Sends only traces in which a span failed; with [`Builder::keep_if_slower_than`], slow ones too.
    ///
    /// Decided when a trace ends, that is when no span of it is open in this process. Until then its spans are held
    /// back, in at most 64 MiB; beyond that the oldest trace is sent. A trace that turned out dull and fails after all is
    /// sent from there on. Of a process that is killed, traces that had not ended may be lost.
    pub fn keep_if_failed(mut self) -> Self {
        self.settings.keep.failed = true;
        self
    }

    /// Sends only traces that took longer than `limit`; with [`Builder::keep_if_failed`], failed ones too.
    pub fn keep_if_slower_than(mut self, limit: Duration) -> Self {
        self.settings.keep.slower_than = Some(limit);
        self
    }

    /// What the tokens of a model cost, for calls of it of which nobody says what they cost. `model` is its name, or a
    /// beginning of names that ends in `*`; of several that fit, the name counts, else the longest beginning.
    ///
    /// ```
    /// use observe::Price;
    /// let builder = observe::builder().price("gpt-4o-mini*", Price { cache_read: Some(0.075), ..Price::new(0.15, 0.6) });
    /// ```
    pub fn price(mut self, model: impl Into<String>, price: Price) -> Self {
        let model = model.into();
        self.settings.prices.retain(|(known, _)| *known != model);
        self.settings.prices.push((model, price));
        self
    }

    /// Whether keys, tokens, private keys, passwords in addresses and card numbers are taken out of what is recorded,
    /// wherever they stand.
    pub fn mask_patterns(mut self, patterns: bool) -> Self {
        self.settings.mask_patterns = patterns;
        self
    }

    /// Has `hook` take out of every input, output, error text, name, tag, metadata, state, event and comment what is not to leave
    /// the process, before anything is handed to a destination.
    ///
    /// It is called on a thread of the library's own, with one value after another as JSON, in which names and looks of
    /// secrets were masked already; with some of them more than once. Session and user are left to themselves. Where it panics, the value that it was given is masked as a whole, and that is said once on stderr.
    ///
    /// ```
    /// use observe::destination::Memory;
    /// let memory = Memory::new();
    /// let _observe = observe::builder()
    ///     .mask(|value| {
    ///         if let Some(email) = value.get_mut("email") {
    ///             *email = "[email]".into();
    ///         }
    ///     })
    ///     .destination(memory.clone())
    ///     .init();
    /// ```
    pub fn mask(mut self, hook: impl Fn(&mut serde_json::Value) + Send + Sync + 'static) -> Self {
        self.settings.mask_hook = Some(MaskHook::new(hook));
        self
    }

    /// Bytes of one recorded value; the rest is cut so that it stays JSON.
    pub fn capture_limit(mut self, bytes: usize) -> Self {
        self.settings.capture_limit = bytes;
        self
    }

    /// How long a thread waits for room when recording outruns the disk or the network, before a new span is dropped and
    /// counted. Zero by default.
    pub fn overflow_wait(mut self, limit: Duration) -> Self {
        self.settings.overflow_wait = limit;
        self
    }

    /// Which baggage becomes attributes of spans, and which of these are sent as baggage: names, or beginnings of names
    /// that end in `*`. See [`propagate`](crate::propagate).
    pub fn baggage_keys<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.baggage_keys = names.into_iter().map(Into::into).collect();
        self
    }

    /// Whether [`inject`](crate::propagate::inject) sends baggage. It goes to everybody who is called.
    pub fn send_baggage(mut self, send: bool) -> Self {
        self.settings.send_baggage = send;
        self
    }

    /// Says on stderr what the library does.
    pub fn debug(mut self, debug: bool) -> Self {
        self.settings.debug = debug;
        self
    }

    /// The settings so far.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins to record. See [`init`].
    pub fn init(self) -> Guard {
        let Self { settings, destinations } = self;
        // Nothing is annotated then.
        if cfg!(feature = "off") {
            return observe_runtime::start(&settings, Vec::new(), Vec::new);
        }
        #[cfg(feature = "local")]
        crate::local::set_directory(settings.dir.as_deref());
        let default = if destinations.is_empty() { default() } else { Vec::new() };
        let names = settings.destinations.clone().unwrap_or(default);
        observe_runtime::start(&settings, destinations, || named(&names, &settings))
    }
}

/// The nearest share to `rate`.
fn share(rate: f64) -> f64 {
    if rate.is_nan() { 1.0 } else { rate.clamp(0.0, 1.0) }
}

/// The destinations of a process that names none: the local store, and the platforms whose keys are set.
fn default() -> Vec<String> {
    let mut names = Vec::new();
    if cfg!(feature = "local") {
        names.push("local".to_owned());
    }
    #[cfg(feature = "otlp")]
    names.extend(platforms::with_keys());
    let is_set = |key: &str| std::env::var_os(key).is_some_and(|value| !value.is_empty());
    let has_keys = |keys: &[&str]| keys.iter().all(|key| is_set(key));
    names.extend(STEPWISE_KEYS.iter().filter(|(_, keys)| has_keys(keys)).map(|(name, _)| (*name).to_owned()));
    names
}

/// The keys without which a platform that is told step by step is none of the default.
const STEPWISE_KEYS: &[(&str, &[&str])] = &[
    #[cfg(feature = "artanis")]
    ("artanis", &["ARTANIS_API_KEY"]),
    #[cfg(feature = "tracium")]
    ("tracium", &["TRACIUM_API_KEY"]),
    #[cfg(feature = "trajectory")]
    ("trajectory", &["TRAJECTORY_API_KEY", "TRAJECTORY_ORG_ID"]),
];

/// The destinations that this build has.
const KNOWN: &[&str] = &[
    #[cfg(feature = "local")]
    "local",
    #[cfg(feature = "otlp")]
    "otlp",
    #[cfg(feature = "otlp")]
    "langfuse",
    #[cfg(feature = "otlp")]
    "interactiveai",
    #[cfg(feature = "otlp")]
    "futureagi",
    #[cfg(feature = "otlp")]
    "phoenix",
    #[cfg(feature = "otlp")]
    "mlflow",
    #[cfg(feature = "artanis")]
    "artanis",
    #[cfg(feature = "tracium")]
    "tracium",
    #[cfg(feature = "trajectory")]
    "trajectory",
    "console",
    "jsonl",
    "none",
];

/// A destination that is told of a trace step by step, as the environment sets it up; it keeps on disk what waits.
#[allow(unused_macros, reason = "not every build has such a destination")]
macro_rules! stepwise {
    ($destination:ident, $settings:ident, $ours:expr) => {{
        use observe_runtime::destination::{$destination, $settings};
        $settings::from_env().map(|settings| -> Box<dyn Destination> {
            Box::new($destination::new(match data_directory($ours) {
                Some(directory) => settings.keep_below(&directory),
                None => settings,
            }))
        })
    }};
}

fn named(names: &[String], settings: &Settings) -> Vec<Box<dyn Destination>> {
    let mut destinations: Vec<Box<dyn Destination>> = Vec::new();
    for name in names {
        if destinations.iter().any(|d| d.name() == name) {
            continue;
        }
        match name.as_str() {
            "none" => {}
            "console" => destinations.push(Box::new(Console::new())),
            "jsonl" => match jsonl_file(settings) {
                Some(file) => destinations.push(Box::new(Jsonl::append_to(file))),
                None => say_once("destination jsonl: no file is known: set OBSERVE_JSONL"),
            },
            #[cfg(feature = "artanis")]
            "artanis" => destinations.extend(stepwise!(Artanis, ArtanisSettings, settings)),
            #[cfg(feature = "tracium")]
            "tracium" => destinations.extend(stepwise!(Tracium, TraciumSettings, settings)),
            #[cfg(feature = "trajectory")]
            "trajectory" => destinations.extend(stepwise!(Trajectory, TrajectorySettings, settings)),
            #[cfg(feature = "local")]
            "local" => destinations.extend(local(settings)),
            #[cfg(feature = "otlp")]
            name if KNOWN.contains(&name) => match platforms::by_name(name, settings) {
                Ok(otlp) => destinations.push(Box::new(otlp)),
                Err(error) => say_once(&format!("destination {name}: {error}; the others are used")),
            },
            _ => say_once(&format!(
                "OBSERVE_DESTINATIONS names `{name}`, which is none of {}; the others are used",
                KNOWN.join(", ")
            )),
        }
    }
    destinations
}

/// The destinations that take OTLP.
#[cfg(feature = "otlp")]
mod platforms {
    use observe_runtime::{
        Settings,
        destination::{FutureAgi, InteractiveAi, Langfuse, Mlflow, Otlp, OtlpSettings, Phoenix, Platform},
    };

    /// The platforms that the environment has keys for.
    pub(super) fn with_keys() -> impl Iterator<Item = String> {
        let keys = [
            ("langfuse", Langfuse::from_env().is_ok()),
            ("interactiveai", InteractiveAi::from_env().is_ok()),
            ("futureagi", FutureAgi::from_env().is_ok()),
        ];
        keys.into_iter().filter(|(_, has_keys)| *has_keys).map(|(name, _)| name.to_owned())
    }

    /// The destination of that name, as the environment sets it up, or why it cannot be.
    pub(super) fn by_name(name: &str, settings: &Settings) -> Result<Otlp, String> {
        let platform: Platform = match name {
            "langfuse" => Langfuse::from_env()?.into(),
            "interactiveai" => InteractiveAi::from_env()?.into(),
            "futureagi" => FutureAgi::from_env()?.into(),
            "phoenix" => Phoenix::from_env().into(),
            "mlflow" => Mlflow::from_env()?.into(),
            _ => OtlpSettings { dialect: settings.otlp_dialect, ..OtlpSettings::from_env()? }.into(),
        };
        let otlp = Otlp::new(platform);
        Ok(match super::data_directory(settings) {
            Some(directory) => otlp.keep_below(&directory),
            None => otlp,
        })
    }
}

fn jsonl_file(settings: &Settings) -> Option<PathBuf> {
    settings.jsonl.clone().or_else(|| Some(data_directory(settings)?.join("spans.jsonl")))
}

/// Where this process may leave files: as the settings say, else in the user's data directory if this build knows it.
fn data_directory(settings: &Settings) -> Option<PathBuf> {
    #[cfg(feature = "local")]
    return crate::local::database(settings.dir.as_deref()).ok()?.parent().map(std::path::Path::to_owned);
    #[cfg(not(feature = "local"))]
    settings.dir.clone()
}

#[cfg(feature = "local")]
fn local(settings: &Settings) -> Option<Box<dyn Destination>> {
    use crate::local::{Local, database};
    match database(settings.dir.as_deref()) {
        Ok(path) => {
            let local = Local::new(path, settings.viewer.clone());
            Some(Box::new(observe_runtime::destination::Queue::new(local)))
        }
        Err(error) => {
            say_once(&format!("destination local: {error}"));
            None
        }
    }
}
