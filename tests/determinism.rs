//! Same binary, same machine, same file: the same bytes in every table.

use crate::support::{Experiment, Lab, assert_same_bytes, signal};

fn mixed() -> Experiment {
    Experiment::convolutional("mixed")
        .grid("model.depth", "[8, 14]")
        .grid("model.residual", "[true, false]")
}

#[test]
fn threads_and_jobs_change_no_bit() {
    let lab = Lab::new();
    lab.has(mixed());
    lab.reslab("run mixed.yaml --no-figures --out one --jobs 1 --threads 1")
        .succeeds();
    let expected = lab.tables_in("one/mixed");
    for (jobs, threads) in [(1, 2), (1, 5), (2, 2), (5, 5), (2, 5)] {
        let out = format!("jobs{jobs}threads{threads}");
        lab.reslab(&format!(
            "run mixed.yaml --no-figures --out {out} --jobs {jobs} --threads {threads}"
        ))
        .succeeds();
        let what = format!("{jobs} jobs, {threads} threads");
        assert_same_bytes(&what, &expected, &lab.tables_in(&format!("{out}/mixed")));
    }
}

#[test]
fn the_seed_does_change_bits() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("seeded").seeds("[1]"));
    lab.reslab("run seeded.yaml --no-figures --out one")
        .succeeds();
    lab.reslab("run seeded.yaml --no-figures --out two --set seeds=[2]")
        .succeeds();
    let (one, two) = (lab.tables_in("one/seeded"), lab.tables_in("two/seeded"));
    assert!(one["epochs"] != two["epochs"], "two seeds trained alike");
}

/// An experiment that lasts long enough to be stopped in the middle of a run.
fn long() -> Experiment {
    Experiment::convolutional("long")
        .epochs(40)
        .grid("model.residual", "[true, false]")
}

fn uninterrupted(lab: &Lab) -> std::collections::BTreeMap<&'static str, Vec<u8>> {
    lab.has(long());
    lab.reslab("run long.yaml --no-figures --out whole")
        .succeeds();
    lab.tables_in("whole/long")
}

#[test]
fn a_killed_sweep_ends_in_the_same_bytes() {
    let lab = Lab::new();
    let expected = uninterrupted(&lab);
    // Killed twice: once with the first run complete, once soon after it began again.
    let mut first = lab.starts("run long.yaml --no-figures --jobs 2");
    lab.waits_for_runs("long", 1);
    signal(&first, "KILL");
    first.wait().expect("the killed process ends");
    let mut second = lab.starts("run long.yaml --no-figures --jobs 2");
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&second, "KILL");
    second.wait().expect("the killed process ends");
    lab.reslab("run long.yaml --no-figures").succeeds();
    assert_same_bytes("killed twice", &expected, &lab.tables_in("results/long"));
}

#[test]
fn an_interrupted_sweep_ends_in_the_same_bytes() {
    let lab = Lab::new();
    let expected = uninterrupted(&lab);
    let mut child = lab.starts("run long.yaml --no-figures");
    std::thread::sleep(std::time::Duration::from_millis(400));
    signal(&child, "INT");
    child.wait().expect("the interrupted process ends");
    lab.reslab("run long.yaml --no-figures").succeeds();
    assert_same_bytes("interrupted", &expected, &lab.tables_in("results/long"));
}

#[test]
fn two_processes_on_one_folder_share_the_work() {
    let lab = Lab::new();
    let expected = uninterrupted(&lab);
    let mut other = lab.starts("run long.yaml --no-figures --threads 1");
    lab.reslab("run long.yaml --no-figures --threads 1")
        .succeeds();
    let status = other.wait().expect("the other process ends");
    assert!(status.success(), "the other process ended with {status}");
    assert_same_bytes("shared", &expected, &lab.tables_in("results/long"));
}
