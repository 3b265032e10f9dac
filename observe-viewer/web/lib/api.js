import { useEffect, useRef, useState } from "preact/hooks";

/** @import { Json } from "./types.js" */

/** Whether the server's stream of changes is open. */
let online = false;
/** @type {Set<() => void>} */
const onChange = new Set();
/** @type {Set<(online: boolean) => void>} */
const onLine = new Set();

/**
 * Listens to the stream of changes while the page is in sight, and reconnects by itself. A browser keeps only six
 * connections to a server, so that pages in the background must not hold one each.
 */
export function connect() {
  /** @type {EventSource | undefined} */
  let events;
  function update() {
    if (document.hidden) {
      events?.close();
      events = undefined;
    } else if (!events) {
      events = new EventSource("/api/v1/events");
      // The server also tells a change at once, which brings a page up to date that was out of sight.
      events.addEventListener("change", () => onChange.forEach((f) => f()));
      events.addEventListener("open", () => setOnline(true));
      events.addEventListener("error", () => setOnline(false));
    }
  }
  document.addEventListener("visibilitychange", update);
  update();
}

/** @param {boolean} now */
function setOnline(now) {
  online = now;
  onLine.forEach((f) => f(now));
}

/** Whether the page hears of changes as they happen. */
export function useOnline() {
  const [state, set] = useState(online);
  useEffect(() => {
    set(online);
    onLine.add(set);
    return () => void onLine.delete(set);
  }, []);
  return state;
}

/**
 * What the API answers at `url`, asked again whenever something changed. What was there stays until the new answer
 * is, and an answer that says the same changes nothing. Nothing is asked while there is no `url`.
 *
 * @template T
 * @param {string | null} url
 * @returns {{ data: T | undefined, error: string | undefined }}
 */
export function useLive(url) {
  const [state, set] = useState(/** @type {{ url: string | null, data?: T, error?: string }} */ ({ url }));
  const last = useRef("");
  useEffect(() => {
    if (url === null) return;
    const path = url;
    let stopped = false;
    let asking = false;
    let stale = false;
    last.current = "";
    async function ask() {
      // One question at a time: changes that arrive meanwhile are one more question.
      if (asking) {
        stale = true;
        return;
      }
      asking = true;
      do {
        stale = false;
        const answer = await get(path);
        if (stopped) return;
        if (answer.text !== last.current) {
          last.current = answer.text;
          set(answer.ok ? { url, data: parse(answer.text) } : { url, error: message(answer.text) });
        }
      } while (stale);
      asking = false;
    }
    ask();
    onChange.add(ask);
    return () => {
      stopped = true;
      onChange.delete(ask);
    };
  }, [url]);
  return state.url === url ? { data: state.data, error: state.error } : { data: undefined, error: undefined };
}

/** @param {string} url */
async function get(url) {
  try {
    const response = await fetch(url);
    return { ok: response.ok, text: await response.text() };
  } catch {
    return { ok: false, text: '{"error": "the observe command does not answer; is it still running?"}' };
  }
}

/** @param {string} text */
function message(text) {
  try {
    return String(JSON.parse(text).error);
  } catch {
    return text || "the server gave no answer";
  }
}

/**
 * JSON.parse, but integers that a JavaScript number cannot hold keep their digits where the browser can say them.
 *
 * @param {string} text
 */
function parse(text) {
  if (!/[:[,]\s*-?\d{16}/.test(text)) return JSON.parse(text);
  const exact = (/** @type {string} */ _key, /** @type {any} */ value, /** @type {any} */ context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context.source)
      : value;
  return JSON.parse(text, /** @type {any} */ (exact));
}
