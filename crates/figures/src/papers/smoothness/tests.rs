//! What the figures show is what the table says.

use reslab_results::{Cell, Table, schema};

use super::figures;
use crate::plots::{Layer, check, lay_out};
use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;

pub(super) fn row(table: &mut Table, cells: &[(&str, Cell)]) {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.schema.index(name).expect("a column")] = cell.clone();
    }
    table.push(row).expect("it fits");
}

fn tables() -> Tables {
    tables_of(3)
}

/// Tables of so many epochs.
fn tables_of(epochs: i64) -> Tables {
    let mut made = Synthetic::default();
    let mut table = Table::new(schema::smoothness());
    for (residual, factor) in [(false, 4.0), (true, 1.0)] {
        for seed in 0..2 {
            let id = made.run(settings(20, residual, seed), "finished", 0.1, 0.2);
            for epoch in 0..epochs {
                made.epoch(&id, epoch, 0.5, 0.5);
                for (batch, more) in [(0_i64, 1.0), (1, 4.0)] {
                    for multiple in [0.5, 1.0, 2.0] {
                        let value: f64 = factor * more * multiple;
                        row(
                            &mut table,
                            &[
                                ("run_id", id.as_str().into()),
                                ("epoch", epoch.into()),
                                ("batch", batch.into()),
                                ("multiple", multiple.into()),
                                ("loss_after", (1.0 + value).into()),
                                ("gradient_change", value.into()),
                                ("smoothness", (10.0 * value).into()),
                                // gᵀHg/‖g‖² = (4 − 0.5 · 2)/(0.1 multiple) = 30/multiple.
                                ("lr", 0.2.into()),
                                ("gradient_norm", 4.0.into()),
                                ("gradient_norm_after", 2.0.into()),
                                ("cosine", 0.5.into()),
                                ("step_norm", (0.1 * multiple).into()),
                            ],
                        );
                    }
                }
            }
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("smoothness".into(), table);
    tables
}

fn lines(layers: &[Layer]) -> Vec<&Vec<(f64, f64)>> {
    layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Line { points, .. } => Some(points),
            _ => None,
        })
        .collect()
}

#[test]
fn bands_reach_from_the_lowest_to_the_highest_over_steps() {
    let figures = figures(&tables());
    let figure = figures[0].1.as_ref().expect("drawn");
    check(&lay_out(figure));
    assert_eq!(figure.rows.len(), 3);
    // Plain: lowest, highest; then residual. Geometric means over the batches' 1 and 4 are 2.
    let change = lines(&figure.rows[1][0].layers);
    let ends: Vec<f64> = change.iter().map(|line| line[1].1).collect();
    for (found, expected) in ends.iter().zip([4.0, 16.0, 1.0, 4.0]) {
        assert!((found - expected).abs() < 1e-12, "{ends:?}");
    }
    let smoothness = lines(&figure.rows[2][0].layers);
    assert!((smoothness[0][2].1 - 160.0).abs() < 1e-9);
}

#[test]
fn curvature_along_the_gradient_is_that_of_the_shortest_step() {
    let figures = figures(&tables());
    let figure = figures[1].1.as_ref().expect("drawn");
    check(&lay_out(figure));
    assert_eq!(figure.rows.len(), 1);
    let lines = lines(&figure.rows[0][0].layers);
    // The bound, plain, residual.
    assert_eq!(lines.len(), 3);
    assert!((lines[0][0].1 - 2.0).abs() < 1e-12);
    assert!((lines[1][1].1 - 0.2 * 30.0 / 0.5).abs() < 1e-9, "{lines:?}");
}

#[test]
fn a_single_epoch_is_drawn_by_depth() {
    let figures = figures(&tables_of(1));
    let marks = |figure: usize, row: usize| -> Vec<(f64, f64)> {
        let figure = figures[figure].1.as_ref().expect("drawn");
        check(&lay_out(figure));
        assert!(figure.notes[0].contains("before training"));
        let panel = &figure.rows[row][0];
        assert_eq!(panel.x.label, "Layers");
        let layers = panel.layers.iter();
        let marks = layers.filter_map(|layer| match layer {
            Layer::Marks { points, .. } => Some(points),
            _ => None,
        });
        marks.flatten().copied().collect()
    };
    let change = marks(0, 1);
    // Plain left of residual, both beside 20 layers.
    assert!(change[0].0 < 20.0 && change[1].0 > 20.0);
    assert!((change[0].1 - 16.0).abs() < 1e-9 && (change[1].1 - 4.0).abs() < 1e-9);
    let edge = marks(1, 0);
    assert!((edge[0].1 - 0.2 * 30.0 / 0.5).abs() < 1e-9, "{edge:?}");
}

#[test]
fn runs_that_differ_otherwise_are_refused() {
    let mut made = Synthetic::default();
    for rate in [0.1, 0.2] {
        let set = settings(20, true, 0).with("train_lr", rate);
        made.run(set, "finished", 0.1, 0.2);
    }
    let mut tables = made.tables();
    let table = Table::new(schema::smoothness());
    tables.instruments.insert("smoothness".into(), table);
    let reason = figures(&tables)[0].1.clone().expect_err("two rates");
    assert!(reason.contains("train_lr"), "{reason}");
}
