// Shared by a test crate of every edition: the attribute brings no warning, whichever lints are on.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(clippy::mem_forget, clippy::indexing_slicing, clippy::shadow_reuse, clippy::unreachable, clippy::unwrap_used)]
#![deny(elided_lifetimes_in_paths, missing_docs, single_use_lifetimes, unused_lifetimes, unused_qualifications)]
#![deny(let_underscore_drop, trivial_casts, trivial_numeric_casts, unit_bindings, unreachable_code, unsafe_code)]
// What cannot be allowed any more, the attribute must not allow either.
#![forbid(deprecated, unused_variables, unused_mut, clippy::todo, clippy::dbg_macro)]
#![allow(clippy::redundant_pub_crate, reason = "the module is private, its functions are called from outside")]

use std::{convert::Infallible, fmt, num::ParseIntError};

use observe::observe;

/// On one line each: what stands in braces alone is not said to be in too many of them.
#[observe]
mod short {
    use std::{fmt::Debug, future::Future, pin::Pin};

    pub(crate) fn named(n: u8) -> u8 { n }
    pub(crate) fn hidden(n: u8) -> impl Iterator<Item = u8> { std::iter::once(n) }
    pub(crate) fn closure(n: u8) -> impl Fn(u8) -> u8 { move |m| n.wrapping_add(m) }
    pub(crate) fn boxed(n: u8) -> Pin<Box<dyn Future<Output = u8>>> { Box::pin(std::future::ready(n)) }
    pub(crate) fn endless() -> impl Debug { loop { std::thread::park(); } }
    pub(crate) fn never() -> ! { loop { std::thread::park(); } }
}

/// Borrows.
struct View<'a>(&'a str);

#[observe]
impl<'a> View<'a> {
    fn parse(&self, radix: u32) -> Result<u32, ParseIntError> {
        let n = u32::from_str_radix(self.0, radix)?;
        Ok(n)
    }

    fn longest(&self, other: &'a str, _unused: u8) -> &'a str {
        if other.len() > self.0.len() {
            return other;
        }
        self.0
    }

    fn again(&self) -> View<'_> {
        View(self.0)
    }
}

#[observe]
impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[observe]
#[allow(clippy::expl_impl_clone_on_copy)]
impl Clone for View<'_> {
    fn clone(&self) -> Self {
        *self
    }
}

#[observe]
impl Copy for View<'_> {}

/// Of a type that the trait's declaration does not call `Self`.
trait Small {
    fn small(&self) -> u8;
}

#[observe]
impl Small for u8 {
    fn small(&self) -> u8 {
        *self
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Ordered(u8);

#[observe]
impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[observe]
impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

#[observe(name = format!("{n}"), metadata = { n: n }, tags = ["t"], session = "s", output = |m| *m, redact(text))]
fn everything(n: u8, text: &str, mut list: Vec<u8>) -> Option<u8> {
    list.push(n);
    let other: u8 = text.parse().ok()?;
    list.first().map(|first| first.wrapping_add(other))
}

#[observe]
fn nothing(never: Infallible) -> u8 {
    match never {}
}

#[observe]
fn closed(n: u8, _: String) {
    assert!(n > 0);
}

/// The functions are called, so that none is unused.
pub fn functions_are_what_they_were() {
    assert_eq!((short::named(1), short::hidden(1).count(), short::closure(1)(2)), (1, 1, 3));
    drop(short::boxed(1));
    let _ = (short::endless, short::never);
    let view = View("12");
    assert_eq!((view.parse(10), view.again().longest("345", 0)), (Ok(12), "345"));
    assert_eq!((format!("{view:?}"), 3.small()), ("12".to_owned(), 3));
    assert!(Ordered(1) < Ordered(2));
    assert_eq!(everything(1, "2", vec![3]), Some(5));
    let _: fn(Infallible) -> u8 = nothing;
    closed(1, String::new());
}
