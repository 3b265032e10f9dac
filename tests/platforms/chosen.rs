//! Which destinations a process has, by its environment alone.

use std::{env, process::Command};

use crate::recorder::Recorder;

/// What a child process says on stdout and stderr, with only these variables set of all that matter.
fn child(variables: &[(&str, &str)]) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "chosen::role", "--nocapture"]).env("ROLE", "chosen");
    command.env("OBSERVE_DIR", directory.path()).env("OBSERVE_DEBUG", "true");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

/// What the child does; in the parent's run of the test list, nothing.
#[test]
fn role() {
    if env::var("ROLE").as_deref() != Ok("chosen") {
        return;
    }
    let _guard = observe::init();
    let spans = env::var("SPANS").map_or(1, |spans| spans.parse().unwrap());
    for _ in 0..spans {
        observe::span("chosen").input("what is hidden").sync_scope(|| {});
    }
}

fn names(recorder: &Recorder) -> Vec<String> {
    recorder.spans().iter().map(|span| span.name.to_string()).collect()
}

#[test]
fn a_platform_whose_keys_are_set_is_a_destination_beside_the_local_one() {
    let langfuse = Recorder::start();
    let url = langfuse.url();
    let keys = [("LANGFUSE_PUBLIC_KEY", "pk"), ("LANGFUSE_SECRET_KEY", "sk"), ("LANGFUSE_BASE_URL", &*url)];
    let (_, said) = child(&keys);
    assert!(said.contains("destinations: local, langfuse\n"), "{said}");
    assert_eq!(names(&langfuse), ["chosen"]);
    // Who names destinations gets those.
    let (_, said) = child(&[&keys[..], &[("OBSERVE_DESTINATIONS", "local")]].concat());
    assert!(said.contains("destinations: local\n"), "{said}");
    assert_eq!(names(&langfuse), ["chosen"]);
}

#[test]
fn spans_are_sent_by_as_many_as_the_clients_variable_says() {
    let langfuse = Recorder::start();
    let url = langfuse.url();
    let set = [("LANGFUSE_PUBLIC_KEY", "pk"), ("LANGFUSE_SECRET_KEY", "sk"), ("LANGFUSE_BASE_URL", &*url)];
    let requests = || langfuse.requests().iter().filter(|request| request.method == "POST").count();
    child(&[&set[..], &[("SPANS", "6"), ("LANGFUSE_FLUSH_AT", "2")]].concat());
    assert_eq!((names(&langfuse).len(), requests()), (6, 3));
    // A variable that has no effect is said to have none.
    let (_, said) = child(&[&set[..], &[("LANGFUSE_MEDIA_UPLOAD_ENABLED", "True")]].concat());
    let line = "destination langfuse: LANGFUSE_MEDIA_UPLOAD_ENABLED has no effect: media is sent";
    assert_eq!(said.matches(line).count(), 1, "{said}");
}

#[test]
fn what_is_hidden_from_a_platform_is_sent_to_the_others() {
    let (futureagi, otlp) = (Recorder::start(), Recorder::start());
    let urls = [futureagi.url(), otlp.url()];
    child(&[
        ("OBSERVE_DESTINATIONS", "futureagi, otlp"),
        ("FI_API_KEY", "a"),
        ("FI_SECRET_KEY", "s"),
        ("FI_HIDE_INPUTS", "true"),
        ("FI_BASE_URL", &urls[0]),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &urls[1]),
    ]);
    let input = |recorder: &Recorder| recorder.spans()[0].input.clone().unwrap();
    assert_eq!(input(&futureagi), "\"__REDACTED__\"");
    assert_eq!(input(&otlp), "\"what is hidden\"");
}

#[test]
fn a_missing_key_is_said_once_with_what_to_set_and_the_others_go_on() {
    let (phoenix, mlflow) = (Recorder::start(), Recorder::start());
    let (phoenix_url, mlflow_url) = (phoenix.url(), mlflow.url());
    let (_, said) = child(&[
        ("OBSERVE_DESTINATIONS", "langfuse, phoenix, mlflow, interactiveai, otlp"),
        ("LANGFUSE_PUBLIC_KEY", "pk"),
        ("PHOENIX_COLLECTOR_ENDPOINT", &phoenix_url),
        ("MLFLOW_TRACKING_URI", &mlflow_url),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ]);
    for missing in [
        "destination langfuse: LANGFUSE_SECRET_KEY is not set: it is",
        "destination interactiveai: INTERACTIVEAI_PUBLIC_KEY is not set: it is",
        "destination otlp: OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not spoken here: set it to http/protobuf",
    ] {
        assert_eq!(said.matches(missing).count(), 1, "{missing}: {said}");
    }
    assert!(said.contains("destinations: phoenix, mlflow\n"), "{said}");
    assert_eq!((names(&phoenix), names(&mlflow)), (vec!["chosen".to_owned()], vec!["chosen".to_owned()]));
}

#[test]
fn otlp_speaks_the_dialect_that_it_is_told() {
    let receiver = Recorder::start();
    let (url, names) = (receiver.url(), ["langfuse", "openinference"]);
    for dialect in names {
        child(&[
            ("OBSERVE_DESTINATIONS", "otlp"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OBSERVE_OTLP_DIALECT", dialect),
        ]);
    }
    let requests = receiver.wait_for(2, |request| request.path == "/v1/traces");
    let says = |request: usize, text: &str| {
        requests[request].body.windows(text.len()).any(|bytes| bytes == text.as_bytes())
    };
    assert!(says(0, "langfuse.observation.type") && !says(1, "langfuse."));
    assert!(says(1, "openinference.span.kind"));
}
