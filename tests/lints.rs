//! `#[observe]` brings no warning, whichever lints are on, and takes none of the attributes of a function away.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    unsafe_op_in_unsafe_fn,
    rust_2018_idioms,
    single_use_lifetimes,
    unused_lifetimes,
    unused_qualifications
)]
#![deny(let_underscore_drop, unreachable_code, trivial_casts, trivial_numeric_casts, unit_bindings)]

use std::convert::Infallible;

use observe::observe;

/// Documented, and to be used.
///
/// # Errors
/// If there is nothing.
#[observe]
#[must_use = "it was asked for"]
#[inline]
pub fn used(n: Option<u8>, _unused: u8) -> Option<u8> {
    let n = n?;
    n.checked_add(1)
}

#[observe]
#[deprecated(note = "use `used`")]
#[cold]
fn old(n: u8) -> u8 {
    n
}

#[observe]
#[expect(unused_variables, clippy::needless_pass_by_value, reason = "they are captured, though")]
fn expects(a: u8, b: String) {}

#[observe]
#[expect(clippy::needless_pass_by_value)]
fn takes(text: String, list: Vec<u8>) -> usize {
    text.len() + list.len()
}

#[observe(name = format!("{n}"), metadata = { n: n }, tags = ["t"], session = "s", output = |n| *n, input = n)]
async fn everything(n: u8) -> u8 {
    std::future::ready(n).await
}

#[observe(err = false, redact(text))]
async fn fails(text: &str, mut n: u8) -> Result<u8, String> {
    std::future::ready(()).await;
    n += 1;
    if n == 2 { Err(text.to_owned()) } else { Ok(n) }
}

#[observe]
fn ends() -> ! {
    std::process::exit(0)
}

struct Impossible(u8);

#[observe]
impl From<Infallible> for Impossible {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[observe]
fn nothing(never: Infallible) {
    match never {}
}

#[observe]
fn goes_on(never: Infallible) {
    match never {}
    #[expect(unreachable_code, reason = "what the function itself never reaches is warned of")]
    let _text = String::new();
}

#[observe(output = |n| *n)]
fn viewed(never: Infallible) -> u8 {
    match never {}
}

#[observe]
fn stays(never: Result<Infallible, Infallible>) -> Infallible {
    match never {
        Ok(never) => return never,
        Err(never) => never,
    }
}

#[observe]
fn iterates(never: Infallible) -> Box<dyn Iterator<Item = u8>> {
    match never {}
}

#[observe]
async fn waits(never: Infallible) -> Infallible {
    std::future::ready(()).await;
    match never {}
}

#[observe]
fn hidden<T>(items: Vec<T>) -> impl Iterator<Item = T> {
    items.into_iter()
}

#[observe]
unsafe fn dangerous(pointer: *const u8) -> u8 {
    // SAFETY: the caller says so.
    #[allow(unsafe_code)]
    unsafe {
        *pointer
    }
}

struct Holder<T>(T);

#[observe]
impl<T: Clone> Holder<T> {
    const fn new(value: T) -> Self {
        Self(value)
    }

    fn get(&self) -> T {
        self.0.clone()
    }

    fn set(&mut self, value: T) {
        self.0 = value;
    }

    fn take(self) -> T {
        self.0
    }

    async fn later(&self, _: &str) -> T
    where
        T: Send + Sync,
    {
        std::future::ready(()).await;
        self.get()
    }
}

#[test]
fn functions_are_what_they_were() {
    assert_eq!(used(Some(1), 0), Some(2));
    #[expect(deprecated, reason = "the deprecation is still there")]
    let n = old(1);
    assert_eq!(n, 1);
    expects(1, String::new());
    assert_eq!(takes("a".into(), vec![1]), 2);
    assert_eq!(hidden(vec![1]).count(), 1);
    // SAFETY: it points to something.
    #[allow(unsafe_code)]
    let read = unsafe { dangerous(&raw const n) };
    assert_eq!(read, 1);
    let mut holder = Holder::new(1);
    holder.set(2);
    assert_eq!(holder.get() + holder.take(), 4);
    drop((everything(1), fails("", 1), Holder::new(1).later("")));
    let _: fn() -> ! = ends;
    let _: fn(Infallible) -> Impossible = From::from;
    let _ = (nothing, goes_on, viewed, stays, iterates, waits, Impossible(0).0);
}
