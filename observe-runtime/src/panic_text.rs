//! The message of the panic that unwinds through an observed call.

use std::{
    any::Any,
    borrow::Cow,
    cell::RefCell,
    panic::{self, PanicHookInfo},
    sync::Once,
};

use crate::{capture, journal};

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Listens to panics, in front of the hook that is there.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // A value that panics while it is captured is our business and no news for the host's stderr.
            if !journal::is_capturing() {
                note(info);
                next(info);
            }
        }));
    });
}

fn note(info: &PanicHookInfo<'_>) {
    let text = match info.location() {
        Some(at) => format!("panicked at {}:{}: {}", at.file(), at.line(), shown(message(info.payload()))),
        None => format!("panicked: {}", shown(message(info.payload()))),
    };
    // The thread may be past its destructors.
    let _ = LAST.try_with(|last| {
        if let Ok(mut last) = last.try_borrow_mut() {
            *last = text;
        }
    });
}

fn message(payload: &dyn Any) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "a value that is no text",
    }
}

/// The message as it is recorded. The standard library's own have values in them, printed for debugging; of others nobody
/// knows what a colon means.
fn shown(message: &str) -> Cow<'_, str> {
    const WITH_VALUES: [&str; 2] = ["called `Result::", "assertion `"];
    match WITH_VALUES.iter().any(|begin| message.starts_with(begin)) {
        true => capture::debug_text(&format_args!("{message}")).into(),
        false => message.into(),
    }
}

/// The thread's last panic.
pub(crate) fn last() -> String {
    let text =
        LAST.try_with(|last| last.try_borrow().map(|t| t.clone()).unwrap_or_default()).unwrap_or_default();
    if text.is_empty() { "panicked".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_the_standard_library_prints_lose_their_secrets() {
        for (message, expected) in [
            (
                "called `Result::unwrap()` on an `Err` value: Login { user: \"ann\", password: \"hunter2\" }",
                "called `Result::unwrap()` on an `Err` value: Login { user: \"ann\", password: [redacted] }",
            ),
            (
                "assertion `left == right` failed: it's wrong\n  left: Key { secret: [1, 2] }\n right: Key { secret: [3] }",
                "assertion `left == right` failed: it's wrong\n  left: Key { secret: [redacted] }\n right: Key { secret: [redacted] }",
            ),
            ("unexpected token: `}`", "unexpected token: `}`"),
        ] {
            assert_eq!(shown(message), expected);
        }
    }
}
