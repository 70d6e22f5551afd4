//! Smoothness along training (the instrument `smoothness`; Santurkar et al. 2018, Fig. 4): one
//! column for each depth, plain and residual networks on one scale.
//!
//! - [`along`]: loss variation, gradient predictiveness and effective β-smoothness by epoch;
//! - [`edge`]: learning rate times curvature along the gradient, and times the largest eigenvalue of the
//!   Hessian where that was measured too.
//!
//! Where only one epoch was measured both are drawn by depth ([`single`]).

mod along;
mod edge;
mod single;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Table;

use super::gradients::nothing_else_varies;
use crate::plots::{Entry, Named, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Settings that the figures compare.
const COMPARED: [&str; 5] = [
    "model_depth",
    "model_residual",
    "model_batch_norm",
    "data_root",
    "seed",
];

/// The figures that the table `smoothness` suffices for.
pub fn figures(tables: &Tables) -> Vec<Named> {
    vec![
        ("smoothness".into(), along::figure(tables)),
        ("edge-of-stability".into(), edge::figure(tables)),
    ]
}

/// What a column of panels is: without batch norm last, then by depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    no_batch_norm: bool,
    depth: i64,
}

impl Place {
    fn title(self) -> String {
        let norm = if self.no_batch_norm {
            ", no batch norm"
        } else {
            ""
        };
        format!("{} layers{norm}", self.depth)
    }
}

/// What a run is: its place, and whether it is residual.
type Kinds<'t> = BTreeMap<&'t str, (Place, bool)>;

/// The runs, unless they differ in more than the figures compare.
fn kinds(runs: &Table) -> Result<Kinds<'_>, String> {
    nothing_else_varies(runs, &COMPARED)?;
    let kinds = runs.iter().filter_map(|row| {
        let place = Place {
            no_batch_norm: row.boolean("model_batch_norm") == Some(false),
            depth: row.integer("model_depth").unwrap_or(0),
        };
        let residual = row.boolean("model_residual").unwrap_or(true);
        Some((row.text("run_id")?, (place, residual)))
    });
    Ok(kinds.collect())
}

/// The places in order.
fn places(kinds: &Kinds<'_>) -> Vec<Place> {
    let places: BTreeSet<Place> = kinds.values().map(|(place, _)| *place).collect();
    places.into_iter().collect()
}

fn shape(residual: bool) -> Shape {
    if residual { Shape::Disc } else { Shape::Square }
}

/// The legend's entries for plain and residual, marks with a line through them or alone.
fn network_section(kinds: &Kinds<'_>, line: bool) -> Section {
    let there = |residual: &bool| kinds.values().any(|(_, r)| r == residual);
    let entries = [false, true]
        .into_iter()
        .filter(there)
        .map(|residual| Entry {
            sample: Sample::Mark {
                shape: shape(residual),
                color: theme::kind_color(residual),
                radius: MARK,
                opacity: 1.0,
                line,
            },
            label: if residual { "residual" } else { "plain" }.into(),
        });
    Section {
        heading: "Network".into(),
        entries: entries.collect(),
    }
}

/// Radius of marks.
const MARK: f64 = 3.0;

/// Geometric mean of positive numbers; `None` of none.
pub(super) fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logs = values.iter().map(|v| v.ln()).sum::<f64>();
    (!values.is_empty()).then(|| (logs / values.len() as f64).exp())
}
