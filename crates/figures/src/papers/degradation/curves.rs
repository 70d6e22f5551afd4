//! Error against epochs (He et al. 2015, Fig. 6): training dashed, test solid, one colour a depth.

use std::collections::BTreeMap;

use reslab_results::Table;

use super::{
    CROSS_RADIUS, common_notes, depth_color, depth_section, diverged_entry, kind_name, kinds,
    seeds, spread,
};
use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::study::{Group, Run};
use crate::tables::Tables;
use crate::theme;

/// The errors of the runs of one network, by epoch.
type ByEpoch = BTreeMap<i64, Vec<f64>>;

/// A row of `epochs`: epoch, training and test error.
type Row = (i64, Option<f64>, Option<f64>);

/// The curves of one network.
struct Curves {
    residual: bool,
    depth: i64,
    train: ByEpoch,
    test: ByEpoch,
    /// Last point of each diverged run: epoch and error.
    ends: Vec<(f64, f64)>,
}

/// Training and test error after each epoch, plain and residual side by side.
pub fn error_curves(tables: &Tables, group: &Group) -> Result<Figure, String> {
    let epochs = tables.epochs.as_ref().ok_or("there is no table 'epochs'")?;
    for column in ["run_id", "epoch", "train_error", "test_error"] {
        epochs.index(column).map_err(|error| error.to_string())?;
    }
    let curves = read(epochs, group);
    let last = |errors: &ByEpoch| errors.keys().max().copied().unwrap_or(0);
    if curves
        .iter()
        .all(|c| last(&c.train).max(last(&c.test)) == 0)
    {
        return Err(
            "no run has an error after any epoch: nothing was trained, or a regression".into(),
        );
    }
    let last = curves
        .iter()
        .flat_map(|c| c.train.keys().chain(c.test.keys()))
        .copied()
        .max()
        .unwrap_or(1)
        .max(1);
    let top = top(&curves, last);
    let panels = kinds(group)
        .into_iter()
        .map(|residual| Panel {
            title: kind_name(residual).into(),
            x: Axis::linear("Epoch", 0.0, last as f64),
            y: Axis::percent("Error (%)", 0.0, top),
            layers: layers(group, curves.iter().filter(|c| c.residual == residual)),
        })
        .collect();
    Ok(Figure {
        title:
            "Training and test error while training, plain and residual networks of several depths"
                .into(),
        rows: vec![panels],
        panel_size: (275.0, 215.0),
        legend: legend(group, group.diverged() > 0),
        notes: notes(group),
    })
}

fn read(epochs: &Table, group: &Group) -> Vec<Curves> {
    let mut rows: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for row in epochs.iter() {
        let finite = |column| row.real(column).filter(|value: &f64| value.is_finite());
        if let (Some(id), Some(epoch)) = (row.text("run_id"), row.integer("epoch")) {
            let errors = (epoch, finite("train_error"), finite("test_error"));
            rows.entry(id).or_default().push(errors);
        }
    }
    let mut all: BTreeMap<(bool, i64), Curves> = BTreeMap::new();
    for run in &group.runs {
        let curves = all
            .entry((run.residual, run.depth))
            .or_insert_with(|| Curves {
                residual: run.residual,
                depth: run.depth,
                train: ByEpoch::new(),
                test: ByEpoch::new(),
                ends: Vec::new(),
            });
        add(curves, run, rows.get(run.id.as_str()).map_or(&[], |r| r));
    }
    all.into_values().collect()
}

fn add(curves: &mut Curves, run: &Run, rows: &[Row]) {
    let mut end = None;
    for &(epoch, train, test) in rows {
        if let Some(error) = train {
            curves.train.entry(epoch).or_default().push(error);
        }
        if let Some(error) = test {
            curves.test.entry(epoch).or_default().push(error);
        }
        end = test.or(train).map(|error| (epoch as f64, error)).or(end);
    }
    if run.diverged {
        // A run that diverged in its first epoch has no error at all: it is marked at the start.
        curves.ends.push(end.unwrap_or((0.0, 1.0)));
    }
}

/// The upper end of the error axis: room above every curve in the second half of training. What
/// lies higher before, when all networks are alike, is cut off as in the paper.
fn top(curves: &[Curves], last: i64) -> f64 {
    let highest = curves
        .iter()
        .flat_map(|c| c.train.iter().chain(&c.test))
        .filter(|(epoch, _)| 2 * **epoch >= last)
        .flat_map(|(_, errors)| errors)
        .copied()
        .fold(0.0f64, f64::max);
    if highest > 0.0 {
        nice_above(1.25 * highest).min(1.0)
    } else {
        1.0
    }
}

fn layers<'a>(group: &Group, curves: impl Iterator<Item = &'a Curves>) -> Vec<Layer> {
    let mut bands = Vec::new();
    let mut lines = Vec::new();
    let mut ends = Vec::new();
    for curve in curves {
        let color = depth_color(group, curve.depth);
        for (errors, dashed) in [(&curve.train, true), (&curve.test, false)] {
            let spreads: Vec<(f64, (f64, f64, f64))> = errors
                .iter()
                .map(|(epoch, errors)| (*epoch as f64, spread(errors)))
                .collect();
            if errors.values().any(|errors| errors.len() > 1) {
                let points = spreads.iter().map(|&(x, (_, low, high))| (x, low, high));
                bands.push(Layer::Band {
                    points: points.collect(),
                    color,
                });
            }
            lines.push(Layer::Line {
                points: spreads.iter().map(|&(x, (mean, _, _))| (x, mean)).collect(),
                color,
                width: if dashed {
                    theme::THIN_WIDTH
                } else {
                    theme::LINE_WIDTH
                },
                dashed,
            });
        }
        if !curve.ends.is_empty() {
            ends.push(Layer::Marks {
                points: curve.ends.clone(),
                shape: Shape::Cross,
                radius: CROSS_RADIUS,
                color,
                opacity: 1.0,
            });
        }
    }
    bands.into_iter().chain(lines).chain(ends).collect()
}

fn legend(group: &Group, diverged: bool) -> Vec<Section> {
    let line = |dashed, label: &str| Entry {
        sample: Sample::Line {
            color: theme::INK,
            dashed,
        },
        label: label.into(),
    };
    let mut entries = vec![line(true, "training"), line(false, "test")];
    if group.seeds().1 > 1 {
        entries.push(Entry {
            sample: Sample::Band { color: theme::INK },
            label: "range of seeds".into(),
        });
    }
    if diverged {
        entries.push(diverged_entry());
    }
    vec![
        depth_section(group),
        Section {
            heading: "Error".into(),
            entries,
        },
    ]
}

fn notes(group: &Group) -> Vec<String> {
    let mut notes = Vec::new();
    if group.seeds().1 > 1 {
        notes.push(format!(
            "Lines: mean over {}; bands: lowest to highest.",
            seeds(group)
        ));
    } else {
        notes.push("One seed.".into());
    }
    notes.push("Training error is clean: measured after the epoch, without augmentation.".into());
    if group.diverged() > 0 {
        notes.push("Means go on without a run that has diverged.".into());
    }
    notes.extend(common_notes(group));
    notes
}
