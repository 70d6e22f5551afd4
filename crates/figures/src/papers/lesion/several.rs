//! Error against how many blocks are deleted, and against how far their order is changed (Veit et al.
//! 2016, Fig. 5).

use std::collections::BTreeMap;

use reslab_results::statistics::quantile;

use super::{ANEW, Lesion, Network, error_axis, mean, network_entries, rows, section};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample};
use crate::scene::Shape;
use crate::theme::{self, Rgb};

/// Error against the number of deleted blocks: every draw, the mean, the middle half.
pub(super) fn random(networks: &[Network]) -> Figure {
    let y = error_axis(networks, &["none", "delete-random"]);
    let panels = networks.iter().map(|network| {
        let all = network.of_kind("delete-random", false);
        let most = all.map(|lesion| lesion.k).max().unwrap_or(1) as f64;
        let room = 0.04 * most;
        Panel {
            title: network.title.clone(),
            x: Axis::linear("Deleted blocks", -room, most + room),
            y: y.clone(),
            layers: layers(network, "delete-random", &|lesion| lesion.k as f64, 0.0),
        }
    });
    figure(
        "Error after deleting random blocks, against their number",
        networks,
        panels.collect(),
        "delete-random",
    )
}

/// Error against Kendall's rank correlation of the new order of blocks with the old one.
pub(super) fn reorder(networks: &[Network]) -> Figure {
    let y = error_axis(networks, &["none", "reorder"]);
    let panels = networks.iter().map(|network| {
        let taus = network
            .of_kind("reorder", false)
            .filter_map(|lesion| lesion.tau);
        let least = taus.fold(0.99_f64, f64::min);
        let room = 0.04 * (1.0 - least);
        let mut x = Axis::linear("Kendall rank correlation", least - room, 1.0 + room);
        // The more is changed the farther right.
        (x.low, x.high) = (x.high, x.low);
        x.ticks.reverse();
        Panel {
            title: network.title.clone(),
            x,
            y: y.clone(),
            layers: layers(network, "reorder", &|lesion| lesion.tau.unwrap_or(1.0), 1.0),
        }
    });
    figure(
        "Error after reordering blocks, against Kendall's rank correlation",
        networks,
        panels.collect(),
        "reorder",
    )
}

fn figure(title: &str, networks: &[Network], panels: Vec<Panel>, kind: &str) -> Figure {
    let draws = Entry {
        sample: Sample::Mark {
            shape: Shape::Disc,
            color: theme::INK,
            radius: 2.0,
            opacity: 0.35,
            line: false,
        },
        label: "one draw".into(),
    };
    let mut entries = vec![draws];
    let what = if kind == "reorder" {
        "swaps"
    } else {
        "deletions"
    };
    if kind != "reorder" {
        entries.push(Entry {
            sample: Sample::Interval { color: theme::INK },
            label: "middle half of draws".into(),
        });
    }
    Figure {
        title: title.into(),
        rows: rows(panels),
        panel_size: (215.0, 190.0),
        legend: vec![
            section("Mean of draws", network_entries(networks)),
            section("", entries),
        ],
        notes: vec![note(networks, kind, what)],
    }
}

/// Width of the intervals of rank correlation over which a mean is taken.
const INTERVAL: f64 = 0.02;

/// The draws that are averaged: by number of deletions, or by rank correlation. An order that came
/// back to the old one is that of the whole network.
fn groups<'a>(lesions: impl Iterator<Item = &'a Lesion>) -> BTreeMap<i64, Vec<&'a Lesion>> {
    let mut all: BTreeMap<i64, Vec<&Lesion>> = BTreeMap::new();
    for lesion in lesions {
        let key = match lesion.tau {
            Some(tau) => ((1.0 - tau) / INTERVAL - 1e-9).ceil() as i64,
            None => lesion.k,
        };
        if key > 0 {
            all.entry(key).or_default().push(lesion);
        }
    }
    all
}

/// How many draws there are.
fn note(networks: &[Network], kind: &str, what: &str) -> String {
    let mut counts: Vec<usize> = networks
        .iter()
        .flat_map(|network| by_k(network.of_kind(kind, false)).into_values())
        .map(|lesions| lesions.len())
        .collect();
    counts.sort_unstable();
    let (least, most) = (counts.first().unwrap_or(&0), counts.last().unwrap_or(&0));
    let draws = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    let order = if kind == "reorder" {
        " Swaps are within a stage and leave down-sampling blocks alone; means are over intervals of 0.02 of the correlation."
    } else {
        ""
    };
    format!("{draws} random draws for each number of {what}.{order}")
}

fn by_k<'a>(lesions: impl Iterator<Item = &'a Lesion>) -> BTreeMap<i64, Vec<&'a Lesion>> {
    let mut all: BTreeMap<i64, Vec<&Lesion>> = BTreeMap::new();
    for lesion in lesions {
        all.entry(lesion.k).or_default().push(lesion);
    }
    all
}

/// Draws, means and quartiles of a kind of lesion; `none` is where the whole network lies.
fn layers(network: &Network, kind: &str, x: &dyn Fn(&Lesion) -> f64, none: f64) -> Vec<Layer> {
    let color = network.color();
    let means = |anew| {
        let whole = network.baseline(anew).map(|error| (none, error));
        let groups = groups(network.of_kind(kind, anew)).into_values();
        let points = groups.filter_map(|group| {
            let x = mean(group.iter().map(|lesion| x(lesion)))?;
            Some((x, mean(group.iter().map(|lesion| lesion.error))?))
        });
        whole.into_iter().chain(points).collect::<Vec<_>>()
    };
    let draws = network
        .of_kind(kind, false)
        .map(|lesion| (x(lesion), lesion.error));
    let marks = |points, radius, color: Rgb, opacity| Layer::Marks {
        points,
        shape: Shape::Disc,
        radius,
        color,
        opacity,
    };
    let line = |points, color, dashed| Layer::Line {
        points,
        color,
        width: theme::LINE_WIDTH,
        dashed,
    };
    let mut layers = vec![marks(draws.collect(), 1.8, color, 0.3)];
    if kind != "reorder" {
        layers.push(Layer::Intervals {
            points: quartiles(network, kind),
            color,
        });
    }
    layers.push(line(means(true), ANEW, true));
    layers.push(line(means(false), color, false));
    layers.push(marks(means(false), 3.0, color, 1.0));
    layers
}

fn quartiles(network: &Network, kind: &str) -> Vec<(f64, f64, f64)> {
    let groups = by_k(network.of_kind(kind, false)).into_iter();
    let middle = groups.filter_map(|(k, group)| {
        let errors: Vec<f64> = group.iter().map(|lesion| lesion.error).collect();
        Some((k as f64, quantile(&errors, 0.25)?, quantile(&errors, 0.75)?))
    });
    middle.collect()
}
