//! Spectra of Jacobians (the instrument `jacobian`): small multiples, a row for each kind of network
//! (plain, residual, residual with scaled branches) and a column for each nonlinearity and norm.
//!
//! - [`ridges`]: the density of log₁₀ σ of products, one ridge a length;
//! - [`spans`]: the ends and quantiles against the length of the product, the place of the block, or
//!   the epoch;
//! - [`clouds`]: eigenvalues of blocks in the complex plane;
//! - [`theory`]: what free probability predicts, beside measurements.

mod clouds;
mod ridges;
mod spans;
#[cfg(test)]
mod tests;
pub mod theory;

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Table;
use reslab_results::table::Row;

use super::gradients::nothing_else_varies;
use crate::plots::{Entry, Figure, Named, Panel, Sample};
use crate::tables::Tables;
use crate::theme;

/// Settings that the figures compare.
const COMPARED: [&str; 11] = [
    "model_depth",
    "model_width",
    "model_residual",
    "model_batch_norm",
    "model_activation",
    "model_branch_layers",
    "init_scheme",
    "init_branch_scale",
    "train_epochs",
    "data_root",
    "seed",
];

/// The figures that the tables of the instrument suffice for.
pub fn figures(tables: &Tables) -> Vec<Named> {
    let refused = |reason| vec![("jacobian-products".to_owned(), Err(reason))];
    // What was measured may differ from run to run: panels stand for networks.
    let columns = tables.runs.schema.columns.iter().map(|c| c.name.as_str());
    let measured = columns.filter(|name| name.starts_with("probes_jacobian_"));
    let compared: Vec<&str> = COMPARED.into_iter().chain(measured).collect();
    if let Err(reason) = nothing_else_varies(&tables.runs, &compared) {
        return refused(reason);
    }
    let of = |name: &str| tables.instruments.get(name);
    let (Some(summaries), Some(values)) = (of("jacobian"), of("jacobian_values")) else {
        return refused("the tables 'jacobian' and 'jacobian_values' are needed".to_owned());
    };
    let sizes: BTreeSet<Size> = tables.runs.iter().map(size).collect();
    let several = sizes.len() > 1;
    let mut figures = Vec::new();
    for size in sizes {
        let study = Study::new(tables, (summaries, values), size);
        let suffix = match several {
            true => format!("--width-{}-depth-{}", size.0, size.1),
            false => String::new(),
        };
        for (name, figure) in study.figures() {
            figures.push((format!("{name}{suffix}"), figure));
        }
    }
    figures
}

/// Width and depth.
type Size = (i64, i64);

fn size(row: Row<'_>) -> Size {
    let of = |name| row.integer(name).unwrap_or(0);
    (of("model_width"), of("model_depth"))
}

/// The kind of network (a row of panels) and nonlinearity and norm (a column).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: usize,
    column: usize,
}

/// Plain, then residual with branches of falling scale.
const KINDS: [&str; 4] = ["Plain", "Residual", "1/√L", "1/L"];

/// The runs of one size, and the tables' rows of them.
struct Study<'t> {
    columns: Vec<String>,
    places: BTreeMap<&'t str, Place>,
    summaries: &'t Table,
    values: &'t Table,
    epochs: Vec<i64>,
    seeds: usize,
    samples: usize,
    /// Whether the networks start from given weights.
    given: bool,
    /// Whether some spectra are those of Lanczos.
    lanczos: bool,
}

impl<'t> Study<'t> {
    fn new(tables: &'t Tables, (summaries, values): (&'t Table, &'t Table), of: Size) -> Self {
        let mut columns: Vec<String> = Vec::new();
        let mut places = BTreeMap::new();
        let runs: Vec<Row<'t>> = tables.runs.iter().filter(|row| size(*row) == of).collect();
        let mut names: Vec<((bool, String), Row<'t>)> =
            runs.iter().map(|row| (column(*row), *row)).collect();
        names.sort_by(|a, b| a.0.cmp(&b.0));
        for ((_, name), row) in names {
            if columns.last() != Some(&name) {
                columns.push(name);
            }
            let place = Place {
                kind: kind(row),
                column: columns.len() - 1,
            };
            places.insert(row.text("run_id").unwrap_or(""), place);
        }
        let here = |row: &Row<'_>| row.text("run_id").is_some_and(|id| places.contains_key(id));
        let epochs: BTreeSet<i64> = summaries
            .iter()
            .filter(here)
            .filter_map(|row| row.integer("epoch"))
            .collect();
        let samples: BTreeSet<i64> = summaries
            .iter()
            .filter(here)
            .filter_map(|row| row.integer("sample"))
            .collect();
        let mut here = summaries.iter().filter(here);
        let lanczos = here.any(|row| row.text("method") == Some("lanczos"));
        let seeds: BTreeSet<i64> = runs.iter().filter_map(|row| row.integer("seed")).collect();
        Self {
            columns,
            places,
            summaries,
            values,
            epochs: epochs.into_iter().collect(),
            lanczos,
            given: runs
                .iter()
                .all(|row| row.text("init_weights_sha256").is_some()),
            seeds: seeds.len(),
            samples: samples.len(),
        }
    }

    fn figures(&self) -> Vec<Named> {
        let (Some(&first), Some(&last)) = (self.epochs.first(), self.epochs.last()) else {
            return vec![(
                "jacobian-products".to_owned(),
                Err("nothing was measured".to_owned()),
            )];
        };
        let mut figures = Vec::new();
        let mut at = |suffix: &str, epoch: i64| {
            for (name, figure) in [
                ("jacobian-products", ridges::figure(self, epoch)),
                ("jacobian-depth", spans::by_length(self, epoch)),
                ("jacobian-blocks", spans::by_block(self, epoch, false)),
                ("jacobian-sums", spans::by_block(self, epoch, true)),
                ("jacobian-eigenvalues", clouds::figure(self, epoch)),
            ] {
                figures.push((format!("{name}{suffix}"), figure));
            }
        };
        at("", first);
        if last > first {
            at("-trained", last);
            figures.push(("jacobian-training".to_owned(), spans::by_epoch(self)));
        }
        figures
    }

    /// Rows of a table that are asked for, with their places.
    fn rows<'s>(
        &'s self,
        table: &'t Table,
        asked: impl Fn(Row<'t>) -> bool + 's,
    ) -> impl Iterator<Item = (Place, Row<'t>)> + 's {
        table.iter().filter_map(move |row| {
            let place = self.places.get(row.text("run_id")?)?;
            asked(row).then_some((*place, row))
        })
    }

    /// One panel for each place that has data, kinds from top to bottom. `draw` is given the title.
    fn panels(
        &self,
        places: &BTreeSet<Place>,
        mut draw: impl FnMut(Place, String) -> Panel,
    ) -> Vec<Vec<Panel>> {
        let kinds: BTreeSet<usize> = places.iter().map(|place| place.kind).collect();
        kinds
            .into_iter()
            .map(|kind| {
                places
                    .iter()
                    .filter(|place| place.kind == kind)
                    .map(|place| draw(*place, self.title(*place)))
                    .collect()
            })
            .collect()
    }

    fn title(&self, place: Place) -> String {
        match self.columns[place.column].as_str() {
            "" => KINDS[place.kind].to_owned(),
            column => format!("{}: {column}", KINDS[place.kind]),
        }
    }

    fn notes(&self, first: &str, epoch: Option<i64>) -> Vec<String> {
        let when = match epoch {
            Some(0) if self.given => "The weights as they were given.".to_owned(),
            Some(0) => "Before training.".to_owned(),
            Some(1) => "After one epoch.".to_owned(),
            Some(epoch) => format!("After {epoch} epochs."),
            None => String::new(),
        };
        let several = |n: usize, what: &str| match n {
            0 | 1 => format!("one {what}"),
            n => format!("{n} {what}s"),
        };
        let (seeds, samples) = (several(self.seeds, "seed"), several(self.samples, "sample"));
        let pooled = format!("Pooled: {seeds}, {samples}.");
        let scaled = self.places.values().any(|place| place.kind > 1);
        let scales = match scaled {
            true => "1/√L and 1/L: residual with branches that start scaled so, L blocks.",
            false => "",
        };
        let lanczos = match self.lanczos {
            true => {
                "Jacobians too wide to be written down were looked at by Lanczos: what it cannot tell from 0 is left out, and no smallest is drawn."
            }
            false => "",
        };
        vec![
            first.to_owned(),
            scales.to_owned(),
            lanczos.to_owned(),
            when,
            pooled,
        ]
    }
}

fn kind(row: Row<'_>) -> usize {
    match (row.boolean("model_residual"), row.text("init_branch_scale")) {
        (Some(false), _) => 0,
        (_, Some("inverse-sqrt-depth")) => 2,
        (_, Some("inverse-depth")) => 3,
        _ => 1,
    }
}

/// Nonlinearity and norm in words, and what they are ordered by.
fn column(row: Row<'_>) -> (bool, String) {
    let norm = row.boolean("model_batch_norm").unwrap_or(false);
    let activation = match row.text("model_activation") {
        Some("tanh") => "tanh",
        Some("identity") => "linear",
        _ => "ReLU",
    };
    let layers = match row.integer("model_branch_layers") {
        Some(2) if row.text("model_family") == Some("fully-connected") => ", two layers",
        _ => "",
    };
    let with = if norm { ", batch norm" } else { "" };
    (norm, format!("{activation}{layers}{with}"))
}

/// The range of an axis of log₁₀ σ around some values, 1 among them.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((-0.04_f64, 0.04_f64), |(l, h), v| (l.min(v), h.max(v)));
    let room = 0.04 * (high - low);
    (low - room, high + room)
}

/// An entry with a stretch of line.
fn line_entry(color: theme::Rgb, dashed: bool, label: &str) -> Entry {
    Entry {
        sample: Sample::Line { color, dashed },
        label: label.into(),
    }
}

/// Refuses a figure without panels.
fn not_empty(figure: Figure) -> Result<Figure, String> {
    if figure.rows.is_empty() {
        return Err("no such Jacobian was measured".to_owned());
    }
    Ok(figure)
}
