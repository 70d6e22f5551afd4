//! Learning rate times curvature by epoch (Cohen et al. 2021): gradient descent on a quadratic is stable
//! where the largest eigenvalue times the rate is below 2, with momentum μ below 2 (1 + μ).
//!
//! - λ_max, where the instrument `hessian` was used too;
//! - the curvature along the gradient of mini-batches, `gᵀHg/‖g‖²`, by the shortest step η of the table
//!   `smoothness`: `g·(g − ∇L(θ − η g)) / (η ‖g‖²)`. It is at most the λ_max of the mini-batch; where
//!   it times η is above 2, a step of η does not lower the loss of a quadratic.

use std::collections::{BTreeMap, BTreeSet};

use super::single::{self, Value};
use super::{Kinds, MARK, Place, geometric_mean, kinds, network_section, places, shape};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::tables::Tables;
use crate::theme;

/// Products by kind of run, then epoch, one a run.
type Products = BTreeMap<(Place, bool), BTreeMap<i64, Vec<f64>>>;

/// One column for each depth, a row for each curvature.
pub fn figure(tables: &Tables) -> Result<Figure, String> {
    let kinds = kinds(&tables.runs)?;
    let places = places(&kinds);
    let thresholds = thresholds(tables);
    let rates = rates(tables)?;
    let curvatures = [
        ("Rate × λ_max", eigenvalues(tables, &kinds, &rates)),
        ("Rate × curvature along g", along(tables, &kinds)),
    ];
    let curvatures: Vec<_> = curvatures
        .into_iter()
        .filter(|(_, products)| !products.is_empty())
        .collect();
    let epochs = curvatures
        .iter()
        .flat_map(|(_, products)| products.values());
    let epochs: BTreeSet<i64> = epochs.flat_map(BTreeMap::keys).copied().collect();
    let epoch = *epochs.last().ok_or("no curvature above 0 was measured")?;
    let once = epochs.len() == 1;
    let last = epoch as f64;
    let rows = curvatures
        .iter()
        .enumerate()
        .map(|(row, (label, products))| {
            let drawn = products.values().flat_map(|epochs| {
                // What is far off before training would leave no room for the rest.
                let later = epochs.iter().filter(|(epoch, _)| once || **epoch > 0);
                later.flat_map(|(_, values)| values)
            });
            let ends = drawn.chain(&thresholds);
            let (low, high) = ends.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
            let y = Axis::log(label, low / 1.3, high * 1.3);
            if once {
                let values = values(products);
                return single::panels(&y, &values, &places, &thresholds, row == 0);
            }
            let panel = |place: &Place| {
                let mut layers: Vec<Layer> = thresholds.iter().map(|t| across(*t, last)).collect();
                for residual in [false, true] {
                    if let Some(epochs) = products.get(&(*place, residual)) {
                        layers.extend(curve(residual, epochs));
                    }
                }
                Panel {
                    title: if row == 0 {
                        place.title()
                    } else {
                        String::new()
                    },
                    x: Axis::linear("Epoch", -0.02 * last, 1.02 * last),
                    y: y.clone(),
                    layers,
                }
            };
            places.iter().map(panel).collect()
        });
    let mut notes = notes(tables);
    if once {
        notes.insert(0, single::note(epoch));
    } else if epochs.contains(&0) {
        notes.push("Axes reach as far as the values after the first epoch; what lies beyond them before training stands on the frame.".into());
    }
    Ok(Figure {
        title: "Learning rate times curvature".into(),
        rows: rows.collect(),
        panel_size: (215.0, 165.0),
        legend: legend(&kinds, &thresholds, once),
        notes,
    })
}

/// What is drawn where there is one epoch: the mean and range of seeds.
fn values(products: &Products) -> BTreeMap<(Place, bool), Value> {
    let found = products.iter().filter_map(|(kind, epochs)| {
        let values = epochs.values().next()?;
        let mark = geometric_mean(values)?;
        let interval = range(values);
        Some((*kind, Value { mark, interval }))
    });
    found.collect()
}

/// The lowest and the highest value.
fn range(values: &[f64]) -> (f64, f64) {
    let ends = (f64::MAX, 0.0f64);
    values
        .iter()
        .fold(ends, |(low, high), v| (low.min(*v), high.max(*v)))
}

/// A dashed line at a value.
fn across(value: f64, last: f64) -> Layer {
    Layer::Line {
        points: vec![(-0.02 * last, value), (1.02 * last, value)],
        color: theme::INK,
        width: theme::THIN_WIDTH,
        dashed: true,
    }
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

/// Learning rate of each run and epoch.
type Rates<'t> = BTreeMap<(&'t str, i64), f64>;

fn rates(tables: &Tables) -> Result<Rates<'_>, String> {
    let epochs = tables.epochs.as_ref().ok_or("there is no table 'epochs'")?;
    let rates = epochs.iter().filter_map(|row| {
        let key = (row.text("run_id")?, row.integer("epoch")?);
        Some((key, row.real("lr")?))
    });
    Ok(rates.collect())
}

/// Rate times largest eigenvalue of the Hessian.
fn eigenvalues(tables: &Tables, kinds: &Kinds<'_>, rates: &Rates<'_>) -> Products {
    let mut products = Products::new();
    let table = tables.instruments.get("hessian");
    for row in table.iter().flat_map(|table| table.iter()) {
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
    products
}

/// Rate times curvature along the gradient of mini-batches: one value a run, the mean over batches.
/// Means that are not above 0 are left out.
fn along(tables: &Tables, kinds: &Kinds<'_>) -> Products {
    let table = tables.instruments.get("smoothness");
    let rows = || table.iter().flat_map(|table| table.iter());
    let shortest = rows().filter_map(|row| row.real("multiple"));
    let shortest = shortest.fold(f64::MAX, f64::min);
    let mut means: BTreeMap<(&str, i64), Vec<f64>> = BTreeMap::new();
    for row in rows().filter(|row| row.real("multiple") == Some(shortest)) {
        let read = || {
            let real = |name| row.real(name).filter(|v: &f64| v.is_finite());
            let fall = real("gradient_norm")? - real("cosine")? * real("gradient_norm_after")?;
            let product = real("lr")? * fall / real("step_norm")?;
            Some(((row.text("run_id")?, row.integer("epoch")?), product))
        };
        if let Some((key, product)) = read() {
            means.entry(key).or_default().push(product);
        }
    }
    let mut products = Products::new();
    for ((id, epoch), values) in means {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        if let (Some(kind), true) = (kinds.get(id), mean > 0.0) {
            let by_epoch = products.entry(*kind).or_default();
            by_epoch.entry(epoch).or_default().push(mean);
        }
    }
    products
}

fn curve(residual: bool, epochs: &BTreeMap<i64, Vec<f64>>) -> Vec<Layer> {
    let color = theme::kind_color(residual);
    let points: Vec<(f64, f64)> = epochs
        .iter()
        .filter_map(|(epoch, values)| Some((*epoch as f64, geometric_mean(values)?)))
        .collect();
    let band = epochs.iter().map(|(epoch, values)| {
        let (low, high) = range(values);
        (*epoch as f64, low, high)
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

fn legend(kinds: &Kinds<'_>, thresholds: &[f64], once: bool) -> Vec<Section> {
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
        network_section(kinds, !once),
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
    let mut notes = vec![
        "Curvature along g: g·Hg/‖g‖² of mini-batches with gradient g, batch norms in training mode, by the change of the gradient over the shortest step; means over mini-batches. Geometric means over seeds.".to_owned(),
    ];
    if let (Some(samples), Some(mode)) = (first("samples"), first("mode")) {
        notes.push(format!(
            "λ_max: largest eigenvalue of the Hessian of the mean loss over {samples} training samples, batch norms in {mode} mode."
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
