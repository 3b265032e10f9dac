//! The schema's versions, and the way from one to the next.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::Error;

/// What leads from each schema version to the next; the version is `PRAGMA user_version`. Never edit an old one.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_initial.sql"),
    include_str!("../../migrations/0002_dropped_spans.sql"),
    include_str!("../../migrations/0003_said.sql"),
    include_str!("../../migrations/0004_levels.sql"),
];

/// The schema version that this program reads and writes.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// "Obsv": how a file says that it is ours.
const APPLICATION_ID: i64 = 0x4f62_7376;

/// The schema version of the file, 0 for an empty one; refuses what is not ours or too new.
pub(super) fn version(connection: &Connection, path: &Path) -> Result<i64, Error> {
    // One statement, so that a migration that runs at this moment is seen whole or not at all.
    let (application, found, tables) = connection
        .query_row(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id, pragma_user_version",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
        )
        .map_err(|e| Error::sqlite(path, e))?;
    match (application, found) {
        (0, 0) if tables == 0 => Ok(0),
        (APPLICATION_ID, found) if found > KNOWN => {
            Err(Error::NewerSchema { path: path.to_owned(), found, known: KNOWN })
        }
        (APPLICATION_ID, found) => Ok(found),
        _ => Err(Error::Foreign(path.to_owned())),
    }
}

/// Brings the schema up to date, one transaction per step; of several processes, each step runs in one.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    for (from, sql) in MIGRATIONS.iter().enumerate() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if usize::try_from(found) == Ok(from) {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", from as i64 + 1)?;
            transaction.commit()?;
        }
    }
    Ok(())
}
