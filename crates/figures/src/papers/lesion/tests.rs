//! What the figures show is what the table says.

use reslab_results::{Cell, Table, schema};

use super::{draw, networks};
use crate::plots::{Layer, check, lay_out};
use crate::scene::Shape;
use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;

fn row(table: &mut Table, cells: &[(&str, Cell)]) {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.schema.index(name).expect("a column")] = cell.clone();
    }
    table.push(row).expect("it fits");
}

/// Two networks of four blocks, the third down-sampling; error 0.1 more for each block.
fn tables() -> Tables {
    let mut made = Synthetic::default();
    let ids = [true, false].map(|residual| {
        let set = settings(20, residual, 0);
        made.run(set, "finished", 0.1, 0.2)
    });
    let mut table = Table::new(schema::lesion());
    for id in &ids {
        for (epoch, statistics, more) in [
            (1, "kept", 0.5),
            (2, "kept", 0.0),
            (2, "re-estimated", 0.05),
        ] {
            let common = |kind: &str, error: f64| {
                vec![
                    ("run_id", Cell::from(id.as_str())),
                    ("epoch", Cell::from(epoch as i64)),
                    ("statistics", statistics.into()),
                    ("kind", kind.into()),
                    ("error", (error + more).into()),
                ]
            };
            row(&mut table, &common("none", 0.1));
            for block in 0..4_i64 {
                let mut cells = common("delete", 0.1 + 0.1 * block as f64);
                cells.extend([
                    ("block", block.into()),
                    ("downsampling", (block == 2).into()),
                ]);
                row(&mut table, &cells);
            }
            for k in 1..3_i64 {
                for sample in 0..4 {
                    let error = 0.1 * k as f64 + 0.01 * f64::from(sample);
                    let mut cells = common("delete-random", error);
                    cells.push(("k", k.into()));
                    row(&mut table, &cells);
                    let mut cells = common("reorder", error);
                    let tau = 1.0 - 0.1 * k as f64;
                    cells.extend([("k", k.into()), ("kendall_tau", tau.into())]);
                    row(&mut table, &cells);
                }
            }
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("lesion".into(), table);
    tables
}

#[test]
fn figures_show_the_last_epoch_with_downsampling_blocks_marked() {
    let figures = draw(&tables());
    let names: Vec<&str> = figures.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["lesion-blocks", "lesion-random", "lesion-reorder"]);
    for (_, figure) in &figures {
        check(&lay_out(figure.as_ref().expect("drawn")));
    }
    let panel = &figures[0].1.as_ref().expect("drawn").rows[0][0];
    assert_eq!(panel.title, "residual-20");
    let squares: Vec<_> = panel
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Marks {
                points,
                shape: Shape::Square,
                ..
            } => Some(points.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(squares.len(), 1);
    assert_eq!(squares[0].0, 2.0);
    assert!((squares[0].1 - 0.3).abs() < 1e-12);
}

#[test]
fn means_of_draws_begin_at_the_whole_network() {
    let figures = draw(&tables());
    for (figure, first, second) in [(1, 0.0, 1.0), (2, 1.0, 0.9)] {
        let panel = &figures[figure].1.as_ref().expect("drawn").rows[0][1];
        let solid = panel.layers.iter().find_map(|layer| match layer {
            Layer::Line {
                points,
                dashed: false,
                ..
            } => Some(points),
            _ => None,
        });
        let points = solid.expect("a line of means");
        assert_eq!(points.len(), 3);
        assert_eq!(points[0], (first, 0.1));
        assert!((points[1].0 - second).abs() < 1e-12 && (points[1].1 - 0.115).abs() < 1e-12);
    }
    // The order changes from left to right.
    let x = &figures[2].1.as_ref().expect("drawn").rows[0][0].x;
    assert!(x.position(1.0) < x.position(0.8));
}

#[test]
fn a_table_without_errors_is_refused() {
    let mut tables = tables();
    let mut empty = Table::new(schema::lesion());
    row(
        &mut empty,
        &[
            ("run_id", "r0".into()),
            ("epoch", 1_i64.into()),
            ("kind", "none".into()),
        ],
    );
    tables.instruments.insert("lesion".into(), empty);
    assert!(networks(&tables).is_err_and(|reason| reason.contains("regression")));
}
