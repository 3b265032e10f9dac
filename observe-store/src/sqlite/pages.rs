//! One trace or one session with everything in it.

use std::sync::LazyLock;

use observe_model::{SpanId, Timestamp, TraceId, TraceUpdate};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;

use super::{
    cells::{Cells, USAGE, int},
    lists::{read_session, read_trace, select_sessions, select_traces},
    payload, records,
};
use crate::{RecordQuery, Session, SpanDetail, Trace, TraceSummary, tree::Tree};

pub(super) fn session(
    connection: &Connection,
    project: Option<&str>,
    id: &str,
) -> rusqlite::Result<Option<Session>> {
    let sql = select_sessions()
        + " WHERE session = ?1 AND project = coalesce(?2, project) ORDER BY last_ns DESC, project DESC LIMIT 1";
    let summary =
        connection.prepare_cached(&sql)?.query_row(params![id, project], read_session).optional()?;
    let Some(summary) = summary else { return Ok(None) };
    let sql = select_traces() + " WHERE session = ?1 AND +project = ?2 ORDER BY start_ns, trace_id";
    let mut statement = connection.prepare_cached(&sql)?;
    let traces = statement.query_map(params![id, summary.project], read_trace)?;
    let traces = traces.collect::<rusqlite::Result<Vec<_>>>()?;
    let ids: Vec<_> = traces.iter().map(|trace| trace.trace_id).collect();
    let turn = |(i, trace): (usize, TraceSummary)| {
        let previous = i.checked_sub(1).and_then(|i| ids.get(i)).copied();
        let next = ids.get(i + 1).copied();
        whole(connection, trace, previous, next)
    };
    let turns = traces.into_iter().enumerate().map(turn).collect::<rusqlite::Result<_>>()?;
    Ok(Some(Session { summary, turns }))
}

pub(super) fn trace(connection: &Connection, id: TraceId) -> rusqlite::Result<Option<Trace>> {
    let sql = select_traces() + " WHERE trace_id = ?1";
    let summary = connection.prepare_cached(&sql)?.query_row([id.to_bytes()], read_trace).optional()?;
    let Some(summary) = summary else { return Ok(None) };
    let previous = neighbour(
        connection,
        &summary,
        "SELECT trace_id FROM traces WHERE session = ?1 AND +project = ?2 AND (start_ns, trace_id) < (?3, ?4) \
         ORDER BY start_ns DESC, trace_id DESC LIMIT 1",
    )?;
    let next = neighbour(
        connection,
        &summary,
        "SELECT trace_id FROM traces WHERE session = ?1 AND +project = ?2 AND (start_ns, trace_id) > (?3, ?4) \
         ORDER BY start_ns, trace_id LIMIT 1",
    )?;
    whole(connection, summary, previous, next).map(Some)
}

/// A trace with everything in it.
fn whole(
    connection: &Connection,
    summary: TraceSummary,
    previous: Option<TraceId>,
    next: Option<TraceId>,
) -> rusqlite::Result<Trace> {
    let spans = spans(connection, &summary)?;
    let about = RecordQuery { trace: Some(summary.trace_id), limit: 1000, ..RecordQuery::default() };
    let scores = records::scores(connection, &about, None)?.items;
    let metrics = records::metrics(connection, &about, None)?.items;
    Ok(Trace { said: said(&spans), spans, scores, metrics, summary, previous, next })
}

/// What was said of the trace, in whichever of its spans: the latest word wins.
fn said(spans: &[SpanDetail]) -> Option<TraceUpdate> {
    let mut said: Vec<_> = spans.iter().filter_map(|span| span.details.as_ref()?.trace.as_ref()).collect();
    said.sort_by_key(|update| update.at);
    said.into_iter().cloned().reduce(|mut all, update| {
        all.merge(update);
        all
    })
}

/// The trace of the same session that `sql` finds; none if the trace has no session.
fn neighbour(connection: &Connection, trace: &TraceSummary, sql: &str) -> rusqlite::Result<Option<TraceId>> {
    let (start, id) = (int(trace.start.0), trace.trace_id.to_bytes());
    connection
        .prepare_cached(sql)?
        .query_row(params![trace.session, trace.project, start, id], |row| Cells::new(row).trace_id())
        .optional()
}

static SPANS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT span_id, parent_id, name, span_type, status, status_message, level, start_ns, end_ns, \
         input_head, i.encoding, i.body, output_head, o.encoding, o.body, metadata, trace_metadata, session, \
         user, tags, model, {USAGE}, cost, cost_input, cost_output, version, function, file, line, dropped, \
         details_head, d.encoding, d.body \
         FROM spans LEFT JOIN payloads i ON i.hash = input_hash LEFT JOIN payloads o ON o.hash = output_hash \
         LEFT JOIN payloads d ON d.hash = details_hash \
         WHERE trace_id = ?1 ORDER BY start_ns, span_id"
    )
});

/// The spans of a trace, parents before children, siblings by start.
fn spans(connection: &Connection, trace: &TraceSummary) -> rusqlite::Result<Vec<SpanDetail>> {
    let mut statement = connection.prepare_cached(&SPANS)?;
    let rows = statement.query_map([trace.trace_id.to_bytes()], |row| read_span(row, trace.start))?;
    let mut spans = rows.map(|span| span.map(Some)).collect::<rusqlite::Result<Vec<_>>>()?;
    let ids: Vec<(SpanId, Option<SpanId>)> =
        spans.iter().flatten().map(|s| (s.span_id, s.parent_id)).collect();
    let take = |(i, depth): (usize, u32)| spans[i].take().map(|span| SpanDetail { depth, ..span });
    Ok(Tree::new(&ids).preorder().into_iter().filter_map(take).collect())
}

fn read_span(row: &Row<'_>, trace_start: Timestamp) -> rusqlite::Result<SpanDetail> {
    let mut cells = Cells::new(row);
    let (span_id, parent_id, name) = (cells.span_id()?, cells.optional_span_id()?, cells.take()?);
    let (span_type, status, status_message) = (cells.named()?, cells.named()?, cells.take()?);
    let (level, start) = (cells.named()?, cells.time()?);
    let end = cells.optional_count()?.map(Timestamp);
    Ok(SpanDetail {
        span_id,
        parent_id,
        depth: 0,
        name,
        span_type,
        status,
        status_message,
        level,
        start,
        offset_ns: start.since(trace_start),
        duration_ns: end.map(|end| end.since(start)),
        input: payload(&mut cells)?,
        output: payload(&mut cells)?,
        metadata: cells.metadata()?,
        trace_metadata: cells.metadata()?,
        session: cells.take()?,
        user: cells.take()?,
        tags: cells.tags()?,
        model: cells.take()?,
        usage: cells.usage()?,
        cost: cells.take()?,
        cost_input: cells.take()?,
        cost_output: cells.take()?,
        version: cells.take()?,
        function: cells.take()?,
        location: location(&mut cells)?,
        dropped: cells.count()?,
        details: text(&mut cells)?.map(|json| cells.parse(&json)).transpose()?,
    })
}

/// A whole input or output: that of the payload row, else the head, which then is all of it.
fn payload(cells: &mut Cells<'_>) -> rusqlite::Result<Option<Box<RawValue>>> {
    Ok(text(cells)?.and_then(payload::json))
}

/// A text: that of the payload row, else the head.
pub(super) fn text(cells: &mut Cells<'_>) -> rusqlite::Result<Option<String>> {
    let head: Option<String> = cells.take()?;
    let (encoding, body): (Option<String>, Option<Vec<u8>>) = (cells.take()?, cells.take()?);
    match (encoding, body) {
        (Some(encoding), Some(body)) => payload::unpack(&encoding, body).map(Some),
        _ => Ok(head),
    }
}

/// `file:line`.
fn location(cells: &mut Cells<'_>) -> rusqlite::Result<Option<String>> {
    let (file, line): (Option<String>, Option<u32>) = (cells.take()?, cells.take()?);
    Ok(file.zip(line).map(|(file, line)| format!("{file}:{line}")))
}
