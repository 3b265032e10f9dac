//! A trace as a tree.

use std::io::{self, Write};

use observe_model::{Failure, Score, ScoreValue, Status};
use observe_store::{Recorded, SpanDetail, Trace};
use unicode_width::UnicodeWidthStr;

use super::text::{
    BAD, BOLD, DIM, WARN, cost, duration, fit, glyph, moment, one_line, pad, preview, spans, styled,
};

/// Columns of the widest branch and name, of an input or output, and of a line below a span.
const NAME: usize = 48;
const PREVIEW: usize = 40;
const NOTE: usize = 110;
/// Scores that a line holds, and errors below a span.
const SCORES: usize = 8;
const ERRORS: usize = 3;

pub(super) fn trace(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    head(out, trace)?;
    let rows: Vec<_> = branches(&trace.spans).into_iter().zip(&trace.spans).collect();
    let width = |(branch, span): &(String, &SpanDetail)| branch.width() + one_line(&span.name).width() + 2;
    let widest = rows.iter().map(width).max().unwrap_or(0).min(NAME);
    for (at, (branch, span)) in rows.iter().enumerate() {
        line(out, branch, span, widest)?;
        let parent = rows.get(at + 1).is_some_and(|(_, next)| next.depth > span.depth);
        for note in notes(trace, span) {
            let below = branch.replace("├─", "│ ").replace("└─", "  ") + if parent { "│ " } else { "  " };
            writeln!(out, "{}{}", styled(DIM, &below), styled(DIM, &fit(&one_line(&note), NOTE)))?;
        }
    }
    Ok(())
}

/// What is known of the whole.
fn head(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    let s = &trace.summary;
    let (mark, colour) = glyph(s.status);
    let mark = styled(colour, &format!("{mark} {}", s.status));
    writeln!(out, "{}  {mark}  {}", styled(BOLD, &one_line(&s.name)), styled(DIM, &s.trace_id.to_string()))?;
    let mut facts = vec![format!("project {}", one_line(&s.project))];
    facts.extend(s.session.as_deref().map(|session| format!("session {}", one_line(session))));
    facts.extend(s.user.as_deref().map(|user| format!("user {}", one_line(user))));
    facts.push(format!("start {} UTC", moment(s.start)));
    facts.push(duration(s.duration_ns));
    facts.extend(s.totals.usage.total().map(|n| format!("{n} tokens")));
    facts.extend(s.totals.cost.map(|usd| cost(Some(usd))));
    let named = [("version", &s.version), ("release", &s.release), ("environment", &s.environment)];
    facts.extend(
        named.iter().filter_map(|(name, value)| Some(format!("{name} {}", one_line(value.as_deref()?)))),
    );
    let facts = styled(DIM, &facts.join(" · "));
    match s.totals.dropped {
        0 => writeln!(out, "{facts}")?,
        n => writeln!(out, "{facts}  {}", styled(WARN, &format!("! {} dropped", spans(n))))?,
    }
    said(out, trace)?;
    writeln!(out)
}

/// What was said of the whole: why it failed, its summary, its scores.
fn said(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    if let Some(why) = trace.said.as_ref().and_then(|said| said.failed.as_deref()) {
        writeln!(out, "failed: {}", styled(BAD, &fit(&one_line(why), NOTE)))?;
    }
    if let Some(summary) = trace.said.as_ref().and_then(|said| said.summary.as_ref()) {
        writeln!(out, "summary: {}", preview(summary.as_str(), NOTE))?;
    }
    // Those of a span that is not shown count for the whole, so that none is left out.
    let shown = |score: &Recorded<Score>| {
        trace.spans.iter().any(|span| score.record.target.span_id == Some(span.span_id))
    };
    match scores(trace.scores.iter().filter(|score| !shown(score))) {
        Some(scores) => writeln!(out, "scores: {}", fit(&one_line(&scores), NOTE)),
        None => Ok(()),
    }
}

/// What is said below a span: the errors' types and sources, then the time to the first token and the scores.
fn notes(trace: &Trace, span: &SpanDetail) -> Vec<String> {
    let details = span.details.as_ref();
    let errors = details.map(|details| details.errors.as_slice()).unwrap_or_default();
    // An error that the span's own line says in full needs no other.
    let untold = |error: &&Failure| {
        error.kind.is_some()
            || !error.sources.is_empty()
            || span.status_message.as_deref() != Some(&error.message)
    };
    let mut notes: Vec<_> = errors.iter().filter(untold).take(ERRORS).map(chain).collect();
    let first = details.and_then(|details| details.time_to_first);
    let first = first.map(|ns| format!("first token after {}", duration(ns)));
    let about = trace.scores.iter().filter(|score| score.record.target.span_id == Some(span.span_id));
    let facts: Vec<_> = first.into_iter().chain(scores(about)).collect();
    if !facts.is_empty() {
        notes.push(facts.join(" · "));
    }
    notes
}

/// An error and what caused it, the nearest first.
fn chain(error: &Failure) -> String {
    let kind = error.kind.as_ref().map(|kind| format!("{kind}: ")).unwrap_or_default();
    error.sources.iter().fold(kind + &error.message, |text, source| text + " ← " + source)
}

/// Names and values; `None` if there are none.
fn scores<'t>(scores: impl Iterator<Item = &'t Recorded<Score>>) -> Option<String> {
    let mut shown: Vec<_> =
        scores.map(|Recorded { record, .. }| format!("{} {}", record.name, value(&record.value))).collect();
    let more = shown.len().saturating_sub(SCORES);
    shown.truncate(SCORES);
    shown.extend((more > 0).then(|| format!("{more} more")));
    (!shown.is_empty()).then(|| shown.join(" · "))
}

/// One span: branch, ending, name, type, duration, what is missing, then why it failed or what went in and out.
fn line(out: &mut impl Write, branch: &str, span: &SpanDetail, width: usize) -> io::Result<()> {
    let (mark, colour) = glyph(span.status);
    let name = fit(&one_line(&span.name), width.saturating_sub(branch.width() + 2).max(8));
    let blanks = pad("", width.saturating_sub(branch.width() + 2 + name.width()), false);
    let time = span.duration_ns.map(duration).unwrap_or_default();
    let input = span.input.as_ref().map(|json| preview(json.get(), PREVIEW)).unwrap_or_default();
    let output = span.output.as_ref().map(|json| preview(json.get(), PREVIEW)).unwrap_or_default();
    let said = match (&span.status_message, input.is_empty() && output.is_empty()) {
        (Some(why), _) => styled(colour, &fit(&one_line(why), 2 * PREVIEW)),
        (None, true) => String::new(),
        (None, false) => styled(DIM, format!("{input} → {output}").trim_end_matches(" → ")),
    };
    let missing = match span.dropped {
        0 => String::new(),
        n => styled(WARN, &format!("! {} dropped here", spans(n))) + "  ",
    };
    let name = if span.status == Status::Error { styled(BAD, &name) } else { name };
    let line = format!(
        "{}{} {name}{blanks}  {}  {}  {missing}{said}",
        styled(DIM, branch),
        styled(colour, mark),
        styled(DIM, &pad(span.span_type.as_str(), 10, false)),
        pad(&time, 8, true),
    );
    writeln!(out, "{}", line.trim_end())
}

/// A score's value in as few words as it has.
fn value(value: &ScoreValue) -> String {
    match value {
        ScoreValue::Numeric(number) => number.to_string(),
        ScoreValue::Boolean(yes) => yes.to_string(),
        ScoreValue::Categorical(text) | ScoreValue::Text(text) => fit(&one_line(text), PREVIEW),
    }
}

/// The lines that lead to each span, from parents before children with their depths.
fn branches(spans: &[SpanDetail]) -> Vec<String> {
    let mut branches = Vec::with_capacity(spans.len());
    // Whether, at each depth, another sibling follows further down; read from the last span upwards.
    let mut follows: Vec<bool> = Vec::new();
    for span in spans.iter().rev() {
        let depth = span.depth as usize;
        follows.resize(depth + 1, false);
        let lines: String = (1..depth).map(|d| if follows[d] { "│  " } else { "   " }).collect();
        let knot = match (depth, follows[depth]) {
            (0, _) => "",
            (_, true) => "├─ ",
            (_, false) => "└─ ",
        };
        branches.push(lines + knot);
        follows[depth] = true;
    }
    branches.reverse();
    branches
}
