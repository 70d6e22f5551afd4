//! What is found, as rows of tables.

use reslab_nn::data::Targets;
use reslab_results::{Cell, Table, TableError};

use super::directions::{Point, Way};
use super::settings::Statistics;
use super::surface::{Found, Measure, Surface};
use crate::subject::{ProbeError, Set, Subject};

/// The rows of a surface with one kind of statistics.
pub fn add(
    table: &mut Table,
    subject: &Subject<'_>,
    surface: &Surface,
    measure: Measure<'_>,
    found: &[Vec<Found>],
) -> Result<(), ProbeError> {
    let classes = matches!(subject.dataset.train.targets, Targets::Classes(_));
    for (&set, found) in measure.sets.iter().zip(found) {
        let count = set.1 as f64;
        for (&point, found) in surface.points.iter().zip(found) {
            let error = classes.then(|| found.wrong as f64 / count);
            let mut row = place(subject, surface, measure.statistics, set, point);
            row.push(("loss", (found.loss_sum / count).into()));
            row.push(("error", error.into()));
            push(table, row)?;
        }
    }
    Ok(())
}

/// What begins the row of a point in any table.
pub fn place(
    subject: &Subject<'_>,
    surface: &Surface,
    statistics: Statistics,
    (set, samples): (Set, usize),
    point: Point,
) -> Vec<(&'static str, Cell)> {
    let set = match set {
        Set::Train => "train",
        Set::Test => "test",
    };
    let normalisation = surface.normalisation.map(|kind| Cell::from(kind.name()));
    vec![
        ("run_id", subject.run_id.into()),
        ("epoch", subject.epoch.into()),
        ("surface", surface.name.into()),
        ("draw", surface.draw.into()),
        ("directions", surface.course.short().into()),
        ("normalisation", normalisation.unwrap_or(Cell::Null)),
        ("one_dimensional", surface.one_dimensional.into()),
        ("statistics", statistics_name(surface, statistics).into()),
        ("set", set.into()),
        ("samples", samples.into()),
        ("x", point.x.into()),
        ("y", point.y.into()),
    ]
}

/// What the tables call statistics.
fn statistics_name(surface: &Surface, statistics: Statistics) -> &'static str {
    match (statistics, &surface.course.way) {
        (Statistics::Recomputed, _) => "recomputed",
        (Statistics::Kept, Way::Along(_)) => "kept",
        (Statistics::Kept, Way::Towards { .. }) => "interpolated",
    }
}

/// Adds a row of which every column is named.
pub fn push(table: &mut Table, cells: Vec<(&'static str, Cell)>) -> Result<(), TableError> {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.index(name)?] = cell;
    }
    table.push(row)
}
