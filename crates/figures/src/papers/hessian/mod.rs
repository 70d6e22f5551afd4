//! Curvature (the instrument `hessian`): networks with and without shortcuts and batch norm.
//!
//! - [`density`]: the spectral density before and through training (Ghorbani et al. 2019; Yao et
//!   al. 2020, Figs. 2 and 4);
//! - [`training`]: largest and smallest eigenvalue, trace, and the gradient's share along the top
//!   eigenvectors by epoch;
//! - [`depth`]: largest eigenvalue and trace by depth.

mod density;
mod depth;
#[cfg(test)]
mod tests;
mod training;

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::{Cell, Table};

use super::gradients::nothing_else_varies;
use crate::plots::{Entry, Layer, Means, Named, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Settings that the figures compare, and those that may go with them.
const COMPARED: [&str; 12] = [
    "model_depth",
    "model_residual",
    "model_batch_norm",
    "model_name",
    "model_shortcut",
    "train_lr",
    "train_warmup",
    "init_weights_sha256",
    "probes_hessian_mode",
    "probes_hessian_epochs",
    "data_root",
    "seed",
];

/// The figures that the tables `hessian` and `hessian_density` suffice for, of each mode of batch norms
/// apart.
pub fn figures(tables: &Tables) -> Vec<Named> {
    let Some(table) = tables.instruments.get("hessian") else {
        let reason = "there is no table 'hessian'".to_owned();
        return vec![("hessian-extremes".into(), Err(reason))];
    };
    let mode = |row: reslab_results::table::Row<'_>| row.text("mode").unwrap_or("").to_owned();
    let modes: BTreeSet<String> = table.iter().map(mode).collect();
    if modes.is_empty() {
        return vec![(
            "hessian-extremes".into(),
            Err("nothing was measured".into()),
        )];
    }
    let mut figures = Vec::new();
    for mode in &modes {
        let of_mode = table.filter(|row| row.text("mode").unwrap_or("") == mode);
        // The papers' mode has the plain names.
        let suffix = if modes.len() > 1 && mode == "training" {
            "-training-mode"
        } else {
            ""
        };
        match Study::read(tables, &of_mode) {
            Ok(study) => figures.extend(of_study(&study, tables, suffix)),
            Err(reason) => figures.push((format!("hessian-extremes{suffix}"), Err(reason))),
        }
    }
    figures
}

fn of_study(study: &Study<'_>, tables: &Tables, suffix: &str) -> Vec<Named> {
    let mut figures = Vec::new();
    if let Some(table) = tables.instruments.get("hessian_density") {
        let figure = density::figure(study, table);
        figures.push((format!("hessian-density{suffix}"), figure));
    }
    if study.epochs.len() > 1 {
        let figure = training::figure(study);
        figures.push((format!("hessian-training{suffix}"), figure));
    }
    if study.depths.len() > 1 {
        figures.push((format!("hessian-depth{suffix}"), depth::figure(study)));
    }
    figures
}

/// Fewer seeds have no intervals.
const LEAST_SEEDS: usize = 3;

/// What a network is, for these figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Variant {
    residual: bool,
    batch_norm: bool,
}

impl Variant {
    fn name(self) -> String {
        let kind = if self.residual { "residual" } else { "plain" };
        let norm = if self.batch_norm {
            ""
        } else {
            ", no batch norm"
        };
        format!("{kind}{norm}")
    }

    /// Colour by shortcuts; shape and dashes by batch norm.
    fn means(self) -> Means {
        Means {
            color: theme::kind_color(self.residual),
            shape: if self.batch_norm {
                Shape::Disc
            } else {
                Shape::Square
            },
            dashed: !self.batch_norm,
        }
    }
}

/// The runs, and the table's rows by run.
struct Study<'t> {
    runs: BTreeMap<&'t str, (Variant, i64)>,
    variants: Vec<Variant>,
    depths: Vec<i64>,
    epochs: Vec<i64>,
    table: &'t Table,
    seeds: usize,
    /// What a reader must know of the measurement.
    notes: Vec<String>,
}

impl<'t> Study<'t> {
    /// Of the rows of one mode.
    fn read(tables: &'t Tables, table: &'t Table) -> Result<Self, String> {
        nothing_else_varies(&tables.runs, &COMPARED)?;
        let measured = table.distinct("run_id").unwrap_or_default();
        let is_measured = |row: &reslab_results::table::Row<'_>| {
            row.get("run_id").is_some_and(|id| measured.contains(id))
        };
        let mut runs = BTreeMap::new();
        for row in tables.runs.iter().filter(is_measured) {
            let variant = Variant {
                residual: row.boolean("model_residual").unwrap_or(true),
                batch_norm: row.boolean("model_batch_norm").unwrap_or(true),
            };
            let depth = row.integer("model_depth").unwrap_or(0);
            runs.insert(row.text("run_id").unwrap_or(""), (variant, depth));
        }
        let variants: BTreeSet<Variant> = runs.values().map(|run| run.0).collect();
        let depths: BTreeSet<i64> = runs.values().map(|run| run.1).collect();
        let epochs: BTreeSet<i64> = table.iter().filter_map(|r| r.integer("epoch")).collect();
        let own = tables.runs.filter(|row| is_measured(&row));
        Ok(Self {
            // Residual first: what the others are compared with.
            variants: variants.into_iter().rev().collect(),
            depths: depths.into_iter().collect(),
            epochs: epochs.into_iter().collect(),
            seeds: seeds(&own),
            notes: notes(&own, table),
            runs,
            table,
        })
    }

    /// What `value` finds in the rows of a quantity: one value a run and epoch.
    fn values(&self, value: impl Fn(&[Quantity]) -> Option<f64>) -> Found {
        let mut rows: BTreeMap<(&str, i64), Vec<Quantity>> = BTreeMap::new();
        for row in self.table.iter() {
            let key = row.text("run_id").zip(row.integer("epoch"));
            let (Some(key), Some(name)) = (key, row.text("quantity")) else {
                continue;
            };
            rows.entry(key).or_default().push(Quantity {
                name: name.to_owned(),
                rank: row.integer("rank"),
                value: row.real("value").unwrap_or(f64::NAN),
                gradient_share: row.real("gradient_share"),
            });
        }
        let mut found = Found::new();
        for ((id, epoch), quantities) in rows {
            let value = value(&quantities).filter(|value| value.is_finite());
            if let (Some((variant, depth)), Some(value)) = (self.runs.get(id), value) {
                let places = found.entry((*variant, *depth)).or_default();
                places.entry(epoch).or_default().push(value);
            }
        }
        found
    }

    /// Means of a variant over seeds. Of two seeds there are no intervals: they would reach over
    /// decades and say nothing.
    fn layers<'v>(
        &self,
        variant: Variant,
        values: impl IntoIterator<Item = (f64, &'v Vec<f64>)>,
    ) -> Vec<Layer> {
        let mut layers = variant.means().layers(values);
        if self.seeds < LEAST_SEEDS {
            layers.retain(|layer| !matches!(layer, Layer::Intervals { .. }));
        }
        layers
    }

    /// The legend's entries for the variants.
    fn variant_section(&self) -> Section {
        let entries = self.variants.iter().map(|variant| Entry {
            sample: variant.means().sample(),
            label: variant.name(),
        });
        Section {
            heading: "Network".into(),
            entries: entries.collect(),
        }
    }
}

/// Values over seeds, by variant and depth, and by epoch.
type Found = BTreeMap<(Variant, i64), BTreeMap<i64, Vec<f64>>>;

/// One row of the table.
struct Quantity {
    name: String,
    rank: Option<i64>,
    value: f64,
    gradient_share: Option<f64>,
}

/// The largest eigenvalue.
fn largest(rows: &[Quantity]) -> Option<f64> {
    first(rows, "top")
}

/// The smallest eigenvalue.
fn smallest(rows: &[Quantity]) -> Option<f64> {
    first(rows, "bottom")
}

/// The trace.
fn trace(rows: &[Quantity]) -> Option<f64> {
    let row = rows.iter().find(|row| row.name == "trace");
    row.map(|row| row.value)
}

fn first(rows: &[Quantity], name: &str) -> Option<f64> {
    let row = rows
        .iter()
        .find(|row| row.name == name && row.rank == Some(1));
    row.map(|row| row.value)
}

fn seeds(runs: &Table) -> usize {
    runs.distinct("seed").map_or(1, |seeds| seeds.len())
}

fn notes(runs: &Table, table: &Table) -> Vec<String> {
    let mut notes = Vec::new();
    let only = |column: &str| match table.distinct(column).unwrap_or_default().as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    };
    if let (Some(samples), Some(set), Some(mode)) = (only("samples"), only("set"), only("mode")) {
        let set = match &set {
            Cell::Text(set) if set == "train" => "training",
            _ => "test",
        };
        notes.push(format!(
            "Hessian of the mean loss over {samples} {set} samples, batch norms in mode {mode}."
        ));
    }
    notes.push(match seeds(runs) {
        0 | 1 => "One seed.".into(),
        n if n < LEAST_SEEDS => format!("Means over {n} seeds; faint: single runs."),
        n => format!("Means over {n} seeds with 95 % intervals; faint: single runs."),
    });
    let open = table
        .iter()
        .filter(|r| r.boolean("converged") == Some(false));
    let open = open.count();
    if open > 0 {
        let noun = if open == 1 {
            "eigenvalue has"
        } else {
            "eigenvalues have"
        };
        notes.push(format!("{open} {noun} not converged to the tolerance."));
    }
    let rates = runs.distinct("train_lr").map_or(1, |rates| rates.len());
    if rates > 1 {
        notes.push("Networks have learning rates of their own.".into());
    }
    notes
}

/// The positive range of values with some room, or `None` if there is none.
fn log_range<'v>(values: impl Iterator<Item = &'v f64>) -> Option<(f64, f64)> {
    let positive = values.copied().filter(|value| *value > 0.0);
    let (low, high) = positive.fold((f64::MAX, 0.0), |(l, h): (f64, f64), v| {
        (l.min(v), h.max(v))
    });
    (high > 0.0).then(|| (low / 1.6, high * 1.6))
}
