import { useEffect } from "preact/hooks";
import { html } from "../lib/html.js";

/** One thing to say in place of a view. @param {{ title: string, children?: any }} props */
export const Message = ({ title, children }) =>
  html`<div class="message" role="status"><h1>${title}</h1>${children}</div>`;

/** What the server said instead of an answer. @param {{ error: string }} props */
export const Failure = ({ error }) => html`<${Message} title="That did not work"><p class="bad">${error}</p><//>`;

/** Names the browser's tab. @param {string} title */
export function useTitle(title) {
  useEffect(() => {
    document.title = title ? `${title} · observe` : "observe";
  }, [title]);
}
