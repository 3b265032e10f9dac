"""Ctrl-C half-way through `docs_chat`: the program ends at once and loses no finished span.

check_interrupt.py PROGRAM OBSERVE    with OBSERVE_DIR set to a new directory
"""

import json
import signal
import subprocess
import sys

program, observe = sys.argv[1:]
child = subprocess.Popen([program, "--ask", "--once"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
child.stdin.write("How do I turn recording off?\n")
child.stdin.flush()
for line in child.stdout:
    # The answer, whatever it is, is indented; the program waits for the next question then.
    if line.startswith("  ") and line.strip():
        break
else:
    sys.exit("the program ended without an answer")
child.send_signal(signal.SIGINT)
code = child.wait(timeout=30)
assert code == 130, code

asked = subprocess.run([observe, "traces", "--json"], capture_output=True, text=True, check=True)
(trace,) = json.loads(asked.stdout)["items"]
assert trace["status"] == "ok" and trace["totals"]["spans"] >= 5, trace
print(f"1 trace of {trace['totals']['spans']} spans is there")
