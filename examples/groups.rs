//! Trace groups, as Artanis has them: traces that share one id belong together. Here that id is the *session*.
//!
//! The page's examples in its order; run them with `cargo run --example groups`, and look with `observe view`.
//! Source: Artanis, "What are Trace Groups?".
#![allow(dead_code, reason = "the tests include this file, too")]

use std::collections::BTreeMap;

use observe::{observe, session};
use serde_json::{Value, json};

fn main() {
    let _observe = observe::init();
    run();
}

/// Every example of the page.
pub(crate) fn run() {
    basic_usage();
    let mut bot = ChatBot::new("user-123", "2024-01-15T09:30:00");
    bot.answer("What is AI?");
    bot.answer("How does machine learning work?");
    bot.answer("Can you give me an example?");
    good_group_ids();
    one_off("What time is it?");
    for date in ["2024-01-15", "2024-01-16"] {
        process_user_request("user-123", "report", &json!({ "date": date }), "2024-01-17");
    }
}

/// "Basic Usage": two traces in one group.
fn basic_usage() {
    let conversation = || session("conversation_abc123").metadata("user_id", "user-123");
    conversation().sync_scope(|| {
        observe::span("answer-question").sync_scope(|| {
            observe::current_span()
                .input(json!({ "question": "What is AI?" }))
                .output("AI stands for Artificial Intelligence...");
        });
    });
    // The follow-up has the same id: nothing else is needed.
    conversation().sync_scope(|| {
        observe::span("answer-question").sync_scope(|| {
            observe::current_span()
                .input(json!({ "question": "How does it work?" }))
                .output("AI works by processing data through algorithms...");
        });
    });
}

/// "Real-World Example: Chat Application". The bot keeps its conversation's id beside the conversation.
struct ChatBot {
    user: String,
    begun: String,
    conversation: String,
}

impl ChatBot {
    fn new(user: &str, now: &str) -> Self {
        Self { user: user.to_owned(), begun: now.to_owned(), conversation: format!("conv_{user}_{now}") }
    }

    /// One turn is one trace; the attribute takes the group from the bot itself. When it was, every trace says anyway.
    #[observe(
        name = "answer-question",
        session = &self.conversation,
        user = &self.user,
        metadata = { begun: &self.begun }
    )]
    fn answer(&mut self, question: &str) -> String {
        your_ai_model(question)
    }
}

fn your_ai_model(question: &str) -> String {
    format!("An answer to: {question}")
}

/// "Examples of Good Group IDs": any string that the application chooses.
fn good_group_ids() {
    let (user, timestamp, number) = ("user-123", "20240115T0930", 4711);
    for id in [
        format!("conversation_{user}_{timestamp}"),
        format!("session_{number}"),
        format!("email_thread_{number}"),
        format!("ticket_{number}"),
    ] {
        session(id).sync_scope(|| answer("Which group is this?"));
    }
}

#[observe]
fn answer(question: &str) -> String {
    your_ai_model(question)
}

/// "Best Practices": the group is optional. A trace without one simply has none.
#[observe]
fn one_off(question: &str) -> String {
    your_ai_model(question)
}

/// "Advanced: Dynamic Grouping": by user, kind of request and day.
#[observe(
    name = format!("process-{kind}"),
    session = format!("{user}_{kind}_{today}"),
    user = user,
    metadata = { user_id: user, "type": kind },
    input = data
)]
fn process_user_request(user: &str, kind: &str, data: &Value, today: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(kind.to_owned(), format!("done for {}", data["date"]))])
}
