//! The tracers, each in the states that are measured.

#[cfg(feature = "peers")]
mod fastrace;
mod ours;
#[cfg(feature = "peers")]
mod tracing;

use std::future::Future;

use crate::payload::{Reply, Request};

/// The measured functions under one annotation. None is ever inlined.
pub trait Functions {
    /// Does the work.
    fn leaf(prompt: &str, request: &Request) -> Reply;
    /// Calls itself `request.id` times, one inside the other, then does the work.
    fn deep(prompt: &str, request: &Request) -> Reply;
    /// [`Functions::leaf`], asynchronous.
    fn leaf_async(prompt: &str, request: &Request) -> impl Future<Output = Reply>;
    /// [`Functions::deep`], asynchronous.
    fn deep_async(prompt: &str, request: &Request) -> impl Future<Output = Reply>;
}

/// What is opened above the measured functions.
pub trait Root {
    /// Runs `body` in what all measured traces have around them: for Observe, a session.
    fn around<R>(body: impl FnOnce() -> R) -> R {
        body()
    }
    /// [`Root::around`], asynchronous.
    fn around_async<R>(body: impl Future<Output = R>) -> impl Future<Output = R> {
        body
    }
    /// Runs `body` under a new root span.
    fn root(body: impl FnOnce());
    /// [`Root::root`], asynchronous.
    fn root_async(body: impl Future<Output = ()>) -> impl Future<Output = ()>;
}

/// No root.
#[derive(Debug)]
pub struct NoRoot;

impl Root for NoRoot {
    #[inline(always)]
    fn root(body: impl FnOnce()) {
        body();
    }
    #[inline(always)]
    fn root_async(body: impl Future<Output = ()>) -> impl Future<Output = ()> {
        body
    }
}

/// Spans that reached the end of the tracer's way, and what it says of the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Arrived.
    pub arrived: u64,
    /// Dropped, and counted by the tracer itself.
    pub dropped: u64,
    /// On disk, for the next process to send.
    pub on_disk: u64,
}

/// A tracer that was set up.
pub struct Tracer {
    /// Spans that may be made between two flushes so that none is lost.
    pub room: u64,
    flush: Box<dyn Fn() -> Tally>,
}

impl std::fmt::Debug for Tracer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracer").field("room", &self.room).finish_non_exhaustive()
    }
}

impl Tracer {
    /// Waits until what was recorded has arrived; the counts since the start of the process.
    pub fn flush(&self) -> Tally {
        (self.flush)()
    }
}

/// What is done with a case: it is known by its types, so that the measured calls are direct ones.
pub trait Visit {
    /// The outcome.
    type Result;
    /// Runs with the tracer set up.
    fn visit<F: Functions, R: Root>(self, tracer: &Tracer) -> Self::Result;
}

/// Sets a case up and visits it.
///
/// # Errors
///
/// If there is no such case, or the environment is not set as the case needs it.
pub fn with<V: Visit>(case: &str, visit: V) -> Result<V::Result, String> {
    match case.split_once('_') {
        None | Some(("observe", _)) => ours::with(case, visit),
        #[cfg(feature = "peers")]
        Some(("fastrace", _)) => fastrace::with(case, visit),
        #[cfg(feature = "peers")]
        Some(("tracing", _)) => tracing::with(case, visit),
        Some(_) => Err(no_case(case)),
    }
}

fn no_case(case: &str) -> String {
    format!("there is no case {case}; peers need the feature `peers`")
}

/// The four functions under an attribute, as the type `$name`. The parameters are named by the caller, so that
/// the attribute may name them.
macro_rules! functions {
    ($name:ident($prompt:ident, $request:ident) $(#[$attribute:meta])*) => {
        #[derive(Debug)]
        pub(super) struct $name;

        const _: () = {
            use std::{future::Future, pin::Pin};
            use $crate::{cases::Functions, payload::{Reply, Request, work}};

            $(#[$attribute])*
            #[inline(never)]
            fn leaf($prompt: &str, $request: &Request) -> Reply {
                work($prompt, $request)
            }

            $(#[$attribute])*
            #[inline(never)]
            fn deep($prompt: &str, $request: &Request) -> Reply {
                match $request.id {
                    0 => work($prompt, $request),
                    id => deep($prompt, &Request { id: id - 1 }),
                }
            }

            $(#[$attribute])*
            #[inline(never)]
            async fn leaf_async($prompt: &str, $request: &Request) -> Reply {
                work($prompt, $request)
            }

            $(#[$attribute])*
            #[inline(never)]
            async fn deep_async($prompt: &str, $request: &Request) -> Reply {
                match $request.id {
                    0 => work($prompt, $request),
                    id => below($prompt, Request { id: id - 1 }).await,
                }
            }

            fn below<'a>($prompt: &'a str, $request: Request) -> Pin<Box<dyn Future<Output = Reply> + 'a>> {
                Box::pin(async move { deep_async($prompt, &$request).await })
            }

            $crate::cases::forward!($name);
        };
    };
}

/// Implements [`Functions`] by the four functions in scope.
macro_rules! forward {
    ($name:ident) => {
        impl Functions for $name {
            #[inline(always)]
            fn leaf(prompt: &str, request: &Request) -> Reply {
                leaf(prompt, request)
            }
            #[inline(always)]
            fn deep(prompt: &str, request: &Request) -> Reply {
                deep(prompt, request)
            }
            #[inline(always)]
            fn leaf_async(prompt: &str, request: &Request) -> impl Future<Output = Reply> {
                leaf_async(prompt, request)
            }
            #[inline(always)]
            fn deep_async(prompt: &str, request: &Request) -> impl Future<Output = Reply> {
                deep_async(prompt, request)
            }
        }
    };
}

use {forward, functions};
