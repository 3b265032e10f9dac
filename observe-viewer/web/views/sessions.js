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

/** @import { Page, SessionSummary } from "../lib/types.js" */

/** All conversations, newest activity first. @param {{ query: URLSearchParams }} props */
export function Sessions({ query }) {
  useTitle("Sessions");
  const filter = { project: query.get("project"), after: query.get("after") };
  const { data, error } = useLive(paths.api(paths.sessions(filter)));
  if (error) return html`<${Failure} error=${error} />`;
  if (!data) return null;
  const page = /** @type {Page<SessionSummary>} */ (data);
  if (!page.items.length && !filter.project && !filter.after) return html`<${NoSession} />`;
  return html`<div class="view">
    <div class="title"><h1>Sessions</h1><${Filters} filter=${filter} path=${paths.sessions} /></div>
    <${Table} label="Sessions" columns=${COLUMNS} rows=${page.items}
      id=${(/** @type {SessionSummary} */ s) => JSON.stringify([s.project, s.session])}
      href=${(/** @type {SessionSummary} */ s) => paths.session(s.session, s.project)} />
    <${Pager} page=${page} filter=${filter} path=${paths.sessions} />
  </div>`;
}

/** Without sessions there may still be traces. */
function NoSession() {
  const { data } = useLive(paths.api("/traces?limit=1"));
  if (!data) return null;
  return /** @type {Page<unknown>} */ (data).items.length
    ? html`<div class="message" role="status"><h1>No sessions yet</h1>
        <p>There are <a href=${paths.traces()}>traces</a>, but none belongs to a session. Name the conversation that a trace
        belongs to: <code>session("conversation-1").scope(..)</code>.</p></div>`
    : html`<${Waiting} />`;
}

/** @type {{ head: string, cell: (s: SessionSummary, href: string) => any, kind?: string, title?: string }[]} */
const COLUMNS = [
  {
    head: "Session",
    kind: "id",
    cell: (s, href) => html`<a class="row-link" href=${href} title=${s.session}><span class="line">${s.session}</span></a>
      <div class="dim">${[s.user, s.project].filter(Boolean).join(" · ")}</div>`,
  },
  {
    head: "First question, last answer",
    kind: "preview",
    cell: (s) => html`<div class="line">${preview(s.first_input, "input")}</div>
      <div class="line dim">${preview(s.last_output, "output")}</div>`,
  },
  { head: "Turns", kind: "num", cell: (s) => count(s.traces) },
  {
    head: "Errors",
    kind: "num",
    title: "Spans that ended in an error, in how many turns that failed",
    cell: (s) => html`${s.totals.errors ? html`<span class="bad"><${StatusGlyph} status="error" />${count(s.totals.errors)}</span>` : ""}
      ${s.failed_traces ? html`<div class="bad small">${count(s.failed_traces)} failed</div>` : ""}`,
  },
  { head: "Tokens", kind: "num", cell: (s) => (tokens(s.totals.usage) == null ? UNKNOWN_CELL : html`<${Tokens} usage=${s.totals.usage} />`) },
  { head: "Cost", kind: "num", cell: (s) => (s.totals.cost == null ? UNKNOWN_CELL : cost(s.totals.cost)) },
  {
    head: "Time",
    kind: "num",
    title: "Sum of the turns' durations",
    cell: (s) => html`<span title="from first to last ${duration(s.duration_ns)}">${duration(s.active_ns)}</span>`,
  },
  { head: "Last activity", kind: "num when", cell: (s) => html`<time datetime=${s.end} title=${s.end}>${moment(s.end)}</time>` },
];

const UNKNOWN_CELL = html`<span class="dim" title="unknown">—</span>`;
