//! What a run leaves behind: settings, outcome, metrics and tables, as one JSON file.
//!
//! `record.json` is the same bytes on every execution: keys sorted, reals in the shortest form
//! that reads back to the same bits, NaN and infinities as the texts `NaN`, `inf`, `-inf`. Tables
//! are stored by column; a column with one value throughout is stored once. Wall clock and machine
//! are in `timings.json` and `provenance.json` beside it.

mod encode;
mod metrics;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use metrics::Metrics;

use crate::error::ResultsError;
use crate::run_id::{FORMAT, RunId, sorted};
use crate::table::Table;

/// How the training of a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// All epochs were done.
    Finished,
    /// The loss stopped being finite.
    Diverged {
        /// Step at which it did.
        step: usize,
        /// Epoch of that step.
        epoch: usize,
    },
}

/// A finished (or diverged) run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Resolved settings, keys sorted.
    pub config: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// Final metrics: a row of `runs`.
    pub metrics: Metrics,
    /// The run's rows of `epochs`, `layers` and the tables of instruments.
    pub tables: Vec<Table>,
}

impl RunRecord {
    /// A record of a run with these resolved settings.
    pub fn new<T: Serialize + ?Sized>(
        config: &T,
        outcome: Outcome,
        metrics: Metrics,
        tables: Vec<Table>,
    ) -> Result<RunRecord, ResultsError> {
        let config =
            serde_json::to_value(config).map_err(|e| ResultsError::Settings(e.to_string()))?;
        Ok(RunRecord {
            config: sorted(&config),
            outcome,
            metrics,
            tables,
        })
    }

    /// The identity of the run, from its settings.
    pub fn id(&self) -> Result<RunId, ResultsError> {
        RunId::of(&self.config)
    }

    /// The run's rows of the table called `name`.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema.name == name)
    }

    /// The text of `record.json`.
    pub fn to_json(&self) -> Result<String, ResultsError> {
        let error = |e: serde_json::Error| ResultsError::Settings(e.to_string());
        let mut text = format!(
            "{{\"format\":{FORMAT},\n\"config\":{},\n\"outcome\":{},\n\"metrics\":{},\n\"tables\":[",
            self.config,
            serde_json::to_string(&self.outcome).map_err(error)?,
            serde_json::to_string(&self.metrics).map_err(error)?,
        );
        for (index, table) in self.tables.iter().enumerate() {
            text.push_str(if index == 0 { "\n" } else { ",\n" });
            text.push_str(&encode::table(table).to_string());
        }
        text.push_str("\n]}\n");
        Ok(text)
    }

    /// The record in the bytes of the file at `path`, which only messages use.
    pub fn from_json(path: &Path, bytes: &[u8]) -> Result<RunRecord, ResultsError> {
        let mut whole: Value =
            serde_json::from_slice(bytes).map_err(ResultsError::damaged(path))?;
        if whole["format"] != json!(FORMAT) {
            let message = format!("its format is {}, not {FORMAT}", whole["format"]);
            return Err(ResultsError::damaged(path)(message));
        }
        let tables = whole["tables"]
            .as_array()
            .ok_or("it has no tables".to_string())
            .and_then(|tables| {
                tables
                    .iter()
                    .map(encode::table_from)
                    .collect::<Result<_, _>>()
            })
            .map_err(ResultsError::damaged(path))?;
        Ok(RunRecord {
            outcome: part(&mut whole, "outcome").map_err(ResultsError::damaged(path))?,
            metrics: part(&mut whole, "metrics").map_err(ResultsError::damaged(path))?,
            config: part(&mut whole, "config").map_err(ResultsError::damaged(path))?,
            tables,
        })
    }
}

fn part<T: serde::de::DeserializeOwned>(whole: &mut Value, key: &str) -> Result<T, String> {
    let value = whole
        .get_mut(key)
        .map(Value::take)
        .ok_or_else(|| format!("it has no {key}"))?;
    serde_json::from_value(value).map_err(|e| format!("its {key}: {e}"))
}

/// Wall clock of one epoch of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochTiming {
    /// Epochs of training done.
    pub epoch: usize,
    /// Seconds in training steps.
    pub seconds_train: f64,
    /// Seconds in evaluations and measurements.
    pub seconds_evaluate: f64,
    /// Training samples a second.
    pub images_per_s: f64,
    /// Threads the run had for itself.
    pub threads: usize,
}

/// Why a run has no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The error, in full.
    pub message: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it failed last, UTC.
    pub when: String,
    /// Resolved settings of the run.
    pub config: Value,
}
