//! The differences that there are, each with its reason.

use super::compared::Difference;

pub(crate) const EVERYWHERE: &[Difference] = &[
    ("*", "-flags", "they only repeat that a parent is near, or that there is none"),
    ("*", "+status.code", "the clients leave open whether a step went well"),
    (
        "agent-run",
        "~parent",
        "for a trace id of one's choice the clients make up a parent that is never sent",
    ),
    ("agent-run", "-langfuse.internal.as_root", "it makes up for that parent"),
    ("completion", "+gen_ai.response.time_to_first_chunk", "to the nanosecond, for our own reader"),
    ("cache-hit", "-langfuse.observation.metadata", "all of our metadata has names"),
    ("cache-hit", "+langfuse.observation.metadata.note", "all of our metadata has names"),
    ("risky", "+langfuse.observation.level", "their `with` leaves it to the server to look at the status"),
    ("risky", "+langfuse.observation.status_message", "as the level"),
    ("risky", "+observe.level", "the level that the program gave, for our own reader"),
    ("risky", "-exception.escaped", "it says nothing: the span has ended"),
    ("risky", "+observe.exception.sources", "what caused the error"),
    ("user-request", "+status.message", "OpenTelemetry's place for it, beside theirs"),
    (
        "user-request",
        "+observe.metadata",
        "for our own reader, with the entry that is null and which they leave out",
    ),
    ("limits", "+observe.trace.user", "for our own reader; on the platforms it is too long"),
    ("resource", "~telemetry.sdk.language", "it is Rust"),
    ("resource", "~telemetry.sdk.name", "it is observe"),
    ("resource", "~telemetry.sdk.version", "it is ours"),
    ("resource", "-service.instance.id", "no platform reads it"),
    ("resource", "+observe.project", "for our own reader; the platforms know the project by the key"),
];

pub(crate) const OF_LANGFUSE: &[Difference] =
    &[("score", "+dataType", "said always; the server's guess would be the same but for booleans")];

pub(crate) const OF_INTERACTIVEAI: &[Difference] = &[
    ("child", "+langfuse.trace.metadata.num", "their clients take texts alone for what is on every span"),
    (
        "child",
        "+observe.trace.metadata",
        "for our own reader, with the value that is too long on the platform",
    ),
    ("child", "+observe.trace.tags", "as the metadata"),
    ("child", "+observe.trace.user", "as the metadata"),
    ("limits", "+langfuse.trace.metadata.num", "as in the span below"),
    ("limits", "+observe.trace.metadata", "as in the span below"),
    ("limits", "+observe.trace.tags", "as in the span below"),
    ("fails", "+observe.level", "the level that the program gave, for our own reader"),
    ("fails", "+exception.message", "OpenTelemetry's event, which their decorator comes too late for"),
    (
        "user-request",
        "~langfuse.version",
        "one key for two versions: they send what was said last, we the span's own",
    ),
    ("user-request", "+observe.version", "which of the two it is"),
    ("user-request", "+observe.trace.version", "the other of the two"),
    ("user-request", "+observe.trace.said", "what was said of the trace and when, for our own reader"),
    ("user-request", "+observe.output.integers", "which text is a number that was too large"),
    ("score", "~timestamp", "microseconds also where there are none"),
];
