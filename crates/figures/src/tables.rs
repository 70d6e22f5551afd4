//! The tables a figure is drawn from, and reading them.

use std::collections::BTreeMap;
use std::path::Path;

use reslab_results::{Table, parquet, schema};

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
    /// The tables of instruments, by name.
    pub instruments: BTreeMap<String, Table>,
}

impl Tables {
    /// Reads `runs.parquet`, and the others where they exist.
    pub fn read(dir: &Path) -> Result<Tables, FigureError> {
        let read = |name: &str| parquet::read(&dir.join(format!("{name}.parquet")));
        let optional = |name: &str| {
            let there = dir.join(format!("{name}.parquet")).exists();
            there.then(|| read(name)).transpose()
        };
        let mut instruments = BTreeMap::new();
        for schema in schema::instruments() {
            if let Some(table) = optional(&schema.name)? {
                instruments.insert(schema.name, table);
            }
        }
        Ok(Tables {
            instruments,
            runs: read("runs")?,
            epochs: optional("epochs")?,
            layers: optional("layers")?,
        })
    }
}
