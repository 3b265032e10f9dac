import { count, plural } from "./format.js";

/** @import { Span } from "./types.js" */

/** A span and how many spans are right below it. @typedef {{ span: Span, children: number }} Node */

/**
 * The spans as rows of a tree. They come with parents before children and siblings by start, each with its depth.
 *
 * @param {Span[]} spans
 * @returns {Node[]}
 */
export function arrange(spans) {
  const nodes = spans.map((span) => ({ span, children: 0 }));
  /** The open ancestors, by depth. @type {Node[]} */
  const path = [];
  for (const node of nodes) {
    path.length = Math.min(path.length, node.span.depth);
    const parent = path[path.length - 1];
    if (parent) parent.children++;
    path.push(node);
  }
  return nodes;
}

/** Without what lies below a closed span. @param {Node[]} nodes @param {Set<string>} closed */
export function unfolded(nodes, closed) {
  if (!closed.size) return nodes;
  let hiddenBelow = Infinity;
  return nodes.filter(({ span }) => {
    if (span.depth > hiddenBelow) return false;
    hiddenBelow = closed.has(span.span_id) ? span.depth : Infinity;
    return true;
  });
}

/** "5 spans: 1 error, 2 warning": what lies below a span, and how much of it is of a level of its own; null if nothing. @param {Span[]} spans @param {Span} of */
export function below(spans, of) {
  const at = spans.indexOf(of);
  const end = spans.findIndex((span, i) => i > at && span.depth <= of.depth);
  const inside = spans.slice(at + 1, end < 0 ? undefined : end);
  if (!inside.length) return null;
  const levels = ["error", "warning", "debug"].map((level) => [inside.filter((span) => span.level === level).length, level]);
  const told = levels.filter(([n]) => n).map(([n, level]) => `${count(/** @type {number} */ (n))} ${level}`).join(", ");
  return plural(inside.length, "span") + (told && `: ${told}`);
}

/** Nanoseconds that the trace spans. @param {Span[]} spans */
export function extent(spans) {
  return spans.reduce((end, s) => Math.max(end, s.offset_ns + (s.duration_ns ?? 0)), 1);
}
