//! The examples that retell the platforms' own pages, run, and what they record.

mod support;

#[path = "../examples/agent_trace.rs"]
mod agent_trace;
#[path = "../examples/conversations.rs"]
mod conversations;
#[path = "../examples/decorator.rs"]
mod decorator;
#[path = "../examples/groups.rs"]
mod groups;
#[path = "../examples/sessions.rs"]
mod sessions;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use observe::{Span, SpanId, SpanType, Status, TraceId, Usage};
use serde_json::{Value, json};
use support::{input, memory, named, output};

/// What `run` records, in the order in which it began; one page at a time, so that each sees its own.
fn recorded(run: impl FnOnce()) -> Vec<Span<'static>> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = memory();
    let flush = || assert!(observe::flush(Duration::from_secs(60)).complete);
    flush();
    let before = memory.spans().len();
    run();
    flush();
    let mut spans = memory.spans().split_off(before);
    spans.sort_by_key(|span| span.start);
    spans
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn session<'s>(span: &'s Span<'_>) -> Option<&'s str> {
    span.attributes.session.as_deref()
}

fn in_session<'s>(spans: &'s [Span<'static>], id: &str) -> Vec<&'s Span<'static>> {
    spans.iter().filter(|span| session(span) == Some(id)).collect()
}

#[test]
fn groups_link_the_traces_that_share_an_id() {
    let spans = recorded(groups::run);
    let basic = in_session(&spans, "conversation_abc123");
    assert_eq!(basic.len(), 2);
    assert_ne!(basic[0].trace_id, basic[1].trace_id);
    assert_eq!(
        (input(basic[0]), input(basic[1])),
        (json!({"question": "What is AI?"}), json!({"question": "How does it work?"}))
    );
    assert_eq!(output(basic[1]), "AI works by processing data through algorithms...");
    assert!(
        basic
            .iter()
            .all(|span| span.name == "answer-question" && span.attributes.metadata["user_id"] == "user-123")
    );

    let chat = in_session(&spans, "conv_user-123_2024-01-15T09:30:00");
    assert_eq!(chat.len(), 3);
    assert!(
        chat.iter()
            .all(|span| span.attributes.user.as_deref() == Some("user-123") && span.parent_id.is_none())
    );
    assert!(chat.iter().all(|span| span.name == "answer-question" && span.metadata.contains_key("begun")));
    assert_eq!(
        (input(chat[1]), output(chat[1])),
        (
            json!({"question": "How does machine learning work?"}),
            json!("An answer to: How does machine learning work?"),
        )
    );
    for id in ["conversation_user-123_20240115T0930", "session_4711", "email_thread_4711", "ticket_4711"] {
        assert_eq!(in_session(&spans, id).len(), 1, "{id}");
    }
    assert_eq!(session(named(&spans, "one_off")), None);
    let reports = in_session(&spans, "user-123_report_2024-01-17");
    assert_eq!(reports.len(), 2);
    assert!(reports.iter().all(|span| span.name == "process-report" && span.metadata["type"] == "report"));
    assert!(reports.iter().all(|span| span.metadata["user_id"] == "user-123"));
    let days: Vec<_> = reports.iter().map(|span| (input(span), output(span))).collect();
    let day = |day: &str| (json!({"date": day}), json!({"report": format!("done for \"{day}\"")}));
    assert_eq!(days, [day("2024-01-15"), day("2024-01-16")]);
}

#[test]
fn conversations_hand_their_id_and_user_to_every_span_inside() {
    let spans = recorded(|| runtime().block_on(conversations::run()));
    let expected = [
        ("conv_123", "user_42", 2),
        ("conv_abc", "user_42", 3),
        ("conv_789", "user_99", 1),
        ("conv_async", "user_7", 1),
    ];
    for (id, user, count) in expected {
        let inside = in_session(&spans, id);
        assert_eq!(inside.len(), count, "{id}");
        assert!(inside.iter().all(|span| span.attributes.user.as_deref() == Some(user)));
    }
    assert_eq!(spans.len(), 7);
    let turns = in_session(&spans, "conv_abc");
    let turns: Vec<_> = turns.iter().map(|turn| (input(turn)["message"].clone(), output(turn))).collect();
    assert_eq!(
        turns[0],
        (json!("What's the weather in Paris?"), json!("Echo: What's the weather in Paris?"))
    );
    assert_eq!(turns[2], (json!("Calculate 15 * 3"), json!("Echo: Calculate 15 * 3")));
    let greeting = named(&spans, "greet_user");
    assert_eq!((input(greeting), output(greeting)), (json!({"message": "Hello!"}), json!("Hi there 👋")));
    let metric = memory().metrics().into_iter().find(|metric| metric.name == "greeting_chars").unwrap();
    assert_eq!(
        (metric.value, metric.unit.as_deref(), metric.tags),
        (10.0, Some("chars"), vec!["chat".to_owned()])
    );
    assert_eq!(
        (metric.target.span_id, metric.target.session.as_deref()),
        (Some(greeting.span_id), Some("conv_123"))
    );

    let tool = named(&spans, "tool_execution");
    let states = &tool.details.as_ref().unwrap().states;
    let state = |at: usize| {
        (states[at].name.as_str(), serde_json::from_str::<Value>(states[at].value.as_str()).unwrap())
    };
    assert_eq!(state(0), ("before", json!({"tool": "search", "stage": "pre"})));
    assert_eq!(state(1), ("after", json!({"tool": "search", "stage": "post", "results": 2})));
    assert_eq!(input(tool), json!({"query": "best restaurants in SF"}));
    assert_eq!(output(tool), json!(["Restaurant A", "Restaurant B"]));

    let call = named(&spans, "chat gpt-4o-mini");
    assert_eq!((call.span_type, call.usage), (SpanType::Generation, Usage::new(9, 3)));
    assert_eq!(input(call)["messages"][0]["content"], "Hello!");
    assert_eq!(output(call)["choices"][0]["message"]["content"], "Hi!");
}

#[test]
fn sessions_are_set_on_one_span_or_on_all_of_a_block() {
    let spans = recorded(sessions::run);
    let one = named(&spans, "SPAN_NAME");
    assert_eq!(
        (session(one), input(one), output(one)),
        (Some("session123"), json!("input"), json!("output"))
    );
    assert_eq!(session(named(&spans, "HandleFunctionCall")), Some("my-session-id"));
    let turns: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "turn")
        .map(|span| (input(span)["text"].clone(), session(span)))
        .collect();
    assert_eq!(
        turns,
        [
            (json!("first"), Some("my-session-id")),
            (json!("second"), Some("my-session-id")),
            (json!("outside"), None),
            (json!("from baggage"), Some("my-js-session-id")),
        ]
    );
}

#[test]
fn agent_traces_hold_what_happens_inside() {
    let spans = recorded(agent_trace::run);
    let bot = named(&spans, "support-bot");
    assert_eq!((bot.span_type, bot.model.as_deref()), (SpanType::Agent, Some("gpt-4")));
    assert_eq!(bot.attributes.tags, ["production", "support"]);
    assert_eq!(bot.attributes.metadata["customer_tier"], "premium");
    assert_eq!(named(&spans, "your_code").parent_id, Some(bot.span_id));

    let mine = named(&spans, "my-agent");
    let said = mine.details.as_ref().unwrap().trace.as_ref().unwrap();
    assert_eq!(said.attributes.tags, ["urgent", "high-priority"]);
    assert_eq!(said.summary.as_ref().unwrap().as_str(), r#"{"outcome":"success","total_tokens":500}"#);
    let completion = named(&spans, "completion");
    assert_eq!((completion.span_type, completion.parent_id), (SpanType::Generation, Some(mine.span_id)));

    let batch = named(&spans, "batch-processor");
    let mut items: Vec<_> = spans.iter().filter(|span| span.name == "process").collect();
    assert!(
        items.iter().all(|span| span.parent_id == Some(batch.span_id) && span.span_type == SpanType::Tool)
    );
    assert_eq!(output(batch), json!(["A", "B", "C"]));
    items.sort_by_key(|span| span.input.clone());
    assert_eq!(input(items[0]), json!({"item": "a"}));
    let results: Vec<_> = items.iter().map(|span| output(span)).collect();
    assert_eq!(results, ["A", "B", "C"]);

    // Of the two lazy traces one had no span.
    let lazy = named(&spans, "conditional-agent");
    let inside = named(&spans, "process_request");
    assert_eq!(inside.span_type, SpanType::Generation);
    assert!(inside.parent_id == Some(lazy.span_id) && lazy.start <= inside.start);

    let failed: Vec<_> = spans.iter().filter(|span| span.name == "error-handler").collect();
    assert_eq!(failed.len(), 2);
    assert_eq!(
        (failed[0].status, failed[0].status_message.as_deref()),
        (Status::Error, Some("the operation is not possible on a Sunday"))
    );
    let said = failed[1].details.as_ref().unwrap().trace.as_ref().unwrap();
    assert_eq!(said.failed.as_deref(), Some("Operation failed: the operation is not possible on a Sunday"));

    assert_eq!(failed[1].status, Status::Error);

    let resilient = named(&spans, "resilient-agent");
    assert_eq!(resilient.status, Status::Ok);
    assert_eq!(output(named(&spans, "your_important_function")), 42);
}

#[test]
fn the_decorator_and_the_scopes_record_the_same() {
    let spans = recorded(|| runtime().block_on(decorator::run()));
    let created = &spans[0];
    assert_eq!(
        (&*created.name, input(created)),
        ("your-trace-name", json!({"user_query": "What's the weather in Madrid?"}))
    );
    assert_eq!(output(created)["final_response"], "In Madrid, it is partly cloudy, around 6°C (43°F).");
    let named_by_function = &spans[1];
    assert_eq!(named_by_function.name, "get_weather_response");
    assert_eq!(input(named_by_function), json!({"user_query": "What's the weather in Madrid?"}));
    assert_eq!(output(named_by_function), "What's the weather in Madrid? 6°C.");
    for name in ["weather-lookup", "weather-lookup-async"] {
        assert_eq!(output(named(&spans, name)), "What's the weather in Madrid? 6°C.");
    }

    // Said of the trace: from the handle, from anywhere, from inside an observed function.
    let updated: Vec<_> =
        spans.iter().filter(|span| span.name == "user-request" || span.name == "handle_request").collect();
    assert_eq!(updated.len(), 3);
    let by_handle = updated[0];
    let said = by_handle.details.as_ref().unwrap().trace.as_ref().unwrap();
    assert_eq!(said.input.as_ref().unwrap().as_str(), r#"{"query":"What's the weather?"}"#);
    assert_eq!((input(by_handle), output(by_handle)), (Value::Null, json!({"response": "..."})));
    for span in [by_handle, named(&spans, "handle_request")] {
        assert_eq!(span.attributes.metadata["app_version"], "2.1.0");
    }
    for span in updated {
        let attributes = &span.attributes;
        assert_eq!(attributes.name.as_deref(), Some("weather-query"));
        assert_eq!((attributes.user.as_deref(), session(span)), (Some("user-123"), Some("session-abc")));
        assert_eq!(
            (&attributes.tags, &attributes.metadata["source"]),
            (&vec!["production".to_owned(), "weather".to_owned()], &json!("web-app"))
        );
    }

    // Propagated to what began inside, not to what had begun.
    let outer = named(&spans, "handle_request_for");
    let inner = spans.iter().find(|span| span.parent_id == Some(outer.span_id)).unwrap();
    assert_eq!(
        (session(outer), session(inner), inner.span_type),
        (None, Some("session-abc"), SpanType::Generation)
    );
    assert_eq!(inner.attributes.tags, ["production", "weather"]);

    // Ids: by scope, around a call, on the returned future.
    let id = TraceId::from_seed("your-trace-id");
    assert_eq!(id.to_string(), "f21c0b8fc2d39e41c10b1fdb8024101b");
    let by_seed: Vec<_> = spans.iter().filter(|span| span.trace_id == id).collect();
    assert_eq!((by_seed.len(), &*by_seed[0].name), (1, "your-trace-name"));
    let asked = json!({"request_id": "your-trace-id", "query": "What's the weather in Madrid?"});
    assert_eq!((input(by_seed[0]), output(by_seed[0])["response"].is_string()), (asked, true));
    assert!(
        spans
            .iter()
            .any(|span| span.trace_id == TraceId::from_seed("request-2") && span.name == "get_response")
    );
    assert!(
        spans
            .iter()
            .any(|span| span.trace_id == TraceId::from_seed("request-3") && span.name == "process_request")
    );
    let elsewhere: Vec<_> =
        spans.iter().filter(|span| span.trace_id == TraceId::from_seed("elsewhere")).collect();
    assert_eq!(elsewhere.len(), 2);
    assert!(elsewhere.iter().all(|span| span.parent_id == Some(SpanId::from_seed("elsewhere"))));
    assert_eq!(
        elsewhere.iter().map(|span| &*span.name).collect::<Vec<_>>(),
        ["your-trace-name", "downstream-service"]
    );
    assert_eq!(input(elsewhere[1]), json!({"query": "SELECT * FROM users"}));
    assert_eq!(named(&spans, "process-request").parent_id, None);
    assert_eq!(output(named(&spans, "current_context")), true);
}
