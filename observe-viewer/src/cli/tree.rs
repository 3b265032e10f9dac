//! A trace as a tree.

use std::io::{self, Write};

use observe_store::{SpanDetail, Trace};
use unicode_width::UnicodeWidthStr;

use super::text::{
    BAD, BOLD, DIM, WARN, cost, duration, fit, glyph, moment, one_line, pad, preview, spans, styled,
};

/// Columns of the widest branch and name, and of an input or output.
const NAME: usize = 48;
const PREVIEW: usize = 40;

pub(super) fn trace(out: &mut impl Write, trace: &Trace) -> io::Result<()> {
    head(out, trace)?;
    let rows: Vec<_> = branches(&trace.spans).into_iter().zip(&trace.spans).collect();
    let width = |(branch, span): &(String, &SpanDetail)| branch.width() + one_line(&span.name).width() + 2;
    let widest = rows.iter().map(width).max().unwrap_or(0).min(NAME);
    for (branch, span) in rows {
        line(out, &branch, span, widest)?;
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
    let facts = styled(DIM, &facts.join(" · "));
    match s.totals.dropped {
        0 => writeln!(out, "{facts}\n"),
        n => writeln!(out, "{facts}  {}\n", styled(WARN, &format!("! {} dropped", spans(n)))),
    }
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
    let name = if span.status == observe_model::Status::Error { styled(BAD, &name) } else { name };
    let line = format!(
        "{}{} {name}{blanks}  {}  {}  {missing}{said}",
        styled(DIM, branch),
        styled(colour, mark),
        styled(DIM, &pad(span.span_type.as_str(), 10, false)),
        pad(&time, 8, true),
    );
    writeln!(out, "{}", line.trim_end())
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
