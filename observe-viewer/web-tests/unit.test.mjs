// What of the page needs no browser.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { nearChanges, sideBySide } from "../web/lib/diff.js";
import { between, cost, duration, tokens } from "../web/lib/format.js";
import { parseCut, preview, readable } from "../web/lib/readable.js";
import { failureText, metricText, ofSession, ofSpan, ofTrace, scoreText } from "../web/lib/records.js";
import { arrange, below, extent, unfolded } from "../web/lib/tree.js";

test("unknown is a dash, never 0", () => {
  assert.equal(duration(null), "—");
  assert.equal(cost(null), "—");
  assert.equal(tokens({}), null);
  assert.equal(tokens({ input: 0 }), 0);
});

test("durations have three figures", () => {
  const shown = [0, 999, 1000, 12345, 999500, 1234567890, 59.94e9, 59.96e9, 3600e9].map(duration);
  assert.deepEqual(shown, ["0 ns", "999 ns", "1.00 µs", "12.3 µs", "1.00 ms", "1.23 s", "59.9 s", "1 m 00 s", "1 h 00 m"]);
});

test("the question and the answer are found in common shapes", () => {
  assert.equal(readable({ k: 3, question: "why?" }, "input"), "why?");
  assert.equal(readable({ only: { text: "t" } }, "output"), "t");
  assert.equal(readable([{ role: "user", content: "a" }, { role: "assistant", content: "b" }], "input"), "a");
  assert.equal(readable({ choices: [{ message: { role: "assistant", content: [{ type: "text", text: "hi" }] } }] }, "output"), "hi");
  assert.equal(readable({ a: "x", b: "y" }, "input"), null, "which of the two is not known");
  assert.equal(readable([1, 2], "output"), null);
});

test("a cut text reads as far as it goes, wherever it was cut", () => {
  const text = JSON.stringify({ question: 'Why "so" é\n?', list: [1, { a: "b" }], more: "x".repeat(20) });
  for (let end = 1; end < text.length; end++) {
    const value = parseCut(text.slice(0, end));
    if (end > text.indexOf("?") + 2) assert.equal(/** @type {any} */ (value).question, 'Why "so" é\n?', `cut at ${end}`);
  }
  assert.equal(preview('"It went to', "output"), "It went to…");
  assert.equal(preview('{"question":"It went to', "input"), "It went to…");
  assert.equal(preview(null, "input"), "");
});

test("closing a span hides what is below it and nothing else", () => {
  const spans = [["a", 0], ["b", 1], ["c", 2], ["d", 1], ["e", 0]].map(([span_id, depth]) => ({ span_id, depth, offset_ns: 5, duration_ns: depth || null }));
  const nodes = arrange(/** @type {any} */ (spans));
  assert.deepEqual(nodes.map((n) => n.children), [2, 1, 0, 0, 0]);
  assert.deepEqual(unfolded(nodes, new Set(["b"])).map((n) => n.span.span_id), ["a", "b", "d", "e"]);
  assert.deepEqual(unfolded(nodes, new Set(["a", "b"])).map((n) => n.span.span_id), ["a", "e"]);
  assert.equal(extent(/** @type {any} */ (spans)), 7);
});

test("what lies below a span is counted by its levels", () => {
  const spans = [["a", 0, "error"], ["b", 1, "default"], ["c", 2, "debug"], ["d", 1, "warning"], ["e", 0, "error"]]
    .map(([span_id, depth, level]) => /** @type {any} */ ({ span_id, depth, level }));
  assert.equal(below(spans, spans[0]), "3 spans: 1 warning, 1 debug");
  assert.equal(below(spans, spans[1]), "1 span: 1 debug");
  assert.equal(below(spans, spans[2]), null);
  assert.equal(below(spans, spans[4]), null);
  spans[2].level = "default";
  assert.equal(below(spans, spans[1]), "1 span");
});

test("two texts stand side by side, and only what differs is marked", () => {
  /** @param {string} a @param {string} b */
  const shown = (a, b) => sideBySide(a, b).map(({ left, right, same }) => `${left ?? ""}${same ? "=" : "|"}${right ?? ""}`);
  assert.deepEqual(shown("a\nb\nc", "a\nB\nc"), ["a=a", "b|B", "c=c"]);
  assert.deepEqual(shown("a\nc\nx\nd", "a\nb\nc\nd"), ["a=a", "|b", "c=c", "x|", "d=d"]);
  assert.deepEqual(shown("a\na", "a"), ["a=a", "a|"]);
  assert.deepEqual(shown("a", "a"), ["a=a"]);
  const many = (/** @type {string} */ text) => Array.from({ length: 1500 }, (_, i) => text + i).join("\n");
  const pairs = sideBySide(`same\n${many("x")}`, `same\n${many("y")}`);
  assert.deepEqual([pairs.length, pairs.filter((p) => p.same).length], [1501, 1], "too much to compare is all changed");
});

test("far from a change, lines are counted and not shown", () => {
  const text = Array.from({ length: 20 }, (_, i) => String(i));
  const near = nearChanges(sideBySide(text.join("\n"), text.with(10, "x").join("\n")), 2);
  assert.deepEqual(near.map((p) => (typeof p === "number" ? p : p.left)), [8, "8", "9", "10", "11", "12", 7]);
  assert.deepEqual(nearChanges(sideBySide("a\nb", "a\nb"), 2), [2]);
});

test("every score and metric stands with what it is about", () => {
  const about = (/** @type {object[]} */ ...targets) => /** @type {any[]} */ (targets.map((target) => ({ target })));
  const [span, whole, unknown, session] = about({ trace_id: "t", span_id: "a" }, { trace_id: "t" }, { trace_id: "t", span_id: "z" }, { session: "s" });
  const trace = /** @type {any} */ ({ spans: [{ span_id: "a" }, { span_id: "b" }] });
  assert.deepEqual(ofSpan([span, whole, unknown], trace.spans[0]), [span]);
  assert.deepEqual(ofTrace([span, whole, unknown], trace), [whole, unknown], "also one about a span that has not arrived");
  assert.deepEqual(ofSession([span, whole, session]), [session]);
  assert.equal(scoreText(/** @type {any} */ ({ type: "boolean", value: false })), "no");
  assert.equal(scoreText(/** @type {any} */ ({ type: "numeric", value: 0.1 + 0.2 })), "0.3");
  assert.equal(metricText(/** @type {any} */ ({ value: 1234.5, unit: "ms" })), "1,234.5 ms");
});

test("an error reads as its span's status says it", () => {
  assert.equal(failureText({ message: "no answer", sources: ["connection refused", "refused"] }), "no answer: connection refused");
});

test("moments are told apart to the nanosecond", () => {
  assert.equal(between("2026-03-01T11:59:59.999999999Z", "2026-03-01T12:00:00.0000001Z"), 101);
  assert.equal(between("2026-03-01T12:00:00Z", "2026-03-01T11:59:59.5Z"), -5e8);
});

test("vendored files are what their list says", () => {
  const root = new URL("../web/vendor/", import.meta.url);
  const lines = readFileSync(new URL("README.md", root), "utf8").match(/^[0-9a-f]{64} {2}\S+$/gm) ?? [];
  assert.equal(lines.length, 3);
  for (const line of lines) {
    const [sum, path] = line.split("  ");
    assert.equal(createHash("sha256").update(readFileSync(new URL(path, root))).digest("hex"), sum, path);
  }
});
