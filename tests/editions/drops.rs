// Shared by a test crate of every edition: the same functions, plain and observed, drop the same things in the same order.
#![allow(clippy::boxed_local)]

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use observe::observe;

thread_local! {
    static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Says when it is dropped.
pub struct D(pub &'static str);

impl Drop for D {
    fn drop(&mut self) {
        LOG.with(|log| log.borrow_mut().push(self.0));
    }
}

impl D {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn some(&self) -> Option<usize> {
        Some(self.0.len())
    }

    pub fn none(&self) -> Option<usize> {
        None
    }
}

/// What was dropped, in order.
pub fn log<R>(call: impl FnOnce() -> R) -> Vec<&'static str> {
    let _ = catch_unwind(AssertUnwindSafe(call));
    LOG.with(|log| log.borrow_mut().drain(..).collect())
}

macro_rules! both {
    ($($item:item)*) => {
        pub mod plain {
            use super::*;
            $($item)*
        }
        #[observe]
        pub mod observed {
            use super::*;
            $($item)*
        }
    };
}

pub struct Trio {
    pub x: D,
    pub y: D,
    pub z: D,
}

pub fn trio() -> Trio {
    Trio { x: D("x"), y: D("y"), z: D("z") }
}

both! {
    pub fn arguments(_a: D, b: D, _c: D) {
        let _local = D("local");
        let _ = b.len();
    }

    pub fn used_in_another_order(a: D, b: D, c: D) -> usize {
        c.len() + a.len() + b.len()
    }

    pub fn unnamed(_a: D, _: D, _b: D) {
        let _local = D("local");
    }

    pub fn patterns((_a, _b): (D, D), [_c, _d]: [D; 2], Trio { x: _x, y: _y, z: _z }: Trio) {
        let _local = D("local");
    }

    pub fn partly_moved(first: D, trio: Trio, last: D) {
        let _local = D("local");
        drop(trio.y);
        let _ = (first.len(), last.len(), trio.z.len());
    }

    pub fn one_moved(a: D, b: D, _c: D) {
        let _local = D("local");
        drop(b);
        let _ = a.len();
    }

    pub fn returned(a: D, b: D) -> D {
        let _local = D("local");
        let _ = b.len();
        a
    }

    pub fn early(a: D, b: D) -> usize {
        let local = D("local");
        if a.len() > 0 {
            return local.len() + b.len();
        }
        let _never = D("never");
        0
    }

    pub fn tail(a: D) -> usize {
        let local = D("local");
        D("temporary").len() + local.len() + a.len()
    }

    pub fn tail_of_a_match(a: D) -> usize {
        let _local = D("local");
        match D("scrutinee").some() {
            Some(n) => n + D("arm").len() + a.len(),
            None => 0,
        }
    }

    pub fn tail_of_if_let(a: D) -> usize {
        if let Some(n) = D("condition").none() {
            n
        } else {
            let _local = D("else");
            a.len()
        }
    }

    pub fn panics(a: D, b: D) -> usize {
        let _local = D("local");
        if a.len() + b.len() > 0 {
            panic!("on purpose");
        }
        0
    }

    pub fn of_a_closure(mut call: impl FnMut(D) -> usize, a: D) -> usize {
        let n = call(D("given"));
        n + a.len()
    }

    impl Taker {
        pub fn consume(self, a: D) -> usize {
            let _local = D("local");
            a.len()
        }

        pub fn consume_boxed(self: Box<Self>, _a: D) {
            let _local = D("local");
        }
    }

    #[allow(dead_code)]
    pub struct Taker(pub D);
}

macro_rules! same {
    ($($name:ident($($arg:expr),*);)*) => {
        $(
            let expected = log(|| plain::$name($($arg),*));
            assert!(!expected.is_empty());
            assert_eq!(log(|| observed::$name($($arg),*)), expected, stringify!($name));
        )*
    };
}

pub fn arguments_and_locals_are_dropped_in_the_order_of_the_plain_function() {
    same! {
        arguments(D("a"), D("b"), D("c"));
        used_in_another_order(D("a"), D("b"), D("c"));
        unnamed(D("a"), D("_"), D("b"));
        patterns((D("a"), D("b")), [D("c"), D("d")], trio());
        partly_moved(D("first"), trio(), D("last"));
        one_moved(D("a"), D("b"), D("c"));
        returned(D("a"), D("b"));
        early(D("a"), D("b"));
        tail(D("a"));
        tail_of_a_match(D("a"));
        tail_of_if_let(D("a"));
        panics(D("a"), D("b"));
        of_a_closure(|d| d.len(), D("a"));
    }
    assert_eq!(
        log(|| observed::Taker(D("self")).consume(D("a"))),
        log(|| plain::Taker(D("self")).consume(D("a")))
    );
    assert_eq!(
        log(|| Box::new(observed::Taker(D("self"))).consume_boxed(D("a"))),
        log(|| Box::new(plain::Taker(D("self"))).consume_boxed(D("a")))
    );
}
