//! The default set-up: what the environment names, else the local store.

use observe_runtime::{
    __private::say,
    Guard, Settings,
    destination::{Console, Destination},
};

/// Begins to record, to every destination that the environment names; to the local store if it names none.
///
/// Hold the guard in `main`: dropped, it waits until everything has arrived. A process that ends without dropping it
/// does so too. Only the first call in a process does something. Nothing here fails: a destination that cannot be had
/// is reported on stderr, and the others go on.
///
/// | Variable | |
/// |---|---|
/// | `OBSERVE_ENABLED` | `false` records nothing |
/// | `OBSERVE_DESTINATIONS` | `local`, `otlp`, `console`, `none`; several with commas between. Default `local` |
/// | `OTEL_EXPORTER_OTLP_ENDPOINT`, `.._HEADERS`, `.._TIMEOUT` | where and how `otlp` sends |
/// | `OBSERVE_DIR` | directory of the local store. Default: `observe` in the user's data directory |
/// | `OBSERVE_PROJECT` | the project that traces belong to. Default: the program's file name |
/// | `OBSERVE_RELEASE`, `OBSERVE_ENVIRONMENT` | stamped on every trace |
/// | `OBSERVE_SAMPLE_RATE` | share of traces to record, 0 to 1. Default 1 |
/// | `OBSERVE_OVERFLOW` | when the journal is full: `drop` new spans and count them, or `wait:100ms` for room first. Default `drop` |
/// | `OBSERVE_DEBUG` | `true` says on stderr what it does |
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
    /// The project that the traces belong to.
    pub fn project(mut self, name: impl Into<String>) -> Self {
        self.settings.resource.project = name.into();
        self.settings.resource.service.clone_from(&self.settings.resource.project);
        self
    }

    /// Sends spans there. The destinations given here replace the default one; those that `OBSERVE_DESTINATIONS` names
    /// stay.
    pub fn destination(mut self, destination: impl Destination + 'static) -> Self {
        self.destinations.push(Box::new(destination));
        self
    }

    /// Begins to record. See [`init`].
    pub fn init(self) -> Guard {
        let Self { settings, mut destinations } = self;
        let default = if cfg!(feature = "local") && destinations.is_empty() { "local" } else { "none" };
        // Nothing is annotated then.
        if cfg!(feature = "off") {
            return observe_runtime::start(&settings, Vec::new());
        }
        let names = settings.destinations.clone().unwrap_or_else(|| vec![default.to_owned()]);
        if settings.enabled {
            destinations.extend(named(&names));
        }
        observe_runtime::start(&settings, destinations)
    }
}

/// The destinations that this build has.
const KNOWN: &[&str] = &[
    #[cfg(feature = "local")]
    "local",
    #[cfg(feature = "otlp")]
    "otlp",
    "console",
    "none",
];

fn named(names: &[String]) -> Vec<Box<dyn Destination>> {
    let mut destinations: Vec<Box<dyn Destination>> = Vec::new();
    for name in names {
        if destinations.iter().any(|d| d.name() == name) {
            continue;
        }
        match name.as_str() {
            "none" => {}
            "console" => destinations.push(Box::new(Console::new())),
            #[cfg(feature = "otlp")]
            "otlp" => {
                use observe_runtime::destination::{Otlp, OtlpSettings};
                destinations.push(Box::new(Otlp::new(OtlpSettings::from_env())));
            }
            #[cfg(feature = "local")]
            "local" => destinations.extend(local()),
            _ => say(&format!(
                "OBSERVE_DESTINATIONS names `{name}`, which is none of {}; the others are used",
                KNOWN.join(", ")
            )),
        }
    }
    destinations
}

#[cfg(feature = "local")]
fn local() -> Option<Box<dyn Destination>> {
    match observe_store::default_path() {
        Ok(path) => Some(Box::new(observe_runtime::destination::Queue::new(crate::local::Local::new(path)))),
        Err(error) => {
            say(&format!("destination local: {error}"));
            None
        }
    }
}
