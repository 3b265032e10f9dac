import { useEffect, useState } from "preact/hooks";

/** @type {Set<() => void>} */
const listeners = new Set();

/** Shows `href`; `replace` leaves no step to go back to. @param {string} href @param {{ replace?: boolean }} [how] */
export function go(href, how) {
  if (href === location.pathname + location.search) return;
  history[how?.replace ? "replaceState" : "pushState"](null, "", href);
  listeners.forEach((f) => f());
}

/** The address: the path's decoded parts and the query. */
export function useRoute() {
  const [route, set] = useState(read);
  useEffect(() => {
    const update = () => set(read());
    listeners.add(update);
    addEventListener("popstate", update);
    document.addEventListener("click", follow);
    return () => {
      listeners.delete(update);
      removeEventListener("popstate", update);
      document.removeEventListener("click", follow);
    };
  }, []);
  return route;
}

function read() {
  const parts = location.pathname.split("/").filter(Boolean);
  return { parts: parts.map(decode), query: new URLSearchParams(location.search) };
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Plain clicks on our own links change the view; any other click is the browser's. @param {MouseEvent} event */
function follow(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = /** @type {Element} */ (event.target).closest("a");
  if (!link || link.origin !== location.origin || link.target || link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** @param {Record<string, string | null | undefined>} values */
function query(values) {
  const set = Object.entries(values).filter(([, v]) => v != null && v !== "");
  return set.length ? "?" + new URLSearchParams(/** @type {any} */ (set)) : "";
}

/** Where each view, and the data behind it, is found. */
export const paths = {
  sessions: (/** @type {{ project?: string | null, after?: string | null }} */ q = {}) => "/sessions" + query(q),
  session: (/** @type {string} */ id, /** @type {string} */ project) =>
    `/sessions/${encodeURIComponent(id)}` + query({ project }),
  traces: (/** @type {{ project?: string | null, session?: string | null, status?: string | null, after?: string | null }} */ q = {}) =>
    "/traces" + query(q),
  trace: (/** @type {string} */ id, /** @type {string} */ span = "") => `/traces/${id}` + query({ span }),
  /** A question of the API that has no view of its own. */
  scores: (/** @type {{ session: string, project: string }} */ q) => "/scores" + query({ session: q.session, project: q.project, limit: "1000" }),
  api: (/** @type {string} */ path) => "/api/v1" + path,
};
