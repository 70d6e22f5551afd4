//! What can keep figures from being drawn.

use std::path::{Path, PathBuf};

use reslab_results::ResultsError;

use crate::render::RenderError;

/// Why nothing could be drawn. Tables that merely lack rows are no error: see `Skipped`.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// A table could not be read.
    #[error(transparent)]
    Table(#[from] ResultsError),
    /// The drawing itself failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A file could not be written.
    #[error("The file {} could not be written: {source}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FigureError {
    pub(crate) fn write(path: &Path, source: std::io::Error) -> FigureError {
        FigureError::Write {
            path: path.into(),
            source,
        }
    }
}
