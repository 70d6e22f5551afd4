//! Widths of the usable bands in octaves against depth: by each network's own best, and by the best
//! network of the depth.

use std::collections::BTreeMap;

use super::{Network, Sweep, band::Band, definition, network_section, shape};
use crate::axes::{Axis, nice_above};
use crate::plots::{Figure, Layer, Means, Panel, beside};
use crate::theme;

type BandsOf = fn(&Sweep, Network) -> BTreeMap<i64, Band>;

/// Two panels on one scale.
pub fn figure(sweep: &Sweep) -> Result<Figure, String> {
    let standards: [(&str, BandsOf); 2] = [
        ("within 5 points of its own best", Sweep::bands),
        ("within 5 points of the better kind", Sweep::bands_by_best),
    ];
    let depths: Vec<f64> = sweep.depths().iter().map(|d| *d as f64).collect();
    let x = Axis::of_values("Depth (layers)", &depths);
    let all = standards.iter().flat_map(|(_, bands)| {
        let networks = sweep.networks.keys();
        networks.flat_map(move |network| bands(sweep, *network).into_values())
    });
    let widest = all.map(|band| band.octaves()).fold(0.0, f64::max);
    if widest <= 0.0 {
        return Err("no network has a band of rates".into());
    }
    let y = Axis::linear("Usable band (octaves)", 0.0, nice_above(1.15 * widest));
    let panels = standards.iter().map(|(title, bands)| Panel {
        title: (*title).into(),
        x: x.clone(),
        y: y.clone(),
        layers: [false, true]
            .into_iter()
            .flat_map(|residual| layers(sweep, residual, *bands, &x))
            .collect(),
    });
    Ok(Figure {
        title: "Width of the band of usable learning rates, plain and residual networks".into(),
        rows: vec![panels.collect()],
        panel_size: (230.0, 200.0),
        legend: vec![network_section(sweep)],
        notes: notes(sweep, &standards),
    })
}

fn layers(sweep: &Sweep, residual: bool, bands: BandsOf, x: &Axis) -> Vec<Layer> {
    let look = Means {
        color: theme::kind_color(residual),
        shape: shape(residual),
        dashed: false,
    };
    let side = if residual { 0.013 } else { -0.013 };
    let networks = sweep.networks.keys().filter(|n| n.residual == residual);
    let widths: Vec<(f64, Vec<f64>)> = networks
        .map(|network| {
            let found = bands(sweep, *network);
            let widths = found.values().map(Band::octaves).collect();
            (beside(network.depth as f64, x, side), widths)
        })
        .collect();
    look.layers(widths.iter().map(|(x, widths)| (*x, widths)))
}

fn notes(sweep: &Sweep, standards: &[(&str, BandsOf)]) -> Vec<String> {
    let mut notes = vec![
        definition(
            "the best of the same network and seed (left) or of both kinds of that depth and seed (right)",
        ),
        format!("Means over {}, with 95 % t intervals.", sweep.seeds()),
    ];
    for (title, bands) in standards {
        let networks = sweep.networks.iter();
        let (mut missing, mut censored) = (0, 0);
        for (network, seeds) in networks {
            let found = bands(sweep, *network);
            missing += seeds.len() - found.len();
            censored += found.values().filter(|band| band.censored()).count();
        }
        if censored > 0 {
            notes.push(format!(
                "«{title}»: {censored} bands reach the end of the range that was run, and are at least as wide."
            ));
        }
        if missing > 0 {
            notes.push(format!(
                "«{title}»: {missing} combinations of network and seed have no usable rate and are left out."
            ));
        }
    }
    notes
}
