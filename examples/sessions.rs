//! Sessions, as Future AGI has them: traces with the same session id in the same project form one session.
//!
//! The page's examples in its order; run them with `cargo run --example sessions`.
//! Source: Future AGI, "Group Traces by Session".
#![allow(dead_code, reason = "the tests include this file, too")]

use observe::{observe, session};

/// On the platform the project is of the type `observe`, unless `FutureAgi::experiment` says otherwise.
fn main() {
    let _observe = observe::builder().project("PROJECT_NAME").init();
    run();
}

/// Every example of the page.
pub(crate) fn run() {
    on_one_span();
    on_one_span_that_is_running();
    on_many_spans();
    from_baggage();
}

/// "Set session.id on a span (manual)", the first: a span by hand, in a session of its own.
fn on_one_span() {
    observe::span("SPAN_NAME").session("session123").input("input").sync_scope(|| {
        observe::current_span().output("output");
    });
}

/// The second: the session is set when the span has begun already.
fn on_one_span_that_is_running() {
    observe::span("HandleFunctionCall").sync_scope(|| {
        observe::current_trace().session("my-session-id");
    });
}

/// "Set session for many spans (context)": everything that begins inside has the session, nothing outside has it.
fn on_many_spans() {
    session("my-session-id").sync_scope(|| {
        turn("first");
        turn("second");
    });
    turn("outside");
}

#[observe]
fn turn(text: &str) -> String {
    text.to_uppercase()
}

/// The same from another service, whose request says in W3C baggage which session it belongs to.
fn from_baggage() {
    let headers = [("baggage", "session.id=my-js-session-id")];
    observe::propagate::extract(&headers).sync_scope(|| turn("from baggage"));
}
