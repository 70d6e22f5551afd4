//! Figures of surfaces from tables whose answer is known.

use reslab_results::{Table, schema};

use super::made::{Made, bowl, chaos, only, steps, surface, tables};
use super::*;
use crate::plots::{Layer, check, lay_out};

fn drawn(tables: &Tables) -> BTreeMap<String, Figure> {
    let figures = figures(tables).into_iter();
    figures
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
    let figures = drawn(&tables());
    let names: Vec<&str> = figures.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "landscape-contours",
            "landscape-convexity",
            "landscape-interpolation",
            "landscape-lambda-max",
            "landscape-profiles",
            "landscape-surface",
            "landscape-trajectory",
        ]
    );
    for figure in figures.values() {
        check(&lay_out(figure));
    }
    // Rows of statistics, columns of networks: plain before residual, shallow before deep.
    let contours = &figures["landscape-contours"];
    assert_eq!((contours.rows.len(), contours.rows[0].len()), (2, 4));
    assert!(
        contours.rows[0][0]
            .title
            .starts_with("plain-20, test error 14.0 %")
    );
    assert!(contours.rows[1][3].title.starts_with("ResNet-56"));
    assert!(contours.rows[1][0].y.label.contains("recomputed"));
}

/// The corners of a line.
type Line = Vec<(f64, f64)>;

fn levels(figure: &Figure) -> Vec<(String, Vec<Line>)> {
    let layers = figure.rows[0][0].layers.iter();
    let levels = layers.filter_map(|layer| match layer {
        Layer::Levels { levels, .. } => Some(levels),
        _ => None,
    });
    levels
        .flatten()
        .map(|level| (level.label.clone(), level.lines.clone()))
        .collect()
}

#[test]
fn contours_of_an_asymmetric_grid_have_their_axes_the_right_way_round() {
    let made = Made {
        xs: steps(-1.0, 1.0, 3),
        ys: steps(-2.0, 4.0, 7),
        ..Made::default()
    };
    let tables = only(&made, |x, y| 3.0 + x + 0.4 * y);
    let figure = &drawn(&tables)["landscape-contours"];
    let panel = &figure.rows[0][0];
    assert_eq!(
        (panel.x.low, panel.x.high, panel.y.low, panel.y.high),
        (-1.0, 1.0, -2.0, 4.0)
    );
    let levels = levels(figure);
    assert!(levels.len() > 3);
    for (label, lines) in levels {
        let level: f64 = label.parse().unwrap();
        for (x, y) in lines.into_iter().flatten() {
            assert!((3.0 + x + 0.4 * y - level).abs() < 1e-9, "{label}");
        }
    }
}

#[test]
fn all_panels_have_the_same_levels_and_heights() {
    let figures = drawn(&tables());
    let tops: Vec<_> = figures["landscape-surface"]
        .rows
        .iter()
        .flatten()
        .map(|panel| match &panel.layers[0] {
            Layer::Space { z, .. } => (z.low, z.high, z.log),
            _ => panic!("a surface"),
        })
        .collect();
    assert!(tops.iter().all(|top| *top == tops[0] && top.1 == 10.0));
    let notes = figures["landscape-contours"].notes.join(" ");
    assert!(
        notes.contains("Levels as in the paper") && notes.contains("above 9.6"),
        "{notes}"
    );
}

#[test]
fn labels_stand_inside_the_frame_and_apart() {
    for height in [bowl, chaos] {
        let figure = &drawn(&only(&Made::default(), height))["landscape-contours"];
        let scene = lay_out(figure);
        check(&scene);
        let frame = scene.items.iter().find_map(|item| match item {
            crate::scene::Item::Line { points, .. }
                if points.len() == 5
                    && points[0] == points[4]
                    && points[2].0 - points[0].0 > 100.0
                    && points[0].1 == points[1].1 =>
            {
                Some((points[0], points[2]))
            }
            _ => None,
        });
        let (from, to) = frame.expect("a frame");
        let labels: Vec<_> = scene
            .texts()
            .filter(|text| text.size < 9.0)
            .map(|text| text.extent())
            .collect();
        assert!(labels.len() >= 5, "{}", labels.len());
        for (l, t, r, b) in labels {
            assert!(l > from.0 && t > from.1 && r < to.0 && b < to.1);
        }
    }
}

#[test]
fn missing_points_are_gaps_and_said() {
    let hole = |x: f64, y: f64| match (x > 0.6, y < -0.9) {
        (true, _) => f64::NAN,
        (_, true) => f64::INFINITY,
        _ => bowl(x, y),
    };
    let figures = drawn(&only(&Made::default(), hole));
    for name in ["landscape-contours", "landscape-surface"] {
        let notes = figures[name].notes.join(" ");
        assert!(notes.contains("have no finite loss"), "{name}: {notes}");
        check(&lay_out(&figures[name]));
    }
    let gaps = figures["landscape-contours"].rows[0][0]
        .layers
        .iter()
        .find_map(|layer| match layer {
            Layer::Rectangles { rectangles } => Some(rectangles.len()),
            _ => None,
        });
    assert!(gaps.is_some_and(|gaps| gaps > 20));
}

#[test]
fn tables_that_do_not_suffice_say_why() {
    for (xs, ys) in [(1, 1), (5, 1), (1, 5)] {
        let grid = |n: usize| (0..n).map(|i| i as f64).collect::<Vec<_>>();
        let tables = only(
            &Made {
                xs: grid(xs),
                ys: grid(ys),
                ..Made::default()
            },
            bowl,
        );
        for (name, figure) in figures(&tables) {
            let reason = figure.expect_err(&name);
            assert!(reason.contains("fewer than two"), "{reason}");
        }
    }
    let tables = only(
        &Made {
            surface: "line",
            xs: vec![0.0],
            ys: vec![0.0],
            ..Made::default()
        },
        bowl,
    );
    assert!(
        figures(&tables)
            .iter()
            .all(|(_, figure)| figure.as_ref().is_err_and(|e| e.contains("two points")))
    );
    let tables = only(&Made::default(), |_, _| f64::NAN);
    assert!(figures(&tables).iter().all(|(_, figure)| figure.is_err()));
    let mut tables = only(&Made::default(), bowl);
    tables
        .instruments
        .insert("landscape".into(), Table::new(schema::landscape()));
    assert!(figures(&tables)[0].1.is_err());
}

#[test]
fn drops_of_the_learning_rate_are_where_the_table_has_them() {
    let paths = trajectory::paths(&tables());
    assert_eq!(paths.len(), 4);
    for path in paths.values() {
        let dropped: Vec<i64> = path
            .steps
            .iter()
            .filter(|s| s.dropped)
            .map(|s| s.epoch)
            .collect();
        assert_eq!(dropped, [5]);
        assert_eq!(path.shares, (0.783, 0.112));
    }
    let figure = &drawn(&tables())["landscape-trajectory"];
    let panel = &figure.rows[0][0];
    assert_eq!(panel.x.label, "First component (78.3 % of variance)");
    assert_eq!((panel.x.low, panel.x.high), (-4.0, 18.0));
}

#[test]
fn profiles_have_their_draws_and_means() {
    let figures = drawn(&tables());
    let panel = &figures["landscape-profiles"].rows[0][0];
    let lines = panel
        .layers
        .iter()
        .filter(|layer| matches!(layer, Layer::Line { .. }))
        .count();
    // Plain and residual, train and test, three draws and their mean.
    assert_eq!(lines, 2 * 2 * 4);
    let between = &figures["landscape-interpolation"].rows[0][0];
    let upright: Vec<f64> = between
        .layers
        .iter()
        .filter_map(|layer| match layer {
            Layer::Line { points, .. } if points.len() == 2 && points[0].0 == points[1].0 => {
                Some(points[0].0)
            }
            _ => None,
        })
        .collect();
    assert_eq!(upright, [0.0, 1.0]);
}

/// Ten networks of one kind and a plane each; the loss at the network is its place.
fn ten_networks() -> Tables {
    let mut runs = crate::synthetic::Synthetic::default();
    let mut table = Table::new(schema::landscape());
    for depth in 0..10_i64 {
        let settings = crate::synthetic::settings(8 + 6 * depth, true, 0);
        let id = runs.run(settings, "finished", 0.1, 0.2);
        let cut = Made {
            xs: steps(-1.0, 1.0, 5),
            ys: steps(-1.0, 1.0, 5),
            ..Made::default()
        };
        surface(&mut table, &id, &cut, |x, y| {
            (1.0 + depth as f64) * (1.0 + x * x + y * y)
        });
    }
    let mut tables = runs.tables();
    tables.instruments.insert("landscape".into(), table);
    tables
}

#[test]
fn networks_beyond_the_eighth_have_figures_of_their_own_on_the_same_scale() {
    let figures = drawn(&ten_networks());
    let names: Vec<&str> = figures.keys().map(String::as_str).collect();
    let expected = [
        "landscape-contours",
        "landscape-contours-2",
        "landscape-surface",
        "landscape-surface-2",
    ];
    assert_eq!(names, expected);
    let titles = |name: &str| -> Vec<String> {
        let panels = figures[name].rows.iter().flatten();
        panels.map(|panel| panel.title.clone()).collect()
    };
    assert_eq!(titles("landscape-contours").len(), 8);
    let rest = titles("landscape-contours-2");
    assert!(rest[0].starts_with("ResNet-56") && rest[1].starts_with("ResNet-62"));
    assert_eq!(rest.len(), 2);
    let (first, second) = (
        &figures["landscape-contours"],
        &figures["landscape-contours-2"],
    );
    assert_eq!(first.legend, second.legend);
    assert!(first.notes.join(" ").contains("Networks 1 to 8 of 10"));
    assert!(second.notes.join(" ").contains("Networks 9 to 10 of 10"));
    check(&lay_out(second));
}

/// Lines through one network: loss = factor · (1 + x²) by how it was cut.
fn lines_by_settings() -> Tables {
    let mut runs = crate::synthetic::Synthetic::default();
    let mut table = Table::new(schema::landscape());
    let cuts = [
        ("filter", false, 1000_i64, 1.0),
        ("layer", false, 1000, 2.0),
        ("filter", true, 1000, 3.0),
        ("filter", false, 100, 4.0),
    ];
    for (normalisation, moves, samples, factor) in cuts {
        let settings = crate::synthetic::settings(20, true, 0)
            .with("probes_landscape_normalisation", normalisation);
        let id = runs.run(settings, "finished", 0.1, 0.2);
        for (statistics, draw) in [
            ("kept", 0),
            ("kept", 1),
            ("recomputed", 0),
            ("recomputed", 1),
        ] {
            let mut part = Table::new(schema::landscape());
            let cut = Made {
                surface: "line",
                statistics,
                draw,
                xs: steps(-1.0, 1.0, 5),
                ys: vec![0.0],
                ..Made::default()
            };
            // Draws on both sides of the mean.
            let more = 0.5 + draw as f64;
            surface(&mut part, &id, &cut, |x, _| factor * more * (1.0 + x * x));
            for mut cells in part.rows {
                let mut set = |name, cell| cells[table.schema.index(name).unwrap()] = cell;
                set("normalisation", normalisation.into());
                set("one_dimensional", moves.into());
                set("samples", samples.into());
                table.push(cells).unwrap();
            }
        }
    }
    let mut tables = runs.tables();
    tables.instruments.insert("landscape".into(), table);
    tables
}

#[test]
fn settings_are_compared_one_at_a_time() {
    let figures = drawn(&lines_by_settings());
    let figure = &figures["landscape-settings"];
    check(&lay_out(figure));
    // Statistics kept and recomputed; directions, what moves, samples.
    assert_eq!((figure.rows.len(), figure.rows[0].len()), (2, 3));
    let titles = |row: usize| -> Vec<&str> {
        let panels = figure.rows[row].iter();
        panels.map(|panel| panel.title.as_str()).collect()
    };
    assert_eq!(titles(0), ["Directions", "What moves", "Samples"]);
    assert_eq!(titles(1), [""; 3]);
    let means = |column: usize| -> Vec<f64> {
        let layers = figure.rows[0][column].layers.iter();
        let bold = layers.filter_map(|layer| match layer {
            Layer::Line { points, width, .. } if *width > 1.0 => Some(points[2].1),
            _ => None,
        });
        bold.collect()
    };
    assert_eq!(means(0), [1.0, 2.0]);
    assert_eq!(means(1), [1.0, 3.0]);
    // From the least samples on.
    assert_eq!(means(2), [4.0, 1.0]);
    let labels: Vec<&str> = figure
        .legend
        .iter()
        .flat_map(|section| section.entries.iter().map(|entry| entry.label.as_str()))
        .collect();
    assert!(
        labels.contains(&"normalised by layer") && labels.contains(&"1000"),
        "{labels:?}"
    );
    // Profiles of different numbers of samples are drawn apart.
    assert!(
        figures.contains_key("landscape-profiles-100-samples"),
        "{:?}",
        figures.keys()
    );
    assert!(!drawn(&tables()).contains_key("landscape-settings"));
}

/// Writes the figures of the synthetic tables for a look at them: `RESLAB_LOOK=folder`.
#[test]
fn a_look_at_the_figures() {
    if let Some(out) = std::env::var_os("RESLAB_LOOK") {
        crate::draw_tables(&tables(), std::path::Path::new(&out)).expect("drawn");
    }
}
