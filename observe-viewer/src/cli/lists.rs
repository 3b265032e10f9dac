//! Sessions and traces as tables.

use std::io::{self, Write};

use anstyle::Style;
use observe_store::{Page, SessionSummary, TraceSummary};

use super::text::{
    BAD, BOLD, DIM, UNKNOWN, cost, duration, fit, glyph, moment, one_line, pad, preview, styled, tokens,
};

/// Columns of a preview, and of an id or a name.
const PREVIEW: usize = 48;
const NAME: usize = 32;

/// One cell: what stands there and how.
struct Cell {
    text: String,
    style: Style,
}

fn cell(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), style: Style::new() }
}

impl Cell {
    fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

pub(super) fn sessions(out: &mut impl Write, page: &Page<SessionSummary>) -> io::Result<()> {
    let head = [
        "LAST (UTC)",
        "SESSION",
        "PROJECT",
        "USER",
        ">TURNS",
        ">ERRORS",
        ">TOKENS",
        ">COST",
        ">TIME",
        "FIRST QUESTION",
    ];
    let rows = page.items.iter().map(|s| {
        vec![
            cell(moment(s.end)).style(DIM),
            cell(fit(&one_line(&s.session), NAME)).style(BOLD),
            cell(fit(&one_line(&s.project), NAME)),
            cell(s.user.as_deref().map_or(UNKNOWN.to_owned(), |u| fit(&one_line(u), NAME))),
            cell(s.traces.to_string()),
            errors(s.totals.errors),
            cell(tokens(s.totals.usage.total())),
            cell(cost(s.totals.cost)),
            cell(duration(s.active_ns)),
            cell(s.first_input.as_deref().map_or(String::new(), |text| preview(text, PREVIEW))).style(DIM),
        ]
    });
    table(out, &head, rows.collect())?;
    more(out, page.next.as_deref())
}

pub(super) fn traces(out: &mut impl Write, page: &Page<TraceSummary>) -> io::Result<()> {
    let head = [
        "START (UTC)",
        "TRACE",
        "",
        "NAME",
        "SESSION",
        ">SPANS",
        ">ERRORS",
        ">TOKENS",
        ">COST",
        ">TIME",
        "INPUT",
    ];
    let rows = page.items.iter().map(|t| {
        let (mark, colour) = glyph(t.status);
        vec![
            cell(moment(t.start)).style(DIM),
            cell(t.trace_id.to_string()),
            cell(mark).style(colour),
            cell(fit(&one_line(&t.name), NAME)).style(BOLD),
            cell(t.session.as_deref().map_or(UNKNOWN.to_owned(), |s| fit(&one_line(s), NAME))),
            cell(t.totals.spans.to_string()),
            errors(t.totals.errors),
            cell(tokens(t.totals.usage.total())),
            cell(cost(t.totals.cost)),
            cell(match (t.end, t.duration_ns) {
                (None, 0) => UNKNOWN.to_owned(),
                (_, ns) => duration(ns),
            }),
            cell(t.input.as_deref().map_or(String::new(), |text| preview(text, PREVIEW))).style(DIM),
        ]
    });
    table(out, &head, rows.collect())?;
    more(out, page.next.as_deref())
}

fn errors(errors: u64) -> Cell {
    cell(errors.to_string()).style(if errors > 0 { BAD } else { DIM })
}

/// Columns as wide as what they hold; those whose head begins with `>` stand to the right.
fn table(out: &mut impl Write, head: &[&str], rows: Vec<Vec<Cell>>) -> io::Result<()> {
    let width = |column: usize| {
        let cells =
            rows.iter().map(|row| row[column].text.as_str()).chain([head[column].trim_start_matches('>')]);
        cells.map(unicode_width::UnicodeWidthStr::width).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let heads = head.iter().map(|text| cell(text.trim_start_matches('>')).style(DIM)).collect();
    for row in [heads].iter().chain(&rows) {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let last = column + 1 == head.len();
            let width = if last { 0 } else { widths[column] };
            styled(cell.style, &pad(&cell.text, width, head[column].starts_with('>')))
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// How to see the rest.
fn more(out: &mut impl Write, next: Option<&str>) -> io::Result<()> {
    match next {
        Some(cursor) => writeln!(out, "{}", styled(DIM, &format!("more: --after '{cursor}'"))),
        None => Ok(()),
    }
}
