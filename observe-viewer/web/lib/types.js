/**
 * What `/api/v1` answers; `openapi.json` describes every field. Durations are nanoseconds, times RFC 3339 in UTC.
 *
 * @typedef {"running" | "ok" | "error" | "cancelled" | "abandoned" | "interrupted"} Status
 * @typedef {"span" | "generation" | "agent" | "tool" | "chain" | "retriever" | "embedding" | "evaluator" | "guardrail" | "event"} SpanType
 *
 * @typedef {object} Usage
 * @property {number} [input]
 * @property {number} [cache_read]
 * @property {number} [cache_write]
 * @property {number} [input_audio]
 * @property {number} [output]
 * @property {number} [reasoning]
 * @property {number} [output_audio]
 *
 * @typedef {object} Totals
 * @property {number} spans
 * @property {number} errors
 * @property {number} warnings
 * @property {number} debugs
 * @property {number} dropped
 * @property {Usage} usage
 * @property {number | null} cost
 *
 * @typedef {object} SessionSummary
 * @property {string} project
 * @property {string} session
 * @property {string | null} user
 * @property {number} traces
 * @property {number} failed_traces
 * @property {Totals} totals
 * @property {string} start
 * @property {string} end
 * @property {number} duration_ns
 * @property {number} active_ns
 * @property {string | null} first_input
 * @property {string | null} last_output
 *
 * @typedef {SessionSummary & { turns: Trace[] }} Session
 *
 * @typedef {object} TraceSummary
 * @property {string} project
 * @property {string} trace_id
 * @property {string} name
 * @property {string | null} session
 * @property {string | null} user
 * @property {string[]} tags
 * @property {Status} status
 * @property {string | null} status_message
 * @property {string} start
 * @property {string | null} end
 * @property {number} duration_ns
 * @property {string | null} input
 * @property {string | null} output
 * @property {string | null} version
 * @property {string | null} release
 * @property {string | null} environment
 * @property {boolean | null} public
 * @property {Totals} totals
 *
 * @typedef {object} About
 * @property {string | null} previous
 * @property {string | null} next
 * @property {Said | null} said
 * @property {Score[]} scores
 * @property {Metric[]} metrics
 * @property {Span[]} spans
 *
 * @typedef {TraceSummary & About} Trace
 *
 * @typedef {object} Said
 * @property {string} at
 * @property {Json} [input]
 * @property {Json} [output]
 * @property {Json} [summary]
 * @property {string} [failed]
 *
 * @typedef {object} Span
 * @property {string} span_id
 * @property {string | null} parent_id
 * @property {number} depth
 * @property {string} name
 * @property {SpanType} span_type
 * @property {Status} status
 * @property {string | null} status_message
 * @property {"debug" | "default" | "warning" | "error"} level
 * @property {string} start
 * @property {number} offset_ns
 * @property {number | null} duration_ns
 * @property {Json} input
 * @property {Json} output
 * @property {Record<string, Json>} metadata
 * @property {Record<string, Json>} trace_metadata
 * @property {string | null} session
 * @property {string | null} user
 * @property {string[]} tags
 * @property {string | null} model
 * @property {Usage} usage
 * @property {number | null} cost
 * @property {number | null} cost_input
 * @property {number | null} cost_output
 * @property {string | null} version
 * @property {string | null} function
 * @property {string | null} location
 * @property {number} dropped
 * @property {Details | null} details
 *
 * @typedef {object} Details
 * @property {State[]} [states]
 * @property {Event[]} [events]
 * @property {Link[]} [links]
 * @property {Failure[]} [errors]
 * @property {{ name: string, version?: string }} [prompt]
 * @property {Record<string, Json>} [parameters]
 * @property {Json} [tools]
 * @property {number} [time_to_first]
 * @property {boolean} [given_parent]
 * @property {Said} [trace]
 *
 * @typedef {{ name: string, value: Json }} State
 * @typedef {{ name: string, at: string, attributes?: Record<string, Json> }} Event
 * @typedef {{ trace_id: string, span_id: string, attributes?: Record<string, Json> }} Link
 * @typedef {{ kind?: string, message: string, sources?: string[] }} Failure
 * @typedef {{ trace_id?: string, span_id?: string, session?: string }} Target
 *
 * @typedef {object} Score
 * @property {string} id
 * @property {string} name
 * @property {"numeric" | "boolean" | "categorical" | "text"} type
 * @property {number | boolean | string} value
 * @property {Target} target
 * @property {string} at
 * @property {string} [comment]
 * @property {Json} [correction]
 * @property {Record<string, Json>} [metadata]
 * @property {string} [author]
 *
 * @typedef {object} Metric
 * @property {string} id
 * @property {string} name
 * @property {number} value
 * @property {string} [unit]
 * @property {string[]} [tags]
 * @property {Target} target
 * @property {string} at
 *
 * @typedef {string | number | bigint | boolean | null | Json[] | { [key: string]: Json }} Json
 */

/**
 * @template T
 * @typedef {{ items: T[], next: string | null }} Page
 */

export {};
