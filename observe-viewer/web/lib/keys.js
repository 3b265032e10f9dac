import { useEffect, useRef } from "preact/hooks";

/** Keys that mean the same everywhere. */
const ALIAS = /** @type {Record<string, string>} */ ({ j: "ArrowDown", k: "ArrowUp", h: "ArrowLeft", l: "ArrowRight" });

/**
 * Handles keys while the component is shown; a handler that returns false leaves the key to the browser.
 *
 * @param {Record<string, (event: KeyboardEvent) => boolean | void>} handlers
 */
export function useKeys(handlers) {
  // Set while rendering, not after: a key that follows at once must meet the new state.
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    function pressed(event) {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
      const target = /** @type {HTMLElement} */ (event.target);
      if (target.closest("input, textarea, select, dialog")) return;
      // Enter and space on a link or button are that link's or button's.
      if (event.key === "Enter" && target.closest("a, button, summary")) return;
      const handler = latest.current[ALIAS[event.key] ?? event.key];
      if (handler && handler(event) !== false) event.preventDefault();
    }
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

/** What `?` shows. */
export const HELP = [
  ["j  k  ↓  ↑", "next, previous row, turn or span"],
  ["Enter", "open"],
  ["Esc", "back to the list above"],
  ["h  l  ←  →", "close, open a span's children"],
  ["e", "next failed span"],
  ["[  ]", "previous, next turn of the session"],
  ["s  t", "sessions, traces"],
  ["?", "this help"],
];
