// OTLP's protobuf, as far as the tests send it: bodies of fields below 16384 bytes.

/** @param {number} number @param {Iterable<number>} bytes @returns {number[]} */
export function field(number, bytes) {
  const body = [...bytes];
  return [(number << 3) | 2, (body.length & 127) | 128, body.length >> 7, ...body];
}

/** @param {string} text */
export const utf8 = (text) => new TextEncoder().encode(text);

/** Eight bytes. @param {number} number @param {(view: DataView) => void} set */
function fixed(number, set) {
  const bytes = new Uint8Array(8);
  set(new DataView(bytes.buffer));
  return [(number << 3) | 1, ...bytes];
}

/** A time, in nanoseconds since 1970. @param {number} number @param {number} ns */
export const time = (number, ns) => fixed(number, (view) => view.setBigUint64(0, BigInt(ns), true));

/** A truth, a whole number below 128, any other number, a text or texts. @typedef {boolean | number | string | string[]} Any */

/** @param {Any} value @returns {number[]} */
function any(value) {
  if (Array.isArray(value)) return field(5, value.flatMap((item) => field(1, any(item))));
  if (typeof value === "string") return field(1, utf8(value));
  if (typeof value === "boolean") return [2 << 3, Number(value)];
  return Number.isInteger(value) ? [3 << 3, value] : fixed(4, (view) => view.setFloat64(0, value, true));
}

/** Key and value pairs. @param {number} number the field they lie in @param {Record<string, Any>} values */
export const attributes = (number, values) =>
  Object.entries(values).flatMap(([key, value]) => field(number, [...field(1, utf8(key)), ...field(2, any(value))]));

/** Sends spans to a viewer. @param {string} base @param {number[][]} spans */
export async function send(base, spans) {
  const body = new Uint8Array(field(1, field(2, spans.flatMap((span) => field(2, span)))));
  const response = await fetch(`${base}/v1/traces`, { method: "POST", headers: { "content-type": "application/x-protobuf" }, body });
  if (response.status !== 200) throw new Error(await response.text());
}
