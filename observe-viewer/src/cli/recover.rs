//! What processes that were killed had recorded, into the database.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::Path,
};

use observe_store::{SqliteStore, Store};
use observe_wire::{
    journal::{Recovered, recover_all_dead},
    mask::Mask,
};
use serde_json::json;

use super::Failure;

/// Recovers the journals beside the database whose processes are gone. The database is opened, and made if need be, for
/// the first spans. What other destinations do not have yet stays for them. What looks like a secret is
/// taken out unless `OBSERVE_MASK` says otherwise; the hook of the program that died is not at hand.
pub(super) fn recover(database: &Path) -> Result<Recovered, Failure> {
    let mut store: Option<SqliteStore> = None;
    let root = database.with_file_name("journal");
    let mask = Mask::new(masks(std::env::var_os("OBSERVE_MASK")), None);
    recover_all_dead(&root, "local", |resource, mut batch| {
        let mut resource = resource.clone();
        mask.resource(&mut resource);
        mask.batch(&mut batch);
        let open = match store.take() {
            Some(store) => store,
            None => open(database)?,
        };
        let store = store.insert(open);
        store.write_missing(&resource, &batch.spans).map_err(io::Error::other)?;
        store.write_records(&resource, &batch.records).map_err(io::Error::other)
    })
    .map_err(Failure::Recover)
}

/// Whether what looks like a secret is taken out: unless the setting is one of the words for no.
fn masks(setting: Option<OsString>) -> bool {
    let setting = setting.unwrap_or_default().to_string_lossy().trim().to_ascii_lowercase();
    !["false", "0", "no", "off"].contains(&&*setting)
}

fn open(database: &Path) -> io::Result<SqliteStore> {
    let store = SqliteStore::open(database).map_err(io::Error::other)?;
    if let Some(path) = store.set_aside() {
        let mut err = io::stderr();
        writeln!(err, "observe: the database was damaged; it was set aside as {}", path.display())?;
    }
    Ok(store)
}

/// One line.
pub(super) fn tell(out: &mut impl Write, recovered: &Recovered) -> io::Result<()> {
    let Recovered { spans, interrupted, scores, metrics, .. } = recovered;
    let mut parts = Vec::new();
    if *spans > 0 {
        parts.push(format!("{spans} spans, {interrupted} of them interrupted"));
    }
    parts.extend((*scores > 0).then(|| format!("{scores} scores")));
    parts.extend((*metrics > 0).then(|| format!("{metrics} metrics")));
    match parts.as_slice() {
        [] => writeln!(out, "nothing to recover"),
        parts => writeln!(out, "recovered {}", parts.join("; ")),
    }
}

pub(super) fn as_json(recovered: &Recovered) -> serde_json::Value {
    let Recovered { spans, interrupted, scores, metrics, .. } = recovered;
    json!({ "spans": spans, "interrupted": interrupted, "scores": scores, "metrics": metrics })
}
