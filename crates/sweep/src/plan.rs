//! The plan of an experiment: every run, resolved and checked.

use std::fmt;
use std::path::PathBuf;

use reslab_results::RunId;
use serde_json::{Value as Json, json};

use crate::SweepError;
use crate::file::nearest::nearest;
use crate::resolve::RunConfig;

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
    /// Hash of the resolved configuration.
    pub id: RunId,
    /// Human name: what varies in the sweep, `depth=56,residual=true,seed=0`.
    pub name: String,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// Multiply-adds of the whole run; 0 if the data are not there to count.
    pub multiply_adds: f64,
    /// Training samples; 0 if the data are not there to count.
    pub train_len: usize,
    /// The resolved configuration.
    pub config: RunConfig,
    /// The same as it is stored and hashed.
    pub identity: Json,
}

impl Plan {
    /// The runs that `--only` selects: all of them without it; else the run of this name or id
    /// (or beginning of an id, 4 digits at least), or all runs with these parts of a name
    /// (`depth=56,seed=0`).
    pub fn select(&self, only: Option<&str>) -> Result<Vec<usize>, SweepError> {
        let Some(wanted) = only else {
            return Ok((0..self.runs.len()).collect());
        };
        let pick = |test: &dyn Fn(&Run) -> bool| -> Vec<usize> {
            (0..self.runs.len())
                .filter(|&i| test(&self.runs[i]))
                .collect()
        };
        let exact = pick(&|run| run.name == wanted || run.id.to_string() == wanted);
        if !exact.is_empty() {
            return Ok(exact);
        }
        let by_id = pick(&|run| wanted.len() >= 4 && run.id.to_string().starts_with(wanted));
        if by_id.len() == 1 {
            return Ok(by_id);
        }
        let parts: Vec<&str> = wanted.split(',').map(str::trim).collect();
        let has = |run: &Run, part: &str| run.name.split(',').any(|own| own == part);
        let by_parts = pick(&|run| parts.iter().all(|part| has(run, part)));
        if by_parts.is_empty() {
            return Err(self.unknown_run(wanted));
        }
        Ok(by_parts)
    }

    /// The one run of a name or id.
    pub fn find(&self, wanted: &str) -> Result<&Run, SweepError> {
        let found = self.select(Some(wanted))?;
        match found.as_slice() {
            [one] => Ok(&self.runs[*one]),
            several => Err(SweepError::UnknownRun {
                name: wanted.to_owned(),
                hint: format!(
                    "{} runs have this in their names; the first is `{}`.",
                    several.len(),
                    several.first().map_or("", |&i| &self.runs[i].name)
                ),
            }),
        }
    }

    fn unknown_run(&self, wanted: &str) -> SweepError {
        let names: Vec<String> = self.runs.iter().map(|run| run.name.clone()).collect();
        let hint = match nearest(wanted, &names) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => {
                let first: Vec<String> = names.iter().take(3).map(|n| format!("`{n}`")).collect();
                format!(
                    "Runs are called {}{}.",
                    first.join(", "),
                    if names.len() > 3 { ", …" } else { "" }
                )
            }
        };
        SweepError::UnknownRun {
            name: wanted.to_owned(),
            hint,
        }
    }

    /// The plan as JSON: experiment, notes, runs with ids, names and resolved settings.
    pub fn to_json(&self) -> Json {
        let about: serde_json::Map<String, Json> = self
            .experiment
            .about
            .iter()
            .map(|(key, text)| (key.clone(), json!(text)))
            .collect();
        let run = |run: &Run| {
            json!({
                "id": run.id.to_string(),
                "name": run.name,
                "seed": run.seed,
                "multiply_adds": run.multiply_adds,
                "config": run.identity,
            })
        };
        json!({
            "experiment": self.experiment.name,
            "file": self.experiment.file.display().to_string(),
            "about": about,
            "verdict": self.experiment.verdict,
            "overrides": self.experiment.overrides,
            "notes": self.notes,
            "runs": self.runs.iter().map(run).collect::<Vec<_>>(),
        })
    }
}

/// `reslab plan`: one line a run.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.runs.len();
        let noun = if count == 1 { "run" } else { "runs" };
        writeln!(f, "{}: {count} {noun}", self.experiment.name)?;
        let widest = self
            .runs
            .iter()
            .map(|run| run.name.chars().count())
            .max()
            .unwrap_or(0);
        for run in &self.runs {
            write!(f, "  {}  {:widest$}", run.id, run.name)?;
            if run.multiply_adds > 0.0 {
                write!(f, "  {:>9.2e} multiply-adds", run.multiply_adds)?;
            }
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
