//! This test program once more, as a process of its own: what it does there, its test `role` says.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::{
    env,
    process::{Command, Output},
};

/// How variables begin that the library reads.
const SETTINGS: [&str; 13] = [
    "OBSERVE_",
    "OTEL_",
    "LANGFUSE_",
    "INTERACTIVEAI_",
    "FI_",
    "PHOENIX_",
    "MLFLOW_",
    "ARTANIS_",
    "TRACIUM_",
    "TRAJECTORY_",
    "TRACEPARENT",
    "TRACESTATE",
    "BAGGAGE",
];

/// The process in this role, with none of the settings of whoever runs the tests.
pub fn child(role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "role", "--nocapture"]).env("ROLE", role);
    for (name, _) in env::vars_os() {
        if SETTINGS.iter().any(|setting| name.to_string_lossy().starts_with(setting)) {
            command.env_remove(name);
        }
    }
    command
}

/// What the process said of us, line by line.
pub fn said(output: &Output) -> Vec<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    stderr.lines().filter(|line| line.starts_with("observe: ")).map(ToOwned::to_owned).collect()
}
