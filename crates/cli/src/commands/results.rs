//! `reslab results`: the tables of an experiment, read for people.

use std::path::{Path, PathBuf};

use reslab_results::{RunPaths, Table, parquet, summary};
use reslab_sweep::MissingData;

use super::plan;
use crate::arguments::ResultsArguments;
use crate::message::{Ending, Failure};
use crate::output;

/// The measured columns shown where none are asked for.
const USUAL: [&str; 4] = [
    "final_train_error",
    "final_test_error",
    "final_train_loss",
    "final_test_loss",
];

/// Prints the settings that vary with what was measured.
pub fn results(arguments: &ResultsArguments) -> Result<Ending, Failure> {
    let runs = read(&folder(arguments)?)?;
    let mut table = shown(&runs, arguments).map_err(|error| Failure::from_error(&error))?;
    if let Some(sort) = &arguments.sort {
        let (column, descending) = match sort.strip_prefix('-') {
            Some(column) => (column, true),
            None => (sort.as_str(), false),
        };
        let column = measured(&table, column);
        table
            .sort(&[&column])
            .map_err(|error| Failure::from_error(&error))?;
        if descending {
            table.rows.reverse();
        }
    }
    output::print(&output::render(&table, arguments.format))?;
    Ok(Ending::Well)
}

fn shown(runs: &Table, arguments: &ResultsArguments) -> Result<Table, reslab_results::TableError> {
    if arguments.all {
        return if arguments.columns.is_empty() {
            Ok(runs.clone())
        } else {
            summary::columns(runs, &arguments.columns)
        };
    }
    if arguments.columns.is_empty() {
        return summary::by_setting(runs, &USUAL.map(String::from));
    }
    summary::by_setting(runs, &arguments.columns)
}

/// `final_train_error` means its mean in a table of groups.
fn measured(table: &Table, column: &str) -> String {
    let mean = format!("{column}_mean");
    if !table.has(column) && table.has(&mean) {
        mean
    } else {
        column.to_owned()
    }
}

/// The results folder that is meant: itself, or that of an experiment file.
fn folder(arguments: &ResultsArguments) -> Result<PathBuf, Failure> {
    if arguments.target.is_dir() {
        return Ok(arguments.target.clone());
    }
    let plan = plan::load(&arguments.target, &[], MissingData::Note)?;
    Ok(reslab_sweep::folder(
        &arguments.place.out,
        &plan.experiment.name,
    ))
}

fn read(folder: &Path) -> Result<Table, Failure> {
    let path = RunPaths::new(folder).table("runs");
    if !path.is_file() {
        return Err(Failure::Input(format!(
            "{} holds no results: it has no runs.parquet. Run the experiment first, or give the \
             results folder of one that was run.",
            folder.display()
        )));
    }
    parquet::read(&path).map_err(|error| Failure::from_error(&error))
}
