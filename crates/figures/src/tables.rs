//! The tables a figure is drawn from, and reading them.

use std::path::Path;

use reslab_results::{Table, parquet};

use crate::FigureError;

/// The tables of one experiment. `runs` there must be; a figure that needs another says so.
#[derive(Clone, Debug)]
pub struct Tables {
    /// One row a run.
    pub runs: Table,
    /// One row a run and epoch.
    pub epochs: Option<Table>,
    /// One row a run, epoch and block or layer.
    pub layers: Option<Table>,
}

impl Tables {
    /// Reads `runs.parquet`, and `epochs.parquet` and `layers.parquet` where they exist.
    pub fn read(dir: &Path) -> Result<Tables, FigureError> {
        let read = |name: &str| parquet::read(&dir.join(format!("{name}.parquet")));
        let optional = |name: &str| {
            let there = dir.join(format!("{name}.parquet")).exists();
            there.then(|| read(name)).transpose()
        };
        Ok(Tables {
            runs: read("runs")?,
            epochs: optional("epochs")?,
            layers: optional("layers")?,
        })
    }
}
