//! The spectral density, a panel for each network and a curve for each epoch.
//!
//! Eigenvalues span decades on both sides of 0: the axis is linear near 0 and logarithmic beyond,
//! `asinh(λ / s)`, the same for all panels.

use std::collections::{BTreeMap, BTreeSet};

use reslab_results::Table;
use reslab_results::table::Row;

use super::{Study, Variant, largest, smallest};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme::{self, ordered_color};

/// More curves than this in a panel hide each other.
const MOST_EPOCHS: usize = 4;
/// The axis of densities covers at most so many decades below the highest.
const DECADES: i32 = 9;
/// Where the horizontal axis turns from linear to logarithmic.
const LINEAR: f64 = 1.0;

/// Points of one curve, with the width of its kernel.
struct Curve {
    points: Vec<(f64, f64)>,
    width: f64,
}

type Curves = BTreeMap<(Variant, i64, i64), Curve>;

/// A row of panels for each depth, a column for each variant.
pub fn figure(study: &Study<'_>, table: &Table) -> Result<Figure, String> {
    let curves = curves(study, table);
    let all = || curves.values().flat_map(|curve| &curve.points);
    let top = all().map(|point| point.1).fold(0.0, f64::max);
    if top <= 0.0 {
        return Err("no density was estimated".into());
    }
    let epochs: BTreeSet<i64> = curves.keys().map(|key| key.2).collect();
    let epochs = spread(&epochs.into_iter().collect::<Vec<_>>());
    let high = 10f64.powi(top.log10().ceil() as i32);
    let y = Axis::log("Density", high * 10f64.powi(-DECADES), high);
    let ends = all().map(|point| point.0);
    let (least, most) = ends.fold((0.0, 0.0), |(l, h): (f64, f64), t| (l.min(t), h.max(t)));
    let x = signed_log("Eigenvalue λ", least, most);
    let rows = study.depths.iter().map(|depth| {
        study
            .variants
            .iter()
            .map(|variant| panel(study, &curves, (*variant, *depth), &epochs, &x, &y))
            .collect()
    });
    Ok(Figure {
        title: "Spectral density of the Hessian".into(),
        rows: rows.collect(),
        panel_size: (215.0, 160.0),
        legend: legend(&epochs),
        notes: notes(study, table, &curves),
    })
}

/// One curve for each network and epoch: that of the first seed.
fn curves(study: &Study<'_>, table: &Table) -> Curves {
    let mut owner: BTreeMap<(Variant, i64, i64), &str> = BTreeMap::new();
    let mut curves = Curves::new();
    for row in table.iter() {
        let Some((id, key)) = key(study, row) else {
            continue;
        };
        if *owner.entry(key).or_insert(id) != id {
            continue;
        }
        if let (Some(t), Some(density)) = (row.real("eigenvalue"), row.real("density")) {
            let curve = curves.entry(key).or_insert_with(|| Curve {
                points: Vec::new(),
                width: row.real("kernel_width").unwrap_or(0.0),
            });
            curve.points.push((t, density));
        }
    }
    curves
}

fn key<'t>(study: &Study<'_>, row: Row<'t>) -> Option<(&'t str, (Variant, i64, i64))> {
    let id = row.text("run_id")?;
    let (variant, depth) = study.runs.get(id)?;
    Some((id, (*variant, *depth, row.integer("epoch")?)))
}

/// The first, the last, and some between.
fn spread(epochs: &[i64]) -> Vec<i64> {
    let last = epochs.len().saturating_sub(1);
    let count = epochs.len().min(MOST_EPOCHS);
    let mut chosen: Vec<i64> = (0..count)
        .map(|k| epochs[k * last / (count.max(2) - 1)])
        .collect();
    chosen.dedup();
    chosen
}

fn panel(
    study: &Study<'_>,
    curves: &Curves,
    (variant, depth): (Variant, i64),
    epochs: &[i64],
    x: &Axis,
    y: &Axis,
) -> Panel {
    let (top, bottom) = (study.values(largest), study.values(smallest));
    let mut layers = Vec::new();
    for (place, epoch) in epochs.iter().enumerate() {
        let Some(curve) = curves.get(&(variant, depth, *epoch)) else {
            continue;
        };
        let color = ordered_color(place, epochs.len());
        let points = curve.points.iter();
        layers.push(Layer::Line {
            points: points
                .map(|(t, density)| (bent(*t), density.max(y.low / 10.0)))
                .collect(),
            color,
            width: theme::THIN_WIDTH,
            dashed: false,
        });
        let ends = [&top, &bottom].into_iter().filter_map(|found| {
            let values = found.get(&(variant, depth))?.get(epoch)?;
            values.first().map(|value| (bent(*value), y.low))
        });
        layers.push(Layer::Marks {
            points: ends.collect(),
            shape: Shape::Disc,
            radius: 3.2,
            color,
            opacity: 1.0,
        });
    }
    let depth = match study.depths.len() {
        1 => String::new(),
        _ => format!("depth {depth}, "),
    };
    Panel {
        title: format!("{depth}{}", variant.name()),
        x: x.clone(),
        y: y.clone(),
        layers,
    }
}

/// Linear near 0, logarithmic beyond, on both sides.
fn bent(value: f64) -> f64 {
    (value / LINEAR).asinh()
}

/// An axis for [`bent`] values from `low ≤ 0` to `high ≥ 0`.
fn signed_log(label: &str, low: f64, high: f64) -> Axis {
    let reach = low.abs().max(high);
    let decades = reach.log10().ceil().max(1.0) as i32;
    let every = if decades > 2 { 2 } else { 1 };
    let powers: Vec<f64> = (0..=decades)
        .filter(|decade| decade % every == 0)
        .map(|decade| LINEAR * 10f64.powi(decade))
        .collect();
    let within = |value: &f64| *value >= low && *value <= high;
    let negative = powers.iter().rev().map(|power| -power);
    let all = negative.chain([0.0]).chain(powers.iter().copied());
    let ticks = all.filter(within).map(|value| {
        let text = crate::axes::number(value, 0);
        (bent(value), text)
    });
    Axis {
        label: label.into(),
        low: bent(1.1 * low),
        high: bent(1.1 * high),
        log: false,
        ticks: ticks.collect(),
        minor: Vec::new(),
    }
}

fn legend(epochs: &[i64]) -> Vec<Section> {
    let entries = epochs.iter().enumerate().map(|(place, epoch)| Entry {
        sample: Sample::Line {
            color: ordered_color(place, epochs.len()),
            dashed: false,
        },
        label: when(*epoch),
    });
    let mark = Entry {
        sample: Sample::Mark {
            shape: Shape::Disc,
            color: theme::INK,
            radius: 3.2,
            opacity: 1.0,
            line: false,
        },
        label: "largest, smallest".into(),
    };
    vec![
        Section {
            heading: "Density".into(),
            entries: entries.collect(),
        },
        Section {
            heading: "Eigenvalues".into(),
            entries: vec![mark],
        },
    ]
}

/// `before training`, `after 5 epochs`.
pub(super) fn when(epoch: i64) -> String {
    match epoch {
        0 => "before training".into(),
        1 => "after 1 epoch".into(),
        n => format!("after {n} epochs"),
    }
}

fn notes(study: &Study<'_>, table: &Table, curves: &Curves) -> Vec<String> {
    let widths = curves.values().map(|curve| curve.width);
    let (least, most) = widths.fold((f64::MAX, 0.0), |(l, h): (f64, f64), w| {
        (l.min(w), h.max(w))
    });
    let size = |column: &str| {
        table
            .iter()
            .find_map(|row| row.integer(column))
            .unwrap_or(0)
    };
    let mut notes = study.notes.clone();
    notes.push(format!(
        "Stochastic Lanczos quadrature, {} steps from {} random {}, smoothed by a normal kernel of standard deviation {} to {}, by the range of eigenvalues: what is narrower, the peak at 0 above all, is the kernel's. Horizontal axis linear within ±1, logarithmic beyond.",
        size("steps"),
        size("draws"),
        if size("draws") == 1 { "vector" } else { "vectors" },
        short(least),
        short(most)
    ));
    notes
}

/// Two significant digits.
fn short(value: f64) -> String {
    let digits = (1.0 - value.log10().floor()).clamp(0.0, 9.0) as usize;
    crate::axes::number(value, digits)
}
