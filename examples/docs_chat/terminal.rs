//! All that is printed.

use std::{
    error::Error,
    io::{Write, stdout},
};

use observe_store::{Session, SpanDetail};

/// Prints one line. A reader that has gone (`docs_chat | head`) is no reason to stop.
pub(crate) fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// Begins a part of the output.
pub(crate) fn heading(text: &str) {
    say(&format!("\n=== {text}"));
}

/// Prints what was asked.
pub(crate) fn question(text: &str) {
    say(&format!("\n> {text}"));
}

/// Prints what was answered.
pub(crate) fn answer(text: &str) {
    say(&format!("  {text}"));
}

/// Prints why there is no answer, down to the first cause.
pub(crate) fn failure(error: &dyn Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    say(&format!("  No answer: {text}."));
}

/// Prints a session's traces, each span below the one that called it.
pub(crate) fn session(session: &Session) {
    let user = session.summary.user.as_deref().unwrap_or("nobody");
    heading(&format!("Traces of session {} ({user})", session.summary.session));
    for turn in &session.turns {
        say(&format!("\ntrace {}", turn.summary.trace_id));
        turn.spans.iter().for_each(span);
    }
}

/// `  calculator          tool          0.31 ms  error: division by zero`
fn span(span: &SpanDetail) {
    let name = format!("{:indent$}{}", "", span.name, indent = 2 * span.depth as usize);
    let duration = span.duration_ns.map_or("-".to_owned(), |ns| format!("{:.2} ms", ns as f64 / 1e6));
    let error = span.status_message.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
    say(&format!("  {name:<28} {:<10} {duration:>12}  {}{error}", span.span_type, span.status));
}
