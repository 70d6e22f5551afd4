//! Executing a plan: what is done already, what is left, who does it, and the tables at the end.
//!
//! Many runs are done side by side, one thread each; few runs have the threads inside. The store
//! decides what is done; claims keep two processes from doing the same run; a run that fails ends
//! alone. Nothing here depends on the order in which runs happen to end.

mod datasets;
mod probe;
mod queue;
mod recorder;
mod reuse;
mod run;
pub mod schedule;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use reslab_nn::data::DataName;
use reslab_results::{Lookup, RunId, Store, Table, collect};

use crate::estimate::{Estimate, estimate, rate};
use crate::options::{Failure, Report, RunOptions};
use crate::plan::{Plan, Run};
use crate::{Event, SweepError};
use datasets::Datasets;
use run::{End, RunContext};
use schedule::Layout;

/// What the events go to.
pub type Sink<'a> = &'a (dyn Fn(Event) + Sync);

/// Executes a plan, or what is left of it. `stop` set to true ends it within a second, or the
/// time of one training step, and loses nothing that was finished.
pub fn execute(
    plan: &Plan,
    options: &RunOptions,
    sink: Sink<'_>,
    stop: &AtomicBool,
) -> Result<Report, SweepError> {
    let datasets = Datasets::default();
    load_data(plan, options, &datasets)?;
    let runner = |context: &RunContext<'_>| run::run(context, &datasets);
    execute_with(plan, options, sink, stop, &datasets, &runner)
}

/// Reads the data of all runs to do, so that damaged data are told before the first of them.
fn load_data(plan: &Plan, options: &RunOptions, datasets: &Datasets) -> Result<(), SweepError> {
    let store = Store::existing(options.folder(&plan.experiment.name));
    for index in plan.select(options.only.as_deref())? {
        let run = &plan.runs[index];
        if !store.is_finished(&run.id) {
            datasets
                .get(&run.config.data)
                .map_err(|message| SweepError::Data { message })?;
        }
    }
    Ok(())
}

/// How one run is done. Tests put in runners that fail.
type Runner<'a> = &'a (dyn Fn(&RunContext<'_>) -> Result<End, String> + Sync);

fn execute_with(
    plan: &Plan,
    options: &RunOptions,
    sink: Sink<'_>,
    stop: &AtomicBool,
    datasets: &Datasets,
    runner: Runner<'_>,
) -> Result<Report, SweepError> {
    let started = Instant::now();
    let selected = plan.select(options.only.as_deref())?;
    let folder = options.folder(&plan.experiment.name);
    let store = Store::open(&folder)?;
    let survey = Survey::of(plan, &selected, &store, options, datasets)?;
    let layout = Layout::of(options.jobs, options.threads, survey.to_do.len());

    announce(plan, &survey, &layout, &store, sink);
    let ends = workers::work(&workers::Work {
        plan,
        options,
        store: &store,
        layout,
        sink,
        stop,
        runner,
        to_do: &survey.to_do,
    })?;

    let ids: Vec<RunId> = plan.runs.iter().map(|run| run.id.clone()).collect();
    let collected = collect(&store, &plan.experiment.name, &ids)?;
    let mut report = Report {
        folder,
        reused: survey.done.len(),
        interrupted: ends.interrupted,
        tables: collected.files,
        seconds: started.elapsed().as_secs_f64(),
        ..Report::default()
    };
    count(plan, &selected, &store, &collected.runs, &mut report)?;
    if report.interrupted {
        let complete = report.finished + report.diverged;
        sink(Event::Interrupted {
            complete,
            left: report.left,
        });
    }
    sink(Event::Done {
        finished: report.finished,
        diverged: report.diverged,
        failed: report.failures.len(),
        seconds: report.seconds,
    });
    Ok(report)
}

/// What the store has of the selected runs.
struct Survey {
    /// Complete: place in the plan and status.
    done: Vec<(usize, &'static str)>,
    /// Failed before, and not to be done again.
    failed: Vec<(usize, String)>,
    /// To do.
    to_do: Vec<usize>,
}

impl Survey {
    fn of(
        plan: &Plan,
        selected: &[usize],
        store: &Store,
        options: &RunOptions,
        datasets: &Datasets,
    ) -> Result<Self, SweepError> {
        let mut survey = Self {
            done: Vec::new(),
            failed: Vec::new(),
            to_do: Vec::new(),
        };
        for &index in selected {
            match store.lookup(&plan.runs[index].id)? {
                Lookup::Finished(record) => {
                    same_data(
                        &plan.runs[index],
                        &record.metrics.dataset_checksum,
                        datasets,
                    )?;
                    survey.done.push((index, status(&record.outcome)));
                }
                Lookup::Failed(failure) if !options.retry_failed => {
                    survey.failed.push((index, failure.message));
                }
                _ => survey.to_do.push(index),
            }
        }
        Ok(survey)
    }
}

/// A run's identity does not say where its data lie. Official data sets are what they are, but
/// an image folder may hold other images than when the stored run was done.
fn same_data(run: &Run, stored: &str, datasets: &Datasets) -> Result<(), SweepError> {
    if run.config.data.name != DataName::ImageFolder {
        return Ok(());
    }
    let store = |message| SweepError::Store { message };
    let dataset = datasets.get(&run.config.data).map_err(store)?;
    if dataset.checksum == stored {
        return Ok(());
    }
    Err(store(format!(
        "the stored run `{}` was done on other images than those now in the folder \
         (SHA-256 {stored} then, {} now). Give the experiment another name, or --out.",
        run.name, dataset.checksum
    )))
}

/// The word for how a run ended.
pub(crate) fn status(outcome: &reslab_results::Outcome) -> &'static str {
    match outcome {
        reslab_results::Outcome::Finished => "finished",
        reslab_results::Outcome::Diverged { .. } => "diverged",
    }
}

fn announce(plan: &Plan, survey: &Survey, layout: &Layout, store: &Store, sink: Sink<'_>) {
    let left: Vec<&Run> = survey
        .to_do
        .iter()
        .map(|&index| &plan.runs[index])
        .collect();
    let threads = layout.jobs * layout.threads_per_run;
    let estimate = match left.as_slice() {
        [] => Estimate {
            seconds: 0.0,
            from: "nothing is left to do".to_owned(),
        },
        left => estimate(left, threads, &rate(plan, store.paths().root())),
    };
    sink(Event::Planned {
        experiment: plan.experiment.name.clone(),
        runs: survey.done.len() + survey.failed.len() + survey.to_do.len(),
        reused: survey.done.len(),
        failed_before: survey.failed.len(),
        to_do: survey.to_do.len(),
        jobs: layout.jobs,
        threads_per_run: layout.threads_per_run,
        estimated_seconds: estimate.seconds,
        estimated_from: estimate.from,
    });
    let name = |run: usize| plan.runs[run].name.clone();
    for &(run, status) in &survey.done {
        sink(Event::RunReused {
            run,
            name: name(run),
            status: status.to_owned(),
        });
    }
    for (run, message) in &survey.failed {
        let (run, message) = (*run, message.clone());
        sink(Event::RunFailed {
            run,
            name: name(run),
            message,
            earlier: true,
        });
    }
}

/// Counts what is in the tables, whoever did the runs.
fn count(
    plan: &Plan,
    selected: &[usize],
    store: &Store,
    runs: &Table,
    report: &mut Report,
) -> Result<(), SweepError> {
    let status: HashMap<&str, &str> = (0..runs.len())
        .filter_map(|row| Some((runs.text(row, "run_id")?, runs.text(row, "status")?)))
        .collect();
    for &index in selected {
        let run = &plan.runs[index];
        match status.get(run.id.as_str()).copied() {
            Some("finished") => report.finished += 1,
            Some("diverged") => report.diverged += 1,
            Some(_) => report.failures.push(Failure {
                name: run.name.clone(),
                id: run.id.to_string(),
                message: store
                    .failure(&run.id)?
                    .map(|f| f.message)
                    .unwrap_or_default(),
            }),
            None => report.left += 1,
        }
    }
    Ok(())
}
