#!/usr/bin/env python3
"""Spans to a local OTLP/HTTP receiver: what arrives, and what it takes.

    sending.py                    bursts of 10 thousand, 1 million and 10 million spans; 20,000 a second for 5 s, and a
                                  burst of 100,000, to a receiver that answers in 50 ms; then --work
    sending.py --quick            without the 10 million
    sending.py --bursts N,N       these bursts only
    sending.py --work             what encoding and sending costs where every span arrives, plain and compressed

Every span has the arguments and the return value of the reference call; a hundred spans are a trace. The receiver
counts spans on the wire in a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile

import harness

CASES = {
    "observe_otlp": "**`#[observe]`**",
    "observe_otlp_memory": "**`#[observe]`**, nothing on disk",
    "fastrace_otlp": "fastrace + fastrace-opentelemetry, JSON by hand",
    "tracing_otlp": "`tracing` + opentelemetry-otlp, defaults",
    "tracing_otlp_longqueue": "`tracing` + opentelemetry-otlp, queue of 2 M",
}

OURS = ("observe_otlp", "observe_otlp_memory")
# For the comparison of processor time every span has to arrive: Observe waits for room, OpenTelemetry has a queue that is
# long enough. The bar is how many times as many spans Observe sends per processor second.
WAITS = {"OBSERVE_OVERFLOW": "wait:10000ms"}
WORK = {"observe_otlp_memory": WAITS, "observe_otlp": WAITS, "tracing_otlp_longqueue": {}}
WORK_SPANS, WORK_ROUNDS = 500_000, 5
WORK_BARS = {"none": 20, "gzip": 10}


def send(programs, case, spans, rate, delay, **more):
    """One run: what the sender and the receiver say."""
    sink = subprocess.Popen([programs["sink"], str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = sink.stdout.readline().strip()
    endpoint = {
        "OBSERVE_DESTINATIONS": "otlp" if case == "observe_otlp" else "",
        "OBSERVE_DIR": tempfile.mkdtemp(dir=harness.SCRATCH.name),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "30000",
        **more,
    }
    sent = harness.run([programs["send"], case, str(spans), str(rate)], case, **endpoint)
    counted, _ = sink.communicate()
    return {**sent, **json.loads(counted)}


def report(programs, spans, rate, delay, cases):
    """Runs the cases and prints their table."""
    rows = []
    for case in cases:
        print(f"{spans:,} spans: {case}", file=sys.stderr)
        run = send(programs, case, spans, rate, delay)
        # Only Observe counts what it drops: then every span is known to have arrived or not.
        dropped = f"{run['dropped']:,}" if case in OURS else "not counted"
        if run["on_disk"]:
            dropped += f", and {run['on_disk']:,} on disk for the next process"
        if case in OURS and (unknown := spans - run["spans"] - run["dropped"] - run["on_disk"]):
            dropped += f", and {unknown:,} unaccounted for ✗"
        print(f"the receiver took {run['sink_ns'] / max(run['spans'], 1):.0f} ns of processor time per span", file=sys.stderr)
        rows.append(
            [
                CASES[case],
                f"{100 * run['spans'] / spans:.4g} %",
                f"{run['wall_s']:.2f} s",
                f"{spans / run['wall_s'] / 1e6:.2f} M/s",
                f"{run['host_ns']:,.0f}",
                f"{run['process_ns']:,.0f}",
                f"{run['peak_kb'] / 1000:,.0f} MB",
                f"{run['bytes'] / max(run['spans'], 1):.0f}",
                dropped,
            ]
        )
    how = f"{rate:,} spans a second" if rate else f"{spans:,} spans"
    how += f", answers after {delay} ms" if delay else ""
    head = [how, "arrived", "wall", "spans/s", "host thread ns/span", "process ns/span", "peak memory"]
    print(harness.table([*head, "bytes/span", "reported as dropped"], rows), end="\n\n", flush=True)


def work(programs):
    """Spans per processor second: of the threads behind the host's, which collect, encode, compress and send, and of the
    whole process."""
    rows = []
    for compression, bar in WORK_BARS.items():
        runs = {case: [] for case in WORK}
        # In turn, so that what else the machine does meets all.
        for number in range(WORK_ROUNDS):
            for case, env in WORK.items():
                print(f"compression {compression}, {case}, round {number + 1}", file=sys.stderr)
                run = send(programs, case, WORK_SPANS, 0, 0, OTEL_EXPORTER_OTLP_COMPRESSION=compression, **env)
                if run["spans"] != WORK_SPANS:
                    sys.exit(f"{case}: {run['spans']} of {WORK_SPANS} spans arrived")
                runs[case].append((run["process_ns"] - run["host_ns"], run["process_ns"], run["bytes"] / WORK_SPANS))
        cost = {case: [statistics.median(column) for column in zip(*of)] for case, of in runs.items()}
        theirs = cost["tracing_otlp_longqueue"]
        for case, (behind, process, size) in cost.items():
            row = [compression, CASES[case]]
            row += [f"{behind:,.0f}", f"{1e9 / behind:,.0f}", f"{process:,.0f}", f"{1e9 / process:,.0f}", f"{size:.0f}"]
            times = theirs[0] / behind
            missed = " ✗" if times < bar else ""
            row.append(f"{times:.1f} x (bar {bar} x){missed}; whole process {theirs[1] / process:.1f} x" if case in OURS else "")
            rows.append(row)
    head = ["compression", f"{WORK_SPANS:,} spans, all arrived", "ns/span behind the host's thread", "spans per processor second there"]
    head += ["process ns/span", "spans per processor second", "bytes/span", "against OpenTelemetry"]
    print(harness.table(head, rows), flush=True)


def main():
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--bursts", help="numbers of spans, with commas between")
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--work", action="store_true")
    args = parser.parse_args()
    programs = harness.build()
    if args.work:
        work(programs)
        return
    cases = [args.only] if args.only else [case for case in CASES if case != "observe_otlp_memory"]
    bursts = [10_000, 1_000_000] + ([] if args.quick else [10_000_000])
    if args.bursts:
        bursts = [int(number) for number in args.bursts.split(",")]
    for spans in bursts:
        # The long queue is there for the millionfold burst only; ten million spans would not fit it either.
        report(programs, spans, 0, 0, [c for c in cases if c != "tracing_otlp_longqueue" or spans == 1_000_000])
    if not args.bursts:
        report(programs, 100_000, 20_000, 50, [c for c in cases if c != "tracing_otlp_longqueue"])
        report(programs, 100_000, 0, 50, [c for c in cases if c != "tracing_otlp"])
        work(programs)


if __name__ == "__main__":
    main()
