//! What an answer means, by the rules of OTLP/HTTP.
//!
//! Source: <https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>. The platforms' own protocols are held to the same
//! rules.

use std::time::{Duration, SystemTime};

/// An answer, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) location: Option<String>,
    /// The body, as far as it could be read within its limit.
    pub(crate) body: Vec<u8>,
}

/// What to do about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The receiver has it.
    Arrived,
    /// It may arrive later; the receiver may have said when.
    Later(String, Option<Duration>),
    /// It never will as a whole; a part of it may.
    Divide(String),
    /// It never will.
    Refused(String),
}

/// What `answer` means for a request to `url`.
pub(crate) fn of(url: &str, answer: &Answer, now: SystemTime) -> Verdict {
    let text = |what: &str| format!("{url} answered {}{what}{}", answer.status, reason(&answer.body));
    match answer.status {
        200..300 => Verdict::Arrived,
        429 | 502..=504 => {
            let after = answer.retry_after.as_deref().and_then(|text| retry_after(text, now));
            Verdict::Later(text(""), after)
        }
        // One span of many can be the reason.
        400 | 413 => Verdict::Divide(text("")),
        401 | 403 => Verdict::Refused(text(": check the keys of this destination")),
        404 => Verdict::Refused(text(": check the address of this destination")),
        300..400 => {
            let to = answer.location.as_deref().unwrap_or("elsewhere");
            Verdict::Refused(text(&format!(
                " and points to {to}: set that as the address, what was recorded is not sent to places that were not named"
            )))
        }
        _ => Verdict::Refused(text("")),
    }
}

/// The beginning of what the receiver said, if it is text.
fn reason(body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = body.get(..body.len().min(LONGEST)).unwrap_or_default();
    match str::from_utf8(text) {
        Ok(text)
            if !text.trim().is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace()) =>
        {
            format!(": {}", text.split_whitespace().collect::<Vec<_>>().join(" "))
        }
        _ => String::new(),
    }
}

/// The wait that `Retry-After` asks for, in seconds or until a date; one that has passed is none.
///
/// Source: RFC 9110, section 10.2.3.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_status(status: u16) -> Verdict {
        of("http://x", &Answer { status, ..Answer::default() }, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn only_four_statuses_are_tried_again() {
        for status in 100..600 {
            let again = matches!(of_status(status), Verdict::Later(..));
            assert_eq!(again, [429, 502, 503, 504].contains(&status), "{status}");
            let arrived = of_status(status) == Verdict::Arrived;
            assert_eq!(arrived, (200..300).contains(&status), "{status}");
            let divided = matches!(of_status(status), Verdict::Divide(_));
            assert_eq!(divided, [400, 413].contains(&status), "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sunday, 06-Nov-94 08:49:47 GMT", Some(10)),
            ("Sun Nov  6 08:49:47 1994", Some(10)),
            ("Sun, 06 Nov 1994 08:49:30 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_receiver_said_and_what_to_do() {
        let answer =
            Answer { status: 401, body: b"{\"detail\":\n \"bad key\"}".to_vec(), ..Answer::default() };
        let Verdict::Refused(text) = of("http://x/v1", &answer, SystemTime::UNIX_EPOCH) else { panic!() };
        assert_eq!(
            text,
            "http://x/v1 answered 401: check the keys of this destination: {\"detail\": \"bad key\"}"
        );
        let answer = Answer {
            status: 308,
            location: Some("https://x".into()),
            body: vec![0, 255],
            ..Answer::default()
        };
        let Verdict::Refused(text) = of("http://x", &answer, SystemTime::UNIX_EPOCH) else { panic!() };
        assert!(text.contains("points to https://x: set that as the address"), "{text}");
    }
}
