//! `reslab results`: the tables of an experiment, read for people.

use std::path::{Path, PathBuf};

use reslab_results::summary::{self, SummaryOptions, render, summarise};
use reslab_results::{Cell, RunPaths, Table, TableError, parquet};
use reslab_sweep::MissingData;

use super::plan;
use crate::arguments::{Format, ResultsArguments};
use crate::message::{Ending, Failure};
use crate::output;

/// Prints the settings that vary with what was measured.
pub fn results(arguments: &ResultsArguments) -> Result<Ending, Failure> {
    let runs = read(&folder(arguments)?)?;
    let table = if arguments.all {
        every_run(runs, arguments)
    } else {
        summarise(&runs, &options(arguments, &runs))
    };
    let table = table.map_err(|error| Failure::from_error(&error))?;
    let format = match arguments.format {
        Format::Table => summary::Format::Table,
        Format::Csv => summary::Format::Csv,
        Format::Json => summary::Format::Json,
        Format::Md => summary::Format::Markdown,
    };
    output::print(&render(&table, format))?;
    Ok(Ending::Well)
}

fn options(arguments: &ResultsArguments, runs: &Table) -> SummaryOptions {
    let mut options = SummaryOptions::suited_to(runs);
    if !arguments.columns.is_empty() {
        options.metrics.clone_from(&arguments.columns);
    }
    if let Some((column, descending)) = sort_key(arguments) {
        options.sort = Some(column);
        options.descending = descending;
    }
    options
}

/// The column to sort by, and whether from the largest down.
fn sort_key(arguments: &ResultsArguments) -> Option<(String, bool)> {
    let sort = arguments.sort.as_deref()?;
    Some(match sort.strip_prefix('-') {
        Some(column) => (column.to_owned(), true),
        None => (sort.to_owned(), false),
    })
}

/// The table `runs` itself, sorted, or some of its columns.
fn every_run(mut runs: Table, arguments: &ResultsArguments) -> Result<Table, TableError> {
    if let Some((column, descending)) = sort_key(arguments) {
        runs.sort(&[&column])?;
        if descending {
            runs.rows.reverse();
        }
    }
    if arguments.columns.is_empty() {
        return Ok(runs);
    }
    let indices = arguments
        .columns
        .iter()
        .map(|column| runs.index(column))
        .collect::<Result<Vec<_>, _>>()?;
    let pick = |row: &Vec<Cell>| indices.iter().map(|&i| row[i].clone()).collect();
    let mut chosen = runs.schema.clone();
    chosen.columns = indices
        .iter()
        .map(|&i| runs.schema.columns[i].clone())
        .collect();
    Ok(Table {
        schema: chosen,
        rows: runs.rows.iter().map(pick).collect(),
    })
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
