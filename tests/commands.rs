//! Every command: its exit code, what goes to standard output, what to standard error.

use std::io::Read;

use crate::support::{Answer, Experiment, Lab};

/// The examples of the documentation and of `tests/cmd` are typed and compared.
#[test]
fn documented_examples_are_true() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    trycmd::TestCases::new()
        .register_bin("reslab", trycmd::cargo::cargo_bin!("reslab"))
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1")
        .case(format!("{root}/docs/command-line.md"))
        .case(format!("{root}/tests/cmd/*.md"));
}

fn two_by_two(name: &str) -> Experiment {
    Experiment::tiny(name)
        .grid("model.depth", "[1, 2]")
        .grid("model.residual", "[true, false]")
        .seeds("3")
}

#[test]
fn run_tells_the_plan_before_and_the_outcome_after() {
    let lab = Lab::new();
    lab.has(two_by_two("outcome"));
    lab.reslab("run outcome.yaml")
        .succeeds()
        .prints_nothing()
        .says("outcome: 12 runs, 12 to do: about")
        .says("[12/12]")
        .says("training error")
        .says("12 runs done in")
        .says("results/outcome/runs.parquet")
        .says("results/outcome/figures");
}

#[test]
fn the_verdict_stands_at_the_end() {
    let lab = Lab::new();
    let degradation = Experiment::convolutional("judged")
        .grid("model.depth", "[8, 14]")
        .grid("model.residual", "[true, false]")
        .verdict("degradation");
    lab.has(degradation);
    let answer = lab.reslab("run judged.yaml --no-figures").succeeds();
    let ending = answer.says("plain 14 minus plain 8").says("95 % interval");
    let decided = ["supported", "undecided"];
    assert!(
        decided.iter().any(|word| ending.err.contains(word)),
        "{ending}"
    );
}

#[test]
fn missing_data_are_a_remark_of_the_plan_and_a_refusal_of_the_run() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("absent").data("{name: cifar10, root: nowhere}"));
    for command in ["plan", "status"] {
        lab.reslab(&format!("{command} absent.yaml")).succeeds();
    }
    lab.reslab("validate absent.yaml")
        .succeeds()
        .says("cifar10 was not found");
    lab.reslab("run absent.yaml")
        .refuses()
        .says("absent.yaml:2");
    assert!(!lab.path("results").exists(), "a results folder was made");
}

#[test]
fn a_dry_run_writes_nothing() {
    let lab = Lab::new();
    lab.has(two_by_two("dry"));
    lab.reslab("run dry.yaml --dry-run")
        .succeeds()
        .prints("12 runs, 0 done, 12 to do: about");
    assert!(!lab.path("results").exists(), "a results folder was made");
}

#[test]
fn only_selects_runs() {
    let lab = Lab::new();
    lab.has(two_by_two("some"));
    lab.reslab("run some.yaml --no-figures --only depth=2,seed=1")
        .succeeds();
    assert_eq!(lab.stored_runs("some"), 2);
}

#[test]
fn json_lines_are_the_only_thing_on_standard_output() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("lines"));
    let answer = lab.reslab("run lines.yaml --no-figures --json").succeeds();
    let lines = answer.json_lines();
    assert_eq!(lines.len(), 2, "{answer}");
    for line in lines {
        assert_eq!(line["event"], "run-finished");
        assert_eq!(line["experiment"], "lines");
        assert!(line["train_error"].is_number(), "{line}");
    }
    let again = lab
        .reslab("run lines.yaml --no-figures --json --quiet")
        .succeeds();
    let lines = again.json_lines();
    assert!(lines.iter().all(|line| line["event"] == "run-reused"));
    again.says_nothing();
}

#[test]
fn several_experiments_run_one_after_the_other() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("first"))
        .has(Experiment::tiny("second"));
    lab.reslab("run first.yaml second.yaml --no-figures")
        .succeeds()
        .says("first: 2 runs")
        .says("second: 2 runs");
    assert_eq!(lab.table("second", "runs").rows.len(), 2);
}

#[test]
fn overrides_change_runs() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("changed"));
    lab.reslab("plan changed.yaml --set seeds=4 --set train.lr=1e-3")
        .succeeds()
        .prints("4 runs");
    let plan = lab
        .reslab("plan changed.yaml --json --set train.lr=1e-3")
        .succeeds()
        .json();
    assert_eq!(plan["runs"][0]["config"]["train"]["lr"], 1e-3);
}

#[test]
fn plan_is_data_and_knows_what_is_done() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("planned"));
    lab.reslab("plan planned.yaml")
        .succeeds()
        .says_nothing()
        .prints("seed=1")
        .prints("2 runs, 0 done, 2 to do: about");
    lab.reslab("run planned.yaml --no-figures --only seed=0")
        .succeeds();
    lab.reslab("plan planned.yaml")
        .succeeds()
        .prints("2 runs, 1 done, 1 to do");
}

#[test]
fn validate_says_that_a_file_is_valid() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("sound"));
    lab.reslab("validate sound.yaml")
        .succeeds()
        .prints("sound.yaml: valid, 2 runs");
}

#[test]
fn schema_is_draft_07_json() {
    let schema = Lab::new().reslab("schema").succeeds().says_nothing().json();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    assert!(schema["properties"]["model"].is_object() || schema["properties"]["model"] == true);
}

#[test]
fn status_counts_runs_of_a_file_and_of_a_folder() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("counted"));
    lab.reslab("status counted.yaml")
        .succeeds()
        .prints("2 waiting");
    lab.reslab("run counted.yaml --no-figures --only seed=1")
        .succeeds();
    lab.reslab("status counted.yaml")
        .succeeds()
        .says_nothing()
        .prints("1 finished, 1 waiting");
    lab.reslab("status results/counted")
        .succeeds()
        .prints("1 finished");
    let status = lab.reslab("status counted.yaml --json").succeeds().json();
    assert_eq!(status["finished"], 1);
    assert_eq!(status["runs"][1]["state"], "finished");
}

#[test]
fn results_show_what_varies_grouped_over_seeds() {
    let lab = Lab::new();
    lab.has(two_by_two("shown"));
    lab.reslab("run shown.yaml --no-figures").succeeds();
    let answer = lab
        .reslab("results results/shown")
        .succeeds()
        .says_nothing();
    assert_eq!(answer.out.lines().count(), 5, "{answer}");
    let answer = answer.prints("model_depth").prints("model_residual");
    assert!(
        !answer.out.contains("train_lr"),
        "a constant is shown: {answer}"
    );

    let rows = lab
        .reslab("results shown.yaml --format json")
        .succeeds()
        .json();
    let rows = rows.as_array().expect("the results are an array");
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["n"] == 3), "{rows:?}");
    assert!(
        rows.iter()
            .all(|row| row["final_train_error_mean"].is_number())
    );

    let csv = lab.reslab("results results/shown --format csv").succeeds();
    let header = csv.out.lines().next().unwrap_or_default();
    assert!(header.contains("model_depth,model_residual,n,"), "{csv}");
    lab.reslab("results results/shown --format md")
        .succeeds()
        .prints("| model_depth");
    let all = lab
        .reslab("results results/shown --all --format json")
        .succeeds()
        .json();
    assert_eq!(all.as_array().map(Vec::len), Some(12));
}

#[test]
fn results_are_sorted_and_chosen() {
    let lab = Lab::new();
    lab.has(two_by_two("sorted"));
    lab.reslab("run sorted.yaml --no-figures").succeeds();
    let depths = |sort: &str| -> Vec<i64> {
        let command = format!(
            "results results/sorted --format json --columns final_train_loss --sort {sort}"
        );
        let rows = lab.reslab(&command).succeeds().json();
        let rows = rows.as_array().expect("the results are an array");
        assert!(rows[0].get("final_test_error_mean").is_none(), "{rows:?}");
        rows.iter()
            .filter_map(|row| row["model_depth"].as_i64())
            .collect()
    };
    assert_eq!(depths("model_depth"), [1, 1, 2, 2]);
    assert_eq!(depths("-model_depth"), [2, 2, 1, 1]);
}

#[test]
fn explain_says_why_a_run_is_taken_or_not() {
    let lab = Lab::new();
    lab.has(Experiment::tiny("why"));
    lab.reslab("explain seed=0 why.yaml")
        .succeeds()
        .prints("to be done");
    lab.reslab("run why.yaml --no-figures --only seed=0")
        .succeeds();
    let stored = lab.stored("why");
    let id = crate::support::name_of(&stored[0]);
    lab.reslab("explain seed=0 why.yaml").succeeds().prints(&id);
    lab.reslab(&format!("explain {id}"))
        .succeeds()
        .says_nothing()
        .prints("why");
    lab.reslab(&format!("explain {}", &id[..6]))
        .succeeds()
        .prints(&id);
}

#[test]
fn data_are_listed_and_checked() {
    let lab = Lab::new();
    let list = lab.reslab("data list").succeeds().says_nothing();
    for name in ["digits", "cifar10", "cifar100", "mnist", "fashion-mnist"] {
        assert!(list.out.contains(name), "{list}\nshould list {name}");
    }
    lab.reslab("data check digits")
        .succeeds()
        .prints("1437")
        .prints("360")
        .prints("10 classes");
    lab.reslab("data check digist").refuses().says("digits");
    lab.reslab("data get digits --to here")
        .refuses()
        .says("digits");
}

#[test]
fn a_download_that_cannot_be_had_says_what_to_put_where() {
    let lab = Lab::new();
    // Nothing listens on port 9 of loopback.
    lab.reslab("data get cifar10 --to here --from http://127.0.0.1:9/")
        .refuses()
        .says("cifar-10-binary.tar.gz");
}

#[test]
fn completions_know_the_commands() {
    let lab = Lab::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let answer = lab
            .reslab(&format!("completions {shell}"))
            .succeeds()
            .says_nothing();
        answer.prints("explain").prints("retry-failed");
    }
}

#[test]
fn the_manual_covers_every_command() {
    let page = Lab::new().reslab("man").succeeds().says_nothing();
    let mut page = page
        .prints(".TH")
        .prints("EXIT STATUS")
        .prints("retry\\-failed");
    for command in ["RUN", "PLAN", "RESULTS", "DATA GET", "BENCH TRAIN"] {
        page = page.prints(&format!("RESLAB {command}"));
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let lab = Lab::new();
    let mut child = lab
        .command("schema")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let mut said = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut said).expect("messages are text");
    }
    let status = child.wait().expect("the process ends");
    assert!(status.success() && said.is_empty(), "{status}: {said}");
}

#[test]
fn colors_come_when_asked_for_only() {
    let lab = Lab::new();
    let escape = "\u{1b}[";
    lab.reslab("run absent.yaml").refuses().does_not_say(escape);
    lab.reslab("run absent.yaml --color always")
        .refuses()
        .says(escape);
    lab.reslab("run absent.yaml --color never")
        .refuses()
        .does_not_say(escape);
}

#[test]
fn every_shipped_experiment_is_valid_and_names_its_schema() {
    let lab = Lab::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../experiments");
    for file in [
        "quickstart.yaml",
        "degradation-cifar10.yaml",
        "transfer.yaml",
        "variants.yaml",
        "paper/degradation.yaml",
        "paper/preactivation.yaml",
        "paper/wide.yaml",
        "paper/resnext.yaml",
    ] {
        let text = std::fs::read_to_string(format!("{folder}/{file}")).expect("it is shipped");
        assert!(
            text.starts_with("# yaml-language-server: $schema="),
            "{file} has no hint for editors"
        );
        lab.write("shipped.yaml", text);
        lab.reslab("validate shipped.yaml").succeeds();
    }
}

#[test]
fn an_unknown_instruction_set_is_refused() {
    let lab = Lab::new();
    let mut command = lab.command("schema");
    command.env("RESLAB_SIMD", "mmx");
    Answer::of("schema", &mut command)
        .refuses()
        .prints_nothing()
        .says("mmx")
        .says("portable");
}

#[test]
fn regression_is_summarised_by_its_losses() {
    let lab = Lab::new();
    let text = "name: line\ndata: {name: synthetic, synthetic: {kind: identity, dimensions: 4, train: 32, test: 16}}\n\
                model: {name: fc-plain2, width: 8}\ntrain: {epochs: 1, batch_size: 16, loss: {kind: squared-error}}\nseeds: 2\n";
    lab.write("line.yaml", text);
    lab.reslab("run line.yaml").succeeds().says("training loss");
    lab.reslab("results results/line --format csv")
        .succeeds()
        .prints("final_test_loss_mean");
}
