//! `openapi.json` and the API say the same, field by field and route by route.

use std::collections::{BTreeMap, BTreeSet};

use observe_store::SqliteStore;
use serde_json::Value;

use super::routes;
use crate::{Viewer, test_data};

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

#[test]
fn every_route_is_in_the_document_and_the_reverse() {
    let document = document();
    let described: BTreeSet<_> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let served: BTreeSet<_> = routes().into_iter().map(|(path, _)| path).collect();
    assert_eq!(described, served);
}

#[tokio::test]
async fn every_field_is_in_the_document_and_the_reverse() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("observe.db");
    test_data::fill(&mut SqliteStore::open(&path).unwrap());
    let running = Viewer::new(path).listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let base = format!("http://{}/api/v1", running.addr);
    let trace = test_data::failing_trace();
    let asked = [
        ("/sessions?limit=1".to_owned(), "SessionPage"),
        ("/sessions".to_owned(), "SessionPage"),
        ("/sessions/support%2F7?project=shop".to_owned(), "Session"),
        ("/sessions/support%2F8".to_owned(), "Session"),
        ("/traces?limit=2".to_owned(), "TracePage"),
        ("/traces".to_owned(), "TracePage"),
        (format!("/traces/{trace}"), "Trace"),
        (format!("/traces/{}", test_data::running_trace()), "Trace"),
        (format!("/scores?trace={trace}"), "ScorePage"),
        ("/scores?limit=1".to_owned(), "ScorePage"),
        ("/metrics?limit=1".to_owned(), "MetricPage"),
        ("/traces?wrong=1".to_owned(), "Error"),
    ];
    let mut check = Check { document: document(), seen: BTreeMap::new() };
    for (path, schema) in asked {
        let text = reqwest::get(format!("{base}{path}")).await.unwrap().text().await.unwrap();
        check.value(&serde_json::from_str(&text).unwrap(), &reference(schema), &path);
    }
    let mut events = reqwest::get(format!("{base}/events")).await.unwrap();
    let event = String::from_utf8(events.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    check.value(&serde_json::from_str(data).unwrap(), &reference("Change"), "/events");
    check.everything_was_seen();
}

fn reference(schema: &str) -> Value {
    serde_json::json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// Holds answers against the document, and remembers which fields were there with a value.
struct Check {
    document: Value,
    seen: BTreeMap<String, BTreeSet<String>>,
}

impl Check {
    fn value(&mut self, value: &Value, schema: &Value, at: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let schema = self.document.pointer(reference.trim_start_matches('#')).expect(reference).clone();
            let name = reference.rsplit('/').next().unwrap();
            if let (Some(object), true) = (value.as_object(), schema["properties"].is_object()) {
                let known = object.iter().filter(|(_, v)| !v.is_null()).map(|(k, _)| k.clone());
                self.seen.entry(name.to_owned()).or_default().extend(known);
            }
            return self.value(value, &schema, &format!("{at} {name}"));
        }
        self.kind(value, schema, at);
        if let Some(allowed) = schema["enum"].as_array() {
            assert!(allowed.contains(value), "{at}: {value} is none of {allowed:?}");
        }
        for (i, item) in value.as_array().into_iter().flatten().enumerate() {
            self.value(item, &schema["items"], &format!("{at}[{i}]"));
        }
        let Some(properties) = schema["properties"].as_object() else { return };
        // Of the right kind, it is null where it is no object.
        let Some(object) = value.as_object() else { return };
        for (key, value) in object {
            let property =
                properties.get(key).unwrap_or_else(|| panic!("{at}: {key} is not in the document"));
            self.value(value, property, &format!("{at}.{key}"));
        }
        for key in schema["required"].as_array().unwrap() {
            assert!(object.contains_key(key.as_str().unwrap()), "{at}: {key} is missing");
        }
    }

    /// The value is of a type that the schema names; a schema that names none takes any.
    fn kind(&self, value: &Value, schema: &Value, at: &str) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(n) if n.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fits = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
        let right = match &schema["type"] {
            Value::Null => true,
            Value::Array(wanted) => wanted.iter().any(fits),
            wanted => fits(wanted),
        };
        assert!(right, "{at}: {value} is not of {}", schema["type"]);
    }

    fn everything_was_seen(&self) {
        for (name, schema) in self.document["components"]["schemas"].as_object().unwrap() {
            let described = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key);
            let seen = self.seen.get(name);
            let unseen: Vec<_> = described.filter(|key| !seen.is_some_and(|s| s.contains(*key))).collect();
            assert!(unseen.is_empty(), "{name}: no answer has {unseen:?}");
        }
    }
}
