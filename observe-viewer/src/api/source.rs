//! The database as the server sees it: read and written on threads that may block, and perhaps not there yet.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use observe_store::{Error, SqliteStore, Store};
use observe_wire::DecodedResource;
use serde::Serialize;

use super::ApiError;

/// Where answers come from and received spans go.
#[derive(Clone)]
pub(crate) struct Source {
    path: Arc<Path>,
    /// Opened when the first span is received, so that a viewer that only looks creates nothing.
    writer: Arc<Mutex<Option<SqliteStore>>>,
}

impl Source {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path: path.into(), writer: Arc::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What `ask` finds, as JSON; 404 if it finds nothing. Without a database the answer is `empty`.
    ///
    /// Each question has a connection of its own: it sees the file that is there now, even if the one before was
    /// deleted or set aside, and no question waits for another.
    pub(crate) async fn answer<T: Serialize + Send + 'static>(
        &self,
        ask: impl FnOnce(&SqliteStore) -> Result<Option<T>, Error> + Send + 'static,
        empty: Option<T>,
    ) -> Result<Response, ApiError> {
        let path = Arc::clone(&self.path);
        blocking(move || {
            let found = match SqliteStore::open_read_only(path) {
                Ok(store) => ask(&store)?,
                Err(Error::Missing(_)) => empty,
                Err(error) => return Err(error.into()),
            };
            let found =
                found.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "there is none with that id"))?;
            let json = serde_json::to_vec(&found).map_err(|e| {
                ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("the answer cannot be written as JSON: {e}"),
                )
            })?;
            let head = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            Ok((head, json).into_response())
        })
        .await
    }

    /// Writes what was received; a damaged file is set aside and a new one begun.
    pub(crate) fn write(&self, received: &[DecodedResource]) -> Result<(), Error> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut store = match writer.take() {
            Some(store) => store,
            None => SqliteStore::open(&self.path)?,
        };
        for DecodedResource { resource, spans, records } in received {
            store = write_or_recover(store, |store| {
                store.write(resource, spans)?;
                store.write_records(resource, records)
            })?;
        }
        *writer = Some(store);
        Ok(())
    }
}

/// Writes, and once more into a new file if the old one is damaged. A store whose write failed is closed.
fn write_or_recover(
    mut store: SqliteStore,
    write: impl Fn(&mut SqliteStore) -> Result<(), Error>,
) -> Result<SqliteStore, Error> {
    match write(&mut store) {
        Err(error) if error.is_corrupt() => {
            store = store.recover()?;
            write(&mut store)?;
        }
        other => other?,
    }
    Ok(store)
}

/// Runs `work` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed to answer; the terminal says why",
        ))
    })
}
