import { useLive } from "../lib/api.js";
import { moment } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { readable } from "../lib/readable.js";
import { ofTrace } from "../lib/records.js";
import { go, paths } from "../lib/route.js";
import { Facts, sums } from "../parts/facts.js";
import { StatusGlyph } from "../parts/glyph.js";
import { LongText, stringify } from "../parts/json.js";
import { ScoreChips } from "../parts/records.js";
import { Waterfall } from "../parts/waterfall.js";
import { Detail } from "./detail.js";
import { Failure, useTitle } from "./message.js";

/** @import { Score, Span, Trace } from "../lib/types.js" */

/** Characters of a summary or of the reason of a failure before "show all". */
const LONG = 400;

/** One trace: its tree left, the chosen span right. @param {{ id: string, span: string | null }} props */
export function TracePage({ id, span }) {
  const { data, error } = useLive(paths.api(paths.trace(id)));
  const trace = /** @type {Trace | undefined} */ (data);
  useTitle(trace?.name ?? "");
  useKeys({
    Escape: () => go(trace?.session ? paths.session(trace.session, trace.project) : paths.traces()),
    "[": () => void (trace?.previous && go(paths.trace(trace.previous))),
    "]": () => void (trace?.next && go(paths.trace(trace.next))),
  });
  if (error) return html`<${Failure} error=${error} />`;
  if (!trace) return null;
  const root = trace.spans.find((s) => s.parent_id === null) ?? trace.spans[0];
  const chosen = trace.spans.find((s) => s.span_id === span) ?? root;
  return html`<div class="view trace">
    <${Head} trace=${trace} />
    <div class="split">
      <${Waterfall} spans=${trace.spans} selected=${chosen?.span_id} label="Spans"
        href=${(/** @type {Span} */ s) => paths.trace(id, s.span_id)}
        onSelect=${(/** @type {Span} */ s) => go(paths.trace(id, s.span_id), { replace: true })} />
      ${chosen && html`<${Detail} key=${chosen.span_id} span=${chosen} trace=${trace} root=${chosen === root} />`}
    </div>
  </div>`;
}

/** @param {{ trace: Trace }} props */
function Head({ trace }) {
  const summary = trace.said?.summary;
  // The trace's own first: they judge the whole.
  const whole = ofTrace(trace.scores, trace);
  const scores = [...whole, ...trace.scores.filter((score) => !whole.includes(score))];
  const about = (/** @type {Score} */ score) => trace.spans.find((s) => s.span_id === score.target.span_id);
  return html`<div class="title">
    ${trace.session
      ? html`<a class="up" href=${paths.session(trace.session, trace.project)}>${trace.session}</a>`
      : html`<a class="up" href=${paths.traces()}>Traces</a>`}
    <h1>${trace.name}</h1>
    <${StatusGlyph} status=${trace.status} word=${true} />
    ${trace.session && html`<nav class="turn-nav" aria-label="Turns">
      <${Turn} id=${trace.previous} rel="prev" text="previous turn" /><${Turn} id=${trace.next} rel="next" text="next turn" />
    </nav>`}
    <${Facts} facts=${[
      ["project", trace.project],
      ["user", trace.user],
      ...sums(trace.totals, trace.end == null ? null : trace.duration_ns),
      ["start", html`<time datetime=${trace.start} title=${trace.start}>${moment(trace.start)}</time>`],
      ["tags", trace.tags.join(", ")],
      ["version", trace.version],
      ["release", trace.release],
      ["environment", trace.environment],
      ["public", trace.public == null ? null : trace.public ? "yes" : "no"],
    ]} />
    ${trace.status_message && html`<div class="error-text" role="note"><${LongText} text=${trace.status_message} limit=${LONG} /></div>`}
    ${summary != null && html`<div class="summary"><h3>summary</h3><${LongText} text=${readable(summary, "output") ?? stringify(summary)} limit=${LONG} /></div>`}
    <${ScoreChips} scores=${scores}
      name=${(/** @type {Score} */ score) => (about(score) ? `${score.name} of ${about(score)?.name}` : score.name)}
      href=${(/** @type {Score} */ score) => (about(score) ? paths.trace(trace.trace_id, about(score)?.span_id) : null)} />
  </div>`;
}

/** @param {{ id: string | null, rel: string, text: string }} props */
const Turn = ({ id, rel, text }) =>
  id ? html`<a rel=${rel} href=${paths.trace(id)}>${text}</a>` : html`<span class="dim" aria-disabled="true">${text}</span>`;
