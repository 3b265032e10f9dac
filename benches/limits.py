#!/usr/bin/env python3
"""What a captured span cannot cost less than, measured part by part."""

import json
import subprocess

import harness


def main():
    """Runs the probes and prints the table."""
    program = harness.build()["limits"]
    done = subprocess.run([program], stdout=subprocess.PIPE, check=True, text=True)
    parts = [json.loads(line) for line in done.stdout.splitlines()]
    print(harness.table(["part", "processor ns"], [[part["name"], f"{part['ns']:,.1f}"] for part in parts]))


if __name__ == "__main__":
    main()
