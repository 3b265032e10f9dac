"""Holds what `docs_chat --once` recorded to its promise; reads the JSON of the `observe` command on standard input."""

import json
import sys


def documents(text):
    """The JSON values that stand one behind the other."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        while at < len(text) and text[at].isspace():
            at += 1


def sessions(pages):
    items = [item for page in pages for item in page["items"]]
    assert [s["traces"] for s in items] == [3, 3], [(s["session"], s["traces"]) for s in items]
    assert len({s["user"] for s in items}) == 2, items


def traces(pages):
    for page in pages:
        for trace in page["items"]:
            print(trace["trace_id"])


def trees(found):
    found = list(found)
    assert len(found) == 6, len(found)
    failed = []
    for trace in found:
        by_type = {}
        for span in trace["spans"]:
            by_type.setdefault(span["span_type"], []).append(span)
        for kind in ["agent", "retriever", "tool", "generation"]:
            assert kind in by_type, f"{trace['name']}: no {kind} among {sorted(by_type)}"
            for span in by_type[kind]:
                assert span["input"] is not None, (trace["trace_id"], span["name"], "has no input")
                assert span["output"] is not None or span["status"] == "error", (span["name"], "has no output")
        roots = [s for s in trace["spans"] if s["depth"] == 0]
        assert len(roots) == 1 and roots[0]["span_type"] == "agent", [s["name"] for s in roots]
        failed += [s for s in trace["spans"] if s["status"] == "error"]
    assert len(failed) == 1, [(s["name"], s["status_message"]) for s in failed]
    assert failed[0]["span_type"] == "tool" and failed[0]["status_message"], failed


{"sessions": sessions, "traces": traces, "trees": trees}[sys.argv[1]](documents(sys.stdin.read().strip()))
