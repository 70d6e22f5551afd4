//! What can go wrong between an experiment file and its tables.

use std::path::PathBuf;

use crate::diagnostic::Diagnostic;

/// Why an experiment could not be planned, executed or looked up.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A mistake in the experiment file or in an override.
    #[error("{0}")]
    File(Box<Diagnostic>),
    /// The experiment file cannot be read.
    #[error("The experiment file {path} cannot be read: {source}.")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The results folder cannot be read or written.
    #[error("The results folder could not be used: {message}")]
    Store {
        /// The cause, a full sentence.
        message: String,
    },
    /// No run of the plan answers to the name.
    #[error("No run is called `{name}`. {hint}")]
    UnknownRun {
        /// What was asked for.
        name: String,
        /// Names that exist.
        hint: String,
    },
    /// Data are damaged, or not what they should be; told before the first run.
    #[error("{message}")]
    Data {
        /// What is wrong and where, a full sentence.
        message: String,
    },
    /// The machine refused something, such as a thread.
    #[error("{message}")]
    System {
        /// The cause, a full sentence.
        message: String,
    },
}

impl From<reslab_results::ResultsError> for SweepError {
    fn from(error: reslab_results::ResultsError) -> Self {
        Self::Store {
            message: error.to_string(),
        }
    }
}

impl From<Diagnostic> for SweepError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::File(Box::new(diagnostic))
    }
}

impl SweepError {
    /// Whether the user's input is at fault, rather than the machine or the folder.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::File(_) | Self::Read { .. } | Self::UnknownRun { .. }
        )
    }
}
