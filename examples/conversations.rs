//! Conversations, as Trajectory has them: every span inside inherits the conversation and its user.
//!
//! The page's examples in its order; run them with `cargo run --example conversations`.
//! Source: Trajectory, "Conversations".
#![allow(dead_code, reason = "the tests include this file, too")]

use observe::{SpanType, observe, session};
use serde_json::{Value, json};

/// The key and the organization are in the environment: `TRAJECTORY_API_KEY` and `TRAJECTORY_ORG_ID`. Recording is on
/// unless it is switched off; evaluations are left out.
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let _observe = observe::builder().project("conversation_demo").scores(false).init();
    run().await;
}

/// Every example of the page.
pub(crate) async fn run() {
    start_a_conversation();
    multi_turn_conversations();
    track_state_and_io();
    // The caller sees the error as it was.
    let _ = across_await_points(&Client).await;
}

/// "Start a conversation": input, output and a metric of a span that belongs to it.
fn start_a_conversation() {
    session("conv_123").user("user_42").sync_scope(|| {
        observe::span("greet_user").input(json!({ "message": "Hello!" })).sync_scope(|| {
            let reply = "Hi there 👋";
            observe::current_span().output(reply);
            observe::metric("greeting_chars", reply.chars().count())
                .unit("chars")
                .tag("chat")
                .persist()
                .record();
        });
        // Any observed function that is called here belongs to the conversation too.
        run_agent("Are you still there?");
    });
}

/// "Multi-turn conversations": the same id again stitches the turns together.
fn multi_turn_conversations() {
    session("conv_abc").user("user_42").sync_scope(|| {
        run_agent("What's the weather in Paris?");
        run_agent("What are the top attractions?");
        run_agent("Calculate 15 * 3");
    });
}

#[observe]
fn run_agent(message: &str) -> String {
    format!("Echo: {message}")
}

/// "Track state and I/O on spans".
fn track_state_and_io() {
    session("conv_789").user("user_99").sync_scope(|| {
        observe::span("tool_execution").sync_scope(|| {
            let span = observe::current_span()
                .state_before(json!({ "tool": "search", "stage": "pre" }))
                .input(json!({ "query": "best restaurants in SF" }));
            let result = ["Restaurant A", "Restaurant B"];
            span.output(result)
                .state_after(json!({ "tool": "search", "stage": "post", "results": result.len() }));
        });
    });
}

/// The notes at the end of the page: the conversation goes along over every await, and a client's calls belong to it.
async fn across_await_points(client: &Client) -> Result<Value, String> {
    let request = json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": "Hello!" }] });
    session("conv_async")
        .user("user_7")
        .scope(async {
            // What goes in, what comes back, and the model and tokens that the answer tells of.
            observe::span(SpanType::Generation).input(&request).call(client.chat(&request)).await
        })
        .await
}

/// Somebody else's client of a model.
struct Client;

impl Client {
    async fn chat(&self, request: &Value) -> Result<Value, String> {
        tokio::task::yield_now().await;
        let usage = json!({ "prompt_tokens": 9, "completion_tokens": 3 });
        Ok(
            json!({ "model": request["model"], "choices": [{ "message": { "content": "Hi!" } }], "usage": usage }),
        )
    }
}
