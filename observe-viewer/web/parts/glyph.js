import { html } from "../lib/html.js";

/** @import { SpanType, Status } from "../lib/types.js" */

/** One drawing per span type, on a field of 16 by 16. @type {Record<SpanType, string>} */
const TYPES = {
  span: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6",
  generation: "M8 2l1.600 4.400L14 8l-4.400 1.600L8 14l-1.600-4.400L2 8l4.400-1.600z",
  agent: "M3.500 6h9v7h-9zM8 3v3M6.200 9v1M9.800 9v1",
  tool: "M10.500 2.500a3.300 3.300 0 0 0-3.400 4.400L2.500 11.500l2 2 4.600-4.600a3.300 3.300 0 0 0 4.400-3.400l-2 2-2.200-.8-.8-2.200z",
  chain: "M6 8h4M7 5H5a3 3 0 0 0 0 6h2M9 5h2a3 3 0 0 1 0 6H9",
  retriever: "M7 3a4 4 0 1 0 0 8a4 4 0 1 0 0-8M10 10l3.500 3.500",
  embedding: "M3 3v10h10M3 13l7-7M7 6h3v3",
  evaluator: "M2.500 11.500a5.500 5.500 0 0 1 11 0M8 11.500L10.500 8",
  guardrail: "M8 2l5 2v4c0 3-2 5-5 6-3-1-5-3-5-6V4z",
  event: "M9 2L4 9h4l-1 5 5-7H8z",
};

/** One drawing per status. @type {Record<Status, string>} */
const STATUSES = {
  running: "M8 2.500A5.500 5.500 0 1 1 2.500 8M8 5v3l2 1.500",
  ok: "M3 8.500l3.200 3.200L13 5",
  error: "M4 4l8 8M12 4l-8 8",
  cancelled: "M8 2.500a5.500 5.500 0 1 0 0 11a5.500 5.500 0 1 0 0-11M4 4l8 8",
  abandoned: "M3 3v10M6 8h8M11 5l3 3-3 3",
  interrupted: "M1.500 8H6M10 8h4.500M9.500 4l-3 8",
};

const WARNING = "M8 2.500l6 11H2zM8 6.500v3.500M8 11.800v.2";
const MORE = { right: "M6 4l4 4-4 4", down: "M4 6l4 4 4-4" };

/** @param {string} path */
const draw = (path) =>
  html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${path} /></svg>`;

/** The span type's mark. @param {{ type: SpanType }} props */
export const TypeGlyph = ({ type }) =>
  html`<span class="glyph type-${type}" role="img" aria-label=${type} title=${type}>${draw(TYPES[type] ?? TYPES.span)}</span>`;

/** The status's mark, with its word beside it if `word`. @param {{ status: Status, word?: boolean }} props */
export const StatusGlyph = ({ status, word }) =>
  html`<span class="status status-${status}" role=${word ? undefined : "img"} aria-label=${word ? undefined : status} title=${status}>
    ${draw(STATUSES[status] ?? STATUSES.running)}${word ? status : ""}
  </span>`;

/** The mark of level warning. */
export const WarningGlyph = () =>
  html`<span class="status level-warning" role="img" aria-label="warning" title="warning">${draw(WARNING)}</span>`;

/** The mark of yes or no, whose word stands beside it. @param {{ yes: boolean }} props */
export const Mark = ({ yes }) => draw(yes ? STATUSES.ok : STATUSES.error);

/** Open or closed. @param {{ open: boolean }} props */
export const Disclosure = ({ open }) => draw(open ? MORE.down : MORE.right);
