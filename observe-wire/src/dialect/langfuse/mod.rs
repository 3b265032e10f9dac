//! Langfuse's own attributes, as its clients write them, and those of its fork InteractiveAI.
//!
//! Both take session, user, tags, metadata and name of a trace from each of its spans. They keep the other attributes
//! of what their clients send to themselves, so that our `observe.*` are in nobody's way.
//!
//! `docs/WIRE.md` is this file as a table; change both together.

mod integers;
pub(crate) mod scores;
mod usage;

use std::borrow::Cow;

use observe_model::{
    Details, Json, Level, Metadata, Prompt, Resource, Span, SpanType, Status, Timestamp, TraceAttributes,
};
use serde_json::Value;

use self::usage::{UsageDetails, cost, usage};
use super::{
    Dialect, Draft, Sender,
    own::{self, fill_metadata, json},
    payload::{self, is_json, literal, looks_nested},
};
use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::{
        SPAN_ATTRIBUTES as SPAN, key, put_any_attribute, put_bool, put_double, put_int, put_text,
        put_text_attribute, put_texts,
    },
};

/// What the scope's name begins with in Langfuse's clients.
pub(crate) const SCOPE: &[u8] = b"langfuse-sdk";
/// The scope's name in InteractiveAI's clients.
pub(crate) const INTERACTIVEAI_SCOPE: &[u8] = b"interactiveai-sdk";

/// The most characters that the clients let a value have that is stamped on every span.
const LONGEST: usize = 200;

const TRACE_METADATA: &str = "langfuse.trace.metadata";
const METADATA: &str = "langfuse.observation.metadata";

/// The attributes of a resource.
pub(crate) fn of_resource(resource: &Resource) -> Vec<(&'static str, &str)> {
    let Resource { project, service, release, environment } = resource;
    let mut attributes = vec![
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", "observe"),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        (own::PROJECT, project),
        ("service.name", service),
    ];
    attributes.extend(release.as_deref().map(|release| ("langfuse.release", release)));
    attributes.extend(environment.as_deref().map(|name| match is_environment(name) {
        true => ("langfuse.environment", name),
        false => ("deployment.environment.name", name),
    }));
    attributes
}

/// Whether Langfuse takes this for the name of an environment.
fn is_environment(name: &str) -> bool {
    let is_fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    !name.is_empty() && name.len() <= 40 && name.bytes().all(is_fine) && !name.starts_with("langfuse")
}

/// Whether the clients would stamp this on every span.
fn fits(text: &str) -> bool {
    text.len() <= LONGEST || text.chars().count() <= LONGEST
}

/// Whether what a span says of its scope under this key was said of the trace from inside, which the clients do not limit.
fn is_said(span: &Span<'_>, key: &str) -> bool {
    let said = span.details.as_deref().and_then(|details| details.trace.as_ref());
    said.is_some_and(|trace| trace.attributes.metadata.contains_key(key))
}

/// Whether the clients would leave out this entry of a scope's metadata.
fn is_left_out(span: &Span<'_>, key: &str, value: &Value) -> bool {
    value.as_str().is_some_and(|text| !fits(text)) && !is_said(span, key)
}

/// Why some of what is stamped on every span is not said in the platforms' words.
pub(crate) fn unfit(span: &Span<'_>) -> Option<&'static str> {
    let TraceAttributes { session, user, name, version, environment, tags, metadata, .. } = &*span.attributes;
    let is_long = |text: &Option<String>| text.as_deref().is_some_and(|text| !fits(text));
    let faults = [
        (is_long(session), "a session id may have at most 200 characters"),
        (is_long(user), "a user id may have at most 200 characters"),
        (is_long(name), "a trace's name may have at most 200 characters"),
        (is_long(version), "a trace's version may have at most 200 characters"),
        (!tags.iter().all(|tag| fits(tag)), "a tag may have at most 200 characters"),
        (
            metadata.iter().any(|(key, value)| is_left_out(span, key, value)),
            "a text in a trace's metadata may have at most 200 characters",
        ),
        (
            environment.as_deref().is_some_and(|name| !is_environment(name)),
            "an environment's name may have at most 40 characters, of a-z, 0-9, _ and -, and not begin with langfuse",
        ),
    ];
    faults.into_iter().find_map(|(is_fault, why)| is_fault.then_some(why))
}

/// Appends what a span says in attributes.
pub(crate) fn put(out: &mut Vec<u8>, span: &Span<'_>, resource: &Resource, dialect: Dialect) {
    // SPAN_KIND_INTERNAL, which is what the clients say of each.
    out.extend_from_slice(&[6 << 3, 1]);
    put_scope(out, span, resource, dialect);
    put_text(out, key!(SPAN, "langfuse.observation.type"), span.span_type.as_str().as_bytes());
    put_payloads(out, span);
    put_standing(out, span);
    if let Some(model) = &span.model {
        put_text(out, key!(SPAN, "langfuse.observation.model.name"), model.as_bytes());
    }
    if !span.usage.is_unknown() {
        let usage = json(&UsageDetails::of(&span.usage));
        put_text(out, key!(SPAN, "langfuse.observation.usage_details"), &usage);
    }
    if !span.cost.finite().is_unknown() {
        put_text(out, key!(SPAN, "langfuse.observation.cost_details"), &json(&span.cost.finite()));
    }
    put_metadata(out, span, dialect);
    if let Some(details) = &span.details {
        put_details(out, span, details);
    }
    own::put_code(out, span);
    own::put_status(out, span.status);
    own::put_dropped(out, span);
}

/// What stands on every span: whose trace it is, and where it ran.
fn put_scope(out: &mut Vec<u8>, span: &Span<'_>, resource: &Resource, dialect: Dialect) {
    let TraceAttributes { session, user, name, version, release, environment, public, tags, metadata } =
        &*span.attributes;
    let mut unsaid = own::Scope {
        release: release.as_deref(),
        environment: environment.as_deref(),
        ..own::Scope::default()
    };
    if let Some(user) = sayable(user, &mut unsaid.user) {
        put_text(out, key!(SPAN, "user.id"), user.as_bytes());
    }
    if let Some(session) = sayable(session, &mut unsaid.session) {
        put_text(out, key!(SPAN, "session.id"), session.as_bytes());
    }
    if let Some(name) = sayable(name, &mut unsaid.name) {
        put_text(out, key!(SPAN, "langfuse.trace.name"), name.as_bytes());
    }
    // One key for both versions.
    let own_version = span.version.as_deref();
    match (own_version, sayable(version, &mut unsaid.version)) {
        (None, None) => {}
        (None, Some(version)) => put_text(out, key!(SPAN, "langfuse.version"), version.as_bytes()),
        (Some(own_version), _) => {
            unsaid.version = version.as_deref();
            put_text(out, key!(SPAN, "langfuse.version"), own_version.as_bytes());
            own::put_version(out, own_version);
        }
    }
    if !tags.is_empty() {
        let fitting: Vec<_> = tags.iter().filter(|tag| fits(tag)).cloned().collect();
        if fitting.len() < tags.len() {
            unsaid.tags = tags;
        }
        put_texts(out, SPAN, "langfuse.trace.tags", &fitting);
    }
    if let Some(public) = public {
        put_bool(out, key!(SPAN, "langfuse.trace.public"), *public);
    }
    let environment = environment.as_ref().or(resource.environment.as_ref());
    if let Some(environment) = environment.filter(|name| is_environment(name)) {
        put_text(out, key!(SPAN, "langfuse.environment"), environment.as_bytes());
    }
    let of_process = resource.release.as_ref().filter(|_| dialect == Dialect::Langfuse);
    if let Some(release) = release.as_ref().or(of_process) {
        put_text(out, key!(SPAN, "langfuse.release"), release.as_bytes());
    }
    let has_given_parent = span.details.as_deref().is_some_and(|details| details.given_parent);
    if (span.parent_id.is_none() || has_given_parent) && dialect == Dialect::Langfuse {
        put_bool(out, key!(SPAN, "langfuse.internal.is_app_root"), true);
    }
    if has_given_parent {
        put_bool(out, key!(SPAN, "langfuse.internal.as_root"), true);
    }
    let entries = metadata.iter().filter(|(key, value)| !is_left_out(span, key, value));
    let is_all = entries.clone().count() == metadata.len();
    if !put_entries(out, TRACE_METADATA, entries, dialect) || !is_all {
        own::put_scope_metadata(out, &json(metadata));
    }
    own::put_scope(out, &unsaid);
}

/// The text if it fits; else it is noted as not said.
fn sayable<'s>(text: &'s Option<String>, unsaid: &mut Option<&'s str>) -> Option<&'s str> {
    let text = text.as_deref()?;
    if fits(text) {
        return Some(text);
    }
    *unsaid = Some(text);
    None
}

/// Appends input and output.
fn put_payloads(out: &mut Vec<u8>, span: &Span<'_>) {
    if let Some(input) = &span.input {
        let Native { text, mime, integers } = native(input);
        put_text(out, key!(SPAN, "langfuse.observation.input"), &text);
        if let Some(mime) = mime {
            put_text(out, key!(SPAN, "observe.input.mime_type"), mime.as_bytes());
        }
        if let Some(places) = integers {
            put_text(out, key!(SPAN, "observe.input.integers"), places.as_bytes());
        }
    }
    if let Some(output) = &span.output {
        let Native { text, mime, integers } = native(output);
        put_text(out, key!(SPAN, "langfuse.observation.output"), &text);
        if let Some(mime) = mime {
            put_text(out, key!(SPAN, "observe.output.mime_type"), mime.as_bytes());
        }
        if let Some(places) = integers {
            put_text(out, key!(SPAN, "observe.output.integers"), places.as_bytes());
        }
    }
}

/// A payload as the clients write it, and what they do not say.
struct Native<'j> {
    text: Cow<'j, [u8]>,
    /// Where the text does not tell.
    mime: Option<&'static str>,
    /// Where in the text quotes stand around a number.
    integers: Option<String>,
}

/// A JSON string becomes its text; all else stays JSON.
fn native(json: &str) -> Native<'_> {
    if let Some(text) = literal(json.as_bytes()) {
        let looks = std::str::from_utf8(&text).is_ok_and(|text| looks_json(text) && is_json(text));
        return Native { text, mime: looks.then_some(payload::TEXT), integers: None };
    }
    let (text, integers) = integers::quote(json);
    let mime = (!looks_json(&text)).then_some(payload::JSON);
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Native { text, mime, integers }
}

/// Whether `text` begins as JSON does, but for that of a string, which would not have been written as JSON.
fn looks_json(text: &str) -> bool {
    text.trim_start().starts_with(|c: char| matches!(c, '{' | '[' | '-' | '0'..='9' | 't' | 'f' | 'n'))
}

/// Appends level and status message. An error is one on the platform too, unless the span says how bad it is.
fn put_standing(out: &mut Vec<u8>, span: &Span<'_>) {
    let has_failed = matches!(span.status, Status::Error | Status::Interrupted);
    let level = match span.level {
        Level::Default if has_failed => {
            own::put_level(out, span.level);
            Some("ERROR")
        }
        Level::Default => None,
        Level::Debug => Some("DEBUG"),
        Level::Warning => Some("WARNING"),
        Level::Error => Some("ERROR"),
    };
    if let Some(level) = level {
        put_text(out, key!(SPAN, "langfuse.observation.level"), level.as_bytes());
    }
    if let Some(message) = &span.status_message {
        put_text(out, key!(SPAN, "langfuse.observation.status_message"), message.as_bytes());
    }
}

/// Appends the span's own metadata, and its states, for which the platforms have no other place.
fn put_metadata(out: &mut Vec<u8>, span: &Span<'_>, dialect: Dialect) {
    let states = span.details.as_deref().map_or(&[][..], |details| &details.states);
    let mut shown = Cow::Borrowed(&*span.metadata);
    for state in states {
        let value = serde_json::from_str(state.value.as_str()).unwrap_or_default();
        shown.to_mut().entry(format!("state_{}", state.name)).or_insert(value);
    }
    let is_exact = put_entries(out, METADATA, shown.iter(), dialect);
    if !is_exact || !states.is_empty() {
        own::put_metadata(out, &json(&*span.metadata));
    }
}

/// Appends an attribute for each entry that the clients would send, and says whether from these all can be read back.
fn put_entries<'m>(
    out: &mut Vec<u8>,
    prefix: &str,
    entries: impl Iterator<Item = (&'m String, &'m Value)>,
    dialect: Dialect,
) -> bool {
    let mut is_exact = true;
    for (key, value) in entries {
        let key = format!("{prefix}.{key}");
        match (value, dialect) {
            (Value::Null, _) => is_exact = false,
            (Value::String(text), Dialect::InteractiveAi) => {
                is_exact &= !looks_nested(text);
                put_text_attribute(out, SPAN, &key, text);
            }
            (Value::Bool(_), Dialect::InteractiveAi) => put_any_attribute(out, SPAN, &key, value),
            (Value::Number(number), Dialect::InteractiveAi) => match number.as_i64() {
                Some(n) if n.unsigned_abs() <= integers::MAX_SAFE => {
                    put_any_attribute(out, SPAN, &key, value)
                }
                _ => {
                    is_exact = false;
                    put_text_attribute(out, SPAN, &key, &number.to_string());
                }
            },
            _ => {
                let json = value.to_string();
                let (text, places) = integers::quote(&json);
                is_exact &= places.is_none();
                put_text_attribute(out, SPAN, &key, &text);
            }
        }
    }
    is_exact
}

/// Appends what only some spans have.
fn put_details(out: &mut Vec<u8>, span: &Span<'_>, details: &Details) {
    let Details { prompt, parameters, tools, time_to_first, trace, .. } = details;
    if let Some(nanos) = time_to_first {
        let first = micros(Timestamp(span.start.0.saturating_add(*nanos)));
        // The quotes are part of the value.
        let moment = format!("\"{first}\"");
        put_text(out, key!(SPAN, "langfuse.observation.completion_start_time"), moment.as_bytes());
        put_double(out, key!(SPAN, "gen_ai.response.time_to_first_chunk"), *nanos as f64 / 1e9);
    }
    if !parameters.is_empty() {
        put_text(out, key!(SPAN, "langfuse.observation.model.parameters"), &json(parameters));
    }
    if let Some(prompt) = prompt {
        put_prompt(out, prompt);
    }
    if let Some(tools) = tools {
        put_text(out, key!(SPAN, "gen_ai.tool.definitions"), tools.as_str().as_bytes());
    }
    if let Some(input) = trace.as_ref().and_then(|trace| trace.input.as_ref()) {
        put_text(out, key!(SPAN, "langfuse.trace.input"), &native(input.as_str()).text);
    }
    if let Some(output) = trace.as_ref().and_then(|trace| trace.output.as_ref()) {
        put_text(out, key!(SPAN, "langfuse.trace.output"), &native(output.as_str()).text);
    }
    own::put_details(out, details);
}

/// A moment as the clients write it, in microseconds.
fn micros(at: Timestamp) -> String {
    let nanos = at.to_string();
    nanos.get(..nanos.len().saturating_sub(4)).unwrap_or_default().to_owned() + "Z"
}

/// Appends the prompt; the platforms count its versions.
fn put_prompt(out: &mut Vec<u8>, prompt: &Prompt) {
    put_text(out, key!(SPAN, "langfuse.observation.prompt.name"), prompt.name.as_bytes());
    let Some(version) = &prompt.version else { return };
    match version.parse::<u32>() {
        Ok(n) if n.to_string() == *version => {
            put_int(out, key!(SPAN, "langfuse.observation.prompt.version"), n.into());
        }
        _ => put_text(out, key!(SPAN, "langfuse.observation.prompt.version"), version.as_bytes()),
    }
}

/// The span type that is said.
pub(crate) fn span_type(a: &mut Attributes<'_>) -> Option<SpanType> {
    a.text_like("langfuse.observation.type", |text| text.to_ascii_lowercase().parse().ok())
}

/// Reads what is in Langfuse's words, from its clients and from others.
pub(crate) fn read(draft: &mut Draft<'_>, a: &mut Attributes<'_>, sender: &Sender) -> Result<(), Unreadable> {
    let span = &mut *draft.span;
    span.model = a.text(&["langfuse.observation.model.name"]).map(Cow::Owned);
    let input = payload::read(a, "observe.input.mime_type", &["langfuse.observation.input"], looks_json)?;
    span.input = unquoted(input, a.json_text("observe.input.integers")?);
    let output = payload::read(a, "observe.output.mime_type", &["langfuse.observation.output"], looks_json)?;
    span.output = unquoted(output, a.json_text("observe.output.integers")?);
    span.level = a.text_like("langfuse.observation.level", level).unwrap_or(span.level);
    if let Some(message) = a.text(&["langfuse.observation.status_message"]) {
        span.status_message = Some(message.into());
    }
    let mut metadata = read_entries(a, METADATA, sender)?;
    span.usage = usage(a, &mut metadata)?;
    span.cost = cost(a, &mut metadata)?;
    span.metadata = Cow::Owned(metadata);
    read_scope(&mut draft.scope, a, sender)?;
    read_details(draft, a)
}

/// A payload with the numbers that stand in quotes at these places as they were.
fn unquoted(payload: Option<Cow<'static, str>>, places: Option<Vec<usize>>) -> Option<Cow<'static, str>> {
    let unquoted = places.and_then(|places| integers::unquote(payload.as_deref()?, &places));
    unquoted.map(Cow::Owned).or(payload)
}

/// The level that a name means, also one that loggers use.
fn level(name: &str) -> Option<Level> {
    Some(match name.to_ascii_uppercase().as_str() {
        "TRACE" | "VERBOSE" | "DEBUG" => Level::Debug,
        "INFO" | "LOG" | "NOTICE" | "OK" | "SUCCESS" | "DEFAULT" => Level::Default,
        "WARN" | "WARNING" => Level::Warning,
        "FATAL" | "CRITICAL" | "ERROR" => Level::Error,
        _ => return None,
    })
}

fn read_scope(
    scope: &mut TraceAttributes,
    a: &mut Attributes<'_>,
    sender: &Sender,
) -> Result<(), Unreadable> {
    scope.session = a.text(&["session.id", "langfuse.session.id"]);
    scope.user = a.text(&["user.id", "langfuse.user.id"]);
    scope.name = a.text(&["langfuse.trace.name"]);
    // One key for both versions: the span's own is said apart too.
    let version = a.text(&["langfuse.version"]);
    scope.version = version.filter(|_| !a.has("observe.version"));
    let of_process = &sender.resource;
    scope.release = a.text(&["langfuse.release"]).filter(|name| of_process.release.as_ref() != Some(name));
    let environment = a.text(&["langfuse.environment"]);
    scope.environment = environment.filter(|name| of_process.environment.as_ref() != Some(name));
    scope.public = a.bool("langfuse.trace.public");
    scope.tags = read_tags(a)?;
    scope.metadata = read_entries(a, TRACE_METADATA, sender)?;
    a.forget("langfuse.internal.is_app_root");
    Ok(())
}

/// Tags: a list, or as one text, in JSON or with commas between them.
fn read_tags(a: &mut Attributes<'_>) -> Result<Vec<String>, Unreadable> {
    for key in ["langfuse.trace.tags", "langfuse.tags"] {
        let tags = a.texts(key)?;
        if !tags.is_empty() {
            return Ok(tags);
        }
        let text = |text: &str| text.split(',').map(|tag| tag.trim().to_owned()).collect();
        let tags: Option<Vec<String>> = a.json_text(key)?.or_else(|| a.text_like(key, |t| Some(text(t))));
        if let Some(tags) = tags {
            let mut scope = TraceAttributes::default();
            tags.into_iter().for_each(|tag| scope.add_tag(tag));
            return Ok(scope.tags);
        }
    }
    Ok(Vec::new())
}

/// Metadata: an attribute for each entry, or one for all, which is an object or nothing that has names.
fn read_entries(a: &mut Attributes<'_>, key: &str, sender: &Sender) -> Result<Metadata, Unreadable> {
    // Langfuse's clients write each value as JSON; the older ones, and InteractiveAI's, a text as it is.
    let looks = |text: &str| sender.is_langfuse || looks_nested(text);
    let mut metadata = a.entries(&format!("{key}."), looks)?;
    match a.value(key, looks)? {
        None => {}
        Some(Value::Object(entries)) => fill_metadata(&mut metadata, entries),
        Some(value) => {
            metadata.entry("metadata").or_insert(value);
        }
    }
    Ok(metadata)
}

fn read_details(draft: &mut Draft<'_>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    let Draft { span, details, .. } = draft;
    details.given_parent = a.bool("langfuse.internal.as_root").unwrap_or(false);
    details.parameters = a.object("langfuse.observation.model.parameters")?.unwrap_or_default();
    let version = a.text(&["langfuse.observation.prompt.version", "langfuse.prompt.version"]);
    let name = a.text(&["langfuse.observation.prompt.name", "langfuse.prompt.name"]);
    details.prompt = name.map(|name| Prompt { name, version });
    let first = a.text_like("langfuse.observation.completion_start_time", |text| {
        text.trim_matches('"').parse::<Timestamp>().ok()
    });
    if !a.has("gen_ai.response.time_to_first_chunk") {
        details.time_to_first = first.map(|first| first.since(span.start));
    }
    let input = payload::read(a, "", &["langfuse.trace.input"], looks_json)?;
    let output = payload::read(a, "", &["langfuse.trace.output"], looks_json)?;
    if input.is_some() || output.is_some() {
        let trace = details.trace.get_or_insert_default();
        trace.at = span.end.unwrap_or(span.start);
        trace.input = input.map(Json::from_text);
        trace.output = output.map(Json::from_text);
    }
    Ok(())
}
