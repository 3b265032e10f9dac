/** @import { Json } from "./types.js" */

/** Names under which programs keep what a person wrote, or what a person is told; the first that is there wins. */
const SPOKEN = {
  input: ["question", "query", "prompt", "message", "user_message", "messages", "input", "text", "content", "request"],
  output: ["answer", "reply", "response", "text", "content", "message", "output", "completion", "choices", "result", "messages"],
};

/**
 * The text that a person would read in an input or an output: the question, the answer.
 * Null when it is data rather than text.
 *
 * @param {Json | undefined} value
 * @param {"input" | "output"} side
 * @returns {string | null}
 */
export function readable(value, side) {
  if (typeof value === "string") return value;
  if (value == null || typeof value !== "object") return null;
  if (Array.isArray(value)) return fromList(value, side);
  for (const key of SPOKEN[side]) {
    const text = key in value ? readable(value[key], side) : null;
    if (text != null) return text;
  }
  const values = Object.values(value);
  if (values.length === 1) return readable(values[0], side);
  const strings = values.filter((v) => typeof v === "string");
  return strings.length === 1 ? /** @type {string} */ (strings[0]) : null;
}

/** The last message of a conversation, or the text parts of one message. @param {Json[]} list @param {"input" | "output"} side */
function fromList(list, side) {
  const objects = list.filter((v) => v !== null && typeof v === "object" && !Array.isArray(v));
  if (objects.length !== list.length || list.length === 0) return null;
  const messages = /** @type {Record<string, Json>[]} */ (objects);
  if (messages.every((m) => m.type === "text" && typeof m.text === "string")) {
    return messages.map((m) => m.text).join("\n");
  }
  if (!messages.every((m) => "role" in m || "message" in m)) return null;
  const wanted = side === "input" ? messages.findLast((m) => m.role === "user") : undefined;
  return readable(wanted ?? messages[messages.length - 1], side);
}

/**
 * One line of a JSON text that may have been cut anywhere.
 *
 * @param {string | null} text
 * @param {"input" | "output"} side
 */
export function preview(text, side) {
  if (text == null) return "";
  const value = parseCut(text);
  if (value === undefined) return text;
  return readable(value, side)?.replace(/\s+/g, " ").trim() ?? text;
}

/**
 * Parses JSON whose end may be missing, by closing what is open; undefined if that fails.
 *
 * @param {string} text
 * @returns {Json | undefined}
 */
export function parseCut(text) {
  try {
    return JSON.parse(text);
  } catch {
    // Cut, then: go on.
  }
  /** @type {string[]} */
  const open = [];
  let inString = false;
  // Where the text can be ended with nothing half said, and what closes it there.
  let safe = -1;
  let closers = "";
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
      continue;
    }
    if (c === '"') inString = true;
    else if (c === "{" || c === "[") open.push(c === "{" ? "}" : "]");
    else if (c === "}" || c === "]") open.pop();
    if (c === ",") {
      safe = i;
      closers = open.toReversed().join("");
    }
  }
  const end = open.toReversed().join("");
  const whole = inString ? text.replace(/\\(u[0-9a-fA-F]{0,3})?$/, "") + '…"' : text;
  for (const candidate of [whole + end, safe < 0 ? "" : text.slice(0, safe) + closers]) {
    try {
      return JSON.parse(candidate);
    } catch {
      // The next one cuts earlier.
    }
  }
  return undefined;
}
