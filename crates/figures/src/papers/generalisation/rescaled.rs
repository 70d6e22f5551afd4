//! What multiplying layers by α, and undoing it behind them, does to each measure: the function stays
//! the same (Dinh et al. 2017, section 4).

use std::collections::BTreeMap;

use super::measures::{KINDS, value};
use super::{Run, network_section, runs, shape};
use crate::axes::Axis;
use crate::papers::smoothness::geometric_mean;
use crate::plots::{Figure, Layer, Panel, beside};
use crate::tables::Tables;
use crate::theme;

/// What was measured of one run by α.
type ByAlpha = BTreeMap<u64, Vec<f64>>;

/// For each α, one ratio a run.
type Places = Vec<(f64, Vec<f64>)>;

/// The same of plain and of residual networks.
type Kinds = Vec<(bool, Places)>;

/// Each measure with rescaled weights against that as trained, one panel a measure; one place a value of α.
pub fn figure(tables: &Tables) -> Result<Figure, String> {
    let runs = runs(&tables.runs)?;
    let table = tables.instruments.get("sharpness");
    let table = table.ok_or("there is no table 'sharpness'")?;
    let mut alphas: Vec<f64> = table.iter().filter_map(|row| row.real("rescale")).collect();
    alphas.sort_by(f64::total_cmp);
    alphas.dedup();
    if alphas.len() < 2 {
        return Err("nothing was rescaled".into());
    }
    let last = table.iter().filter_map(|row| row.integer("epoch")).max();
    let panels: Vec<(&str, Kinds)> = KINDS
        .iter()
        .map(|(kind, name)| {
            let mut rises: BTreeMap<&str, ByAlpha> = BTreeMap::new();
            let rows = table
                .iter()
                .filter(|row| row.text("kind") == Some(kind) && row.integer("epoch") == last);
            for row in rows {
                if let (Some(id), Some(alpha), Some(value)) =
                    (row.text("run_id"), row.real("rescale"), value(&row))
                {
                    let by_alpha = rises.entry(id).or_default();
                    by_alpha.entry(alpha.to_bits()).or_default().push(value);
                }
            }
            let kinds =
                [false, true].map(|residual| (residual, ratios(&runs, &rises, residual, &alphas)));
            (*name, kinds.to_vec())
        })
        .filter(|(_, kinds)| {
            let mut places = kinds.iter().flat_map(|(_, places)| places);
            places.any(|(_, ratios)| !ratios.is_empty())
        })
        .collect();
    let all = || {
        let kinds = panels.iter().flat_map(|(_, kinds)| kinds);
        kinds
            .flat_map(|(_, places)| places)
            .flat_map(|(_, ratios)| ratios)
    };
    let (low, high) = all().fold((1.0f64, 1.0f64), |(l, h), r| (l.min(*r), h.max(*r)));
    let y = Axis::log("Against that as trained", low / 1.4, high * 1.4);
    let x = Axis {
        log: true,
        ..Axis::of_values("α", &alphas)
    };
    let x = Axis {
        low: alphas[0] / 1.6,
        high: alphas[alphas.len() - 1] * 1.6,
        ticks: alphas.iter().map(|a| (*a, a.to_string())).collect(),
        ..x
    };
    let panel = |(name, kinds): &(&str, Kinds)| Panel {
        title: (*name).into(),
        x: x.clone(),
        y: y.clone(),
        layers: layers(&x, kinds),
    };
    let rows = panels
        .chunks(2)
        .map(|pair| pair.iter().map(panel).collect());
    Ok(Figure {
        title: "Sharpness of the same function with other weights".into(),
        rows: rows.collect(),
        panel_size: (210.0, 150.0),
        legend: vec![network_section(&runs, true)],
        notes: vec![
            "The first layer of every branch is multiplied by α and what follows is changed so that the network computes the same function. Mean rise of the loss, or largest eigenvalue of the Hessian by the weights, against that of the network as trained; one faint mark a run, lines through geometric means.".into(),
        ],
    })
}

/// For each α, one ratio a run of a kind.
fn ratios(
    runs: &BTreeMap<String, Run>,
    rises: &BTreeMap<&str, ByAlpha>,
    residual: bool,
    alphas: &[f64],
) -> Places {
    let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let of_kind = |id: &str| runs.get(id).is_some_and(|run| run.residual == residual);
    let places = alphas.iter().map(|alpha| {
        let found = rises.iter().filter(|(id, _)| of_kind(id));
        let found = found.filter_map(|(_, by)| {
            let (one, other) = (by.get(&1f64.to_bits())?, by.get(&alpha.to_bits())?);
            let ratio = mean(other) / mean(one);
            (ratio.is_finite() && ratio > 0.0).then_some(ratio)
        });
        (*alpha, found.collect())
    });
    places.collect()
}

fn layers(x: &Axis, kinds: &[(bool, Places)]) -> Vec<Layer> {
    let mut layers = vec![Layer::Line {
        points: vec![(x.low, 1.0), (x.high, 1.0)],
        color: theme::QUIET,
        width: theme::THIN_WIDTH,
        dashed: true,
    }];
    for (residual, places) in kinds {
        let side = if *residual { 0.015 } else { -0.015 };
        let at = |alpha: &f64| beside(*alpha, x, side);
        let marks = |points, radius, opacity| Layer::Marks {
            points,
            shape: shape(*residual),
            radius,
            color: theme::kind_color(*residual),
            opacity,
        };
        let runs = places.iter();
        let runs = runs.flat_map(|(alpha, ratios)| ratios.iter().map(move |r| (at(alpha), *r)));
        let means = places.iter();
        let means = means.filter_map(|(alpha, ratios)| Some((at(alpha), geometric_mean(ratios)?)));
        let means: Vec<(f64, f64)> = means.collect();
        layers.push(marks(runs.collect(), 2.0, theme::SEED_OPACITY));
        layers.push(Layer::Line {
            points: means.clone(),
            color: theme::kind_color(*residual),
            width: theme::LINE_WIDTH,
            dashed: false,
        });
        layers.push(marks(means, 3.6, 1.0));
    }
    layers
}
