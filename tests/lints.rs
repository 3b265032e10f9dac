//! `#[observe]` brings no warning, whichever lints are on, and takes none of the attributes of a function away.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(
    unsafe_op_in_unsafe_fn,
    rust_2018_idioms,
    single_use_lifetimes,
    unused_lifetimes,
    unused_qualifications
)]
#![deny(clippy::mem_forget, clippy::indexing_slicing, clippy::unwrap_used)]
#![deny(elided_lifetimes_in_paths, explicit_outlives_requirements, unreachable_pub, variant_size_differences)]
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

/// Bodies that never end, of every kind of return type.
#[observe]
mod endless {
    use std::{convert::Infallible, fmt::Debug, future::Future, pin::Pin, thread::park};

    fn parks() {
        loop {
            park();
        }
    }

    fn refuses() {
        panic!("on purpose")
    }

    fn parks_for(n: u8) -> u8 {
        loop {
            assert!(n > 0);
            park();
        }
    }

    fn refuses_text(n: u8) -> String {
        unreachable!("text of {n}")
    }

    fn parks_hidden() -> impl Debug {
        loop {
            park();
        }
    }

    fn refuses_hidden() -> impl Debug {
        panic!("on purpose")
    }

    fn refuses_hidden_late(n: Option<u8>) -> impl Debug + Send {
        let n = n.expect("a number");
        panic!("{n}")
    }

    fn refuses_hidden_argument<T: Debug>(shown: &T) -> impl Debug {
        unreachable!("{shown:?}")
    }

    fn refuses_or_fails(n: u8) -> Result<Infallible, String> {
        if n == 0 {
            return Err("zero".to_owned());
        }
        panic!("{n}")
    }

    fn refuses_items() -> Box<dyn Iterator<Item = u8>> {
        panic!("on purpose")
    }

    fn refuses_later() -> Pin<Box<dyn Future<Output = u8>>> {
        panic!("on purpose")
    }

    fn refuses_in_future() -> impl Future<Output = u8> {
        async { panic!("on purpose") }
    }

    fn refuses_when_called() -> impl Fn(u8) -> u8 {
        |n| panic!("{n}")
    }

    fn parks_for_ever() -> ! {
        loop {
            park();
        }
    }

    fn refuses_for_ever(n: u8) -> ! {
        assert!(n > 1, "{n}");
        unreachable!()
    }

    async fn waits() {
        loop {
            std::future::ready(()).await;
        }
    }

    async fn waits_hidden() -> impl Debug {
        loop {
            std::future::ready(()).await;
        }
    }

    async fn refuses_named() -> u8 {
        std::future::ready(()).await;
        panic!("on purpose")
    }

    async fn refuses_hidden_async(n: Option<u8>) -> impl Debug {
        std::future::ready(()).await;
        unreachable!("{n:?}")
    }

    async fn waits_for_ever() -> ! {
        loop {
            std::future::ready(()).await;
        }
    }

    pub(super) fn all() {
        drop((waits(), waits_hidden(), refuses_named(), refuses_hidden_async(None), waits_for_ever()));
        let _ = (parks, refuses, parks_for, refuses_text, parks_hidden, refuses_hidden, refuses_hidden_late);
        let _ = (refuses_hidden_argument::<u8>, refuses_or_fails, refuses_items, refuses_later);
        let _ = (refuses_in_future, refuses_when_called, parks_for_ever, refuses_for_ever);
    }
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
    #[expect(unused_must_use, reason = "the demand is still there")]
    used(Some(1), 0);
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
    endless::all();
    let _ = (nothing, goes_on, viewed, stays, iterates, waits, Impossible(0).0);
}
