/** @import { Failure, Metric, Score, Span, Target, Trace } from "./types.js" */

/** Those about this span. @template {{ target: Target }} T @param {T[]} records @param {Span} span */
export const ofSpan = (records, span) => records.filter((r) => r.target.span_id === span.span_id);

/**
 * Those about the trace itself, and about spans that have not arrived, so that none is left out.
 *
 * @template {{ target: Target }} T
 * @param {T[]} records
 * @param {Trace} trace
 */
export function ofTrace(records, trace) {
  const spans = new Set(trace.spans.map((span) => span.span_id));
  return records.filter((r) => r.target.span_id == null || !spans.has(r.target.span_id));
}

/** Those about a session as a whole. @param {Score[]} scores */
export const ofSession = (scores) => scores.filter((score) => score.target.trace_id == null);

/** A score's value as it is read. @param {Score} score */
export const scoreText = (score) => (score.type === "boolean" ? (score.value ? "yes" : "no") : number(score.value));

/** A metric's value with its unit. @param {Metric} metric */
export const metricText = (metric) => number(metric.value) + (metric.unit ? ` ${metric.unit}` : "");

/** @param {string | number | boolean} value */
const number = (value) => (typeof value === "number" ? value.toLocaleString("en-US", { maximumSignificantDigits: 6 }) : String(value));

/** An error's text and its sources' as one, as a span's status says it. @param {Failure} error */
export const failureText = ({ message, sources = [] }) =>
  sources.reduce((text, source) => (text.endsWith(source) ? text : `${text}: ${source}`), message);
