//! The figures from synthetic tables: what is drawn, what is skipped, what the files hold.

use std::fs;

use super::*;
use crate::plots::{Figure, Layer, Panel, lay_out};
use crate::study::groups;
use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;
use crate::{Drawing, draw, draw_tables};

/// A number in [-1, 1] that looks random and is the same everywhere.
fn noise(key: u64) -> f64 {
    let mut x = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x >> 11) as f64 / (1u64 << 52) as f64) - 1.0
}

/// A whole experiment: error curves that fall towards a final error, layer responses that fall
/// with the layers. Plain networks degrade with depth; one plain run of the deepest diverges.
fn experiment(depths: &[i64], seeds: i64, epochs: i64, diverge: bool) -> Tables {
    let mut made = Synthetic::default();
    let deepest = *depths.iter().max().unwrap();
    for residual in [false, true] {
        for &depth in depths {
            for seed in 0..seeds {
                let key = (depth * 1000 + seed * 10 + i64::from(residual)) as u64;
                let ends = if residual {
                    0.01
                } else {
                    0.02 + 0.0001 * (depth * depth) as f64
                };
                let end = (ends * (1.0 + 0.25 * noise(key))).min(0.85);
                let dies = diverge && !residual && depth == deepest && seed == 0;
                let (status, train) = if dies {
                    ("diverged", f64::NAN)
                } else {
                    ("finished", end)
                };
                let id = made.run(settings(depth, residual, seed), status, train, train + 0.04);
                let last = if dies { epochs / 2 } else { epochs };
                for epoch in 0..=last {
                    let part = (-4.0 * epoch as f64 / epochs as f64).exp();
                    let wobble = 1.0 + 0.06 * noise(key * 977 + epoch as u64);
                    let error = (end + (0.9 - end) * part) * wobble;
                    // Test error is measured every second epoch only.
                    let test = if epoch % 2 == 0 {
                        (error + 0.04 * (1.0 - part)).min(0.92)
                    } else {
                        f64::NAN
                    };
                    made.epoch(&id, epoch, error.min(0.92), test);
                }
                for layer in 1..depth {
                    let place = layer as f64 / deepest as f64;
                    let size = if residual {
                        0.6 / (depth as f64 / 8.0).sqrt()
                    } else {
                        1.2
                    };
                    let std =
                        size * (1.3 - 0.9 * place) * (1.0 + 0.25 * noise(key * 31 + layer as u64));
                    made.layer(&id, 0, &format!("layer{layer}"), 1.0);
                    made.layer(&id, epochs, &format!("layer{layer}"), std);
                }
            }
        }
    }
    made.tables()
}

fn figures(tables: &Tables) -> Vec<Result<Figure, String>> {
    let groups = groups(&tables.runs).unwrap();
    [error_curves, error_by_depth, layer_responses]
        .iter()
        .map(|draw| draw(tables, &groups[0]))
        .collect()
}

fn lines(panel: &Panel) -> Vec<(&Vec<(f64, f64)>, bool)> {
    panel
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Line { points, dashed, .. } => Some((points, *dashed)),
            _ => None,
        })
        .collect()
}

fn crosses(panel: &Panel) -> Vec<(f64, f64)> {
    let of_layer = |layer: &Layer| match layer {
        Layer::Marks {
            points,
            shape: Shape::Cross,
            ..
        } => points.clone(),
        _ => Vec::new(),
    };
    panel.layers.iter().flat_map(of_layer).collect()
}

#[test]
fn every_figure_fits_its_canvas_and_no_text_covers_another() {
    for (depths, seeds, epochs) in [
        (&[8, 20, 32, 56][..], 3, 10),
        (&[20, 32, 44, 56, 110, 164, 1202][..], 2, 164),
        (&[20, 56][..], 1, 1),
    ] {
        for diverge in [false, true] {
            let tables = experiment(depths, seeds, epochs, diverge && seeds > 1);
            for figure in figures(&tables) {
                crate::plots::check(&lay_out(&figure.unwrap()));
            }
        }
    }
}

#[test]
fn curves_are_training_dashed_and_test_solid_with_nulls_left_out() {
    let tables = experiment(&[8, 56], 2, 10, false);
    let figure = error_curves(&tables, &groups(&tables.runs).unwrap()[0]).unwrap();
    assert_eq!(figure.rows[0].len(), 2);
    assert_eq!(figure.rows[0][0].title, "plain");
    let curves = lines(&figure.rows[0][0]);
    assert_eq!(curves.len(), 4, "two depths, training and test");
    for (points, dashed) in curves {
        assert_eq!(points.len(), if dashed { 11 } else { 6 });
    }
    assert_eq!(
        figure.rows[0][0].y, figure.rows[0][1].y,
        "panels share their axis"
    );
}

#[test]
fn diverged_runs_are_marked_and_do_not_count_in_final_means() {
    let tables = experiment(&[8, 56], 3, 10, true);
    let [curves, by_depth, _] = &figures(&tables)[..] else {
        panic!("three figures")
    };
    let curves = curves.as_ref().unwrap();
    let marks = crosses(&curves.rows[0][0]);
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0].0, 5.0, "marked where it ended");
    assert!(crosses(&curves.rows[0][1]).is_empty());
    let by_depth = by_depth.as_ref().unwrap();
    assert_eq!(
        crosses(&by_depth.rows[0][0]),
        [(crosses(&by_depth.rows[0][0])[0].0, f64::INFINITY)]
    );
    let legend: Vec<_> = by_depth.legend.iter().flat_map(|s| &s.entries).collect();
    assert!(legend.iter().any(|entry| entry.label == "diverged"));
    let means = lines(&by_depth.rows[0][0])[0].0;
    let plain_56: Vec<f64> = groups(&tables.runs).unwrap()[0]
        .runs_of(56, false)
        .filter_map(|run| run.train_error)
        .collect();
    assert_eq!(plain_56.len(), 2);
    assert!((means[1].1 - plain_56.iter().sum::<f64>() / 2.0).abs() < 1e-12);
}

#[test]
fn one_seed_has_no_band_and_no_interval_and_says_so() {
    let tables = experiment(&[8, 56], 1, 10, false);
    for figure in figures(&tables) {
        let figure = figure.unwrap();
        for layer in figure.rows.iter().flatten().flat_map(|panel| &panel.layers) {
            match layer {
                Layer::Band { .. } => panic!("a band of one seed"),
                Layer::Intervals { points, .. } => assert!(points.is_empty()),
                _ => {}
            }
        }
        assert!(figure.notes.iter().any(|note| note.starts_with("One seed")));
    }
}

#[test]
fn responses_are_those_of_the_last_epoch_in_order_and_sorted() {
    let tables = experiment(&[8, 20], 2, 10, false);
    let figure = layer_responses(&tables, &groups(&tables.runs).unwrap()[0]).unwrap();
    let [ordered, sorted] = &figure.rows[..] else {
        panic!("two rows")
    };
    for panel in sorted {
        for (points, _) in lines(panel) {
            assert!(points.windows(2).all(|pair| pair[1].1 <= pair[0].1));
        }
    }
    let (eight, _) = lines(&ordered[0])[0];
    assert_eq!(eight.len(), 7, "one point a layer");
    assert!(
        eight.iter().all(|point| point.1 != 1.0),
        "not the first epoch's"
    );
    assert!(!ordered[0].y.log);
}

#[test]
fn responses_over_decades_take_a_logarithmic_axis() {
    let mut made = Synthetic::default();
    for residual in [false, true] {
        let id = made.run(settings(20, residual, 0), "finished", 0.1, 0.1);
        for layer in 0..20 {
            made.layer(&id, 1, "l", 10f64.powi(-layer / 2));
        }
    }
    let tables = made.tables();
    let figure = layer_responses(&tables, &groups(&tables.runs).unwrap()[0]).unwrap();
    assert!(figure.rows[0][0].y.log);
    crate::plots::check(&lay_out(&figure));
}

#[test]
fn figures_without_their_rows_are_skipped_with_a_reason() {
    let mut made = Synthetic::default();
    made.run(settings(20, false, 0), "finished", f64::NAN, f64::NAN);
    let dir = tempfile::tempdir().unwrap();
    let drawing = draw_tables(&made.tables(), dir.path()).unwrap();
    let reasons: Vec<_> = drawing.skipped.iter().map(|s| s.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "there is no table 'epochs'",
            "all networks have one depth",
            "there is no table 'layers'"
        ]
    );
    assert_eq!(drawing.files.len(), 1, "the verdicts alone");
}

#[test]
fn a_table_of_another_experiment_is_skipped_with_the_column_it_lacks() {
    let mut tables = experiment(&[8, 20], 1, 2, false);
    let column = tables.runs.schema.index("model_depth").unwrap();
    tables.runs.schema.columns[column].name = "model_length".into();
    let dir = tempfile::tempdir().unwrap();
    let drawing = draw_tables(&tables, dir.path()).unwrap();
    assert_eq!(drawing.skipped.len(), 3);
    assert_eq!(
        drawing.skipped[0].reason,
        "the table 'runs' has no column 'model_depth'"
    );
}

fn contents(drawing: &Drawing) -> Vec<(String, Vec<u8>)> {
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    drawing
        .files
        .iter()
        .map(|path| (name(path), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn drawing_twice_gives_the_same_bytes_and_well_formed_files() {
    let tables = experiment(&[8, 20, 56], 3, 10, true);
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = draw_tables(&tables, a.path()).unwrap();
    let files = contents(&first);
    assert_eq!(files, contents(&draw_tables(&tables, b.path()).unwrap()));
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "error-curves.svg",
            "error-curves.png",
            "error-by-depth.svg",
            "error-by-depth.png",
            "layer-responses.svg",
            "layer-responses.png",
            "verdicts.json"
        ]
    );
    for (name, bytes) in &files {
        if name.ends_with(".svg") {
            well_formed(std::str::from_utf8(bytes).unwrap());
        } else if name.ends_with(".png") {
            let picture = image::load_from_memory(bytes).unwrap();
            assert!(picture.width() > 1000, "twice the logical size");
        } else {
            let verdicts: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(verdicts[0]["claim"], "degradation");
        }
    }
    assert_eq!(
        fs::read_dir(a.path()).unwrap().count(),
        7,
        "nothing half-written is left"
    );
}

#[test]
fn figures_are_drawn_from_parquet_files_alone() {
    let tables = experiment(&[8, 20], 2, 4, false);
    let dir = tempfile::tempdir().unwrap();
    let save = |table, name: &str| reslab_results::parquet::write(table, &dir.path().join(name));
    save(&tables.runs, "runs.parquet").unwrap();
    save(tables.epochs.as_ref().unwrap(), "epochs.parquet").unwrap();
    let drawing = draw(dir.path()).unwrap();
    assert_eq!(drawing.files.len(), 5);
    assert!(
        drawing
            .files
            .iter()
            .all(|file| file.starts_with(dir.path().join("figures")))
    );
    assert_eq!(drawing.skipped.len(), 1);
    assert_eq!(drawing.skipped[0].reason, "there is no table 'layers'");
    let other = tempfile::tempdir().unwrap();
    assert_eq!(
        contents(&drawing),
        contents(&draw_tables(&tables_without_layers(tables), other.path()).unwrap())
    );
    let empty = tempfile::tempdir().unwrap();
    let message = draw(empty.path()).unwrap_err().to_string();
    assert!(message.contains("runs.parquet"), "{message}");
}

fn tables_without_layers(tables: Tables) -> Tables {
    Tables {
        layers: None,
        ..tables
    }
}

#[test]
fn other_settings_get_figures_of_their_own() {
    let mut made = Synthetic::default();
    for rate in [0.1, 0.01] {
        for depth in [8, 20] {
            made.run(
                settings(depth, false, 0).with("train_lr", rate),
                "finished",
                rate,
                rate,
            );
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let drawing = draw_tables(&made.tables(), dir.path()).unwrap();
    let names: Vec<_> = contents(&drawing)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(
        names.contains(&"error-by-depth--train-lr-0.1.svg".to_string()),
        "{names:?}"
    );
    assert!(names.contains(&"error-by-depth--train-lr-0.01.png".to_string()));
    assert_eq!(drawing.verdicts.len(), 6);
}

/// Every tag is closed in order, every attribute quoted, no stray sign.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a stray sign");
        let end = start + rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..end];
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0);
        assert!(!tag.contains("NaN") && !tag.contains("inf"));
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty());
}

#[test]
fn networks_that_nobody_trained_have_no_errors_to_draw() {
    let drawn = |epochs: i64, given: bool| {
        let mut made = Synthetic::default();
        for depth in [20, 56] {
            let mut settings = settings(depth, true, 0).with("train_epochs", epochs);
            if given {
                settings = settings.with("init_weights_sha256", "c0ffee");
            }
            made.run(settings, "finished", 0.9, 0.9);
        }
        let tables = made.tables();
        let groups = groups(&tables.runs).unwrap();
        error_by_depth(&tables, &groups[0])
    };
    let reason = drawn(0, false).expect_err("chance");
    assert!(reason.contains("nothing was trained"), "{reason}");
    drawn(0, true).expect("somebody trained these");
    drawn(1, false).expect("trained here");
}
