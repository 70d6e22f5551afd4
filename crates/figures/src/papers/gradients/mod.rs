//! Gradients through depth (the instrument `gradients`): small multiples, one panel for each
//! combination of batch norm and initialisation, plain and residual networks in their colours.
//!
//! - [`flow`]: `‖∂L/∂h_l‖` against l, before and after training;
//! - [`rates`]: the exponential rate per block beside mean-field theory, and through training;
//! - [`roads`]: what comes through the shortcut alone, and whether the branch points against it;
//! - [`outcome`]: the training error that all this leads to, with and without clipping.

mod flow;
mod outcome;
mod rates;
mod roads;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::schema::runs_fixed;
use reslab_results::table::Row;
use reslab_results::{Cell, Table};

use crate::plots::{Entry, Named, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Settings that the figures compare.
const COMPARED: [&str; 8] = [
    "model_depth",
    "model_residual",
    "model_batch_norm",
    "init_scheme",
    "init_gain",
    "train_clip_norm",
    "data_root",
    "seed",
];

/// The figures that the table `gradients` suffices for.
pub fn figures(tables: &Tables) -> Vec<Named> {
    match Study::read(tables) {
        Ok(study) => {
            let mut figures = flow::figures(&study);
            figures.extend(rates::figures(&study));
            figures.push(("gradient-roads".into(), roads::figure(&study)));
            figures.push(("gradient-outcome".into(), outcome::figure(&study, tables)));
            figures
        }
        Err(reason) => vec![("gradient-flow".into(), Err(reason))],
    }
}

/// Refuses runs that differ in more than `compared`.
pub(super) fn nothing_else_varies(runs: &Table, compared: &[&str]) -> Result<(), String> {
    let fixed = runs_fixed();
    let columns = runs.schema.columns.iter().map(|c| c.name.as_str());
    let others: Vec<&str> = columns
        .filter(|name| !compared.contains(name) && fixed.index(name).is_none())
        .filter(|name| runs.distinct(name).is_ok_and(|values| values.len() > 1))
        .collect();
    if others.is_empty() {
        Ok(())
    } else {
        Err(format!("the runs also differ in {}", others.join(", ")))
    }
}

/// What a run is, for these figures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    batch_norm: bool,
    /// Place in [`Study::inits`].
    init: usize,
    residual: bool,
    depth: i64,
    /// Place in [`Study::clips`].
    clip: usize,
}

/// The runs, and the table's rows by run.
struct Study<'t> {
    /// Names of initialisations in order.
    inits: Vec<String>,
    /// Values of `train.clip_norm` in order, none first.
    clips: Vec<Cell>,
    depths: Vec<i64>,
    epochs: Vec<i64>,
    kinds: BTreeMap<&'t str, Kind>,
    table: &'t Table,
    seeds: usize,
}

impl<'t> Study<'t> {
    fn read(tables: &'t Tables) -> Result<Self, String> {
        let runs = &tables.runs;
        nothing_else_varies(runs, &COMPARED)?;
        let table = tables.instruments.get("gradients");
        let table = table.ok_or("there is no table 'gradients'")?;
        let mut clips = runs.distinct("train_clip_norm").unwrap_or_default();
        clips.sort();
        if clips.is_empty() {
            clips.push(Cell::Null);
        }
        let mut inits: Vec<String> = Vec::new();
        let mut kinds = BTreeMap::new();
        for row in runs.iter() {
            let name = init_name(row);
            let init = inits.iter().position(|known| *known == name);
            let init = init.unwrap_or_else(|| {
                inits.push(name);
                inits.len() - 1
            });
            let clip = row.get("train_clip_norm").unwrap_or(&Cell::Null);
            let kind = Kind {
                batch_norm: row.boolean("model_batch_norm").unwrap_or(true),
                init,
                residual: row.boolean("model_residual").unwrap_or(true),
                depth: row.integer("model_depth").unwrap_or(0),
                clip: clips.iter().position(|c| c == clip).unwrap_or(0),
            };
            kinds.insert(row.text("run_id").unwrap_or(""), kind);
        }
        let of = |part: fn(&Kind) -> i64| -> Vec<i64> {
            let values: BTreeSet<i64> = kinds.values().map(part).collect();
            values.into_iter().collect()
        };
        let epochs: BTreeSet<i64> = table
            .iter()
            .filter_map(|row| row.integer("epoch"))
            .collect();
        Ok(Self {
            depths: of(|kind| kind.depth),
            epochs: epochs.into_iter().collect(),
            seeds: runs.distinct("seed").map_or(1, |seeds| seeds.len().max(1)),
            inits,
            clips,
            kinds,
            table,
        })
    }

    /// Panels in reading order: without batch norm above, initialisations from left to right.
    fn panels(&self) -> Vec<Vec<(bool, usize)>> {
        let rows = [false, true].into_iter();
        rows.filter(|norm| self.kinds.values().any(|kind| kind.batch_norm == *norm))
            .map(|norm| (0..self.inits.len()).map(|init| (norm, init)).collect())
            .collect()
    }

    /// What a panel is called.
    fn title(&self, (batch_norm, init): (bool, usize)) -> String {
        let norm = if batch_norm {
            "batch norm"
        } else {
            "no batch norm"
        };
        format!("{}, {norm}", self.inits[init])
    }

    /// The values of a column at an epoch for the places that `kind` names: by kind and l, one
    /// value a run. Rows without a number are left out.
    fn values(
        &self,
        (kind, column): (&str, &str),
        epoch: i64,
    ) -> BTreeMap<Kind, BTreeMap<i64, Vec<f64>>> {
        let mut found: BTreeMap<Kind, BTreeMap<i64, Vec<f64>>> = BTreeMap::new();
        for row in self.table.iter() {
            let asked = row.integer("epoch") == Some(epoch)
                && (row.text("kind") == Some(kind)
                    || kind == "block" && row.text("kind") == Some("stem"));
            let value = row.real(column).filter(|value| value.is_finite());
            if let (true, Some(value), Some(id)) = (asked, value, row.text("run_id"))
                && let Some(kind) = self.kinds.get(id)
            {
                let place = row.integer("depth").unwrap_or(0);
                let places = found.entry(kind.clone()).or_default();
                places.entry(place).or_default().push(value);
            }
        }
        found
    }

    fn first_epoch(&self) -> i64 {
        self.epochs.first().copied().unwrap_or(0)
    }

    fn last_epoch(&self) -> i64 {
        self.epochs.last().copied().unwrap_or(0)
    }

    /// Deeper networks are drawn with wider lines.
    fn width(&self, depth: i64) -> f64 {
        let place = self.depths.iter().position(|d| *d == depth).unwrap_or(0);
        1.0 + 1.2 * place as f64 / (self.depths.len().max(2) - 1) as f64
    }

    /// The legend's entries for plain and residual.
    fn kind_section(&self, line: bool) -> Section {
        let kinds = [false, true].into_iter();
        let there = kinds.filter(|r| self.kinds.values().any(|kind| kind.residual == *r));
        Section {
            heading: "Network".into(),
            entries: there
                .map(|residual| Entry {
                    sample: Sample::Mark {
                        shape: shape(residual),
                        color: theme::kind_color(residual),
                        radius: MARK,
                        opacity: 1.0,
                        line,
                    },
                    label: if residual { "residual" } else { "plain" }.into(),
                })
                .collect(),
        }
    }

    fn seeds_note(&self, mean: &str) -> String {
        match self.seeds {
            1 => "One seed.".into(),
            n => format!("{mean} over {n} seeds."),
        }
    }
}

/// Radius of marks.
const MARK: f64 = 3.2;

fn shape(residual: bool) -> Shape {
    if residual { Shape::Disc } else { Shape::Square }
}

/// `He`, `Xavier`, `He × 0.1`.
fn init_name(row: Row<'_>) -> String {
    let scheme = match row.text("init_scheme") {
        Some("he") | None => "He",
        Some("he-fan-out") => "He (fan-out)",
        Some("xavier") => "Xavier",
        Some(other) => other,
    };
    match row.real("init_gain") {
        Some(gain) if (gain - 1.0).abs() > 1e-12 => format!("{scheme} × {gain}"),
        _ => scheme.into(),
    }
}

/// An entry with a stretch of line.
fn line_entry(color: theme::Rgb, dashed: bool, label: &str) -> Entry {
    Entry {
        sample: Sample::Line { color, dashed },
        label: label.into(),
    }
}

/// Geometric mean of the positive ones; `None` if there are none.
fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = values
        .iter()
        .filter(|v| **v > 0.0)
        .map(|v| v.ln())
        .collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

/// Arithmetic mean; 0 of nothing.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
