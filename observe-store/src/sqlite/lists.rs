//! The lists: pages of roll-up rows, walked newest first along an index.

use observe_model::{Status, Timestamp, TraceId};
use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::{
    cells::{Cells, USAGE, int},
    cursor,
};
use crate::{Page, SessionQuery, SessionSummary, TraceQuery, TraceSummary};

/// Where a page of sessions ends: last activity, project, session.
pub(super) type SessionKey = (i64, String, String);
/// Where a page of traces ends: start, id.
pub(super) type TraceKey = (i64, TraceId);

/// A statement that grows with what a query asks for.
#[derive(Default)]
struct Filter {
    conditions: Vec<&'static str>,
    values: Vec<Value>,
}

impl Filter {
    fn add(&mut self, condition: &'static str, values: impl IntoIterator<Item = Value>) {
        self.conditions.push(condition);
        self.values.extend(values);
    }

    /// The whole statement, for so many rows.
    fn sql(&self, select: &str, order: &str, rows: usize) -> String {
        let filter = if self.conditions.is_empty() { "" } else { " WHERE " };
        format!("{select}{filter}{} ORDER BY {order} LIMIT {rows}", self.conditions.join(" AND "))
    }

    /// Reads one page, and one row more to see whether another page follows.
    fn page<T>(
        self,
        connection: &Connection,
        (select, order): (&str, &str),
        limit: usize,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
        key: impl FnOnce(&T) -> String,
    ) -> rusqlite::Result<Page<T>> {
        let limit = if limit == 0 { 50 } else { limit.min(1000) };
        let mut statement = connection.prepare_cached(&self.sql(select, order, limit + 1))?;
        let items = statement.query_map(params_from_iter(self.values), read)?;
        let mut items = items.collect::<rusqlite::Result<Vec<_>>>()?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(key);
        Ok(Page { items, next })
    }
}

const SESSION_ORDER: &str = "last_ns DESC, project DESC, session DESC";
const TRACE_ORDER: &str = "start_ns DESC, trace_id DESC";

pub(super) fn sessions(
    connection: &Connection,
    query: &SessionQuery,
    after: Option<SessionKey>,
) -> rusqlite::Result<Page<SessionSummary>> {
    let key = |s: &SessionSummary| cursor::encode(&(int(s.end.0), &s.project, &s.session));
    let statement = (&*select_sessions(), SESSION_ORDER);
    session_filter(query, after).page(connection, statement, query.limit, read_session, key)
}

fn session_filter(query: &SessionQuery, after: Option<SessionKey>) -> Filter {
    let mut filter = Filter::default();
    if let Some(project) = &query.project {
        filter.add("project = ?", [project.clone().into()]);
    }
    if let Some((last, project, session)) = after {
        filter.add("(last_ns, project, session) < (?, ?, ?)", [last.into(), project.into(), session.into()]);
    }
    filter
}

pub(super) fn traces(
    connection: &Connection,
    query: &TraceQuery,
    after: Option<TraceKey>,
) -> rusqlite::Result<Page<TraceSummary>> {
    let key = |t: &TraceSummary| cursor::encode(&(int(t.start.0), t.trace_id));
    let statement = (&*select_traces(), TRACE_ORDER);
    trace_filter(query, after).page(connection, statement, query.limit, read_trace, key)
}

fn trace_filter(query: &TraceQuery, after: Option<TraceKey>) -> Filter {
    let mut filter = Filter::default();
    // `+` keeps SQLite from walking that column's index: it has no statistics, and a session is always the
    // narrowest, an unusual status the next.
    if let Some(session) = &query.session {
        filter.add("session = ?", [session.clone().into()]);
    }
    let narrow_status = query.status.filter(|s| *s != Status::Ok && query.session.is_none());
    if let Some(status) = query.status {
        let condition = if narrow_status.is_some() { "status = ?" } else { "+status = ?" };
        filter.add(condition, [status.as_str().to_owned().into()]);
    }
    if let Some(project) = &query.project {
        let narrowest = query.session.is_none() && narrow_status.is_none();
        filter.add(if narrowest { "project = ?" } else { "+project = ?" }, [project.clone().into()]);
    }
    if let Some((start, id)) = after {
        filter.add("(start_ns, trace_id) < (?, ?)", [start.into(), id.to_bytes().to_vec().into()]);
    }
    filter
}

/// `SELECT` the columns that [`read_session`] reads.
pub(super) fn select_sessions() -> String {
    format!(
        "SELECT project, session, user, traces, failed_traces, start_ns, last_ns, active_ns, input_head, \
         output_head, spans, errors, warnings, debugs, dropped, {USAGE}, cost FROM sessions"
    )
}

pub(super) fn read_session(row: &Row<'_>) -> rusqlite::Result<SessionSummary> {
    let mut cells = Cells::new(row);
    let mut summary = SessionSummary {
        project: cells.take()?,
        session: cells.take()?,
        user: cells.take()?,
        traces: cells.count()?,
        failed_traces: cells.count()?,
        start: cells.time()?,
        end: cells.time()?,
        duration_ns: 0,
        active_ns: cells.count()?,
        first_input: cells.take()?,
        last_output: cells.take()?,
        totals: cells.totals()?,
    };
    summary.duration_ns = summary.end.since(summary.start);
    Ok(summary)
}

/// `SELECT` the columns that [`read_trace`] reads.
pub(super) fn select_traces() -> String {
    format!(
        "SELECT project, trace_id, name, session, user, tags, status, status_message, start_ns, last_ns, \
         input_head, output_head, version, release, environment, public, spans, errors, warnings, debugs, dropped, \
         {USAGE}, cost FROM traces"
    )
}

pub(super) fn read_trace(row: &Row<'_>) -> rusqlite::Result<TraceSummary> {
    let mut cells = Cells::new(row);
    let (project, trace_id, name) = (cells.take()?, cells.trace_id()?, cells.take()?);
    let (session, user, tags) = (cells.take()?, cells.take()?, cells.tags()?);
    let (status, status_message) = (cells.named()?, cells.take()?);
    let (start, last): (Timestamp, Timestamp) = (cells.time()?, cells.time()?);
    Ok(TraceSummary {
        project,
        trace_id,
        name,
        session,
        user,
        tags,
        status,
        status_message,
        start,
        end: (status != Status::Running).then_some(last),
        duration_ns: last.since(start),
        input: cells.take()?,
        output: cells.take()?,
        version: cells.take()?,
        release: cells.take()?,
        environment: cells.take()?,
        public: cells.take()?,
        totals: cells.totals()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How SQLite goes about it.
    fn plan(filter: Filter, select: &str, order: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let store = super::super::SqliteStore::open(directory.path().join("observe.db")).unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {}", filter.sql(select, order, 51));
        let mut statement = store.connection.prepare(&sql).unwrap();
        let steps =
            statement.query_map(params_from_iter(filter.values), |row| row.get::<_, String>(3)).unwrap();
        steps.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("; ")
    }

    #[test]
    fn every_list_walks_the_narrowest_index_and_sorts_nothing() {
        let text = || Some("x".to_owned());
        for after in [false, true] {
            for (project, index) in [(None, "sessions_by_last"), (text(), "sessions_by_project")] {
                let query = SessionQuery { project, ..SessionQuery::default() };
                let after = after.then(|| (1, "p".into(), "s".into()));
                let plan = plan(session_filter(&query, after), &select_sessions(), SESSION_ORDER);
                assert!(plan.contains(&format!("INDEX {index}")) && !plan.contains(';'), "{query:?}: {plan}");
            }
            for (project, session, status, index) in [
                (None, None, None, "traces_by_start"),
                (text(), None, None, "traces_by_project"),
                (None, None, Some(Status::Ok), "traces_by_start"),
                (text(), None, Some(Status::Ok), "traces_by_project"),
                (text(), None, Some(Status::Error), "traces_by_status"),
                (None, text(), None, "traces_by_session"),
                (text(), text(), Some(Status::Error), "traces_by_session"),
            ] {
                let query = TraceQuery { project, session, status, ..TraceQuery::default() };
                let after = after.then(|| (1, TraceId::from_seed("t")));
                let plan = plan(trace_filter(&query, after), &select_traces(), TRACE_ORDER);
                assert!(plan.contains(&format!("INDEX {index}")) && !plan.contains(';'), "{query:?}: {plan}");
            }
        }
    }
}
