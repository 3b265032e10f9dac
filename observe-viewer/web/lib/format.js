/** @import { Totals, Usage } from "./types.js" */

/** What stands where nothing is known; never 0. */
export const UNKNOWN = "—";

/** @param {number | null | undefined} ns nanoseconds */
export function duration(ns) {
  if (ns == null) return UNKNOWN;
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 999.5e3) return `${figures(ns / 1e3)} µs`;
  if (ns < 999.5e6) return `${figures(ns / 1e6)} ms`;
  if (ns < 59.95e9) return `${figures(ns / 1e9)} s`;
  const seconds = Math.round(ns / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${pad(Math.floor((seconds % 3600) / 60))} m`;
}

/** Three figures. @param {number} n */
const figures = (n) => (n < 9.995 ? n.toFixed(2) : n < 99.95 ? n.toFixed(1) : n.toFixed(0));

/** @param {number} n */
const pad = (n) => String(n).padStart(2, "0");

/** @param {number | null | undefined} n */
export function count(n) {
  return n == null ? UNKNOWN : n.toLocaleString("en-US");
}

/** @param {number | null | undefined} usd US dollars */
export function cost(usd) {
  if (usd == null) return UNKNOWN;
  if (usd === 0) return "$0";
  if (usd < 0.0001) return "< $0.0001";
  return `$${usd < 0.1 ? usd.toFixed(4) : usd < 100 ? usd.toFixed(2) : Math.round(usd).toLocaleString("en-US")}`;
}

/** The names of the token buckets, in the order they are shown. @type {[keyof Usage, string, "in" | "out"][]} */
export const BUCKETS = [
  ["input", "input", "in"],
  ["cache_read", "cache read", "in"],
  ["cache_write", "cache write", "in"],
  ["input_audio", "audio input", "in"],
  ["output", "output", "out"],
  ["reasoning", "reasoning", "out"],
  ["output_audio", "audio output", "out"],
];

/** Sum of the known buckets; null if none is. @param {Usage} usage @param {"in" | "out"} [side] */
export function tokens(usage, side) {
  const known = BUCKETS.filter(([key, , s]) => usage[key] != null && (!side || s === side));
  return known.length ? known.reduce((sum, [key]) => sum + (usage[key] ?? 0), 0) : null;
}

/** @param {string} iso */
export function clock(iso) {
  const at = new Date(iso);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** The time, with its day unless that is today. @param {string} iso */
export function moment(iso) {
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  if (today) return clock(iso);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** "3 turns", "1 turn". @param {number} n @param {string} noun */
export const plural = (n, noun) => `${count(n)} ${noun}${n === 1 ? "" : "s"}`;

/**
 * Nanoseconds from one time to another, which a Date would round to milliseconds.
 *
 * @param {string} from
 * @param {string} to
 */
export function between(from, to) {
  const [a, b] = [from, to].map((iso) => iso.match(/^(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/) ?? ["", iso, "", ""]);
  const seconds = Date.parse(b[1] + b[3]) - Date.parse(a[1] + a[3]);
  const fraction = (/** @type {string | undefined} */ digits) => Number((digits ?? "").padEnd(9, "0").slice(0, 9));
  return seconds * 1e6 + fraction(b[2]) - fraction(a[2]);
}
