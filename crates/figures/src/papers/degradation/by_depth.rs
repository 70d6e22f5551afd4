//! Final error against depth, plain against residual: seeds, means and 95 % intervals.

use reslab_results::statistics::{self, Summary};

use super::{CROSS_RADIUS, common_notes, diverged_entry, kind_name, kinds, seeds};
use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::study::{self, Group, Run};
use crate::tables::Tables;
use crate::theme;

const MEAN_RADIUS: f64 = 4.2;
const SEED_RADIUS: f64 = 2.6;

/// One kind of network at one depth.
struct Place {
    depth: f64,
    values: Vec<f64>,
    estimate: Option<Summary>,
    /// Last error of each diverged run; beyond any axis if it never had one.
    diverged: Vec<f64>,
}

type ErrorOf = fn(&Run) -> Option<f64>;

/// Clean training error and test error after training, against depth.
pub fn error_by_depth(tables: &Tables, group: &Group) -> Result<Figure, String> {
    study::trained(&tables.runs)?;
    let depths: Vec<f64> = group.depths().iter().map(|d| *d as f64).collect();
    if depths.len() < 2 {
        return Err("all networks have one depth".into());
    }
    let errors: [(&str, ErrorOf); 2] = [
        ("training error", |run| run.train_error),
        ("test error", |run| run.test_error),
    ];
    let all: Vec<Vec<(bool, Vec<Place>)>> = errors
        .iter()
        .map(|(_, error)| {
            let of_kind = |residual| (residual, places(group, residual, *error));
            kinds(group).into_iter().map(of_kind).collect()
        })
        .collect();
    let every = || all.iter().flatten().flat_map(|(_, places)| places);
    if every().all(|place| place.values.is_empty()) {
        return Err("no finished run has a final error (a regression?)".into());
    }
    let top = top(every());
    let panels = errors
        .iter()
        .zip(&all)
        .map(|((title, _), kinds)| {
            let x = Axis::of_values(&format!("Depth ({})", group.unit), &depths);
            let layers = layers(&x, kinds);
            Panel {
                title: (*title).into(),
                x,
                y: Axis::percent("Final error (%)", 0.0, top),
                layers,
            }
        })
        .collect();
    Ok(Figure {
        title: "Final training and test error against depth, plain and residual networks".into(),
        rows: vec![panels],
        panel_size: (250.0, 215.0),
        legend: vec![legend(group)],
        notes: notes(group),
    })
}

fn places(group: &Group, residual: bool, error: ErrorOf) -> Vec<Place> {
    let depths = group.depths_of(residual);
    depths
        .into_iter()
        .map(|depth| {
            let of = |diverged| {
                let runs = group.runs_of(depth, residual);
                runs.filter(move |run| run.diverged == diverged).map(error)
            };
            let values: Vec<f64> = of(false).flatten().collect();
            Place {
                depth: depth as f64,
                estimate: statistics::summarise(&values),
                values,
                diverged: of(true).map(|e| e.unwrap_or(f64::INFINITY)).collect(),
            }
        })
        .collect()
}

/// The upper end of the axis: above every seed, and above every interval unless it is very wide.
fn top<'a>(places: impl Iterator<Item = &'a Place>) -> f64 {
    let (mut seed, mut interval) = (0.0f64, 0.0f64);
    for place in places {
        let diverged = place.diverged.iter().filter(|error| error.is_finite());
        seed = place
            .values
            .iter()
            .chain(diverged)
            .fold(seed, |a, b| a.max(*b));
        if let Some((_, high)) = place.estimate.and_then(|e| e.interval) {
            interval = interval.max(high);
        }
    }
    let highest = seed.max(interval.min(1.4 * seed));
    if highest > 0.0 {
        nice_above(1.05 * highest).min(1.0)
    } else {
        0.01
    }
}

fn layers(x: &Axis, kinds: &[(bool, Vec<Place>)]) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (residual, places) in kinds {
        let color = theme::kind_color(*residual);
        // Kinds stand a little apart, so that equal values do not hide each other.
        let at = |depth| aside(x, depth, if *residual { 0.013 } else { -0.013 });
        let means = places
            .iter()
            .filter_map(|place| Some((at(place.depth), place.estimate?.mean)));
        layers.push(Layer::Line {
            points: means.clone().collect(),
            color,
            width: theme::LINE_WIDTH,
            dashed: false,
        });
        let intervals = places.iter().filter_map(|place| {
            let (low, high) = place.estimate?.interval?;
            Some((at(place.depth), low, high))
        });
        layers.push(Layer::Intervals {
            points: intervals.collect(),
            color,
        });
        let single = |values: &[f64], depth: f64, side: f64| -> Vec<(f64, f64)> {
            let x = aside(x, at(depth), side);
            values.iter().map(|value| (x, *value)).collect()
        };
        let side = if *residual { 0.022 } else { -0.022 };
        let repeated = places.iter().filter(|place| place.values.len() > 1);
        layers.push(Layer::Marks {
            points: repeated
                .flat_map(|place| single(&place.values, place.depth, side))
                .collect(),
            shape: shape(*residual),
            radius: SEED_RADIUS,
            color,
            opacity: theme::SEED_OPACITY,
        });
        layers.push(Layer::Marks {
            points: means.collect(),
            shape: shape(*residual),
            radius: MEAN_RADIUS,
            color,
            opacity: 1.0,
        });
        layers.push(Layer::Marks {
            points: places
                .iter()
                .flat_map(|place| single(&place.diverged, place.depth, side))
                .collect(),
            shape: Shape::Cross,
            radius: CROSS_RADIUS,
            color,
            opacity: 1.0,
        });
    }
    layers
}

/// The value a share of the axis to the side of another.
fn aside(x: &Axis, value: f64, share: f64) -> f64 {
    if x.log {
        value * (x.high / x.low).powf(share)
    } else {
        value + share * (x.high - x.low)
    }
}

/// Kinds differ in shape as well as in colour.
fn shape(residual: bool) -> Shape {
    if residual { Shape::Disc } else { Shape::Square }
}

fn legend(group: &Group) -> Section {
    let mark = |residual, radius, opacity, line| Sample::Mark {
        shape: shape(residual),
        color: theme::kind_color(residual),
        radius,
        opacity,
        line,
    };
    let mut entries: Vec<Entry> = kinds(group)
        .into_iter()
        .map(|residual| Entry {
            sample: mark(residual, MEAN_RADIUS, 1.0, true),
            label: kind_name(residual).into(),
        })
        .collect();
    if group.seeds().1 > 1 {
        let first = kinds(group).first().copied().unwrap_or(true);
        entries.push(Entry {
            sample: mark(first, SEED_RADIUS, theme::SEED_OPACITY, false),
            label: "one seed".into(),
        });
        entries.push(Entry {
            sample: Sample::Interval {
                color: theme::kind_color(first),
            },
            label: "95 % interval".into(),
        });
    }
    if group.diverged() > 0 {
        entries.push(diverged_entry());
    }
    Section {
        heading: "Network".into(),
        entries,
    }
}

fn notes(group: &Group) -> Vec<String> {
    let mut notes = vec![if group.seeds().1 > 1 {
        format!(
            "Means over {} with 95 % t intervals of the mean, cut at the axes; seeds beside them.",
            seeds(group)
        )
    } else {
        "One seed: no interval.".into()
    }];
    notes.push("Training error is clean: the whole training set, without augmentation.".into());
    if group.diverged() > 0 {
        notes.push(
            "Diverged runs stand at their last error (at the top if they had none) and do not count in means."
                .into(),
        );
    }
    notes.extend(common_notes(group));
    notes
}
