//! Scores and metrics.

use observe_model::{Json, Metric, Record, Resource, Score, ScoreValue, Target};
use rusqlite::{Connection, Row, TransactionBehavior, params, params_from_iter, types::Value};

use super::{
    cells::{Cells, int},
    cursor,
    ingest::metadata,
};
use crate::{Page, RecordQuery, Recorded};

/// Where a page ends: time, id.
pub(super) type RecordKey = (i64, String);

/// Writes them, all or nothing; one of an id that is there replaces that.
pub(super) fn write(
    connection: &mut Connection,
    resource: &Resource,
    records: &[Record],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for record in records {
        match record {
            Record::Score(score) => write_score(&transaction, &resource.project, score)?,
            Record::Metric(metric) => write_metric(&transaction, &resource.project, metric)?,
        }
    }
    transaction.commit()
}

fn write_score(connection: &Connection, project: &str, score: &Score) -> rusqlite::Result<()> {
    let (kind, number, text) = match &score.value {
        ScoreValue::Numeric(number) => ("numeric", Some(*number), None),
        ScoreValue::Boolean(value) => ("boolean", Some(f64::from(u8::from(*value))), None),
        ScoreValue::Categorical(name) => ("categorical", None, Some(name)),
        ScoreValue::Text(text) => ("text", None, Some(text)),
    };
    let Target { trace_id, span_id, session } = &score.target;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO scores (project, id, name, kind, number, text, trace_id, span_id, session, at_ns, \
             comment, correction, metadata, author) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            project,
            score.id,
            score.name,
            kind,
            number,
            text,
            trace_id.map(|id| id.to_bytes()),
            span_id.map(|id| id.to_bytes()),
            session,
            int(score.at.0),
            score.comment,
            score.correction.as_ref().map(Json::as_str),
            metadata(&score.metadata),
            score.author,
        ])?;
    Ok(())
}

fn write_metric(connection: &Connection, project: &str, metric: &Metric) -> rusqlite::Result<()> {
    if !metric.value.is_finite() {
        // The database has no such number, and the other records must not fail for it.
        return Ok(());
    }
    let Target { trace_id, span_id, session } = &metric.target;
    let tags = (!metric.tags.is_empty()).then(|| serde_json::Value::from(metric.tags.clone()).to_string());
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO metrics (project, id, name, value, unit, tags, trace_id, span_id, session, at_ns) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            project,
            metric.id,
            metric.name,
            metric.value,
            metric.unit,
            tags,
            trace_id.map(|id| id.to_bytes()),
            span_id.map(|id| id.to_bytes()),
            session,
            int(metric.at.0),
        ])?;
    Ok(())
}

pub(super) fn scores(
    connection: &Connection,
    query: &RecordQuery,
    after: Option<RecordKey>,
) -> rusqlite::Result<Page<Recorded<Score>>> {
    let select = "SELECT project, id, name, trace_id, span_id, session, at_ns, kind, number, text, comment, correction, \
                  metadata, author FROM scores";
    page(connection, select, query, after, read_score, |score| (int(score.at.0), score.id.clone()))
}

pub(super) fn metrics(
    connection: &Connection,
    query: &RecordQuery,
    after: Option<RecordKey>,
) -> rusqlite::Result<Page<Recorded<Metric>>> {
    let select =
        "SELECT project, id, name, trace_id, span_id, session, at_ns, value, unit, tags FROM metrics";
    page(connection, select, query, after, read_metric, |metric| (int(metric.at.0), metric.id.clone()))
}

/// One page, newest first.
fn page<T>(
    connection: &Connection,
    select: &str,
    query: &RecordQuery,
    after: Option<RecordKey>,
    read: fn(&Row<'_>) -> rusqlite::Result<Recorded<T>>,
    key: impl Fn(&T) -> RecordKey,
) -> rusqlite::Result<Page<Recorded<T>>> {
    let mut conditions = vec!["true"];
    let mut values: Vec<Value> = Vec::new();
    if let Some(trace) = query.trace {
        conditions.push("trace_id = ?");
        values.push(trace.to_bytes().to_vec().into());
    }
    let session = if query.trace.is_none() { "session = ?" } else { "+session = ?" };
    for (condition, value) in
        [(session, &query.session), ("+project = ?", &query.project), ("+name = ?", &query.name)]
    {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value.clone().into());
        }
    }
    if let Some((at, id)) = after {
        conditions.push("(at_ns, id) < (?, ?)");
        values.extend([at.into(), id.into()]);
    }
    let limit = if query.limit == 0 { 50 } else { query.limit.min(1000) };
    let sql = format!(
        "{select} WHERE {} ORDER BY at_ns DESC, id DESC LIMIT {}",
        conditions.join(" AND "),
        limit + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut items =
        statement.query_map(params_from_iter(values), read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| cursor::encode(&key(&last.record)));
    Ok(Page { items, next })
}

fn read_score(row: &Row<'_>) -> rusqlite::Result<Recorded<Score>> {
    let mut cells = Cells::new(row);
    let project = cells.take()?;
    let (id, name, target, at) = (cells.take()?, cells.take()?, target(&mut cells)?, cells.time()?);
    let (kind, number, text): (String, Option<f64>, Option<String>) =
        (cells.take()?, cells.take()?, cells.take()?);
    let value = match kind.as_str() {
        "numeric" => ScoreValue::Numeric(number.unwrap_or(f64::NAN)),
        "boolean" => ScoreValue::Boolean(number.unwrap_or_default() != 0.0),
        "categorical" => ScoreValue::Categorical(text.unwrap_or_default()),
        _ => ScoreValue::Text(text.unwrap_or_default()),
    };
    let comment = cells.take()?;
    let correction = cells.take::<Option<String>>()?.map(Json::from_text);
    let (metadata, author) = (cells.metadata()?, cells.take()?);
    Ok(Recorded {
        project,
        record: Score { id, name, value, target, at, comment, correction, metadata, author },
    })
}

fn read_metric(row: &Row<'_>) -> rusqlite::Result<Recorded<Metric>> {
    let mut cells = Cells::new(row);
    let project = cells.take()?;
    let (id, name, target, at) = (cells.take()?, cells.take()?, target(&mut cells)?, cells.time()?);
    let (value, unit, tags) = (cells.take()?, cells.take()?, cells.tags()?);
    Ok(Recorded { project, record: Metric { id, name, value, unit, tags, target, at } })
}

fn target(cells: &mut Cells<'_>) -> rusqlite::Result<Target> {
    Ok(Target {
        trace_id: cells.optional_trace_id()?,
        span_id: cells.optional_span_id()?,
        session: cells.take()?,
    })
}
