use reslab_results::schema;

use super::*;
use crate::plots::{check, lay_out};
use crate::synthetic::{Synthetic, settings};

/// Profiles of r = 0.5 over four blocks, at two epochs of two runs that differ in depth.
fn tables() -> Tables {
    let mut made = Synthetic::default();
    let ids = [
        made.run(settings(20, true, 0), "finished", 0.1, 0.2),
        made.run(settings(32, true, 0), "finished", 0.1, 0.2),
        made.run(settings(32, true, 1), "finished", 0.1, 0.2),
    ];
    let mut tables = made.tables();
    let (mut paths, mut summary) = (
        Table::new(schema::paths()),
        Table::new(schema::path_summary()),
    );
    for id in &ids {
        for epoch in [0_i64, 3] {
            for (k, count) in [1.0, 4.0, 6.0, 4.0, 1.0_f64].into_iter().enumerate() {
                let norm = 0.5_f64.powi(k as i32);
                let whole = 1.5_f64.powi(4);
                let mut row = vec![Cell::from(1.0); paths.schema.columns.len()];
                let mut set = |name: &str, cell: Cell| {
                    row[paths.schema.index(name).expect("a column")] = cell;
                };
                for (name, integer) in
                    [("blocks", 4), ("samples", 8), ("k", k as i64), ("draws", 5)]
                {
                    set(name, integer.into());
                }
                set("run_id", id.as_str().into());
                set("epoch", epoch.into());
                set("log2_paths", count.log2().into());
                set("path_share", (count / 16.0).into());
                set("sampled_norm", norm.into());
                set("sampled_norm_error", (0.1 * norm).into());
                set("sampled_contribution", (count * norm / whole).into());
                set("order_norm", (count * norm).into());
                set("gradient_norm", whole.into());
                paths.push(row).expect("a row");
            }
            let mut row = vec![Cell::from(0.5); summary.schema.columns.len()];
            let mut set = |name: &str, cell: Cell| {
                row[summary.schema.index(name).expect("a column")] = cell;
            };
            for (name, integer) in [("epoch", epoch), ("blocks", 4), ("low", 0), ("high", 3)] {
                set(name, integer.into());
            }
            set("run_id", id.as_str().into());
            set("estimate", "sampled".into());
            summary.push(row).expect("a row");
        }
    }
    tables.instruments.insert("paths".into(), paths);
    tables.instruments.insert("path_summary".into(), summary);
    tables
}

#[test]
fn each_network_has_both_figures_with_a_column_an_epoch() {
    let figures = draw(&tables());
    let names: Vec<&str> = figures.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        [
            "path-lengths--depth-20",
            "path-orders--depth-20",
            "path-lengths--depth-32",
            "path-orders--depth-32"
        ]
    );
    for (_, figure) in figures {
        let figure = figure.expect("drawn");
        check(&lay_out(&figure));
        assert_eq!(
            figure.rows.iter().map(Vec::len).collect::<Vec<_>>(),
            [2, 2, 2]
        );
    }
}

#[test]
fn the_fitted_line_goes_through_what_decays_by_its_gain() {
    let figures = draw(&tables());
    let figure = figures[0].1.as_ref().expect("drawn");
    let Layer::Line { points, .. } = &figure.rows[1][0].layers[0] else {
        panic!("the fitted line is at the back")
    };
    assert!((points[0].1 - 1.0).abs() < 1e-12 && (points[1].1 - 1.0 / 16.0).abs() < 1e-12);
    assert!(figure.notes[2].contains("0 to 3 blocks, 50 % of all paths, r = 0.500"));
}
