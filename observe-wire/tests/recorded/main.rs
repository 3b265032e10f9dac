//! The spans and scores of one small program, as our encoder writes them and as the platforms' own clients were recorded to
//! send them (`tests/data`). Every difference is listed with its reason; one that is listed and not there fails as well.

#[path = "../common/compared.rs"]
mod compared;
mod listed;
mod otlp_json;
mod scenario;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use compared::{Difference, Said, differences, only_listed};
use listed::{EVERYWHERE, OF_INTERACTIVEAI, OF_LANGFUSE};
use observe_model::{Json, Level, Resource, Span};
use observe_wire::{Dialect, Encoder, Extras, Limits, decode};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    resource::v1::Resource as ProtoResource,
    trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan, Status as ProtoStatus},
};
use otlp_json::{array, attributes, our_attributes, ours, proto_attributes, theirs};
use prost::Message as _;
use scenario::{resource, score, spans_at_the_limits, spans_of_a_request, spans_of_a_turn};
use serde_json::{Value, json};

/// What was recorded of a platform's client, and the same in our model.
struct Recording {
    dialect: Dialect,
    theirs: Value,
    differences: Vec<Difference>,
}

fn recordings() -> [Recording; 2] {
    let of = |dialect, text, differences: &[Difference]| Recording {
        dialect,
        theirs: serde_json::from_str(text).unwrap(),
        differences: [EVERYWHERE, differences].concat(),
    };
    [
        of(Dialect::Langfuse, include_str!("../data/langfuse.json"), OF_LANGFUSE),
        of(Dialect::InteractiveAi, include_str!("../data/interactiveai.json"), OF_INTERACTIVEAI),
    ]
}

impl Recording {
    /// The program's spans in our model.
    fn ours(&self) -> Vec<Span<'static>> {
        [spans_of_a_turn, spans_of_a_request, spans_at_the_limits]
            .iter()
            .flat_map(|spans| spans(self.dialect))
            .collect()
    }

    /// What our encoder makes of them.
    fn request(&self) -> ResourceSpans {
        let extras = Extras { scope: vec![("public_key".into(), "pk-test".into())], ..Extras::default() };
        let mut encoder = Encoder::in_dialect(&resource(), self.dialect, &extras);
        self.ours().iter().for_each(|span| encoder.push(span));
        ExportTraceServiceRequest::decode(&*encoder.take()).unwrap().resource_spans.remove(0)
    }

    fn their_span(&self, name: &str) -> &Value {
        array(&self.theirs["spans"]).iter().find(|span| span["name"] == name).unwrap()
    }

    /// Fails unless what is different is what is listed for this.
    fn check(&self, found: BTreeSet<(String, String)>, of: impl Fn(&str) -> bool) {
        let listed = self.differences.iter().filter(|(span, ..)| of(span));
        only_listed(self.dialect.as_str(), found, listed);
    }
}

#[test]
fn spans_say_what_those_of_the_platforms_own_clients_say() {
    for recording in recordings() {
        let request = recording.request();
        let spans = &request.scope_spans[0].spans;
        assert_eq!(spans.len(), array(&recording.theirs["spans"]).len());
        let found = spans
            .iter()
            .flat_map(|span| differences(&span.name, &theirs(recording.their_span(&span.name)), &ours(span)));
        recording.check(found.collect(), |span| !matches!(span, "resource" | "scope" | "score"));
    }
}

#[test]
fn the_process_is_described_as_by_the_platforms_own_clients() {
    for recording in recordings() {
        let request = recording.request();
        let resource = our_attributes(&request.resource.as_ref().unwrap().attributes).collect();
        let mut found =
            differences("resource", &attributes(&recording.theirs["resource"]).collect(), &resource);
        let (scope, theirs) = (request.scope_spans[0].scope.as_ref().unwrap(), &recording.theirs["scope"]);
        assert_eq!(scope.name, theirs["name"].as_str().unwrap());
        let scope = our_attributes(&scope.attributes).collect();
        found.extend(differences("scope", &attributes(&theirs["attributes"]).collect(), &scope));
        recording.check(found, |span| matches!(span, "resource" | "scope"));
    }
}

#[test]
fn scores_say_what_those_of_the_platforms_own_clients_say() {
    for recording in recordings() {
        let mut found = BTreeSet::new();
        for theirs in array(&recording.theirs["scores"]) {
            let name = theirs["name"].as_str().unwrap();
            let ours = recording.dialect.score(&score(name, theirs), Some("staging")).unwrap();
            let ours: Said = serde_json::from_slice(&ours).unwrap();
            let theirs: Said = serde_json::from_value(theirs.clone()).unwrap();
            found.extend(differences("score", &theirs, &ours));
        }
        recording.check(found, |span| span == "score");
    }
}

/// What we read of the recorded spans, by name.
fn read(recording: &Recording) -> BTreeMap<String, Span<'static>> {
    let spans = array(&recording.theirs["spans"]).iter().map(|span| ProtoSpan {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: span["name"].as_str().unwrap().to_owned(),
        start_time_unix_nano: 1_704_164_644_000_000_000,
        end_time_unix_nano: 1_704_164_646_000_000_000,
        attributes: proto_attributes(&span["attributes"]),
        status: Some(ProtoStatus {
            code: if span["status"]["code"] == "STATUS_CODE_ERROR" { 2 } else { 0 },
            message: span["status"]["message"].as_str().unwrap_or_default().to_owned(),
        }),
        ..ProtoSpan::default()
    });
    let scope = InstrumentationScope {
        name: recording.theirs["scope"]["name"].as_str().unwrap().to_owned(),
        ..InstrumentationScope::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(ProtoResource {
                attributes: proto_attributes(&recording.theirs["resource"]),
                ..ProtoResource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let decoded = decode(&request.encode_to_vec(), &Limits::default()).unwrap().resources.remove(0);
    assert_eq!(decoded.resource, Resource { project: decoded.resource.service.clone(), ..resource() });
    decoded.spans.into_iter().map(|span| (span.name.to_string(), span)).collect()
}

#[test]
fn what_the_platforms_own_clients_send_is_read() {
    for recording in recordings() {
        let read = read(&recording);
        for ours in recording.ours() {
            let theirs = &read[&*ours.name];
            let json = |text: &Option<Cow<'_, str>>| {
                text.as_ref().map(|text| serde_json::from_str::<Value>(text).unwrap())
            };
            assert_eq!(theirs.span_type, ours.span_type);
            assert_eq!(json(&theirs.input), json(&ours.input));
            assert_eq!((&theirs.model, theirs.usage, theirs.cost), (&ours.model, ours.usage, ours.cost));
            assert_eq!(theirs.status, ours.status, "{}", ours.name);
            assert_eq!(theirs.status_message, ours.status_message);
            if !matches!(&*ours.name, "limits" | "child" | "user-request" | "downstream") {
                assert_eq!(theirs.attributes, ours.attributes);
                assert_eq!(json(&theirs.output), json(&ours.output));
            }
            let details = |span: &Span<'_>| span.details.as_deref().cloned().unwrap_or_default();
            assert_eq!(details(theirs).parameters, details(&ours).parameters);
            assert_eq!(details(theirs).time_to_first, details(&ours).time_to_first);
        }
        let request = &read["user-request"];
        assert_eq!(request.level, Level::Warning);
        let f = if recording.dialect == Dialect::Langfuse { json!(1.5) } else { json!("1.5") };
        let metadata = json!({"s": "text", "i": 7, "b": true, "f": f, "d": {"k": [1]}});
        assert_eq!(Value::from(request.metadata.clone().into_owned()), metadata);
        assert_eq!(read["search"].metadata.len(), 0, "nothing is left over");
    }
    let [_, interactiveai] = recordings();
    let read = read(&interactiveai);
    let request = &read["user-request"];
    assert_eq!(request.attributes.version.as_deref(), Some("v-trace"));
    assert_eq!(request.attributes.public, Some(true));
    assert_eq!(request.attributes.metadata["n"], json!({"a": 1}));
    let trace = request.details.as_ref().unwrap().trace.as_ref().unwrap();
    assert_eq!(trace.input, Some(Json::from_text(r#"{"query": "What's the weather?"}"#)));
    assert_eq!(trace.output, Some(Json::of("fine")));
    assert_eq!(read["fails"].level, Level::Error);
    assert_eq!(read["child"].attributes.session, Some("s".repeat(200)));
}
