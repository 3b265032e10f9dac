//! What every dialect writes the same: `code.*` of OpenTelemetry, and `observe.*` of our own for what a platform has no
//! word for, or whose word says less than we know. It is exact, so reading it comes last and wins.

use observe_model::{Code, Cost, Details, Level, Metadata, Span, SpanType, Status};
use serde::{Serialize, Serializer as _};
use serde_json::Value;

use super::Draft;
use crate::otlp::{
    attributes::{Attributes, Unreadable},
    protobuf::{SPAN_ATTRIBUTES as SPAN, key, put_bool, put_int, put_text, put_texts},
};

/// The resource attribute that names the project, where a dialect has none.
pub(crate) const PROJECT: &str = "observe.project";

/// Appends where the span's function stands.
pub(crate) fn put_code(out: &mut Vec<u8>, span: &Span<'_>) {
    if let Some(code) = &span.code {
        put_text(out, key!(SPAN, "code.function.name"), code.function.as_bytes());
        put_text(out, key!(SPAN, "code.file.path"), code.file.as_bytes());
        put_int(out, key!(SPAN, "code.line.number"), code.line.into());
    }
}

/// Appends the level.
pub(crate) fn put_level(out: &mut Vec<u8>, level: Level) {
    put_text(out, key!(SPAN, "observe.level"), level.as_str().as_bytes());
}

/// Appends the status, where OTLP's status code does not say it.
pub(crate) fn put_status(out: &mut Vec<u8>, status: Status) {
    if !matches!(status, Status::Ok | Status::Error) {
        put_text(out, key!(SPAN, "observe.status"), status.as_str().as_bytes());
    }
}

/// Appends the span's own version.
pub(crate) fn put_version(out: &mut Vec<u8>, version: &str) {
    put_text(out, key!(SPAN, "observe.version"), version.as_bytes());
}

/// Appends the span type, where the dialect has no word that means it alone.
pub(crate) fn put_span_type(out: &mut Vec<u8>, span_type: SpanType) {
    put_text(out, key!(SPAN, "observe.span.type"), span_type.as_str().as_bytes());
}

/// Appends level, status, version and count of dropped spans, for a dialect that has no words for any of them.
pub(crate) fn put_standing(out: &mut Vec<u8>, span: &Span<'_>) {
    if span.level != Level::Default {
        put_level(out, span.level);
    }
    put_status(out, span.status);
    if let Some(version) = &span.version {
        put_version(out, version);
    }
    put_dropped(out, span);
}

/// Appends what the call cost, where the dialect's words do not say all of it.
pub(crate) fn put_cost(out: &mut Vec<u8>, cost: &Cost) {
    put_text(out, key!(SPAN, "observe.cost"), &json(cost));
}

/// Appends parameters of a model call that the dialect has no words for.
pub(crate) fn put_parameters(out: &mut Vec<u8>, json: &[u8]) {
    put_text(out, key!(SPAN, "observe.parameters"), json);
}

/// Appends how many spans inside it were not recorded.
pub(crate) fn put_dropped(out: &mut Vec<u8>, span: &Span<'_>) {
    if span.dropped > 0 {
        put_int(out, key!(SPAN, "observe.dropped_spans"), span.dropped);
    }
}

/// Appends the span's own metadata.
pub(crate) fn put_metadata(out: &mut Vec<u8>, json: &[u8]) {
    put_text(out, key!(SPAN, "observe.metadata"), json);
}

/// Appends the scope's metadata.
pub(crate) fn put_scope_metadata(out: &mut Vec<u8>, json: &[u8]) {
    put_text(out, key!(SPAN, "observe.trace.metadata"), json);
}

/// What a scope says beyond what a dialect has said of it, but for its metadata.
#[derive(Debug, Default)]
pub(crate) struct Scope<'a> {
    pub(crate) session: Option<&'a str>,
    pub(crate) user: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    pub(crate) release: Option<&'a str>,
    pub(crate) environment: Option<&'a str>,
    pub(crate) public: Option<bool>,
    pub(crate) tags: &'a [String],
}

/// Appends what a scope says.
pub(crate) fn put_scope(out: &mut Vec<u8>, scope: &Scope<'_>) {
    let Scope { session, user, name, version, release, environment, public, tags } = scope;
    if let Some(session) = session {
        put_text(out, key!(SPAN, "observe.trace.session"), session.as_bytes());
    }
    if let Some(user) = user {
        put_text(out, key!(SPAN, "observe.trace.user"), user.as_bytes());
    }
    if let Some(name) = name {
        put_text(out, key!(SPAN, "observe.trace.name"), name.as_bytes());
    }
    if let Some(version) = version {
        put_text(out, key!(SPAN, "observe.trace.version"), version.as_bytes());
    }
    if let Some(release) = release {
        put_text(out, key!(SPAN, "observe.trace.release"), release.as_bytes());
    }
    if let Some(environment) = environment {
        put_text(out, key!(SPAN, "observe.trace.environment"), environment.as_bytes());
    }
    if let Some(public) = public {
        put_bool(out, key!(SPAN, "observe.trace.public"), *public);
    }
    if !tags.is_empty() {
        put_texts(out, SPAN, "observe.trace.tags", tags);
    }
}

/// Appends what few spans have and no platform a word for.
pub(crate) fn put_details(out: &mut Vec<u8>, details: &Details) {
    if !details.states.is_empty() {
        put_text(out, key!(SPAN, "observe.states"), &json(&details.states));
    }
    if let Some(trace) = &details.trace {
        put_text(out, key!(SPAN, "observe.trace.said"), &json(trace));
    }
}

/// Appends that the program named the span's trace and parent, where the dialect has no word for it.
pub(crate) fn put_given_parent(out: &mut Vec<u8>, details: &Details) {
    if details.given_parent {
        put_bool(out, key!(SPAN, "observe.parent.given"), true);
    }
}

/// The span type that is said exactly.
pub(crate) fn span_type(a: &mut Attributes<'_>) -> Option<SpanType> {
    a.parsed("observe.span.type")
}

/// Reads what the functions above write.
pub(crate) fn read(draft: &mut Draft<'_>, a: &mut Attributes<'_>) -> Result<(), Unreadable> {
    let Draft { span, scope, details } = draft;
    replace(&mut span.status, a.parsed("observe.status"));
    replace(&mut span.level, a.parsed("observe.level"));
    if let Some(version) = a.text(&["observe.version"]) {
        span.version = Some(version.into());
    }
    span.code = code(a);
    span.dropped = a.count(&["observe.dropped_spans"]).unwrap_or_default();
    let texts = [
        (&mut scope.session, "observe.trace.session"),
        (&mut scope.user, "observe.trace.user"),
        (&mut scope.name, "observe.trace.name"),
        (&mut scope.version, "observe.trace.version"),
        (&mut scope.release, "observe.trace.release"),
        (&mut scope.environment, "observe.trace.environment"),
    ];
    for (there, key) in texts {
        *there = a.text(&[key]).or(there.take());
    }
    scope.public = a.bool("observe.trace.public").or(scope.public);
    if a.has("observe.trace.tags") {
        scope.tags = a.texts("observe.trace.tags")?;
    }
    replace(&mut scope.metadata, a.object("observe.trace.metadata")?);
    replace(span.metadata.to_mut(), a.object("observe.metadata")?);
    replace(&mut span.cost, a.json_text("observe.cost")?);
    details.parameters.extend(a.object("observe.parameters")?.unwrap_or_default());
    details.given_parent |= a.bool("observe.parent.given").unwrap_or(false);
    replace(&mut details.states, a.json_text("observe.states")?);
    replace(&mut details.trace, a.json_text("observe.trace.said")?.map(Some));
    Ok(())
}

/// Puts what was said in place of what is there.
fn replace<T>(there: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *there = said;
    }
}

/// All three or none, so that what is there without the others stays in the metadata.
fn code(a: &mut Attributes<'_>) -> Option<Code<'static>> {
    let keys = ["code.function.name", "code.file.path", "code.line.number"];
    if !keys.iter().all(|key| a.has(key)) {
        return None;
    }
    let line = u32::try_from(a.count(&keys[2..])?).ok()?;
    Some(Code { function: a.text(&keys[..1])?.into(), file: a.text(&keys[1..2])?.into(), line })
}

/// Entries as the text of a JSON object.
pub(crate) fn object<'m>(entries: impl Iterator<Item = (&'m String, &'m Value)>) -> Vec<u8> {
    let mut json = Vec::new();
    // JSON values with text keys, written to memory: neither can fail.
    let _ = serde_json::Serializer::new(&mut json).collect_map(entries);
    json
}

/// As JSON text.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    // Written to memory, of types whose keys are texts: cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Adds those of `said` whose key nothing stands under yet.
pub(crate) fn fill_metadata(there: &mut Metadata, said: Metadata) {
    for (key, value) in said {
        there.entry(key).or_insert(value);
    }
}
