import { useLive } from "../lib/api.js";
import { cost, duration, moment } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { go, paths } from "../lib/route.js";
import { Dropped, Facts, flow, sums } from "../parts/facts.js";
import { StatusGlyph, TypeGlyph } from "../parts/glyph.js";
import { LongText, Payload } from "../parts/json.js";
import { Waterfall } from "../parts/waterfall.js";
import { Failure, useTitle } from "./message.js";

/** @import { Json, Span, Trace } from "../lib/types.js" */

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
  const chosen = trace.spans.find((s) => s.span_id === span) ?? trace.spans.find((s) => s.parent_id === null) ?? trace.spans[0];
  return html`<div class="view trace">
    <${Head} trace=${trace} />
    <div class="split">
      <${Waterfall} spans=${trace.spans} selected=${chosen?.span_id} label="Spans"
        href=${(/** @type {Span} */ s) => paths.trace(id, s.span_id)}
        onSelect=${(/** @type {Span} */ s) => go(paths.trace(id, s.span_id), { replace: true })} />
      ${chosen && html`<${Detail} key=${chosen.span_id} span=${chosen} />`}
    </div>
  </div>`;
}

/** @param {{ trace: Trace }} props */
function Head({ trace }) {
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
    ]} />
    ${trace.status_message && html`<div class="error-text" role="note"><${LongText} text=${trace.status_message} limit=${400} /></div>`}
  </div>`;
}

/** @param {{ id: string | null, rel: string, text: string }} props */
const Turn = ({ id, rel, text }) =>
  id ? html`<a rel=${rel} href=${paths.trace(id)}>${text}</a>` : html`<span class="dim" aria-disabled="true">${text}</span>`;

/** Everything that is known of a span. @param {{ span: Span }} props */
function Detail({ span }) {
  const empty = (/** @type {Record<string, Json>} */ map) => Object.keys(map).length === 0;
  return html`<section class="detail" data-span=${span.span_id} aria-label="Span ${span.name}">
    <header>
      <h2><${TypeGlyph} type=${span.span_type} />${span.name}</h2>
      <span class="kind type-${span.span_type}">${span.span_type}</span>
      <${StatusGlyph} status=${span.status} word=${true} />
      <${Dropped} dropped=${span.dropped} where="here" />
    </header>
    ${span.status_message && html`<div class="error-text" role="note"><${LongText} text=${span.status_message} /></div>`}
    <${Facts} facts=${[
      ["duration", span.duration_ns == null ? null : duration(span.duration_ns)],
      ["starts at", span.offset_ns ? `+ ${duration(span.offset_ns)}` : null],
      ["model", span.model],
      ["tokens", flow(span.usage)],
      ["cost", span.cost == null ? null : cost(span.cost)],
      ["level", span.level === "default" ? null : span.level],
      ["version", span.version],
    ]} />
    ${span.input === null ? "" : html`<${Payload} title="Input" value=${span.input} />`}
    ${span.output === null ? "" : html`<${Payload} title="Output" value=${span.output} />`}
    ${empty(span.metadata) ? "" : html`<${Payload} title="Metadata" value=${span.metadata} />`}
    ${empty(span.trace_metadata) ? "" : html`<${Payload} title="Trace metadata" value=${span.trace_metadata} />`}
    <section class="payload" aria-label="Attributes"><header><h3>Attributes</h3></header><${Facts} facts=${[
      ["function", span.function && html`<code>${span.function}</code>`],
      ["code", span.location && html`<code>${span.location}</code>`],
      ["session", span.session],
      ["user", span.user],
      ["tags", span.tags.join(", ")],
      ["start", span.start],
      ["span id", html`<code>${span.span_id}</code>`],
    ]} /></section>
  </section>`;
}
