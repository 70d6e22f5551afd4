//! The optimiser's way over the plane of its two principal components (Li et al. 2018, Fig. 9).

use std::collections::BTreeMap;

use serde::Serialize;

use super::contours::{levels_legend, levels_note, lines};
use super::scale::Scale;
use super::{ACROSS, Key, Panels, Place, Study, by_cut, direction, fitted, suffix, with_panels};
use crate::axes::number;
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme::{self, Rgb};

/// Learning rates that fall by less than this factor from one epoch to the next (a cosine) are no
/// drop.
const DROP: f64 = 0.7;
const EPOCH: f64 = 2.0;
const SPECIAL: f64 = 3.4;
/// Where training began: Okabe and Ito's sky blue.
const START: Rgb = (0x56, 0xb4, 0xe9);

/// One place of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Step {
    /// Epochs done.
    pub epoch: i64,
    /// Along the first component.
    pub x: f64,
    /// Along the second.
    pub y: f64,
    /// Whether the learning rate is a step lower than the epoch before.
    pub dropped: bool,
}

/// A trajectory in its plane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Path {
    /// In order of epochs.
    pub steps: Vec<Step>,
    /// Shares of the variance along both components.
    pub shares: (f64, f64),
}

/// All trajectories, by run, epoch at the centre and directions.
pub(crate) fn paths(tables: &Tables) -> BTreeMap<(String, i64, String), Path> {
    type Raw = Vec<(i64, f64, f64, Option<f64>, (f64, f64))>;
    let mut all: BTreeMap<(String, i64, String), Raw> = BTreeMap::new();
    for row in tables
        .instruments
        .get("trajectory")
        .into_iter()
        .flat_map(|table| table.iter())
    {
        let real = |column| row.real(column).filter(|v: &f64| v.is_finite());
        let (Some(run), Some(x), Some(y)) = (row.text("run_id"), real("x"), real("y")) else {
            continue;
        };
        let key = (
            run.to_owned(),
            row.integer("epoch").unwrap_or(0),
            row.text("directions").unwrap_or("").to_owned(),
        );
        let shares = (
            real("share_x").unwrap_or(f64::NAN),
            real("share_y").unwrap_or(f64::NAN),
        );
        all.entry(key).or_default().push((
            row.integer("at_epoch").unwrap_or(0),
            x,
            y,
            real("lr"),
            shares,
        ));
    }
    let path = |mut raw: Raw| {
        raw.sort_by_key(|step| step.0);
        let mut before: Option<f64> = None;
        let steps = raw.iter().map(|&(epoch, x, y, lr, _)| {
            let dropped = matches!((before, lr), (Some(old), Some(new)) if new < DROP * old);
            before = lr.or(before);
            Step {
                epoch,
                x,
                y,
                dropped,
            }
        });
        let steps = steps.collect();
        Path {
            steps,
            shares: raw[0].4,
        }
    };
    all.into_iter().map(|(key, raw)| (key, path(raw))).collect()
}

pub(super) fn figures(study: &Study<'_>, figures: &mut Vec<Named>) {
    let paths = paths(study.tables);
    for (cut, keys) in by_cut(&study.sheets, "trajectory") {
        let suffix = suffix(&cut, &study.sheets);
        for (page, panels) in Panels::pages(&study.networks, &study.sheets, &keys) {
            let figure = figure(study, &panels, &paths, &cut.set);
            figures.push((format!("landscape-trajectory{suffix}{page}"), figure));
        }
    }
}

fn figure(
    study: &Study<'_>,
    panels: &Panels<'_>,
    paths: &BTreeMap<(String, i64, String), Path>,
    set: &str,
) -> Result<Figure, String> {
    panels.ready()?;
    let scale = Scale::of(&panels.shared);
    let wide = if panels.across() >= ACROSS {
        210.0
    } else {
        260.0
    };
    let path_of = |key: &Key| {
        let run = study.networks.all[key.run].id.clone();
        paths.get(&(run, key.epoch, key.directions.clone()))
    };
    let rows = panels.rows.iter().map(|(_, places)| {
        places
            .iter()
            .map(|place| panel(place, path_of(place.key), &scale, wide))
            .collect()
    });
    let mut figure = with_panels(
        "The optimiser's way over the loss surface",
        rows.collect(),
        (wide, 0.9 * wide),
    );
    let mark = |color, radius, label: &str| Entry {
        sample: Sample::Mark {
            shape: Shape::Disc,
            color,
            radius,
            opacity: 1.0,
            line: true,
        },
        label: label.into(),
    };
    figure.legend = vec![
        levels_legend(&scale),
        Section {
            heading: "Trajectory".into(),
            entries: vec![
                mark(START, SPECIAL, "first snapshot"),
                mark(theme::INK, EPOCH, "snapshots"),
                mark(theme::PLAIN, SPECIAL, "after a drop of the rate"),
            ],
        },
    ];
    let keys = panels
        .rows
        .iter()
        .flat_map(|(_, row)| row.iter().map(|place| place.key));
    let statistics: Vec<&str> = super::sheets::statistics(keys).into_iter().collect();
    figure.notes = vec![
        format!(
            "Loss on the {} over the plane of the first two principal components of the snapshots \
             of training, the network at (0, 0); rows: batch norms' statistics {}.",
            super::set_name(set),
            statistics.join(", ")
        ),
        levels_note(&scale),
    ];
    if panels
        .rows
        .iter()
        .flat_map(|(_, row)| row)
        .any(|place| path_of(place.key).is_none())
    {
        figure
            .notes
            .push("Where no path is drawn the table 'trajectory' has none.".into());
    }
    figure.notes.extend(panels.notes());
    Ok(figure)
}

fn panel(place: &Place<'_>, path: Option<&Path>, scale: &Scale, wide: f64) -> Panel {
    let steps = path.map_or(&[][..], |path| &path.steps);
    let (grid, shares) = (
        place.grid,
        path.map_or((f64::NAN, f64::NAN), |path| path.shares),
    );
    let named = |name: &str, share: f64| {
        if share.is_finite() {
            format!(
                "{name} component ({} % of variance)",
                number(100.0 * share, 1)
            )
        } else {
            format!("{name} component")
        }
    };
    let xs = grid
        .xs
        .iter()
        .copied()
        .chain(steps.iter().map(|step| step.x));
    let ys = grid
        .ys
        .iter()
        .copied()
        .chain(steps.iter().map(|step| step.y));
    let points: Vec<(f64, f64)> = steps.iter().map(|step| (step.x, step.y)).collect();
    let mut layers = lines(grid, scale, &points);
    layers.extend(way(steps));
    Panel {
        title: fitted(&place.title, wide),
        x: direction(&named("First", shares.0), xs),
        y: direction(&named("Second", shares.1), ys),
        layers,
    }
}

/// The path with its dots, on a white edge that keeps it apart from the lines of equal height.
fn way(steps: &[Step]) -> Vec<Layer> {
    let points: Vec<(f64, f64)> = steps.iter().map(|step| (step.x, step.y)).collect();
    let line = |color, width| Layer::Line {
        points: points.clone(),
        color,
        width,
        dashed: false,
    };
    let dots = |points: Vec<(f64, f64)>, color, radius| Layer::Marks {
        points,
        shape: Shape::Disc,
        radius,
        color,
        opacity: 1.0,
    };
    let drops = steps
        .iter()
        .filter(|step| step.dropped)
        .map(|step| (step.x, step.y))
        .collect();
    let first = points.first().copied().into_iter().collect();
    vec![
        line((255, 255, 255), 4.0),
        line(theme::INK, 1.3),
        dots(points.clone(), theme::INK, EPOCH),
        dots(drops, theme::PLAIN, SPECIAL),
        dots(first, START, SPECIAL),
    ]
}
