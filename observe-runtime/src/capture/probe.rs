//! The choice between `Serialize`, `Debug` and the type's name, and between an error's ways to say what it is.
//!
//! Each way is a type of its own, with an inherent method where the value can be written so, and dereferences to the
//! next: the compiler's method look-up takes the first whose bound holds. No trait need be in scope, and what most values
//! are is found at once, which is most of what an annotated function costs to compile.

use std::{any::type_name, error::Error, fmt, hint::black_box, ops::Deref};

use observe_model::Failure;
use serde::Serialize;

use super::{
    error::{ByRef, failure, text_alone},
    pen::{Capture, Pen, Written},
    shown,
};
use crate::call::Call;

/// Declares the ways in order, each dereferencing to the next; the last has the value.
macro_rules! ways {
    ($(#[$doc:meta])* $way:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $way<'a, T: ?Sized>(Option<&'a T>);

        impl<'a, T: ?Sized> $way<'a, T> {
            #[inline]
            fn value(&self) -> Option<&'a T> {
                self.0
            }
        }
    };
    ($(#[$doc:meta])* $way:ident $(#[$more:meta])* $next:ident $($rest:tt)*) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $way<'a, T: ?Sized>($next<'a, T>);

        impl<'a, T: ?Sized> Deref for $way<'a, T> {
            type Target = $next<'a, T>;
            #[inline]
            fn deref(&self) -> &$next<'a, T> {
                &self.0
            }
        }

        ways!($(#[$more])* $next $($rest)*);
    };
}

ways! {
    /// A `Serialize` value is JSON. `()` is no value, but as an argument.
    BySerialize
    /// A `Debug` value is its text.
    ByDebug
    /// Any other value is its type's name.
    ByName
}

/// What can be done with a value on each way: `$written` writes `$value` with `$pen`.
macro_rules! captured {
    ([$($bounds:tt)*] $way:ident, $pen:ident, $value:ident => $written:expr) => {
        impl<T: $($bounds)* ?Sized> Capture for $way<'_, T> {
            fn capture(&self, $pen: Pen<'_>) -> Written {
                match self.value() {
                    Some($value) => $written,
                    None => $pen.write(&()),
                }
            }
        }

        impl<T: $($bounds)* ?Sized> $way<'_, T> {
            /// The next argument.
            #[inline]
            pub fn observe_argument(&self) -> &dyn Capture {
                self
            }

            /// Makes it the input, in place of the arguments.
            pub fn observe_input(&self, call: &impl Call) {
                if self.has_value() {
                    call.input(self);
                }
            }

            /// Ends the span with it, if there is a value.
            #[inline]
            pub fn observe_output(&self, call: &mut impl Call) {
                if self.has_value() {
                    call.returned(self);
                } else {
                    self.observe_unseen(call);
                }
            }

            /// Adds it to the metadata.
            pub fn observe_metadata(&self, key: &str, call: &impl Call) {
                if self.value().is_some() {
                    call.metadata(key, self);
                }
            }
        }
    };
}

captured!([Serialize +] BySerialize, pen, value => pen.write(value));
captured!([fmt::Debug +] ByDebug, pen, value => pen.debug(value));
captured!([] ByName, pen, _value => pen.name::<T>());

impl<T: ?Sized> BySerialize<'_, T> {
    /// Whether there is a value that says something: known by its type's name, for a way of its own that comes before all
    /// others would have to be looked at for every type.
    #[inline]
    fn has_value(&self) -> bool {
        self.value().is_some() && type_name::<T>() != type_name::<()>()
    }
}

impl<'a, T: ?Sized> ByName<'a, T> {
    #[inline]
    fn has_value(&self) -> bool {
        self.value().is_some()
    }

    /// What `make` makes of it, if there is a value.
    #[inline]
    pub fn observe_view<V>(&self, make: impl FnOnce(&'a T) -> V) -> Option<V> {
        self.value().map(make)
    }

    /// Ends the span without it, if there is a value.
    pub fn observe_unseen(&self, call: &mut impl Call) {
        if self.value().is_some() {
            call.returned_nothing();
        }
    }
}

/// The value behind `value`, for the method that its type allows.
#[inline]
pub fn probe<T: ?Sized>(value: &T) -> BySerialize<'_, T> {
    probe_of(Some(value))
}

#[inline]
fn probe_of<T: ?Sized>(value: Option<&T>) -> BySerialize<'_, T> {
    BySerialize(ByDebug(ByName(value)))
}

ways! {
    /// The value of an `Err`, if it was one: an `Error` has sources.
    Problem
    /// A pointer to an `Error`, such as `Box<dyn Error>` or `anyhow::Error`, which is none itself.
    ByTarget
    /// A value that prints itself.
    ByDisplay
    /// A value that prints itself for debugging only.
    ByDebugText
    /// A value that does not print itself.
    ByTypeName
}

/// Ends the span with the failure that `$failure` makes of `$error`.
macro_rules! fails {
    ($error:ident => $failure:expr) => {
        /// What is kept of it.
        fn failure(&self) -> Option<Failure> {
            self.value().map(|$error| $failure)
        }

        /// Ends the span with it, if there is one.
        pub fn observe_fail(&self, call: &mut impl Call) {
            if let Some(failure) = self.failure() {
                call.failed(&failure);
            }
        }
    };
}

impl<T: Error + ?Sized> Problem<'_, T> {
    fails!(error => failure(&ByRef(error), type_name::<T>()));
}

impl<T: Deref + ?Sized> ByTarget<'_, T>
where
    T::Target: Error,
{
    fails!(error => failure(&ByRef(&**error), type_name::<T::Target>()));
}

impl<T: fmt::Display + ?Sized> ByDisplay<'_, T> {
    fails!(error => text_alone(error.to_string()));
}

impl<T: fmt::Debug + ?Sized> ByDebugText<'_, T> {
    fails!(error => text_alone(shown::text(&error)));
}

impl<T: ?Sized> ByTypeName<'_, T> {
    fails!(_error => text_alone(format!("<{}>", type_name::<T>())));
}

/// The error behind `error`, for the method that its type allows.
#[inline(always)]
pub fn problem<T: ?Sized>(error: &T) -> Problem<'_, T> {
    problem_of(Some(error))
}

#[inline]
fn problem_of<T: ?Sized>(error: Option<&T>) -> Problem<'_, T> {
    Problem(ByTarget(ByDisplay(ByDebugText(ByTypeName(error)))))
}

/// What stands for the error of a value that is no `Result`.
#[derive(Debug)]
pub struct NoProblem;

impl NoProblem {
    /// Nothing.
    #[inline]
    pub fn observe_fail(&self, _call: &mut impl Call) {}
}

/// A returned value.
#[derive(Debug)]
pub struct Returned<T>(pub Plain<T>);

/// A returned value that is no `Result`.
#[derive(Debug)]
pub struct Plain<T>(pub T);

impl<T> Deref for Returned<T> {
    type Target = Plain<T>;
    #[inline]
    fn deref(&self) -> &Plain<T> {
        &self.0
    }
}

impl<T, E> Returned<Result<T, E>> {
    /// The value and the error, one of which there is.
    #[inline]
    pub fn observe_parts(&self) -> (BySerialize<'_, T>, Problem<'_, E>) {
        let result = self.0.0.as_ref();
        (probe_of(result.ok()), problem_of(result.err()))
    }
}

impl<T> Plain<T> {
    /// The value, and that there is no error.
    #[inline]
    pub fn observe_parts(&self) -> (BySerialize<'_, T>, NoProblem) {
        (probe(&self.0), NoProblem)
    }
}

/// The value that a function returned, for the methods that its type allows. It is moved, so that a value whose address is
/// never taken stays in registers while nothing is recorded; and as if it were another one, so that it need not be kept
/// there for this way.
#[inline]
pub fn returned<T>(value: T) -> Returned<T> {
    Returned(Plain(black_box(value)))
}

#[cfg(test)]
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
    struct OnlyDebug {
        _password: u8,
    }
    struct Nothing;

    /// A failure of any type: a macro, because the method that is found depends on the type that is known.
    macro_rules! failure_of {
        ($error:expr) => {
            problem($error).failure().unwrap()
        };
    }

    fn outer() -> Outer {
        Outer("x".parse::<i32>().unwrap_err())
    }

    #[test]
    fn an_errors_text_is_the_best_that_its_type_offers() {
        let expected = "could not read the number: invalid digit found in string";
        assert_eq!(failure_of!(&outer()).text(), expected);
        let boxed: Box<dyn Error + Send + Sync> = Box::new(outer());
        assert_eq!(failure_of!(&boxed).text(), expected);
        assert_eq!(failure_of!("text").text(), "text");
        assert_eq!(failure_of!(&OnlyDebug { _password: 1 }).text(), "OnlyDebug { _password: [redacted] }");
        assert!(failure_of!(&Nothing).text().ends_with("Nothing>"));
    }

    #[test]
    fn an_error_says_its_type_and_what_caused_it() {
        let failure = failure_of!(&outer());
        assert!(failure.kind.is_some_and(|kind| kind.ends_with("tests::Outer")));
        assert_eq!(failure.sources, ["invalid digit found in string"]);
        let boxed: Box<dyn Error> = Box::new(outer());
        assert_eq!(failure_of!(&boxed).kind, None);
    }

    #[test]
    fn only_a_result_has_an_error() {
        let it = returned(Ok::<i32, ()>(1));
        let (value, error) = it.observe_parts();
        assert_eq!((value.value(), error.value()), (Some(&1), None));
        let it = returned(Err::<(), _>("no"));
        let (value, error) = it.observe_parts();
        assert_eq!((value.value(), error.value()), (None, Some(&"no")));
        let it = returned(Some(1));
        let (value, NoProblem) = it.observe_parts();
        assert_eq!(value.value(), Some(&Some(1)));
    }
}
