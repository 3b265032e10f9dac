//! What the assistant can do besides reading: a calculator and a clock.

use std::time::{Duration, Instant, SystemTime};

use observe::observe;
use serde::Serialize;

/// How long one calculation may take: `9^9^9^9` would take for ever.
const CALCULATION_LIMIT: Duration = Duration::from_secs(1);

/// Why a tool gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error("cannot calculate `{expression}`: {reason}")]
    Calculator { expression: String, reason: String },
}

/// The value of an arithmetic expression.
///
/// An `Err` needs no further line to be seen: it ends the span with status `error` and the error's text.
#[observe(as_type = "tool")]
pub(crate) fn calculator(expression: &str) -> Result<String, ToolError> {
    let deadline = Deadline(Instant::now() + CALCULATION_LIMIT);
    fend_core::evaluate_with_interrupt(expression, &mut fend_core::Context::new(), &deadline)
        .map(|value| value.get_main_result().to_owned())
        .map_err(|reason| ToolError::Calculator { expression: expression.to_owned(), reason })
}

/// How exactly the clock is read.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Precision {
    Seconds,
}

/// The time of day in UTC.
#[observe(as_type = "tool")]
pub(crate) fn clock(precision: Precision) -> String {
    match precision {
        Precision::Seconds => humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
    }
}

/// Whether a question is about the clock.
pub(crate) fn asks_for_time(question: &str) -> bool {
    let question = question.to_lowercase();
    ["what time", "the time", "what day", "today"].iter().any(|words| question.contains(words))
}

/// The first arithmetic expression in a question: `3 * (4 + 5)` in "What is 3 * (4 + 5)?".
pub(crate) fn arithmetic_in(question: &str) -> Option<&str> {
    let foreign = |c: char| !(c.is_ascii_digit() || " .+-*/^()".contains(c));
    question.split(foreign).map(str::trim).find(|run| {
        // A date or a range such as 3-5 is no calculation: an operator stands between spaces.
        let operators = run.split(' ').filter(|word| ["+", "-", "*", "/", "^"].contains(word)).count();
        operators > 0 && run.starts_with(|c: char| c.is_ascii_digit() || c == '(')
    })
}

/// Stops a calculation at a point in time.
struct Deadline(Instant);

impl fend_core::Interrupt for Deadline {
    fn should_interrupt(&self) -> bool {
        Instant::now() > self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_found_in_a_question_and_a_date_is_none() {
        assert_eq!(arithmetic_in("What is 3 * (4 + 5)?"), Some("3 * (4 + 5)"));
        assert_eq!(arithmetic_in("How much is 42 / 0, and why?"), Some("42 / 0"));
        assert_eq!(arithmetic_in("What came on 2026-11-21, or in section 3.4?"), None);
    }

    #[test]
    fn the_calculator_is_exact_and_says_what_is_wrong() {
        assert_eq!(calculator("3 * (4 + 5)").unwrap(), "27");
        let error = calculator("42 / 0").unwrap_err().to_string();
        assert_eq!(error, "cannot calculate `42 / 0`: division by zero");
    }

    #[test]
    fn an_endless_calculation_is_stopped() {
        assert!(calculator("9 ^ 9 ^ 9 ^ 9").is_err());
    }
}
