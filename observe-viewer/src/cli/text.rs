//! How numbers and payloads read in a terminal.

use anstyle::{AnsiColor, Style};
use observe_model::{Status, Timestamp};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands where nothing is known; never 0.
pub(crate) const UNKNOWN: &str = "—";
/// What explains rather than says.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What is looked for.
pub(crate) const BOLD: Style = Style::new().bold();
/// What may be amiss.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// What went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();

/// `text` in `style`.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// One glyph and one colour per status.
pub(crate) fn glyph(status: Status) -> (&'static str, Style) {
    let (glyph, colour) = match status {
        Status::Running => ("…", AnsiColor::Blue),
        Status::Ok => ("✓", AnsiColor::Green),
        Status::Error => ("✗", AnsiColor::Red),
        Status::Cancelled => ("⊘", AnsiColor::Yellow),
        Status::Abandoned => ("⇥", AnsiColor::Yellow),
        Status::Interrupted => ("↯", AnsiColor::Yellow),
    };
    (glyph, colour.on_default())
}

/// Nanoseconds with three figures and a unit.
pub(crate) fn duration(ns: u64) -> String {
    let figures = |n: f64, unit| match n {
        n if n < 9.995 => format!("{n:.2} {unit}"),
        n if n < 99.95 => format!("{n:.1} {unit}"),
        n => format!("{n:.0} {unit}"),
    };
    let n = ns as f64;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => figures(n / 1e3, "µs"),
        999_500..999_500_000 => figures(n / 1e6, "ms"),
        999_500_000..59_950_000_000 => figures(n / 1e9, "s"),
        _ => {
            let s = (ns + 500_000_000) / 1_000_000_000;
            if s < 3600 {
                format!("{} m {:02} s", s / 60, s % 60)
            } else {
                format!("{} h {:02} m", s / 3600, s % 3600 / 60)
            }
        }
    }
}

/// Tokens.
pub(crate) fn tokens(tokens: Option<u64>) -> String {
    tokens.map_or_else(|| UNKNOWN.to_owned(), |n| n.to_string())
}

/// `1 span`, `2 spans`.
pub(crate) fn spans(n: u64) -> String {
    format!("{n} span{}", if n == 1 { "" } else { "s" })
}

/// US dollars.
pub(crate) fn cost(usd: Option<f64>) -> String {
    usd.map_or_else(|| UNKNOWN.to_owned(), |usd| format!("${usd:.4}"))
}

/// Date and time in UTC, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// One line of at most `width` columns of a JSON text, whose end may have been cut: what a person reads, anything
/// else as it stands.
pub(crate) fn preview(json: &str, width: usize) -> String {
    let whole = serde_json::from_str::<serde_json::Value>(json);
    let text = match &whole {
        Ok(value) => spoken(value).map(str::to_owned),
        // A string without its end: give it one, in front of an escape that was cut in two.
        Err(_) if json.starts_with('"') => (0..=6)
            .filter_map(|cut| json.get(..json.len().checked_sub(cut)?))
            .find_map(|head| serde_json::from_str::<String>(&format!("{head}\"")).ok()),
        Err(_) => None,
    };
    fit(&one_line(text.as_deref().unwrap_or(json)), width)
}

/// Names under which programs keep what a person wrote or is told; the first that is there wins.
const SPOKEN: [&str; 9] =
    ["question", "query", "prompt", "message", "answer", "reply", "response", "text", "content"];

/// The text of a string, or of the member of an object that a person would read.
fn spoken(value: &serde_json::Value) -> Option<&str> {
    match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Object(map) if map.len() == 1 => spoken(map.values().next()?),
        serde_json::Value::Object(map) => SPOKEN.iter().find_map(|name| spoken(map.get(*name)?)),
        _ => None,
    }
}

/// White space as single blanks, and no control characters: recorded text must not steer the terminal.
pub(crate) fn one_line(text: &str) -> String {
    let clean = text.split_whitespace().collect::<Vec<_>>().join(" ");
    clean.chars().filter(|c| !c.is_control()).collect()
}

/// At most `width` columns of `text`.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// `text` filled up with blanks to `width` columns, on its right or its left.
pub(crate) fn pad(text: &str, width: usize, to_the_right: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if to_the_right { blanks + text } else { text.to_owned() + &blanks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_figures() {
        let shown: Vec<_> = [
            0,
            999,
            1_000,
            12_345,
            999_499,
            999_500,
            1_234_567_890,
            59_940_000_000,
            59_960_000_000,
            3_600_000_000_000,
        ]
        .map(duration)
        .into();
        let expected = [
            "0 ns", "999 ns", "1.00 µs", "12.3 µs", "999 µs", "1.00 ms", "1.23 s", "59.9 s", "1 m 00 s",
            "1 h 00 m",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_preview_is_the_text_even_if_its_end_was_cut() {
        assert_eq!(preview(r#""a\nb""#, 20), "a b");
        assert_eq!(preview(r#""a\nb and \u00"#, 20), "a b and");
        assert_eq!(preview(r#"{"question":"why?"}"#, 20), "why?");
        assert_eq!(preview(r#"{"k":3,"question":"why?"}"#, 20), "why?");
        assert_eq!(preview(r#"{"a":1,"b":[2"#, 20), r#"{"a":1,"b":[2"#);
        assert_eq!(preview(r#""漢字漢字""#, 5), "漢字…");
    }

    #[test]
    fn recorded_text_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb\u{7}\r\nc"), "a[31mb c");
    }
}
