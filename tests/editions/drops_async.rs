// Shared by a test crate of every edition that has `async`: futures that end, that are dropped while they wait, that are
// never polled and that panic.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::drops::{D, Trio, log, trio};
use observe::observe;

/// Pending once.
pub struct Pause(bool);

impl Future for Pause {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

pub fn pause() -> Pause {
    Pause(false)
}

/// Polls a future so many times, then drops it.
fn polled<F: Future>(times: usize, future: F) -> bool {
    let mut future = Box::pin(future);
    (0..times).any(|_| future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready())
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

both! {
    pub async fn arguments(_a: D, b: D, _c: D) {
        let _local = D("local");
        pause().await;
        let _ = b.len();
    }

    pub async fn used_in_another_order(a: D, b: D, c: D) -> usize {
        pause().await;
        c.len() + a.len() + b.len()
    }

    pub async fn unnamed(_a: D, _: D, _b: D) {
        pause().await;
        let _local = D("local");
    }

    pub async fn patterns((_a, _b): (D, D), Trio { x: _x, y: _y, z: _z }: Trio) {
        let _local = D("local");
        pause().await;
    }

    pub async fn partly_moved(first: D, trio: Trio, last: D) {
        drop(trio.y);
        pause().await;
        let _ = (first.len(), last.len(), trio.z.len());
    }

    pub async fn returned(a: D, b: D) -> D {
        pause().await;
        let _ = b.len();
        a
    }

    pub async fn tail(a: D) -> usize {
        let local = D("local");
        pause().await;
        D("temporary").len() + local.len() + a.len()
    }

    pub async fn tail_that_waits(a: D) -> usize {
        let _local = D("local");
        waits(&D("temporary"), &a).await
    }

    pub async fn panics(a: D, b: D) -> usize {
        let _local = D("local");
        pause().await;
        if a.len() + b.len() > 0 {
            panic!("on purpose");
        }
        0
    }
}

async fn waits(a: &D, b: &D) -> usize {
    pause().await;
    a.len() + b.len()
}

macro_rules! same {
    ($($name:ident($($arg:expr),*);)*) => {
        $(
            for times in 0..3 {
                let expected = log(|| polled(times, plain::$name($($arg),*)));
                assert!(!expected.is_empty());
                let observed = log(|| polled(times, observed::$name($($arg),*)));
                assert_eq!(observed, expected, "{} polled {} times", stringify!($name), times);
            }
        )*
    };
}

pub fn futures_drop_what_they_hold_in_the_order_of_the_plain_ones() {
    same! {
        arguments(D("a"), D("b"), D("c"));
        used_in_another_order(D("a"), D("b"), D("c"));
        unnamed(D("a"), D("_"), D("b"));
        patterns((D("a"), D("b")), trio());
        partly_moved(D("first"), trio(), D("last"));
        returned(D("a"), D("b"));
        tail(D("a"));
        tail_that_waits(D("a"));
        panics(D("a"), D("b"));
    }
}
