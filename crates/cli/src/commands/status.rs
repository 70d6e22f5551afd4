//! `reslab status`: how far an experiment is.

use std::path::Path;

use reslab_sweep::{MissingData, RunState, Status};
use serde_json::json;

use super::{plan, stored};
use crate::arguments::StatusArguments;
use crate::message::{Ending, Failure};
use crate::output::{self, count};

/// Counts the runs of a file or of a results folder, and lists them.
pub fn status(arguments: &StatusArguments) -> Result<Ending, Failure> {
    let target = &arguments.target;
    if target.is_dir() {
        of_folder(target, arguments.json)?;
    } else {
        let plan = plan::load(target, &arguments.overrides.set, MissingData::Note)?;
        let status = reslab_sweep::status(&plan, &arguments.place.out)
            .map_err(|error| Failure::from_error(&error))?;
        if arguments.json {
            output::print(&format!("{:#}\n", json!(status)))?;
        } else {
            output::print(&in_words(&status))?;
        }
    }
    Ok(Ending::Well)
}

/// One line a run, and the counts.
fn in_words(status: &Status) -> String {
    let widest = |text: fn(&reslab_sweep::RunStatus) -> usize| {
        status.runs.iter().map(text).max().unwrap_or(0)
    };
    let names = widest(|run| run.name.chars().count());
    let mut text = String::new();
    for run in &status.runs {
        let line = format!(
            "{}  {:names$}  {:11}  {}",
            run.id,
            run.name,
            word(run.state),
            run.detail
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let counts = [
        (status.finished, "finished"),
        (status.diverged, "diverged"),
        (status.failed, "failed"),
        (status.running, "running"),
        (status.waiting, "waiting"),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let planned = count(status.planned, "run");
    text.push_str(&format!(
        "{}: {planned}, {}\n",
        status.experiment,
        counts.join(", ")
    ));
    text
}

fn word(state: RunState) -> &'static str {
    match state {
        RunState::Finished => "finished",
        RunState::Diverged => "diverged",
        RunState::Failed => "failed",
        RunState::Running => "running",
        RunState::Interrupted => "interrupted",
        RunState::Waiting => "waiting",
    }
}

/// The runs that left a trace in a results folder. Without the experiment file their names and the
/// runs not begun are unknown.
fn of_folder(folder: &Path, as_json: bool) -> Result<(), Failure> {
    let runs = stored::ids(folder)
        .into_iter()
        .map(|id| stored::read(folder, id))
        .collect::<Result<Vec<_>, Failure>>()?;
    if runs.is_empty() {
        return Err(Failure::Input(format!(
            "{} holds no runs. Give the results folder of an experiment, such as \
             results/quickstart, or an experiment file.",
            folder.display()
        )));
    }
    let states = [
        "finished",
        "diverged",
        "damaged",
        "failed",
        "running",
        "interrupted",
        "waiting",
    ];
    let count_of = |state| runs.iter().filter(|run| run.state == state).count();
    if as_json {
        let list: Vec<_> = runs
            .iter()
            .map(|run| json!({"id": run.id.as_str(), "state": run.state, "detail": run.detail}))
            .collect();
        let mut object = json!({"folder": folder.display().to_string(), "runs": list});
        for state in states {
            object[state] = count_of(state).into();
        }
        return output::print(&format!("{object:#}\n"));
    }
    let mut text = String::new();
    for run in &runs {
        let line = format!("{}  {:11}  {}", run.id, run.state, run.detail);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let counts: Vec<String> = states
        .into_iter()
        .filter(|state| count_of(state) > 0)
        .map(|state| format!("{} {state}", count_of(state)))
        .collect();
    let known = count(runs.len(), "run");
    text.push_str(&format!(
        "{}: {known}, {}\n",
        folder.display(),
        counts.join(", ")
    ));
    output::print(&text)
}
