//! Figures come from tables alone.

use crate::support::{Experiment, Lab};

fn lab() -> Lab {
    let lab = Lab::new();
    lab.has(
        Experiment::convolutional("drawn")
            .grid("model.depth", "[8, 14]")
            .grid("model.residual", "[true, false]"),
    );
    lab
}

#[test]
fn a_run_draws_figures_and_says_where() {
    let lab = lab();
    lab.reslab("run drawn.yaml").succeeds().says("figures");
    let figures = figures_of(&lab, "results/drawn");
    assert!(figures.iter().any(|name| name.ends_with(".svg")));
    assert!(figures.iter().any(|name| name.ends_with(".png")));
}

#[test]
fn figures_are_drawn_again_from_tables_alone() {
    let lab = lab();
    lab.reslab("run drawn.yaml --no-figures").succeeds();
    assert!(!lab.path("results/drawn/figures").exists());
    for name in ["runs", "epochs", "layers"] {
        let table = format!("{name}.parquet");
        let bytes = std::fs::read(lab.path(&format!("results/drawn/{table}")));
        lab.write(
            &format!("alone/{table}"),
            bytes.expect("the table is there"),
        );
    }
    let answer = lab.reslab("figures alone").succeeds().says_nothing();
    let printed: Vec<&str> = answer.out.lines().collect();
    assert!(!printed.is_empty(), "no figure was drawn");
    for path in printed {
        let bytes = std::fs::read(lab.path(path)).expect("what is printed exists");
        match path.rsplit('.').next() {
            Some("svg") => assert!(bytes.windows(4).any(|part| part == b"<svg")),
            Some("png") => assert_eq!(&bytes[..4], b"\x89PNG"),
            Some("json") => assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok()),
            _ => panic!("{path} is neither a figure nor the verdicts"),
        }
    }
    let first = figures_of(&lab, "alone").len();
    lab.reslab("figures alone").succeeds();
    assert_eq!(figures_of(&lab, "alone").len(), first);
}

#[test]
fn a_folder_without_tables_is_refused() {
    let lab = Lab::new();
    lab.write("empty/README", "nothing here");
    lab.reslab("figures empty").refuses().says("runs.parquet");
    lab.reslab("figures absent").refuses().says("absent");
}

#[test]
fn a_broken_table_is_refused() {
    let lab = Lab::new();
    lab.write("broken/runs.parquet", "this is no Parquet");
    lab.reslab("figures broken").refuses().says("runs.parquet");
}

fn figures_of(lab: &Lab, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(lab.path(folder).join("figures"));
    entries
        .expect("the figures folder is there")
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
