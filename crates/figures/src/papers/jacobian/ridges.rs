//! Ridgelines: the density of log₁₀ σ of products of blocks, one ridge a length.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::LN_10;

use super::{Study, decades, line_entry, not_empty};
use crate::axes::Axis;
use crate::plots::{Figure, Layer, Panel, Section};
use crate::theme;

/// Height of the tallest place of a ridge, in distances between ridges.
const HEIGHT: f64 = 1.35;
/// Points along a ridge.
const POINTS: usize = 160;

/// log₁₀ σ by length of the product.
type Lengths = BTreeMap<i64, Vec<f64>>;

/// The figure at an epoch.
pub fn figure(study: &Study<'_>, epoch: i64) -> Result<Figure, String> {
    let asked = |row: reslab_results::table::Row<'_>| {
        row.integer("epoch") == Some(epoch)
            && row.text("kind") == Some("product")
            && row.text("grow") == Some("input")
            && row.text("what") == Some("singular")
    };
    let mut places: BTreeMap<super::Place, Lengths> = BTreeMap::new();
    for (place, row) in study.rows(study.values, asked) {
        if let (Some(length), Some(log)) = (row.integer("blocks"), row.real("log_sigma")) {
            let lengths = places.entry(place).or_default();
            lengths.entry(length).or_default().push(log / LN_10);
        }
    }
    let there: BTreeSet<_> = places.keys().copied().collect();
    let lengths: BTreeSet<i64> = places.values().flat_map(BTreeMap::keys).copied().collect();
    let lengths: Vec<i64> = lengths.into_iter().collect();
    let rows = study.panels(&there, |place, title| {
        panel(title, &places[&place], &lengths)
    });
    not_empty(Figure {
        title: "Singular values of products of blocks, by length".into(),
        rows,
        panel_size: (190.0, 150.0),
        legend: vec![Section {
            heading: String::new(),
            entries: vec![line_entry(theme::QUIET, true, "σ = 1")],
        }],
        notes: study.notes(
            "Density of log₁₀ σ of the product of the first blocks, as a ridge that is scaled to the same height; singular values of 0 are left out. Each panel has its own horizontal axis.",
            Some(epoch),
        ),
    })
}

fn panel(title: String, ridges: &Lengths, lengths: &[i64]) -> Panel {
    let (low, high) = decades(ridges.values().flatten().copied());
    let top = lengths.len() as f64 - 1.0 + HEIGHT + 0.1;
    let mut layers = vec![Layer::Line {
        points: vec![(0.0, -0.25), (0.0, top)],
        color: theme::QUIET,
        width: 0.8,
        dashed: true,
    }];
    // From the back to the front.
    for (place, length) in lengths.iter().enumerate().rev() {
        if let Some(values) = ridges.get(length) {
            let color = theme::ordered_color(place, lengths.len());
            layers.extend(ridge(values, place as f64, color, (low, high)));
        }
    }
    let ticks = lengths
        .iter()
        .enumerate()
        .map(|(place, length)| (place as f64, length.to_string()))
        .collect();
    Panel {
        title,
        x: Axis::linear("log₁₀ σ", low, high),
        y: Axis {
            label: "Blocks in the product".into(),
            low: -0.25,
            high: top,
            log: false,
            ticks,
            minor: Vec::new(),
        },
        layers,
    }
}

fn ridge(values: &[f64], base: f64, color: theme::Rgb, (low, high): (f64, f64)) -> Vec<Layer> {
    let density = density(values, (low, high));
    let most = density.iter().map(|p| p.1).fold(0.0, f64::max);
    let height = |d: f64| base + HEIGHT * d / most;
    let curve: Vec<(f64, f64)> = density.iter().map(|(x, d)| (*x, height(*d))).collect();
    vec![
        Layer::Band {
            points: curve.iter().map(|(x, y)| (*x, base, *y)).collect(),
            color,
        },
        Layer::Line {
            points: curve,
            color,
            width: theme::THIN_WIDTH,
            dashed: false,
        },
    ]
}

/// A sum of Gaussians as wide as a fiftieth of the axis, or as the rule of thumb says where that is
/// wider.
fn density(values: &[f64], (low, high): (f64, f64)) -> Vec<(f64, f64)> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let width = (0.5 * spread * n.powf(-0.2)).max((high - low) / 100.0);
    let at = |x: f64| {
        let parts = values
            .iter()
            .map(|v| (-0.5 * ((x - v) / width).powi(2)).exp());
        parts.sum::<f64>()
    };
    (0..POINTS)
        .map(|i| low + (high - low) * i as f64 / (POINTS - 1) as f64)
        .map(|x| (x, at(x)))
        .collect()
}
