import { useRef } from "preact/hooks";
import { useLive } from "../lib/api.js";
import { cost, count, duration, moment, plural, tokens } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { readable } from "../lib/readable.js";
import { ofSession, ofTrace } from "../lib/records.js";
import { go, paths } from "../lib/route.js";
import { Dropped, Errors, Facts, sums } from "../parts/facts.js";
import { StatusGlyph } from "../parts/glyph.js";
import { LongText, stringify } from "../parts/json.js";
import { ScoreChips } from "../parts/records.js";
import { useRowKeys } from "../parts/table.js";
import { Waterfall } from "../parts/waterfall.js";
import { Failure, useTitle } from "./message.js";

/** @import { Json, Page, Score, Session, Span, Trace } from "../lib/types.js" */

/** Rows of a turn's tree before it scrolls. */
const ROWS = 16;
/** Characters of a question or answer before "show all". */
const TALK = 1500;
/** Failed spans that are listed, and characters of each reason. */
const FAILURES = 4;
const REASON = 300;

/** One conversation: what was asked and answered, and beside it what happened. @param {{ id: string, project: string | null }} props */
export function SessionPage({ id, project }) {
  useTitle(id);
  const turns = useRef(/** @type {HTMLElement | null} */ (null));
  useRowKeys(turns, "a.turn-link");
  useKeys({ Escape: () => go(paths.sessions()) });
  const { data, error } = useLive(paths.api(paths.session(id, project ?? "")));
  const session = /** @type {Session | undefined} */ (data);
  const about = useLive(session ? paths.api(paths.scores(session)) : null);
  if (error) return html`<${Failure} error=${error} />`;
  if (!session) return null;
  const scores = ofSession(/** @type {Page<Score> | undefined} */ (about.data)?.items ?? []);
  return html`<div class="view session">
    <div class="title">
      <a class="up" href=${paths.sessions()}>Sessions</a>
      <h1>${session.session}</h1>
      <${Facts} facts=${[
        ["project", session.project],
        ["user", session.user],
        ["turns", count(session.traces)],
        ["failed", session.failed_traces ? html`<span class="bad">${count(session.failed_traces)}</span>` : null],
        ...sums(session.totals, session.active_ns),
        ["last activity", html`<time datetime=${session.end} title=${session.end}>${moment(session.end)}</time>`],
      ]} />
      <${ScoreChips} scores=${scores} />
    </div>
    <ol class="turns" ref=${turns}>
      ${session.turns.map((turn, i) => html`<${Turn} key=${turn.trace_id} turn=${turn} number=${i + 1} />`)}
    </ol>
  </div>`;
}

/** @param {{ turn: Trace, number: number }} props */
function Turn({ turn, number }) {
  const root = turn.spans.find((s) => s.parent_id === null) ?? turn.spans[0];
  const n = tokens(turn.totals.usage);
  return html`<li class="turn" aria-label="Turn ${number}">
    <div class="turn-head">
      <a class="turn-link" href=${paths.trace(turn.trace_id)}><span class="number">${number}</span><b>${turn.name}</b></a>
      <${StatusGlyph} status=${turn.status} word=${true} />
      <${Errors} errors=${turn.totals.errors} />
      <${Dropped} dropped=${turn.totals.dropped} />
      <${ScoreChips} scores=${ofTrace(turn.scores, turn)} />
      <span class="grow"></span>
      <span class="dim">${plural(turn.totals.spans, "span")}</span>
      ${n != null && html`<span class="dim">${plural(n, "token")}</span>`}
      ${turn.totals.cost != null && html`<span class="dim">${cost(turn.totals.cost)}</span>`}
      <span class="num">${duration(turn.end == null ? turn.duration_ns || null : turn.duration_ns)}</span>
      <time class="dim" datetime=${turn.start} title=${turn.start}>${moment(turn.start)}</time>
    </div>
    <div class="turn-body">
      <div class="talk">
        <${Said} who="input" value=${turn.said?.input ?? root?.input} side="input" />
        ${turn.status === "error" && turn.status_message && html`<div class="said error"><h3>error</h3><${LongText} text=${turn.status_message} limit=${TALK} /></div>`}
        <${Said} who="output" value=${turn.said?.output ?? root?.output} side="output" />
        <${Said} who="summary" value=${turn.said?.summary} side="output" />
        <${Failures} turn=${turn} />
        ${turn.status === "running" && html`<div class="said dim">running…</div>`}
      </div>
      <${Waterfall} spans=${turn.spans} maxRows=${ROWS} label="Spans of turn ${number}"
        href=${(/** @type {Span} */ s) => paths.trace(turn.trace_id, s.span_id)} />
    </div>
  </li>`;
}

/** The steps that failed below the root, each with its reason. @param {{ turn: Trace }} props */
function Failures({ turn }) {
  const failed = turn.spans.filter((s) => s.status === "error" && s.parent_id !== null);
  if (!failed.length) return null;
  return html`<ul class="failures" aria-label="Failed spans">
    ${failed.slice(0, FAILURES).map((s) => html`<li key=${s.span_id}><a href=${paths.trace(turn.trace_id, s.span_id)}>
      <${StatusGlyph} status="error" /><span><b>${s.name}</b> ${s.status_message?.slice(0, REASON)}</span></a></li>`)}
    ${failed.length > FAILURES && html`<li><a href=${paths.trace(turn.trace_id, failed[FAILURES].span_id)}>${plural(failed.length - FAILURES, "more error")}</a></li>`}
  </ul>`;
}

/** What one side said: as text where there is text, as JSON where there is not. @param {{ who: string, value: Json | undefined, side: "input" | "output" }} props */
function Said({ who, value, side }) {
  if (value == null) return null;
  const text = readable(value, side);
  return html`<div class="said ${who}"><h3>${who}</h3>${text != null
    ? html`<${LongText} text=${text} limit=${TALK} class="prose" />`
    : html`<${LongText} text=${stringify(value)} limit=${TALK} class="mono" />`}</div>`;
}
