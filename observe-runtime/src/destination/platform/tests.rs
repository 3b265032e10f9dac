use std::time::Duration;

use observe_model::{
    Details, Json, Metric, Record, Score, ScoreValue, Span, SpanId, SpanType, Target, Timestamp, TraceId,
    TraceUpdate,
};
use serde_json::{Value, json};

use super::*;

/// What is read where only these variables are set.
fn env<T>(set: &[(&str, &str)], read: impl Fn(&dyn Fn(&str) -> Option<String>) -> T) -> T {
    read(&|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

fn value<'p>(platform: &'p Platform, header: &str) -> Option<&'p str> {
    platform.otlp.headers.iter().find(|(name, _)| name == header).map(|(_, value)| value.as_str())
}

const LANGFUSE: [(&str, &str); 2] = [("LANGFUSE_PUBLIC_KEY", "pk"), ("LANGFUSE_SECRET_KEY", "sk")];

#[test]
fn a_missing_key_says_what_to_set() {
    for (set, missing) in [(vec![], "LANGFUSE_PUBLIC_KEY"), (vec![LANGFUSE[0]], "LANGFUSE_SECRET_KEY")] {
        let error = env(&set, |var| Langfuse::read(var)).unwrap_err();
        assert!(error.starts_with(&format!("{missing} is not set: it is ")), "{error}");
    }
    let error = env(&[], |var| InteractiveAi::read(var)).unwrap_err();
    assert!(error.starts_with("INTERACTIVEAI_PUBLIC_KEY is not set"), "{error}");
    let error = env(&[], |var| Mlflow::read(var)).unwrap_err();
    assert!(error.contains("MLFLOW_TRACKING_URI is not set") && error.contains("http://"), "{error}");
    // A file is no server.
    let error = env(&[("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")], |var| Mlflow::read(var)).unwrap_err();
    assert!(error.contains("mlflow server"), "{error}");
}

#[test]
fn langfuse_and_interactiveai_have_the_variables_and_defaults_of_their_clients() {
    let platform = Platform::from(env(&LANGFUSE, |var| Langfuse::read(var)).unwrap());
    assert_eq!(platform.otlp.url, "https://cloud.langfuse.com/api/public/otel/v1/traces");
    assert_eq!((platform.otlp.timeout, platform.otlp.gzip), (Duration::from_secs(5), true));
    assert_eq!(value(&platform, "authorization"), Some("Basic cGs6c2s="));
    let more = [
        ("LANGFUSE_HOST", "http://old"),
        ("LANGFUSE_BASE_URL", "http://new:3000/"),
        ("LANGFUSE_TIMEOUT", "2.5"),
        ("LANGFUSE_TRACING_ENVIRONMENT", "Staging"),
        ("LANGFUSE_RELEASE", "r1"),
        ("LANGFUSE_SAMPLE_RATE", "0.25"),
        ("LANGFUSE_PROJECT_ID", "p1"),
    ];
    let platform = Platform::from(env(&[&LANGFUSE[..], &more].concat(), |var| Langfuse::read(var)).unwrap());
    assert_eq!(platform.otlp.url, "http://new:3000/api/public/otel/v1/traces");
    assert_eq!((platform.otlp.timeout, platform.share), (Duration::from_millis(2500), 0.25));
    assert_eq!(platform.page.as_deref(), Some("http://new:3000/project/p1/traces/{trace_id}"));
    let ours = Resource { project: "p".into(), service: "p".into(), ..Resource::default() };
    let told = platform.resource(&ours);
    assert_eq!((told.environment.as_deref(), told.release.as_deref()), (Some("staging"), Some("r1")));
    // Where nobody says a release, the commit is one.
    let release = |more: &[(&str, &str)], ours: Option<&str>| {
        let set = [&LANGFUSE[..], &[("GIT_COMMIT", "second"), ("CI_COMMIT_SHA", "first")], more].concat();
        let platform = Platform::from(env(&set, |var| Langfuse::read(var)).unwrap());
        let ours = Resource { release: ours.map(str::to_owned), ..Resource::default() };
        platform.resource(&ours).release.unwrap()
    };
    assert_eq!(release(&[], None), "first");
    assert_eq!(release(&[], Some("ours")), "ours");
    assert_eq!(release(&[("LANGFUSE_RELEASE", "theirs")], Some("ours")), "theirs");
    let old = [&LANGFUSE[..], &more[..1]].concat();
    assert_eq!(env(&old, |var| Langfuse::read(var)).unwrap().base_url, "http://old");
    let off = [&LANGFUSE[..], &[("LANGFUSE_TRACING_ENABLED", "False")]].concat();
    assert!(env(&off, |var| Langfuse::read(var)).unwrap_err().contains("switches it off"));

    let keys = [("INTERACTIVEAI_PUBLIC_KEY", "pk"), ("INTERACTIVEAI_SECRET_KEY", "sk")];
    let platform = Platform::from(env(&keys, |var| InteractiveAi::read(var)).unwrap());
    assert_eq!(platform.otlp.url, "https://app.interactive.ai/api/public/otel/v1/traces");
    assert_eq!((platform.otlp.timeout, platform.otlp.gzip), (Duration::from_secs(5), false));
}

#[test]
fn futureagi_has_the_variables_and_defaults_of_its_client() {
    let keys = [("FI_API_KEY", "a"), ("FI_SECRET_KEY", "s")];
    let platform = Platform::from(env(&keys, |var| FutureAgi::read(var)).unwrap());
    assert_eq!(platform.otlp.url, "https://api.futureagi.com/tracer/v1/traces");
    assert_eq!((value(&platform, "x-api-key"), value(&platform, "x-secret-key")), (Some("a"), Some("s")));
    let more = [("FI_BASE_URL", "http://f:8000/prefix/"), ("FI_PROJECT_NAME", "named")];
    let platform = Platform::from(env(&[keys, more].concat(), |var| FutureAgi::read(var)).unwrap());
    assert_eq!(platform.otlp.url, "http://f:8000/tracer/v1/traces");
    assert_eq!(platform.resource(&Resource::default()).project, "named");
    assert!(env(&keys[..1], |var| FutureAgi::read(var)).unwrap_err().starts_with("FI_SECRET_KEY is not set"));
}

#[test]
fn futureagi_is_told_of_an_experiment_and_its_evaluations() {
    let said = |settings: FutureAgi| Platform::from(settings).extras.resource;
    assert_eq!(said(FutureAgi::new("a", "s")), []);
    let mut settings = FutureAgi::new("a", "s");
    settings.version = Some("V1".to_owned());
    let tag = EvalTag::new("LLM", "my_eval", "turing_large").map("input", "input.value");
    let named = EvalTag { name: "my_eval_1".to_owned(), ..tag.clone() };
    // The second of a name is left out.
    settings.experiment = Some(vec![named.clone(), tag, named]);
    let said: std::collections::BTreeMap<_, _> = said(settings).into_iter().collect();
    assert_eq!((&*said["project_version_name"], &*said["project_type"]), ("V1", "experiment"));
    let tag = |name: &str| {
        json!({
            "type": "OBSERVATION_SPAN_TYPE", "value": "LLM", "eval_name": "my_eval", "config": {},
            "mapping": {"input": "input.value"}, "custom_eval_name": name, "model": "turing_large",
        })
    };
    let tags: Value = serde_json::from_str(&said["eval_tags"]).unwrap();
    assert_eq!(tags, json!([tag("my_eval_1"), tag("my_eval")]));
}

#[test]
fn what_is_hidden_from_a_platform_is_not_in_its_spans() {
    let span = |span_type| {
        let update = TraceUpdate { input: Some(Json::of("in")), ..TraceUpdate::default() };
        let parameters = json!({"temperature": 1}).as_object().unwrap().clone();
        Span {
            span_type,
            input: Some(r#"{"q":1}"#.into()),
            output: Some("[1]".into()),
            details: Some(Box::new(Details { parameters, trace: Some(update), ..Details::default() })),
            ..Span::begin(TraceId::from_seed("t"), SpanId::from_seed("s"), "work", Timestamp(1))
        }
    };
    // Input, output, the trace's input and how many parameters are shown.
    let shown = |name: &str, span_type| {
        let keys = [("FI_API_KEY", "a"), ("FI_SECRET_KEY", "s"), (name, "TRUE")];
        let platform = Platform::from(env(&keys, |var| FutureAgi::read(var)).unwrap());
        let span = span(span_type);
        let shown = platform.hidden.applied(&span);
        let details = shown.details.as_ref().unwrap();
        let of_trace = details.trace.as_ref().unwrap().input.clone() == Some(Json::of("in"));
        (shown.input == span.input, shown.output == span.output, of_trace, details.parameters.len())
    };
    for (name, span_type, expected) in [
        ("NOTHING", SpanType::Generation, (true, true, true, 1)),
        ("FI_HIDE_INPUTS", SpanType::Tool, (false, true, false, 1)),
        ("FI_HIDE_OUTPUTS", SpanType::Tool, (true, false, true, 1)),
        ("FI_HIDE_INPUT_MESSAGES", SpanType::Tool, (true, true, true, 1)),
        ("FI_HIDE_INPUT_IMAGES", SpanType::Generation, (false, true, true, 1)),
        ("FI_HIDE_OUTPUT_TEXT", SpanType::Generation, (true, false, true, 1)),
        ("FI_HIDE_EMBEDDING_VECTORS", SpanType::Generation, (true, true, true, 1)),
        ("FI_HIDE_EMBEDDING_VECTORS", SpanType::Embedding, (true, false, true, 1)),
        ("FI_HIDE_LLM_INVOCATION_PARAMETERS", SpanType::Generation, (true, true, true, 0)),
    ] {
        assert_eq!(shown(name, span_type), expected, "{name}");
    }
}

#[test]
fn phoenix_has_the_variables_and_defaults_of_its_client() {
    let platform = Platform::from(env(&[], |var| Phoenix::read(var)));
    assert_eq!(
        (platform.otlp.url.as_str(), platform.otlp.headers.len()),
        ("http://localhost:6006/v1/traces", 0)
    );
    let set = [
        ("PHOENIX_COLLECTOR_ENDPOINT", "https://app.phoenix.arize.com/s/space/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other"),
        ("PHOENIX_API_KEY", "k1"),
        ("PHOENIX_CLIENT_HEADERS", "x-one=a%20b"),
        ("PHOENIX_PROJECT_NAME", "alias"),
        ("PHOENIX_PROJECT", "named"),
    ];
    let platform = Platform::from(env(&set, |var| Phoenix::read(var)));
    assert_eq!(platform.otlp.url, "https://app.phoenix.arize.com/s/space/v1/traces");
    assert_eq!(
        (value(&platform, "authorization"), value(&platform, "x-one")),
        (Some("Bearer k1"), Some("a b"))
    );
    let ours = Resource { project: "p".into(), service: "checkout".into(), ..Resource::default() };
    let told = platform.resource(&ours);
    assert_eq!((told.project.as_str(), told.service.as_str()), ("named", "checkout"));
    // With the path behind it, and a header of one's own that says who sends.
    let set = [
        ("PHOENIX_COLLECTOR_ENDPOINT", "http://p:6006/v1/traces"),
        ("PHOENIX_API_KEY", "k1"),
        ("PHOENIX_CLIENT_HEADERS", "Authorization=Bearer%20k2"),
    ];
    let platform = Platform::from(env(&set, |var| Phoenix::read(var)));
    assert_eq!(platform.otlp.url, "http://p:6006/v1/traces");
    assert_eq!(platform.otlp.headers, [header("Authorization", "Bearer k2")]);
    assert_eq!(platform.page.as_deref(), Some("http://p:6006/redirects/traces/{trace_id}"));
}

#[test]
fn mlflow_has_the_variables_and_defaults_of_its_client() {
    let uri = ("MLFLOW_TRACKING_URI", "http://m:5000/");
    let platform = Platform::from(env(&[uri], |var| Mlflow::read(var)).unwrap());
    assert_eq!(platform.otlp.url, "http://m:5000/v1/traces");
    assert_eq!(value(&platform, "x-mlflow-experiment-id"), Some("0"));
    assert_eq!(
        platform.page.as_deref(),
        Some("http://m:5000/#/experiments/0/traces?selectedEvaluationId=tr-{trace_id}")
    );
    let set = [uri, ("MLFLOW_EXPERIMENT_ID", "7"), ("MLFLOW_TRACKING_TOKEN", "t")];
    let platform = Platform::from(env(&set, |var| Mlflow::read(var)).unwrap());
    let headers = (value(&platform, "x-mlflow-experiment-id"), value(&platform, "authorization"));
    assert_eq!(headers, (Some("7"), Some("Bearer t")));
    let set = [
        uri,
        ("MLFLOW_EXPERIMENT_ID", "7"),
        ("MLFLOW_EXPERIMENT_NAME", "a b"),
        ("MLFLOW_TRACKING_USERNAME", "u"),
        ("MLFLOW_TRACKING_PASSWORD", "p"),
        ("MLFLOW_TRACKING_TOKEN", "t"),
    ];
    let platform = Platform::from(env(&set, |var| Mlflow::read(var)).unwrap());
    let headers = (value(&platform, "x-mlflow-experiment-id"), value(&platform, "authorization"));
    assert_eq!(headers, (Some("{experiment}"), Some("Basic dTpw")));
    assert!(platform.lookup.is_some());
}

/// What is posted of a record, and where.
fn posted(platform: Platform, record: Record) -> Option<(String, Value)> {
    let (address, body) = (platform.records?.put)(&record, &Resource::default())?;
    Some((address, serde_json::from_slice(&body).unwrap()))
}

fn score(value: impl Into<ScoreValue>, target: Target) -> Record {
    Record::Score(Score {
        id: "id1".into(),
        name: "quality".into(),
        value: value.into(),
        target,
        ..Score::default()
    })
}

#[test]
fn phoenix_takes_scores_and_metrics_as_annotations_of_what_they_are_about() {
    let (trace, span) = (TraceId::from_seed("t"), SpanId::from_seed("s"));
    let whole = Target { trace_id: Some(trace), session: Some("c".into()), ..Target::default() };
    let of_span = Target { trace_id: Some(trace), span_id: Some(span), session: None };
    let of_session = Target { session: Some("c".into()), ..Target::default() };
    let put = |record| posted(Phoenix::new("http://p").into(), record);

    let Record::Score(mut judged) = score(0.9, of_span) else { panic!() };
    judged.comment = Some("why".into());
    judged.author = Some("ada".into());
    judged.correction = Some(observe_model::Json::of("better"));
    judged.metadata.insert("k".into(), 1.into());
    let (address, annotation) = put(Record::Score(judged)).unwrap();
    assert_eq!(address, "/span_annotations");
    assert_eq!(
        annotation,
        json!({
            "span_id": span.to_string(), "name": "quality", "annotator_kind": "CODE", "identifier": "id1",
            "result": {"score": 0.9, "explanation": "why"},
            "metadata": {"author": "ada", "correction": "better", "k": 1},
        })
    );
    let (address, annotation) = put(score(true, whole)).unwrap();
    assert_eq!(
        (address.as_str(), &annotation["trace_id"]),
        ("/trace_annotations", &json!(trace.to_string()))
    );
    assert_eq!(annotation["result"], json!({"score": 1, "label": "true"}));
    let (address, annotation) = put(score("good", of_session.clone())).unwrap();
    assert_eq!((address.as_str(), &annotation["session_id"]), ("/session_annotations", &json!("c")));
    assert_eq!(annotation["result"], json!({"label": "good"}));
    let metric = Metric {
        name: "chars".into(),
        value: 5.0,
        unit: Some("chars".into()),
        target: of_session,
        ..Metric::default()
    };
    let (_, annotation) = put(Record::Metric(metric)).unwrap();
    assert_eq!(
        (&annotation["result"], &annotation["metadata"]),
        (&json!({"score": 5.0}), &json!({"unit": "chars"}))
    );
    assert!(put(score(1, Target::default())).is_none());
}

#[test]
fn mlflow_takes_scores_and_metrics_as_assessments_and_none_of_a_session() {
    let (trace, span) = (TraceId::from_seed("t"), SpanId::from_seed("s"));
    let of_span = Target { trace_id: Some(trace), span_id: Some(span), session: None };
    let put = |record| posted(Mlflow::new("http://m").into(), record);
    let Record::Score(mut judged) = score("good", of_span) else { panic!() };
    judged.comment = Some("why".into());
    judged.at = Timestamp(1_500_000_000_123_456_789);
    judged.metadata.insert("k".into(), 1.into());
    let (address, body) = put(Record::Score(judged)).unwrap();
    assert_eq!(address, format!("/tr-{trace}/assessments"));
    assert_eq!(
        body,
        json!({"assessment": {
            "assessment_name": "quality", "trace_id": format!("tr-{trace}"), "span_id": span.to_string(),
            "source": {"source_type": "CODE", "source_id": "observe"}, "feedback": {"value": "good"},
            "rationale": "why", "metadata": {"k": "1", "observe.id": "id1"},
            "create_time": "2017-07-14T02:40:00.123000000Z", "last_update_time": "2017-07-14T02:40:00.123000000Z",
        }})
    );
    assert!(put(score(1, Target { session: Some("c".into()), ..Target::default() })).is_none());
}

#[test]
fn a_project_is_the_wanted_one_or_the_only_one() {
    let read = Platform::from(InteractiveAi::new("p", "s")).lookup.unwrap().read;
    let project = |id: &str| json!({"id": id, "orgId": "o1"});
    let found = vec![("project", "p1".to_owned()), ("organization", "o1".to_owned())];
    assert_eq!(read(&json!({"data": [project("p1")]}), None), Ok(found.clone()));
    let two = json!({"data": [project("p0"), project("p1")]});
    assert_eq!(read(&two, Some("p1")), Ok(found));
    assert!(read(&two, None).unwrap_err().contains("INTERACTIVEAI_PROJECT_ID"));
    assert!(read(&two, Some("p9")).unwrap_err().contains("p9"));
    assert!(read(&json!({}), None).unwrap_err().contains("0 projects"));
}

#[test]
fn texts_are_percent_encoded_in_addresses() {
    assert_eq!(percent_encoded("a b/\u{e9}?-._~"), "a%20b%2F%C3%A9%3F-._~");
}
