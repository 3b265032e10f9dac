// Opens every view of a running viewer in Chromium and reads there what the API says.
//
// OBSERVE_URL         the viewer, e.g. http://127.0.0.1:4319; it must hold a session with turns and a failed span
// OBSERVE_QUESTION    text that must stand on the first session's page (optional)
// OBSERVE_ANSWER      the same
// CHROMIUM            the browser; /usr/bin/chromium unless set
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";

const base = (process.env.OBSERVE_URL ?? "").replace(/\/$/, "");
assert.ok(base, "set OBSERVE_URL to the address of a running `observe view`");

/** @param {string} path */
async function api(path) {
  const response = await fetch(`${base}/api/v1${path}`);
  assert.equal(response.status, 200, path);
  return response.json();
}

/** Every text in a recorded value. @param {any} value @returns {string[]} */
function texts(value) {
  if (typeof value === "string") return [value];
  return value && typeof value === "object" ? Object.values(value).flatMap(texts) : [];
}

/** White space as the page shows it and as it was recorded need not agree. @param {string} text */
const squeeze = (text) => text.replace(/\s+/g, " ").trim();

/** @param {any} session */
const sessionPath = (session) => `/sessions/${encodeURIComponent(session.session)}?project=${encodeURIComponent(session.project)}`;

/** Whether one of the texts of `value`, or its beginning, stands in `shown`. @param {string} shown @param {any} value */
function assertShows(shown, value) {
  const wanted = texts(value).map((text) => squeeze(text).slice(0, 400)).filter(Boolean);
  assert.ok(wanted.length, "the value holds no text to look for");
  assert.ok(wanted.some((text) => squeeze(shown).includes(text)), `none of ${JSON.stringify(wanted)} in ${shown}`);
}

/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;
/** @type {string[]} */
let complaints;

before(async () => {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
});
after(() => browser.close());

beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => request.url().startsWith(base) || complaints.push(`asked ${request.url()}`));
});
afterEach(async () => {
  await page.close();
  assert.deepEqual(complaints, [], "the console is silent and nobody else is asked");
});

test("the session list names every session and opens by keyboard", async () => {
  const { items } = await api("/sessions");
  assert.ok(items.length, "there are sessions");
  await page.goto(base);
  await page.waitForSelector("table.list tbody tr");
  assert.equal(await page.locator("table.list tbody tr").count(), items.length);
  const names = await page.locator("a.row-link").allTextContents();
  assert.deepEqual(names.map((n) => n.trim()), items.map((/** @type {any} */ s) => s.session));
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".turn");
  assert.ok(page.url().endsWith(sessionPath(items[0])), page.url());
  await page.keyboard.press("Escape");
  await page.waitForSelector("table.list");
});

test("a session page reads as a conversation", async () => {
  const [summary] = (await api("/sessions")).items;
  const session = await api(sessionPath(summary));
  await page.goto(base + sessionPath(summary));
  await page.waitForSelector(".turn");
  assert.equal(await page.locator(".turn").count(), session.turns.length);
  const first = page.locator(".turn").first();
  const root = session.turns[0].spans.find((/** @type {any} */ s) => s.parent_id === null);
  await first.locator(".said.input").waitFor({ state: "visible" });
  assertShows(await first.locator(".said.input").innerText(), root.input);
  await first.locator(".said.output").waitFor({ state: "visible" });
  assertShows(await first.locator(".said.output").innerText(), root.output);
  const all = squeeze(await page.locator("main").innerText());
  for (const text of [process.env.OBSERVE_QUESTION, process.env.OBSERVE_ANSWER]) {
    if (text) assert.ok(all.includes(squeeze(text)), text);
  }
  const rows = await first.locator("[role=treeitem] .name").allTextContents();
  assert.deepEqual(rows, session.turns[0].spans.slice(0, rows.length).map((/** @type {any} */ s) => s.name));
  assert.ok(rows.length > 0);
});

test("a failed span is marked by glyph, word and text, and leads to its detail", async () => {
  const sessions = await Promise.all((await api("/sessions")).items.map((/** @type {any} */ s) => api(sessionPath(s))));
  const spans = sessions.flatMap((session) => session.turns.flatMap((/** @type {any} */ turn) =>
    turn.spans.map((/** @type {any} */ span) => ({ session, turn, span }))));
  const failed = spans.find(({ span }) => span.status === "error" && span.span_type === "tool" && span.parent_id)
    ?? spans.find(({ span }) => span.status === "error" && span.parent_id);
  assert.ok(failed, "there is a failed span below a root");
  await page.goto(base + sessionPath(failed.session));
  const link = page.locator(".failures a", { hasText: failed.span.name }).first();
  await link.waitFor();
  assert.ok(squeeze(await link.innerText()).includes(squeeze(failed.span.status_message).slice(0, 200)));
  assert.equal(await link.locator("[role=img][aria-label=error]").count(), 1);
  await link.click();
  await page.waitForSelector(".detail");
  assert.equal(squeeze(await page.locator(".detail .status-error").innerText()), "error");
  assert.ok(squeeze(await page.locator(".detail .error-text").innerText()).includes(squeeze(failed.span.status_message).slice(0, 200)));
});

test("a trace page shows its tree and the chosen span", async () => {
  const [summary] = (await api("/traces")).items;
  const trace = await api(`/traces/${summary.trace_id}`);
  await page.goto(`${base}/traces/${summary.trace_id}`);
  await page.waitForSelector("[role=treeitem]");
  const names = await page.locator("[role=treeitem] .name").allTextContents();
  assert.deepEqual(names, trace.spans.slice(0, names.length).map((/** @type {any} */ s) => s.name));
  for (const span of trace.spans.slice(1, 6)) {
    await page.keyboard.press("ArrowDown");
    await page.waitForURL(`**/traces/${summary.trace_id}?span=${span.span_id}`);
    await page.waitForSelector(`.detail[data-span="${span.span_id}"]`);
    assert.ok(squeeze(await page.locator(".detail h2").innerText()).endsWith(squeeze(span.name)));
    const words = texts(span.output);
    if (words.length) assertShows(await page.locator(".detail").innerText(), words);
  }
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
});

test("the trace list and its filter are links", async () => {
  await page.goto(`${base}/traces`);
  await page.waitForSelector("a.row-link");
  await page.locator(".segments a", { hasText: "running" }).click();
  await page.waitForURL(`${base}/traces?status=running`);
  const { items } = await api("/traces?status=running");
  await page.waitForFunction((count) => document.querySelectorAll("a.row-link").length === count, items.length);
});

/** A protobuf field of bytes. @param {number} number @param {Iterable<number>} bytes @returns {number[]} */
function field(number, bytes) {
  const body = [...bytes];
  return [(number << 3) | 2, (body.length & 127) | 128, body.length >> 7, ...body];
}

/** @param {string} text */
const utf8 = (text) => new TextEncoder().encode(text);

/** An attribute of a span; a number below 128. @param {string} key @param {string | number} value */
const attribute = (key, value) =>
  field(9, [...field(1, utf8(key)), ...field(2, typeof value === "number" ? [3 << 3, value] : field(1, utf8(value)))]);

test("spans that were dropped are counted where that happened", async () => {
  const ids = [...field(1, Array(16).fill(7)), ...field(2, Array(8).fill(7))];
  // From 1970, so that what else is in the store stays first in the lists.
  const times = [(7 << 3) | 1, 1, 0, 0, 0, 0, 0, 0, 0, (8 << 3) | 1, 9, 0, 0, 0, 0, 0, 0, 0];
  const attributes = [...attribute("session.id", "overflown"), ...attribute("observe.dropped_spans", 12)];
  const span = field(2, [...ids, ...field(5, utf8("flood")), ...times, ...attributes]);
  const body = new Uint8Array(field(1, field(2, span)));
  const sent = await fetch(`${base}/v1/traces`, { method: "POST", headers: { "content-type": "application/x-protobuf" }, body });
  assert.equal(sent.status, 200, await sent.text());

  await page.goto(`${base}/sessions/overflown`);
  assert.equal(squeeze(await page.locator(".turn-head .dropped").innerText()), "12 spans dropped");
  await page.locator(".turn-link").click();
  await page.waitForSelector(".detail");
  const here = page.locator("[role=treeitem] .dropped");
  assert.equal(squeeze(await here.innerText()), "12 spans dropped here");
  assert.equal(await here.locator("[role=img][aria-label=warning]").count(), 1);
  assert.equal(squeeze(await page.locator(".detail header .dropped").innerText()), "12 spans dropped here");
  const facts = squeeze(await page.locator(".title .facts").innerText());
  assert.ok(facts.includes("dropped 12 spans"), facts);
});
