//! `reslab plan` and `reslab validate`: an experiment before it runs.

use std::path::{Path, PathBuf};

use reslab_sweep::{MissingData, Plan, PlanOptions, Run, RunState, estimate};

use crate::arguments::{PlanArguments, ValidateArguments};
use crate::message::{self, Ending, Failure};
use crate::output::{self, count, duration};

/// Reads every file, and tells the mistakes of all before giving up.
pub fn load_all(
    files: &[PathBuf],
    overrides: &[String],
    missing_data: MissingData,
) -> Result<Vec<Plan>, Failure> {
    let options = PlanOptions {
        overrides: overrides.to_vec(),
        missing_data,
    };
    let mut plans = Vec::new();
    let mut mistakes = Vec::new();
    for file in files {
        match reslab_sweep::load(file, &options) {
            Ok(plan) => plans.push(plan),
            Err(error) => mistakes.push(Failure::from_error(&error)),
        }
    }
    let Some(last) = mistakes.pop() else {
        return Ok(plans);
    };
    for mistake in mistakes {
        mistake.report();
    }
    Err(last)
}

/// Reads one file.
pub fn load(file: &Path, overrides: &[String], missing_data: MissingData) -> Result<Plan, Failure> {
    let options = PlanOptions {
        overrides: overrides.to_vec(),
        missing_data,
    };
    reslab_sweep::load(file, &options).map_err(|error| Failure::from_error(&error))
}

/// Shows the runs of a file, how many are done, and how long the others take.
pub fn plan(arguments: &PlanArguments) -> Result<Ending, Failure> {
    let plan = load(&arguments.file, &arguments.overrides.set, MissingData::Note)?;
    if arguments.json {
        output::print(&format!("{:#}\n", plan.to_json()))?;
    } else {
        show(&plan, &arguments.place.out, None)?;
    }
    Ok(Ending::Well)
}

/// Prints a plan: its runs, what is done, the time of the rest.
pub fn show(plan: &Plan, out: &Path, threads: Option<usize>) -> Result<(), Failure> {
    let status = reslab_sweep::status(plan, out).map_err(|error| Failure::from_error(&error))?;
    let left: Vec<&Run> = plan
        .runs
        .iter()
        .zip(&status.runs)
        .filter(|(_, run)| !matches!(run.state, RunState::Finished | RunState::Diverged))
        .map(|(run, _)| run)
        .collect();
    let text = plan.to_string();
    let mut text = text.trim_end().to_owned();
    let done = plan.runs.len() - left.len();
    text.push_str(&format!(
        "\n\n{}, {done} done",
        count(plan.runs.len(), "run")
    ));
    if !left.is_empty() {
        let folder = reslab_sweep::folder(out, &plan.experiment.name);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let rate = estimate::rate(plan, &folder);
        let estimate = estimate::estimate(&left, threads.unwrap_or(cores), &rate);
        // Without the data nobody knows how many samples an epoch has.
        let known = left.iter().all(|run| run.multiply_adds > 0.0);
        let time = if known {
            format!("about {} ({})", duration(estimate.seconds), estimate.from)
        } else {
            "the time can be told once the data are there".to_owned()
        };
        text.push_str(&format!(", {} to do: {time}", left.len()));
    }
    text.push('\n');
    output::print(&text)
}

/// Checks files without running them.
pub fn validate(arguments: &ValidateArguments) -> Result<Ending, Failure> {
    let plans = load_all(
        &arguments.files,
        &arguments.overrides.set,
        MissingData::Note,
    )?;
    for plan in &plans {
        tell_notes(plan);
        let file = plan.experiment.file.display();
        output::print(&format!(
            "{file}: valid, {}\n",
            count(plan.runs.len(), "run")
        ))?;
    }
    Ok(Ending::Well)
}

/// What the reader of a file should know although nothing is wrong.
pub fn tell_notes(plan: &Plan) {
    for note in &plan.notes {
        message::warning(note);
    }
}
