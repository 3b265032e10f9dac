//! Traces and the decorator, as InteractiveAI and Langfuse have them.
//!
//! The page's examples in its order, by scope and by attribute; run them with `cargo run --example decorator`.
//! Source: InteractiveAI, "Traces".
#![allow(dead_code, clippy::print_stdout, reason = "a program; the tests include this file, too")]

use std::time::Duration;

use observe::{ObserveExt as _, SpanId, TraceId, attributes, observe, trace_context};
use serde_json::json;

#[tokio::main]
async fn main() {
    let _observe = observe::init();
    run().await;
    // Ensures all pending data is sent.
    let report = observe::flush(Duration::from_secs(5));
    println!("sent: {}", report.complete);
}

/// Every example of the page.
pub(crate) async fn run() {
    creating_a_trace();
    get_weather_response("What's the weather in Madrid?");
    weather_lookup("What's the weather in Madrid?");
    weather_lookup_async("What's the weather in Madrid?").await;
    updating_a_trace();
    updating_from_anywhere();
    handle_request("user-123", "What's the weather?");
    handle_request_for("user-123", "session-abc", "What's the weather?");
    deterministic_ids().await;
    distributed_tracing().await;
    trace_urls();
    current_context();
}

/// "Creating a Trace", by scope.
fn creating_a_trace() {
    observe::span("your-trace-name")
        .input(json!({ "user_query": "What's the weather in Madrid?" }))
        .sync_scope(|| {
            observe::current_span()
                .output(json!({ "final_response": "In Madrid, it is partly cloudy, around 6°C (43°F)." }));
        });
}

/// By attribute: named after the function, arguments as input, what it returns as output.
#[observe]
fn get_weather_response(user_query: &str) -> String {
    format!("{user_query} 6°C.")
}

/// With a name of one's own.
#[observe(name = "weather-lookup")]
fn weather_lookup(user_query: &str) -> String {
    get_weather_response(user_query)
}

/// Asynchronous functions need nothing else.
#[observe(name = "weather-lookup-async")]
async fn weather_lookup_async(user_query: &str) -> String {
    tokio::task::yield_now().await;
    format!("{user_query} 6°C.")
}

/// "Updating a Trace", option 1: from the span's handle.
fn updating_a_trace() {
    observe::span("user-request").sync_scope(|| {
        let span = observe::current_span();
        span.trace()
            .name("weather-query")
            .user("user-123")
            .session("session-abc")
            .tags(["production", "weather"])
            .metadata("source", "web-app")
            .metadata("app_version", "2.1.0")
            .input(json!({ "query": "What's the weather?" }));
        span.output(json!({ "response": "..." }));
    });
}

/// Option 2: from anywhere within the trace.
fn updating_from_anywhere() {
    observe::span("user-request").sync_scope(|| name_the_trace("user-123"));
}

fn name_the_trace(user: &str) {
    observe::current_trace()
        .name("weather-query")
        .user(user)
        .session("session-abc")
        .tags(["production", "weather"])
        .metadata("source", "web-app");
}

/// The same inside of an observed function.
#[observe]
fn handle_request(user: &str, query: &str) -> String {
    name_the_trace(user);
    observe::current_trace().metadata("app_version", "2.1.0");
    process_query(query)
}

/// Attributes for every span that begins inside; spans that have begun already are not changed.
#[observe]
fn handle_request_for(user: &str, session: &str, query: &str) -> String {
    attributes()
        .user(user)
        .session(session)
        .tags(["production", "weather"])
        .metadata("source", "web-app")
        .sync_scope(|| process_query(query))
}

#[observe(as_type = "generation")]
fn process_query(query: &str) -> String {
    format!("An answer to: {query}")
}

/// "Deterministic IDs": from a seed, equal in every SDK that has them.
async fn deterministic_ids() {
    let request = "your-trace-id";
    let id = TraceId::from_seed(request);
    observe::span("your-trace-name")
        .trace_id(id)
        .input(json!({ "request_id": request, "query": "What's the weather in Madrid?" }))
        .sync_scope(|| {
            observe::current_span().output(json!({ "response": "In Madrid, it is partly cloudy." }));
        });
    // A call can be given its trace without a word in its signature.
    trace_context(TraceId::from_seed("request-2"), None::<SpanId>)
        .sync_scope(|| get_response("What's the weather in Madrid?"));
    process_request("What's the weather in Madrid?").with_trace_id(TraceId::from_seed("request-3")).await;
}

#[observe]
fn get_response(query: &str) -> String {
    format!("An answer to: {query}")
}

#[observe]
async fn process_request(query: &str) -> String {
    get_response(query)
}

/// "Distributed Tracing": below a span of another service, whose ids came with the request.
async fn distributed_tracing() {
    let (trace, parent) = (TraceId::from_seed("elsewhere"), SpanId::from_seed("elsewhere"));
    trace_context(trace, parent).sync_scope(|| observe::span("your-trace-name").sync_scope(|| {}));
    trace_context(trace, parent).scope(process_in_other_service("SELECT * FROM users")).await;
}

#[observe(name = "downstream-service")]
async fn process_in_other_service(query: &str) -> usize {
    query.len()
}

/// "Getting Trace URLs": of the current trace, and of one whose id is known.
fn trace_urls() {
    observe::span("process-request").sync_scope(|| {
        println!("View trace: {:?}", observe::trace_url());
    });
    println!("View trace: {:?}", observe::trace_url_for(TraceId::from_seed("your-trace-id")));
}

/// "Getting Current Context".
#[observe]
fn current_context() -> bool {
    let (trace, span) = (observe::current_trace_id(), observe::current_span_id());
    println!("Trace: {trace:?}, Observation: {span:?}");
    trace.is_some() && span.is_some()
}
