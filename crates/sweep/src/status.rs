//! What a results folder holds of a plan.

use std::path::Path;

use reslab_results::{Lookup, RunState as Stored, Store};
use serde::Serialize;

use crate::options::folder;
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

/// Counts what the folder `out/NAME` holds of a plan. Changes nothing there.
pub fn status(plan: &Plan, out: &Path) -> Result<Status, SweepError> {
    let store = Store::existing(folder(out, &plan.experiment.name));
    let mut status = Status {
        experiment: plan.experiment.name.clone(),
        planned: plan.runs.len(),
        finished: 0,
        diverged: 0,
        failed: 0,
        running: 0,
        waiting: 0,
        runs: Vec::with_capacity(plan.runs.len()),
    };
    for run in &plan.runs {
        let (state, detail) = match store.state(&run.id)? {
            Stored::Finished => finished(&store, &run.id)?,
            Stored::Failed(failure) => (RunState::Failed, failure.message),
            Stored::Running => (RunState::Running, String::new()),
            Stored::Interrupted => (RunState::Interrupted, "has a checkpoint".to_owned()),
            Stored::Missing => (RunState::Waiting, String::new()),
        };
        *match state {
            RunState::Finished => &mut status.finished,
            RunState::Diverged => &mut status.diverged,
            RunState::Failed => &mut status.failed,
            RunState::Running => &mut status.running,
            RunState::Interrupted | RunState::Waiting => &mut status.waiting,
        } += 1;
        let (name, id) = (run.name.clone(), run.id.to_string());
        status.runs.push(RunStatus {
            name,
            id,
            state,
            detail,
        });
    }
    Ok(status)
}

fn finished(store: &Store, id: &reslab_results::RunId) -> Result<(RunState, String), SweepError> {
    Ok(match store.lookup(id)? {
        Lookup::Finished(record) => match &record.outcome {
            reslab_results::Outcome::Diverged { step, epoch } => (
                RunState::Diverged,
                format!("at step {step}, in epoch {epoch}"),
            ),
            reslab_results::Outcome::Finished => (RunState::Finished, String::new()),
        },
        Lookup::Damaged(message) => (RunState::Waiting, message),
        Lookup::Failed(failure) => (RunState::Failed, failure.message),
        Lookup::Absent => (RunState::Waiting, String::new()),
    })
}
