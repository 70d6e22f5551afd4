use reslab_results::{Cell, Table, schema};

use super::*;
use crate::plots::{Figure, Layer};
use crate::synthetic::{Settings, Synthetic, settings};

/// Rows of both tables for one product of a run.
fn add(tables: &mut [Table; 2], id: &str, law: &str, blocks: i64, c: Option<f64>) {
    let [theory, density] = tables;
    let push = |table: &mut Table, cells: &[(&str, Cell)]| {
        let mut row = vec![Cell::Null; table.schema.columns.len()];
        let head = [
            ("run_id", Cell::from(id)),
            ("epoch", 0_i64.into()),
            ("sample", 0_i64.into()),
            ("grow", "input".into()),
            ("blocks", blocks.into()),
            ("law", law.into()),
        ];
        for (name, cell) in head.iter().chain(cells) {
            row[table.schema.index(name).unwrap()] = cell.clone();
        }
        table.push(row).unwrap();
    };
    let edge = c.unwrap_or(1.0);
    push(
        theory,
        &[
            ("c", c.into()),
            ("distance", 0.0123.into()),
            ("edge_low_predicted", (-edge).into()),
            ("edge_low_measured", (-0.9 * edge).into()),
            ("edge_high_predicted", edge.into()),
            ("edge_high_measured", (2.0 * edge).into()),
            ("q05_predicted", (-0.6 * edge).into()),
            ("q05_measured", (-0.7 * edge).into()),
            ("q95_predicted", (0.6 * edge).into()),
            ("q95_measured", (0.7 * edge).into()),
            ("deviation", 0.01.into()),
        ],
    );
    for bin in 0..4 {
        let middle = edge * (f64::from(bin) - 1.5) / 2.0;
        push(
            density,
            &[
                ("kind", "bin".into()),
                ("log_sigma", middle.into()),
                ("width", (0.5 * edge).into()),
                ("measured", (0.5 / edge).into()),
                ("predicted", (0.4 / edge).into()),
            ],
        );
    }
    push(
        density,
        &[
            ("kind", "outlier".into()),
            ("log_sigma", (2.0 * edge).into()),
        ],
    );
}

fn of(settings: Settings, scale: &str) -> Settings {
    settings
        .with("init_branch_scale", scale)
        .with("model_activation", "identity")
}

fn tables() -> Tables {
    let mut made = Synthetic::default();
    let mut rows = [
        Table::new(schema::jacobian_theory()),
        Table::new(schema::jacobian_density()),
    ];
    for (depth, scale, c) in [
        (10, "one", 10.0),
        (100, "one", 100.0),
        (100, "inverse-sqrt-depth", 1.0),
        (100, "inverse-depth", 0.1),
    ] {
        for seed in 0..2 {
            let settings = of(settings(depth, true, seed), scale);
            let id = made.run(settings, "finished", 0.5, 0.5);
            add(&mut rows, &id, "many-blocks", depth, Some(c));
            add(&mut rows, &id, "blocks", depth, Some(c));
        }
    }
    let plain = of(settings(10, false, 0), "one");
    let id = made.run(plain, "finished", 0.5, 0.5);
    add(&mut rows, &id, "plain", 10, None);
    let mut tables = made.tables();
    let [theory, density] = rows;
    tables.instruments.insert("jacobian_theory".into(), theory);
    tables
        .instruments
        .insert("jacobian_density".into(), density);
    tables
}

fn drawn(name: &str) -> Figure {
    let mut figures = figures(&tables()).into_iter();
    let found = figures.find(|(stem, _)| stem == name).expect("it is there");
    found.1.expect("drawn")
}

#[test]
fn densities_have_a_panel_a_case() {
    let figure = drawn("jacobian-theory-residual");
    crate::plots::check(&crate::plots::lay_out(&figure));
    let panels: Vec<_> = figure.rows.iter().flatten().collect();
    assert_eq!(panels.len(), 4);
    let one = panels
        .iter()
        .find(|p| p.title == "100 × x + Wx, c = 1.00, KS 0.012");
    let one = one.expect("1/√L");
    // Both seeds' outliers, inside the axis.
    let Some(Layer::Marks { points, .. }) = one.layers.last() else {
        panic!("no outliers");
    };
    assert_eq!(points[..], [(2.0, 0.0); 2]);
    assert!(one.x.high > 2.0);
    let plain = drawn("jacobian-theory-plain");
    assert_eq!(plain.rows[0][0].title, "10 × Wx, Gaussian, KS 0.012");
}

#[test]
fn edges_leave_out_large_branches() {
    let figure = drawn("jacobian-theory-edges");
    crate::plots::check(&crate::plots::lay_out(&figure));
    let Layer::Line { points, .. } = &figure.rows[0][0].layers[1] else {
        panic!("no curve");
    };
    assert_eq!(points[..], [(0.1, 0.1), (0.1, 0.1), (1.0, 1.0), (1.0, 1.0)]);
}

#[test]
fn spread_is_drawn_by_scaling() {
    let figure = drawn("jacobian-theory-spread");
    crate::plots::check(&crate::plots::lay_out(&figure));
    let layers = &figure.rows[0][0].layers;
    assert_eq!(layers.len(), 9);
    let Layer::Marks { points, .. } = &layers[2] else {
        panic!("no marks");
    };
    assert_eq!(points.len(), 2);
    assert!((points[0].1 - 14.0).abs() < 1e-9);
}
