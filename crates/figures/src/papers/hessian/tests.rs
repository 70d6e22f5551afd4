//! Figures of curvature from tables whose answer is known.

use std::collections::BTreeMap;

use reslab_results::{Cell, Table, schema};

use super::*;
use crate::plots::Figure;
use crate::synthetic::{Synthetic, settings};

fn push(table: &mut Table, cells: &[(&str, Cell)]) {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.schema.index(name).unwrap()] = cell.clone();
    }
    table.push(row).unwrap();
}

/// Two depths, four variants, two epochs; λ₁ = depth · (epoch + 1), λₙ a tenth of it below 0, trace
/// 10 λ₁.
fn tables() -> Tables {
    let mut made = Synthetic::default();
    let mut hessian = Table::new(schema::hessian());
    let mut density = Table::new(schema::hessian_density());
    for depth in [20_i64, 32] {
        for (residual, batch_norm) in [(true, true), (true, false), (false, true), (false, false)] {
            let settings = settings(depth, residual, 0).with("model_batch_norm", batch_norm);
            let id = made.run(settings, "finished", 0.25, 0.5);
            for epoch in [0_i64, 3] {
                let largest = depth as f64 * (epoch as f64 + 1.0);
                let own = [("run_id", Cell::from(id.as_str())), ("epoch", epoch.into())];
                let rows = [
                    ("top", Cell::from(1_i64), largest),
                    ("top", 2_i64.into(), 0.5 * largest),
                    ("bottom", 1_i64.into(), -0.1 * largest),
                    ("trace", Cell::Null, 10.0 * largest),
                ];
                for (quantity, rank, value) in rows {
                    let share = if quantity == "top" {
                        0.25.into()
                    } else {
                        Cell::Null
                    };
                    let mut cells = own.to_vec();
                    cells.extend([
                        ("quantity", quantity.into()),
                        ("rank", rank),
                        ("value", value.into()),
                        ("gradient_share", share),
                        ("samples", 100_i64.into()),
                        ("set", "train".into()),
                        ("mode", "evaluation".into()),
                    ]);
                    push(&mut hessian, &cells);
                }
                for point in 0..50 {
                    let t = largest * (f64::from(point) / 40.0 - 0.15);
                    let mut cells = own.to_vec();
                    cells.extend([
                        ("eigenvalue", t.into()),
                        ("density", (-t.abs()).exp().into()),
                        ("kernel_width", 0.02.into()),
                        ("draws", 4_i64.into()),
                        ("steps", 80_i64.into()),
                    ]);
                    push(&mut density, &cells);
                }
            }
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("hessian".into(), hessian);
    tables.instruments.insert("hessian_density".into(), density);
    tables
}

fn drawn(tables: &Tables) -> BTreeMap<String, Figure> {
    let figures = figures(tables).into_iter();
    figures
        .map(|(name, figure)| {
            let figure = figure.unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, figure)
        })
        .collect()
}

#[test]
fn every_figure_is_drawn_within_its_canvas() {
    let figures = drawn(&tables());
    let names: Vec<&str> = figures.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["hessian-density", "hessian-depth", "hessian-training"]
    );
    for figure in figures.values() {
        crate::plots::check(&crate::plots::lay_out(figure));
    }
}

#[test]
fn lines_are_those_of_the_table() {
    let figures = drawn(&tables());
    let lines = |name: &str, row: usize, column: usize| -> Vec<Vec<f64>> {
        let layers = figures[name].rows[row][column].layers.iter();
        layers
            .filter_map(|layer| match layer {
                Layer::Line { points, .. } => Some(points.iter().map(|p| p.1).collect()),
                _ => None,
            })
            .collect()
    };
    // Four variants each, at depth 32: λ₁, −λₙ/λ₁, trace, share of the gradient.
    assert_eq!(lines("hessian-training", 0, 1), vec![vec![32.0, 128.0]; 4]);
    let ratios = lines("hessian-training", 1, 1);
    assert!(
        ratios
            .iter()
            .flatten()
            .all(|ratio| (ratio - 0.1).abs() < 1e-12)
    );
    assert_eq!(lines("hessian-training", 2, 0), vec![vec![200.0, 800.0]; 4]);
    assert_eq!(lines("hessian-training", 3, 0), vec![vec![0.5, 0.5]; 4]);
    // After training, by depth.
    assert_eq!(lines("hessian-depth", 0, 1), vec![vec![80.0, 128.0]; 4]);
    assert_eq!(figures["hessian-density"].rows.len(), 2);
    assert_eq!(lines("hessian-density", 0, 3).len(), 2);
}

#[test]
fn modes_of_batch_norms_have_figures_of_their_own() {
    let mut tables = tables();
    let hessian = &tables.instruments["hessian"];
    // The runs with batch norm once more, after training, in the other mode.
    let mut both = hessian.clone();
    let mode = both.schema.index("mode").unwrap();
    for row in hessian
        .filter(|row| {
            let of = |id: &str| matches!(id, "r0" | "r2" | "r4" | "r6");
            row.text("run_id").is_some_and(of) && row.integer("epoch") == Some(3)
        })
        .rows
    {
        let mut row = row;
        row[mode] = "training".into();
        both.push(row).unwrap();
    }
    tables.instruments.insert("hessian".into(), both);
    let figures = drawn(&tables);
    let curve_count = |name: &str| {
        let panels = figures[name].rows[0].iter();
        let lines = panels.map(|panel| {
            let layers = panel.layers.iter();
            layers
                .filter(|layer| matches!(layer, Layer::Line { .. }))
                .count()
        });
        lines.collect::<Vec<_>>()
    };
    // Before and after training four variants; in the other mode two, after training only.
    assert_eq!(curve_count("hessian-depth"), [4, 4]);
    assert_eq!(curve_count("hessian-depth-training-mode"), [2]);
    assert!(!figures.contains_key("hessian-training-training-mode"));
    let notes = figures["hessian-depth-training-mode"].notes.join(" ");
    assert!(notes.contains("in mode training"), "{notes}");
}

#[test]
fn extreme_eigenvalues_stand_where_the_density_ends() {
    let figures = drawn(&tables());
    let panel = &figures["hessian-density"].rows[1][0];
    let marks: Vec<f64> = panel
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Marks { points, .. } => Some(points.iter().map(|p| p.0.sinh())),
            _ => None,
        })
        .flatten()
        .collect();
    for (found, expected) in marks.iter().zip([32.0, -3.2, 128.0, -12.8]) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }
    assert_eq!(marks.len(), 4);
    assert!(panel.x.ticks.iter().all(|(value, _)| panel.x.holds(*value)));
}
