//! The grammar of each setting's text.

use std::time::Duration;

use observe_model::Price;

use super::Keep;
use crate::report::{Once, say_once};

/// Where settings are read from.
pub(super) struct Source<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Source<'a> {
    pub(super) fn new(var: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(var)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// The variable's value, if `parse` can read it; else it is reported.
    pub(super) fn parsed<T>(
        &self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text.trim());
        if value.is_none() {
            say_once(&format!("{name}={text} is ignored: expected {expected}"));
        }
        value
    }
}

pub(super) const BOOLEAN: &str = "true or false";

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// A time in milliseconds or seconds: `100ms`, `2s`.
fn time(text: &str) -> Option<Duration> {
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => seconds.parse().ok().map(Duration::from_secs),
        (None, None) => None,
    }
}

/// `drop`, or `wait:` and a time.
pub(super) fn overflow(text: &str) -> Option<Duration> {
    if text == "drop" { Some(Duration::ZERO) } else { time(text.strip_prefix("wait:")?) }
}

pub(super) const KEEP: &str = "all, or failed, slow:2s or both with a comma between";

/// `all`, or what is kept.
pub(super) fn keep(text: &str) -> Option<Keep> {
    let mut keep = Keep::default();
    if text == "all" {
        return Some(keep);
    }
    for part in text.split(',').map(str::trim) {
        match part.strip_prefix("slow:") {
            Some(limit) => keep.slower_than = Some(time(limit)?),
            None if part == "failed" => keep.failed = true,
            None => return None,
        }
    }
    Some(keep)
}

/// Shares of traces.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) all: Option<f64>,
    pub(super) named: Vec<(String, f64)>,
}

pub(super) const RATES: &str =
    "a number from 0 to 1, or name=number for traces of one name, with commas between";

/// `0.1`, `checkout=1`, or several of them with commas between.
pub(super) fn rates(text: &str) -> Option<Rates> {
    let rate = |text: &str| text.trim().parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    let mut rates = Rates::default();
    for part in text.split(',') {
        match part.rsplit_once('=') {
            Some((name, number)) => rates.named.push((name.trim().to_owned(), rate(number)?)),
            None => rates.all = Some(rate(part)?),
        }
    }
    Some(rates)
}

pub(super) const PRICES: &str =
    "model=input/output in dollars for a million tokens, with commas between: gpt-4o-mini*=0.15/0.6/0.075";

/// `gpt-4o-mini*=0.15/0.6`, where a third and a fourth number are the prices of what is read from and written to caches.
pub(super) fn prices(text: &str) -> Option<Vec<(String, Price)>> {
    let dollars = |text: &str| text.trim().parse().ok().filter(|d: &f64| d.is_finite() && *d >= 0.0);
    let one = |part: &str| {
        let (model, numbers) = part.rsplit_once('=')?;
        let numbers: Option<Vec<_>> = numbers.split('/').map(dollars).collect();
        let price = match numbers?[..] {
            [input, output] => Price::new(input, output),
            [input, output, read] => Price { cache_read: Some(read), ..Price::new(input, output) },
            [input, output, read, write] => {
                Price { cache_read: Some(read), cache_write: Some(write), ..Price::new(input, output) }
            }
            _ => return None,
        };
        Some((model.trim().to_owned(), price)).filter(|(model, _)| !model.is_empty())
    };
    text.split(',').map(one).collect()
}

/// `key=value` pairs with commas between, values percent-encoded. Source: OpenTelemetry's specification of the resource.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        Some((key.trim().to_owned(), percent_decoded(value.trim())))
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.first_chunk::<2>().and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The name of an environment in the form that every platform keeps: at most 40 of `a` to `z`, `0` to `9`, `_` and `-`, not
/// beginning with `langfuse`. Source: Langfuse's documentation of environments. What it changes is said once.
pub(crate) fn environment(name: &str) -> Option<String> {
    static SAID: Once = Once::new();
    let form = environment_form(name)?;
    if form != name {
        SAID.say(&format!(
            "environment `{name}` is recorded as `{form}`: at most 40 of a-z, 0-9, _ and -, and not `langfuse` in front"
        ));
    }
    Some(form)
}

fn environment_form(name: &str) -> Option<String> {
    let kept = |c: char| match c.to_ascii_lowercase() {
        c if matches!(c, 'a'..='z' | '0'..='9' | '_' | '-') => c,
        _ => '-',
    };
    let plain: String = name.trim().chars().map(kept).collect();
    let prefix = if plain.starts_with("langfuse") { "env-" } else { "" };
    let form: String = prefix.chars().chain(plain.chars()).take(40).collect();
    Some(form).filter(|form| !form.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_overflow_policy_is_drop_or_a_time_to_wait() {
        assert_eq!(overflow("drop"), Some(Duration::ZERO));
        assert_eq!(overflow("wait:100ms"), Some(Duration::from_millis(100)));
        assert_eq!(overflow("wait:2s"), Some(Duration::from_secs(2)));
        for bad in ["", "wait", "wait:", "wait:5", "wait:ms", "wait:-1s", "block"] {
            assert_eq!(overflow(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_kept_is_all_or_failed_or_slow_or_both() {
        assert_eq!(keep("all"), Some(Keep::default()));
        assert_eq!(keep("failed"), Some(Keep { failed: true, slower_than: None }));
        let slow = Some(Duration::from_millis(250));
        assert_eq!(keep("failed, slow:250ms"), Some(Keep { failed: true, slower_than: slow }));
        for bad in ["", "slow", "slow:", "slow:2", "all,failed", "errors"] {
            assert_eq!(keep(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates_are_a_share_of_all_and_of_single_names() {
        let read = |text| rates(text).map(|rates| (rates.all, rates.named));
        assert_eq!(read("0.1"), Some((Some(0.1), vec![])));
        let named = vec![("checkout".to_owned(), 1.0), ("a = b".to_owned(), 0.0)];
        assert_eq!(read("0.1, checkout=1, a = b=0"), Some((Some(0.1), named)));
        for bad in ["", "2", "-0.1", "NaN", "checkout", "checkout=", "0.1,,", "checkout=2"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn prices_are_of_input_and_output_and_of_caches() {
        let expected = [
            ("gpt-4o-mini*", Price { cache_read: Some(0.075), ..Price::new(0.15, 0.6) }),
            ("claude=1:0", Price { cache_read: Some(0.3), cache_write: Some(3.75), ..Price::new(3.0, 15.0) }),
            ("local", Price::new(0.0, 0.0)),
        ];
        let expected: Vec<_> = expected.map(|(model, price)| (model.to_owned(), price)).into();
        assert_eq!(
            prices("gpt-4o-mini* = 0.15/0.6/0.075, claude=1:0=3/15/0.3/3.75,local=0/0"),
            Some(expected)
        );
        for bad in ["", "gpt-4o", "gpt-4o=1", "=1/2", "gpt-4o=1/2/3/4/5", "a=1/-2", "a=1/NaN", "a=1/2,"] {
            assert_eq!(prices(bad), None, "{bad}");
        }
    }

    #[test]
    fn pairs_have_percent_encoded_values() {
        let expected = [("service.name", "a b"), ("x", "100%"), ("y", "%zz=1")];
        let expected: Vec<_> = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(pairs("service.name=a%20b, x=100%25 ,y=%zz=1,"), Some(expected));
        assert_eq!(pairs("no pair"), None);
    }

    #[test]
    fn an_environment_is_recorded_in_the_form_that_every_platform_keeps() {
        let form = |name| environment_form(name).unwrap_or_default();
        assert_eq!(form("production"), "production");
        assert_eq!(form(" QA 2/\u{e9}u "), "qa-2--u");
        assert_eq!(form("langfuse-x"), "env-langfuse-x");
        assert_eq!(form(&"x".repeat(50)), "x".repeat(40));
        assert_eq!(environment_form("  "), None);
    }

    proptest! {
        #[test]
        fn an_environment_is_never_lost_and_its_form_is_final(name in ".*\\S.*") {
            let form = environment_form(&name).unwrap();
            prop_assert!((1..=40).contains(&form.len()) && !form.starts_with("langfuse"));
            prop_assert!(form.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')));
            prop_assert_eq!(environment_form(&form), Some(form));
        }
    }
}
