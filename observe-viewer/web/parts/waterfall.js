import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { duration } from "../lib/format.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { arrange, extent, unfolded } from "../lib/tree.js";
import { Dropped } from "./facts.js";
import { Disclosure, StatusGlyph, TypeGlyph, WarningGlyph } from "./glyph.js";

/** @import { Span } from "../lib/types.js" @import { Node } from "../lib/tree.js" */

/** Height of a row in pixels; `--row` in the style sheet. */
const ROW = 26;
/** Rows drawn beyond the visible ones, so that scrolling shows no gap. */
const MARGIN = 12;
/** Characters of an error's text that a row holds; the detail has all. */
const REASON = 300;

/**
 * The tree of a trace with a bar per span. Only the rows in sight are in the document, so that a trace of many
 * thousand spans scrolls as lightly as one of ten.
 *
 * @param {object} props
 * @param {Span[]} props.spans
 * @param {(span: Span) => string} props.href
 * @param {string} [props.selected] a span id; with `onSelect`, keys move it
 * @param {(span: Span) => void} [props.onSelect]
 * @param {number} [props.maxRows] rows that are shown before the tree scrolls; all that fit if absent
 * @param {string} props.label
 */
export function Waterfall({ spans, href, selected, onSelect, maxRows, label }) {
  const [closed, setClosed] = useState(/** @type {Set<string>} */ (new Set()));
  const all = useMemo(() => arrange(spans), [spans]);
  const nodes = useMemo(() => unfolded(all, closed), [all, closed]);
  const total = useMemo(() => extent(spans), [spans]);
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const [first, last] = useWindow(box, nodes.length);

  /** @param {string} id @param {boolean} [open] */
  function toggle(id, open = closed.has(id)) {
    const next = new Set(closed);
    if (open) next.delete(id);
    else next.add(id);
    setClosed(next);
  }

  const at = nodes.findIndex((n) => n.span.span_id === selected);
  useReveal(box, selected, at);

  /** @param {number} index */
  function select(index) {
    const node = nodes[Math.min(Math.max(index, 0), nodes.length - 1)];
    if (node) onSelect?.(node.span);
  }
  function nextError() {
    const later = [...all.keys()].map((i) => (i + 1 + all.findIndex((n) => n.span.span_id === selected)) % all.length);
    const hit = later.find((i) => all[i].span.status === "error");
    if (hit === undefined) return;
    setClosed(new Set());
    onSelect?.(all[hit].span);
  }
  useKeys(!onSelect ? {} : {
    ArrowDown: () => select(at + 1),
    ArrowUp: () => select(at - 1),
    Home: () => select(0),
    End: () => select(nodes.length - 1),
    ArrowLeft: () => {
      if (at < 0) return;
      if (nodes[at].children && !closed.has(nodes[at].span.span_id)) toggle(nodes[at].span.span_id, false);
      else select(nodes.findLastIndex((n, i) => i < at && n.span.depth < nodes[at].span.depth));
    },
    ArrowRight: () => {
      if (at >= 0 && closed.has(nodes[at].span.span_id)) toggle(nodes[at].span.span_id, true);
      else select(at + 1);
    },
    e: nextError,
  });

  const height = nodes.length * ROW;
  return html`<div class="waterfall" ref=${box} role="tree" aria-label=${label}
      style=${maxRows ? { height: `${Math.min(nodes.length, maxRows) * ROW}px` } : undefined}>
    <div class="waterfall-rows" role="presentation" style=${{ height: `${height}px` }}>
      ${nodes.slice(first, last).map((node, i) => html`<${Row} key=${node.span.span_id} node=${node} top=${(first + i) * ROW}
        total=${total} href=${href(node.span)} selected=${node.span.span_id === selected}
        closed=${closed.has(node.span.span_id)} toggle=${toggle} onSelect=${onSelect} />`)}
    </div>
  </div>`;
}

/**
 * @param {{ node: Node, top: number, total: number, href: string, selected: boolean, closed: boolean,
 *   toggle: (id: string) => void, onSelect?: (span: Span) => void }} props
 */
function Row({ node: { span, children }, top, total, href, selected, closed, toggle, onSelect }) {
  const failed = span.status === "error";
  const why = span.status_message?.slice(0, REASON);
  const percent = (/** @type {number} */ ns) => (100 * ns) / total;
  const width = span.duration_ns == null ? 100 - percent(span.offset_ns) : percent(span.duration_ns);
  return html`<div class="row ${failed ? "failed" : ""}" role="treeitem" aria-level=${span.depth + 1} aria-selected=${selected}
      aria-expanded=${children ? !closed : undefined} style=${{ top: `${top}px` }}>
    <span class="row-name" style=${{ paddingLeft: `${Math.min(span.depth, 24) * 14}px` }}>
      ${children
        ? html`<button class="fold" tabindex="-1" aria-label=${closed ? "show children" : "hide children"}
            onClick=${() => toggle(span.span_id)}><${Disclosure} open=${!closed} /></button>`
        : html`<span class="fold"></span>`}
      <a href=${href} tabindex=${selected || !onSelect ? 0 : -1} title=${why ? `${span.name}: ${why}` : span.name}
        onClick=${onSelect && ((/** @type {MouseEvent} */ e) => chosen(e, () => onSelect(span)))}>
        <${TypeGlyph} type=${span.span_type} /><span class="name">${span.name}</span>
        ${closed ? html`<span class="dim">+${children}</span>` : ""}
        ${span.status === "ok" ? "" : html`<${StatusGlyph} status=${span.status} />`}
        ${span.level === "warning" ? html`<${WarningGlyph} />` : ""}
        <${Dropped} dropped=${span.dropped} where="here" />
        ${why ? html`<span class="why">${why}</span>` : ""}
        ${span.model ? html`<span class="dim">${span.model}</span>` : ""}
      </a>
    </span>
    <span class="num">${span.duration_ns == null ? "" : duration(span.duration_ns)}</span>
    <span class="track" aria-hidden="true">
      <span class="bar type-${span.span_type} ${span.duration_ns == null ? "open" : ""}"
        style=${{ left: `${percent(span.offset_ns)}%`, width: `${width}%` }}></span>
    </span>
  </div>`;
}

/** A plain click selects in place; any other is the browser's. @param {MouseEvent} event @param {() => void} select */
function chosen(event, select) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  select();
}

/** The rows in sight, as first and one past last. @param {{ current: HTMLElement | null }} box @param {number} count */
function useWindow(box, count) {
  const [range, set] = useState([0, 60]);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    function measure() {
      if (!element) return;
      // Steps of the margin's half: a draw per few rows scrolled, not per pixel.
      const step = MARGIN / 2;
      const top = Math.floor(element.scrollTop / ROW / step) * step;
      const first = Math.max(0, top - MARGIN);
      const last = top + Math.ceil(element.clientHeight / ROW) + step + MARGIN;
      set((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    }
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  return [range[0], Math.min(range[1], count)];
}

/** Scrolls the selected row into sight when the selection moves. @param {{ current: HTMLElement | null }} box @param {string | undefined} id @param {number} at */
function useReveal(box, id, at) {
  useEffect(() => {
    const element = box.current;
    if (!element || at < 0) return;
    const top = at * ROW;
    if (top < element.scrollTop) element.scrollTop = top - ROW;
    else if (top + ROW > element.scrollTop + element.clientHeight) element.scrollTop = top + 2 * ROW - element.clientHeight;
  }, [id]);
}
