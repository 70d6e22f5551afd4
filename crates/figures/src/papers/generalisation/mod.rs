//! Generalisation (with the instrument `sharpness`): the gap between test and training error of plain
//! and residual networks, and whether sharpness goes with it.
//!
//! - [`equal`]: the gap at equal clean training error;
//! - [`measures`]: the gap after training against each measure of sharpness, with rank correlations;
//! - [`rescaled`]: what a change of parameters that keeps the function does to each measure (Dinh et
//!   al. 2017).

mod equal;
mod measures;
mod rescaled;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use reslab_results::Table;
use reslab_results::table::Row;

use super::gradients::nothing_else_varies;
use crate::plots::{Entry, Named, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Settings that the figures compare.
const COMPARED: [&str; 7] = [
    "model_depth",
    "model_residual",
    "train_lr",
    "train_batch_size",
    "train_weight_decay",
    "data_root",
    "seed",
];

/// The figures that the table `sharpness` suffices for.
pub fn figures(tables: &Tables) -> Vec<Named> {
    vec![
        ("gap-by-training-error".into(), equal::figure(tables)),
        ("gap-by-sharpness".into(), measures::figure(tables)),
        ("sharpness-rescaled".into(), rescaled::figure(tables)),
    ]
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    residual: bool,
    depth: i64,
    /// How it was trained: values of the varying settings of training.
    recipe: String,
    /// Clean training and test error after training.
    last: (f64, f64),
}

impl Run {
    fn gap(&self) -> f64 {
        self.last.1 - self.last.0
    }
}

/// The finished runs, unless they differ in more than the figures compare.
fn runs(runs: &Table) -> Result<BTreeMap<String, Run>, String> {
    nothing_else_varies(runs, &COMPARED)?;
    let varies = |name: &&str| {
        name.starts_with("train_") && runs.distinct(name).is_ok_and(|values| values.len() > 1)
    };
    let recipe: Vec<&str> = COMPARED.into_iter().filter(varies).collect();
    let read = |row: &Row<'_>| {
        let (train, test) = (
            row.real("final_train_error")?,
            row.real("final_test_error")?,
        );
        let value = |name: &&str| {
            let value = row.get(name).map(ToString::to_string).unwrap_or_default();
            format!(
                "{} {value}",
                crate::study::path(runs, name).trim_start_matches("train.")
            )
        };
        let finished = row.text("status") == Some("finished");
        finished.then_some(Run {
            residual: row.boolean("model_residual").unwrap_or(true),
            depth: row.integer("model_depth").unwrap_or(0),
            recipe: recipe.iter().map(value).collect::<Vec<_>>().join(", "),
            last: (train, test),
        })
    };
    let found: BTreeMap<String, Run> = runs
        .iter()
        .filter_map(|row| Some((row.text("run_id")?.to_owned(), read(&row)?)))
        .collect();
    if found.is_empty() {
        return Err("no finished run has training and test error".into());
    }
    Ok(found)
}

fn shape(residual: bool) -> Shape {
    if residual { Shape::Disc } else { Shape::Square }
}

/// Legend entries for plain and residual.
fn network_section(runs: &BTreeMap<String, Run>, line: bool) -> Section {
    let there = |residual: &bool| runs.values().any(|run| run.residual == *residual);
    let entries = [false, true]
        .into_iter()
        .filter(there)
        .map(|residual| Entry {
            sample: Sample::Mark {
                shape: shape(residual),
                color: theme::kind_color(residual),
                radius: 3.6,
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
