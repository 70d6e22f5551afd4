//! The table one wants to see of a sweep: the settings that vary, and each metric over the seeds.
//!
//! Runs that agree in all settings but `seed` are one row, with their number, and of each metric
//! the mean, the standard deviation (n − 1) and the 95 % t-interval of the mean.

mod render;
#[cfg(test)]
mod tests;

pub use render::{Format, render, short};

use std::cmp::Ordering;

use crate::schema::{DEFAULT_METRICS, LOSS_METRICS, is_instrument_setting, is_setting};
use crate::statistics::summarise as summarise_values;
use crate::table::{Cell, ColumnSpec, Kind, Schema, Table, TableError};

/// What to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryOptions {
    /// Metrics: columns of `runs` that hold numbers.
    pub metrics: Vec<String>,
    /// Settings to show; `None`: those that vary.
    pub settings: Option<Vec<String>>,
    /// Column of the summary to sort by, ascending; `None`: the settings from left to right.
    pub sort: Option<String>,
    /// Largest first.
    pub descending: bool,
}

impl Default for SummaryOptions {
    fn default() -> SummaryOptions {
        SummaryOptions {
            metrics: DEFAULT_METRICS.map(String::from).to_vec(),
            settings: None,
            sort: None,
            descending: false,
        }
    }
}

impl SummaryOptions {
    /// The default for these runs: errors, or losses where no run has an error (regression).
    pub fn suited_to(runs: &Table) -> SummaryOptions {
        let mut options = SummaryOptions::default();
        let measured = |metric: &String| {
            runs.f64s(metric)
                .is_ok_and(|values| values.iter().any(Option::is_some))
        };
        if !options.metrics.iter().any(measured) {
            options.metrics = LOSS_METRICS.map(String::from).to_vec();
        }
        options
    }
}

/// The settings that are not the same in all runs, `seed` left out, in the order of the columns.
pub fn varying_settings(runs: &Table) -> Vec<String> {
    let columns = runs.schema.columns.iter().enumerate();
    columns
        .filter(|(_, column)| is_setting(&column.name) && column.name != "seed")
        .filter(|(index, _)| {
            runs.rows
                .windows(2)
                .any(|pair| pair[0][*index] != pair[1][*index])
        })
        .map(|(_, column)| column.name.clone())
        .collect()
}

/// Group the table `runs` by all settings but `seed` and summarise each metric.
///
/// Columns: the settings shown; `n`, the runs with a result; `diverged` and `failed`, where there
/// are any; of each metric M: `M_mean`, `M_sd`, `M_low`, `M_high`, and `M_n` where it was not
/// measured in all n runs.
pub fn summarise(runs: &Table, options: &SummaryOptions) -> Result<Table, TableError> {
    let varying = varying_settings(runs);
    // Settings of instruments keep runs apart, lest one training count twice; they say nothing of it.
    let of_training: Vec<String> = varying
        .iter()
        .filter(|name| !is_instrument_setting(name))
        .cloned()
        .collect();
    let shown = options.settings.as_ref().unwrap_or(&of_training);
    for setting in shown {
        runs.index(setting)?;
    }
    for metric in &options.metrics {
        runs.index(metric)?;
    }
    let keys: Vec<&str> = varying.iter().map(String::as_str).collect();
    let mut table = Table::new(schema(runs, shown, &options.metrics));
    for group in runs.groups(&keys)? {
        table.push(group_row(runs, &group.rows, shown, &options.metrics))?;
    }
    drop_idle_columns(&mut table, &options.metrics);
    sort(&mut table, shown, options)?;
    Ok(table)
}

fn schema(runs: &Table, shown: &[String], metrics: &[String]) -> Schema {
    let mut columns: Vec<ColumnSpec> = shown
        .iter()
        .filter_map(|setting| runs.schema.column(setting))
        .cloned()
        .collect();
    for (name, meaning) in [
        ("n", "Runs with a result."),
        ("diverged", "Runs of these that diverged."),
        ("failed", "Runs that failed."),
    ] {
        columns.push(ColumnSpec::new(name, Kind::Integer, "", meaning));
    }
    for metric in metrics {
        let unit = runs
            .schema
            .column(metric)
            .map_or("", |column| column.unit.as_str());
        let mut add = |part: &str, kind, unit, meaning: &str| {
            let meaning = format!("{meaning} `{metric}`.");
            columns.push(ColumnSpec::new(
                &format!("{metric}_{part}"),
                kind,
                unit,
                &meaning,
            ));
        };
        add("n", Kind::Integer, "", "Runs that measured");
        add("mean", Kind::Real, unit, "Mean over seeds of");
        add(
            "sd",
            Kind::Real,
            unit,
            "Standard deviation over seeds (n − 1) of",
        );
        add(
            "low",
            Kind::Real,
            unit,
            "Lower end of the 95 % t-interval of the mean of",
        );
        add(
            "high",
            Kind::Real,
            unit,
            "Upper end of the 95 % t-interval of the mean of",
        );
    }
    Schema {
        name: "summary".into(),
        columns,
    }
}

fn group_row(runs: &Table, rows: &[usize], shown: &[String], metrics: &[String]) -> Vec<Cell> {
    let count = |status: &str| {
        rows.iter()
            .filter(|&&row| runs.text(row, "status") == Some(status))
            .count()
    };
    let first = rows.first().copied().unwrap_or_default();
    let mut cells: Vec<Cell> = shown
        .iter()
        .map(|setting| runs.get(first, setting).cloned().unwrap_or(Cell::Null))
        .collect();
    let failed = count("failed");
    cells.extend([
        (rows.len() - failed).into(),
        count("diverged").into(),
        failed.into(),
    ]);
    for metric in metrics {
        let values: Vec<f64> = rows
            .iter()
            .filter_map(|&row| runs.real(row, metric))
            .collect();
        let summary = summarise_values(&values);
        let interval = summary.and_then(|summary| summary.interval);
        cells.extend([
            values.len().into(),
            summary.map(|summary| summary.mean).into(),
            summary.and_then(|summary| summary.sd).into(),
            interval.map(|(low, _)| low).into(),
            interval.map(|(_, high)| high).into(),
        ]);
    }
    cells
}

/// Drop counts that say nothing: no run diverged or failed, every run measured the metric.
fn drop_idle_columns(table: &mut Table, metrics: &[String]) {
    let mut idle: Vec<String> = Vec::new();
    for count in ["diverged", "failed"] {
        if (0..table.len()).all(|row| table.integer(row, count) == Some(0)) {
            idle.push(count.into());
        }
    }
    for metric in metrics {
        let count = format!("{metric}_n");
        if (0..table.len()).all(|row| table.integer(row, &count) == table.integer(row, "n")) {
            idle.push(count);
        }
    }
    let keep: Vec<bool> = table
        .schema
        .columns
        .iter()
        .map(|column| !idle.contains(&column.name))
        .collect();
    retain(&mut table.schema.columns, &keep);
    table.rows.iter_mut().for_each(|row| retain(row, &keep));
}

fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(true));
}

fn sort(table: &mut Table, shown: &[String], options: &SummaryOptions) -> Result<(), TableError> {
    let by: Vec<usize> = match &options.sort {
        // A metric's own name means its mean.
        Some(column) => {
            let mean = format!("{column}_mean");
            vec![if table.has(&mean) {
                table.index(&mean)?
            } else {
                table.index(column)?
            }]
        }
        None => (0..shown.len()).collect(),
    };
    table.rows.sort_by(|a, b| {
        let order = by
            .iter()
            .map(|&i| a[i].cmp(&b[i]))
            .find(|order| order.is_ne());
        let order = order.unwrap_or(Ordering::Equal);
        if options.descending {
            order.reverse()
        } else {
            order
        }
    });
    Ok(())
}
