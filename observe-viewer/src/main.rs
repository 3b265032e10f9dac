//! The `observe` command: shows what was recorded, in a browser or in the terminal.
#![forbid(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
