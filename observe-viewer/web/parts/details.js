import { useState } from "preact/hooks";
import { nearChanges, sideBySide } from "../lib/diff.js";
import { between, duration, plural } from "../lib/format.js";
import { html } from "../lib/html.js";
import { failureText } from "../lib/records.js";
import { paths } from "../lib/route.js";
import { Pairs } from "./facts.js";
import { LongText, Payload, stringify } from "./json.js";
import { Section } from "./records.js";

/** @import { Event, Failure, Json, Link, Span, State } from "../lib/types.js" */

/** Lines of a state that are shown around a change. */
const AROUND = 3;

/**
 * Why a span failed: its message, or its errors with what caused each where they say it better.
 *
 * @param {{ span: Span }} props
 */
export function Why({ span }) {
  const errors = span.details?.errors ?? [];
  const message = span.status_message;
  if (!message && !errors.length) return null;
  const told = errors.some((error) => error.message === message || failureText(error) === message);
  return html`<div class="error-text" role="note">
    ${message && !told && html`<${LongText} text=${message} />`}
    ${errors.map((error) => html`<${Chain} error=${error} />`)}
  </div>`;
}

/** @param {{ error: Failure }} props */
const Chain = ({ error }) => html`<div class="chain">
  <div>${error.kind && html`<code class="error-kind">${error.kind}</code>`}<${LongText} text=${error.message} /></div>
  ${error.sources && html`<ol aria-label="Caused by">
    ${error.sources.map((source) => html`<li><span class="dim">caused by</span><${LongText} text=${source} /></li>`)}
  </ol>`}
</div>`;

/** A step's states before and after side by side, and any others by their names. @param {{ states: State[] | undefined }} props */
export function States({ states = [] }) {
  const named = (/** @type {string} */ name) => states.find((state) => state.name === name);
  const [before, after] = [named("before"), named("after")];
  const both = before && after;
  return html`
    ${both && html`<${Change} before=${before.value} after=${after.value} />`}
    ${states.filter((state) => !both || (state !== before && state !== after)).map((state) =>
      html`<${Payload} key=${state.name} title="State ${state.name}" value=${state.value} />`)}`;
}

/** Two values line by line; what differs is marked. @param {{ before: Json, after: Json }} props */
function Change({ before, after }) {
  const [all, setAll] = useState(false);
  const pairs = sideBySide(lines(before), lines(after));
  const changes = pairs.filter((pair) => !pair.same).length;
  const near = nearChanges(pairs, AROUND);
  const rows = all ? pairs : near;
  return html`<section class="payload" aria-label="State before and after">
    <header>
      <h3>State <span class="dim">${changes ? `${plural(changes, "line")} changed` : "not changed"}</span></h3>
      ${near.length < pairs.length && html`<span class="buttons"><button aria-pressed=${all} onClick=${() => setAll(!all)}>all lines</button></span>`}
    </header>
    <div class="payload-body">
      <table class="states mono">
        <thead><tr><th scope="col">before</th><th scope="col">after</th></tr></thead>
        <tbody>${rows.map((row) => typeof row === "number"
          ? html`<tr><td colspan="2" class="dim">${plural(row, "line")} the same</td></tr>`
          : html`<tr>
              <td class=${row.same || row.left === null ? "" : "removed"}>${row.left}</td>
              <td class=${row.same || row.right === null ? "" : "added"}>${row.right}</td>
            </tr>`)}
        </tbody>
      </table>
    </div>
  </section>`;
}

/** @param {Json} value */
const lines = (value) => (typeof value === "string" ? value : stringify(value));

/** What happened inside, when, counted from the span's start. @param {{ events: Event[] | undefined, start: string }} props */
export function Events({ events, start }) {
  if (!events?.length) return null;
  return html`<${Section} title="Events"><table class="small-table">
    <tbody>${events.map((event) => html`<tr>
      <td class="num dim"><time datetime=${event.at} title=${event.at}>${offset(between(start, event.at))}</time></td>
      <th scope="row">${event.name}</th>
      <td class="wide"><${Pairs} map=${event.attributes} /></td>
    </tr>`)}</tbody>
  </table><//>`;
}

/** @param {number} ns */
const offset = (ns) => (ns < 0 ? `− ${duration(-ns)}` : `+ ${duration(ns)}`);

/** Spans elsewhere. @param {{ links: Link[] | undefined }} props */
export function Links({ links }) {
  if (!links?.length) return null;
  return html`<${Section} title="Links"><table class="small-table">
    <tbody>${links.map((link) => html`<tr>
      <td><a class="link" href=${paths.trace(link.trace_id, link.span_id)}><code>${link.span_id}</code></a></td>
      <td><span class="dim">in trace</span> <code>${link.trace_id}</code></td>
      <td class="wide"><${Pairs} map=${link.attributes} /></td>
    </tr>`)}</tbody>
  </table><//>`;
}
