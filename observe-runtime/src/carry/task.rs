//! Tokio's tasks, in the context of who spawns them.

use std::{
    fmt,
    future::Future,
    ops::{Deref, DerefMut},
};

use tokio::{
    runtime::Handle,
    task::{self, AbortHandle, JoinHandle, LocalSet},
};

use super::{InSpan, ObserveExt, carry};

/// [`tokio::spawn`], in the context that is current now.
///
/// # Panics
///
/// Like [`tokio::spawn`], outside a tokio runtime.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_current_span())
}

/// [`tokio::task::spawn_blocking`], in the context that is current now.
///
/// # Panics
///
/// Like [`tokio::task::spawn_blocking`], outside a tokio runtime.
#[track_caller]
pub fn spawn_blocking<F, R>(body: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    task::spawn_blocking(carry(body))
}

/// [`tokio::task::spawn_local`], in the context that is current now: for futures that stay on their thread.
///
/// # Panics
///
/// Like [`tokio::task::spawn_local`], outside a [`LocalSet`].
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    task::spawn_local(future.in_current_span())
}

/// [`tokio::task::JoinSet`], whose tasks run in the context of who spawns them.
///
/// Everything else it does as tokio's, which it gives access to.
///
/// ```
/// # async fn search(_: &str) -> usize { 1 }
/// # async fn example() {
/// let mut searches = observe_runtime::JoinSet::new();
/// for place in ["docs", "code"] {
///     searches.spawn(search(place));
/// }
/// while let Some(found) = searches.join_next().await {
///     assert_eq!(found.unwrap(), 1);
/// }
/// # }
/// ```
pub struct JoinSet<T> {
    tasks: task::JoinSet<T>,
}

impl<T> JoinSet<T> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: 'static> JoinSet<T> {
    /// [`tokio::task::JoinSet::spawn`], in the context that is current now.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.tasks.spawn(future.in_current_span())
    }

    /// [`tokio::task::JoinSet::spawn_on`], in the context that is current now.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, runtime: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.tasks.spawn_on(future.in_current_span(), runtime)
    }

    /// [`tokio::task::JoinSet::spawn_local`], in the context that is current now.
    ///
    /// # Panics
    /// Outside a [`LocalSet`].
    #[track_caller]
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.tasks.spawn_local(future.in_current_span())
    }

    /// [`tokio::task::JoinSet::spawn_local_on`], in the context that is current now.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, future: F, local: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.tasks.spawn_local_on(future.in_current_span(), local)
    }

    /// [`tokio::task::JoinSet::spawn_blocking`], in the context that is current now.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, body: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.tasks.spawn_blocking(carry(body))
    }

    /// [`tokio::task::JoinSet::spawn_blocking_on`], in the context that is current now.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, body: F, runtime: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.tasks.spawn_blocking_on(carry(body), runtime)
    }

    /// What all tasks gave, in the order in which they ended.
    ///
    /// # Panics
    /// If one of them did, as [`tokio::task::JoinSet::join_all`].
    pub async fn join_all(self) -> Vec<T> {
        self.tasks.join_all().await
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self { tasks: task::JoinSet::new() }
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tasks.fmt(f)
    }
}

impl<T> From<task::JoinSet<T>> for JoinSet<T> {
    fn from(tasks: task::JoinSet<T>) -> Self {
        Self { tasks }
    }
}

impl<T> Deref for JoinSet<T> {
    type Target = task::JoinSet<T>;

    fn deref(&self) -> &Self::Target {
        &self.tasks
    }
}

impl<T> DerefMut for JoinSet<T> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.tasks
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    /// Spawns every future.
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let futures = futures.into_iter().map(ObserveExt::in_current_span);
        Self { tasks: futures.collect::<task::JoinSet<<InSpan<F> as Future>::Output>>() }
    }
}
