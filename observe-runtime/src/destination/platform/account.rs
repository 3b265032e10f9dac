//! What Langfuse's client and InteractiveAI's, which is a fork of it, have in common: their settings, and how spans are sent.

/// Settings of a platform whose variables begin with `$prefix`. Where they are used, `COMPRESSION` names the variables that
/// ask for compression, the first that is set, and `UNHEEDED` those without effect.
macro_rules! account {
    ($(#[$doc:meta])* $name:ident, $destination:literal, $prefix:literal, $base_url:literal, gzip: $gzip:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            /// The public key of a project, `pk-..`.
            pub public_key: String,
            /// The secret key of that project, `sk-..`.
            pub secret_key: String,
            #[doc = concat!("Where it is. Default `", $base_url, "`.")]
            pub base_url: String,
            /// How long a request may take. Default 5 seconds.
            pub timeout: Duration,
            /// Which project the keys belong to, or which is meant of those that they see; asked for, unless it is said.
            pub project_id: Option<String>,
            /// The environment, where it is not what [`Settings::environment`](crate::Settings::environment) says.
            pub environment: Option<String>,
            /// The release, where it is not what [`Settings::release`](crate::Settings::release) says.
            pub release: Option<String>,
            /// The release where neither says one: a commit.
            pub commit: Option<String>,
            /// Share of the recorded traces that is sent there, 0 to 1. Default 1.
            pub sample_rate: f64,
            /// Spans after which a request is sent, if it is not full before: at about a mebibyte. Default none.
            pub flush_at: Option<u64>,
            /// The time after which it is sent. Default 200 milliseconds.
            pub flush_interval: Duration,
            #[doc = concat!("Where spans are posted below [`", stringify!($name), "::base_url`]. Default `/api/public/otel/v1/traces`.")]
            pub traces_path: String,
            #[doc = concat!("Whether bodies are compressed with gzip. Default ", stringify!($gzip), ".")]
            pub gzip: bool,
        }

        impl $name {
            /// The platform at its usual place, with the keys of a project.
            pub fn new(public_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
                Self {
                    public_key: public_key.into(),
                    secret_key: secret_key.into(),
                    base_url: $base_url.to_owned(),
                    timeout: Duration::from_secs(5),
                    project_id: None,
                    environment: None,
                    release: None,
                    commit: None,
                    sample_rate: 1.0,
                    flush_at: None,
                    flush_interval: Duration::from_millis(200),
                    traces_path: "/api/public/otel/v1/traces".to_owned(),
                    gzip: $gzip,
                }
            }

            #[doc = concat!("Reads `", $prefix, "_PUBLIC_KEY`, `.._SECRET_KEY`, `.._BASE_URL` (or the older `.._HOST`), `.._TIMEOUT`")]
            /// (seconds), `.._TRACING_ENVIRONMENT`, `.._RELEASE`, `.._SAMPLE_RATE`, `.._TRACING_ENABLED`, `.._FLUSH_AT` (spans),
            /// `.._FLUSH_INTERVAL` (seconds; else OpenTelemetry's for both), `.._OTEL_TRACES_EXPORT_PATH` and `.._PROJECT_ID`, and what asks for compression
            /// (`gzip` or `none`). Where no release is said, the commit that builders and hosters name, such as `GITHUB_SHA`.
            ///
            /// # Errors
            /// What is to be set, if a key is missing; that it is switched off, if it is.
            pub fn from_env() -> Result<Self, String> {
                Self::read(var)
            }

            #[doc = concat!("[`", stringify!($name), "::from_env`] with `var` for the environment.")]
            ///
            /// # Errors
            /// As there.
            pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
                let from = Variables(&var);
                from.not_off(concat!($prefix, "_TRACING_ENABLED"))?;
                let public = from.needed(concat!($prefix, "_PUBLIC_KEY"), "the public key of a project, pk-..")?;
                let secret = from.needed(concat!($prefix, "_SECRET_KEY"), "the secret key of a project, sk-..")?;
                let default = Self::new(public, secret);
                from.say_unheeded($destination, UNHEEDED);
                let base_url = from.first(&[concat!($prefix, "_BASE_URL"), concat!($prefix, "_HOST")]);
                let sample_rate = from.share(concat!($prefix, "_SAMPLE_RATE"));
                let flush_interval = from.seconds(concat!($prefix, "_FLUSH_INTERVAL"));
                let batch = from.batch($destination, OtlpSettings::new(""));
                let traces_path = from.get(concat!($prefix, "_OTEL_TRACES_EXPORT_PATH"));
                Ok(Self {
                    base_url: base_url.unwrap_or(default.base_url),
                    timeout: from.seconds(concat!($prefix, "_TIMEOUT")).unwrap_or(default.timeout),
                    project_id: from.get(concat!($prefix, "_PROJECT_ID")),
                    environment: from.environment(concat!($prefix, "_TRACING_ENVIRONMENT")),
                    release: from.get(concat!($prefix, "_RELEASE")),
                    commit: from.commit(),
                    sample_rate: sample_rate.unwrap_or(default.sample_rate),
                    flush_at: from.count(concat!($prefix, "_FLUSH_AT")).or(batch.flush_at),
                    flush_interval: flush_interval.unwrap_or(batch.flush_interval),
                    traces_path: traces_path.unwrap_or(default.traces_path),
                    gzip: from.gzip(COMPRESSION).unwrap_or(default.gzip),
                    ..default
                })
            }

            /// How its spans are sent, in `dialect`; scores and pages are for the platform to add.
            fn platform(&self, dialect: Dialect) -> Platform {
                let base = trimmed(&self.base_url);
                let otlp = OtlpSettings {
                    headers: vec![
                        basic(&self.public_key, &self.secret_key),
                        header(concat!("x-", $destination, "-sdk-name"), "rust"),
                        header(concat!("x-", $destination, "-sdk-version"), env!("CARGO_PKG_VERSION")),
                        header(concat!("x-", $destination, "-public-key"), &self.public_key),
                    ],
                    timeout: self.timeout,
                    gzip: self.gzip,
                    flush_at: self.flush_at,
                    flush_interval: self.flush_interval,
                    dialect,
                    ..OtlpSettings::new(format!("{base}/{}", self.traces_path.trim_start_matches('/')))
                };
                let scope = vec![("public_key".to_owned(), self.public_key.clone())];
                Platform {
                    extras: Extras { scope, ..Extras::default() },
                    process: Process {
                        release: self.release.clone(),
                        commit: self.commit.clone(),
                        environment: self.environment.clone(),
                        ..Process::default()
                    },
                    share: self.sample_rate,
                    ..Platform::new($destination, otlp)
                }
            }
        }
    };
}
pub(super) use account;
