//! The local destination: the store's file, written on a thread of its own.

use std::path::{Path, PathBuf};

use observe_runtime::{__private::say, Resource, Span, destination::Sink};
use observe_store::{SqliteStore, Store};

/// Writes spans to a SQLite file.
#[derive(Debug)]
pub(crate) struct Local {
    path: PathBuf,
    /// Opened with the first span, so that a program which records nothing makes no file.
    store: Option<SqliteStore>,
}

impl Local {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, store: None }
    }

    fn open(&mut self) -> Result<&mut SqliteStore, observe_store::Error> {
        let store = match self.store.take() {
            Some(store) => store,
            None => {
                let store = SqliteStore::open(&self.path)?;
                report_set_aside(store.set_aside());
                store
            }
        };
        Ok(self.store.insert(store))
    }

    fn recover(&mut self) -> Result<&mut SqliteStore, observe_store::Error> {
        if let Some(store) = self.store.take() {
            let store = store.recover()?;
            report_set_aside(store.set_aside());
            self.store = Some(store);
        }
        self.open()
    }
}

fn report_set_aside(path: Option<&Path>) {
    if let Some(path) = path {
        say(&format!("the database was damaged; it was set aside as {} and a new one begun", path.display()));
    }
}

impl Sink for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn wants_running(&self) -> bool {
        true
    }

    fn write(&mut self, resource: &Resource, spans: &[Span<'static>]) -> Result<(), String> {
        let written = self.open().and_then(|store| store.write(resource, spans));
        let written = match written {
            Err(error) if error.is_corrupt() => self.recover().and_then(|store| store.write(resource, spans)),
            written => written,
        };
        written.map_err(|error| format!("{error}; spans are not kept meanwhile"))
    }
}
