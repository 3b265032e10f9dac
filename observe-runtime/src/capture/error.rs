//! Telling a returned `Err` from every other value, and an error's text from its type.

use std::{any::type_name, convert::Infallible, error::Error, fmt, ops::Deref};

use observe_model::Failure;

/// A returned value. The macro calls `(&&Fork(&value)).observe_fork()`, which tells `Err(e)` from everything else.
#[derive(Debug)]
pub struct Fork<'a, T: ?Sized>(pub &'a T);

/// A `Result` is what it holds.
pub trait ViaResult<'a> {
    /// The value of `Ok`.
    type Value: ?Sized;
    /// The value of `Err`.
    type Problem: ?Sized;
    /// The result by reference.
    fn observe_fork(&self) -> Result<&'a Self::Value, &'a Self::Problem>;
}

impl<'a, T, E> ViaResult<'a> for &Fork<'a, Result<T, E>> {
    type Value = T;
    type Problem = E;
    #[inline]
    fn observe_fork(&self) -> Result<&'a T, &'a E> {
        self.0.as_ref()
    }
}

/// Anything else is a value.
pub trait ViaPlain<'a> {
    /// Its type.
    type Value: ?Sized;
    /// The value, as the `Ok` that it is.
    fn observe_fork(&self) -> Result<&'a Self::Value, &'a Infallible>;
}

impl<'a, T: ?Sized> ViaPlain<'a> for Fork<'a, T> {
    type Value = T;
    #[inline]
    fn observe_fork(&self) -> Result<&'a T, &'a Infallible> {
        Ok(self.0)
    }
}

/// The value of an `Err`. The macro calls `(&&&&&ProbeError(&error)).observe_text()`.
#[derive(Debug)]
pub struct ProbeError<'a, T: ?Sized>(pub &'a T);

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
#[cfg(feature = "otlp")]
pub(crate) fn chain(error: &(dyn Error + '_)) -> String {
    failure(error, "").text()
}

/// An error of which only a text is known.
fn text(message: String) -> Failure {
    Failure { message, ..Failure::default() }
}

/// An `Error` has sources.
pub trait ViaError {
    /// Its text and that of its sources.
    fn observe_text(&self) -> Failure;
}

impl<T: Error + ?Sized> ViaError for &&&&ProbeError<'_, T> {
    fn observe_text(&self) -> Failure {
        failure(&ByRef(self.0), type_name::<T>())
    }
}

/// A pointer to an `Error`, such as `Box<dyn Error>` or `anyhow::Error`, which is none itself.
pub trait ViaDeref {
    /// The text of what it points to.
    fn observe_text(&self) -> Failure;
}

impl<T: Deref + ?Sized> ViaDeref for &&&ProbeError<'_, T>
where
    T::Target: Error,
{
    fn observe_text(&self) -> Failure {
        (&&&&ProbeError(&**self.0)).observe_text()
    }
}

/// A value that prints itself.
pub trait ViaDisplay {
    /// What it prints.
    fn observe_text(&self) -> Failure;
}

impl<T: fmt::Display + ?Sized> ViaDisplay for &&ProbeError<'_, T> {
    fn observe_text(&self) -> Failure {
        text(self.0.to_string())
    }
}

/// A value that prints itself for debugging only.
pub trait ViaDebugError {
    /// What it prints.
    fn observe_text(&self) -> Failure;
}

impl<T: fmt::Debug + ?Sized> ViaDebugError for &ProbeError<'_, T> {
    fn observe_text(&self) -> Failure {
        text(format!("{:?}", self.0))
    }
}

/// A value that does not print itself.
pub trait ViaNameError {
    /// Its type's name.
    fn observe_text(&self) -> Failure;
}

impl<T: ?Sized> ViaNameError for ProbeError<'_, T> {
    fn observe_text(&self) -> Failure {
        text(format!("<{}>", type_name::<T>()))
    }
}

#[cfg(test)]
#[allow(clippy::needless_borrow, reason = "the references are what chooses the trait")]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "could not read the number")
        }
    }
    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }
    #[derive(Debug)]
    struct OnlyDebug;
    struct Nothing;

    #[test]
    fn an_errors_text_is_the_best_that_its_type_offers() {
        let outer = || Outer("x".parse::<i32>().unwrap_err());
        let expected = "could not read the number: invalid digit found in string";
        assert_eq!((&&&&&ProbeError(&outer())).observe_text().text(), expected);
        let boxed: Box<dyn Error + Send + Sync> = Box::new(outer());
        assert_eq!((&&&&&ProbeError(&boxed)).observe_text().text(), expected);
        assert_eq!((&&&&&ProbeError("text")).observe_text().text(), "text");
        assert_eq!((&&&&&ProbeError(&OnlyDebug)).observe_text().text(), "OnlyDebug");
        assert!((&&&&&ProbeError(&Nothing)).observe_text().text().ends_with("Nothing>"));
    }

    #[test]
    fn an_error_says_its_type_and_what_caused_it() {
        let failure = (&&&&&ProbeError(&Outer("x".parse::<i32>().unwrap_err()))).observe_text();
        assert!(failure.kind.is_some_and(|kind| kind.ends_with("tests::Outer")));
        assert_eq!(failure.sources, ["invalid digit found in string"]);
        let boxed: Box<dyn Error> = Box::new(Outer("x".parse::<i32>().unwrap_err()));
        assert_eq!((&&&&&ProbeError(&boxed)).observe_text().kind, None);
    }

    #[test]
    fn only_a_result_forks() {
        assert_eq!((&&Fork(&Ok::<i32, ()>(1))).observe_fork(), Ok(&1));
        assert_eq!((&&Fork(&Err::<(), _>("no"))).observe_fork(), Err(&"no"));
        assert_eq!((&&Fork(&Some(1))).observe_fork(), Ok(&Some(1)));
    }
}
