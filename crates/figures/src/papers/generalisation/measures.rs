//! The gap after training against each measure of sharpness, one mark a run, with Spearman's rank
//! correlation.

use std::collections::BTreeMap;

use reslab_results::ranks::{bootstrap, spearman};
use reslab_results::table::Row;

use super::{Run, network_section, runs, shape};
use crate::axes::{Axis, nice_above, number};
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::tables::Tables;
use crate::theme;

/// Kinds of measures in the table `sharpness`, in words.
pub(super) const KINDS: [(&str, &str); 5] = [
    ("gaussian", "Random direction"),
    ("filter", "Random, in units of filters"),
    ("gradient", "Along the gradient"),
    ("gradient-filter", "Gradient, in units of filters"),
    (CURVATURE, "Largest eigenvalue"),
];

/// The kind that is no perturbation.
const CURVATURE: &str = "curvature";

/// What a row of the table `sharpness` measures: the rise of the loss, or the curvature.
pub(super) fn value(row: &Row<'_>) -> Option<f64> {
    let column = if row.text("kind") == Some(CURVATURE) {
        "eigenvalue"
    } else {
        "rise"
    };
    row.real(column)
}

/// A measure: its name, and one value a run.
pub(super) struct Measure {
    pub name: &'static str,
    pub label: String,
    pub values: BTreeMap<String, f64>,
}

/// Axes reach so many times as far as the median, so that runs that went astray leave room for the
/// others; their marks are put on the frame.
const FAR: f64 = 1000.0;

/// One panel a measure.
pub fn figure(tables: &Tables) -> Result<Figure, String> {
    let runs = runs(&tables.runs)?;
    let measures = measures(tables)?;
    let gaps = || runs.values().map(Run::gap);
    let top = nice_above(1.1 * gaps().fold(0.01, f64::max));
    let low = gaps().fold(0.0, f64::min);
    let low = if low < 0.0 {
        -nice_above(-1.1 * low)
    } else {
        0.0
    };
    let y = Axis::percent("Test minus training error (points)", low, top);
    let mut depths: Vec<i64> = runs.values().map(|run| run.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    let mut notes = Vec::new();
    let mut panels = Vec::new();
    for measure in &measures {
        let of = |keep: &dyn Fn(&Run) -> bool| -> Vec<(f64, f64)> {
            let found = measure.values.iter().filter_map(|(id, value)| {
                let run = runs.get(id).filter(|run| keep(run))?;
                Some((*value, run.gap()))
            });
            found.collect()
        };
        let all = of(&|_| true);
        if all.is_empty() {
            continue;
        }
        notes.push(format!(
            "{}: {}; plain only {}, residual only {}.",
            measure.name,
            correlation(&all),
            correlation(&of(&|run| !run.residual)),
            correlation(&of(&|run| run.residual)),
        ));
        panels.push(Panel {
            title: measure.name.into(),
            x: axis(&measure.label, &all),
            y: y.clone(),
            layers: layers(&depths, &of),
        });
    }
    if panels.is_empty() {
        return Err("no run has a rise above 0".into());
    }
    let mut legend = vec![network_section(&runs, false)];
    if depths.len() > 1 {
        let sizes = depths.iter().enumerate().map(|(place, depth)| Entry {
            sample: Sample::Mark {
                shape: shape(true),
                color: theme::INK,
                radius: radius(place),
                opacity: 1.0,
                line: false,
            },
            label: depth.to_string(),
        });
        legend.push(Section {
            heading: "Layers".into(),
            entries: sizes.collect(),
        });
    }
    let mut all_notes = vec![
        "One mark a run, after training; those on the right frame lie beyond it.".to_owned(),
        "Spearman's rank correlation with 95 % bootstrap interval over runs:".to_owned(),
    ];
    all_notes.extend(notes);
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    for panel in panels {
        match rows.last_mut().filter(|row| row.len() < 2) {
            Some(row) => row.push(panel),
            None => rows.push(vec![panel]),
        }
    }
    Ok(Figure {
        title: "Generalisation gap against measures of sharpness".into(),
        rows,
        panel_size: (240.0, 170.0),
        legend,
        notes: all_notes,
    })
}

/// The measures of the networks as they were trained, at the last epoch measured and the largest radius.
fn measures(tables: &Tables) -> Result<Vec<Measure>, String> {
    let table = tables.instruments.get("sharpness");
    let table = table.ok_or("there is no table 'sharpness'")?;
    let last = table.iter().filter_map(|row| row.integer("epoch")).max();
    let radii = table.iter().filter_map(|row| row.real("radius"));
    let radius = radii.fold(0.0, f64::max);
    let measures = KINDS.iter().map(|(kind, name)| {
        let mut rises: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for row in table.iter() {
            let asked = row.text("kind") == Some(kind)
                && row.integer("epoch") == last
                && row.real("radius").is_none_or(|own| own == radius)
                && row.real("rescale") == Some(1.0);
            if let (true, Some(id), Some(value)) = (asked, row.text("run_id"), value(&row)) {
                rises.entry(id.to_owned()).or_default().push(value);
            }
        }
        let means = rises.into_iter().map(|(id, rises)| {
            let mean = rises.iter().sum::<f64>() / rises.len() as f64;
            (id, mean)
        });
        Measure {
            name,
            label: if *kind == CURVATURE {
                "Of the Hessian by the weights".into()
            } else {
                format!("Rise of the loss, radius {radius}")
            },
            values: means.filter(|(_, v)| v.is_finite() && *v > 0.0).collect(),
        }
    });
    Ok(measures.chain(largest_eigenvalue(tables)).collect())
}

/// The largest eigenvalue of the Hessian, where the instrument `hessian` was used too.
fn largest_eigenvalue(tables: &Tables) -> Option<Measure> {
    let table = tables.instruments.get("hessian")?;
    let last = table.iter().filter_map(|row| row.integer("epoch")).max();
    let rows = table.iter().filter(|row| {
        row.integer("epoch") == last
            && row.text("quantity") == Some("top")
            && row.integer("rank") == Some(1)
    });
    let values = rows.filter_map(|row| Some((row.text("run_id")?.to_owned(), row.real("value")?)));
    Some(Measure {
        name: "Largest eigenvalue by all parameters",
        label: "Of the Hessian by all parameters".into(),
        values: values.filter(|(_, v)| v.is_finite() && *v > 0.0).collect(),
    })
}

fn axis(label: &str, all: &[(f64, f64)]) -> Axis {
    let (low, high) = all.iter().fold((f64::MAX, f64::MIN), |(l, h), (value, _)| {
        (l.min(*value), h.max(*value))
    });
    let mut values: Vec<f64> = all.iter().map(|(value, _)| *value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len() / 2).copied().unwrap_or(high);
    Axis::log(label, low / 1.25, (high * 1.25).min(FAR * middle))
}

/// The points of the runs that a condition holds for.
type Select<'a> = dyn Fn(&dyn Fn(&Run) -> bool) -> Vec<(f64, f64)> + 'a;

fn layers(depths: &[i64], of: &Select<'_>) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (place, depth) in depths.iter().enumerate() {
        for residual in [false, true] {
            layers.push(Layer::Marks {
                points: of(&|run| run.residual == residual && run.depth == *depth),
                shape: shape(residual),
                radius: radius(place),
                color: theme::kind_color(residual),
                opacity: 0.75,
            });
        }
    }
    layers
}

/// Deeper networks have larger marks.
fn radius(place: usize) -> f64 {
    2.8 + 1.6 * place as f64
}

/// `0.52 (0.10 to 0.81, 16 runs)`.
fn correlation(pairs: &[(f64, f64)]) -> String {
    match (spearman(pairs), bootstrap(pairs, spearman)) {
        (Some(found), Some((low, high))) => format!(
            "{} ({} to {}, {} runs)",
            number(found, 2),
            number(low, 2),
            number(high, 2),
            pairs.len()
        ),
        _ => "not enough runs".into(),
    }
}
