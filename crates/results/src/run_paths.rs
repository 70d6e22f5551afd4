//! Where everything of an experiment lies: the only place that spells file names.
//!
//! ```text
//! results/NAME/
//!   runs.parquet epochs.parquet layers.parquet timings.parquet   the tables
//!   figures/                                                     drawn from them
//!   runs/<id>/record.json           settings, outcome, tables: the same bytes on every execution
//!   runs/<id>/timings.json          wall clock, epoch by epoch
//!   runs/<id>/provenance.json       version, machine, command
//!   runs/<id>/final.safetensors     trained parameters
//!   runs/.tmp-<id>-<token>/         a run being written
//!   runs/.work/<id>.safetensors     checkpoint of a run under way
//!   runs/.work/<id>.claim           who is at it
//!   runs/.failed/<id>.json          why it failed
//!   runs/.trained/<id>              the run with instruments whose training is that of run <id>
//!   runs/.kept/<id>/                what instruments keep of the training of run <id>
//!   runs/.aside/                    damaged or conflicting records, kept for inspection
//! ```

use std::path::{Path, PathBuf};

use crate::run_id::RunId;

/// The paths of one experiment's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunPaths {
    root: PathBuf,
}

impl RunPaths {
    /// The folder `root` itself, for example `results/quickstart`.
    pub fn new(root: impl Into<PathBuf>) -> RunPaths {
        RunPaths { root: root.into() }
    }

    /// The folder of the experiment.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The Parquet file of a table.
    pub fn table(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.parquet"))
    }

    /// Folder of the figures.
    pub fn figures(&self) -> PathBuf {
        self.root.join("figures")
    }

    /// Folder of all runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Folder of a finished run.
    pub fn run(&self, id: &RunId) -> PathBuf {
        self.runs().join(id.as_str())
    }

    /// Settings, outcome and tables of a finished run.
    pub fn record(&self, id: &RunId) -> PathBuf {
        record_in(&self.run(id))
    }

    /// Wall clock of a finished run.
    pub fn timings(&self, id: &RunId) -> PathBuf {
        timings_in(&self.run(id))
    }

    /// Provenance of a finished run.
    pub fn provenance(&self, id: &RunId) -> PathBuf {
        provenance_in(&self.run(id))
    }

    /// Trained parameters of a finished run.
    pub fn parameters(&self, id: &RunId) -> PathBuf {
        parameters_in(&self.run(id))
    }

    /// Folder of checkpoints and claims.
    pub fn work(&self) -> PathBuf {
        self.runs().join(".work")
    }

    /// Checkpoint of a run under way.
    pub fn checkpoint(&self, id: &RunId) -> PathBuf {
        self.work().join(format!("{id}.safetensors"))
    }

    /// Claim on a run under way.
    pub fn claim(&self, id: &RunId) -> PathBuf {
        self.work().join(format!("{id}.claim"))
    }

    /// Folder of failures.
    pub fn failures(&self) -> PathBuf {
        self.runs().join(".failed")
    }

    /// Why a run failed.
    pub fn failure(&self, id: &RunId) -> PathBuf {
        self.failures().join(format!("{id}.json"))
    }

    /// Folder of notes on who was trained how.
    pub fn trained(&self) -> PathBuf {
        self.runs().join(".trained")
    }

    /// Folder of what instruments keep for every run with the training `id`.
    pub fn kept(&self, id: &RunId) -> PathBuf {
        self.runs().join(".kept").join(id.as_str())
    }

    /// Folder of damaged or conflicting records.
    pub fn aside(&self) -> PathBuf {
        self.runs().join(".aside")
    }

    /// Where a run's folder is written before it is renamed into its place.
    pub(crate) fn temporary(&self, id: &RunId, token: &str) -> PathBuf {
        self.runs().join(format!("{TEMPORARY}{id}-{token}"))
    }
}

/// How the names of unfinished folders begin.
pub(crate) const TEMPORARY: &str = ".tmp-";

pub(crate) fn record_in(folder: &Path) -> PathBuf {
    folder.join("record.json")
}

pub(crate) fn timings_in(folder: &Path) -> PathBuf {
    folder.join("timings.json")
}

pub(crate) fn provenance_in(folder: &Path) -> PathBuf {
    folder.join("provenance.json")
}

pub(crate) fn parameters_in(folder: &Path) -> PathBuf {
    folder.join("final.safetensors")
}
