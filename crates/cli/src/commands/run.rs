//! `reslab run`: check every file, train what is missing, say what came of it.

use std::collections::BTreeMap;

use reslab_sweep::{MissingData, Plan, Report, RunOptions};

use super::{ending, figures, plan};
use crate::arguments::RunArguments;
use crate::interrupt;
use crate::message::{self, Ending, Failure};
use crate::output::{count, duration};
use crate::progress::Progress;

/// Runs the experiments one after the other. Nothing starts unless all of them are sound.
pub fn run(arguments: &RunArguments) -> Result<Ending, Failure> {
    let plans = plan::load_all(
        &arguments.files,
        &arguments.overrides.set,
        MissingData::Refuse,
    )?;
    refuse_shared_names(&plans)?;
    let options = options(arguments);
    for plan in &plans {
        // A misspelt --only is better told before the first experiment than before the second.
        plan.select(options.only.as_deref())
            .map_err(|error| Failure::from_error(&error))?;
    }
    if arguments.dry_run {
        for plan in &plans {
            plan::show(plan, &options.out, options.threads)?;
        }
        return Ok(Ending::Well);
    }
    let stop = interrupt::listen()?;
    let mut worst = Ending::Well;
    for plan in &plans {
        if !arguments.quiet {
            plan::tell_notes(plan);
        }
        let progress = Progress::new(&plan.experiment.name, arguments.quiet, arguments.json);
        let report = reslab_sweep::execute(plan, &options, &|event| progress.show(&event), stop);
        progress.finish()?;
        let report = report.map_err(|error| Failure::from_error(&error))?;
        worst = worst.and(close(plan, arguments, &report)?);
        if report.interrupted || (arguments.fail_fast && !report.failures.is_empty()) {
            break;
        }
    }
    Ok(worst)
}

fn options(arguments: &RunArguments) -> RunOptions {
    RunOptions {
        jobs: arguments.jobs,
        threads: arguments.threads,
        out: arguments.place.out.clone(),
        only: arguments.only.clone(),
        fail_fast: arguments.fail_fast,
        retry_failed: arguments.retry_failed,
        command: std::env::args().collect::<Vec<_>>().join(" "),
        ..RunOptions::default()
    }
}

/// Two experiments of one name would write each other's tables.
fn refuse_shared_names(plans: &[Plan]) -> Result<(), Failure> {
    let mut files = BTreeMap::new();
    for plan in plans {
        let experiment = &plan.experiment;
        if let Some(first) = files.insert(&experiment.name, &experiment.file) {
            return Err(Failure::Input(format!(
                "{} and {} are both called {}: their results would be mixed. \
                 Give one of them another name.",
                first.display(),
                experiment.file.display(),
                experiment.name
            )));
        }
    }
    Ok(())
}

/// What is said and drawn after the last run of an experiment.
fn close(plan: &Plan, arguments: &RunArguments, report: &Report) -> Result<Ending, Failure> {
    interrupt::nothing_left_to_stop();
    if report.interrupted {
        message::say(interrupt::HOW_TO_CONTINUE);
        return Ok(Ending::Interrupted);
    }
    let drawing = if arguments.no_figures || report.tables.is_empty() {
        None
    } else {
        // The runs are safe: a figure that cannot be drawn is no reason to call them failed.
        figures::draw(&report.folder)
            .inspect_err(|failure| message::warning(&format!("no figures: {failure}")))
            .ok()
    };
    if !arguments.quiet {
        ending::tell(plan, report, drawing.as_ref());
    }
    if report.failures.is_empty() {
        return Ok(Ending::Well);
    }
    if !arguments.quiet {
        let failed = count(report.failures.len(), "run");
        message::warning(&format!("{failed} failed; --retry-failed tries again"));
    }
    Ok(Ending::SomeRunsFailed)
}

/// `24 runs in 41 s: 23 finished, 1 diverged`.
pub(super) fn totals(report: &Report) -> String {
    let done = report.finished + report.diverged;
    let mut text = format!("{} done", count(done, "run"));
    if report.reused > 0 {
        text.push_str(&format!(" ({} before)", report.reused));
    }
    text.push_str(&format!(" in {}", duration(report.seconds)));
    let others = [
        (report.diverged, "diverged"),
        (report.failures.len(), "failed"),
        (report.left, "left"),
    ];
    for (number, word) in others.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!(", {number} {word}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_name_only_what_happened() {
        let mut report = Report {
            finished: 24,
            seconds: 41.0,
            ..Report::default()
        };
        assert_eq!(totals(&report), "24 runs done in 41 s");
        report.reused = 20;
        report.diverged = 1;
        report.left = 2;
        assert_eq!(
            totals(&report),
            "25 runs done (20 before) in 41 s, 1 diverged, 2 left"
        );
    }
}
