import { html } from "../lib/html.js";
import { Message } from "./message.js";

const EXAMPLE = `use observe::{observe, session};

#[observe(as_type = "generation")]
async fn answer(question: &str) -> Result<String, Error> { .. }

#[tokio::main]
async fn main() {
    let _observe = observe::init();
    let reply = session("conversation-1").scope(answer("What is new?")).await;
}`;

/** The settings of an exporter that reaches this server. */
const exporter = () => `OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}
OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`;

/** Nothing has been recorded yet: how to. */
export const Waiting = () => html`<${Message} title="Waiting for the first span">
  <p>Annotate a function, run the program: its traces appear here as they happen.</p>
  <pre class="code">${EXAMPLE}</pre>
  <p>Not Rust? Any OpenTelemetry SDK can send here:</p>
  <pre class="code">${exporter()}</pre>
  <p class="dim">Nothing shows up although your program runs? Then it writes to another database: give both the same <code>OBSERVE_DIR</code>, or this command <code>--database</code>. With <code>OBSERVE_DEBUG=1</code> your program says what it records.</p>
<//>`;
