"""What the scripts beside this file share: building, running one case, tables. Standard library only."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# Programs and local stores; gone when the script ends.
SCRATCH = tempfile.TemporaryDirectory()

# Need the feature `otlp`.
OURS = ["plain", "observe_disabled", "observe_unsampled", "observe_encode", "observe_hung"]
# With the destination's own thread running; needs the feature `destinations`.
WITH_DESTINATION = ["observe_local"]
PEERS = [
    "fastrace_noroot",
    "fastrace_unsampled",
    "fastrace_bare",
    "fastrace_properties",
    "fastrace_json",
    "tracing_nosubscriber",
    "tracing_unsampled",
    "tracing_otel",
]
NAMES = {
    "plain": "plain function",
    "observe_disabled": "`#[observe]`, disabled",
    "observe_unsampled": "`#[observe]`, unsampled",
    "observe_count": "`#[observe]`, captured, counted only",
    "observe_encode": "**`#[observe]`, captured, encoded as OTLP**",
    "observe_hung": "the same, beside a destination that hangs",
    "observe_local": "`#[observe]`, captured, written to the local store",
    "fastrace_noroot": "fastrace, no root",
    "fastrace_unsampled": "fastrace, unsampled root",
    "fastrace_bare": "fastrace, captures nothing",
    "fastrace_properties": "fastrace, arguments by `properties` (Debug), no return value",
    "fastrace_json": "fastrace, arguments and return value as JSON by hand",
    "tracing_nosubscriber": "`tracing`, no subscriber",
    "tracing_unsampled": "`tracing` + OpenTelemetry, `AlwaysOff`",
    "tracing_otel": "`tracing` + OpenTelemetry, arguments and return value (Debug)",
}


# Everything that a table of the documentation needs.
ALL = ("peers", "destinations")


def build(features=ALL, **target):
    """Builds the programs, or the bench `bench=NAME`; gives the path of each by its name.

    They are copies: who builds with other features meanwhile does not change what is measured.
    """
    what = ["--bench", target["bench"]] if "bench" in target else ["--bins"]
    command = ["cargo", "build", "--release", "--message-format=json-render-diagnostics", *what]
    done = subprocess.run([*command, "--features", ",".join(features)], cwd=HERE, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit("the benchmarks do not build")
    artifacts = (json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{"))
    built = {a["target"]["name"]: a["executable"] for a in artifacts if a.get("executable")}
    return {name: shutil.copy2(path, pathlib.Path(SCRATCH.name, name)) for name, path in built.items()}


def environment(case):
    """The environment a case runs in: nothing of the caller's `OBSERVE_*`."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("OBSERVE_", "OTEL_"))}
    if case == "observe_unsampled":
        env["OBSERVE_SAMPLE_RATE"] = "0"
    if case == "observe_local":
        env["OBSERVE_DESTINATIONS"] = "local"
    if case in ("observe_local", "observe_otlp"):
        env["OBSERVE_DIR"] = tempfile.mkdtemp(dir=SCRATCH.name)
    return env


def run(command, case, **more):
    """Runs `command` as `case` needs it; gives the JSON that it prints."""
    env = {**environment(case), **more}
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def table(head, rows):
    """A Markdown table: the first column left, the others right."""
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
