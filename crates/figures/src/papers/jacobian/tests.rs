//! Figures from made-up tables.

use reslab_results::{Cell, Table, schema};

use super::*;
use crate::plots::{Layer, check, lay_out};
use crate::synthetic::{Synthetic, settings};

fn push(table: &mut Table, cells: &[(&str, Cell)]) {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.schema.index(name).unwrap()] = cell.clone();
    }
    table.push(row).unwrap();
}

/// Plain and residual tanh networks, two epochs, products of 1, 2 and 4 blocks, four blocks.
fn tables() -> Tables {
    let mut made = Synthetic::default();
    let mut summaries = Table::new(schema::jacobian());
    let mut values = Table::new(schema::jacobian_values());
    for residual in [false, true] {
        let settings = settings(4, residual, 0)
            .with("model_activation", "tanh")
            .with("model_batch_norm", false);
        let id = made.run(settings, "finished", 0.5, 0.5);
        for epoch in [0_i64, 1] {
            let head = |kind: &str, first: i64, blocks: i64| {
                vec![
                    ("run_id", Cell::from(id.as_str())),
                    ("epoch", epoch.into()),
                    ("sample", 0_i64.into()),
                    ("kind", kind.into()),
                    ("first", first.into()),
                    ("blocks", blocks.into()),
                ]
            };
            let five = |scale: f64| {
                let logs = [-2.0, -1.0, 0.0, 1.0, 2.0];
                let names = ["log_min", "log_q05", "log_q50", "log_q95", "log_max"];
                let cells = names.into_iter().zip(logs);
                cells.map(move |(name, log)| (name, Cell::from(scale * log)))
            };
            for blocks in [1_i64, 2, 4] {
                let mut cells = head("product", 0, blocks);
                cells.push(("grow", "input".into()));
                let mut summary = cells.clone();
                summary.extend(five(blocks as f64));
                push(&mut summaries, &summary);
                for rank in 0..9_i64 {
                    let mut cells = cells.clone();
                    cells.push(("what", "singular".into()));
                    let log = ((4 - rank) * blocks) as f64;
                    cells.push(("log_sigma", log.into()));
                    push(&mut values, &cells);
                }
            }
            for first in 0..4_i64 {
                let kind = if residual { "sum" } else { "branch" };
                let mut cells = head(kind, first, 1);
                cells.extend(five(1.0));
                push(&mut summaries, &cells);
                for angle in 0..8 {
                    let mut cells = head(kind, first, 1);
                    let turn = f64::from(angle) * 0.785;
                    let centre = f64::from(u8::from(residual));
                    cells.push(("what", "eigen".into()));
                    cells.push(("re", (centre + 0.5 * turn.cos()).into()));
                    cells.push(("im", (0.5 * turn.sin()).into()));
                    push(&mut values, &cells);
                }
            }
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("jacobian".into(), summaries);
    tables.instruments.insert("jacobian_values".into(), values);
    tables
}

#[test]
fn every_figure_is_drawn_and_fits() {
    let figures = figures(&tables());
    let names: Vec<&str> = figures.iter().map(|f| f.0.as_str()).collect();
    assert_eq!(
        names,
        [
            "jacobian-products",
            "jacobian-depth",
            "jacobian-blocks",
            "jacobian-sums",
            "jacobian-eigenvalues",
            "jacobian-products-trained",
            "jacobian-depth-trained",
            "jacobian-blocks-trained",
            "jacobian-sums-trained",
            "jacobian-eigenvalues-trained",
            "jacobian-training",
        ]
    );
    for (name, figure) in figures {
        if name.starts_with("jacobian-sums") {
            // No block has anything after its addition.
            assert!(figure.is_err());
            continue;
        }
        let figure = figure.unwrap_or_else(|reason| panic!("{name}: {reason}"));
        check(&lay_out(&figure));
        assert_eq!(figure.rows.len(), 2, "{name}: plain above residual");
    }
}

#[test]
fn spans_are_decades() {
    let figures = figures(&tables());
    let (_, figure) = &figures[1];
    let panel = &figure.as_ref().unwrap().rows[0][0];
    assert_eq!(panel.title, "Plain: tanh");
    let marks: Vec<_> = panel
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Marks { points, .. } => Some(points.clone()),
            _ => None,
        })
        .collect();
    let ten = std::f64::consts::LN_10;
    assert_eq!(
        marks[0],
        [(1.0, 2.0 / ten), (2.0, 4.0 / ten), (4.0, 8.0 / ten)]
    );
}

#[test]
fn panels_share_an_axis_unless_some_would_be_flat() {
    let axes = |tables: &Tables| -> Vec<(f64, f64)> {
        let (_, figure) = &figures(tables)[1];
        let rows = figure.as_ref().unwrap().rows.iter();
        rows.map(|row| (row[0].y.low, row[0].y.high)).collect()
    };
    let mut tables = tables();
    let shared = axes(&tables);
    assert_eq!(shared[0], shared[1]);
    // Spectra of residual networks a tenth as wide.
    let residual = tables
        .runs
        .iter()
        .find(|r| r.boolean("model_residual") == Some(true));
    let id = residual.unwrap().text("run_id").unwrap().to_owned();
    let old = tables.instruments.remove("jacobian").unwrap();
    let mut flat = Table::new(schema::jacobian());
    for (at, row) in old.iter().enumerate() {
        let mut cells = old.rows[at].clone();
        if row.text("run_id") == Some(&id) {
            for name in ["log_min", "log_q05", "log_q50", "log_q95", "log_max"] {
                cells[flat.schema.index(name).unwrap()] = (0.1 * row.real(name).unwrap()).into();
            }
        }
        flat.push(cells).unwrap();
    }
    tables.instruments.insert("jacobian".into(), flat);
    let own = axes(&tables);
    assert!(own[1].1 < 0.2 * own[0].1, "{own:?}");
}

#[test]
fn runs_that_differ_otherwise_are_refused() {
    let mut made = Synthetic::default();
    for rate in [0.1, 0.2] {
        let settings = settings(4, true, 0).with("train_lr", rate);
        made.run(settings, "finished", 0.5, 0.5);
    }
    let found = figures(&made.tables());
    let reason = found[0].1.as_ref().expect_err("two rates");
    assert!(reason.contains("train_lr"), "{reason}");
}
