import { moment } from "../lib/format.js";
import { html } from "../lib/html.js";
import { metricText, scoreText } from "../lib/records.js";
import { Pairs } from "./facts.js";
import { Mark } from "./glyph.js";
import { LongText, stringify } from "./json.js";

/** @import { Metric, Score } from "../lib/types.js" */

/** Scores that a line of chips holds, and characters of a value in it. */
const CHIPS = 8;
const CHIP = 40;

/** Scores in a line, each a link if `href` gives one. @param {{ scores: Score[], href?: (score: Score) => string | null, name?: (score: Score) => string }} props */
export function ScoreChips({ scores, href, name = (score) => score.name }) {
  if (!scores.length) return null;
  return html`<ul class="chips" aria-label="Scores">
    ${scores.slice(0, CHIPS).map((score) => {
      const text = html`<span class="dim">${name(score)}</span> <${ScoreValue} score=${score} limit=${CHIP} />`;
      const to = href?.(score);
      return html`<li key=${score.id} class="chip" title=${score.comment}>${to ? html`<a href=${to}>${text}</a>` : text}</li>`;
    })}
    ${scores.length > CHIPS && html`<li class="dim">${scores.length - CHIPS} more</li>`}
  </ul>`;
}

/** The value; yes and no with their marks. @param {{ score: Score, limit?: number }} props */
function ScoreValue({ score, limit = Infinity }) {
  const text = scoreText(score);
  const cut = text.length > limit ? text.slice(0, limit) + "…" : text;
  return html`<b class="value">${score.type === "boolean" && html`<${Mark} yes=${score.value === true} />`}${cut}</b>`;
}

/** Every score with all that was said. @param {{ title?: string, scores: Score[] }} props */
export function Scores({ title = "Scores", scores }) {
  if (!scores.length) return null;
  return html`<${Section} title=${title}><table class="small-table">
    <thead><tr><th scope="col">score</th><th scope="col">value</th><th scope="col">comment</th><th scope="col">by</th><th scope="col">at</th></tr></thead>
    <tbody>${scores.map((score) => html`<tr key=${score.id}>
      <th scope="row">${score.name}</th>
      <td><${ScoreValue} score=${score} /></td>
      <td class="wide">
        ${score.comment && html`<${LongText} text=${score.comment} limit=${300} />`}
        ${score.correction != null && html`<div><span class="dim">right:</span> <${LongText} limit=${300}
          text=${typeof score.correction === "string" ? score.correction : stringify(score.correction)} /></div>`}
        <${Pairs} map=${score.metadata} />
      </td>
      <td>${score.author}</td>
      <td class="dim"><time datetime=${score.at} title=${score.at}>${moment(score.at)}</time></td>
    </tr>`)}</tbody>
  </table><//>`;
}

/** @param {{ title?: string, metrics: Metric[] }} props */
export function Metrics({ title = "Metrics", metrics }) {
  if (!metrics.length) return null;
  return html`<${Section} title=${title}><table class="small-table">
    <thead><tr><th scope="col">metric</th><th scope="col">value</th><th scope="col">tags</th><th scope="col">at</th></tr></thead>
    <tbody>${metrics.map((metric) => html`<tr key=${metric.id}>
      <th scope="row">${metric.name}</th>
      <td><b class="value">${metricText(metric)}</b></td>
      <td class="wide">${metric.tags?.join(", ")}</td>
      <td class="dim"><time datetime=${metric.at} title=${metric.at}>${moment(metric.at)}</time></td>
    </tr>`)}</tbody>
  </table><//>`;
}

/** A titled box of the detail. @param {{ title: string, children?: any }} props */
export const Section = ({ title, children }) =>
  html`<section class="payload" aria-label=${title}><header><h3>${title}</h3></header><div class="payload-body">${children}</div></section>`;
