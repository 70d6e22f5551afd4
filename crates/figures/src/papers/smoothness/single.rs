//! Panels for one epoch only: values by depth, where there is nothing to draw by epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::{MARK, Place, shape};
use crate::axes::Axis;
use crate::plots::{Layer, Panel, beside};
use crate::theme;

/// What is drawn of one kind of network: a mark, and an interval through it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Value {
    pub mark: f64,
    pub interval: (f64, f64),
}

/// One panel for networks with batch norm, one for those without; dashed lines at the bounds.
pub(super) fn panels(
    y: &Axis,
    values: &BTreeMap<(Place, bool), Value>,
    places: &[Place],
    bounds: &[f64],
    titled: bool,
) -> Vec<Panel> {
    let depths: BTreeSet<i64> = places.iter().map(|place| place.depth).collect();
    let depths: Vec<f64> = depths.into_iter().map(|depth| depth as f64).collect();
    let x = Axis::of_values("Layers", &depths);
    let columns: BTreeSet<bool> = places.iter().map(|place| place.no_batch_norm).collect();
    let panel = |no_batch_norm: &bool| {
        let title = match (titled && columns.len() > 1, no_batch_norm) {
            (false, _) => "",
            (true, false) => "with batch norm",
            (true, true) => "no batch norm",
        };
        let mut layers: Vec<Layer> = bounds.iter().map(|bound| across(*bound, &x)).collect();
        for residual in [false, true] {
            let here = values.iter().filter(|((place, kind), _)| {
                place.no_batch_norm == *no_batch_norm && *kind == residual
            });
            let side = if residual { 0.015 } else { -0.015 };
            let points: Vec<(f64, Value)> = here
                .map(|((place, _), value)| (beside(place.depth as f64, &x, side), *value))
                .collect();
            layers.extend(marks(residual, &points));
        }
        Panel {
            title: title.into(),
            x: x.clone(),
            y: y.clone(),
            layers,
        }
    };
    columns.iter().map(panel).collect()
}

/// Why these figures have no curves.
pub(super) fn note(epoch: i64) -> String {
    match epoch {
        0 => "Measured once, before training: by depth.".to_owned(),
        epoch => format!("Measured once, after epoch {epoch}: by depth."),
    }
}

fn marks(residual: bool, points: &[(f64, Value)]) -> Vec<Layer> {
    let color = theme::kind_color(residual);
    let ends = |(x, value): &(f64, Value)| (*x, value.interval.0, value.interval.1);
    vec![
        Layer::Intervals {
            points: points.iter().map(ends).collect(),
            color,
        },
        Layer::Marks {
            points: points.iter().map(|(x, value)| (*x, value.mark)).collect(),
            shape: shape(residual),
            radius: MARK,
            color,
            opacity: 1.0,
        },
    ]
}

fn across(value: f64, x: &Axis) -> Layer {
    Layer::Line {
        points: vec![(x.low, value), (x.high, value)],
        color: theme::INK,
        width: theme::THIN_WIDTH,
        dashed: true,
    }
}
