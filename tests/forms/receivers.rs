//! Methods: every receiver, traits, generic impls.

use std::{
    fmt,
    future::Future,
    ops::{Add, Deref},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use observe::observe;

use crate::seen::{run, seen};

#[derive(Clone)]
struct Counter {
    count: u8,
}

impl Counter {
    #[observe]
    fn new(count: u8) -> Self {
        Self { count }
    }

    #[observe]
    fn by_value(self, n: u8) -> u8 {
        self.count + n
    }

    #[observe]
    fn by_mut_value(mut self, n: u8) -> Self {
        self.count += n;
        self
    }

    #[observe]
    fn by_ref(&self, n: u8) -> u8 {
        self.count + n
    }

    #[observe]
    fn by_mut(&mut self, n: u8) -> &mut u8 {
        self.count += n;
        &mut self.count
    }

    #[observe]
    fn boxed(self: Box<Self>, n: u8) -> u8 {
        self.count + n
    }

    #[observe]
    fn shared(self: Rc<Self>, n: u8) -> u8 {
        self.count + n
    }

    #[observe]
    fn atomic(self: &Arc<Self>, n: u8) -> u8 {
        self.count + n
    }

    #[observe]
    fn pinned(mut self: Pin<&mut Self>, n: u8) -> u8 {
        self.as_mut().count += n;
        self.count
    }

    #[observe]
    fn typed(self: &mut Self, n: u8) -> u8 {
        self.count += n;
        self.count
    }

    #[observe]
    async fn later(&mut self, n: u8) -> &u8 {
        crate::seen::pause().await;
        self.count += n;
        &self.count
    }

    #[observe]
    async fn later_owned(self: Box<Self>, n: u8) -> u8 {
        crate::seen::pause().await;
        self.count + n
    }
}

#[test]
fn receivers_of_every_kind_are_left_out_and_work() {
    let text = seen("receivers", || {
        let mut counter = Counter::new(1);
        assert_eq!(counter.clone().by_value(1), 2);
        assert_eq!(counter.clone().by_mut_value(1).count, 2);
        assert_eq!(counter.by_ref(1), 2);
        *counter.by_mut(1) += 1;
        assert_eq!(Box::new(counter.clone()).boxed(1), 4);
        assert_eq!(Rc::new(counter.clone()).shared(1), 4);
        assert_eq!(Arc::new(counter.clone()).atomic(1), 4);
        assert_eq!(Pin::new(&mut counter).pinned(1), 4);
        assert_eq!(counter.typed(1), 5);
        assert_eq!(*run(counter.later(1)), 6);
        assert_eq!(run(Box::new(counter).later_owned(1)), 7);
    });
    let expected = [
        r#"new {"count":1} -> "<forms::receivers::Counter>""#,
        r#"by_value {"n":1} -> 2"#,
        r#"by_mut_value {"n":1} -> "<forms::receivers::Counter>""#,
        r#"by_ref {"n":1} -> 2"#,
        r#"by_mut {"n":1} -> 2"#,
        r#"boxed {"n":1} -> 4"#,
        r#"shared {"n":1} -> 4"#,
        r#"atomic {"n":1} -> 4"#,
        r#"pinned {"n":1} -> 4"#,
        r#"typed {"n":1} -> 5"#,
        r#"later {"n":1} -> 6"#,
        r#"later_owned {"n":1} -> 7"#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

trait Speaks {
    const LOUD: bool = true;

    fn name(&self) -> String;

    #[observe]
    fn greet(&self, who: &str) -> String {
        format!("{} to {who}", self.name())
    }

    #[observe]
    async fn whisper(&self, who: &str) -> String
    where
        Self: Sync,
    {
        crate::seen::pause().await;
        self.name() + who
    }

    #[observe]
    fn consume(self, n: u8) -> u8
    where
        Self: Sized,
    {
        n + u8::from(Self::LOUD)
    }
}

impl<T: fmt::Debug> Speaks for Vec<T> {
    #[observe]
    fn name(&self) -> String {
        format!("{self:?}")
    }
}

impl Speaks for dyn Fn() -> u8 {
    #[observe]
    fn name(&self) -> String {
        self().to_string()
    }
}

#[test]
fn trait_methods_given_and_by_default() {
    let text = seen("traits", || {
        assert_eq!(vec![1].greet("you"), "[1] to you");
        assert_eq!(run(vec!["a"].whisper("b")), "[\"a\"]b");
        assert_eq!(Vec::<u8>::new().consume(1), 2);
        let call: &dyn Fn() -> u8 = &|| 7;
        assert_eq!(call.name(), "7");
    });
    let expected = [
        r#"greet {"who":"you"} -> "[1] to you""#,
        r#"name - -> "[1]""#,
        r#"whisper {"who":"b"} -> "[\"a\"]b""#,
        r#"name - -> "[\"a\"]""#,
        r#"consume {"n":1} -> 2"#,
        r#"name - -> "7""#,
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);
}

struct Wrapped<T>(T);

impl<T> Deref for Wrapped<T> {
    type Target = T;
    #[observe]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Drop for Wrapped<T> {
    #[observe]
    fn drop(&mut self) {}
}

impl<T> From<T> for Box<Wrapped<T>> {
    #[observe(skip_all)]
    fn from(value: T) -> Self {
        Box::new(Wrapped(value))
    }
}

struct Steps(u8);

impl Iterator for Steps {
    type Item = u8;
    #[observe]
    fn next(&mut self) -> Option<Self::Item> {
        self.0 = self.0.checked_sub(1)?;
        Some(self.0)
    }
}

impl Future for Steps {
    type Output = u8;
    #[observe(skip(task))]
    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<u8> {
        let Some(_) = self.next() else { return Poll::Ready(9) };
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

struct Moved<T>(Option<T>);

impl<T: Add<Output = T>> Add<T> for Moved<T> {
    type Output = Option<T>;
    #[observe(skip_all)]
    fn add(mut self, other: T) -> Option<T> {
        Some(self.0.take()? + other)
    }
}

#[test]
fn the_standard_traits_can_be_implemented_by_observed_methods() {
    assert_eq!(seen("deref", || Wrapped("abc").len()).lines().next(), Some(r#"deref - -> "<&&str>""#));
    assert_eq!(seen("moved", || Moved(Some(1)) + 2), r#"add - -> "<core::option::Option<i32>>""#);
    assert_eq!(seen("steps", || Steps(1).count()), "next - -> 0\nnext - -> null");
    assert_eq!(
        seen("future", || run(Steps(1))),
        "poll - -> \"Pending\"\nnext - -> 0\npoll - -> \"Ready(9)\"\nnext - -> null"
    );
    assert_eq!(
        seen("from", || Box::<Wrapped<u8>>::from(1)),
        "from - -> \"<alloc::boxed::Box<forms::receivers::Wrapped<u8>>>\""
    );
}
