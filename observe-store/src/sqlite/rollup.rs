//! The rows of `traces` and `sessions`, computed anew from what they sum up whenever a part of it changes.
//!
//! Nothing is added to or taken from a sum in place, so that a span sent twice, late, or changed later is counted
//! once and as it last was.

use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

use observe_model::{Details, Level, SpanId, Status, Timestamp, TraceAttributes, TraceId, Usage};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    cells::{Cells, USAGE, add_cost, add_totals, add_usage, buckets, int},
    pages::text,
};
use crate::{Totals, tree::Tree};

/// A project and a session of it.
type SessionKey = (String, String);

/// Computes the rows of these traces, and of the sessions that they are or were in.
pub(super) fn refresh(connection: &Connection, traces: &BTreeSet<TraceId>) -> rusqlite::Result<()> {
    let mut sessions = BTreeSet::new();
    for id in traces {
        sessions.extend(session_of(connection, *id)?);
        refresh_trace(connection, *id)?;
        sessions.extend(session_of(connection, *id)?);
    }
    sessions.iter().try_for_each(|key| refresh_session(connection, key))
}

fn session_of(connection: &Connection, id: TraceId) -> rusqlite::Result<Option<SessionKey>> {
    connection
        .prepare_cached("SELECT project, session FROM traces WHERE trace_id = ?1 AND session IS NOT NULL")?
        .query_row([id.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

/// What a span adds to its trace.
struct Part {
    id: SpanId,
    parent: Option<SpanId>,
    session: Option<String>,
    user: Option<String>,
    tags: Vec<String>,
    status: Status,
    level: Level,
    start: Timestamp,
    end: Option<Timestamp>,
    dropped: u64,
    usage: Usage,
    cost: Option<f64>,
    named: Option<String>,
    version: Option<String>,
    release: Option<String>,
    environment: Option<String>,
    public: Option<bool>,
    /// What was said of the trace in it, and when.
    said: Option<(Timestamp, Said)>,
    has_said: bool,
}

/// What was said of a trace that its row shows.
#[derive(Default)]
struct Said {
    failed: Option<String>,
    input: Option<String>,
    output: Option<String>,
}

static PARTS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT span_id, parent_id, session, user, tags, status, level, start_ns, end_ns, dropped, {USAGE}, cost, \
         trace_name, trace_version, coalesce(trace_release, release), coalesce(trace_environment, environment), \
         trace_public, said_ns, said_failed, said_input_head, said_output_head \
         FROM spans WHERE trace_id = ?1 ORDER BY start_ns, span_id"
    )
});

fn parts(connection: &Connection, id: TraceId) -> rusqlite::Result<Vec<Part>> {
    let mut statement = connection.prepare_cached(&PARTS)?;
    let rows = statement.query_map([id.to_bytes()], |row| {
        let mut cells = Cells::new(row);
        let mut part = Part {
            id: cells.span_id()?,
            parent: cells.optional_span_id()?,
            session: cells.take()?,
            user: cells.take()?,
            tags: cells.tags()?,
            status: cells.named()?,
            level: cells.named()?,
            start: cells.time()?,
            end: cells.optional_count()?.map(Timestamp),
            dropped: cells.count()?,
            usage: cells.usage()?,
            cost: cells.take()?,
            named: cells.take()?,
            version: cells.take()?,
            release: cells.take()?,
            environment: cells.take()?,
            public: cells.take()?,
            said: said(&mut cells)?,
            has_said: false,
        };
        part.has_said = part.said.is_some();
        Ok(part)
    })?;
    rows.collect()
}

fn said(cells: &mut Cells<'_>) -> rusqlite::Result<Option<(Timestamp, Said)>> {
    let at = cells.optional_count()?.map(Timestamp);
    let said = Said { failed: cells.take()?, input: cells.take()?, output: cells.take()? };
    Ok(at.map(|at| (at, said)))
}

/// What was said of the trace, in whichever of its spans: the latest word wins.
fn all_said(parts: &mut [Part]) -> Said {
    let mut all: Vec<_> = parts.iter_mut().filter_map(|part| part.said.take()).collect();
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().fold(Said::default(), |before, (_, said)| Said {
        failed: said.failed.or(before.failed),
        input: said.input.or(before.input),
        output: said.output.or(before.output),
    })
}

/// What was said of the trace in a span that does not stand for it, and everything else that was said, the latest word
/// winning. Each row holds what was said laid over what its scopes set; only the details tell the two apart.
fn said_apart(connection: &Connection, id: TraceId) -> rusqlite::Result<TraceAttributes> {
    let mut statement = connection.prepare_cached(
        "SELECT details_head, encoding, body FROM spans LEFT JOIN payloads ON hash = details_hash \
         WHERE trace_id = ?1 AND said_ns IS NOT NULL ORDER BY said_ns, start_ns, span_id",
    )?;
    let mut rows = statement.query([id.to_bytes()])?;
    let mut all = TraceAttributes::default();
    while let Some(row) = rows.next()? {
        let mut cells = Cells::new(row);
        // What cannot be read must not keep the spans from being written.
        let details = text(&mut cells)?.and_then(|json| serde_json::from_str::<Details>(&json).ok());
        let said = details.and_then(|details| details.trace);
        said.iter().for_each(|said| all.merge(&said.attributes));
    }
    Ok(all)
}

/// The span that stands for the trace: the first root; while there is none, the first whose parent has not arrived.
fn head<'a>(parts: &'a [Part], tree: &Tree) -> Option<&'a Part> {
    let root = parts.iter().find(|part| part.parent.is_none());
    let top = || parts.iter().enumerate().find(|(i, _)| tree.is_top(*i)).map(|(_, part)| part);
    root.or_else(top).or(parts.first())
}

/// The head's status; but while no root has arrived, a trace of which anything runs is running.
fn status(parts: &[Part], head: &Part) -> Status {
    let waits = head.parent.is_some() && parts.iter().any(|part| part.status == Status::Running);
    if waits { Status::Running } else { head.status }
}

fn totals(parts: &[Part], tree: &Tree) -> Totals {
    let count = |counts: fn(&Part) -> bool| parts.iter().filter(|part| counts(part)).count() as u64;
    let with_usage = tree.lowest(|i| !parts[i].usage.is_unknown());
    let with_cost = tree.lowest(|i| parts[i].cost.is_some());
    Totals {
        spans: parts.len() as u64,
        errors: count(|part| part.status == Status::Error),
        warnings: count(|part| part.level == Level::Warning),
        debugs: count(|part| part.level == Level::Debug),
        dropped: parts.iter().fold(0, |sum, part| sum.saturating_add(part.dropped)),
        usage: with_usage.fold(Usage::default(), |sum, i| add_usage(&sum, &parts[i].usage)),
        cost: with_cost.fold(None, |sum, i| add_cost(sum, parts[i].cost)),
    }
}

/// Every tag of every span once, in the order of the spans.
fn tags(parts: &[Part]) -> Option<String> {
    let mut seen = HashSet::new();
    let tags: Vec<_> = parts.iter().flat_map(|part| &part.tags).filter(|tag| seen.insert(*tag)).collect();
    (!tags.is_empty()).then(|| serde_json::json!(tags).to_string())
}

static REPLACE_TRACE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT OR REPLACE INTO traces (trace_id, project, name, status_message, input_head, output_head, \
         session, user, tags, status, start_ns, last_ns, spans, errors, warnings, dropped, {USAGE}, cost, \
         version, release, environment, public, debugs) \
         SELECT trace_id, project, coalesce(?21, name), coalesce(?22, status_message), coalesce(?23, input_head), \
         coalesce(?24, output_head), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, \
         ?20, ?25, ?26, ?27, ?28, ?29 \
         FROM spans WHERE trace_id = ?1 AND span_id = ?2"
    )
});

fn refresh_trace(connection: &Connection, id: TraceId) -> rusqlite::Result<()> {
    let mut parts = parts(connection, id)?;
    let said = all_said(&mut parts);
    let ids: Vec<_> = parts.iter().map(|part| (part.id, part.parent)).collect();
    let tree = Tree::new(&ids);
    let Some(head) = head(&parts, &tree) else { return Ok(()) };
    // The head's own row has what was said in it.
    let apart = match parts.iter().any(|part| part.has_said && part.id != head.id) {
        true => said_apart(connection, id)?,
        false => TraceAttributes::default(),
    };
    let status = match status(&parts, head) {
        Status::Running => Status::Running,
        _ if said.failed.is_some() => Status::Error,
        status => status,
    };
    let totals = totals(&parts, &tree);
    let [u0, u1, u2, u3, u4, u5, u6] = buckets(&totals.usage).map(|count| count.map(int));
    let last = parts.iter().map(|part| part.end.unwrap_or(part.start).max(part.start)).max();
    connection.prepare_cached(&REPLACE_TRACE)?.execute(params![
        id.to_bytes(),
        head.id.to_bytes(),
        apart.session.as_ref().or_else(|| first(&parts, head, |part| part.session.as_ref())),
        apart.user.as_ref().or_else(|| first(&parts, head, |part| part.user.as_ref())),
        tags(&parts),
        status.as_str(),
        parts.first().map(|part| int(part.start.0)),
        last.map(|time| int(time.0)),
        int(totals.spans),
        int(totals.errors),
        int(totals.warnings),
        int(totals.dropped),
        u0,
        u1,
        u2,
        u3,
        u4,
        u5,
        u6,
        totals.cost,
        apart.name.as_ref().or_else(|| first(&parts, head, |part| part.named.as_ref())),
        said.failed,
        said.input,
        said.output,
        apart.version.as_ref().or_else(|| first(&parts, head, |part| part.version.as_ref())),
        apart.release.as_ref().or_else(|| first(&parts, head, |part| part.release.as_ref())),
        apart.environment.as_ref().or_else(|| first(&parts, head, |part| part.environment.as_ref())),
        apart.public.or_else(|| first(&parts, head, |part| part.public)),
        int(totals.debugs),
    ])?;
    Ok(())
}

/// What the head has of something, else the earliest span that has it.
fn first<'a, T>(parts: &'a [Part], head: &'a Part, has: impl Fn(&'a Part) -> Option<T>) -> Option<T> {
    has(head).or_else(|| parts.iter().find_map(has))
}

static SESSION_TRACES: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT user, status, start_ns, last_ns, input_head, output_head, spans, errors, warnings, debugs, dropped, {USAGE}, \
         cost FROM traces WHERE session = ?2 AND project = ?1 ORDER BY start_ns, trace_id"
    )
});

static REPLACE_SESSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT OR REPLACE INTO sessions (project, session, user, traces, failed_traces, start_ns, last_ns, \
         active_ns, input_head, output_head, spans, errors, warnings, dropped, {USAGE}, cost, debugs) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
         ?22, ?23)"
    )
});

/// What a session's traces come to, added up in the order of their start.
#[derive(Default)]
struct Sum {
    user: Option<String>,
    traces: i64,
    failed: i64,
    start: Option<Timestamp>,
    last: Timestamp,
    active_ns: u64,
    first_input: Option<String>,
    last_output: Option<String>,
    totals: Totals,
}

impl Sum {
    fn add(&mut self, mut cells: Cells<'_>) -> rusqlite::Result<()> {
        let user: Option<String> = cells.take()?;
        let status: Status = cells.named()?;
        let (start, last) = (cells.time()?, cells.time()?);
        let input: Option<String> = cells.take()?;
        if self.start.is_none() {
            self.first_input = input;
        }
        self.start.get_or_insert(start);
        self.user = user.or_else(|| self.user.take());
        self.traces += 1;
        self.failed += i64::from(status == Status::Error);
        self.last = self.last.max(last);
        self.active_ns = self.active_ns.saturating_add(last.since(start));
        self.last_output = cells.take()?;
        add_totals(&mut self.totals, &cells.totals()?);
        Ok(())
    }
}

fn refresh_session(connection: &Connection, (project, session): &SessionKey) -> rusqlite::Result<()> {
    let mut sum = Sum::default();
    let mut statement = connection.prepare_cached(&SESSION_TRACES)?;
    let mut rows = statement.query([project, session])?;
    while let Some(row) = rows.next()? {
        sum.add(Cells::new(row))?;
    }
    let Some(start) = sum.start else {
        // Its last trace turned out to belong to another session.
        return connection
            .prepare_cached("DELETE FROM sessions WHERE project = ?1 AND session = ?2")?
            .execute([project, session])
            .map(drop);
    };
    let totals = &sum.totals;
    let [u0, u1, u2, u3, u4, u5, u6] = buckets(&totals.usage).map(|count| count.map(int));
    connection.prepare_cached(&REPLACE_SESSION)?.execute(params![
        project,
        session,
        sum.user,
        sum.traces,
        sum.failed,
        int(start.0),
        int(sum.last.0),
        int(sum.active_ns),
        sum.first_input,
        sum.last_output,
        int(totals.spans),
        int(totals.errors),
        int(totals.warnings),
        int(totals.dropped),
        u0,
        u1,
        u2,
        u3,
        u4,
        u5,
        u6,
        totals.cost,
        int(totals.debugs),
    ])?;
    Ok(())
}
