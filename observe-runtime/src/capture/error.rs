//! What is kept of an error.

use std::{error::Error, fmt};

use observe_model::Failure;

/// An error of any type by reference, as `dyn Error` needs it: of a size that is known.
pub(crate) struct ByRef<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: Error + ?Sized> fmt::Debug for ByRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl<T: Error + ?Sized> fmt::Display for ByRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.0, f)
    }
}

impl<T: Error + ?Sized> Error for ByRef<'_, T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// An error of this type, with its sources.
pub(crate) fn failure(error: &(dyn Error + '_), kind: &str) -> Failure {
    let mut failure = Failure { message: error.to_string(), ..Failure::default() };
    // What is behind `dyn` does not say what it is.
    failure.kind = (!kind.contains("dyn ")).then(|| kind.to_owned());
    let mut next = error.source();
    // Far deeper than any real chain; an error that names itself as its source ends here.
    for _ in 0..64 {
        let Some(source) = next else { break };
        failure.sources.push(source.to_string());
        next = source.source();
    }
    failure
}

/// An error's text with that of its sources, joined by `: `. A source whose text the error repeats is left out.
#[cfg(feature = "delivery")]
pub(crate) fn chain(error: &(dyn Error + '_)) -> String {
    failure(error, "").text()
}

/// An error of which only a text is known.
pub(super) fn text_alone(message: String) -> Failure {
    Failure { message, ..Failure::default() }
}
