//! Gaps at levels by hand, and figures that show the tables.

use reslab_results::{Cell, Table, schema};

use super::equal::gap_at;
use super::figures;
use crate::plots::{Layer, check, lay_out};
use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;

#[test]
fn a_level_is_reached_between_two_epochs() {
    let course = [(0.9, 0.9), (0.5, 0.6), (0.1, 0.5), (0.2, 0.4), (0.0, 0.4)];
    // A quarter of the way from 0.5 to 0.1, test 0.575.
    let found = gap_at(&course, 0.4).expect("reached");
    assert!((found - 0.175).abs() < 1e-12, "{found}");
    // The first time counts.
    let first = gap_at(&course, 0.15).expect("reached");
    assert!(
        (first - (0.5 + 0.125 * 0.1 - 0.15)).abs() < 1e-12,
        "{first}"
    );
    assert_eq!(gap_at(&course[..2], 0.4), None);
    assert_eq!(gap_at(&[], 0.4), None);
}

fn row(table: &mut Table, cells: &[(&str, Cell)]) {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.schema.index(name).expect("a column")] = cell.clone();
    }
    table.push(row).expect("it fits");
}

/// Sharper runs have larger gaps; rescaling doubles the plain rise.
fn tables() -> Tables {
    let mut made = Synthetic::default();
    let mut table = Table::new(schema::sharpness());
    for residual in [false, true] {
        for seed in 0..5 {
            let place = (2 * seed + i64::from(residual)) as f64;
            let gap = 0.1 + 0.01 * place;
            let id = made.run(settings(20, residual, seed), "finished", 0.05, 0.05 + gap);
            for (epoch, train) in [(0, 0.9), (1, 0.5), (2, 0.05)] {
                made.epoch(&id, epoch, train, train + gap);
            }
            for rescale in [1.0, 4.0] {
                row(
                    &mut table,
                    &[
                        ("run_id", id.as_str().into()),
                        ("epoch", 2_i64.into()),
                        ("rescale", rescale.into()),
                        ("kind", "curvature".into()),
                        // Sharper runs are flatter by this one.
                        ("eigenvalue", (rescale * rescale * (20.0 - place)).into()),
                    ],
                );
                for (kind, factor) in [("gaussian", rescale), ("filter", 1.0)] {
                    for draw in 0..2_i64 {
                        let rise: f64 = factor * (1.0 + place) * (1.0 + 0.1 * draw as f64);
                        row(
                            &mut table,
                            &[
                                ("run_id", id.as_str().into()),
                                ("epoch", 2_i64.into()),
                                ("rescale", rescale.into()),
                                ("kind", kind.into()),
                                ("radius", 0.1.into()),
                                ("draw", draw.into()),
                                ("rise", rise.into()),
                            ],
                        );
                    }
                }
            }
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("sharpness".into(), table);
    tables
}

#[test]
fn all_three_figures_show_what_the_tables_say() {
    let figures = figures(&tables());
    let figure = |place: usize| figures[place].1.as_ref().expect("drawn");
    for place in 0..3 {
        check(&lay_out(figure(place)));
    }
    let told = figure(1).notes.join(" ");
    assert!(
        told.contains("Random direction: 1.00 (1.00 to 1.00, 10 runs)"),
        "{told}"
    );
    assert!(
        told.contains("Largest eigenvalue: −1.00 (−1.00 to −1.00, 10 runs)"),
        "{told}"
    );
    let means = |place: usize| -> Vec<f64> {
        let layers = &figure(2).rows[place / 2][place % 2].layers;
        let lines = layers.iter().filter_map(|layer| match layer {
            Layer::Line {
                points,
                dashed: false,
                ..
            } => points.last().map(|p| p.1),
            _ => None,
        });
        lines.collect()
    };
    let close = |found: Vec<f64>, expected: f64| {
        assert!(
            found.iter().all(|f| (f - expected).abs() < 1e-9),
            "{found:?}"
        );
    };
    close(means(0), 4.0);
    close(means(1), 1.0);
    // What was not measured has no panel.
    close(means(2), 16.0);
    assert_eq!(figure(2).rows.iter().flatten().count(), 3);
}

#[test]
fn levels_that_some_run_misses_are_left_out() {
    let mut tables = tables();
    let epochs = tables.epochs.take().expect("epochs");
    // The first run stops at 50 %.
    tables.epochs = Some(
        epochs.filter(|row| row.text("run_id") != Some("r0") || row.integer("epoch") != Some(2)),
    );
    let figures = figures(&tables);
    let figure = figures[0].1.as_ref().expect("drawn");
    let lines = figure.rows[0][0]
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Line { points, .. } => Some(points.len()),
            _ => None,
        });
    // Of the plain networks 50 and 60 % are left; the residual ones reach all but 2 %.
    assert_eq!(lines.collect::<Vec<_>>(), [2, 8]);
}
