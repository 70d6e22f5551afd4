//! Loss variation, gradient predictiveness and effective smoothness by epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::single::{self, Value};
use super::{Kinds, MARK, Place, geometric_mean, kinds, network_section, places, shape};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::tables::Tables;
use crate::theme;

/// Rows of panels: the column, its axis, and whether the band over steps or the largest value is
/// drawn.
const ROWS: [(&str, &str, bool); 3] = [
    ("loss_after", "Loss after a step", true),
    ("gradient_change", "Change of the gradient", true),
    ("smoothness", "Effective β-smoothness", false),
];

/// Lowest and highest value over the lengths of step, one pair a mini-batch.
type Ranges = Vec<(f64, f64)>;

/// By run, then epoch.
type ByRun<'t> = BTreeMap<&'t str, BTreeMap<i64, Ranges>>;

/// Three rows of panels, one column for each depth.
pub fn figure(tables: &Tables) -> Result<Figure, String> {
    let kinds = kinds(&tables.runs)?;
    let places = places(&kinds);
    let read: Vec<ByRun<'_>> = ROWS
        .iter()
        .map(|(column, ..)| read(tables, column))
        .collect::<Result<_, _>>()?;
    let epochs = read
        .iter()
        .flat_map(|by| by.values())
        .flat_map(BTreeMap::keys);
    let epochs: BTreeSet<i64> = epochs.copied().collect();
    let last = *epochs.last().ok_or("nothing was measured")?;
    let once = epochs.len() == 1;
    let rows = ROWS.iter().zip(&read).map(|((column, label, band), by)| {
        let y = axis(label, by, *band);
        let first = *column == ROWS[0].0;
        let curve = |place: Place, residual: bool| {
            let of_place = |id: &&str| kinds.get(*id) == Some(&(place, residual));
            let runs = by.iter().filter(|(id, _)| of_place(id));
            curve(runs.map(|(_, epochs)| epochs))
        };
        if once {
            let values = values(&places, curve, *band);
            return single::panels(&y, &values, &places, &[], first);
        }
        let panel = |place: &Place| {
            let both = [false, true].map(|residual| (residual, curve(*place, residual)));
            let layers = both
                .iter()
                .flat_map(|(residual, curve)| layers(*residual, curve, *band));
            Panel {
                title: if first { place.title() } else { String::new() },
                x: Axis::linear("Epoch", -0.02 * last as f64, 1.02 * last as f64),
                y: y.clone(),
                layers: layers.collect(),
            }
        };
        places.iter().map(panel).collect()
    });
    let mut notes = notes(tables);
    if once {
        notes.insert(0, single::note(last));
    }
    Ok(Figure {
        title: "Loss, gradient and smoothness along the gradient".into(),
        rows: rows.collect(),
        panel_size: (215.0, 150.0),
        legend: legend(&kinds, once),
        notes,
    })
}

/// What is drawn where there is one epoch: the highest over steps, with the range of steps or seeds.
fn values(
    places: &[Place],
    curve: impl Fn(Place, bool) -> Vec<Point>,
    band: bool,
) -> BTreeMap<(Place, bool), Value> {
    let networks = places
        .iter()
        .flat_map(|place| [false, true].map(|residual| (*place, residual)));
    let found = networks.filter_map(|(place, residual)| {
        let point = curve(place, residual).into_iter().next()?;
        let interval = if band {
            (point.low, point.high)
        } else {
            point.runs
        };
        let mark = point.high;
        Some(((place, residual), Value { mark, interval }))
    });
    found.collect()
}

/// Lowest and highest positive value of a column over the steps of each mini-batch.
fn read<'t>(tables: &'t Tables, column: &str) -> Result<ByRun<'t>, String> {
    let table = tables.instruments.get("smoothness");
    let table = table.ok_or("there is no table 'smoothness'")?;
    let mut batches: BTreeMap<(&str, i64, i64), (f64, f64)> = BTreeMap::new();
    for row in table.iter() {
        let value = row.real(column).filter(|v| v.is_finite() && *v > 0.0);
        let key = (
            row.text("run_id"),
            row.integer("epoch"),
            row.integer("batch"),
        );
        if let (Some(value), (Some(id), Some(epoch), Some(batch))) = (value, key) {
            let range = batches
                .entry((id, epoch, batch))
                .or_insert((f64::INFINITY, 0.0));
            *range = (range.0.min(value), range.1.max(value));
        }
    }
    let mut by = ByRun::new();
    for ((id, epoch, _), range) in batches {
        let epochs = by.entry(id).or_default();
        epochs.entry(epoch).or_default().push(range);
    }
    Ok(by)
}

/// A point of a curve: epoch, then geometric means over mini-batches and runs of the lowest and of the
/// highest value over steps, and lowest and highest run's mean of the latter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub epoch: f64,
    pub low: f64,
    pub high: f64,
    pub runs: (f64, f64),
}

fn curve<'a>(runs: impl Iterator<Item = &'a BTreeMap<i64, Ranges>>) -> Vec<Point> {
    let mut means: BTreeMap<i64, Vec<(f64, f64)>> = BTreeMap::new();
    for run in runs {
        for (epoch, ranges) in run {
            let (lows, highs): (Vec<f64>, Vec<f64>) = ranges.iter().copied().unzip();
            if let (Some(low), Some(high)) = (geometric_mean(&lows), geometric_mean(&highs)) {
                means.entry(*epoch).or_default().push((low, high));
            }
        }
    }
    let points = means.into_iter().filter_map(|(epoch, runs)| {
        let (lows, highs): (Vec<f64>, Vec<f64>) = runs.into_iter().unzip();
        Some(Point {
            epoch: epoch as f64,
            low: geometric_mean(&lows)?,
            high: geometric_mean(&highs)?,
            runs: (
                highs.iter().copied().fold(f64::INFINITY, f64::min),
                highs.iter().copied().fold(0.0, f64::max),
            ),
        })
    });
    points.collect()
}

fn layers(residual: bool, curve: &[Point], band: bool) -> Vec<Layer> {
    let color = theme::kind_color(residual);
    let highs: Vec<(f64, f64)> = curve.iter().map(|p| (p.epoch, p.high)).collect();
    let area = curve.iter().map(|p| {
        if band {
            (p.epoch, p.low, p.high)
        } else {
            (p.epoch, p.runs.0, p.runs.1)
        }
    });
    let line = |points, width| Layer::Line {
        points,
        color,
        width,
        dashed: false,
    };
    let mut layers = vec![Layer::Band {
        points: area.collect(),
        color,
    }];
    if band {
        let lows = curve.iter().map(|p| (p.epoch, p.low)).collect();
        layers.push(line(lows, 0.7 * theme::THIN_WIDTH));
    }
    layers.push(line(highs.clone(), theme::LINE_WIDTH));
    layers.push(Layer::Marks {
        points: highs,
        shape: shape(residual),
        radius: MARK,
        color,
        opacity: 1.0,
    });
    layers
}

/// One scale for the whole row.
fn axis(label: &str, by: &ByRun<'_>, band: bool) -> Axis {
    let all = || by.values().flat_map(|epochs| epochs.values()).flatten();
    let high = all().map(|range| range.1).fold(f64::MIN_POSITIVE, f64::max);
    let low = all().map(|range| if band { range.0 } else { range.1 });
    let low = low.fold(high, f64::min);
    Axis::log(label, low / 1.15, high * 1.15)
}

fn legend(kinds: &Kinds<'_>, once: bool) -> Vec<Section> {
    let color = theme::INK;
    let highest = if once {
        Sample::Mark {
            shape: shape(true),
            color,
            radius: MARK,
            opacity: 1.0,
            line: false,
        }
    } else {
        Sample::Line {
            color,
            dashed: false,
        }
    };
    let rows = |heading: &str, range: &str| {
        let entry = |sample, label: &str| Entry {
            sample,
            label: label.into(),
        };
        Section {
            heading: heading.into(),
            entries: vec![
                entry(highest, "highest over steps"),
                entry(Sample::Band { color }, range),
            ],
        }
    };
    vec![
        network_section(kinds, !once),
        rows("Rows 1 and 2", "lowest to highest"),
        rows("Row 3", "range of seeds"),
    ]
}

fn notes(tables: &Tables) -> Vec<String> {
    let table = tables.instruments.get("smoothness");
    let distinct = |column: &str| {
        let values = table.and_then(|table| table.distinct(column).ok());
        let mut values: Vec<f64> = values
            .unwrap_or_default()
            .iter()
            .filter_map(|c| c.as_real())
            .collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let steps: Vec<String> = distinct("multiple").iter().map(f64::to_string).collect();
    let seeds = tables
        .runs
        .distinct("seed")
        .map_or(1, |seeds| seeds.len().max(1));
    let seeds = if seeds == 1 {
        "one seed".to_owned()
    } else {
        format!("{seeds} seeds")
    };
    let mut notes = vec![format!(
        "For mini-batches of the training set with gradient g, after steps η g with η = {} times the learning rate: the loss there, the length of the gradient's change, and that divided by ‖η g‖.",
        steps.join(", ")
    )];
    notes.push(format!(
        "Geometric means over {} mini-batches and {seeds}.",
        distinct("batch").len()
    ));
    let lost = tables
        .runs
        .iter()
        .filter(|row| row.text("status") == Some("diverged"));
    match lost.count() {
        0 => {}
        1 => notes.push("One run diverged; it is drawn up to there.".into()),
        n => notes.push(format!("{n} runs diverged; they are drawn up to there.")),
    }
    notes
}
