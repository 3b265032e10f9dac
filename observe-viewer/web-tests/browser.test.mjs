// Opens every view of a running viewer in Chromium and reads there what the API says.
//
// OBSERVE_URL         the viewer, e.g. http://127.0.0.1:4319; it must hold a session with turns and a failed span
// OBSERVE_QUESTION    text that must stand on the first session's page (optional)
// OBSERVE_ANSWER      the same
// CHROMIUM            the browser; /usr/bin/chromium unless set
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";
import { attributes, field, send, time, utf8 } from "./otlp.mjs";
import { tellAll } from "./told.mjs";

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
  const why = failed.span.details?.errors?.at(-1)?.message ?? failed.span.status_message;
  assert.ok(squeeze(await page.locator(".detail .error-text").innerText()).includes(squeeze(why).slice(0, 200)));
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

test("spans that were dropped are counted where that happened", async () => {
  const ids = [...field(1, Array(16).fill(7)), ...field(2, Array(8).fill(7))];
  // From 1970, so that what else is in the store stays first in the lists.
  const times = [...time(7, 1), ...time(8, 9)];
  const values = attributes(9, { "session.id": "overflown", "observe.dropped_spans": 12 });
  await send(base, [[...ids, ...field(5, utf8("flood")), ...times, ...values]]);

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

/** The text of the detail's section of this title. @param {string} title */
const section = async (title) => squeeze(await page.locator(`.detail section[aria-label="${title}"]`).innerText());

test("all that was said of a trace stands in its head and with its root", async () => {
  const told = await tellAll(base);
  await page.goto(`${base}/traces/${told.trace}`);
  await page.waitForSelector(".detail");
  assert.equal(squeeze(await page.locator("h1").innerText()), "change of address");
  const head = squeeze(await page.locator(".title").innerText());
  for (const text of ["version 3", "release r7", "environment staging", "public no", "the address was not changed", "Asked for the address, was refused once."]) {
    assert.ok(head.includes(text), `${text} in ${head}`);
  }
  const chips = await page.locator(".title .chip").allInnerTexts();
  assert.deepEqual(chips.map(squeeze), ["verdict half right", "grounded of complete no"]);
  assert.ok((await section("Trace input")).includes("Can it go to my office?"));
  assert.ok((await section("Trace output")).includes("Not yet."));
  assert.ok((await section("Trace scores")).includes("verdict half right too short ann"));
  assert.ok((await section("Trace metrics")).includes("steps 2"));
  assert.equal(await page.locator('.detail section[aria-label="Scores"]').count(), 0, "what is not there takes no room");

  await page.locator(".title .chip a").click();
  await page.waitForURL(`**/traces/${told.trace}?span=${told.step}`);
  await page.goto(`${base}/sessions/${told.session}`);
  await page.waitForSelector(".title .chip");
  assert.equal(squeeze(await page.locator(".title .chips").innerText()), "satisfied 0.25");
  assert.equal(squeeze(await page.locator(".turn-head .chips").innerText()), "verdict half right");
  assert.ok(squeeze(await page.locator(".said.input").innerText()).endsWith("Can it go to my office?"));
});

test("all that was said of a span stands in its detail", async () => {
  const told = await tellAll(base);
  await page.goto(`${base}/traces/${told.trace}?span=${told.step}`);
  await page.waitForSelector(`.detail[data-span="${told.step}"]`);
  const facts = squeeze(await page.locator(".detail > .facts").innerText());
  for (const text of ["first token 125 ms", "model small-1", "prompt support version 7", "temperature 0.2", "cost $0.0040 ($0.0015 in, $0.0025 out)"]) {
    assert.ok(facts.includes(text), `${text} in ${facts}`);
  }
  assert.equal(squeeze(await page.locator(".detail .chain > div").innerText()), "shop::Refused address service refused");
  const causes = await page.locator(".detail .chain li").allInnerTexts();
  assert.deepEqual(causes.map(squeeze), ["caused by unknown street", "caused by <b>no</b> such row"]);

  const states = page.locator(".states");
  assert.deepEqual((await states.locator(".removed").allInnerTexts()).map(squeeze), ['"step": 1,', '"1 Main Street"']);
  assert.deepEqual((await states.locator(".added").allInnerTexts()).map(squeeze), ['"step": 2,', '"9 Office Park"']);
  const near = await states.locator("tbody tr").count();
  await page.getByRole("button", { name: "all lines" }).click();
  await page.waitForFunction((count) => document.querySelectorAll(".states tbody tr").length > count, near);

  assert.ok((await section("State cache")).includes("warm"));
  assert.equal(await section("Events"), "Events + 150 ms retry attempt 2");
  assert.ok((await section("Scores")).includes("grounded no made up a street right: I could not change it. judge small-2"));
  assert.ok((await section("Metrics")).includes("answer_chars 32 chars chat"));
  assert.ok((await section("Model parameters")).includes("END"));
  assert.ok((await section("Tools")).includes("name, description"));
  const link = page.locator('.detail section[aria-label="Links"] a');
  assert.equal(await link.getAttribute("href"), `/traces/${"0d".repeat(16)}?span=${"0e".repeat(8)}`);
  await page.keyboard.press("k");
  await page.waitForSelector(`.detail[data-span="${told.root}"]`);
});
