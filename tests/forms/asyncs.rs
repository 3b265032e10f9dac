//! `async fn`s of every form.

use std::{
    cell::Cell,
    fmt::Display,
    future::Future,
    num::ParseIntError,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Mutex,
};

use observe::observe;

use crate::seen::{pause, run, seen};

#[observe]
async fn borrows<'a>(text: &'a str, list: &mut Vec<u8>) -> &'a str {
    pause().await;
    list.push(1);
    text.trim()
}

#[observe]
async fn generic<T: Clone + Send, const N: usize>(item: T, n: usize) -> [T; N] {
    pause().await;
    let _ = n;
    std::array::from_fn(|_| item.clone())
}

#[observe]
async fn patterns((a, mut b): (u8, u8), _: String, mut list: Vec<u8>, r#in: u8) -> u8 {
    b += a;
    pause().await;
    list.push(b);
    list.len() as u8 + r#in
}

#[observe]
async unsafe fn dangerous(n: u8) -> u8 {
    pause().await;
    n
}

#[observe]
async fn hidden(n: u8) -> impl Fn(&str) -> usize {
    pause().await;
    move |s: &str| s.len() + usize::from(n)
}

#[observe]
async fn hidden_within(text: &str) -> Result<impl Display + use<>, ParseIntError> {
    pause().await;
    let number: u8 = text.parse()?;
    Ok(number)
}

#[observe]
async fn dynamic(n: u8) -> Box<dyn Display> {
    if n == 0 {
        return Box::new("zero");
    }
    pause().await;
    Box::new(n)
}

#[observe]
async fn nothing() {}

#[observe]
async fn never(n: u8) -> ! {
    pause().await;
    panic!("never {n}")
}

#[observe]
async fn through_a_mutex(lock: &Mutex<u8>) -> u8 {
    let value = {
        let mut guard = lock.lock().unwrap();
        *guard += 1;
        *guard
    };
    pause().await;
    value
}

#[test]
fn async_functions_of_every_form() {
    let mut list = vec![];
    assert_eq!(
        seen("borrows", || run(borrows(" x ", &mut list)).len()),
        r#"borrows {"text":" x ","list":[]} -> "x""#
    );
    assert_eq!(
        seen("generic", || run(generic::<_, 2>(1, 2))),
        r#"generic {"item":"<i32>","n":2} -> "<[i32; 2]>""#
    );
    assert_eq!(
        seen("patterns", || run(patterns((1, 2), String::new(), vec![], 4))),
        r#"patterns {"a":1,"b":2,"list":[],"in":4} -> 5"#
    );
    // SAFETY: it does nothing unsafe.
    #[allow(unsafe_code)]
    let text = seen("dangerous", || run(unsafe { dangerous(1) }));
    assert_eq!(text, r#"dangerous {"n":1} -> 1"#);
    let text = seen("hidden", || assert_eq!(run(hidden(1))("ab"), 3));
    assert!(text.starts_with(r#"hidden {"n":1} -> "<forms::asyncs::hidden"#), "{text}");
    assert_eq!(seen("within", || run(hidden_within("5")).is_ok()), r#"hidden_within {"text":"5"} -> 5"#);
    assert_eq!(
        seen("dynamic", || (run(dynamic(0)).to_string(), run(dynamic(1)).to_string())),
        "dynamic {\"n\":0} -> \"<alloc::boxed::Box<dyn core::fmt::Display>>\"\n\
         dynamic {\"n\":1} -> \"<alloc::boxed::Box<dyn core::fmt::Display>>\""
    );
    assert_eq!(seen("nothing", || run(nothing())), "nothing - -> -");
    let text = seen("never", || catch_unwind(AssertUnwindSafe(|| run(never(1)))).is_err());
    assert!(text.starts_with(r#"never {"n":1} !Error panicked at"#), "{text}");
    assert_eq!(seen("mutex", || run(through_a_mutex(&Mutex::new(1)))).split(" -> ").last(), Some("2"));
}

#[observe]
async fn countdown(n: u8) -> u8 {
    if n == 0 {
        return 0;
    }
    Box::pin(countdown(n - 1)).await + 1
}

#[test]
fn async_recursion_nests() {
    assert_eq!(
        seen("countdown", || run(countdown(2))),
        "countdown {\"n\":2} -> 2\ncountdown {\"n\":1} -> 1\ncountdown {\"n\":0} -> 0"
    );
}

/// `Send`, but not `Sync`: a reference to it is not `Send`.
struct NotSync(Cell<u8>);

#[observe]
async fn takes_what_is_not_sync(value: NotSync, n: u8) -> u8 {
    pause().await;
    value.0.get() + n
}

#[observe]
async fn drops_what_is_not_send(n: u8) -> u8 {
    let sum = {
        let shared = Rc::new(n);
        *shared + 1
    };
    pause().await;
    sum
}

#[observe]
async fn fails_with_what_is_not_send(n: u8) -> Result<u8, Rc<str>> {
    pause().await;
    if n == 0 { Err("zero".into()) } else { Ok(n) }
}

trait Store {
    fn load(&self, key: u8) -> impl Future<Output = Option<u8>> + Send;
}

struct Memory(Mutex<Vec<u8>>);

impl Store for Memory {
    #[observe]
    async fn load(&self, key: u8) -> Option<u8> {
        pause().await;
        self.0.lock().ok()?.get(usize::from(key)).copied()
    }
}

#[test]
fn futures_are_send_if_they_were() {
    fn assert_send<F: Future + Send>(future: F) -> F {
        future
    }
    let boxed: Pin<Box<dyn Future<Output = u8> + Send>> =
        Box::pin(takes_what_is_not_sync(NotSync(Cell::new(1)), 2));
    assert_eq!(
        seen("not sync", || run(boxed)),
        r#"takes_what_is_not_sync {"value":"<forms::asyncs::NotSync>","n":2} -> 3"#
    );
    assert_eq!(
        seen("not send", || run(assert_send(drops_what_is_not_send(1)))),
        r#"drops_what_is_not_send {"n":1} -> 2"#
    );
    assert_eq!(
        seen("error", || run(assert_send(fails_with_what_is_not_send(0)))),
        r#"fails_with_what_is_not_send {"n":0} !Error zero"#
    );
    let memory = Memory(Mutex::new(vec![5]));
    assert_eq!(seen("trait", || run(assert_send(memory.load(0)))), r#"load {"key":0} -> 5"#);
}

#[observe]
async fn plain_values(text: &str, n: u8) -> usize {
    std::future::ready(()).await;
    text.len() + usize::from(n)
}

#[test]
fn futures_are_sync_and_unwind_safe_if_they_were() {
    fn assert_both<F: Future + Sync + UnwindSafe + RefUnwindSafe>(future: F) -> F {
        future
    }
    assert_eq!(
        seen("plain values", || run(assert_both(plain_values("ab", 1)))),
        r#"plain_values {"text":"ab","n":1} -> 3"#
    );
    assert!(catch_unwind(|| run(plain_values("ab", 1))).is_ok());
}
