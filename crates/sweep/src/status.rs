//! What a results folder holds of a plan.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::{Plan, SweepError};

/// Counts, and one line a run.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// Name of the experiment.
    pub experiment: String,
    /// Runs of the plan.
    pub planned: usize,
    /// Runs finished.
    pub finished: usize,
    /// Runs diverged.
    pub diverged: usize,
    /// Runs failed.
    pub failed: usize,
    /// Runs some process works on now.
    pub running: usize,
    /// Runs not begun, or interrupted.
    pub waiting: usize,
    /// Each run, in plan order.
    pub runs: Vec<RunStatus>,
}

/// Where one run stands.
#[derive(Debug, Clone, Serialize)]
pub struct RunStatus {
    /// Name of the run.
    pub name: String,
    /// Id of the run.
    pub id: String,
    /// Where it stands.
    pub state: RunState,
    /// More, such as the message of a failure.
    pub detail: String,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Complete.
    Finished,
    /// Complete; its loss stopped being finite.
    Diverged,
    /// Could not be completed.
    Failed,
    /// Some process works on it.
    Running,
    /// Begun; has a checkpoint.
    Interrupted,
    /// Not begun.
    Waiting,
}

/// Why a run is, or is not, taken from the store.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Name of the run.
    pub name: String,
    /// Id of the run.
    pub id: String,
    /// Whether the store has it.
    pub stored: bool,
    /// The sentences to print.
    pub text: String,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What to show of a folder's runs.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// One row a run, rather than one for all seeds of a setting.
    pub each: bool,
    /// Column to sort by; a `-` before it reverses.
    pub sort: Option<String>,
    /// Columns to show instead of those that vary.
    pub columns: Vec<String>,
}

/// Counts what the folder `out/NAME` holds of a plan.
pub fn status(_plan: &Plan, _out: &Path) -> Result<Status, SweepError> {
    Err(SweepError::System {
        message: "Status is not there yet.".into(),
    })
}

/// Says why a run (by name or id) is, or is not, taken from the store.
pub fn explain(_plan: &Plan, _out: &Path, _run: &str) -> Result<Explanation, SweepError> {
    Err(SweepError::System {
        message: "Explaining is not there yet.".into(),
    })
}

/// The final results in an experiment's folder as a header and rows of text, ready to print.
pub fn results(
    _folder: &Path,
    _query: &Query,
) -> Result<(Vec<String>, Vec<Vec<String>>), SweepError> {
    Err(SweepError::System {
        message: "Results are not there yet.".into(),
    })
}
