#!/usr/bin/env python3
"""Spans to a local OTLP/HTTP receiver: what arrives, and what it takes.

    sending.py                    bursts of 10 thousand, 1 million and 10 million spans; then 20,000 a second for 5 s
                                  to a receiver that answers in 50 ms
    sending.py --quick            without the 10 million
    sending.py --bursts N,N       these bursts only

Every span has the arguments and the return value of the reference call; a hundred spans are a trace. The receiver
counts spans on the wire in a process of its own.
"""

import argparse
import json
import subprocess
import sys

import harness

CASES = {
    "observe_otlp": "**`#[observe]`**",
    "fastrace_otlp": "fastrace + fastrace-opentelemetry, JSON by hand",
    "tracing_otlp": "`tracing` + opentelemetry-otlp, defaults",
    "tracing_otlp_longqueue": "the same, queue of 2 M",
}


def send(programs, case, spans, rate, delay):
    """One run: what the sender and the receiver say."""
    sink = subprocess.Popen([programs["sink"], str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = sink.stdout.readline().strip()
    endpoint = {
        "OBSERVE_DESTINATIONS": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "30000",
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
        dropped = f"{run['dropped']:,}" if case == "observe_otlp" else "not counted"
        if case == "observe_otlp" and (unknown := spans - run["spans"] - run["dropped"]):
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
    how = f"{rate:,} spans a second, answers after {delay} ms" if rate else f"{spans:,} spans"
    head = [how, "arrived", "wall", "spans/s", "host thread ns/span", "process ns/span", "peak memory"]
    print(harness.table([*head, "bytes/span", "reported as dropped"], rows), end="\n\n", flush=True)


def main():
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--bursts", help="numbers of spans, with commas between")
    parser.add_argument("--only", choices=CASES)
    args = parser.parse_args()
    programs = harness.build()
    cases = [args.only] if args.only else list(CASES)
    bursts = [10_000, 1_000_000] + ([] if args.quick else [10_000_000])
    if args.bursts:
        bursts = [int(number) for number in args.bursts.split(",")]
    for spans in bursts:
        # The long queue is there for the millionfold burst only; ten million spans would not fit it either.
        report(programs, spans, 0, 0, [c for c in cases if c != "tracing_otlp_longqueue" or spans == 1_000_000])
    if not args.bursts:
        report(programs, 100_000, 20_000, 50, [c for c in cases if c != "tracing_otlp_longqueue"])


if __name__ == "__main__":
    main()
