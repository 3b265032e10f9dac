"""check_annotated.py FILE: adds up what annotated tests recorded, and fails if that was nothing, or not all of it JSON."""

import collections
import sys

total = collections.Counter()
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        total.update({key: int(count) for key, count in (word.split("=") for word in line.split())})
print("  recorded:", ", ".join(f"{count} {key}" for key, count in total.items()))
if not total["spans"]:
    sys.exit("  nothing was recorded")
if total["broken"]:
    sys.exit("  an input or output is no JSON")
