//! The plan of an experiment: every run, resolved and checked.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{PlanOptions, SweepError};

/// All that is known of an experiment before it runs.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The experiment.
    pub experiment: Experiment,
    /// Its runs, in the order of the tables.
    pub runs: Vec<Run>,
    /// Remarks for the reader: duplicates dropped, excludes that match nothing, missing data.
    pub notes: Vec<String>,
}

/// The part of an experiment that is no run.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Name; its results go to `OUT/NAME`.
    pub name: String,
    /// The file it was read from.
    pub file: PathBuf,
    /// Title, claim, source, expectation and cost, where given.
    pub about: Vec<(String, String)>,
    /// The claim judged at the end, if any.
    pub verdict: Option<String>,
    /// Overrides that were applied.
    pub overrides: Vec<String>,
}

/// One training run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Hash of the resolved configuration: 16 hexadecimal digits.
    pub id: String,
    /// Human name: what varies in the sweep, `depth=56,residual=true,seed=0`.
    pub name: String,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// The resolved configuration, as it is hashed.
    pub config: serde_json::Value,
}

/// How long it will take, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// `measured on 12 finished runs`, `calibrated`, ...
    pub from: String,
}

impl Plan {
    /// The runs selected by `--only`: exact name, id (or its beginning), or parts of the name.
    pub fn select(&self, _only: Option<&str>) -> Result<Vec<usize>, SweepError> {
        Ok(Vec::new())
    }

    /// Estimated time of what is left to do in the folder.
    pub fn estimate(&self, _out: &Path, _threads: Option<usize>) -> Estimate {
        Estimate {
            seconds: 0.0,
            from: String::new(),
        }
    }

    /// The plan as JSON: experiment, notes, runs with ids, names and resolved settings.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// `reslab plan`: one line a run.
impl fmt::Display for Plan {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// Reads, expands, resolves and checks an experiment file.
pub fn load(path: &Path, _options: &PlanOptions) -> Result<Plan, SweepError> {
    load_text(&path.display().to_string(), "", _options)
}

/// The same from text; `file` is named in messages.
pub fn load_text(_file: &str, _text: &str, _options: &PlanOptions) -> Result<Plan, SweepError> {
    Err(SweepError::System {
        message: "Planning is not there yet.".into(),
    })
}
