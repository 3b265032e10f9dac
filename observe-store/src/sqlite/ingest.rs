//! Writing spans.

use std::{collections::BTreeSet, sync::LazyLock};

use observe_model::{Json, Metadata, Resource, Span};
use rusqlite::{Connection, TransactionBehavior, params};

use super::{
    cells::{USAGE, buckets, int},
    payload::Payload,
    rollup,
};

/// Which spans of the same id are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaces {
    /// All; but one that has ended is not set back to running by a write that comes late, nor to interrupted by the
    /// journal of a process that was killed after it had ended.
    All,
    /// Those that have not ended.
    Open,
}

static REPLACE_ALL: LazyLock<String> = LazyLock::new(|| {
    upsert_where(
        "excluded.status NOT IN ('running', 'interrupted') OR spans.status IN ('running', 'interrupted')",
        "excluded.dropped",
    )
});

static REPLACE_OPEN: LazyLock<String> =
    // No journal knows what was dropped; the process may have said so while the span ran.
    LazyLock::new(|| {
        upsert_where("spans.status IN ('running', 'interrupted')", "max(spans.dropped, excluded.dropped)")
    });

/// Writes a span, in place of the one of the same id where `condition` holds; that then has `dropped`.
fn upsert_where(condition: &str, dropped: &str) -> String {
    let columns = format!(
        "trace_id, span_id, parent_id, project, service, release, environment, name, span_type, status, \
         status_message, level, start_ns, end_ns, input_head, input_hash, output_head, output_hash, metadata, \
         session, user, tags, trace_metadata, model, {USAGE}, cost, version, function, file, line, cost_input, \
         cost_output, details_head, details_hash, trace_name, trace_version, trace_release, trace_environment, \
         trace_public, said_ns, said_failed, said_input_head, said_output_head"
    );
    // And `dropped`, the last.
    let count = columns.split(", ").count() + 1;
    let places: Vec<_> = (1..=count).map(|n| format!("?{n}")).collect();
    let updates: Vec<_> = columns.split(", ").skip(2).map(|c| format!("{c} = excluded.{c}")).collect();
    format!(
        "INSERT INTO spans ({columns}, dropped) VALUES ({}) ON CONFLICT (trace_id, span_id) \
         DO UPDATE SET {}, dropped = {dropped} WHERE {condition}",
        places.join(", "),
        updates.join(", "),
    )
}

/// Writes the spans and the roll-ups that they touch, all or nothing.
pub(super) fn write(
    connection: &mut Connection,
    resource: &Resource,
    spans: &[Span<'_>],
    replaces: Replaces,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut touched = BTreeSet::new();
    for span in spans {
        if upsert(&transaction, resource, span, replaces)? {
            touched.insert(span.trace_id);
        }
    }
    rollup::refresh(&transaction, &touched)?;
    transaction.commit()
}

/// Writes one span; `false` if it was out of date.
fn upsert(
    connection: &Connection,
    resource: &Resource,
    span: &Span<'_>,
    replaces: Replaces,
) -> rusqlite::Result<bool> {
    let statement = if replaces == Replaces::All { &REPLACE_ALL } else { &REPLACE_OPEN };
    let input = span.input.as_deref().map(Payload::new);
    let output = span.output.as_deref().map(Payload::new);
    let details_json = span.details.as_deref().map(Json::of);
    let details = details_json.as_ref().map(|json| Payload::new(json.as_str()));
    let said = span.details.as_deref().and_then(|details| details.trace.as_ref());
    let head = |json: Option<&Json>| json.map(|json| Payload::new(json.as_str()).head.to_owned());
    let cost = span.cost.finite();
    let [u0, u1, u2, u3, u4, u5, u6] = buckets(&span.usage).map(|count| count.map(int));
    let attributes = &span.attributes;
    let tags =
        (!attributes.tags.is_empty()).then(|| serde_json::Value::from(attributes.tags.clone()).to_string());
    let written = connection.prepare_cached(statement)?.execute(params![
        span.trace_id.to_bytes(),
        span.span_id.to_bytes(),
        span.parent_id.map(|id| id.to_bytes()),
        resource.project,
        resource.service,
        resource.release,
        resource.environment,
        span.name,
        span.span_type.as_str(),
        span.status.as_str(),
        span.status_message,
        span.level.as_str(),
        int(span.start.0),
        span.end.map(|end| int(end.0)),
        input.as_ref().map(|payload| payload.head),
        input.as_ref().and_then(|payload| payload.hash),
        output.as_ref().map(|payload| payload.head),
        output.as_ref().and_then(|payload| payload.hash),
        metadata(&span.metadata),
        attributes.session,
        attributes.user,
        tags,
        metadata(&attributes.metadata),
        span.model,
        u0,
        u1,
        u2,
        u3,
        u4,
        u5,
        u6,
        cost.total(),
        span.version,
        span.code.as_ref().map(|code| &code.function),
        span.code.as_ref().map(|code| &code.file),
        span.code.as_ref().map(|code| code.line),
        cost.input,
        cost.output,
        details.as_ref().map(|payload| payload.head),
        details.as_ref().and_then(|payload| payload.hash),
        attributes.name,
        attributes.version,
        attributes.release,
        attributes.environment,
        attributes.public,
        said.map(|said| int(said.at.0)),
        said.and_then(|said| said.failed.as_deref()),
        said.and_then(|said| head(said.input.as_ref())),
        said.and_then(|said| head(said.output.as_ref())),
        int(span.dropped),
    ])?;
    if written == 0 {
        return Ok(false);
    }
    for payload in input.iter().chain(&output).chain(&details) {
        payload.store(connection)?;
    }
    Ok(true)
}

/// As JSON text; null where there is none.
pub(super) fn metadata(metadata: &Metadata) -> Option<String> {
    // A map of JSON values cannot fail to be JSON.
    (!metadata.is_empty()).then(|| serde_json::to_string(metadata).unwrap_or_default())
}
