//! Between the model's types and SQLite's cells.

use std::str::FromStr;

use observe_model::{Metadata, SpanId, Timestamp, TraceId, Usage};
use rusqlite::{
    Row,
    types::{FromSql, Type},
};

use crate::Totals;

/// The columns of [`Usage`], in the order of [`buckets`].
pub(super) const USAGE: &str = "usage_input, usage_cache_read, usage_cache_write, usage_input_audio, \
    usage_output, usage_reasoning, usage_output_audio";

/// SQLite's integers are signed; what does not fit becomes the greatest that does.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The token buckets in column order.
pub(super) fn buckets(usage: &Usage) -> [Option<u64>; 7] {
    let u = usage;
    [u.input, u.cache_read, u.cache_write, u.input_audio, u.output, u.reasoning, u.output_audio]
}

fn usage(
    [input, cache_read, cache_write, input_audio, output, reasoning, output_audio]: [Option<u64>; 7],
) -> Usage {
    Usage { input, cache_read, cache_write, input_audio, output, reasoning, output_audio }
}

/// Adds two usages bucket by bucket without overflow; unknown plus unknown stays unknown.
pub(super) fn add_usage(a: &Usage, b: &Usage) -> Usage {
    let (mut sum, b) = (buckets(a), buckets(b));
    for (sum, b) in sum.iter_mut().zip(b) {
        *sum = sum.iter().copied().chain(b).reduce(u64::saturating_add);
    }
    usage(sum)
}

/// Adds two costs; unknown plus unknown stays unknown.
pub(super) fn add_cost(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(|a, b| a + b)
}

/// Adds what one trace sums up to its session's sums.
pub(super) fn add_totals(sum: &mut Totals, totals: &Totals) {
    sum.spans = sum.spans.saturating_add(totals.spans);
    sum.errors = sum.errors.saturating_add(totals.errors);
    sum.warnings = sum.warnings.saturating_add(totals.warnings);
    sum.debugs = sum.debugs.saturating_add(totals.debugs);
    sum.dropped = sum.dropped.saturating_add(totals.dropped);
    sum.usage = add_usage(&sum.usage, &totals.usage);
    sum.cost = add_cost(sum.cost, totals.cost);
}

/// Takes a row's cells one after another, in the order of the statement's columns.
pub(super) struct Cells<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Cells<'r> {
    pub(super) fn new(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    /// A count; never negative.
    pub(super) fn count(&mut self) -> rusqlite::Result<u64> {
        Ok(self.optional_count()?.unwrap_or_default())
    }

    pub(super) fn optional_count(&mut self) -> rusqlite::Result<Option<u64>> {
        Ok(self.take::<Option<i64>>()?.map(|n| u64::try_from(n).unwrap_or_default()))
    }

    pub(super) fn time(&mut self) -> rusqlite::Result<Timestamp> {
        self.count().map(Timestamp)
    }

    pub(super) fn trace_id(&mut self) -> rusqlite::Result<TraceId> {
        let bytes = self.take()?;
        TraceId::from_bytes(bytes).ok_or_else(|| self.unreadable("an id of zeros"))
    }

    pub(super) fn optional_trace_id(&mut self) -> rusqlite::Result<Option<TraceId>> {
        Ok(self.take::<Option<_>>()?.and_then(TraceId::from_bytes))
    }

    pub(super) fn span_id(&mut self) -> rusqlite::Result<SpanId> {
        let bytes = self.take()?;
        SpanId::from_bytes(bytes).ok_or_else(|| self.unreadable("an id of zeros"))
    }

    pub(super) fn optional_span_id(&mut self) -> rusqlite::Result<Option<SpanId>> {
        Ok(self.take::<Option<_>>()?.and_then(SpanId::from_bytes))
    }

    /// One of the model's named values.
    pub(super) fn named<T: FromStr<Err: std::fmt::Display>>(&mut self) -> rusqlite::Result<T> {
        let text: String = self.take()?;
        text.parse().map_err(|e: T::Err| self.unreadable(&e.to_string()))
    }

    /// A list of texts, kept as JSON.
    pub(super) fn tags(&mut self) -> rusqlite::Result<Vec<String>> {
        self.json()
    }

    pub(super) fn metadata(&mut self) -> rusqlite::Result<Metadata> {
        self.json()
    }

    pub(super) fn usage(&mut self) -> rusqlite::Result<Usage> {
        let mut cells = [None; 7];
        for cell in &mut cells {
            *cell = self.optional_count()?;
        }
        Ok(usage(cells))
    }

    pub(super) fn totals(&mut self) -> rusqlite::Result<Totals> {
        Ok(Totals {
            spans: self.count()?,
            errors: self.count()?,
            warnings: self.count()?,
            debugs: self.count()?,
            dropped: self.count()?,
            usage: self.usage()?,
            cost: self.take()?,
        })
    }

    /// What the JSON text of the cells just taken says.
    pub(super) fn parse<T: serde::de::DeserializeOwned>(&self, json: &str) -> rusqlite::Result<T> {
        serde_json::from_str(json).map_err(|e| self.unreadable(&e.to_string()))
    }

    /// What JSON text says; the default where the cell is null.
    fn json<T: serde::de::DeserializeOwned + Default>(&mut self) -> rusqlite::Result<T> {
        let text: Option<String> = self.take()?;
        text.map_or_else(
            || Ok(T::default()),
            |t| serde_json::from_str(&t).map_err(|e| self.unreadable(&e.to_string())),
        )
    }

    /// The cell just taken holds what no version of this program wrote.
    fn unreadable(&self, why: &str) -> rusqlite::Error {
        rusqlite::Error::FromSqlConversionFailure(self.next - 1, Type::Text, why.into())
    }
}
