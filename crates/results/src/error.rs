//! What can go wrong with tables and run folders; every message names the path and the cause.

use std::io;
use std::path::{Path, PathBuf};

use crate::run_id::RunId;
use crate::table::TableError;

/// An error of the tables or of the run store.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The operating system refused (missing file, full disk, no permission).
    #[error("Could not {action} '{}': {source}.", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `write`, `rename`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file that is no Parquet, or a damaged one.
    #[error("The file '{}' is no readable Parquet: {message}.", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// A Parquet file that reslab did not write, or not in this version.
    #[error("The file '{}' is no table of this version of reslab: {message}.", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// A table could not be turned into Parquet.
    #[error("The table '{table}' could not be written to '{}': {message}.", path.display())]
    Encode {
        /// The table.
        table: String,
        /// Where it should have gone.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// A record that cannot be read: cut off, altered, or of another version.
    #[error("The record '{}' is damaged: {message}.", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// Two executions of one run ended in different results.
    #[error(
        "Run {id} was finished twice with different results, which must not happen on one kind of \
         machine and one version: the first is kept in '{}', this one was put into '{}'.",
        kept.display(), aside.display()
    )]
    Conflict {
        /// The run.
        id: RunId,
        /// The result that stays.
        kept: PathBuf,
        /// The result that does not.
        aside: PathBuf,
    },
    /// A configuration that cannot be an identity.
    #[error("The settings of a run cannot be written as JSON: {0}.")]
    Settings(String),
    /// A column or row that does not fit.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl ResultsError {
    /// An [`ResultsError::Io`] with its path, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ResultsError {
        let path = path.to_path_buf();
        move |source| ResultsError::Io {
            action,
            path,
            source,
        }
    }

    /// An [`ResultsError::Damaged`] with its path, for `map_err`.
    pub(crate) fn damaged<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> ResultsError {
        let path = path.to_path_buf();
        move |cause| ResultsError::Damaged {
            path,
            message: cause.to_string(),
        }
    }
}
