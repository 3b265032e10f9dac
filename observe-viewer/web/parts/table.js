import { useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { go } from "../lib/route.js";

/**
 * A dense table whose rows are links.
 *
 * @template T
 * @param {object} props
 * @param {string} props.label what the table lists
 * @param {{ head: string, cell: (row: T, href: string) => any, kind?: string, title?: string }[]} props.columns
 * @param {T[]} props.rows
 * @param {(row: T) => string} props.id
 * @param {(row: T) => string} props.href
 */
export function Table({ label, columns, rows, id, href }) {
  const body = useRef(/** @type {HTMLElement | null} */ (null));
  useRowKeys(body, "a.row-link");
  return html`<table class="list" aria-label=${label}>
    <thead><tr>${columns.map((c) => html`<th scope="col" class=${c.kind} title=${c.title}>${c.head}</th>`)}</tr></thead>
    <tbody ref=${body}>
      ${rows.map((row) => html`<tr key=${id(row)} onClick=${(/** @type {MouseEvent} */ e) => openRow(e, href(row))}>
        ${columns.map((c) => html`<td class=${c.kind}>${c.cell(row, href(row))}</td>`)}
      </tr>`)}
    </tbody>
  </table>`;
}

/** A click anywhere in a row opens it, unless it selected text or hit a link. @param {MouseEvent} event @param {string} href */
function openRow(event, href) {
  if (/** @type {Element} */ (event.target).closest("a, button") || String(getSelection())) return;
  if (event.metaKey || event.ctrlKey) open(href, "_blank");
  else go(href);
}

/**
 * Arrow keys move the focus between the links that `selector` finds in `container`; Enter is the link's own.
 *
 * @param {{ current: HTMLElement | null }} container
 * @param {string} selector
 */
export function useRowKeys(container, selector) {
  /** @param {number} step */
  function move(step) {
    const links = /** @type {HTMLElement[]} */ ([...(container.current?.querySelectorAll(selector) ?? [])]);
    const at = links.findIndex((link) => link === document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
    links[next]?.focus();
  }
  useKeys({ ArrowDown: () => move(1), ArrowUp: () => move(-1) });
}
