//! Learning rate times the largest eigenvalue of the Hessian by epoch (Cohen et al. 2021): gradient
//! descent on a quadratic is stable below 2, with momentum μ below 2 (1 + μ).

use std::collections::BTreeMap;

use super::{Kinds, MARK, Place, geometric_mean, kinds, network_section, places, shape};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::tables::Tables;
use crate::theme;

/// Products by kind of run, then epoch, one a run.
type Products = BTreeMap<(Place, bool), BTreeMap<i64, Vec<f64>>>;

/// One panel for each depth.
pub fn figure(tables: &Tables) -> Result<Figure, String> {
    let kinds = kinds(&tables.runs)?;
    let places = places(&kinds);
    let products = products(tables, &kinds)?;
    let all = || {
        products
            .values()
            .flat_map(BTreeMap::values)
            .flatten()
            .copied()
    };
    let epochs = products.values().flat_map(BTreeMap::keys);
    let last = epochs
        .max()
        .copied()
        .ok_or("no largest eigenvalue was measured")? as f64;
    let thresholds = thresholds(tables);
    let ends = all().chain(thresholds.iter().copied());
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
    let y = Axis::log("Learning rate × λ_max", low / 1.3, high * 1.3);
    let panels = places.iter().map(|place| {
        let mut layers: Vec<Layer> = thresholds
            .iter()
            .map(|value| Layer::Line {
                points: vec![(-0.02 * last, *value), (1.02 * last, *value)],
                color: theme::INK,
                width: theme::THIN_WIDTH,
                dashed: true,
            })
            .collect();
        for residual in [false, true] {
            if let Some(epochs) = products.get(&(*place, residual)) {
                layers.extend(curve(residual, epochs));
            }
        }
        Panel {
            title: place.title(),
            x: Axis::linear("Epoch", -0.02 * last, 1.02 * last),
            y: y.clone(),
            layers,
        }
    });
    Ok(Figure {
        title: "Learning rate times largest eigenvalue of the Hessian, by epoch".into(),
        rows: vec![panels.collect()],
        panel_size: (215.0, 175.0),
        legend: legend(&kinds, &thresholds),
        notes: notes(tables),
    })
}

/// Where descent on a quadratic becomes unstable: without momentum, and with that of the runs.
fn thresholds(tables: &Tables) -> Vec<f64> {
    let momenta = tables.runs.distinct("train_momentum").unwrap_or_default();
    let momenta = momenta.iter().filter_map(reslab_results::Cell::as_real);
    let mut thresholds: Vec<f64> = momenta.map(|momentum| 2.0 * (1.0 + momentum)).collect();
    thresholds.push(2.0);
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    thresholds
}

fn products(tables: &Tables, kinds: &Kinds<'_>) -> Result<Products, String> {
    let table = tables.instruments.get("hessian");
    let table = table.ok_or("there is no table 'hessian'")?;
    let epochs = tables.epochs.as_ref().ok_or("there is no table 'epochs'")?;
    let mut rates: BTreeMap<(&str, i64), f64> = BTreeMap::new();
    for row in epochs.iter() {
        let key = (row.text("run_id"), row.integer("epoch"));
        if let ((Some(id), Some(epoch)), Some(rate)) = (key, row.real("lr")) {
            rates.insert((id, epoch), rate);
        }
    }
    let mut products = Products::new();
    for row in table.iter() {
        let first = row.text("quantity") == Some("top") && row.integer("rank") == Some(1);
        let key = (row.text("run_id"), row.integer("epoch"));
        let ((Some(id), Some(epoch)), true) = (key, first) else {
            continue;
        };
        // Before training there is the rate of the epoch to come.
        let rate = rates.get(&(id, epoch.max(1)));
        let value = row.real("value").filter(|v| v.is_finite() && *v > 0.0);
        if let (Some(rate), Some(value), Some(kind)) = (rate, value, kinds.get(id)) {
            let by_epoch = products.entry(*kind).or_default();
            by_epoch.entry(epoch).or_default().push(rate * value);
        }
    }
    Ok(products)
}

fn curve(residual: bool, epochs: &BTreeMap<i64, Vec<f64>>) -> Vec<Layer> {
    let color = theme::kind_color(residual);
    let points: Vec<(f64, f64)> = epochs
        .iter()
        .filter_map(|(epoch, values)| Some((*epoch as f64, geometric_mean(values)?)))
        .collect();
    let band = epochs.iter().map(|(epoch, values)| {
        let ends = values
            .iter()
            .fold((f64::MAX, 0.0f64), |(l, h), v| (l.min(*v), h.max(*v)));
        (*epoch as f64, ends.0, ends.1)
    });
    vec![
        Layer::Band {
            points: band.collect(),
            color,
        },
        Layer::Line {
            points: points.clone(),
            color,
            width: theme::LINE_WIDTH,
            dashed: false,
        },
        Layer::Marks {
            points,
            shape: shape(residual),
            radius: MARK,
            color,
            opacity: 1.0,
        },
    ]
}

fn legend(kinds: &Kinds<'_>, thresholds: &[f64]) -> Vec<Section> {
    let bound = |value: &f64| Entry {
        sample: Sample::Line {
            color: theme::INK,
            dashed: true,
        },
        label: if *value > 2.0 {
            format!("{value}, with momentum")
        } else {
            format!("{value}")
        },
    };
    vec![
        network_section(kinds),
        Section {
            heading: "Stable below".into(),
            entries: thresholds.iter().map(bound).collect(),
        },
        Section {
            heading: String::new(),
            entries: vec![Entry {
                sample: Sample::Band { color: theme::INK },
                label: "range of seeds".into(),
            }],
        },
    ]
}

fn notes(tables: &Tables) -> Vec<String> {
    let table = tables.instruments.get("hessian");
    let first = |column: &str| {
        table
            .and_then(|t| t.get(0, column))
            .map(ToString::to_string)
    };
    let mut notes = Vec::new();
    if let (Some(samples), Some(mode)) = (first("samples"), first("mode")) {
        notes.push(format!(
            "λ_max: largest eigenvalue of the Hessian of the mean loss over {samples} training samples, batch norms in {mode} mode. Geometric means over seeds."
        ));
    }
    let unsure = |row: &reslab_results::Row<'_>| {
        row.text("quantity") == Some("top") && row.boolean("converged") == Some(false)
    };
    let count = table.map_or(0, |table| table.iter().filter(unsure).count());
    if count > 0 {
        notes.push(format!(
            "{count} of them did not converge to the tolerance asked for: they are at least about so large."
        ));
    }
    notes
}
