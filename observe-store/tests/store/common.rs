//! What the tests share.

use std::borrow::Cow;

use observe_model::{Resource, Span, SpanId, Status, Timestamp, TraceAttributes, TraceId};
use observe_store::{SqliteStore, Store};

pub(crate) fn trace_id(n: u64) -> TraceId {
    TraceId::from_int(n.into()).unwrap()
}

pub(crate) fn span_id(n: u64) -> SpanId {
    SpanId::from_int(n).unwrap()
}

pub(crate) fn project(name: &str) -> Resource {
    Resource { project: name.into(), service: name.into(), ..Resource::default() }
}

/// A span that ended well after 10 ns; `parent` 0 is none.
pub(crate) fn span(trace: u64, id: u64, parent: u64, start: u64) -> Span<'static> {
    let mut span = Span::begin(trace_id(trace), span_id(id), format!("span {id}"), Timestamp(start));
    span.parent_id = SpanId::from_int(parent);
    span.status = Status::Ok;
    span.end = Some(Timestamp(start + 10));
    span
}

pub(crate) fn in_session(mut span: Span<'static>, session: &str) -> Span<'static> {
    let attributes = TraceAttributes { session: Some(session.into()), ..span.attributes.into_owned() };
    span.attributes = Cow::Owned(attributes);
    span
}

pub(crate) fn temporary() -> (tempfile::TempDir, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path().join("observe.db")).unwrap();
    (directory, store)
}

/// Writes to project `p`.
pub(crate) fn write(store: &mut SqliteStore, spans: &[Span<'_>]) {
    store.write(&project("p"), spans).unwrap();
}
