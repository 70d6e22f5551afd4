//! What comes through the shortcut alone, beside the whole gradient at each residual block.

use std::collections::BTreeMap;

use super::{Kind, Study, flow::when, line_entry, mean};
use crate::axes::{Axis, nice_above};
use crate::plots::{Figure, Layer, Panel, Section};
use crate::theme;

/// Share and cosine, before and after training.
pub fn figure(study: &Study<'_>) -> Result<Figure, String> {
    let mut rows = Vec::new();
    for (column, label) in [
        ("shortcut_share", "Shortcut's share"),
        ("shortcut_branch_cosine", "Cosine with branch's"),
    ] {
        let curves =
            [study.first_epoch(), study.last_epoch()].map(|epoch| means(study, column, epoch));
        if curves[0].is_empty() {
            return Err("no residual block was measured".into());
        }
        let all = || {
            curves
                .iter()
                .flat_map(BTreeMap::values)
                .flatten()
                .map(|p| p.1)
        };
        let y = if column == "shortcut_share" {
            Axis::linear(
                label,
                0.0,
                nice_above(1.02 * all().fold(1.0, f64::max)).min(3.0),
            )
        } else {
            Axis::linear(label, -1.0, 1.0)
        };
        for row in study.panels() {
            rows.push(
                row.into_iter()
                    .map(|place| panel(study, place, &curves, &y))
                    .collect(),
            );
        }
    }
    Ok(Figure {
        title: "The gradient's way through the shortcut".into(),
        rows,
        panel_size: (200.0, 110.0),
        legend: legend(study),
        notes: vec![
            "Of the gradient at the input of each residual block: norm of the part that comes through the shortcut alone, divided by the norm of the whole (above 1: the branch takes away from it); and the cosine between that part and what comes through the branch.".into(),
            study.seeds_note("Means"),
            "Without clipping; runs that had diverged are not there.".into(),
        ],
    })
}

/// For each unclipped residual kind the mean over runs at each block.
fn means(study: &Study<'_>, column: &str, epoch: i64) -> BTreeMap<Kind, Vec<(f64, f64)>> {
    let values = study.values(("block", column), epoch).into_iter();
    values
        .filter(|(kind, _)| kind.clip == 0)
        .map(|(kind, places)| {
            let points = places.iter().map(|(l, values)| (*l as f64, mean(values)));
            let points = points.collect();
            (kind, points)
        })
        .collect()
}

fn panel(
    study: &Study<'_>,
    place: (bool, usize),
    curves: &[BTreeMap<Kind, Vec<(f64, f64)>>; 2],
    y: &Axis,
) -> Panel {
    let deepest = study.depths.last().copied().unwrap_or(1) as f64;
    let epochs = if study.epochs.len() > 1 { 2 } else { 1 };
    let here = |kind: &Kind| (kind.batch_norm, kind.init) == place;
    let layers = curves
        .iter()
        .take(epochs)
        .enumerate()
        .flat_map(|(epoch, curves)| {
            let curves = curves.iter().filter(move |(kind, _)| here(kind));
            curves.map(move |(kind, points)| Layer::Line {
                points: points.clone(),
                color: color(study, kind.depth),
                width: theme::THIN_WIDTH,
                dashed: epoch == 1,
            })
        });
    Panel {
        title: study.title(place),
        x: Axis::linear("Block l", 0.0, deepest),
        y: y.clone(),
        layers: layers.collect(),
    }
}

fn color(study: &Study<'_>, depth: i64) -> theme::Rgb {
    let place = study.depths.iter().position(|d| *d == depth).unwrap_or(0);
    theme::ordered_color(place, study.depths.len())
}

fn legend(study: &Study<'_>) -> Vec<Section> {
    let depths = study.depths.iter();
    let depths = depths.map(|depth| line_entry(color(study, *depth), false, &depth.to_string()));
    let mut sections = vec![Section {
        heading: "Blocks".into(),
        entries: depths.collect(),
    }];
    if study.epochs.len() > 1 {
        sections.push(Section {
            heading: String::new(),
            entries: vec![
                line_entry(theme::INK, false, &when(study.first_epoch())),
                line_entry(theme::INK, true, &when(study.last_epoch())),
            ],
        });
    }
    sections
}
