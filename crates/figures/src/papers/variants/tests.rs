//! The figure of networks, from synthetic tables.

use super::*;
use crate::synthetic::{Synthetic, settings};

fn tables(seeds: i64, diverged: bool) -> Tables {
    let mut made = Synthetic::default();
    for seed in 0..seeds {
        for (n, shortcut) in ["B", "constant", "exclusive-gate"].iter().enumerate() {
            let error = 0.3 + 0.1 * n as f64 + 0.01 * seed as f64;
            let set = settings(20, true, seed).with("model_shortcut", *shortcut);
            made.run(set, "finished", error, error + 0.05);
        }
    }
    if diverged {
        let set = settings(20, true, 9).with("model_shortcut", "B");
        made.run(set, "diverged", f64::NAN, f64::NAN);
    }
    made.tables()
}

fn drawn(tables: &Tables) -> Figure {
    let mut figures = error_by_network(tables).expect("sets");
    assert_eq!(figures.len(), 1);
    let figure = figures.remove(0).1.expect("drawn");
    crate::plots::check(&crate::plots::lay_out(&figure));
    figure
}

/// The places of marks of this size.
fn marks(panel: &Panel, wanted: f64) -> Vec<(f64, f64)> {
    let points = panel.layers.iter().filter_map(|layer| match layer {
        Layer::Marks {
            points,
            radius,
            shape: Shape::Disc,
            ..
        } if *radius == wanted => Some(points.clone()),
        _ => None,
    });
    points.flatten().collect()
}

#[test]
fn a_row_for_each_network_with_its_mean_and_every_seed() {
    let figure = drawn(&tables(3, false));
    let test = &figure.rows[0][1];
    assert_eq!(test.title, "test error");
    let labels: Vec<&str> = test.y.ticks.iter().map(|(_, label)| &**label).collect();
    assert_eq!(labels, ["Shortcut", "B", "constant", "exclusive-gate"]);
    let means = marks(test, MEAN_RADIUS);
    assert_eq!(means.len(), 3);
    // B: 0.35, 0.36, 0.37, on the height of its label.
    assert!((means[0].0 - 0.36).abs() < 1e-12);
    assert_eq!(means[0].1, test.y.ticks[1].0);
    assert_eq!(marks(test, SEED_RADIUS).len(), 9);
    let inside = |(x, y): &(f64, f64)| test.x.holds(*x) && test.y.holds(*y);
    assert!(marks(test, SEED_RADIUS).iter().all(inside));
    assert_eq!(figure.rows[0][0].x, test.x, "panels can be compared");
}

#[test]
fn one_seed_has_no_interval_and_says_so() {
    let figure = drawn(&tables(1, false));
    assert!(figure.notes[0].contains("no interval"));
    assert!(marks(&figure.rows[0][1], SEED_RADIUS).is_empty());
}

#[test]
fn a_diverged_run_is_a_cross_and_no_part_of_the_mean() {
    let figure = drawn(&tables(2, true));
    let crosses = figure.rows[0][1]
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Marks {
                shape: Shape::Cross,
                points,
                ..
            } => Some(points.len()),
            _ => None,
        });
    assert_eq!(crosses.sum::<usize>(), 1);
    assert!((marks(&figure.rows[0][1], MEAN_RADIUS)[0].0 - 0.355).abs() < 1e-12);
    assert!(figure.notes.iter().any(|note| note.starts_with("Diverged")));
}

#[test]
fn without_errors_the_reason_is_told() {
    let mut made = Synthetic::default();
    for width in [8_i64, 16] {
        let set = settings(20, true, 0).with("model_width", width);
        made.run(set, "finished", f64::NAN, f64::NAN);
    }
    let figures = error_by_network(&made.tables()).expect("sets");
    assert!(
        figures[0]
            .1
            .as_ref()
            .expect_err("no errors")
            .contains("final error")
    );
}

/// The files of a drawing without their endings, each once, and its verdicts' claims.
fn written(tables: &Tables) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a folder");
    let drawing = crate::draw_tables(tables, dir.path()).expect("drawn");
    let stems = drawing.files.iter().filter_map(|path| path.file_stem());
    let mut stems: Vec<String> = stems.map(|s| s.to_string_lossy().into_owned()).collect();
    stems.dedup();
    (
        stems,
        drawing.verdicts.into_iter().map(|v| v.claim).collect(),
    )
}

#[test]
fn it_stands_alone_where_figures_over_depth_have_nothing_to_compare() {
    let (files, claims) = written(&tables(2, false));
    assert_eq!(files, ["error-by-network", "verdicts"]);
    assert!(claims.contains(&"clean-shortcuts".to_string()));
    assert!(!claims.contains(&"degradation".to_string()));
}

#[test]
fn beside_figures_over_depth_it_is_one_more() {
    let mut made = Synthetic::default();
    for width in [8_i64, 16] {
        for depth in [20, 56] {
            let set = settings(depth, true, 0).with("model_width", width);
            made.run(set, "finished", 0.1, 0.2);
        }
    }
    let (files, claims) = written(&made.tables());
    assert_eq!(
        files,
        [
            "error-by-network",
            "error-by-depth--model-width-8",
            "error-by-depth--model-width-16",
            "verdicts"
        ]
    );
    assert!(claims.contains(&"degradation".to_string()));
}
