import { useLive } from "../lib/api.js";
import { cost, count, duration, moment, tokens } from "../lib/format.js";
import { html } from "../lib/html.js";
import { preview } from "../lib/readable.js";
import { paths } from "../lib/route.js";
import { Tokens } from "../parts/facts.js";
import { Filters, Pager } from "../parts/filters.js";
import { StatusGlyph } from "../parts/glyph.js";
import { Table } from "../parts/table.js";
import { Failure, useTitle } from "./message.js";
import { Waiting } from "./waiting.js";

/** @import { Page, Status, TraceSummary } from "../lib/types.js" */

/** @type {Status[]} */
const STATUSES = ["ok", "error", "running", "cancelled", "abandoned", "interrupted"];

/** All traces, newest first. @param {{ query: URLSearchParams }} props */
export function Traces({ query }) {
  useTitle("Traces");
  const filter = {
    project: query.get("project"),
    session: query.get("session"),
    status: query.get("status"),
    after: query.get("after"),
  };
  const { data, error } = useLive(paths.api(paths.traces(filter)));
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return null;
  const page = /** @type {Page<TraceSummary>} */ (data);
  if (!page.items.length && !Object.values(filter).some(Boolean)) return html`<${Waiting} />`;
  return html`<div class="view">
    <div class="title"><h1>Traces</h1><${StatusFilter} filter=${filter} /><${Filters} filter=${filter} path=${paths.traces} /></div>
    ${page.items.length
      ? html`<${Table} label="Traces" columns=${COLUMNS} rows=${page.items}
          id=${(/** @type {TraceSummary} */ t) => t.trace_id} href=${(/** @type {TraceSummary} */ t) => paths.trace(t.trace_id)} />`
      : html`<p class="none dim">No trace is like that.</p>`}
    <${Pager} page=${page} filter=${filter} path=${paths.traces} />
  </div>`;
}

/** @param {{ filter: { status: string | null } }} props */
const StatusFilter = ({ filter }) => html`<nav class="segments" aria-label="Status">
  ${[null, ...STATUSES].map((status) => html`<a href=${paths.traces({ ...filter, status, after: null })}
    aria-current=${filter.status === status ? "true" : undefined}>
    ${status ? html`<${StatusGlyph} status=${status} word=${true} />` : "all"}</a>`)}
</nav>`;

/** @type {{ head: string, cell: (t: TraceSummary, href: string) => any, kind?: string, title?: string }[]} */
const COLUMNS = [
  {
    head: "Trace",
    kind: "id",
    cell: (t, href) => html`<a class="row-link" href=${href}><${StatusGlyph} status=${t.status} /><span class="line">${t.name}</span></a>
      <div class="dim">${t.session ? html`<a href=${paths.session(t.session, t.project)}>${t.session}</a>` : t.project}</div>`,
  },
  {
    head: "Input, output",
    kind: "preview",
    cell: (t) => html`<div class="line">${preview(t.input, "input")}</div>
      <div class="line dim">${t.status === "error" && t.status_message
        ? html`<span class="bad">${t.status_message.slice(0, 300)}</span>`
        : preview(t.output, "output")}</div>`,
  },
  { head: "Spans", kind: "num", cell: (t) => count(t.totals.spans) },
  {
    head: "Errors",
    kind: "num",
    title: "Spans that ended in an error",
    cell: (t) => (t.totals.errors ? html`<span class="bad"><${StatusGlyph} status="error" />${count(t.totals.errors)}</span>` : ""),
  },
  {
    head: "Tokens",
    kind: "num",
    cell: (t) => (tokens(t.totals.usage) == null ? html`<span class="dim" title="unknown">—</span>` : html`<${Tokens} usage=${t.totals.usage} />`),
  },
  { head: "Cost", kind: "num", cell: (t) => (t.totals.cost == null ? html`<span class="dim" title="unknown">—</span>` : cost(t.totals.cost)) },
  { head: "Duration", kind: "num", title: "While it runs: what is known so far", cell: (t) => (t.end == null ? html`<span class="dim">${duration(t.duration_ns || null)}</span>` : duration(t.duration_ns)) },
  { head: "Start", kind: "num when", cell: (t) => html`<time datetime=${t.start} title=${t.start}>${moment(t.start)}</time>` },
];
