import { BUCKETS, cost, count, duration, plural, tokens } from "../lib/format.js";
import { html } from "../lib/html.js";
import { WarningGlyph } from "./glyph.js";
import { Value } from "./json.js";

/** @import { Json, Span, Totals, Usage } from "../lib/types.js" */

/** Name and value pairs; a value that is not known is left out. @param {{ facts: [string, any][] }} props */
export const Facts = ({ facts }) => html`<dl class="facts">
  ${facts.filter(([, value]) => value != null && value !== "").map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
</dl>`;

/** A map whose values are short in one line; any other as it is. @param {{ map: Record<string, Json> | undefined }} props */
export function Pairs({ map = {} }) {
  const entries = Object.entries(map);
  if (!entries.length) return null;
  if (!entries.every(([, value]) => short(value))) return html`<${Value} value=${map} level=${1} />`;
  return html`<span class="pairs">${entries.map(([name, value]) => html`<span key=${name}><span class="dim">${name}</span> ${String(value)}</span>`)}</span>`;
}

/** Whether a value reads well in a line. @param {Json} value */
export const short = (value) => value === null || (typeof value !== "object" && String(value).length <= 80);

/** The sum, and its parts where they are known. @param {Span} span */
export function costs({ cost: sum, cost_input, cost_output }) {
  const parts = [[cost_input, "in"], [cost_output, "out"]].filter(([usd]) => usd != null);
  const text = parts.map(([usd, side]) => `${cost(/** @type {number} */ (usd))} ${side}`).join(", ");
  if (sum == null) return text || null;
  return html`${cost(sum)}${text && html` <span class="dim">(${text})</span>`}`;
}

/** What a trace or session sums up to, as facts. @param {Totals} totals @param {number | null} ns @returns {[string, any][]} */
export const sums = (totals, ns) => [
  ["duration", ns == null ? null : duration(ns)],
  ["spans", count(totals.spans)],
  ["errors", totals.errors ? html`<span class="bad">${count(totals.errors)}</span>` : null],
  ["warnings", totals.warnings ? count(totals.warnings) : null],
  ["debug", totals.debugs ? count(totals.debugs) : null],
  ["dropped", totals.dropped ? html`<span class="warn">${plural(totals.dropped, "span")}</span>` : null],
  ["tokens", tokens(totals.usage) == null ? null : html`<${Tokens} usage=${totals.usage} />`],
  ["cost", totals.cost == null ? null : cost(totals.cost)],
];

/** All tokens, and the buckets when pointed at. @param {{ usage: Usage }} props */
export const Tokens = ({ usage }) => html`<span title=${buckets(usage)}>${count(tokens(usage))}</span>`;

/** Tokens with their direction. @param {Usage} usage */
export function flow(usage) {
  if (tokens(usage) == null) return null;
  return html`<span title=${buckets(usage)}>${count(tokens(usage, "in"))} in, ${count(tokens(usage, "out"))} out</span>`;
}

/** @param {Usage} usage */
const buckets = (usage) =>
  BUCKETS.filter(([key]) => usage[key] != null).map(([key, name]) => `${name} ${count(usage[key])}`).join("\n");

/** "2 errors" in the colour of errors, or nothing. @param {{ errors: number }} props */
export const Errors = ({ errors }) => (errors ? html`<span class="bad">${plural(errors, "error")}</span>` : null);

/** "3 spans dropped here", or another place, in the colour of warnings with the mark beside it; or nothing. @param {{ dropped: number, where?: string }} props */
export const Dropped = ({ dropped, where = "" }) => (dropped
  ? html`<span class="dropped" title="The journal was full: they were not recorded"><${WarningGlyph} />${plural(dropped, "span")} dropped${where && ` ${where}`}</span>`
  : null);
