//! Figures of gradients from tables whose answer is known.

use reslab_results::{Cell, Table, schema};

use super::*;
use crate::plots::{Figure, Layer};
use crate::synthetic::{Synthetic, settings};

/// Gradients that grow by `factor` a block going back, at epochs 0 and 2.
fn tables(factor: f64) -> Tables {
    let mut made = Synthetic::default();
    let mut table = Table::new(schema::gradients());
    for (residual, clip) in [
        (true, 1.0_f64.into()),
        (false, Cell::Null),
        (true, Cell::Null),
    ] {
        let settings = settings(4, residual, 0)
            .with("model_batch_norm", true)
            .with("init_scheme", "he")
            .with("train_clip_norm", clip);
        let id = made.run(settings, "finished", 0.25, 0.5);
        for epoch in [0_i64, 2] {
            let mut add = |kind: &str, cells: Vec<(&str, Cell)>| {
                let mut row = vec![Cell::Null; table.schema.columns.len()];
                let own = [("run_id", id.as_str().into()), ("epoch", epoch.into())];
                let kind = [("kind", Cell::from(kind))];
                for (name, cell) in own.into_iter().chain(kind).chain(cells) {
                    row[table.schema.index(name).unwrap()] = cell;
                }
                table.push(row).unwrap();
            };
            for depth in 0..=4_i64 {
                let norm = factor.powi(4 - depth as i32);
                let share = if residual { 0.8.into() } else { Cell::Null };
                add(
                    if depth == 0 { "stem" } else { "block" },
                    vec![
                        ("depth", depth.into()),
                        ("output_gradient_norm", norm.into()),
                        ("shortcut_share", share.clone()),
                        ("shortcut_branch_cosine", share),
                    ],
                );
            }
            add("fit", vec![("log_rate", factor.ln().into())]);
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("gradients".into(), table);
    tables
}

fn drawn(tables: &Tables) -> BTreeMap<String, Figure> {
    figures(tables)
        .into_iter()
        .map(|(name, figure)| {
            (
                name.clone(),
                figure.unwrap_or_else(|e| panic!("{name}: {e}")),
            )
        })
        .collect()
}

#[test]
fn every_figure_is_drawn_within_its_canvas() {
    let figures = drawn(&tables(1.25));
    let names: Vec<&str> = figures.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "gradient-flow",
            "gradient-flow-trained",
            "gradient-flow-trained-clip-1",
            "gradient-outcome",
            "gradient-rates",
            "gradient-rates-training",
            "gradient-roads",
        ]
    );
    for figure in figures.values() {
        crate::plots::check(&crate::plots::lay_out(figure));
    }
}

#[test]
fn norms_and_rates_are_those_of_the_table() {
    let figures = drawn(&tables(1.25));
    let lines = |name: &str| -> Vec<Vec<(f64, f64)>> {
        let layers = figures[name].rows[0][0].layers.iter();
        layers
            .filter_map(|layer| match layer {
                Layer::Line { points, .. } => Some(points.clone()),
                _ => None,
            })
            .collect()
    };
    // One plain and one residual line; clipping does nothing before training.
    let flow = lines("gradient-flow");
    assert_eq!(flow.len(), 2);
    assert!((flow[0][0].1 - 1.25_f64.powi(4)).abs() < 1e-12);
    assert_eq!(lines("gradient-flow-trained-clip-1").len(), 1);
    // Theory of plain networks with batch norm.
    assert!((lines("gradient-rates")[0][0].1 - 1.2112).abs() < 1e-4);
    let through = lines("gradient-rates-training");
    assert_eq!(through.len(), 3);
    assert!(through.iter().flatten().all(|p| (p.1 - 1.25).abs() < 1e-12));
    assert_eq!(lines("gradient-outcome")[0], [(4.0, 0.25)]);
}

#[test]
fn very_small_gradients_are_cut_off_and_said() {
    let figure = &drawn(&tables(1e-6))["gradient-flow"];
    assert!(figure.notes.iter().any(|note| note.contains("1e-24")));
}
