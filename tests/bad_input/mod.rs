//! Broken experiment files, broken overrides, broken data: exit code 2, words that name the
//! place, no panic, and nothing written.

/// Data files that are truncated, altered or mislabelled.
mod data;

use std::path::PathBuf;

use crate::support::{Experiment, Lab, name_of};

/// `tests/fixtures/bad`: `NAME.yaml` is a broken file, `NAME.txt` what is said of it.
fn broken_files() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/bad");
    let entries = std::fs::read_dir(folder).expect("the folder of broken files is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_broken_file_is_refused_and_its_place_named() {
    let files = broken_files();
    assert!(files.len() >= 30, "only {} broken files", files.len());
    let lab = Lab::new();
    for path in files {
        let name = name_of(&path);
        std::fs::copy(&path, lab.path(&name)).expect("the broken file can be copied");
        let message = std::fs::read_to_string(path.with_extension("txt"))
            .unwrap_or_else(|error| panic!("{name} has no expected message: {error}"));
        let expected = format!("error: {}", message.trim_end());
        let answer = lab.reslab(&format!("run {name}")).refuses();
        answer.prints_nothing().says(&expected);
    }
    assert!(!lab.path("results").exists(), "a results folder was made");
}

#[test]
fn validate_and_plan_refuse_what_run_refuses() {
    let lab = Lab::new();
    let bad = "name: bad\ndata: {name: digits}\nmodel: {nmae: resnet20}\n";
    lab.write("bad.yaml", bad);
    for command in ["run", "validate", "plan", "status", "run --dry-run"] {
        lab.reslab(&format!("{command} bad.yaml"))
            .refuses()
            .prints_nothing()
            .says("bad.yaml:3:9")
            .says("model: {nmae: resnet20}")
            .says("^^^^")
            .says("`name`");
    }
}

#[test]
fn broken_overrides_are_refused_like_broken_files() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("fine"));
    for (set, words) in [
        ("trian.lr=0.1", "train"),
        ("train.lr=fast", "train.lr"),
        ("train.lr", "train.lr"),
        ("model.depth=3.5", "depth"),
        ("=3", "=3"),
        ("data.name=cifar11", "cifar10"),
        ("train.epochs=-1", "-1"),
    ] {
        lab.reslab(&format!("run fine.yaml --set {set}"))
            .refuses()
            .says(words)
            .says("--set");
    }
    assert!(!lab.path("results").exists(), "a results folder was made");
}

#[test]
fn the_mistakes_of_all_files_are_told_before_anything_runs() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("good"));
    lab.write("one.yaml", "name: one\nmodle: resnet20\n");
    lab.write("two.yaml", "name: two\nseeds: many\n");
    lab.reslab("run good.yaml one.yaml two.yaml")
        .refuses()
        .says("one.yaml:2")
        .says("two.yaml:2");
    assert!(!lab.path("results").exists(), "a results folder was made");
}

#[test]
fn files_that_are_no_experiments_are_refused() {
    let lab = Lab::new();
    lab.reslab("run absent.yaml").refuses().says("absent.yaml");
    lab.write("folder.yaml/inside", "");
    lab.reslab("run folder.yaml").refuses().says("folder.yaml");
    lab.write("binary.yaml", [0xff, 0xfe, 0x00, 0x80]);
    lab.reslab("run binary.yaml").refuses().says("binary.yaml");
    lab.write("empty.yaml", "");
    lab.reslab("run empty.yaml").refuses().says("empty.yaml");
}

#[test]
fn two_experiments_of_one_name_are_refused() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("same"));
    std::fs::copy(lab.path("same.yaml"), lab.path("other.yaml")).expect("the file can be copied");
    lab.reslab("run same.yaml other.yaml")
        .refuses()
        .says("both called same");
}

#[test]
fn mistyped_commands_are_refused() {
    let lab = Lab::new();
    for arguments in [
        "",
        "rum quickstart.yaml",
        "run",
        "run a.yaml --jobs 0",
        "run a.yaml --jobs many",
        "run a.yaml --only",
        "results a --format xml",
        "bench train --input 3,32",
        "bench train --steps 0",
        "data",
        "completions",
        "schema too many",
        "run a.yaml --color sometimes",
    ] {
        lab.reslab(arguments).refuses().prints_nothing();
    }
}

#[test]
fn runs_that_do_not_exist_are_refused() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("named").grid("train.lr", "[0.1, 0.2]"));
    lab.reslab("run named.yaml --only lr=0.3")
        .refuses()
        .says("lr=0.3");
    lab.reslab("explain lr=0.3 named.yaml")
        .refuses()
        .says("lr=0.3");
    lab.reslab("explain 0123456789abcdef")
        .refuses()
        .says("0123456789abcdef");
    assert!(!lab.path("results").exists(), "a results folder was made");
}

#[test]
fn folders_without_results_are_refused() {
    let lab = Lab::new();
    lab.write("empty/README", "");
    for command in [
        "results empty",
        "results absent",
        "status absent",
        "status empty",
    ] {
        lab.reslab(command).refuses();
    }
    lab.has(Experiment::tiny("unrun"));
    lab.reslab("results unrun.yaml").refuses().says("unrun");
}

#[test]
fn columns_that_do_not_exist_are_refused() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("columns"));
    lab.reslab("run columns.yaml --no-figures").succeeds();
    lab.reslab("results results/columns --sort final_eror")
        .refuses()
        .says("final_eror");
    lab.reslab("results results/columns --columns final_eror")
        .refuses()
        .says("final_eror");
}
