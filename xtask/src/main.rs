//! Chores of this repository, run by `cargo xtask`.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it is a command")]

mod annotate;

use std::{env, path::Path, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask annotate PATH

annotate PATH   puts #[observe] on every function of the crate in PATH, in place, and says which it left out and why";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        ["annotate", path] => annotate::annotate(Path::new(path)),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
