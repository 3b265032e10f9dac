#!/usr/bin/env python3
"""What recording adds to the start of a process: from `main` to the end of `init`, and in all since the exec.

The programs are run in turn; the tables give medians. Instructions are callgrind's, of the main thread, over the same
program that records nothing.
"""

import statistics
import tempfile

import callgrind
import harness

ROUNDS = 40


def main():
    """Runs everything and prints the table."""
    programs = harness.build()
    with tempfile.TemporaryDirectory() as directory:
        otlp = {
            "OBSERVE_DESTINATIONS": "otlp",
            "OBSERVE_DIR": tempfile.mkdtemp(dir=harness.SCRATCH.name),
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        }
        local = {"OBSERVE_DESTINATIONS": "local", "OBSERVE_DIR": directory}
        rows = {
            "without": ([programs["start"], "nothing"], {}),
            "`observe::init()`, otlp": ([programs["start"], "environment"], otlp),
            "`observe::init()`, local": ([programs["start"], "environment"], local),
            "fastrace, a reporter that does nothing": ([programs["start_fastrace"]], {}),
        }
        runs = {name: [] for name in rows}
        for _ in range(ROUNDS):
            for name, (command, env) in rows.items():
                runs[name].append(harness.run(command, "start", **env))
        counted = {
            name: callgrind.profile(command, {**harness.environment("start"), **env})[0].host
            for name, (command, env) in rows.items()
        }
    wall = {name: statistics.median(run["wall"] for run in of) / 1e6 for name, of in runs.items()}
    cpu = {name: statistics.median(run["cpu"] for run in of) / 1e6 for name, of in runs.items()}
    table = [
        [
            name,
            f"{wall[name]:.3f}",
            f"{cpu[name]:.2f} (+{max(cpu[name] - cpu['without'], 0):.2f})",
            f"+{counted[name] - counted['without']:,}" if name != "without" else f"{counted[name]:,}",
        ]
        for name in rows
    ]
    head = ["", "ms from `main` to after `init`", "processor ms since exec", "instructions, main thread"]
    print(harness.table(head, table))


if __name__ == "__main__":
    main()
