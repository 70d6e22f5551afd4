//! Gradients by length of path: the three panels of Veit, Wilber, Belongie 2016, Fig. 6, and the
//! expansion of the gradient term by term. One column for each epoch that was measured.

mod lengths;
mod orders;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use reslab_results::table::Row;
use reslab_results::{Cell, Table};

use crate::axes::Axis;
use crate::plots::{Layer, Named};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Paths one at a time, as the paper samples them.
const SAMPLED: theme::Rgb = theme::RESIDUAL;
/// All paths of a length together.
const EXACT: theme::Rgb = theme::PLAIN;
/// Networks beyond these make a folder nobody looks at.
const MOST_RUNS: usize = 24;
const RADIUS: f64 = 2.3;
const PANEL: (f64, f64) = (215.0, 150.0);

/// The profiles of a run, by epoch.
struct Profiles {
    name: String,
    /// Words for the title.
    about: String,
    epochs: Vec<(i64, Table)>,
    /// Whether it started from given weights.
    given: bool,
    summary: Option<Table>,
}

/// For each run the figure of the paper and that of the expansion.
pub fn draw(tables: &Tables) -> Vec<Named> {
    let Some(paths) = tables.instruments.get("paths") else {
        return Vec::new();
    };
    let summary = tables.instruments.get("path_summary");
    let runs = match runs(tables, paths, summary) {
        Ok(runs) => runs,
        Err(reason) => return vec![("path-lengths".into(), Err(reason))],
    };
    let (drawn, left) = runs.split_at(runs.len().min(MOST_RUNS));
    let mut figures = Vec::new();
    for run in drawn {
        figures.push((format!("path-lengths{}", run.name), lengths::figure(run)));
        figures.push((format!("path-orders{}", run.name), orders::figure(run)));
    }
    figures.extend(left.iter().map(|run| {
        let reason = format!("only the first {MOST_RUNS} runs are drawn");
        (format!("path-lengths{}", run.name), Err(reason))
    }));
    figures
}

/// One run for each network and setting, that of the first seed; named by the settings that vary.
fn runs(tables: &Tables, paths: &Table, summary: Option<&Table>) -> Result<Vec<Profiles>, String> {
    let text = |error: reslab_results::TableError| error.to_string();
    let varying = varying(&tables.runs);
    let mut found: BTreeMap<String, Profiles> = BTreeMap::new();
    for group in paths.groups(&["run_id"]).map_err(text)? {
        let id = &group.key[0];
        let row = tables.runs.iter().find(|row| row.get("run_id") == Some(id));
        let words: Vec<String> = varying
            .iter()
            .filter_map(|name| {
                let value = row.as_ref()?.get(name).filter(|cell| !cell.is_null())?;
                let short = name
                    .split_once('_')
                    .map_or(name.as_str(), |(_, short)| short);
                Some(format!("{} {}", short.replace('_', " "), short_text(value)))
            })
            .collect();
        let slug: String = words.iter().map(|word| format!("--{word}")).collect();
        let name: String = slug
            .to_lowercase()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            })
            .take(100)
            .collect();
        let rows = paths.select(&group.rows);
        let mut epochs = Vec::new();
        for part in rows.groups(&["epoch"]).map_err(text)? {
            let epoch = part.key[0].as_integer().unwrap_or(0);
            epochs.push((epoch, rows.select(&part.rows)));
        }
        let summary = summary.map(|all| all.filter(|row| row.get("run_id") == Some(id)));
        found.entry(name.clone()).or_insert(Profiles {
            about: words.join(", "),
            name,
            epochs,
            given: row.is_some_and(|row| row.text("init_weights_sha256").is_some()),
            summary,
        });
    }
    Ok(found.into_values().collect())
}

/// Settings of the network or its start that differ between runs; the seed is none.
fn varying(runs: &Table) -> Vec<String> {
    let settings = runs.schema.columns.iter().map(|column| &column.name);
    settings
        .filter(|name| {
            name.starts_with("model_") || name.starts_with("train_") || *name == "init_weights"
        })
        .filter(|name| runs.distinct(name).is_ok_and(|values| values.len() > 1))
        .cloned()
        .collect()
}

/// A value in few words: of a file its name.
fn short_text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => {
            let file = text.rsplit('/').next().unwrap_or(text);
            file.split(['.']).next().unwrap_or(file).to_string()
        }
        Cell::Integer(number) => number.to_string(),
        Cell::Real(number) => number.to_string(),
        Cell::Boolean(truth) => truth.to_string(),
        Cell::Null => String::new(),
    }
}

/// Values of a column against the length, those that are there.
fn against_length(table: &Table, of: impl Fn(&Row<'_>) -> Option<f64>) -> Vec<(f64, f64)> {
    let rows = table.iter();
    rows.filter_map(|row| {
        Some((
            row.integer("k")? as f64,
            of(&row).filter(|y| y.is_finite())?,
        ))
    })
    .collect()
}

fn column(table: &Table, name: &str) -> Vec<(f64, f64)> {
    against_length(table, |row| row.real(name))
}

fn marks(points: Vec<(f64, f64)>, color: theme::Rgb, shape: Shape) -> Layer {
    Layer::Marks {
        points,
        shape,
        radius: RADIUS,
        color,
        opacity: 1.0,
    }
}

fn line(points: Vec<(f64, f64)>, color: theme::Rgb, dashed: bool) -> Layer {
    Layer::Line {
        points,
        color,
        width: theme::THIN_WIDTH,
        dashed,
    }
}

fn title(run: &Profiles, epoch: i64) -> String {
    match epoch {
        0 if run.given => "As given".into(),
        0 => "Before training".into(),
        1 => "After 1 epoch".into(),
        n => format!("After {n} epochs"),
    }
}

fn single(run: &Profiles) -> bool {
    run.epochs.len() == 1
}

/// The smallest and the largest positive value.
fn extent<'a>(values: impl IntoIterator<Item = &'a (f64, f64)>) -> Option<(f64, f64)> {
    let positive = values.into_iter().map(|p| p.1).filter(|y| *y > 0.0);
    positive.fold(None, |extent: Option<(f64, f64)>, y| {
        let (low, high) = extent.unwrap_or((y, y));
        Some((low.min(y), high.max(y)))
    })
}

/// A logarithmic axis over whole decades, at most so many below the largest value.
fn decades(label: &str, (low, high): (f64, f64), most: i32) -> Axis {
    let top = high.log10().ceil() as i32;
    let bottom = ((low / 1.3).log10().floor() as i32)
        .max(top - most)
        .min(top - 1);
    Axis::log(label, 10f64.powi(bottom), 10f64.powi(top))
}

fn length_axis(run: &Profiles, last: bool) -> Axis {
    let blocks = run.epochs.iter().map(|(_, table)| table.len() - 1).max();
    let label = if last { "Path length k (blocks)" } else { "" };
    Axis::linear(label, 0.0, blocks.unwrap_or(1).max(1) as f64)
}

fn with_name(words: &str, run: &Profiles) -> String {
    match run.about.as_str() {
        "" => words.into(),
        about => format!("{words} ({about})"),
    }
}
