//! What a sweep leaves behind: four tables, joined by `run_id`, documented column by column.

use std::collections::BTreeSet;

use reslab_results::{Cell, Table};

use crate::support::{Experiment, Lab};

fn column(table: &Table, name: &str) -> usize {
    let index = table.schema.columns.iter().position(|c| c.name == name);
    index.unwrap_or_else(|| panic!("{} has no column {name}", table.schema.name))
}

fn cells<'a>(table: &'a Table, name: &str) -> Vec<&'a Cell> {
    let index = column(table, name);
    table.rows.iter().map(|row| &row[index]).collect()
}

fn keys(table: &Table) -> BTreeSet<String> {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.clone(),
        other => panic!("run_id is {other:?}"),
    };
    cells(table, "run_id").into_iter().map(text).collect()
}

fn lab() -> Lab {
    let lab = Lab::new();
    lab.has(
        Experiment::convolutional("tidy")
            .epochs(3)
            .grid("model.residual", "[true, false]"),
    );
    lab.reslab("run tidy.yaml --no-figures").succeeds();
    lab
}

#[test]
fn tables_are_joined_by_run_id() {
    let lab = lab();
    let runs = lab.table("tidy", "runs");
    assert_eq!(runs.rows.len(), 4);
    assert_eq!(keys(&runs).len(), 4, "run_id is not a key of runs");
    for name in ["epochs", "layers", "timings"] {
        assert_eq!(keys(&lab.table("tidy", name)), keys(&runs), "{name}");
    }
}

#[test]
fn settings_are_columns() {
    let lab = lab();
    let runs = lab.table("tidy", "runs");
    let expect = [
        ("model_depth", Cell::Integer(8)),
        ("model_width", Cell::Integer(4)),
        ("train_epochs", Cell::Integer(3)),
        ("train_lr", Cell::Real(0.05)),
        ("data_name", Cell::Text("digits".into())),
        ("status", Cell::Text("finished".into())),
    ];
    for (name, value) in expect {
        for cell in cells(&runs, name) {
            assert_eq!(cell, &value, "{name}");
        }
    }
    // The order of the plan: residual varies slower than the seed.
    let residual = cells(&runs, "model_residual");
    let seeds = cells(&runs, "seed");
    let truth = [true, true, false, false].map(Cell::Boolean);
    assert_eq!(residual, truth.iter().collect::<Vec<_>>());
    let numbers = [0, 1, 0, 1].map(Cell::Integer);
    assert_eq!(seeds, numbers.iter().collect::<Vec<_>>());
}

#[test]
fn the_final_metrics_are_the_last_epoch() {
    let lab = lab();
    let (runs, epochs) = (lab.table("tidy", "runs"), lab.table("tidy", "epochs"));
    for name in ["train_loss", "train_error", "test_loss", "test_error"] {
        let finals = cells(&runs, &format!("final_{name}"));
        let (ids, all) = (cells(&epochs, "run_id"), cells(&epochs, name));
        for (id, last) in cells(&runs, "run_id").into_iter().zip(finals) {
            let found = ids.iter().rposition(|other| *other == id);
            let row = found.expect("every run has epochs");
            assert_eq!(all[row], last, "{name}");
        }
    }
}

#[test]
fn every_column_is_documented() {
    let lab = lab();
    for name in ["runs", "epochs", "layers", "timings"] {
        let table = lab.table("tidy", name);
        assert!(!table.schema.columns.is_empty(), "{name} has no columns");
        for column in &table.schema.columns {
            assert!(
                !column.meaning.trim().is_empty(),
                "{name}.{} has no meaning",
                column.name
            );
        }
    }
}

#[test]
fn wall_clock_stands_in_timings_alone() {
    let lab = lab();
    for name in ["runs", "epochs", "layers"] {
        for column in lab.table("tidy", name).schema.columns {
            let timed = ["second", "host", "images_per", "thread"]
                .iter()
                .any(|word| column.name.contains(word));
            assert!(!timed, "{name}.{} belongs into timings", column.name);
        }
    }
}
