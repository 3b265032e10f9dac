#!/usr/bin/env python3
"""Compile time: a generated crate of 500 functions, half of them async, under each attribute.

    compile_time.py                     the table
    compile_time.py --only observe      one attribute beside the plain functions
    compile_time.py --keep DIRECTORY    leaves the crates there

Processor seconds, user and system, of `cargo check` and `cargo build` of that crate alone: its dependencies are built,
nothing is incremental. The crates are taken in turn; medians.
"""

import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys

import harness

FUNCTIONS = 500
ROUNDS = 3
# What an annotated function may add, in milliseconds, beside being no slower than fastrace.
BARS = {"check": 2.5, "build": 4.0}
ROOT = harness.HERE.parent
ATTRIBUTES = {
    "plain": ("plain functions", "", ""),
    "observe": (
        "**`#[observe]`**, arguments and return value",
        f'observe-ai = {{ path = "{ROOT}", default-features = false }}',
        "#[observe::observe]",
    ),
    "fastrace": (
        "`#[fastrace::trace]`, captures nothing",
        'fastrace = { version = "0.7.19", features = ["enable"] }',
        "#[fastrace::trace]",
    ),
    "instrument": (
        "`#[tracing::instrument]`, arguments (Debug)",
        'tracing = "0.1.44"',
        "#[tracing::instrument]",
    ),
}


def function(n, attribute):
    """One function of the crate."""
    word = "async " if n % 2 else ""
    return f"""
{attribute}
pub {word}fn function_{n}(prompt: &str, request: &Request) -> Reply {{
    let id = request.id.wrapping_mul({n}).wrapping_add(prompt.len() as u64);
    Reply {{ id, ok: id & 1 == 0 }}
}}
"""


def generate(directory):
    """Writes a workspace with a crate for each attribute."""
    for name, (_, dependency, attribute) in ATTRIBUTES.items():
        source = directory / name / "src" / "lib.rs"
        source.parent.mkdir(parents=True, exist_ok=True)
        manifest = f'[package]\nname = "with_{name}"\nedition = "2024"\n[dependencies]\n{dependency}\n'
        (directory / name / "Cargo.toml").write_text(f'{manifest}serde = {{ version = "1", features = ["derive"] }}\n')
        head = "#[derive(Debug, serde::Serialize)]\npub struct {} {{ {} }}\n"
        types = head.format("Request", "pub id: u64") + head.format("Reply", "pub id: u64, pub ok: bool")
        source.write_text(types + "".join(function(n, attribute) for n in range(FUNCTIONS)))
    (directory / "Cargo.toml").write_text(f'[workspace]\nresolver = "3"\nmembers = {list(ATTRIBUTES)}\n'.replace("'", '"'))
    shutil.copy(harness.HERE / "Cargo.lock", directory / "Cargo.lock")


def target():
    """Where cargo builds."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", harness.HERE / "target")).resolve() / "compile_time"


def seconds(directory, name, step):
    """Processor seconds of one cargo command that compiles the crate of this name."""
    (directory / name / "src" / "lib.rs").touch()
    env = {**os.environ, "CARGO_INCREMENTAL": "0", "CARGO_TARGET_DIR": str(target())}
    # Debug information is a matter of taste and its cost is the same for all.
    env = {key: value for key, value in env.items() if not key.startswith("CARGO_PROFILE_")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(["cargo", step, "--quiet", "--package", f"with_{name}"], cwd=directory, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"the crate with {name} does not compile")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(directory, names):
    """Median seconds by name and step; the first round builds the dependencies and does not count."""
    rounds = [{(name, step): seconds(directory, name, step) for name in names for step in BARS} for _ in range(ROUNDS + 1)]
    return {key: statistics.median(one[key] for one in rounds[1:]) for key in rounds[0]}


def report(cost, names):
    """The table."""
    rows = []
    for name in names:
        row = [ATTRIBUTES[name][0]]
        for step, bar in BARS.items():
            row.append(f"{cost[name, step]:.2f}")
            more = (cost[name, step] - cost["plain", step]) / FUNCTIONS * 1000
            fastrace = cost.get(("fastrace", step), cost[name, step])
            missed = " ✗" if more > bar or cost[name, step] > fastrace else ""
            row.append("" if name == "plain" else f"{more:.1f} (bar {bar}){missed}" if name == "observe" else f"{more:.1f}")
        size = (target() / "debug" / f"libwith_{name}.rlib").stat().st_size
        rows.append([*row, f"{size / 1e6:.1f} MB"])
    head = (f"{FUNCTIONS} functions", "`cargo check`, s", "ms each, over plain", "`cargo build`, s", "ms each, over plain", "rlib")
    print(harness.table(head, rows))


def main():
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=[name for name in ATTRIBUTES if name != "plain"])
    parser.add_argument("--keep", metavar="DIRECTORY", type=pathlib.Path)
    args = parser.parse_args()
    directory = args.keep or pathlib.Path(harness.SCRATCH.name)
    generate(directory)
    names = ["plain", args.only] if args.only else list(ATTRIBUTES)
    report(measure(directory, names), names)


if __name__ == "__main__":
    main()
