//! Every variable that a platform's own client reads has its effect here, or a reason why it has none.

use std::fmt;

use super::{
    ArtanisSettings, FutureAgi, InteractiveAi, Langfuse, Mlflow, OtlpSettings, Phoenix, Platform,
    TraciumSettings, TrajectorySettings, platform, tracium, trajectory,
};
use crate::settings::{Settings, UNHEEDED_OF_BATCHES, Unheeded};

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What is made of the variables of one platform's client.
struct Client {
    keys: &'static [&'static str],
    /// All others that it reads, each with a value that is not its default.
    variables: &'static [(&'static str, &'static str)],
    unheeded: Unheeded,
    read: fn(Get<'_>) -> String,
}

fn told(what: impl fmt::Debug) -> String {
    format!("{what:?}")
}

/// The platform, or why it is none.
fn platform_of<P: Into<Platform>>(read: Result<P, String>) -> String {
    told(read.map(|platform| {
        let platform = platform.into();
        let resource = platform.resource(&Default::default());
        (platform, resource)
    }))
}

const CLIENTS: &[Client] = &[
    Client {
        keys: &[],
        variables: &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://o"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "7"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "100"),
        ],
        unheeded: &[],
        read: |var| platform_of(OtlpSettings::read(var)),
    },
    Client {
        keys: &["LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"],
        variables: &[
            ("LANGFUSE_BASE_URL", "http://l"),
            ("LANGFUSE_HOST", "http://l"),
            ("LANGFUSE_TIMEOUT", "7"),
            ("LANGFUSE_TRACING_ENVIRONMENT", "staging"),
            ("LANGFUSE_RELEASE", "r1"),
            ("LANGFUSE_SAMPLE_RATE", "0.5"),
            ("LANGFUSE_TRACING_ENABLED", "False"),
            ("LANGFUSE_FLUSH_AT", "15"),
            ("LANGFUSE_FLUSH_INTERVAL", "2.5"),
            ("LANGFUSE_OTEL_TRACES_EXPORT_PATH", "/elsewhere"),
            ("LANGFUSE_OTEL_COMPRESSION", "None"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "none"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "100"),
            ("LANGFUSE_DEBUG", "True"),
            ("GITHUB_SHA", "c0ffee"),
            ("LANGFUSE_OTEL_MAX_BATCH_SIZE_BYTES", "1000"),
            ("LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", "False"),
            ("LANGFUSE_MEDIA_UPLOAD_ENABLED", "False"),
            ("LANGFUSE_MEDIA_UPLOAD_THREAD_COUNT", "2"),
            ("LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS", "5"),
            ("LANGFUSE_OPENAI_SKIP_RAW_RESPONSES", "True"),
        ],
        unheeded: platform::langfuse::UNHEEDED,
        read: |var| platform_of(Langfuse::read(var)),
    },
    Client {
        keys: &["INTERACTIVEAI_PUBLIC_KEY", "INTERACTIVEAI_SECRET_KEY"],
        variables: &[
            ("INTERACTIVEAI_BASE_URL", "http://i"),
            ("INTERACTIVEAI_HOST", "http://i"),
            ("INTERACTIVEAI_TIMEOUT", "7"),
            ("INTERACTIVEAI_TRACING_ENVIRONMENT", "staging"),
            ("INTERACTIVEAI_RELEASE", "r1"),
            ("INTERACTIVEAI_SAMPLE_RATE", "0"),
            ("INTERACTIVEAI_TRACING_ENABLED", "false"),
            ("INTERACTIVEAI_FLUSH_AT", "15"),
            ("INTERACTIVEAI_FLUSH_INTERVAL", "2.5"),
            ("INTERACTIVEAI_OTEL_TRACES_EXPORT_PATH", "/elsewhere"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "100"),
            ("INTERACTIVEAI_DEBUG", "True"),
            ("CI_COMMIT_SHA", "c0ffee"),
            ("INTERACTIVEAI_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", "False"),
            ("INTERACTIVEAI_MEDIA_UPLOAD_ENABLED", "False"),
            ("INTERACTIVEAI_MEDIA_UPLOAD_THREAD_COUNT", "2"),
            ("INTERACTIVEAI_MAX_EVENT_SIZE_BYTES", "1000"),
            ("INTERACTIVEAI_MAX_BATCH_SIZE_BYTES", "1000"),
        ],
        unheeded: platform::interactiveai::UNHEEDED,
        read: |var| platform_of(InteractiveAi::read(var)),
    },
    Client {
        keys: &["FI_API_KEY", "FI_SECRET_KEY"],
        variables: &[
            ("FI_BASE_URL", "http://f"),
            ("FI_PROJECT_NAME", "p"),
            ("FI_PROJECT_VERSION_NAME", "v"),
            ("FI_HIDE_INPUTS", "true"),
            ("FI_HIDE_OUTPUTS", "true"),
            ("FI_HIDE_INPUT_MESSAGES", "true"),
            ("FI_HIDE_OUTPUT_MESSAGES", "true"),
            ("FI_HIDE_INPUT_IMAGES", "true"),
            ("FI_HIDE_INPUT_TEXT", "true"),
            ("FI_HIDE_OUTPUT_TEXT", "true"),
            ("FI_HIDE_EMBEDDING_VECTORS", "true"),
            ("FI_HIDE_LLM_INVOCATION_PARAMETERS", "true"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5000"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "100"),
            ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip"),
            ("FI_GRPC_URL", "http://f"),
            ("FI_MAX_ACTIVE_SPANS_TRACKED", "5"),
            ("FI_BASE64_IMAGE_MAX_LENGTH", "5"),
            ("FI_PII_REDACTION", "true"),
        ],
        unheeded: platform::futureagi::UNHEEDED,
        read: |var| platform_of(FutureAgi::read(var)),
    },
    Client {
        keys: &["PHOENIX_API_KEY"],
        variables: &[
            ("PHOENIX_COLLECTOR_ENDPOINT", "http://p"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://p"),
            ("PHOENIX_CLIENT_HEADERS", "a=b"),
            ("PHOENIX_PROJECT", "p"),
            ("PHOENIX_PROJECT_NAME", "p"),
            ("PHOENIX_GRPC_PORT", "4317"),
        ],
        unheeded: platform::phoenix::UNHEEDED,
        read: |var| platform_of(Ok(Phoenix::read(var))),
    },
    Client {
        keys: &["MLFLOW_TRACKING_URI"],
        variables: &[
            ("MLFLOW_EXPERIMENT_NAME", "e"),
            ("MLFLOW_EXPERIMENT_ID", "3"),
            ("MLFLOW_TRACKING_TOKEN", "t"),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", "7"),
            ("MLFLOW_TRACE_SAMPLING_RATIO", "0.5"),
        ],
        unheeded: &[],
        read: |var| platform_of(Mlflow::read(var)),
    },
    Client {
        keys: &["ARTANIS_API_KEY"],
        variables: &[
            ("ARTANIS_BASE_URL", "http://a"),
            ("ARTANIS_ENABLED", "false"),
            ("ARTANIS_DEBUG", "true"),
        ],
        unheeded: &[],
        read: |var| told(ArtanisSettings::read(var)),
    },
    Client {
        keys: &["TRACIUM_API_KEY"],
        variables: &[
            ("TRACIUM_BASE_URL", "http://t"),
            ("TRACIUM_WORKSPACE_ID", "w"),
            ("TRACIUM_FORCE_SYNC", "1"),
            ("TRACIUM_DISABLE_THREAD_PROPAGATION", "1"),
        ],
        unheeded: tracium::UNHEEDED,
        read: |var| told(TraciumSettings::read(var)),
    },
    Client {
        keys: &["TRAJECTORY_API_KEY", "TRAJECTORY_ORG_ID"],
        variables: &[
            ("TRAJECTORY_API_URL", "http://t"),
            ("TRAJECTORY_MONITORING", "false"),
            ("TRAJECTORY_ONLY_LOCAL_TRACING", "true"),
            ("TRAJECTORY_EVALUATIONS", "true"),
            ("TRAJECTORY_LOGGING_LEVEL", "DEBUG"),
            ("TRAJECTORY_TRACING_LOCAL", "true"),
            ("TRAJECTORY_TRACING_LOCAL_DIR", "/tmp"),
        ],
        unheeded: trajectory::UNHEEDED,
        read: |var| told(TrajectorySettings::read(var)),
    },
];

#[test]
fn every_variable_of_a_platforms_client_has_an_effect_or_a_reason_why_not() {
    for Client { keys, variables, unheeded, read } in CLIENTS {
        let with = |more: Option<(&str, &str)>| {
            let var = |name: &str| match more.filter(|(set, _)| *set == name) {
                Some((_, value)) => Some(value.to_owned()),
                None => keys.contains(&name).then(|| "http://key".to_owned()),
            };
            (read(&var), Settings::read(var))
        };
        for variable in *variables {
            let has_effect = with(Some(*variable)) != with(None);
            let has_reason = unheeded.iter().chain(UNHEEDED_OF_BATCHES).any(|(name, _)| *name == variable.0);
            assert!(has_effect != has_reason, "{}: has it an effect or a reason?", variable.0);
        }
        for key in *keys {
            let others = |name: &str| keys.contains(&name).then(|| "http://key".to_owned());
            assert_ne!(read(&|name| others(name).filter(|_| name != *key)), read(&others), "{key}");
        }
        for (name, _) in *unheeded {
            assert!(variables.iter().any(|(known, _)| known == name), "{name} is no variable of the client");
        }
    }
}

#[test]
fn the_documentation_names_every_variable_with_its_reason() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SETTINGS.md");
    let document = std::fs::read_to_string(path).unwrap();
    for Client { keys, variables, unheeded, .. } in CLIENTS {
        for name in keys.iter().chain(variables.iter().map(|(name, _)| name)) {
            // Of two clients, one a fork of the other, the elder's are named for both.
            let elder = name.replace("INTERACTIVEAI_", "LANGFUSE_");
            let is_named = [name, &*elder].iter().any(|name| document.contains(&format!("`{name}`")));
            assert!(is_named, "{name} is not documented");
        }
        for (name, why) in unheeded.iter().chain(UNHEEDED_OF_BATCHES) {
            assert!(document.contains(why), "{name}: `{why}` is not documented");
        }
    }
}
