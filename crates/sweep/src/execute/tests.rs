//! The sweep around the runs: failures, panics, interruption, retrying, two processes. Runners
//! are put in place of training, except where the bits themselves are at stake.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reslab_results::Store;

use super::{Datasets, End, RunContext, execute, execute_with};
use crate::options::{PlanOptions, Report, RunOptions};
use crate::plan::Plan;
use crate::{Event, RunState, load_text, status};

const TINY: &str = "\
name: tiny
data: {name: synthetic, synthetic: {train: 40, test: 12, dimensions: 5, classes: 3}}
model: {name: fc-resnet2, width: 6}
train: {epochs: 3, batch_size: 16, lr: 0.05}
seeds: 2
sweep: {grid: {model.residual: [true, false], train.lr: [0.05, 1e30]}}
";

fn tiny() -> Plan {
    load_text("tiny.yaml", TINY, &PlanOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn options(out: &Path) -> RunOptions {
    RunOptions {
        out: out.to_owned(),
        checkpoint_every: Duration::ZERO,
        ..RunOptions::default()
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn go(plan: &Plan, options: &RunOptions) -> Report {
    execute(plan, options, &|_| {}, &AtomicBool::new(false)).unwrap_or_else(|e| panic!("{e}"))
}

/// Bytes of the tables that must not depend on how the sweep went.
fn tables(out: &Path) -> Vec<Vec<u8>> {
    let read = |name: &str| {
        let path = out.join("tiny").join(format!("{name}.parquet"));
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    ["runs", "epochs", "layers"].map(read).to_vec()
}

#[test]
fn tables_do_not_depend_on_jobs_or_threads() {
    let plan = tiny();
    let reference = folder();
    let report = go(&plan, &options(reference.path()));
    assert_eq!((report.finished, report.diverged, report.left), (4, 4, 0));
    assert!(report.failures.is_empty());
    for (jobs, threads) in [(1, 1), (2, 2), (1, 5), (5, 5)] {
        let other = folder();
        let wishes = RunOptions {
            jobs: Some(jobs),
            threads: Some(threads),
            ..options(other.path())
        };
        go(&plan, &wishes);
        assert!(
            tables(other.path()) == tables(reference.path()),
            "{jobs} jobs, {threads} threads"
        );
    }
}

#[test]
fn interrupted_and_resumed_runs_end_in_the_same_bits() {
    let plan = tiny();
    let (whole, broken) = (folder(), folder());
    go(&plan, &options(whole.path()));
    let mut sessions = 0;
    loop {
        let stop = AtomicBool::new(false);
        // Each session is stopped after two measured epochs, wherever it is.
        let epochs = AtomicUsize::new(0);
        let sink = |event: Event| {
            if matches!(event, Event::Epoch { .. }) && epochs.fetch_add(1, Ordering::Relaxed) == 1 {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let options = options(broken.path());
        let report = execute(&plan, &options, &sink, &stop).unwrap_or_else(|e| panic!("{e}"));
        sessions += 1;
        assert!(sessions < 100, "it does not come to an end");
        if report.left == 0 {
            break;
        }
        assert!(report.interrupted);
    }
    assert!(sessions > 4, "{sessions}");
    assert!(tables(broken.path()) == tables(whole.path()));
}

#[test]
fn instruments_are_used_at_their_epochs_and_can_be_interrupted() {
    let probed =
        format!("{TINY}probes: {{lesion: {{epochs: [0, 2, 3], set: train, samples: 30}}}}\n");
    let plan = load_text("tiny.yaml", &probed, &PlanOptions::default()).expect("a plan");
    let lesions = |out: &Path| {
        let path = out.join("tiny/lesion.parquet");
        let table = reslab_results::parquet::read(&path).expect("a table");
        (table, std::fs::read(path).expect("a file"))
    };
    let (whole, broken) = (folder(), folder());
    go(&plan, &options(whole.path()));
    let (table, bytes) = lesions(whole.path());
    let epochs = table.distinct("epoch").expect("a column");
    assert_eq!(epochs, [0_i64, 2, 3].map(reslab_results::Cell::from));
    // Half of the runs diverge in their first epoch: those have epoch 0 only. Two blocks, and the
    // whole network, make three rows.
    assert_eq!(table.len(), 3 * (4 * 3 + 4));
    assert!(table.iter().all(|row| row.integer("total") == Some(30)));

    // Each session is stopped when an instrument is used after the last epoch.
    let mut sessions = 0;
    loop {
        let stop = AtomicBool::new(false);
        let resumed_at_the_end = AtomicBool::new(false);
        let sink = |event: Event| match event {
            Event::RunStarted { epochs_done: 3, .. } => {
                resumed_at_the_end.store(true, Ordering::Relaxed);
            }
            Event::Probe { epoch: 3, .. } if !resumed_at_the_end.load(Ordering::Relaxed) => {
                stop.store(true, Ordering::Relaxed);
            }
            _ => {}
        };
        let one_job = RunOptions {
            jobs: Some(1),
            ..options(broken.path())
        };
        let report = execute(&plan, &one_job, &sink, &stop).unwrap_or_else(|e| panic!("{e}"));
        sessions += 1;
        assert!(sessions < 20, "it does not come to an end");
        if report.left == 0 {
            break;
        }
    }
    assert!(sessions >= 2, "{sessions}");
    assert!(lesions(broken.path()).1 == bytes);
    assert!(tables(broken.path()) == tables(whole.path()));
}

#[test]
fn a_changed_instrument_costs_no_training() {
    let with = |probes: &str| {
        let text = format!("{TINY}{probes}");
        load_text("tiny.yaml", &text, &PlanOptions::default()).expect("a plan")
    };
    let first = "probes: {lesion: {samples: 10}}\n";
    let second = "probes: {lesion: {samples: 12, set: train}}\n";
    let anew = folder();
    go(&with(second), &options(anew.path()));
    for before in ["", first] {
        let out = folder();
        go(&with(before), &options(out.path()));
        let (steps, skipped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let sink = |event: Event| match event {
            // Steps of the runs that diverge: what they would be measured on is not there.
            Event::Epoch { epoch: 1.., .. } => {
                steps.fetch_add(1, Ordering::Relaxed);
            }
            Event::RunStarted { epochs_done: 3, .. } => {
                skipped.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        };
        let never = AtomicBool::new(false);
        let report = execute(&with(second), &options(out.path()), &sink, &never).expect("a sweep");
        assert_eq!((report.finished, report.diverged), (4, 4));
        assert_eq!(skipped.into_inner(), 4, "after {before:?}");
        assert_eq!(steps.into_inner(), 0, "after {before:?}");
        assert!(tables(out.path()) == tables(anew.path()));
        let lesions = |out: &Path| std::fs::read(out.join("tiny/lesion.parquet")).expect("a table");
        assert!(lesions(out.path()) == lesions(anew.path()));
    }
}

#[test]
fn a_second_execution_does_nothing() {
    let plan = tiny();
    let out = folder();
    go(&plan, &options(out.path()));
    let before = tables(out.path());
    let runner = |_: &RunContext<'_>| -> Result<End, String> { panic!("nothing is to be done") };
    let stop = AtomicBool::new(false);
    let report = execute_with(
        &plan,
        &options(out.path()),
        &|_| {},
        &stop,
        &Datasets::default(),
        &runner,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((report.reused, report.finished, report.diverged), (8, 4, 4));
    assert!(tables(out.path()) == before);
}

#[test]
fn a_failure_and_a_panic_end_alone_and_are_retried_on_request() {
    let plan = tiny();
    let out = folder();
    let stop = AtomicBool::new(false);
    let told = Mutex::new(Vec::new());
    let sink = |event: Event| {
        if let Event::RunFailed {
            run,
            message,
            earlier,
            ..
        } = event
        {
            told.lock().expect("the list").push((run, message, earlier));
        }
    };
    let datasets = Datasets::default();
    let runner = |context: &RunContext<'_>| match context.index {
        1 => Err("The disk is full.".to_owned()),
        2 => panic!("index out of bounds"),
        _ => super::run::run(context, &datasets),
    };
    let options = options(out.path());
    let report = execute_with(&plan, &options, &sink, &stop, &datasets, &runner).expect("a report");
    assert_eq!(
        (report.failures.len(), report.finished + report.diverged),
        (2, 6)
    );
    assert_eq!(report.failures[0].name, plan.runs[1].name);
    assert!(report.failures[1].message.contains("index out of bounds"));
    assert_eq!(told.lock().expect("the list").len(), 2);
    let state = status(&plan, out.path()).expect("a status");
    assert_eq!((state.failed, state.runs[1].state), (2, RunState::Failed));

    // Kept, told again, not done again.
    told.lock().expect("the list").clear();
    let report = execute_with(&plan, &options, &sink, &stop, &datasets, &runner).expect("a report");
    assert_eq!(report.failures.len(), 2);
    assert!(
        told.lock()
            .expect("the list")
            .iter()
            .all(|(_, _, earlier)| *earlier)
    );

    let retry = RunOptions {
        retry_failed: true,
        ..options
    };
    let report = go(&plan, &retry);
    assert_eq!((report.failures.len(), report.left), (0, 0));
    let whole = folder();
    go(
        &plan,
        &RunOptions {
            out: whole.path().to_owned(),
            ..retry
        },
    );
    assert!(tables(out.path()) == tables(whole.path()));
}

#[test]
fn fail_fast_starts_nothing_more() {
    let plan = tiny();
    let out = folder();
    let begun = AtomicUsize::new(0);
    let runner = |_: &RunContext<'_>| -> Result<End, String> {
        begun.fetch_add(1, Ordering::Relaxed);
        Err("It failed.".to_owned())
    };
    let options = RunOptions {
        fail_fast: true,
        jobs: Some(1),
        ..options(out.path())
    };
    let stop = AtomicBool::new(false);
    let report = execute_with(
        &plan,
        &options,
        &|_| {},
        &stop,
        &Datasets::default(),
        &runner,
    )
    .expect("a report");
    assert_eq!(
        (begun.into_inner(), report.failures.len(), report.left),
        (1, 1, 7)
    );
}

#[test]
fn two_sweeps_in_one_folder_share_the_work() {
    let plan = tiny();
    let (shared, alone) = (folder(), folder());
    let done = AtomicUsize::new(0);
    let count = |event: Event| {
        if matches!(event, Event::RunFinished { .. } | Event::RunDiverged { .. }) {
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let options = RunOptions {
        jobs: Some(1),
        ..options(shared.path())
    };
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let run = || execute(&plan, &options, &count, &stop).map(|report| report.left);
        let (first, second) = (scope.spawn(run), scope.spawn(run));
        for process in [first, second] {
            let left = process
                .join()
                .expect("no panic")
                .unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(left, 0, "each waits for what the other is at");
        }
    });
    assert_eq!(done.into_inner(), 8, "no run is done twice");
    go(
        &plan,
        &RunOptions {
            out: alone.path().to_owned(),
            ..options
        },
    );
    assert!(tables(shared.path()) == tables(alone.path()));
}

#[test]
fn only_the_selected_runs_are_done() {
    let plan = tiny();
    let out = folder();
    let options = RunOptions {
        only: Some("seed=1,lr=0.05".to_owned()),
        ..options(out.path())
    };
    let report = go(&plan, &options);
    assert_eq!((report.finished, report.diverged, report.left), (2, 0, 0));
    let state = status(&plan, out.path()).expect("a status");
    assert_eq!((state.finished, state.waiting), (2, 6));
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let plan = tiny();
    let (out, whole) = (folder(), folder());
    let store = Store::open(out.path().join("tiny")).expect("a store");
    std::fs::write(store.paths().checkpoint(&plan.runs[0].id), b"nonsense").expect("written");
    go(&plan, &options(out.path()));
    go(&plan, &options(whole.path()));
    assert!(tables(out.path()) == tables(whole.path()));
}

#[test]
fn explanations_name_the_setting_that_differs() {
    let plan = tiny();
    let out = folder();
    let selected = RunOptions {
        only: Some(plan.runs[0].name.clone()),
        ..options(out.path())
    };
    go(&plan, &selected);
    let explain = |run: &str| crate::explain(&plan, out.path(), run).expect("an explanation");
    let taken = explain(&plan.runs[0].name);
    assert!(
        taken.stored && taken.to_string().contains("is taken from"),
        "{taken}"
    );
    let other = explain(&plan.runs[1].name);
    let nearest = other.nearest.as_ref().expect("a stored run");
    assert!(!other.stored);
    let settings: Vec<&str> = nearest
        .differences
        .iter()
        .map(|d| d.setting.as_str())
        .collect();
    assert_eq!(settings, ["seed"], "{other}");
    assert!(
        other.to_string().contains("seed: 1 here, 0 there"),
        "{other}"
    );
}
