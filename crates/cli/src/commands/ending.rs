//! What `reslab run` says at the end: a small table, the verdicts, and where everything is.

use std::path::Path;

use reslab_figures::{Drawing, Tables, claims};
use reslab_results::summary::{Format, SummaryOptions, render, short, summarise};
use reslab_results::{Cell, ColumnSpec, Kind, Schema, Table, TableError};
use reslab_sweep::{Plan, Report};

use super::run::totals;
use crate::message::{BOLD, GOOD, WARNING, say, styled, warning};
use crate::output;
use crate::progress::percent;

/// More rows than this are better read with `reslab results`.
const MOST_ROWS: usize = 40;

/// Says how an experiment ended.
pub fn tell(plan: &Plan, report: &Report, drawing: Option<&Drawing>) {
    if report.tables.is_empty() {
        say(&totals(report));
        return;
    }
    match Tables::read(&report.folder) {
        Ok(tables) => {
            tell_table(&tables.runs, &report.folder);
            tell_verdicts(plan, &tables);
        }
        Err(error) => warning(&error.to_string()),
    }
    say(&totals(report));
    let tables: Vec<String> = report
        .tables
        .iter()
        .map(|p| p.display().to_string())
        .collect();
    say(&format!("tables   {}", tables.join(" ")));
    let figures = drawing.iter().flat_map(|drawing| &drawing.files);
    let pictures = figures.filter(|path| path.extension().is_some_and(|end| end == "png"));
    for path in pictures {
        say(&format!("figure   {}", path.display()));
    }
}

/// The varying settings with `mean ± sd` of the final errors.
fn tell_table(runs: &Table, folder: &Path) {
    let table = match short_table(runs) {
        Ok(table) => table,
        Err(error) => return warning(&error.to_string()),
    };
    say("");
    if table.len() > MOST_ROWS {
        let rows = output::count(table.len(), "row");
        say(&format!(
            "{rows}: see `reslab results {}`",
            folder.display()
        ));
    } else {
        say(render(&table, Format::Table).trim_end());
    }
    say("");
}

fn short_table(runs: &Table) -> Result<Table, TableError> {
    let options = SummaryOptions::suited_to(runs);
    let wanted = &options.metrics;
    let classes = wanted[0].ends_with("error");
    let grouped = summarise(runs, &options)?;
    let measured = |column: &ColumnSpec| column.name.starts_with(&wanted[0]);
    let first_metric = grouped.schema.columns.iter().position(measured);
    let first_metric = first_metric.unwrap_or(grouped.schema.columns.len());
    let mut columns: Vec<ColumnSpec> = grouped.schema.columns[..first_metric].to_vec();
    let noun = if classes { "error" } else { "loss" };
    for set in ["training", "test"] {
        columns.push(ColumnSpec::new(
            &format!("{set} {noun}"),
            Kind::Text,
            "",
            "",
        ));
    }
    let mut table = Table::new(Schema::new("ending", columns));
    for row in grouped.iter() {
        let mut cells = grouped.rows[row.index][..first_metric].to_vec();
        for name in wanted {
            let mean = row.real(&format!("{name}_mean"));
            let sd = row.real(&format!("{name}_sd"));
            cells.push(Cell::Text(mean_and_sd(mean, sd, classes)));
        }
        table.rows.push(cells);
    }
    Ok(table)
}

/// `3.4 ± 0.2 %`, or without the deviation where there is one value only.
fn mean_and_sd(mean: Option<f64>, sd: Option<f64>, as_percent: bool) -> String {
    let number = |x: f64| {
        if as_percent {
            format!("{:.1}", 100.0 * x)
        } else {
            short(&Cell::Real(x))
        }
    };
    let unit = if as_percent { " %" } else { "" };
    match (mean, sd) {
        (Some(mean), Some(sd)) => format!("{} ± {}{unit}", number(mean), number(sd)),
        (Some(mean), None) if as_percent => percent(mean),
        (Some(mean), None) => number(mean),
        (None, _) => "–".to_owned(),
    }
}

/// What the tables say on the claim the experiment was made for.
fn tell_verdicts(plan: &Plan, tables: &Tables) {
    let Some(name) = &plan.experiment.verdict else {
        return;
    };
    let Some(verdicts) = claims::judge(name, tables) else {
        let known = claims::JUDGES.join(", ");
        return warning(&format!("no claim is called {name}; there are: {known}"));
    };
    for verdict in verdicts {
        let style = match verdict.status {
            claims::Status::Supported => GOOD,
            claims::Status::NotSupported => WARNING,
            claims::Status::Undecided => BOLD,
        };
        let status = styled(style, &verdict.status.to_string());
        let setting = if verdict.setting.is_empty() {
            String::new()
        } else {
            format!(" ({})", verdict.setting)
        };
        say(&format!(
            "{}{setting}: {status}. {}",
            verdict.title.trim_end_matches('.'),
            verdict.sentence
        ));
    }
    say("");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_percentages_with_their_spread() {
        assert_eq!(mean_and_sd(Some(0.034), Some(0.002), true), "3.4 ± 0.2 %");
        assert_eq!(mean_and_sd(Some(0.034), None, true), "3.4 %");
        assert_eq!(mean_and_sd(Some(0.5), Some(0.25), false), "0.5 ± 0.25");
        assert_eq!(mean_and_sd(None, None, true), "–");
    }
}
