//! Why a run is, or is not, taken from the store.

use std::fmt;
use std::path::Path;

use reslab_results::{Lookup, Outcome, RunId, RunState, Store};
use serde::Serialize;

use crate::SweepError;
use crate::flatten::{Difference, differences};
use crate::options::folder;
use crate::plan::{Plan, Run};

/// Why a run is, or is not, taken from the store.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// Name of the run.
    pub name: String,
    /// Id of the run.
    pub id: String,
    /// Whether the store has it.
    pub stored: bool,
    /// One or two sentences.
    pub reason: String,
    /// The stored run that is most like it, if it is not stored itself.
    pub nearest: Option<Nearest>,
}

/// A stored run and in what it differs.
#[derive(Debug, Clone, Serialize)]
pub struct Nearest {
    /// Id of the stored run.
    pub id: String,
    /// Name it has in the plan, if it is still in it.
    pub name: Option<String>,
    /// Settings that differ; `here` is the run explained, `there` the stored one.
    pub differences: Vec<Difference>,
}

/// Says why a run (by name or id) is, or is not, taken from the store.
pub fn explain(plan: &Plan, out: &Path, run: &str) -> Result<Explanation, SweepError> {
    let run = plan.find(run)?;
    let store = Store::existing(folder(out, &plan.experiment.name));
    let stored = match store.lookup(&run.id)? {
        Lookup::Finished(record) => Some(record.outcome),
        _ => None,
    };
    let reason = match &stored {
        Some(outcome) => taken(&store, run, outcome),
        None => not_taken(&store, run)?,
    };
    let nearest = if stored.is_none() {
        nearest(plan, &store, run)?
    } else {
        None
    };
    Ok(Explanation {
        name: run.name.clone(),
        id: run.id.to_string(),
        stored: stored.is_some(),
        reason,
        nearest,
    })
}

fn taken(store: &Store, run: &Run, outcome: &Outcome) -> String {
    let place = store.paths().run(&run.id);
    let how = match outcome {
        Outcome::Finished => "It finished".to_owned(),
        Outcome::Diverged { step, epoch } => {
            format!("It diverged at step {step}, in epoch {epoch}, which is a result")
        }
    };
    format!(
        "{how} and is taken from {}: a run with exactly these settings is stored.",
        place.display()
    )
}

fn not_taken(store: &Store, run: &Run) -> Result<String, SweepError> {
    Ok(match store.state(&run.id)? {
        RunState::Failed(failure) => format!(
            "It failed at {} (attempt {}) and is not done again without --retry-failed: {}",
            failure.when, failure.attempts, failure.message
        ),
        RunState::Running => "Some process is working on it now.".to_owned(),
        RunState::Interrupted => "It was interrupted and goes on from its checkpoint.".to_owned(),
        RunState::Missing | RunState::Finished => {
            "It is to be done: no run with exactly these settings is stored.".to_owned()
        }
    })
}

/// The stored run with the fewest differences; the smallest id of several.
fn nearest(plan: &Plan, store: &Store, run: &Run) -> Result<Option<Nearest>, SweepError> {
    let mut best: Option<Nearest> = None;
    for id in stored_ids(store) {
        let Lookup::Finished(record) = store.lookup(&id)? else {
            continue;
        };
        let differences = differences(&run.identity, &record.config);
        if best
            .as_ref()
            .is_none_or(|best| differences.len() < best.differences.len())
        {
            let name = plan
                .runs
                .iter()
                .find(|run| run.id == id)
                .map(|run| run.name.clone());
            best = Some(Nearest {
                id: id.to_string(),
                name,
                differences,
            });
        }
    }
    Ok(best)
}

/// Ids of all finished runs of the folder, whether they are still planned or not, sorted.
fn stored_ids(store: &Store) -> Vec<RunId> {
    let Ok(entries) = std::fs::read_dir(store.paths().runs()) else {
        return Vec::new();
    };
    let id = |entry: std::fs::DirEntry| RunId::parse(&entry.file_name().to_string_lossy());
    let mut ids: Vec<RunId> = entries.flatten().filter_map(id).collect();
    ids.sort_by_key(RunId::to_string);
    ids
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.name, self.id)?;
        write!(f, "{}", self.reason)?;
        let Some(nearest) = &self.nearest else {
            return Ok(());
        };
        let name = nearest.name.as_deref().unwrap_or("no longer planned");
        write!(
            f,
            "\nThe stored run most like it is {} ({name}). It differs in:",
            nearest.id
        )?;
        let absent = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
        for difference in &nearest.differences {
            let (here, there) = (absent(&difference.here), absent(&difference.there));
            write!(f, "\n  {}: {here} here, {there} there", difference.setting)?;
        }
        Ok(())
    }
}
