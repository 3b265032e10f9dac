//! Every setting: its variable, its method, its meaning. `docs/SETTINGS.md` is this list as a table.

use crate::report::say_once;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// What says the same in code: a method of the builder, with an example of its arguments.
    pub method: &'static str,
    /// What it does, with its values.
    pub meaning: &'static str,
    /// What holds where it is not set.
    pub default: &'static str,
}

/// Name, method, meaning, default.
const fn variable(
    name: &'static str,
    method: &'static str,
    meaning: &'static str,
    default: &'static str,
) -> Variable {
    Variable { name, method, meaning, default }
}

/// Every variable of the environment that settings are read from.
pub const VARIABLES: &[Variable] = &[
    variable("OBSERVE_ENABLED", "enabled(false)", "`false` records nothing", "`true`"),
    variable(
        "OTEL_SDK_DISABLED",
        "enabled(false)",
        "`true` records nothing, unless `OBSERVE_ENABLED` says otherwise",
        "`false`",
    ),
    variable(
        "OBSERVE_SCORES",
        "scores(false)",
        "`false` leaves out scores and goes on recording spans",
        "`true`",
    ),
    variable(
        "OBSERVE_DESTINATIONS",
        "destinations([\"local\", \"console\"])",
        "where spans go: `local`, `otlp`, `langfuse`, `interactiveai`, `futureagi`, `phoenix`, `mlflow`, `artanis`, `tracium`, `trajectory`, `console`, `jsonl`, `none`, several with commas between",
        "`local`, and each platform whose keys are set",
    ),
    variable(
        "OBSERVE_DIR",
        "dir(\"/var/lib/observe\")",
        "directory of the local store, and of what has not been written or sent yet",
        "`observe` in the user's data directory",
    ),
    variable(
        "OBSERVE_JSONL",
        "jsonl(\"/var/log/spans.jsonl\")",
        "the file that `jsonl` appends to",
        "`spans.jsonl` in the directory of the local store",
    ),
    variable(
        "OBSERVE_OTLP_DIALECT",
        "otlp_dialect(Dialect::Langfuse)",
        "in whose words `otlp` writes spans: `openinference`, `langfuse`, `interactiveai`, `genai`, `genai-legacy`, `futureagi`",
        "`openinference`",
    ),
    variable(
        "OBSERVE_VIEWER",
        "viewer(\"http://127.0.0.1:8080\")",
        "address of the local viewer, for the links to traces",
        "`http://127.0.0.1:4319`",
    ),
    variable(
        "OBSERVE_PROJECT",
        "project(\"support-bot\")",
        "the project that traces are filed under",
        "the service's name, else the program's file name",
    ),
    variable(
        "OTEL_SERVICE_NAME",
        "service(\"checkout\")",
        "the service, which is the project too where none is set",
        "the project",
    ),
    variable("OBSERVE_RELEASE", "release(\"2.1.0\")", "the release that runs, such as a commit", "none"),
    variable(
        "OBSERVE_ENVIRONMENT",
        "environment(\"staging\")",
        "`production`, `staging`, ..: at most 40 of `a-z`, `0-9`, `_`, `-`; another text is recorded in the nearest such form",
        "none",
    ),
    variable(
        "OTEL_RESOURCE_ATTRIBUTES",
        "service(..).release(..).environment(..)",
        "`key=value` pairs with commas between, of which `service.name`, `service.version`, `deployment.environment.name` and `openinference.project.name` count where nothing else says the same",
        "none",
    ),
    variable(
        "OBSERVE_SAMPLE_RATE",
        "sample_rate(0.1).sample(\"checkout\", 1.0)",
        "share of traces to record, 0 to 1, chosen by trace id; `0.1,checkout=1` gives traces whose root begins with a name another share",
        "`1`",
    ),
    variable(
        "OBSERVE_KEEP",
        "keep_if_failed().keep_if_slower_than(Duration::from_secs(2))",
        "which of the recorded traces go to destinations, decided when a trace ends: `all`, `failed`, `slow:2s`, or `failed,slow:2s` for those that are either",
        "`all`",
    ),
    variable(
        "OBSERVE_CAPTURE_LIMIT",
        "capture_limit(65536)",
        "bytes of one recorded value; the rest is cut so that it stays JSON",
        "`1048576`",
    ),
    variable(
        "OBSERVE_PRICES",
        "price(\"gpt-4o-mini*\", Price::new(0.15, 0.6))",
        "what the tokens of models cost, in dollars for a million of input and of output, where nobody says what a call cost: `gpt-4o-mini*=0.15/0.6,claude-sonnet*=3/15/0.3/3.75`, with a third and a fourth number for what is read from and written to caches; a name that ends in `*` is the beginning of names, of which the longest counts",
        "none: a cost that is not said is unknown",
    ),
    variable(
        "OBSERVE_MASK",
        "mask_patterns(false)",
        "`false` keeps keys, tokens, private keys, passwords in addresses and card numbers where they are recorded; values under the names of secrets, and what the hook of `mask(..)` takes out, are left out all the same",
        "`true`",
    ),
    variable(
        "OBSERVE_OVERFLOW",
        "overflow_wait(Duration::from_millis(100))",
        "when recording outruns the disk or the network: `drop` drops and counts new spans, `wait:100ms` waits for room first",
        "`drop`",
    ),
    variable(
        "OBSERVE_BAGGAGE_KEYS",
        "baggage_keys([\"session.id\", \"tenant\"])",
        "which W3C baggage becomes session, user, tags or metadata of spans, and which of these are sent as baggage: names with commas between, or beginnings of names that end in `*`",
        "`session.id,user.id,langfuse_*`",
    ),
    variable(
        "OBSERVE_SEND_BAGGAGE",
        "send_baggage(true)",
        "`true` sends baggage with what `observe::propagate::inject` writes, to everybody who is called",
        "`false`",
    ),
    variable(
        "OBSERVE_DEBUG",
        "debug(true)",
        "`true` says on stderr what the library does",
        "`false`; `true` if `LANGFUSE_DEBUG`, `INTERACTIVEAI_DEBUG` or `ARTANIS_DEBUG` is",
    ),
];

/// Says of each variable that looks like ours and is none what it may have been meant to be.
pub(super) fn report_unknown(names: impl Iterator<Item = String>) {
    for name in names {
        if let Some(text) = unknown(&name) {
            say_once(&text);
        }
    }
}

/// What is to be said of a variable that is set; `None` if nothing.
fn unknown(name: &str) -> Option<String> {
    if !name.starts_with("OBSERVE_") || VARIABLES.iter().any(|known| known.name == name) {
        return None;
    }
    let near = |known: &&Variable| strsim::damerau_levenshtein(known.name, name);
    let nearest = VARIABLES.iter().filter(|known| known.name.starts_with("OBSERVE_")).min_by_key(near);
    let hint = nearest.map_or("", |known| known.name);
    Some(format!("{name} is no setting of ours and is ignored: did you mean {hint}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_variable_is_reported_with_the_nearest_one() {
        let said = unknown("OBSERVE_SAMPLERATE").unwrap();
        assert!(said.ends_with("did you mean OBSERVE_SAMPLE_RATE?"), "{said}");
        let said = unknown("OBSERVE_DESTINATION").unwrap();
        assert!(
            said.contains("OBSERVE_DESTINATION is no setting") && said.ends_with("OBSERVE_DESTINATIONS?"),
            "{said}"
        );
        assert_eq!(unknown("OBSERVE_DIR"), None);
        assert_eq!(unknown("OTEL_SOMETHING"), None);
        assert_eq!(unknown("PATH"), None);
    }
}
