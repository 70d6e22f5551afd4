//! Error against the index of the one block that is deleted (Veit et al. 2016, Fig. 3).

use std::collections::BTreeMap;

use super::{ANEW, Lesion, Network, error_axis, marked, network_entries, rows, section};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample};
use crate::scene::Shape;
use crate::theme;

/// The figure.
pub(super) fn figure(networks: &[Network]) -> Figure {
    let y = error_axis(networks, &["none", "delete", "delete-layer"]);
    let panels = networks.iter().map(|network| Panel {
        title: network.title.clone(),
        x: Axis::linear("Deleted block", -0.8, last_block(network) + 0.8),
        y: y.clone(),
        layers: layers(network),
    });
    let all = || networks.iter().flat_map(|network| &network.lesions);
    let mut marks = vec![Entry {
        sample: Sample::Line {
            color: theme::INK,
            dashed: true,
        },
        label: "nothing deleted".into(),
    }];
    if all().any(|lesion| lesion.downsampling && lesion.kind == "delete") {
        marks.push(marked(
            "down-sampling block",
            Shape::Square,
            theme::INK,
            false,
        ));
    }
    let mut notes = vec![];
    if all().any(|lesion| lesion.kind == "delete-layer") {
        marks.push(marked(
            "single layer deleted",
            Shape::Cross,
            theme::QUIET,
            false,
        ));
        notes.push("Crosses: one layer of the block, with its batch norm and nonlinearity.".into());
    }
    if networks.iter().any(|network| !network.residual) {
        notes.push("A plain block that changes the shape cannot be deleted.".into());
    }
    Figure {
        title: "Error after deleting one block, against the block's place".into(),
        rows: rows(panels.collect()),
        panel_size: (215.0, 190.0),
        legend: vec![section("", network_entries(networks)), section("", marks)],
        notes,
    }
}

fn last_block(network: &Network) -> f64 {
    let blocks = network.lesions.iter().filter_map(|lesion| lesion.block);
    blocks.max().unwrap_or(0) as f64
}

/// Mean error by block.
fn by_block<'a>(lesions: impl Iterator<Item = &'a Lesion>) -> Vec<(f64, f64)> {
    let mut errors: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for lesion in lesions {
        if let Some(block) = lesion.block {
            errors.entry(block).or_default().push(lesion.error);
        }
    }
    let mean = |errors: &[f64]| errors.iter().sum::<f64>() / errors.len() as f64;
    errors
        .iter()
        .map(|(&block, errors)| (block as f64, mean(errors)))
        .collect()
}

/// Layers of a block side by side, from its place on.
fn by_layer(network: &Network) -> Vec<(f64, f64)> {
    let mut blocks: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for lesion in network.of_kind("delete-layer", false) {
        if let Some(block) = lesion.block {
            blocks.entry(block).or_default().push(lesion.error);
        }
    }
    let spread = |(&block, errors): (&i64, &Vec<f64>)| {
        let step = 0.6 / errors.len() as f64;
        let first = block as f64 - 0.3 + 0.5 * step;
        let place = move |(at, &error): (usize, &f64)| (first + step * at as f64, error);
        errors.iter().enumerate().map(place).collect::<Vec<_>>()
    };
    blocks.iter().flat_map(spread).collect()
}

fn layers(network: &Network) -> Vec<Layer> {
    let (color, kept) = (network.color(), by_block(network.of_kind("delete", false)));
    let anew = by_block(network.of_kind("delete", true));
    let downsampling = network
        .of_kind("delete", false)
        .filter(|lesion| lesion.downsampling);
    let marks = |points, shape, radius, color, opacity| Layer::Marks {
        points,
        shape,
        radius,
        color,
        opacity,
    };
    let line = |points, color, dashed| Layer::Line {
        points,
        color,
        width: theme::THIN_WIDTH,
        dashed,
    };
    let ends = [-0.8, last_block(network) + 0.8];
    let baseline = network
        .baseline(false)
        .map(|error| ends.map(|x| (x, error)).to_vec());
    vec![
        line(baseline.unwrap_or_default(), color, true),
        marks(by_layer(network), Shape::Cross, 2.5, theme::QUIET, 0.8),
        line(anew, ANEW, true),
        line(kept.clone(), color, false),
        marks(kept, Shape::Disc, 2.6, color, 1.0),
        marks(by_block(downsampling), Shape::Square, 4.2, theme::INK, 1.0),
    ]
}
