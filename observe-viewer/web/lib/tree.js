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

/** Nanoseconds that the trace spans. @param {Span[]} spans */
export function extent(spans) {
  return spans.reduce((end, s) => Math.max(end, s.offset_ns + (s.duration_ns ?? 0)), 1);
}
