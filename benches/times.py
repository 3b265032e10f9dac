#!/usr/bin/env python3
"""Processor time per span on the host's thread, by criterion, the cases in turn over several rounds.

    times.py                      every case and shape
    times.py --bars               the reference call only, against bare fastrace in the same rounds
    times.py --rounds 5           more rounds; the tables give the median of them

The machine may be shared: rounds that are interleaved meet the same disturbance, and processor time leaves out the
time in which the thread did not run. The ratio to fastrace is the median of the rounds' ratios.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import harness

CHILDREN = 1000
# Spans that one iteration makes on a thread.
SPANS = {
    "sync/leaf": 1,
    "sync/ten_deep": 10,
    "sync/children": CHILDREN,
    "async/leaf": 1,
    "async/ten_deep": 10,
    "async/children": CHILDREN,
    "threads/1": CHILDREN,
    "threads/2": CHILDREN,
    "threads/8": CHILDREN,
    "prompt/1kB": 1,
    "prompt/100kB": 1,
    "prompt/10MB": 1,
}
BARS = {"sync/children": 1.1, "async/children": 0.5}
FASTRACE = "fastrace_bare"
OURS = ["observe_encode", "observe_local"]


def once(program, case, shapes, seconds):
    """One round of one case: nanoseconds per span by shape."""
    with tempfile.TemporaryDirectory() as home:
        pattern = "|".join(f"^{case}/{shape}$" for shape in shapes)
        command = [program, "--bench", "--noplot", "--warm-up-time", "0.1", "--measurement-time", str(seconds), pattern]
        env = {**harness.environment(case), "CASE": case, "CRITERION_HOME": home}
        done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{case}: {done.stderr[-2000:]}")
        if case in OURS and "dropped: 0 " not in done.stderr:
            print(f"{case}: {done.stderr.splitlines()[-1]}", file=sys.stderr)
        result = {}
        for path in pathlib.Path(home).glob("**/new/estimates.json"):
            full = json.loads((path.parent / "benchmark.json").read_text())["full_id"]
            shape = full.split("/", 1)[1]
            median = json.loads(path.read_text())["median"]["point_estimate"]
            result[shape] = median / SPANS[shape]
        return result


def measure(program, cases, shapes, rounds, seconds):
    """The rounds, each a dictionary of case and shape."""
    results = []
    for number in range(rounds):
        results.append({})
        for case in cases:
            print(f"round {number + 1}: {case}", file=sys.stderr)
            for shape, time in once(program, case, shapes, seconds).items():
                results[-1][case, shape] = time
    return results


def median(results, case, shape):
    """The median of the rounds."""
    return statistics.median(result[case, shape] for result in results)


def ratio(results, case, shape):
    """The median of the rounds' ratios to bare fastrace."""
    return statistics.median(result[case, shape] / result[FASTRACE, shape] for result in results)


def show(nanoseconds):
    """At most three figures and a unit."""
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= 10 * size:
            return f"{nanoseconds / size:,.0f} {unit}"
    return f"{nanoseconds:,.0f}" if nanoseconds >= 10 else f"{nanoseconds:.1f}"


def main():
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each shape in each round")
    args = parser.parse_args()
    program = harness.build(bench="calls")["calls"]
    if args.bars:
        cases, shapes = ["plain", FASTRACE, "fastrace_json", "tracing_otel", *OURS], list(BARS)
    else:
        cases, shapes = harness.OURS + harness.WITH_DESTINATION + harness.PEERS, list(SPANS)
    results = measure(program, cases, shapes, args.rounds, args.seconds)
    if not args.bars:
        rows = [[harness.NAMES[case]] + [show(median(results, case, shape)) for shape in shapes] for case in cases]
        print(harness.table(["processor ns per span", *(f"`{shape}`" for shape in shapes)], rows))
        print()
    rows = []
    for case in cases:
        row = [harness.NAMES[case]]
        for shape, bar in BARS.items():
            text = f"{show(median(results, case, shape))} ({ratio(results, case, shape):.2f} x"
            row.append(text + (f"; bar {bar:.1f} x)" if case in OURS else ")"))
        rows.append(row)
    print(harness.table(["processor ns per span, against bare fastrace", *(f"`{shape}`" for shape in BARS)], rows))


if __name__ == "__main__":
    main()
