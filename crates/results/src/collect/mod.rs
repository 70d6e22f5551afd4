//! From the records of a plan's runs to the tables of the experiment.
//!
//! Rows stand in the order of the plan, so that the tables depend on the plan alone and not on
//! which run ended first, in which process.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::error::ResultsError;
use crate::files;
use crate::parquet::{self, Columns};
use crate::provenance::Provenance;
use crate::record::{EpochTiming, Metrics, Outcome, RunRecord};
use crate::run_id::RunId;
use crate::schema::{self, Settings};
use crate::store::{Lookup, Store};
use crate::table::{Cell, Table, TableError};

/// What [`collect`] found and wrote.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The table `runs` as written.
    pub runs: Table,
    /// The files written.
    pub files: Vec<PathBuf>,
    /// Runs of the plan with neither a result nor a failure.
    pub missing: Vec<RunId>,
    /// Messages on damaged records.
    pub notes: Vec<String>,
}

/// A row of `runs` before the settings of all runs are known.
struct RunRow {
    id: RunId,
    status: &'static str,
    config: Value,
    diverged_step: Option<usize>,
    metrics: Option<Metrics>,
}

/// Write `runs`, `epochs`, `layers`, `timings` and the tables of instruments for the runs of a
/// plan that have ended, in the order of the plan.
pub fn collect(store: &Store, experiment: &str, plan: &[RunId]) -> Result<Collected, ResultsError> {
    let mut gathered = Gathered::new();
    for id in plan {
        let found = store.lookup(id)?;
        let ended = matches!(found, Lookup::Finished(_));
        gathered.add(id, found)?;
        if ended {
            gathered.append(&timings_of(store, id)?)?;
        }
    }
    gathered.write(store, experiment)
}

/// The tables while they grow, run by run: nothing here touches the disk before `write`.
struct Gathered {
    rows: Vec<RunRow>,
    tables: BTreeMap<String, Columns>,
    missing: Vec<RunId>,
    notes: Vec<String>,
}

impl Gathered {
    fn new() -> Gathered {
        let tables = [schema::epochs(), schema::layers(), schema::timings()]
            .map(|schema| (schema.name.clone(), Columns::new(schema)));
        Gathered {
            rows: Vec::new(),
            tables: BTreeMap::from(tables),
            missing: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn add(&mut self, id: &RunId, found: Lookup) -> Result<(), TableError> {
        match found {
            Lookup::Finished(record) => {
                for table in &record.tables {
                    self.append(table)?;
                }
                self.rows.push(finished(id, *record));
            }
            Lookup::Failed(failure) => self.rows.push(RunRow {
                id: id.clone(),
                status: "failed",
                config: failure.config,
                diverged_step: None,
                metrics: None,
            }),
            Lookup::Absent => self.missing.push(id.clone()),
            Lookup::Damaged(message) => {
                self.missing.push(id.clone());
                self.notes.push(message);
            }
        }
        Ok(())
    }

    fn append(&mut self, table: &Table) -> Result<(), TableError> {
        self.tables
            .entry(table.schema.name.clone())
            .or_insert_with(|| Columns::new(table.schema.clone()))
            .append(table)
    }

    fn write(self, store: &Store, experiment: &str) -> Result<Collected, ResultsError> {
        let runs = runs_table(experiment, self.rows)?;
        files::create_folder(store.paths().root())?;
        let mut written = vec![store.paths().table("runs")];
        parquet::write(&runs, &written[0])?;
        for (name, columns) in self.tables {
            let path = store.paths().table(&name);
            parquet::write_columns(columns, &path)?;
            written.push(path);
        }
        Ok(Collected {
            runs,
            files: written,
            missing: self.missing,
            notes: self.notes,
        })
    }
}

fn finished(id: &RunId, record: RunRecord) -> RunRow {
    let (status, diverged_step) = match record.outcome {
        Outcome::Finished => ("finished", None),
        Outcome::Diverged { step, .. } => ("diverged", Some(step)),
    };
    RunRow {
        id: id.clone(),
        status,
        config: record.config,
        diverged_step,
        metrics: Some(record.metrics),
    }
}

fn runs_table(experiment: &str, rows: Vec<RunRow>) -> Result<Table, TableError> {
    let settings = Settings::of(rows.iter().map(|row| &row.config));
    let mut table = Table::new(schema::runs(&settings.columns));
    for (row, mut setting_cells) in rows.into_iter().zip(settings.rows) {
        let mut cells = vec![row.id.as_str().into(), experiment.into(), row.status.into()];
        cells.append(&mut setting_cells);
        cells.resize(table.schema.columns.len(), Cell::Null);
        let metrics = row
            .metrics
            .map(|metrics| metrics.cells())
            .into_iter()
            .flatten();
        for (name, cell) in metrics.chain([("diverged_step", row.diverged_step.into())]) {
            let index = table.index(name)?;
            cells[index] = cell;
        }
        table.push(cells)?;
    }
    Ok(table)
}

/// The rows of `timings` of one run. Timings are no result: where they cannot be read, there are
/// none.
fn timings_of(store: &Store, id: &RunId) -> Result<Table, ResultsError> {
    let mut table = Table::new(schema::timings());
    let timings: Vec<EpochTiming> = read_json(store.paths().timings(id))?.unwrap_or_default();
    let provenance: Option<Provenance> = read_json(store.paths().provenance(id))?;
    for timing in timings {
        let of = |part: fn(&Provenance) -> Cell| provenance.as_ref().map_or(Cell::Null, part);
        table.push_named([
            ("run_id", id.as_str().into()),
            ("epoch", timing.epoch.into()),
            ("seconds_train", timing.seconds_train.into()),
            ("seconds_evaluate", timing.seconds_evaluate.into()),
            ("images_per_s", timing.images_per_s.into()),
            ("threads", timing.threads.into()),
            ("isa", of(|p| p.isa.as_str().into())),
            ("host", of(|p| p.host.clone().into())),
            ("cpu", of(|p| p.cpu.clone().into())),
            ("version", of(|p| p.version.as_str().into())),
            ("commit", of(|p| p.commit.clone().into())),
            ("dirty", of(|p| p.dirty.into())),
            ("rustc", of(|p| p.rustc.clone().into())),
            ("target", of(|p| p.target.clone().into())),
            ("command", of(|p| p.command.as_str().into())),
            ("started", of(|p| p.started.as_str().into())),
            ("finished", of(|p| p.finished.as_str().into())),
        ])?;
    }
    Ok(table)
}

fn read_json<T: serde::de::DeserializeOwned>(path: PathBuf) -> Result<Option<T>, ResultsError> {
    let bytes = files::read_if_there(&path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
