//! Tables of surfaces whose shape is known, for tests.

use reslab_results::{Cell, Table, schema};

use crate::synthetic::{Synthetic, settings};
use crate::tables::Tables;

/// Where a surface is cut.
pub(crate) struct Made<'a> {
    pub surface: &'a str,
    pub statistics: &'a str,
    pub set: &'a str,
    pub draw: i64,
    pub xs: Vec<f64>,
    pub ys: Vec<f64>,
}

impl Default for Made<'_> {
    fn default() -> Self {
        Self {
            surface: "plane",
            statistics: "kept",
            set: "train",
            draw: 0,
            xs: steps(-1.0, 1.0, 25),
            ys: steps(-1.0, 1.0, 25),
        }
    }
}

pub(crate) fn steps(from: f64, to: f64, count: usize) -> Vec<f64> {
    (0..count)
        .map(|i| from + (to - from) * i as f64 / (count - 1) as f64)
        .collect()
}

fn push(table: &mut Table, cells: Vec<(&str, Cell)>) {
    let mut row = vec![Cell::Null; table.schema.columns.len()];
    for (name, cell) in cells {
        row[table.schema.index(name).unwrap()] = cell;
    }
    table.push(row).unwrap();
}

fn place<'a>(run: &str, made: &Made<'a>, x: f64, y: Option<f64>) -> Vec<(&'a str, Cell)> {
    vec![
        ("run_id", run.into()),
        ("epoch", 4_i64.into()),
        ("surface", made.surface.into()),
        ("draw", made.draw.into()),
        ("directions", "abc".into()),
        ("normalisation", "filter".into()),
        ("one_dimensional", false.into()),
        ("statistics", made.statistics.into()),
        ("set", made.set.into()),
        ("samples", 1000_i64.into()),
        ("x", x.into()),
        ("y", y.into()),
    ]
}

/// A surface of this height, error growing with it.
pub(crate) fn surface(
    table: &mut Table,
    run: &str,
    made: &Made<'_>,
    height: impl Fn(f64, f64) -> f64,
) {
    for &y in &made.ys {
        for &x in &made.xs {
            let (y, loss) = if made.surface == "line" || made.surface == "interpolation" {
                (None, height(x, 0.0))
            } else {
                (Some(y), height(x, y))
            };
            let mut cells = place(run, made, x, y);
            cells.push(("loss", loss.into()));
            cells.push(("error", (1.0 - (-0.4 * loss).exp()).into()));
            push(table, cells);
        }
    }
}

/// A bowl as around residual networks, and hills and pits as around deep plain ones.
pub(crate) fn bowl(x: f64, y: f64) -> f64 {
    0.05 + 1.4 * x * x + 2.2 * y * y + 0.3 * x * y
}

pub(crate) fn chaos(x: f64, y: f64) -> f64 {
    let waves = (7.0 * x + 2.0 * y).cos() + (5.0 * y - 3.0 * x).cos() + (9.0 * y + 4.0 * x).sin();
    0.3 + (6.0 * (x * x + y * y)) * (1.6 + 0.5 * waves).exp() * 0.5
}

/// Two depths, plain and residual, with everything there is.
pub(crate) fn tables() -> Tables {
    let mut made = Synthetic::default();
    let mut table = Table::new(schema::landscape());
    let mut curvature = Table::new(schema::landscape_curvature());
    let mut path = Table::new(schema::trajectory());
    for (depth, residual) in [(20, true), (20, false), (56, true), (56, false)] {
        let id = made.run(
            settings(depth, residual, 0),
            "finished",
            0.01,
            if residual { 0.08 } else { 0.14 },
        );
        let rough = if residual || depth == 20 { bowl } else { chaos };
        let scaled = move |x: f64, y: f64| rough(x, y) * (depth as f64 / 20.0);
        for (statistics, factor) in [("kept", 1.0), ("recomputed", 0.6)] {
            let cut = Made {
                statistics,
                ..Made::default()
            };
            surface(&mut table, &id, &cut, |x, y| factor * scaled(x, y));
        }
        for draw in 0..3 {
            for set in ["train", "test"] {
                let cut = Made {
                    surface: "line",
                    draw,
                    set,
                    xs: steps(-1.0, 1.0, 51),
                    ys: vec![0.0],
                    ..Made::default()
                };
                let shift = if set == "test" { 0.2 } else { 0.0 };
                surface(&mut table, &id, &cut, |x, _| {
                    shift + scaled(x * (1.0 + 0.1 * draw as f64), 0.1 * x)
                });
            }
        }
        let cut = Made {
            surface: "interpolation",
            statistics: "interpolated",
            xs: steps(-0.5, 1.5, 41),
            ys: vec![0.0],
            ..Made::default()
        };
        surface(&mut table, &id, &cut, |x, _| {
            0.2 + 3.0 * x * x * (x - 1.0).powi(2)
        });
        let cut = Made {
            surface: "trajectory",
            xs: steps(-4.0, 18.0, 23),
            ys: steps(-6.0, 6.0, 13),
            ..Made::default()
        };
        surface(&mut table, &id, &cut, |x, y| scaled(x / 15.0, y / 8.0));
        for epoch in 0..=8_i64 {
            let left = 1.0 - epoch as f64 / 8.0;
            push(
                &mut path,
                vec![
                    ("run_id", id.as_str().into()),
                    ("epoch", 4_i64.into()),
                    ("directions", "abc".into()),
                    ("at_epoch", epoch.into()),
                    ("x", (15.0 * left.powf(1.5)).into()),
                    ("y", (4.0 * (4.0 * left).sin() * left).into()),
                    ("share_x", 0.783.into()),
                    ("share_y", 0.112.into()),
                    (
                        "lr",
                        if epoch == 0 {
                            Cell::Null
                        } else if epoch < 5 {
                            0.1.into()
                        } else {
                            0.01.into()
                        },
                    ),
                ],
            );
        }
        let cut = Made {
            xs: steps(-1.0, 1.0, 9),
            ys: steps(-1.0, 1.0, 9),
            ..Made::default()
        };
        for &y in &cut.ys {
            for &x in &cut.xs {
                let mut cells = place(&id, &cut, x, Some(y));
                let ratio = if residual {
                    0.05 * x.abs()
                } else {
                    (x * x + y * y).min(1.2)
                };
                cells.push(("ratio", ratio.into()));
                cells.push(("lambda_max", (10.0 + 200.0 * scaled(x, y)).into()));
                push(&mut curvature, cells);
            }
        }
    }
    let mut tables = made.tables();
    tables.instruments.insert("landscape".into(), table);
    tables
        .instruments
        .insert("landscape_curvature".into(), curvature);
    tables.instruments.insert("trajectory".into(), path);
    tables
}

/// The tables of one run with nothing but this surface.
pub(crate) fn only(made: &Made<'_>, height: impl Fn(f64, f64) -> f64) -> Tables {
    let mut runs = Synthetic::default();
    let id = runs.run(settings(20, true, 0), "finished", 0.1, 0.2);
    let mut table = Table::new(schema::landscape());
    surface(&mut table, &id, made, height);
    let mut tables = runs.tables();
    tables.instruments.insert("landscape".into(), table);
    tables
}
