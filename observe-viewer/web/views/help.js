import { useEffect, useRef } from "preact/hooks";
import { html } from "../lib/html.js";
import { HELP } from "../lib/keys.js";

/** The keys. @param {{ onClose: () => void }} props */
export function Help({ onClose }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => dialog.current?.showModal(), []);
  return html`<dialog ref=${dialog} onClose=${onClose} aria-label="Keyboard"
      onClick=${(/** @type {MouseEvent} */ e) => e.target === dialog.current && onClose()}>
    <h2>Keyboard</h2>
    <table>${HELP.map(([keys, what]) => html`<tr>
      <th scope="row">${keys.split("  ").map((key) => html`<kbd>${key}</kbd>`)}</th><td>${what}</td></tr>`)}
    </table>
    <form method="dialog"><button autofocus>close</button></form>
  </dialog>`;
}
