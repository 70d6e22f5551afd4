//! Final training error against the learning rate, one panel a depth.

use std::collections::BTreeMap;

use reslab_results::statistics::mean;

use super::{Network, Sweep, band::Band, definition, kind, network_section, shape};
use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Means, Panel, Sample, Section, beside};
use crate::scene::Shape;
use crate::theme;

/// Width of the line that shows a band.
const BAND_WIDTH: f64 = 4.0;
const CROSS: f64 = 4.0;

/// Panels of one depth each, kinds in their colours, bands along the bottom, crosses at the top.
pub fn figure(sweep: &Sweep) -> Result<Figure, String> {
    let errors = || {
        let all = sweep.networks.values().flat_map(BTreeMap::values).flatten();
        all.filter_map(|(_, error)| *error)
    };
    if errors().next().is_none() {
        return Err("no finished run has a training error (a regression?)".into());
    }
    let highest = errors().fold(0.0, f64::max);
    let top = nice_above(1.1 * highest).min(1.1);
    let panels = sweep.depths().into_iter().map(|depth| {
        let x = rates(sweep);
        let y = Axis::percent("Final training error (%)", 0.0, top);
        let kinds = [false, true].into_iter();
        let layers = kinds.flat_map(|residual| {
            let network = Network { depth, residual };
            layers(sweep, network, &x, top)
        });
        Panel {
            title: format!("{depth} layers"),
            layers: layers.collect(),
            x,
            y,
        }
    });
    Ok(Figure {
        title: "Final training error against the learning rate, plain and residual networks".into(),
        rows: vec![panels.collect()],
        panel_size: (270.0, 225.0),
        legend: legend(sweep),
        notes: notes(sweep),
    })
}

fn rates(sweep: &Sweep) -> Axis {
    let all = sweep.networks.values().flat_map(BTreeMap::values).flatten();
    let (low, high) = all.fold((f64::MAX, f64::MIN), |(l, h), (rate, _)| {
        (l.min(*rate), h.max(*rate))
    });
    let room = (high / low).powf(0.04);
    Axis::log("Learning rate", low / room, high * room)
}

fn layers(sweep: &Sweep, network: Network, x: &Axis, top: f64) -> Vec<Layer> {
    let Some(seeds) = sweep.networks.get(&network) else {
        return Vec::new();
    };
    // Rates are positive, so that the order of their bits is theirs.
    let mut by_rate: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    let mut lost: BTreeMap<u64, usize> = BTreeMap::new();
    for (rate, error) in seeds.values().flatten() {
        match error {
            Some(error) => by_rate.entry(rate.to_bits()).or_default().push(*error),
            None => *lost.entry(rate.to_bits()).or_default() += 1,
        }
    }
    let color = theme::kind_color(network.residual);
    let side = if network.residual { 0.006 } else { -0.006 };
    let at = |bits: &u64| beside(f64::from_bits(*bits), x, side);
    let look = Means {
        color,
        shape: shape(network.residual),
        dashed: false,
    };
    let mut layers = look.layers(by_rate.iter().map(|(rate, errors)| (at(rate), errors)));
    // Crosses of residual networks stand a little lower, so that both are seen.
    let height = top * if network.residual { 0.93 } else { 0.98 };
    layers.push(Layer::Marks {
        points: lost.keys().map(|rate| (at(rate), height)).collect(),
        shape: Shape::Cross,
        radius: CROSS,
        color,
        opacity: 1.0,
    });
    if let Some((low, high)) = ends(&sweep.bands(network)) {
        let height = top * if network.residual { 0.03 } else { 0.065 };
        layers.push(Layer::Line {
            points: vec![(low, height), (high, height)],
            color,
            width: BAND_WIDTH,
            dashed: false,
        });
    }
    layers
}

/// Geometric means of the bands' ends.
fn ends(bands: &BTreeMap<i64, Band>) -> Option<(f64, f64)> {
    let end = |of: fn(&Band) -> f64| {
        let logs: Vec<f64> = bands.values().map(|band| of(band).ln()).collect();
        mean(&logs).map(f64::exp)
    };
    Some((end(|band| band.low)?, end(|band| band.high)?))
}

fn legend(sweep: &Sweep) -> Vec<Section> {
    let widths = sweep.networks.keys().filter_map(|network| {
        let bands = sweep.bands(*network);
        let widths: Vec<f64> = bands.values().map(Band::octaves).collect();
        let least = if bands.values().any(Band::censored) {
            "≥ "
        } else {
            ""
        };
        Some(Entry {
            sample: Sample::Line {
                color: theme::kind_color(network.residual),
                dashed: false,
            },
            label: format!(
                "{} {}: {least}{:.1} octaves",
                kind(network.residual),
                network.depth,
                mean(&widths)?
            ),
        })
    });
    let mut legend = vec![
        network_section(sweep),
        Section {
            heading: "Usable band".into(),
            entries: widths.collect(),
        },
    ];
    if sweep.diverged() > 0 {
        legend.push(Section {
            heading: String::new(),
            entries: vec![Entry {
                sample: Sample::Mark {
                    shape: Shape::Cross,
                    color: theme::INK,
                    radius: CROSS,
                    opacity: 1.0,
                    line: false,
                },
                label: "some diverged".into(),
            }],
        });
    }
    legend
}

fn notes(sweep: &Sweep) -> Vec<String> {
    let mut notes = vec![
        format!("Means over {}, with 95 % t intervals.", sweep.seeds()),
        definition("the best of the same network and seed"),
        "It is drawn along the bottom, between geometric means of its ends.".into(),
    ];
    if sweep.diverged() > 0 {
        notes.push("Crosses: at least one run diverged; means are of the others.".into());
    }
    if !sweep.label.is_empty() {
        notes.push(format!("Runs with {}.", sweep.label));
    }
    notes
}
