//! The standard library's threads, in the context of who spawns them.
//!
//! ```
//! use observe_runtime::thread;
//! let sum = thread::scope(|scope| {
//!     let half = scope.spawn(|| 20 + 1);
//!     half.join().unwrap() * 2
//! });
//! assert_eq!(sum, 42);
//! ```

use std::{io, thread};

use super::carry;

/// [`std::thread::spawn`], in the context that is current now.
///
/// # Panics
/// If the system gives no thread; [`Builder::spawn`] returns that as an error.
pub fn spawn<T, F>(body: F) -> thread::JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    thread::spawn(carry(body))
}

/// [`std::thread::scope`], whose threads run in the context of who spawns them.
///
/// A thread that spawns others takes the scope by value: `scope.spawn(move || scope.spawn(|| ..))`.
pub fn scope<'env, F, T>(body: F) -> T
where
    F: for<'scope> FnOnce(Scope<'scope, 'env>) -> T,
{
    thread::scope(|scope| body(Scope { scope }))
}

/// Where threads are spawned that end before [`scope`] returns.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'scope, 'env: 'scope> {
    scope: &'scope thread::Scope<'scope, 'env>,
}

impl<'scope> Scope<'scope, '_> {
    /// [`std::thread::Scope::spawn`], in the context that is current now.
    ///
    /// # Panics
    /// If the system gives no thread; [`Builder::spawn_scoped`] returns that as an error.
    pub fn spawn<F, T>(self, body: F) -> thread::ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.scope.spawn(carry(body))
    }
}

/// [`std::thread::Builder`], whose threads run in the context of who spawns them.
#[derive(Debug)]
#[must_use = "no thread begins until `spawn`"]
pub struct Builder {
    builder: thread::Builder,
}

impl Builder {
    /// A thread with the default stack and without a name.
    #[expect(clippy::new_without_default, reason = "the standard library's has none either")]
    pub fn new() -> Self {
        Self { builder: thread::Builder::new() }
    }

    /// The thread's name, without zero bytes.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { builder: self.builder.name(name.into()) }
    }

    /// The size of the thread's stack in bytes.
    pub fn stack_size(self, bytes: usize) -> Self {
        Self { builder: self.builder.stack_size(bytes) }
    }

    /// [`std::thread::Builder::spawn`], in the context that is current now.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn<F, T>(self, body: F) -> io::Result<thread::JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.builder.spawn(carry(body))
    }

    /// [`std::thread::Builder::spawn_scoped`], in the context that is current now.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: Scope<'scope, '_>,
        body: F,
    ) -> io::Result<thread::ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.builder.spawn_scoped(scope.scope, carry(body))
    }
}
