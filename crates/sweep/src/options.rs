//! What a caller may choose about planning and executing; none of it changes a result.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

/// Choices about reading a file.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Overrides, each `path.to.key=value`.
    pub overrides: Vec<String>,
    /// What to do where a data set is not on this machine.
    pub missing_data: MissingData,
}

/// What to do where a data set is not on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingData {
    /// Refuse the file: nothing could run.
    #[default]
    Refuse,
    /// Plan on, and say so in the notes.
    Note,
}

/// Choices about executing a plan.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Runs at one time; by default as many as there are threads.
    pub jobs: Option<usize>,
    /// Threads in all; by default those of the machine.
    pub threads: Option<usize>,
    /// The folder of all results; the experiment's own folder is `out/NAME`.
    pub out: PathBuf,
    /// Only the runs with this name, id, or parts of the name (`depth=56,seed=0`).
    pub only: Option<String>,
    /// End the sweep at the first failure; runs under way keep their last checkpoint.
    pub fail_fast: bool,
    /// Do failed runs again.
    pub retry_failed: bool,
    /// The command, for the record.
    pub command: String,
    /// Least time between two checkpoints of one run.
    pub checkpoint_every: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            jobs: None,
            threads: None,
            out: PathBuf::from("results"),
            only: None,
            fail_fast: false,
            retry_failed: false,
            command: String::new(),
            checkpoint_every: Duration::from_secs(2),
        }
    }
}

impl RunOptions {
    /// The folder of one experiment.
    pub fn folder(&self, experiment: &str) -> PathBuf {
        folder(&self.out, experiment)
    }
}

/// The folder of one experiment below the folder of all results.
pub fn folder(out: &Path, experiment: &str) -> PathBuf {
    out.join(experiment)
}

/// How a sweep ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The experiment's folder.
    pub folder: PathBuf,
    /// Runs finished, now or before.
    pub finished: usize,
    /// Runs diverged, now or before.
    pub diverged: usize,
    /// Runs taken from the store.
    pub reused: usize,
    /// Failed runs with their messages, now or before, in plan order.
    pub failures: Vec<Failure>,
    /// Runs not complete, because of an interruption, a failure with `fail_fast`, or another
    /// process at work on them.
    pub left: usize,
    /// Whether the sweep was told to stop.
    pub interrupted: bool,
    /// Tables written.
    pub tables: Vec<PathBuf>,
    /// Seconds of this session.
    pub seconds: f64,
}

/// A run that could not be completed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Name of the run.
    pub name: String,
    /// Id of the run.
    pub id: String,
    /// Why.
    pub message: String,
}
