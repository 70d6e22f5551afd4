//! What can be wrong with data: a sentence each, naming the place, what was found and expected.

use std::path::PathBuf;

/// Why a data set could not be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data lie nowhere that was looked at.
    #[error("{name} was not found. Looked at:{}\n{advice}", lines(.looked))]
    Missing {
        /// The data set.
        name: String,
        /// Every place that was looked at, in order.
        looked: Vec<PathBuf>,
        /// What to put where.
        advice: String,
    },
    /// A file or folder could not be read or written.
    #[error("{} could not be {action}: {source}.", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// "read", "written", …
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is there but is not what it should be.
    #[error("{place}: found {found}, expected {expected}.")]
    Damaged {
        /// The file, and the place in it.
        place: String,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// A setting does not fit the data.
    #[error("data.{key}: {message}")]
    Setting {
        /// Dotted path of the setting below `data`.
        key: &'static str,
        /// A full sentence.
        message: String,
    },
    /// No data set has this name.
    #[error("There is no data set \"{name}\". Data sets: {known}.")]
    UnknownName {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A download failed; `advice` says how to do without.
    #[error("{url} could not be downloaded: {message}.\n{advice}")]
    Download {
        /// The address.
        url: String,
        /// What happened.
        message: String,
        /// What to do now.
        advice: String,
    },
}

impl DataError {
    /// A file that is not what it should be.
    pub(crate) fn damaged(
        place: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Damaged {
            place: place.into(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// A file that could not be read.
    pub(crate) fn read(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            action: "read",
            source,
        }
    }

    /// A file that could not be written.
    pub(crate) fn written(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            action: "written",
            source,
        }
    }

    /// A setting that does not fit.
    pub(crate) fn setting(key: &'static str, message: impl Into<String>) -> Self {
        Self::Setting {
            key,
            message: message.into(),
        }
    }
}

fn lines(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| format!("\n  {}", path.display()))
        .collect()
}
