//! Test minus training error at equal training error.
//!
//! A network that has been trained further has a larger gap, so that gaps are compared at common
//! levels of clean training error. A run reaches a level where its training error, linear between
//! measured epochs, first falls to it; its test error is interpolated at the same place. Levels
//! that some run of a kind and panel never reaches are left out of these.

use std::collections::{BTreeMap, BTreeSet};

use super::{Run, network_section, runs, shape};
use crate::axes::{Axis, nice_above};
use crate::plots::{Figure, Layer, Means, Panel, beside};
use crate::tables::Tables;
use crate::theme;

/// Levels of clean training error.
pub(super) const LEVELS: [f64; 9] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6];

/// Clean training and test error of a run, epoch by epoch.
type Course = Vec<(f64, f64)>;

/// Gap at each level, one value a run: by recipe and depth, then kind, then place in [`LEVELS`].
type Panels = BTreeMap<(String, i64), BTreeMap<bool, BTreeMap<usize, Vec<f64>>>>;

/// One panel for each depth and way to train.
pub fn figure(tables: &Tables) -> Result<Figure, String> {
    let runs = runs(&tables.runs)?;
    let courses = courses(tables)?;
    let panels = panels(&runs, &courses);
    let gaps = || {
        let kinds = panels.values().flat_map(BTreeMap::values);
        kinds.flat_map(BTreeMap::values).flatten().copied()
    };
    if gaps().next().is_none() {
        return Err("no level of training error is reached by all runs of a kind".into());
    }
    let top = nice_above(1.1 * gaps().fold(0.01, f64::max));
    let low = gaps().fold(0.0, f64::min);
    let low = if low < 0.0 {
        -nice_above(-1.1 * low)
    } else {
        0.0
    };
    let mut rows: BTreeMap<&str, Vec<Panel>> = BTreeMap::new();
    for ((recipe, depth), kinds) in &panels {
        let x = Axis::percent("Clean training error (%)", 0.0, 0.64);
        let layers = kinds.iter().flat_map(|(residual, levels)| {
            let side = if *residual { 0.006 } else { -0.006 };
            let look = Means {
                color: theme::kind_color(*residual),
                shape: shape(*residual),
                dashed: false,
            };
            let places = levels.iter();
            look.layers(places.map(|(place, gaps)| (beside(LEVELS[*place], &x, side), gaps)))
        });
        let layers: Vec<Layer> = layers.collect();
        rows.entry(recipe).or_default().push(Panel {
            title: [format!("{depth} layers"), recipe.clone()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(", "),
            x,
            y: Axis::percent("Test minus training error (points)", low, top),
            layers,
        });
    }
    let seeds = tables
        .runs
        .distinct("seed")
        .map_or(1, |seeds| seeds.len().max(1));
    Ok(Figure {
        title: "Generalisation gap at equal training error, plain and residual networks".into(),
        rows: rows.into_values().collect(),
        panel_size: (250.0, 190.0),
        legend: vec![network_section(&runs, true)],
        notes: vec![
            "Test minus clean training error where a run's training error first falls to a level, linear between epochs; levels that all runs of a kind reach.".into(),
            if seeds == 1 { "One seed.".into() } else { format!("Means over {seeds} seeds with 95 % t intervals.") },
        ],
    })
}

fn courses(tables: &Tables) -> Result<BTreeMap<&str, Course>, String> {
    let epochs = tables.epochs.as_ref().ok_or("there is no table 'epochs'")?;
    let mut courses: BTreeMap<&str, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
    for row in epochs.iter() {
        let errors = (row.real("train_error"), row.real("test_error"));
        if let (Some(id), Some(epoch), (Some(train), Some(test))) =
            (row.text("run_id"), row.integer("epoch"), errors)
        {
            courses.entry(id).or_default().insert(epoch, (train, test));
        }
    }
    let in_order = courses.into_iter();
    Ok(in_order
        .map(|(id, epochs)| (id, epochs.into_values().collect()))
        .collect())
}

fn panels(runs: &BTreeMap<String, Run>, courses: &BTreeMap<&str, Course>) -> Panels {
    let mut panels = Panels::new();
    let mut missed: BTreeSet<((String, i64), bool, usize)> = BTreeSet::new();
    for (id, run) in runs {
        let course = courses.get(id.as_str()).map_or(&[][..], |course| course);
        let kinds = panels.entry((run.recipe.clone(), run.depth)).or_default();
        for (place, level) in LEVELS.iter().enumerate() {
            match gap_at(course, *level) {
                Some(gap) => {
                    let levels = kinds.entry(run.residual).or_default();
                    levels.entry(place).or_default().push(gap);
                }
                None => {
                    let panel = (run.recipe.clone(), run.depth);
                    missed.insert((panel, run.residual, place));
                }
            }
        }
    }
    for (panel, residual, place) in missed {
        let kinds = panels.entry(panel).or_default();
        if let Some(levels) = kinds.get_mut(&residual) {
            levels.remove(&place);
        }
    }
    panels
}

/// Test minus training error where the latter first falls to a level.
pub(super) fn gap_at(course: &[(f64, f64)], level: f64) -> Option<f64> {
    course.windows(2).find_map(|pair| {
        let [(before, test_before), (after, test_after)] = *pair else {
            return None;
        };
        (before > level && after <= level).then(|| {
            let share = (before - level) / (before - after);
            test_before + share * (test_after - test_before) - level
        })
    })
}
