import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { connect, useOnline } from "./lib/api.js";
import { html } from "./lib/html.js";
import { useKeys } from "./lib/keys.js";
import { go, paths, useRoute } from "./lib/route.js";
import { Help } from "./views/help.js";
import { Message } from "./views/message.js";
import { SessionPage } from "./views/session.js";
import { Sessions } from "./views/sessions.js";
import { TracePage } from "./views/trace.js";
import { Traces } from "./views/traces.js";

function App() {
  const { parts, query } = useRoute();
  const [help, setHelp] = useState(false);
  useKeys({
    "?": () => setHelp(!help),
    s: () => go(paths.sessions()),
    t: () => go(paths.traces()),
  });
  useEffect(() => {
    if (!parts.length) go(paths.sessions(), { replace: true });
  });
  return html`
    <${Header} at=${parts[0]} onHelp=${() => setHelp(true)} />
    <main>${view(parts, query)}</main>
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}`;
}

/** @param {string[]} parts @param {URLSearchParams} query */
function view([name, id, ...rest], query) {
  if (name === undefined) return null;
  if (rest.length === 0) {
    if (name === "sessions") {
      return id === undefined
        ? html`<${Sessions} query=${query} />`
        : html`<${SessionPage} key=${id} id=${id} project=${query.get("project")} />`;
    }
    if (name === "traces") {
      return id === undefined
        ? html`<${Traces} query=${query} />`
        : html`<${TracePage} key=${id} id=${id} span=${query.get("span")} />`;
    }
  }
  return html`<${Message} title="No such page"><a href=${paths.sessions()}>All sessions</a><//>`;
}

/** @param {{ at: string | undefined, onHelp: () => void }} props */
function Header({ at, onHelp }) {
  const online = useOnline();
  const tab = (/** @type {string} */ name, /** @type {string} */ href, /** @type {string} */ text) =>
    html`<a href=${href} aria-current=${at === name ? "page" : undefined}>${text}</a>`;
  return html`<header class="top">
    <a class="brand" href=${paths.sessions()}><img src="/assets/icon.svg" alt="" width="18" height="18" />observe</a>
    <nav aria-label="Views">${tab("sessions", paths.sessions(), "Sessions")}${tab("traces", paths.traces(), "Traces")}</nav>
    <span class="grow"></span>
    <span class="live ${online ? "on" : ""}" role="status">${online ? "live" : "not connected"}</span>
    <button onClick=${onHelp} aria-label="Keyboard help">?</button>
  </header>`;
}

/** A token has done its work once the page is here; it should not stay in the address. */
function forgetToken() {
  const query = new URLSearchParams(location.search);
  if (!query.has("token")) return;
  query.delete("token");
  const rest = query.toString();
  history.replaceState(null, "", location.pathname + (rest && "?" + rest));
}

forgetToken();
connect();
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
