//! Where the database lies unless somebody says otherwise: one rule for who writes it and who reads it.

use std::path::PathBuf;

use etcetera::base_strategy::{self, BaseStrategy};

/// Neither `OBSERVE_DIR` nor a home directory is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no home directory is known to keep the database in: set OBSERVE_DIR to a directory")]
pub struct NoDataDirectory;

/// `$OBSERVE_DIR/observe.db` where that variable is set and not empty, else `observe/observe.db` in the
/// user's data directory: `$XDG_DATA_HOME` or `~/.local/share` on Linux, `~/Library/Application Support` on
/// macOS, `%LOCALAPPDATA%` on Windows.
///
/// Nothing is created or opened.
///
/// # Errors
/// [`NoDataDirectory`] if the variable is not set and the user has no home directory.
pub fn default_path() -> Result<PathBuf, NoDataDirectory> {
    let directory = match std::env::var_os("OBSERVE_DIR") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => data_directory()?.join("observe"),
    };
    Ok(directory.join("observe.db"))
}

fn data_directory() -> Result<PathBuf, NoDataDirectory> {
    let user = base_strategy::choose_native_strategy().map_err(|_| NoDataDirectory)?;
    // A database must not roam between machines; the local directory is the one for caches in this crate's terms.
    Ok(if cfg!(windows) { user.cache_dir() } else { user.data_dir() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_lies_in_a_directory_of_its_own() {
        let path = default_path().unwrap();
        assert!(path.ends_with("observe.db"), "{path:?}");
        if std::env::var_os("OBSERVE_DIR").is_none() {
            assert!(path.ends_with("observe/observe.db"), "{path:?}");
        }
    }
}
