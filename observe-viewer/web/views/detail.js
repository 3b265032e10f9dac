import { duration } from "../lib/format.js";
import { html } from "../lib/html.js";
import { ofSpan, ofTrace } from "../lib/records.js";
import { below } from "../lib/tree.js";
import { Events, Links, States, Why } from "../parts/details.js";
import { costs, Dropped, Facts, flow, short } from "../parts/facts.js";
import { StatusGlyph, TypeGlyph } from "../parts/glyph.js";
import { Payload } from "../parts/json.js";
import { Metrics, Scores } from "../parts/records.js";

/** @import { Json, Span, Trace } from "../lib/types.js" */

/** Everything that is known of a span; below the trace's first root, also of the trace. @param {{ span: Span, trace: Trace, root: boolean }} props */
export function Detail({ span, trace, root }) {
  const { states, events, links, prompt, parameters = {}, tools, time_to_first } = span.details ?? {};
  const simple = Object.entries(parameters).filter(([, value]) => short(value));
  const rest = Object.entries(parameters).filter(([, value]) => !short(value));
  return html`<section class="detail" data-span=${span.span_id} aria-label="Span ${span.name}">
    <header>
      <h2><${TypeGlyph} type=${span.span_type} />${span.name}</h2>
      <span class="kind type-${span.span_type}">${span.span_type}</span>
      <${StatusGlyph} status=${span.status} word=${true} />
      <${Dropped} dropped=${span.dropped} where="here" />
    </header>
    <${Why} span=${span} />
    <${Facts} facts=${[
      ["duration", span.duration_ns == null ? null : duration(span.duration_ns)],
      ["first token", time_to_first == null ? null : duration(time_to_first)],
      ["starts at", span.offset_ns ? `+ ${duration(span.offset_ns)}` : null],
      ["model", span.model],
      ["prompt", prompt && html`${prompt.name}${prompt.version && html` <span class="dim">version</span> ${prompt.version}`}`],
      ...simple.map(([name, value]) => /** @type {[string, any]} */ ([name, String(value)])),
      ["tokens", flow(span.usage)],
      ["cost", costs(span)],
      ["level", span.level === "default" ? null : span.level],
      ["below", below(trace.spans, span)],
      ["version", span.version],
    ]} />
    ${span.input === null ? "" : html`<${Payload} title="Input" value=${span.input} />`}
    ${span.output === null ? "" : html`<${Payload} title="Output" value=${span.output} />`}
    <${States} states=${states} />
    <${Events} events=${events} start=${span.start} />
    <${Scores} scores=${ofSpan(trace.scores, span)} />
    <${Metrics} metrics=${ofSpan(trace.metrics, span)} />
    ${rest.length > 0 && html`<${Payload} title="Model parameters" value=${Object.fromEntries(rest)} />`}
    ${tools != null && html`<${Payload} title="Tools" value=${tools} level=${2} />`}
    <${Links} links=${links} />
    <${Free} title="Metadata" map=${span.metadata} />
    ${root && html`<${Whole} trace=${trace} />`}
    <${Free} title="Trace metadata" map=${span.trace_metadata} />
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

/** What was said of the trace and is not its root's; a summary that is text stands in the head already. @param {{ trace: Trace }} props */
const Whole = ({ trace }) => html`
  ${trace.said?.input != null && html`<${Payload} title="Trace input" value=${trace.said.input} />`}
  ${trace.said?.output != null && html`<${Payload} title="Trace output" value=${trace.said.output} />`}
  ${trace.said?.summary != null && typeof trace.said.summary !== "string" && html`<${Payload} title="Trace summary" value=${trace.said.summary} />`}
  <${Scores} title="Trace scores" scores=${ofTrace(trace.scores, trace)} />
  <${Metrics} title="Trace metrics" metrics=${ofTrace(trace.metrics, trace)} />`;

/** @param {{ title: string, map: Record<string, Json> }} props */
const Free = ({ title, map }) => (Object.keys(map).length ? html`<${Payload} title=${title} value=${map} />` : null);
