//! What Future AGI is told: a small program as our encoder writes it, and as the platform's own client was recorded to send
//! it (`tests/data/futureagi.json`). Every difference is listed with its reason; one that is listed and not there fails too.

#[path = "common/attributes.rs"]
mod attributes;
#[path = "common/compared.rs"]
mod compared;

use std::{borrow::Cow, collections::BTreeMap};

use attributes::{Said, by_key, read, read_all, sent, sent_span};
use compared::{Difference, differences, only_listed};
use observe_model::{
    Cost, Details, Failure, Json, Metadata, Prompt, Record, Resource, Score, Span, SpanId, SpanType, Status,
    Target, Timestamp, TraceAttributes, TraceId, Usage,
};
use observe_wire::{Dialect, Encoder, Extras};
use serde_json::{Value, json};

fn object(value: Value) -> Metadata {
    value.as_object().unwrap().clone()
}

/// The recorded request.
fn recording() -> Value {
    serde_json::from_str(include_str!("data/futureagi.json")).unwrap()
}

fn begun(name: &'static str, span_type: SpanType) -> Span<'static> {
    let span = Span::begin(TraceId::from_seed("t"), SpanId::from_seed(name), name, Timestamp(10));
    Span { span_type, status: Status::Ok, end: Some(Timestamp(20)), ..span }
}

/// The recorded program in our model.
fn program() -> Vec<Span<'static>> {
    let attributes = TraceAttributes {
        session: Some("session123".into()),
        user: Some("user-123".into()),
        metadata: object(json!({"source": "web-app", "n": 1, "e": "é"})),
        tags: vec!["production".into(), "weather".into()],
        ..TraceAttributes::default()
    };
    let details = |details| {
        let prompt = Some(Prompt { name: "Hi {x}".into(), version: Some("v1".into()) });
        Some(Box::new(Details { prompt, ..details }))
    };
    let below = |span| Span { parent_id: Some(SpanId::from_seed("agent")), ..span };
    let search = Span {
        input: Some(r#"{"query":"What is AI?","limit":3}"#.into()),
        output: Some(r#"["r1","r2"]"#.into()),
        attributes: Cow::Owned(attributes.clone()),
        details: details(Details::default()),
        ..below(begun("search", SpanType::Tool))
    };
    let completion = Span {
        input: Some(r#"[{"role":"user","content":"What is AI?"}]"#.into()),
        output: Some(r#""ok é""#.into()),
        model: Some("gpt-4o".into()),
        usage: Usage { cache_read: Some(2), ..Usage::new(10, 5) },
        attributes: Cow::Owned(attributes.clone()),
        details: details(Details {
            parameters: object(json!({"temperature": 0.7})),
            tools: Some(Json::from_text(r#"[{"type":"function"}]"#)),
            ..Details::default()
        }),
        ..below(begun("completion", SpanType::Generation))
    };
    let agent = Span {
        input: Some(r#""What is AI?""#.into()),
        output: Some(r#"{"answer":"ok é"}"#.into()),
        attributes: Cow::Owned(attributes),
        details: details(Details::default()),
        ..begun("agent", SpanType::Agent)
    };
    let session = TraceAttributes { session: Some("session123".into()), ..TraceAttributes::default() };
    let manual = Span {
        input: Some(r#""input""#.into()),
        output: Some(r#""output""#.into()),
        attributes: Cow::Owned(session.clone()),
        ..begun("SPAN_NAME", SpanType::Span)
    };
    let failure = Failure { kind: Some("ValueError".into()), message: "boom".into(), sources: vec![] };
    let risky = Span {
        status: Status::Error,
        status_message: Some("ValueError: boom".into()),
        attributes: Cow::Owned(TraceAttributes { user: Some("user-123".into()), ..session }),
        details: Some(Box::new(Details { errors: vec![failure], ..Details::default() })),
        ..begun("risky", SpanType::Chain)
    };
    vec![search, completion, agent, manual, risky]
}

const DIFFERENCES: &[Difference] = &[
    ("*", "-flags", "they only repeat that a parent is near, or that there is none"),
    ("*", "-gen_ai.prompt.template.variables", "our model has a prompt's name and version"),
    ("*", "+observe.trace.metadata", "tells our own reader that it is the trace's metadata, not the span's"),
    ("search", "-gen_ai.tool.description", "our model has what a model may call, not what a tool is"),
    ("search", "-gen_ai.tool.parameters", "as the description"),
    (
        "completion",
        "~gen_ai.input.messages.0.message.content",
        "the recorded program gives messages of their own, with a \
        system prompt; ours are those of the input",
    ),
    ("completion", "~gen_ai.input.messages.0.message.role", "as the content"),
    ("completion", "-gen_ai.input.messages.1.message.content", "as the content"),
    ("completion", "-gen_ai.input.messages.1.message.role", "as the content"),
    (
        "completion",
        "-gen_ai.output.messages.0.message.content",
        "as the content: our output is a text, not messages",
    ),
    ("completion", "-gen_ai.output.messages.0.message.role", "as the content"),
    (
        "completion",
        "-gen_ai.output.messages.0.message.tool_calls.0.tool_call.function.arguments",
        "as the content",
    ),
    (
        "completion",
        "-gen_ai.output.messages.0.message.tool_calls.0.tool_call.function.name",
        "as the content",
    ),
    ("completion", "-gen_ai.output.messages.0.message.tool_calls.0.tool_call.id", "as the content"),
    (
        "SPAN_NAME",
        "+gen_ai.conversation.id",
        "the platform wants both session keys; by hand only one was set",
    ),
    ("SPAN_NAME", "+gen_ai.span.kind", "the platform wants a kind on every span; by hand none was set"),
    ("SPAN_NAME", "+observe.span.type", "a plain span, for which the platform has no kind"),
    ("SPAN_NAME", "+input.mime_type", "by hand none was set"),
    ("SPAN_NAME", "+output.mime_type", "by hand none was set"),
    ("risky", "-exception.escaped", "it says nothing: the span has ended"),
    ("risky", "-exception.stacktrace", "an error of Rust has sources, no stack"),
    ("risky", "+observe.exception.sources", "what caused the error"),
];

/// Everything that a span says, JSON texts by what they say: blanks and escapes say nothing.
fn everything(span: &Value) -> Said {
    let mut said = by_key(&span["attributes"]);
    for event in span["events"].as_array().into_iter().flatten() {
        said.extend(by_key(&event["attributes"]));
    }
    for value in said.values_mut() {
        let json = value.as_str().filter(|text| text.starts_with(['{', '['])).map(serde_json::from_str);
        if let Some(Ok(json)) = json {
            *value = json;
        }
    }
    said.insert("status.message".into(), span["status"]["message"].as_str().unwrap_or_default().into());
    let code = &span["status"]["code"];
    let names = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
    said.insert("status.code".into(), code.as_u64().map_or(code.clone(), |n| names[n as usize].into()));
    let kind = &span["kind"];
    said.insert("kind".into(), if *kind == 1 { json!("SPAN_KIND_INTERNAL") } else { kind.clone() });
    let parent = span["parentSpanId"].as_str().unwrap_or_default();
    said.insert("has parent".into(), (!parent.is_empty()).into());
    if span["flags"].as_u64().is_some_and(|flags| flags != 0) {
        said.insert("flags".into(), span["flags"].clone());
    }
    said
}

#[test]
fn spans_say_what_those_of_the_platforms_own_client_say() {
    let theirs = &recording()["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let theirs: BTreeMap<_, _> = theirs
        .as_array()
        .unwrap()
        .iter()
        .map(|span| (span["name"].as_str().unwrap(), everything(span)))
        .collect();
    let ours = program();
    assert_eq!(theirs.len(), ours.len());
    let found = ours.iter().flat_map(|span| {
        let ours = everything(&sent_span(span, Dialect::FutureAgi));
        differences(&span.name, &theirs[&*span.name], &ours)
    });
    only_listed("futureagi", found.collect(), DIFFERENCES.iter());
}

#[test]
fn the_process_has_the_seven_attributes_of_the_platforms_own_client() {
    let resource =
        Resource { project: "PROJECT_NAME".into(), service: "PROJECT_NAME".into(), ..Resource::default() };
    let extras =
        Extras { resource: vec![("metadata".into(), "{\"team\": \"a\"}".into())], ..Extras::default() };
    let mut encoder = Encoder::in_dialect(&resource, Dialect::FutureAgi, &extras);
    encoder.push(&begun("s", SpanType::Span));
    let sent = sent(&mut encoder);
    let mut ours = by_key(&sent["resource"]["attributes"]);
    let mut theirs = by_key(&recording()["resourceSpans"][0]["resource"]["attributes"]);
    let [our_id, their_id] =
        [&mut ours, &mut theirs].map(|said| said["project_version_id"].as_str().unwrap().to_owned());
    let form = |id: &str| id.chars().map(|c| if c == '-' { c } else { 'x' }).collect::<String>();
    assert_eq!((form(&our_id), our_id.as_bytes()[14]), (form(&their_id), b'4'), "{our_id}");
    assert!(b"89ab".contains(&our_id.as_bytes()[19]), "{our_id}");
    ours.insert("project_version_id".into(), their_id.into());
    assert_eq!(ours, theirs);
}

#[test]
fn a_process_of_another_name_says_so_in_its_metadata() {
    let resource = Resource {
        project: "p".into(),
        service: "s".into(),
        release: Some("r".into()),
        environment: Some("e".into()),
    };
    let mut encoder = Encoder::in_dialect(&resource, Dialect::FutureAgi, &Extras::default());
    encoder.push(&begun("s", SpanType::Span));
    let said = by_key(&sent(&mut encoder)["resource"]["attributes"]);
    assert_eq!(said.len(), 7);
    let metadata: Value = serde_json::from_str(said["metadata"].as_str().unwrap()).unwrap();
    let expected = json!({"service.name": "s", "service.version": "r", "deployment.environment.name": "e"});
    assert_eq!(metadata, expected);
}

#[test]
fn what_the_platforms_own_client_sends_is_read() {
    let read = read_all(&recording());
    let [first, experiment] = &read[..] else { panic!("{read:?}") };
    assert_eq!(
        (first.resource.project.as_str(), experiment.resource.project.as_str()),
        ("PROJECT_NAME", "EXP")
    );
    let json =
        |text: &Option<Cow<'_, str>>| text.as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap());
    for (theirs, ours) in first.spans.iter().zip(program()) {
        assert_eq!(theirs.name, ours.name);
        assert_eq!(theirs.span_type, ours.span_type);
        assert_eq!((theirs.status, &theirs.status_message), (ours.status, &ours.status_message));
        assert_eq!((json(&theirs.input), json(&theirs.output)), (json(&ours.input), json(&ours.output)));
        assert_eq!((&theirs.model, theirs.usage), (&ours.model, ours.usage));
        let [their, our] = [&theirs.attributes, &ours.attributes];
        assert_eq!((&their.session, &their.user, &their.tags), (&our.session, &our.user, &our.tags));
        for (key, value) in &our.metadata {
            assert_eq!(theirs.metadata.get(key), Some(value), "of whom the metadata is, they do not say");
        }
        let details = |span: &Span<'_>| span.details.as_deref().cloned().unwrap_or_default();
        let (their, our) = (details(theirs), details(&ours));
        assert_eq!((their.prompt, their.parameters), (our.prompt, our.parameters));
        let tools =
            |tools: Option<Json>| tools.map(|tools| serde_json::from_str::<Value>(tools.as_str()).unwrap());
        assert_eq!(tools(their.tools), tools(our.tools));
        assert_eq!(their.errors, our.errors);
    }
    let left = &first.spans[1].metadata;
    let messages = json!([
        {"role": "system", "content": "be brief"}, {"role": "user", "content": "What is AI?"},
    ]);
    assert_eq!(left["gen_ai.input.messages"], messages);
    let call = json!({"id": "call_1", "function": {"name": "search", "arguments": "{\"q\": 1}"}});
    assert_eq!(
        left["gen_ai.output.messages"],
        json!([{"role": "assistant", "content": "ok é", "tool_calls": [call]}])
    );
    let mut keys: Vec<_> = left.keys().map(String::as_str).collect();
    keys.retain(|key| !["e", "n", "source"].contains(key));
    let expected = [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.prompt.template.variables",
        "gen_ai.provider.name",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn every_kind_is_read_in_either_case_and_by_either_key() {
    for (kind, span_type) in [
        ("LLM", SpanType::Generation),
        ("llm", SpanType::Generation),
        ("CHAIN", SpanType::Chain),
        ("VECTOR_DB", SpanType::Retriever),
        ("A2A_CLIENT", SpanType::Agent),
        ("CONVERSATION", SpanType::Chain),
        ("UNKNOWN", SpanType::Span),
    ] {
        for key in ["gen_ai.span.kind", "fi.span.kind"] {
            let span = read(json!({key: kind}));
            assert_eq!((span.span_type, span.metadata.len()), (span_type, 0), "{kind}");
        }
    }
}

#[test]
fn tokens_costs_and_messages_have_the_platforms_keys() {
    let span = Span {
        input: Some(r#"{"messages":[{"role":"user","content":"é\n"}]}"#.into()),
        output: Some(r#"[{"role":"assistant","content":"yes"}]"#.into()),
        usage: Usage {
            cache_read: Some(400),
            cache_write: Some(20),
            input_audio: Some(3),
            reasoning: Some(50),
            output_audio: Some(7),
            ..Usage::new(600, 200)
        },
        cost: Cost { input: Some(0.25), output: Some(0.5), total: Some(1.0) },
        details: Some(Box::new(Details { time_to_first: Some(5_000_000), ..Details::default() })),
        ..begun("s", SpanType::Generation)
    };
    let expected = json!({
        "gen_ai.usage.input_tokens": 1023,
        "gen_ai.usage.output_tokens": 257,
        "gen_ai.usage.total_tokens": 1280,
        "gen_ai.usage.input_tokens.cache_read": 400,
        "gen_ai.usage.input_tokens.cache_write": 20,
        "gen_ai.usage.input_tokens.audio": 3,
        "gen_ai.usage.output_tokens.reasoning": 50,
        "gen_ai.usage.output_tokens.audio": 7,
        "gen_ai.cost.input": 0.25,
        "gen_ai.cost.output": 0.5,
        "gen_ai.cost.total": 1.0,
        "gen_ai.server.time_to_first_token": 0.005,
        "gen_ai.input.messages.0.message.role": "user",
        "gen_ai.input.messages.0.message.content": "é\n",
        "gen_ai.output.messages.0.message.role": "assistant",
        "gen_ai.output.messages.0.message.content": "yes",
        "gen_ai.span.kind": "LLM",
        "input.value": r#"{"messages":[{"role":"user","content":"é\n"}]}"#,
        "input.mime_type": "application/json",
        "output.value": r#"[{"role":"assistant","content":"yes"}]"#,
        "output.mime_type": "application/json",
    });
    let sent = sent_span(&span, Dialect::FutureAgi);
    assert_eq!(json!(by_key(&sent["attributes"])), expected);
    assert_eq!(sent["attributes"].as_array().unwrap().last().unwrap()["key"], "gen_ai.span.kind");
}

#[test]
fn a_span_that_did_not_return_is_no_longer_unset_once_it_has_ended() {
    for (status, end, code) in [
        (Status::Cancelled, Some(Timestamp(20)), 1),
        (Status::Abandoned, Some(Timestamp(20)), 1),
        (Status::Interrupted, None, 2),
        (Status::Running, None, 0),
    ] {
        let sent = sent_span(&Span { status, end, ..begun("s", SpanType::Span) }, Dialect::FutureAgi);
        assert_eq!(sent["status"]["code"], code);
        assert_eq!(by_key(&sent["attributes"])["observe.status"], status.as_str());
    }
}

#[test]
fn a_score_is_said_in_the_words_that_the_client_has_for_it() {
    let mut encoder = Encoder::in_dialect(&Resource::default(), Dialect::FutureAgi, &Extras::default());
    let span_id = SpanId::from_seed("s");
    let score = Score {
        id: "1".into(),
        name: "tone".into(),
        value: "kind".into(),
        target: Target { span_id: Some(span_id), ..Target::default() },
        comment: Some("why not".into()),
        ..Score::default()
    };
    encoder.push_record(&Record::Score(score));
    let mut said = by_key(&sent(&mut encoder)["scopeSpans"][0]["spans"][0]["attributes"]);
    assert!(said.remove("observe.record").is_some());
    let expected = json!({
        "gen_ai.evaluation.name": "tone", "gen_ai.evaluation.score.label": "kind", "gen_ai.evaluation.explanation": "why not",
        "gen_ai.evaluation.target_span_id": span_id.to_string(), "gen_ai.span.kind": "EVALUATOR",
    });
    assert_eq!(json!(said), expected);
}
