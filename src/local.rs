//! The local destination: the store's file, written on a thread of its own.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use observe_runtime::{
    __private::say,
    Record, Resource, Span,
    destination::{Sink, TracePage},
};
use observe_store::{NoDataDirectory, SqliteStore, Store};

/// The directory that the process was set up with, if it was set up by code.
static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Notes where the local destination writes. The first set-up counts.
pub(crate) fn set_directory(directory: Option<&Path>) {
    let _ = DIRECTORY.set(directory.map(Path::to_owned));
}

/// The database in the directory that the process was set up with, else where the environment says.
pub(crate) fn current_database() -> Result<PathBuf, NoDataDirectory> {
    database(DIRECTORY.get().and_then(Option::as_deref))
}

/// The database in `directory`, else where the environment says.
pub(crate) fn database(directory: Option<&Path>) -> Result<PathBuf, NoDataDirectory> {
    directory.map_or_else(observe_store::default_path, |directory| Ok(directory.join("observe.db")))
}

/// Writes spans to a SQLite file.
#[derive(Debug)]
pub(crate) struct Local {
    path: PathBuf,
    /// Address of the viewer.
    viewer: String,
    /// Opened with the first span, so that a program which records nothing makes no file.
    store: Option<SqliteStore>,
}

impl Local {
    pub(crate) fn new(path: PathBuf, viewer: String) -> Self {
        Self { path, viewer, store: None }
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

impl Local {
    /// Writes, and once more into a new file if the old one is damaged.
    fn keep(
        &mut self,
        what: &str,
        write: impl Fn(&mut SqliteStore) -> Result<(), observe_store::Error>,
    ) -> Result<(), String> {
        let written = match self.open().and_then(&write) {
            Err(error) if error.is_corrupt() => self.recover().and_then(write),
            written => written,
        };
        written.map_err(|error| format!("{error}; {what} are not kept meanwhile"))
    }
}

/// Where processes keep what has not reached the database yet.
fn journal_beside(database: &Path) -> PathBuf {
    database.with_file_name("journal")
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

    fn journal(&self) -> Option<PathBuf> {
        Some(journal_beside(&self.path))
    }

    fn trace_page(&self) -> Option<TracePage> {
        Some(format!("{}/traces/{{trace_id}}", self.viewer.trim_end_matches('/')).into())
    }

    fn close(&mut self) {
        self.store = None;
    }

    fn for_child(&self) -> Option<Self> {
        Some(Self::new(self.path.clone(), self.viewer.clone()))
    }

    /// Brings back what processes that were killed had recorded.
    fn begin(&mut self) {
        let root = journal_beside(&self.path);
        if !observe_runtime::any_journal_below(&root) {
            return;
        }
        let result = observe_runtime::recover_dead(&root, self.name(), |resource, batch| {
            let written = self.open().and_then(|store| {
                store.write_missing(resource, &batch.spans)?;
                store.write_records(resource, &batch.records)
            });
            written.map_err(std::io::Error::other)
        });
        match result {
            Ok(recovered) if recovered.spans > 0 => say(&format!(
                "recovered {} spans of a process that was killed, {} of them interrupted",
                recovered.spans, recovered.interrupted
            )),
            Ok(_) => {}
            Err(error) => say(&format!("what a killed process recorded could not be recovered: {error}")),
        }
    }

    fn write(&mut self, resource: &Resource, spans: &[Span<'static>]) -> Result<(), String> {
        self.keep("spans", |store| store.write(resource, spans))
    }

    fn write_records(&mut self, resource: &Resource, records: &[Record]) -> Result<(), String> {
        self.keep("scores and metrics", |store| store.write_records(resource, records))
    }
}
