import { useState } from "preact/hooks";
import { html } from "../lib/html.js";
import { Disclosure } from "./glyph.js";

/** @import { Json } from "../lib/types.js" */

/** Characters of a string, and members of a list, that are shown before "show all". */
const LONG_TEXT = 2000;
const LONG_LIST = 100;
/** Levels that are open at first. */
const OPEN_LEVELS = 3;

/**
 * A recorded value: formatted and foldable, or as JSON text; copied with one press.
 *
 * `level` is how deep it counts as lying: the deeper, the less of it is open at first.
 *
 * @param {{ title: string, value: Json | undefined, level?: number }} props
 */
export function Payload({ title, value, level = 0 }) {
  const [raw, setRaw] = useState(false);
  return html`<section class="payload" aria-label=${title}>
    <header>
      <h3>${title}</h3>
      <span class="buttons">
        <button aria-pressed=${raw} onClick=${() => setRaw(!raw)}>raw</button>
        <${Copy} text=${() => (typeof value === "string" && !raw ? value : stringify(value ?? null))} />
      </span>
    </header>
    <div class="payload-body">
      ${raw ? html`<${LongText} text=${stringify(value ?? null)} /> ` : html`<${Value} value=${value ?? null} level=${level} />`}
    </div>
  </section>`;
}

/** @param {{ text: () => string }} props */
function Copy({ text }) {
  const [done, setDone] = useState("");
  async function copy() {
    setDone((await toClipboard(text())) ? "copied" : "not allowed");
    setTimeout(() => setDone(""), 1500);
  }
  return html`<button onClick=${copy} aria-live="polite">${done || "copy"}</button>`;
}

/** @param {string} text */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard on pages without TLS beyond this machine: the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** @param {{ value: Json, level: number }} props */
export function Value({ value, level }) {
  if (value === null) return html`<span class="json-null">null</span>`;
  if (typeof value === "string") return html`<${Text} text=${value} bare=${level === 0} />`;
  if (typeof value !== "object") return html`<span class="json-${typeof value}">${String(value)}</span>`;
  return html`<${Members} value=${value} level=${level} />`;
}

/** A string: newlines are newlines. @param {{ text: string, bare: boolean }} props */
function Text({ text, bare }) {
  if (bare) return html`<${LongText} text=${text} class="prose" />`;
  if (text.includes("\n") || text.length > 160) return html`<${LongText} text=${text} class="json-string block" />`;
  return html`<span class="json-string">${JSON.stringify(text)}</span>`;
}

/** Text that is cut until it is asked for. @param {{ text: string, class?: string, limit?: number }} props */
export function LongText({ text, class: kind, limit = LONG_TEXT }) {
  const [all, setAll] = useState(false);
  const cut = !all && text.length > limit * 1.2;
  return html`<div class="text ${kind ?? ""}">${cut ? text.slice(0, limit) + "…" : text}${cut
    ? html` <button class="more" onClick=${() => setAll(true)}>show all ${text.length.toLocaleString("en-US")} characters</button>`
    : ""}</div>`;
}

/** An object or a list. @param {{ value: Json[] | { [key: string]: Json }, level: number }} props */
function Members({ value, level }) {
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  const [open, setOpen] = useState(level < OPEN_LEVELS && !(level > 0 && entries.length > LONG_LIST));
  const [shown, setShown] = useState(LONG_LIST);
  const brackets = list ? "[]" : "{}";
  if (!entries.length) return html`<span class="dim">${brackets}</span>`;
  const names = list || open ? "" : " " + entries.slice(0, 5).map(([key]) => key).join(", ");
  const summary = `${brackets[0]} ${entries.length} ${brackets[1]}${names}`;
  return html`<div class="members">
    <button class="fold" aria-expanded=${open} aria-label=${list ? "list" : "object"} onClick=${() => setOpen(!open)}>
      <${Disclosure} open=${open} /><span class="dim">${summary}</span>
    </button>
    ${open && html`<ul>
      ${entries.slice(0, shown).map(([key, v]) => html`<li key=${key}><span class="json-key">${key}</span><${Value} value=${v} level=${level + 1} /></li>`)}
      ${entries.length > shown && html`<li><button class="more" onClick=${() => setShown(shown + 10 * LONG_LIST)}>
        show more of ${entries.length.toLocaleString("en-US")}</button></li>`}
    </ul>`}
  </div>`;
}

/**
 * JSON.stringify with two spaces, for values that hold BigInt.
 *
 * @param {Json} value
 * @param {string} [indent]
 * @returns {string}
 */
export function stringify(value, indent = "") {
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const inner = indent + "  ";
  const members = Array.isArray(value)
    ? value.map((v) => stringify(v, inner))
    : Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${stringify(v, inner)}`);
  const [left, right] = Array.isArray(value) ? "[]" : "{}";
  return members.length ? `${left}\n${inner}${members.join(",\n" + inner)}\n${indent}${right}` : left + right;
}
