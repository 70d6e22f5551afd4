//! Nothing finished is lost, and nothing finished is computed again.

use std::time::{Duration, Instant};

use crate::support::{Experiment, Lab, signal};

#[test]
fn the_same_command_again_computes_nothing() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("again"));
    lab.reslab("run again.yaml --no-figures").succeeds();
    let before = lab.tables_in("results/again");
    lab.reslab("run again.yaml --no-figures")
        .succeeds()
        .says("2 already done")
        .says("nothing left to do");
    assert!(before == lab.tables_in("results/again"));
}

#[test]
fn an_edited_experiment_runs_only_what_is_new() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("grows"));
    lab.reslab("run grows.yaml --no-figures").succeeds();
    lab.has(Experiment::tiny("grows").seeds("3"));
    lab.reslab("run grows.yaml --no-figures")
        .succeeds()
        .says("3 runs, 2 already done, 1 to do");
    assert_eq!(lab.table("grows", "runs").rows.len(), 3);
}

#[test]
fn what_does_not_change_a_result_does_not_change_the_identity() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("same"));
    lab.reslab("run same.yaml --no-figures").succeeds();
    // Written differently, the same settings: comments, order, a number's spelling.
    let yaml = Experiment::tiny("same").train("lr: 5e-2, batch_size: 2_0");
    lab.write("same.yaml", format!("# a remark\n{}", yaml.yaml()));
    lab.reslab("run same.yaml --no-figures --threads 1 --jobs 1")
        .succeeds()
        .says("2 already done");
}

#[test]
fn ctrl_c_stops_within_a_second_and_says_how_to_continue() {
    let lab = Lab::new();
    lab.has(Experiment::convolutional("stopped").epochs(2000));
    let child = lab
        .command("run stopped.yaml --no-figures")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    std::thread::sleep(Duration::from_millis(700));
    signal(&child, "INT");
    let sent = Instant::now();
    let output = child.wait_with_output().expect("the process ends");
    // A second, and some room for a busy machine.
    assert!(
        sent.elapsed() < Duration::from_millis(1500),
        "it took {:?} to stop",
        sent.elapsed()
    );
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("the same command continues"), "{err}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let lab = Lab::new();
    lab.has(Experiment::convolutional("twice").epochs(2000));
    let mut child = lab.starts("run twice.yaml --no-figures");
    std::thread::sleep(Duration::from_millis(500));
    signal(&child, "INT");
    // It may be faster than the second signal.
    if child
        .try_wait()
        .expect("the process can be asked")
        .is_none()
    {
        let _ = std::process::Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
    }
    let status = child.wait().expect("the process ends");
    assert_eq!(status.code(), Some(130));
}

#[test]
fn finished_runs_survive_a_kill() {
    let lab = Lab::new();
    lab.has(Experiment::convolutional("survives").epochs(10).seeds("6"));
    let mut child = lab.starts("run survives.yaml --no-figures --jobs 1");
    lab.waits_for_runs("survives", 2);
    signal(&child, "KILL");
    child.wait().expect("the killed process ends");
    let kept = lab.stored("survives");
    let modified = |path: &std::path::PathBuf| {
        let file = std::fs::metadata(path.join("record.json")).expect("the record is there");
        file.modified().expect("files have times")
    };
    let before: Vec<_> = kept.iter().map(modified).collect();
    lab.reslab("run survives.yaml --no-figures")
        .succeeds()
        .says("already done");
    let after: Vec<_> = kept.iter().map(modified).collect();
    assert_eq!(before, after, "a finished run was written again");
    assert_eq!(lab.table("survives", "runs").rows.len(), 6);
}

#[test]
fn nothing_is_left_behind_by_a_finished_sweep() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("clean"));
    lab.reslab("run clean.yaml --no-figures").succeeds();
    let runs = std::fs::read_dir(lab.path("results/clean/runs")).expect("the store is there");
    for entry in runs {
        let path = entry.expect("the store can be listed").path();
        if crate::support::name_of(&path).starts_with('.') {
            let rest = std::fs::read_dir(&path).map(Iterator::count).unwrap_or(0);
            assert_eq!(rest, 0, "{} is not empty", path.display());
        }
    }
}
