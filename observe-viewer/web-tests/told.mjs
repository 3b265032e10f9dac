// One trace of which everything is said that can be.
import { attributes, field, send, time, utf8 } from "./otlp.mjs";

const TRACE = "0b".repeat(16);
const [ROOT, STEP] = ["0b".repeat(8), "0c".repeat(8)];
// 1970, so that what else is in the store stays first in the lists.
const at = "1970-01-01T00:00:00Z";
const MS = 1_000_000;

/** @param {string} hex */
const bytes = (hex) => hex.match(/../g)?.map((pair) => parseInt(pair, 16)) ?? [];

/** @param {string} id @param {string} name @param {number} from @param {number} to milliseconds */
const span = (id, name, from, to) =>
  [...field(1, bytes(TRACE)), ...field(2, bytes(id)), ...field(5, utf8(name)), ...time(7, from * MS), ...time(8, to * MS)];

const said = {
  at,
  input: "Can it go to my office?",
  output: "Not yet.",
  summary: "Asked for the address, was refused once.",
  failed: "the address was not changed",
};

const agent = [
  ...span(ROOT, "assist", 1, 900),
  ...attributes(9, {
    "session.id": "told",
    "openinference.span.kind": "AGENT",
    "observe.trace.name": "change of address",
    "observe.trace.version": "3",
    "observe.trace.release": "r7",
    "observe.trace.environment": "staging",
    "observe.trace.public": false,
    "observe.trace.said": JSON.stringify(said),
  }),
  // Status: message and code 2, an error.
  ...field(15, [...field(2, utf8("the address was not changed")), 3 << 3, 2]),
];

const states = [
  { name: "before", value: { step: 1, order: { id: 1001, lines: ["1 Main Street"], paid: true, items: [1, 2, 3, 4, 5, 6, 7] } } },
  { name: "after", value: { step: 2, order: { id: 1001, lines: ["9 Office Park"], paid: true, items: [1, 2, 3, 4, 5, 6, 7] } } },
  { name: "cache", value: ["warm"] },
];

const generation = [
  ...span(STEP, "complete", 100, 700),
  ...field(4, bytes(ROOT)),
  ...attributes(9, {
    "session.id": "told",
    "openinference.span.kind": "LLM",
    "llm.model_name": "small-1",
    "llm.invocation_parameters": JSON.stringify({ temperature: 0.2, stop: ["END"] }),
    "gen_ai.prompt.name": "support",
    "gen_ai.prompt.version": "7",
    "gen_ai.tool.definitions": JSON.stringify([{ name: "change_address", description: "Changes where an order goes" }]),
    "gen_ai.response.time_to_first_chunk": 0.125,
    "llm.cost.prompt": 0.0015,
    "llm.cost.completion": 0.0025,
    "llm.cost.total": 0.004,
    "observe.states": JSON.stringify(states),
  }),
  ...field(11, [...time(1, 250 * MS), ...field(2, utf8("retry")), ...attributes(3, { attempt: 2 })]),
  ...field(11, [
    ...time(1, 690 * MS),
    ...field(2, utf8("exception")),
    ...attributes(3, {
      "exception.type": "shop::Refused",
      "exception.message": "address service refused",
      "observe.exception.sources": ["unknown street", "<b>no</b> such row"],
    }),
  ]),
  ...field(13, [...field(1, bytes("0d".repeat(16))), ...field(2, bytes("0e".repeat(8))), ...attributes(4, { why: "same order" })]),
  ...field(15, [...field(2, utf8("address service refused: unknown street: <b>no</b> such row")), 3 << 3, 2]),
];

const target = { trace_id: TRACE, session: "told" };
const records = [
  { score: { id: "t1", name: "verdict", type: "categorical", value: "half right", target, at, comment: "too short", author: "ann" } },
  {
    score: {
      id: "t2", name: "grounded", type: "boolean", value: false, target: { ...target, span_id: STEP }, at,
      comment: "made up a street", correction: "I could not change it.", metadata: { judge: "small-2" },
    },
  },
  { score: { id: "t3", name: "satisfied", type: "numeric", value: 0.25, target: { session: "told" }, at } },
  { metric: { id: "t4", name: "answer_chars", value: 32, unit: "chars", tags: ["chat"], target: { ...target, span_id: STEP }, at } },
  { metric: { id: "t5", name: "steps", value: 2, target, at } },
];

/** A record travels on a span of its own. @param {object} record @param {number} n */
const carrier = (record, n) =>
  [...span(`f${n}`.repeat(8), "record", 2, 2), ...attributes(9, { "observe.record": JSON.stringify(record) })];

/** Sends it to a viewer; answers where it is. @param {string} base */
export async function tellAll(base) {
  await send(base, [agent, generation, ...records.map(carrier)]);
  return { trace: TRACE, root: ROOT, step: STEP, session: "told" };
}
