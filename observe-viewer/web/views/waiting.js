import { html } from "../lib/html.js";
import { Message } from "./message.js";

const EXAMPLE = `use observe::{observe, session};

#[observe(as_type = "generation")]
async fn answer(question: &str) -> Result<String, Error> { .. }

#[tokio::main]
async fn main() {
    let _observe = observe::init();
    session("conversation-1").scope(answer("What is new?")).await;
}`;

/** Nothing has been recorded yet: how to. */
export const Waiting = () => html`<${Message} title="Waiting for the first span">
  <p>Annotate a function, run the program: its traces appear here as they happen.</p>
  <pre class="code">${EXAMPLE}</pre>
  <p class="dim">Nothing shows up although your program runs? Then it writes to another database: give both the same
    <code>OBSERVE_DIR</code>, or this command <code>--database</code>. With <code>OBSERVE_DEBUG=1</code> your program says what it records.</p>
<//>`;
