//! What is said in the words of the GenAI conventions, and what is read of senders that speak as they do, or did.

#[path = "common/attributes.rs"]
mod attributes;

use std::borrow::Cow;

use attributes::{Said, by_key, read, sent, sent_span};
use observe_model::{
    Cost, Details, Failure, Json, Level, Metadata, Prompt, Record, Resource, Score, Span, SpanId, SpanType,
    Status, Target, Timestamp, TraceAttributes, TraceId, Usage,
};
use observe_wire::{Dialect, Encoder, Extras};
use serde_json::{Value, json};

fn object(value: Value) -> Metadata {
    value.as_object().unwrap().clone()
}

fn begun(span_type: SpanType) -> Span<'static> {
    let span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "answer", Timestamp(10));
    Span { span_type, status: Status::Ok, end: Some(Timestamp(20)), ..span }
}

fn said(span: &Span<'_>, dialect: Dialect) -> Said {
    by_key(&sent_span(span, dialect)["attributes"])
}

/// A call of a model of which everything is known.
fn generation() -> Span<'static> {
    let attributes = TraceAttributes {
        session: Some("conv".into()),
        user: Some("ada".into()),
        name: Some("support".into()),
        tags: vec!["prod".into()],
        metadata: object(json!({"plan": "free"})),
        ..TraceAttributes::default()
    };
    let details = Details {
        prompt: Some(Prompt { name: "greet".into(), version: Some("3".into()) }),
        parameters: object(json!({"temperature": 0.5, "stop_sequences": ["a"], "logit_bias": {"1": 2}})),
        tools: Some(Json::from_text(r#"[{"name":"search"}]"#)),
        time_to_first: Some(1_500_000_000),
        errors: vec![Failure { kind: Some("Refused".into()), message: "no".into(), sources: vec![] }],
        ..Details::default()
    };
    Span {
        status: Status::Error,
        input: Some(r#"[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}]"#.into()),
        output: Some(r#""because""#.into()),
        metadata: Cow::Owned(object(json!({"own": 1}))),
        model: Some("claude-sonnet-4".into()),
        usage: Usage {
            cache_read: Some(400),
            cache_write: Some(20),
            input_audio: Some(3),
            reasoning: Some(50),
            output_audio: Some(7),
            ..Usage::new(600, 200)
        },
        cost: Cost::new(0.25, 0.5),
        level: Level::Warning,
        attributes: Cow::Owned(attributes),
        details: Some(Box::new(details)),
        ..begun(SpanType::Generation)
    }
}

/// What both ages of the conventions have in common, in [`generation`].
fn common() -> Value {
    json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-sonnet-4",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": ["a"],
        "gen_ai.prompt.name": "greet",
        "gen_ai.prompt.version": "3",
        "gen_ai.tool.definitions": r#"[{"name":"search"}]"#,
        "gen_ai.response.time_to_first_chunk": 1.5,
        "gen_ai.usage.cache_read.input_tokens": 400,
        "gen_ai.usage.cache_creation.input_tokens": 20,
        "gen_ai.usage.audio.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 50,
        "gen_ai.usage.audio.output_tokens": 7,
        "gen_ai.usage.cost": 0.75,
        "enduser.id": "ada",
        "error.type": "Refused",
        "observe.cost": r#"{"input":0.25,"output":0.5}"#,
        "observe.level": "warning",
        "observe.metadata": r#"{"own":1}"#,
        "observe.parameters": r#"{"logit_bias":{"1":2}}"#,
        "observe.trace.metadata": r#"{"plan":"free"}"#,
        "observe.trace.tags": ["prod"],
    })
}

fn expected(more: Value) -> Said {
    let mut said = object(common());
    said.extend(object(more));
    said.into_iter().collect()
}

#[test]
fn every_field_arrives_under_the_conventions_key() {
    let input = r#"[{"role":"system","parts":[{"type":"text","content":"be brief"}]},{"role":"user","parts":[{"type":"text","content":"why?"}]}]"#;
    let output =
        r#"[{"role":"assistant","parts":[{"type":"text","content":"because"}],"finish_reason":"error"}]"#;
    let expected = expected(json!({
        "gen_ai.provider.name": "anthropic",
        "gen_ai.conversation.id": "conv",
        "gen_ai.workflow.name": "support",
        "gen_ai.input.messages": input,
        "gen_ai.output.messages": output,
        "gen_ai.usage.input_tokens": 1023,
        "gen_ai.usage.output_tokens": 257,
        "observe.input.form": "chat",
        "observe.output.form": "text",
    }));
    let sent = sent_span(&generation(), Dialect::GenAi);
    assert_eq!(by_key(&sent["attributes"]), expected);
    assert_eq!((&sent["kind"], &sent["status"]["code"]), (&json!(3), &json!(2)));
}

#[test]
fn every_field_arrives_under_the_key_it_had_before() {
    let expected = expected(json!({
        "gen_ai.system": "anthropic",
        "session.id": "conv",
        "observe.trace.name": "support",
        "gen_ai.prompt": r#"[{"role":"system","content":"be brief"},{"role":"user","content":"why?"}]"#,
        "gen_ai.completion": "because",
        "gen_ai.usage.prompt_tokens": 1023,
        "gen_ai.usage.completion_tokens": 257,
    }));
    assert_eq!(said(&generation(), Dialect::GenAiLegacy), expected);
}

#[test]
fn each_span_type_is_an_operation_or_said_in_our_own_word() {
    for (span_type, operation, kind) in [
        (SpanType::Generation, Some("chat"), 3),
        (SpanType::Embedding, Some("embeddings"), 3),
        (SpanType::Retriever, Some("retrieval"), 3),
        (SpanType::Agent, Some("invoke_agent"), 1),
        (SpanType::Tool, Some("execute_tool"), 1),
        (SpanType::Chain, Some("invoke_workflow"), 1),
        (SpanType::Span, None, 1),
        (SpanType::Evaluator, None, 1),
        (SpanType::Guardrail, None, 1),
        (SpanType::Event, None, 1),
    ] {
        let span = Span { input: Some(r#"{"q":1}"#.into()), output: Some("7".into()), ..begun(span_type) };
        let sent = sent_span(&span, Dialect::GenAi);
        let said = by_key(&sent["attributes"]);
        assert_eq!(said.get("gen_ai.operation.name"), operation.map(Value::from).as_ref());
        let own = operation.is_none().then(|| Value::from(span_type.as_str()));
        assert_eq!((said.get("observe.span.type"), &sent["kind"]), (own.as_ref(), &json!(kind)));
        let keys = match span_type {
            SpanType::Generation | SpanType::Agent | SpanType::Chain => {
                ["gen_ai.input.messages", "gen_ai.output.messages"]
            }
            SpanType::Tool => ["gen_ai.tool.call.arguments", "gen_ai.tool.call.result"],
            _ => ["input.value", "output.value"],
        };
        assert!(keys.iter().all(|key| said.contains_key(*key)), "{said:?}");
    }
    assert_eq!(said(&begun(SpanType::Agent), Dialect::GenAi)["gen_ai.agent.name"], "answer");
    assert_eq!(said(&begun(SpanType::Tool), Dialect::GenAi)["gen_ai.tool.name"], "answer");
}

#[test]
fn the_provider_is_what_the_program_said_or_the_models_name_tells() {
    for (model, metadata, provider) in [
        ("gpt-4o", json!({}), Some("openai")),
        ("gemini-2.5-pro", json!({}), Some("gcp.gemini")),
        ("in-house", json!({}), None),
        ("in-house", json!({"gen_ai.provider.name": "aws.bedrock"}), Some("aws.bedrock")),
    ] {
        let span = Span {
            model: Some(model.into()),
            metadata: Cow::Owned(object(metadata)),
            ..begun(SpanType::Generation)
        };
        let provider = provider.map(Value::from);
        assert_eq!(said(&span, Dialect::GenAi).get("gen_ai.provider.name"), provider.as_ref());
        assert_eq!(said(&span, Dialect::GenAiLegacy).get("gen_ai.system"), provider.as_ref());
    }
}

#[test]
fn a_score_is_an_event_of_the_span_that_carries_it() {
    let resource = Resource { project: "p".into(), service: "s".into(), ..Resource::default() };
    let mut encoder = Encoder::in_dialect(&resource, Dialect::GenAi, &Extras::default());
    let target = Target { span_id: Some(SpanId::from_seed("s")), ..Target::default() };
    let mut score =
        Score { id: "1".into(), name: "quality".into(), target, at: Timestamp(7), ..Score::default() };
    (score.value, score.comment) = (0.5.into(), Some("good".into()));
    encoder.push_record(&Record::Score(score.clone()));
    score.value = true.into();
    encoder.push_record(&Record::Score(score));
    let sent = sent(&mut encoder);
    let events = [0, 1].map(|n| &sent["scopeSpans"][0]["spans"][n]["events"]);
    assert_eq!(
        (&events[0][0]["name"], &events[0][0]["timeUnixNano"]),
        (&json!("gen_ai.evaluation.result"), &json!("7"))
    );
    let [number, yes] = events.map(|events| json!(by_key(&events[0]["attributes"])));
    let expected = json!({
        "gen_ai.evaluation.name": "quality", "gen_ai.evaluation.score.value": 0.5, "gen_ai.evaluation.explanation": "good",
    });
    assert_eq!(number, expected);
    assert_eq!(yes["gen_ai.evaluation.score.label"], "true");
    let expected = json!({
        "observe.project": "p", "service.name": "s",
    });
    assert_eq!(json!(by_key(&sent["resource"]["attributes"])), expected);
}

/// The input and output that are read, as JSON.
fn payloads(span: &Span<'_>) -> [Value; 2] {
    [&span.input, &span.output]
        .map(|payload| payload.as_ref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap()))
}

/// What `opentelemetry-instrumentation-openai-v2` for Python says of a call.
#[test]
fn an_instrumented_client_of_today_is_read() {
    let messages = r#"[{"role":"user","parts":[{"type":"text","content":"Weather in Paris?"}]}]"#;
    let answer = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"c1","name":"weather","arguments":{"city":"Paris"}}],"finish_reason":"tool_call"}]"#;
    let span = read(json!({
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.max_tokens": 200,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["tool_calls"],
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.cache_read.input_tokens": 300,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "gen_ai.input.messages": messages,
        "gen_ai.output.messages": answer,
        "gen_ai.conversation.id": "conv_5",
        "server.address": "api.openai.com",
        "server.port": 443,
    }));
    assert_eq!(
        (span.span_type, span.model.as_deref()),
        (SpanType::Generation, Some("gpt-4o-mini-2024-07-18"))
    );
    assert_eq!(span.usage, Usage { cache_read: Some(300), reasoning: Some(20), ..Usage::new(700, 30) });
    assert_eq!((span.input.as_deref(), span.output.as_deref()), (Some(messages), Some(answer)));
    assert_eq!(span.attributes.session.as_deref(), Some("conv_5"));
    assert_eq!(span.details.as_ref().unwrap().parameters, object(json!({"max_tokens": 200, "top_p": 1.0})));
    let metadata = json!({
        "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ["tool_calls"], "server.address": "api.openai.com", "server.port": 443,
    });
    assert_eq!(Value::Object(span.metadata.into_owned()), metadata);
}

#[test]
fn a_tool_and_a_retrieval_are_read() {
    let span = read(json!({
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather", "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.call.arguments": r#"{"city":"Paris"}"#, "gen_ai.tool.call.result": "rainy",
    }));
    assert_eq!(
        (span.span_type, payloads(&span)),
        (SpanType::Tool, [json!({"city": "Paris"}), json!("rainy")])
    );
    assert_eq!(
        (&span.metadata["gen_ai.tool.name"], &span.metadata["gen_ai.tool.call.id"]),
        (&json!("weather"), &json!("c1"))
    );
    let span = read(json!({
        "gen_ai.operation.name": "retrieval", "gen_ai.retrieval.query.text": "paris",
        "gen_ai.retrieval.documents": r#"[{"id":"d1","score":0.5}]"#,
    }));
    let documents = json!([{"id": "d1", "score": 0.5}]);
    assert_eq!((span.span_type, payloads(&span)), (SpanType::Retriever, [json!("paris"), documents]));
}

#[test]
fn an_evaluation_of_others_is_a_score_of_its_span() {
    let event = |said: Value| json!({"timeUnixNano": "15", "name": "gen_ai.evaluation.result", "attributes": attributes::attributes(said)});
    let events = [
        event(json!({
            "gen_ai.evaluation.name": "Relevance", "gen_ai.evaluation.score.value": 4, "gen_ai.evaluation.score.label": "pass",
            "gen_ai.evaluation.explanation": "on topic", "gen_ai.response.id": "r1",
        })),
        event(json!({"gen_ai.evaluation.name": "Tone", "gen_ai.evaluation.score.label": "kind"})),
        event(json!({"gen_ai.evaluation.name": "says nothing"})),
    ];
    let span = json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7", "name": "chat", "events": events,
        "attributes": attributes::attributes(json!({"gen_ai.conversation.id": "conv"})),
    });
    let request = json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]});
    let read = attributes::read_all(&request).remove(0);
    let [Record::Score(relevance), Record::Score(tone)] = &read.records[..] else {
        panic!("{:?}", read.records)
    };
    assert_eq!((&*relevance.name, &relevance.value, relevance.at), ("Relevance", &4.0.into(), Timestamp(15)));
    assert_eq!(relevance.comment.as_deref(), Some("on topic"));
    let metadata = json!({"gen_ai.evaluation.score.label": "pass", "gen_ai.response.id": "r1"});
    assert_eq!(relevance.metadata, object(metadata));
    let span = &read.spans[0];
    let target =
        Target { trace_id: Some(span.trace_id), span_id: Some(span.span_id), session: Some("conv".into()) };
    assert_eq!((&tone.target, &tone.value, tone.metadata.len()), (&target, &"kind".into(), 0));
    assert_ne!(relevance.id, tone.id);
    assert_eq!(span.details.as_ref().unwrap().events.len(), 1, "what is no score stays an event");
    assert_eq!(attributes::read_all(&request).remove(0), read, "sent again it is the same");
}

#[test]
fn a_session_is_one_whatever_its_sender_calls_it() {
    for key in [
        "session.id",
        "langfuse.session.id",
        "gen_ai.conversation.id",
        "group.id",
        "session_id",
        "conversation_id",
        "group_id",
    ] {
        let span = read(json!({ key: "conv_123" }));
        assert_eq!((span.attributes.session.as_deref(), span.metadata.len()), (Some("conv_123"), 0), "{key}");
    }
}

#[test]
fn openinferences_messages_are_read() {
    let mut said = json!({
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.contents.0.message_content.type": "text",
        "llm.input_messages.0.message.contents.0.message_content.text": "Why?",
        "llm.output_messages.0.message.role": "assistant",
    });
    let asked = json!([{"role": "user", "contents": [{"type": "text", "text": "Why?"}]}]);
    let answered = json!([{"role": "assistant"}]);
    let span = read(said.clone());
    assert_eq!((payloads(&span), span.metadata.len()), ([asked.clone(), answered.clone()], 0));
    said["input.value"] = "Why?".into();
    let span = read(said);
    assert_eq!(payloads(&span), [json!("Why?"), answered]);
    assert_eq!(json!(span.metadata), json!({"llm.input_messages": asked}));
}

/// What OpenLLMetry (`traceloop-sdk`) says of a call, and of the workflow around it.
#[test]
fn openllmetry_is_read() {
    let span = read(json!({
        "llm.request.type": "chat",
        "gen_ai.system": "Anthropic",
        "gen_ai.request.model": "claude-3-5-sonnet",
        "gen_ai.response.model": "claude-3-5-sonnet-20241022",
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": "Be brief.",
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": "Why?",
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.finish_reason": "tool_use",
        "gen_ai.completion.0.tool_calls.0.id": "c1",
        "gen_ai.completion.0.tool_calls.0.name": "search",
        "gen_ai.completion.0.tool_calls.0.arguments": "{\"q\": 1}",
        "gen_ai.usage.prompt_tokens": 120,
        "gen_ai.usage.cache_read_input_tokens": 100,
        "gen_ai.usage.completion_tokens": 7,
        "llm.usage.total_tokens": 127,
        "traceloop.association.properties.session_id": "s-1",
        "traceloop.association.properties.user_id": "u-1",
    }));
    assert_eq!(span.span_type, SpanType::Generation);
    assert_eq!(span.usage, Usage { cache_read: Some(100), ..Usage::new(20, 7) });
    let asked = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]);
    let call = json!({"id": "c1", "name": "search", "arguments": "{\"q\": 1}"});
    let answered = json!([{"role": "assistant", "finish_reason": "tool_use", "tool_calls": [call]}]);
    assert_eq!(payloads(&span), [asked, answered]);
    assert_eq!(
        (span.attributes.session.as_deref(), span.attributes.user.as_deref()),
        (Some("s-1"), Some("u-1"))
    );
    let left: Vec<_> = span.metadata.keys().collect();
    assert_eq!(left, ["gen_ai.request.model", "gen_ai.system", "llm.request.type"]);

    for (kind, span_type) in [
        ("workflow", SpanType::Chain),
        ("task", SpanType::Span),
        ("agent", SpanType::Agent),
        ("tool", SpanType::Tool),
    ] {
        let span = read(json!({
            "traceloop.span.kind": kind,
            "traceloop.entity.name": "joke",
            "traceloop.entity.input": r#"{"args": [1], "kwargs": {}}"#,
            "traceloop.entity.output": "\"ha\"",
        }));
        assert_eq!(span.span_type, span_type);
        assert_eq!(payloads(&span), [json!({"args": [1], "kwargs": {}}), json!("\"ha\"")]);
        assert_eq!(span.metadata["traceloop.entity.name"], "joke");
    }
}

/// What the Vercel AI SDK says (`experimental_telemetry`).
#[test]
fn the_vercel_ai_sdk_is_read() {
    let span = read(json!({
        "operation.name": "ai.streamText.doStream", "ai.operationId": "ai.streamText.doStream",
        "ai.model.id": "gpt-4o", "ai.model.provider": "openai.chat",
        "ai.prompt.messages": r#"[{"role":"user","content":[{"type":"text","text":"Hi"}]}]"#,
        "ai.response.text": "Hello", "ai.response.msToFirstChunk": 250.5, "ai.response.finishReason": "stop",
        "ai.usage.promptTokens": 10, "ai.usage.completionTokens": 2,
        "ai.telemetry.metadata.sessionId": "s-2", "ai.telemetry.metadata.userId": "u-2",
        "ai.telemetry.metadata.tags": ["a", "b"],
    }));
    assert_eq!((span.span_type, span.model.as_deref()), (SpanType::Generation, Some("gpt-4o")));
    assert_eq!(span.usage, Usage::new(10, 2));
    let [asked, answered] = payloads(&span);
    assert_eq!((&asked[0]["content"][0]["text"], answered), (&json!("Hi"), json!("Hello")));
    assert_eq!(span.details.as_ref().unwrap().time_to_first, Some(250_500_000));
    let scope = &span.attributes;
    assert_eq!((scope.session.as_deref(), scope.user.as_deref()), (Some("s-2"), Some("u-2")));
    assert_eq!(scope.tags, ["a", "b"]);
    for (operation, span_type) in [
        ("ai.streamText", SpanType::Chain),
        ("ai.generateObject.doGenerate", SpanType::Generation),
        ("ai.embed.doEmbed", SpanType::Embedding),
        ("ai.toolCall", SpanType::Tool),
    ] {
        assert_eq!(read(json!({"ai.operationId": operation, "ai.model.id": "m"})).span_type, span_type);
    }
    let tool = read(
        json!({"ai.operationId": "ai.toolCall", "ai.toolCall.args": "{\"a\":1}", "ai.toolCall.result": "2"}),
    );
    assert_eq!(payloads(&tool), [json!({"a": 1}), json!("2")]);
}

#[test]
fn mlflow_laminar_langsmith_and_claude_code_are_read() {
    let span = read(json!({
        "mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.spanInputs": "{\"q\": \"why\"}", "mlflow.spanOutputs": "\"because\"",
        "mlflow.traceRequestId": "\"tr-1\"",
    }));
    assert_eq!(span.span_type, SpanType::Generation);
    assert_eq!(payloads(&span), [json!({"q": "why"}), json!("because")]);
    let span =
        read(json!({"lmnr.span.type": "EVALUATOR", "lmnr.span.input": "[1]", "lmnr.span.output": "good"}));
    assert_eq!((span.span_type, payloads(&span)), (SpanType::Evaluator, [json!([1]), json!("good")]));
    let span = read(json!({"langsmith.trace.session_id": "s-3", "gen_ai.usage.cost": 0.5}));
    assert_eq!((span.attributes.session.as_deref(), span.cost), (Some("s-3"), 0.5.into()));
    let span = read(json!({
        "model": "claude-opus-4", "input_tokens": 3, "output_tokens": 40, "cache_read_tokens": 900,
        "cache_creation_tokens": 0, "ttft_ms": 12,
    }));
    let usage = Usage { cache_read: Some(900), cache_write: Some(0), ..Usage::new(3, 40) };
    assert_eq!((span.span_type, span.usage), (SpanType::Generation, usage));
    assert_eq!((span.model.as_deref(), span.metadata.len()), (Some("claude-opus-4"), 0));
    assert_eq!(span.details.unwrap().time_to_first, Some(12_000_000));
    let span = read(json!({"model": "T", "input": "{\"a\":1}", "output": "b"}));
    assert_eq!((span.span_type, span.model.as_deref()), (SpanType::Span, None));
    assert_eq!((payloads(&span), &span.metadata["model"]), ([json!({"a": 1}), json!("b")], &json!("T")));
}
