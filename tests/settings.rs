//! The environment, the builder and the documentation say the same of every setting.

use std::{collections::BTreeSet, time::Duration};

use observe::{Builder, Price, destination::Dialect};
use observe_runtime::{Settings, VARIABLES};

/// A value for each variable, and the same said in code.
type Same = (&'static str, &'static str, fn(Builder) -> Builder);

const SAME: &[Same] = &[
    ("OBSERVE_ENABLED", "no", |b| b.enabled(false)),
    ("OTEL_SDK_DISABLED", "true", |b| b.enabled(false)),
    ("OBSERVE_SCORES", "off", |b| b.scores(false)),
    ("OBSERVE_DESTINATIONS", "local, console", |b| b.destinations(["local", "console"])),
    ("OBSERVE_DIR", "/var/lib/observe", |b| b.dir("/var/lib/observe")),
    ("OBSERVE_JSONL", "/var/log/spans.jsonl", |b| b.jsonl("/var/log/spans.jsonl")),
    ("OBSERVE_OTLP_DIALECT", "langfuse", |b| b.otlp_dialect(Dialect::Langfuse)),
    ("OBSERVE_VIEWER", "http://127.0.0.1:8080", |b| b.viewer("http://127.0.0.1:8080")),
    ("OBSERVE_PROJECT", "support-bot", |b| b.project("support-bot")),
    ("OTEL_SERVICE_NAME", "checkout", |b| b.service("checkout")),
    ("OBSERVE_RELEASE", "2.1.0", |b| b.release("2.1.0")),
    ("OBSERVE_ENVIRONMENT", "staging", |b| b.environment("staging")),
    (
        "OTEL_RESOURCE_ATTRIBUTES",
        "service.name=s,service.version=r%202,deployment.environment.name=e,openinference.project.name=p,host=h",
        |b| b.service("s").release("r 2").environment("e").project("p"),
    ),
    ("OBSERVE_SAMPLE_RATE", "0.1,checkout=1", |b| b.sample_rate(0.1).sample("checkout", 1.0)),
    ("OBSERVE_KEEP", "failed,slow:2s", |b| b.keep_if_failed().keep_if_slower_than(Duration::from_secs(2))),
    ("OBSERVE_CAPTURE_LIMIT", "65536", |b| b.capture_limit(65536)),
    ("OBSERVE_PRICES", "gpt-4o-mini*=0.15/0.6", |b| b.price("gpt-4o-mini*", Price::new(0.15, 0.6))),
    ("OBSERVE_MASK", "off", |b| b.mask_patterns(false)),
    ("OBSERVE_OVERFLOW", "wait:100ms", |b| b.overflow_wait(Duration::from_millis(100))),
    ("OBSERVE_BAGGAGE_KEYS", "session.id, tenant", |b| b.baggage_keys(["session.id", "tenant"])),
    ("OBSERVE_SEND_BAGGAGE", "true", |b| b.send_baggage(true)),
    ("OBSERVE_DEBUG", "1", |b| b.debug(true)),
];

/// What is read where only these variables are set.
fn read(set: &[(&str, &str)]) -> Settings {
    Settings::read(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn every_setting_can_be_made_by_the_environment_and_by_code() {
    let names: Vec<_> = SAME.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, VARIABLES.iter().map(|v| v.name).collect::<Vec<_>>());
    for (name, value, in_code) in SAME {
        let by_environment =
            Settings::read(|n| if n == *name { Some((*value).to_owned()) } else { std::env::var(n).ok() });
        let by_code = in_code(observe::builder());
        assert_eq!(&by_environment, by_code.settings(), "{name}");
        assert_ne!(&by_environment, &Settings::read(|n| std::env::var(n).ok()), "{name} does something");
    }
}

#[test]
fn the_documentation_lists_every_setting_of_the_code_and_no_other() {
    let document = include_str!("../docs/SETTINGS.md");
    let rows: Vec<_> =
        document.lines().filter(|line| line.starts_with("| `")).map(ToOwned::to_owned).collect();
    let row = |v: &observe_runtime::Variable| {
        format!("| `{}` | `{}` | {} | {} |", v.name, v.method, v.meaning, v.default)
    };
    assert_eq!(rows, VARIABLES.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn other_documents_name_only_variables_that_there_are() {
    let known: BTreeSet<_> = VARIABLES.iter().map(|v| v.name).collect();
    for document in [
        include_str!("../README.md"),
        include_str!("../src/setup.rs"),
        include_str!("../docs/ARCHITECTURE.md"),
    ] {
        let words = document.split(|c: char| !c.is_ascii_uppercase() && c != '_');
        for word in words.filter(|word| word.len() > "OBSERVE_".len() && word.starts_with("OBSERVE_")) {
            assert!(known.contains(word), "{word} is no setting");
        }
    }
}

#[test]
fn what_is_said_of_the_process_itself_wins_over_what_opentelemetry_says() {
    let attributes =
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,service.version=1,deployment.environment=b");
    let alone = read(&[attributes]);
    let said = |s: &Settings| (s.service.clone(), s.release.clone(), s.environment.clone());
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(said(&alone), (some("a"), some("1"), some("b")));
    let with_own = read(&[
        attributes,
        ("OTEL_SERVICE_NAME", "own"),
        ("OBSERVE_RELEASE", "2"),
        ("OBSERVE_ENVIRONMENT", "c"),
        ("OTEL_SDK_DISABLED", "true"),
        ("OBSERVE_ENABLED", "true"),
    ]);
    assert_eq!(said(&with_own), (some("own"), some("2"), some("c")));
    assert!(with_own.enabled);
    assert!(!read(&[("OTEL_SDK_DISABLED", "true")]).enabled);
}
