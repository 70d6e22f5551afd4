//! A run that diverges or fails is told, kept apart, and does not take the others with it.

use std::path::PathBuf;

use reslab_results::Cell;

use crate::support::{Experiment, Lab};

/// One run of two whose rate is far too large.
fn explosive(name: &str) -> Experiment {
    Experiment::tiny(name)
        .seeds("1")
        .epochs(4)
        .grid("train.lr", "[0.05, 1e30]")
}

#[test]
fn a_diverged_run_is_a_result() {
    let lab = Lab::new();
    lab.has(explosive("explosive"));
    lab.reslab("run explosive.yaml --no-figures")
        .succeeds()
        .says("diverged")
        .says("stopped being finite at step");
    let runs = lab.table("explosive", "runs");
    let column = |name: &str| {
        let index = runs.schema.columns.iter().position(|c| c.name == name);
        index.unwrap_or_else(|| panic!("runs has no column {name}"))
    };
    let status: Vec<&Cell> = runs.rows.iter().map(|row| &row[column("status")]).collect();
    assert_eq!(
        status,
        [
            &Cell::Text("finished".into()),
            &Cell::Text("diverged".into())
        ]
    );
    assert_eq!(runs.rows[0][column("diverged_step")], Cell::Null);
    assert!(matches!(
        runs.rows[1][column("diverged_step")],
        Cell::Integer(step) if step >= 1
    ));
    lab.reslab("run explosive.yaml --no-figures")
        .succeeds()
        .says("2 already done");
    lab.reslab("status explosive.yaml")
        .succeeds()
        .prints("diverged");
}

/// Makes one run impossible to store: a link to nowhere stands where its folder belongs.
fn block_a_run(lab: &Lab, name: &str, run: usize) -> PathBuf {
    let plan = lab
        .reslab(&format!("plan {name}.yaml --json"))
        .succeeds()
        .json();
    let id = plan["runs"][run]["id"]
        .as_str()
        .expect("runs have ids")
        .to_owned();
    let runs = lab.path(&format!("results/{name}/runs"));
    std::fs::create_dir_all(&runs).expect("folders can be made in the lab");
    let place = runs.join(id);
    std::os::unix::fs::symlink("nowhere", &place).expect("links can be made in the lab");
    place
}

#[test]
fn one_failure_does_not_end_the_sweep() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("blocked").seeds("3"));
    let obstacle = block_a_run(&lab, "blocked", 0);
    lab.reslab("run blocked.yaml --no-figures --jobs 1")
        .ends_with(1)
        .says("failed")
        .says("seed=0");
    assert_eq!(lab.stored_runs("blocked"), 3, "two runs and the obstacle");

    lab.reslab("status blocked.yaml")
        .succeeds()
        .prints("failed");
    // It is not tried again by itself, and the exit code still tells of it.
    lab.reslab("run blocked.yaml --no-figures")
        .ends_with(1)
        .says("--retry-failed");
    std::fs::remove_file(obstacle).expect("the obstacle can be removed");
    lab.reslab("run blocked.yaml --no-figures --retry-failed")
        .succeeds();
    assert_eq!(lab.table("blocked", "runs").rows.len(), 3);
}

#[test]
fn fail_fast_starts_nothing_after_a_failure() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("fast").seeds("4"));
    block_a_run(&lab, "fast", 0);
    lab.reslab("run fast.yaml --no-figures --jobs 1 --fail-fast")
        .ends_with(1)
        .says("failed");
    assert_eq!(lab.stored_runs("fast"), 1, "only the obstacle is there");
}

#[test]
fn quiet_says_nothing_but_failures() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("silent"));
    lab.reslab("run silent.yaml --quiet")
        .succeeds()
        .says_nothing()
        .prints_nothing();
    lab.has(Experiment::tiny("told"));
    block_a_run(&lab, "told", 0);
    lab.reslab("run told.yaml --quiet --no-figures")
        .ends_with(1)
        .says("seed=0");
}

#[test]
fn an_unusable_results_folder_is_refused() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("nowhere"));
    lab.write("taken", "a file");
    lab.reslab("run nowhere.yaml --out taken")
        .refuses()
        .says("taken");
}
