//! `‖∂L/∂h_l‖` against l on a logarithmic axis.

use std::collections::BTreeMap;

use super::{Kind, MARK, Study, geometric_mean, line_entry, shape};
use crate::axes::Axis;
use crate::plots::{Figure, Layer, Named, Panel, Section};
use crate::theme;

/// The axis ends here even where gradients are smaller or larger still.
const LEAST: f64 = 1e-18;
const MOST: f64 = 1e22;

/// Before training, and after it for each value of clipping.
pub fn figures(study: &Study<'_>) -> Vec<Named> {
    let (first, last) = (study.first_epoch(), study.last_epoch());
    let mut figures = vec![("gradient-flow".to_owned(), figure(study, first, 0))];
    if last > first {
        for (clip, value) in study.clips.iter().enumerate() {
            let name = if value.is_null() {
                "gradient-flow-trained".to_owned()
            } else {
                format!("gradient-flow-trained-clip-{value}")
            };
            figures.push((name, figure(study, last, clip)));
        }
    }
    figures
}

fn figure(study: &Study<'_>, epoch: i64, clip: usize) -> Result<Figure, String> {
    let values = study.values(("block", "output_gradient_norm"), epoch);
    let curves: BTreeMap<&Kind, Vec<(f64, f64)>> = values
        .iter()
        .filter(|(kind, _)| kind.clip == clip)
        .map(|(kind, places)| {
            let points = places.iter();
            let points = points.filter_map(|(l, v)| Some((*l as f64, geometric_mean(v)?)));
            (kind, points.collect())
        })
        .collect();
    let deepest = study.depths.last().copied().unwrap_or(1) as f64;
    let all = || curves.values().flatten().map(|point| point.1);
    if all().next().is_none() {
        return Err(format!("no gradients were measured after epoch {epoch}"));
    }
    let (least, most) = (all().fold(f64::MAX, f64::min), all().fold(0.0, f64::max));
    let rows = study.panels().into_iter().map(|row| {
        let of_row: Vec<f64> = curves
            .iter()
            .filter(|(kind, _)| row.iter().any(|panel| panel.0 == kind.batch_norm))
            .flat_map(|(_, points)| points.iter().map(|point| point.1))
            .collect();
        let low = of_row.iter().copied().fold(1.0, f64::min);
        let high = of_row.iter().copied().fold(1e-3, f64::max);
        let y = Axis::log("‖∂L/∂h‖", (low / 2.0).max(LEAST), (high * 2.0).min(MOST));
        row.into_iter()
            .map(|place| Panel {
                title: study.title(place),
                x: Axis::linear("Block l", 0.0, deepest),
                y: y.clone(),
                layers: layers(study, &curves, place),
            })
            .collect()
    });
    Ok(Figure {
        title: format!(
            "Norm of the gradient by each block's output, {}",
            when(epoch)
        ),
        rows: rows.collect(),
        panel_size: (200.0, 165.0),
        legend: vec![study.kind_section(true), depth_section(study)],
        notes: notes(study, (epoch, clip), (least, most)),
    })
}

fn layers(
    study: &Study<'_>,
    curves: &BTreeMap<&Kind, Vec<(f64, f64)>>,
    (batch_norm, init): (bool, usize),
) -> Vec<Layer> {
    let here = |kind: &Kind| (kind.batch_norm, kind.init) == (batch_norm, init);
    let here = curves.iter().filter(|(kind, _)| here(kind));
    here.flat_map(|(kind, points)| {
        let color = theme::kind_color(kind.residual);
        let end = points.last().filter(|point| point.1 >= LEAST).copied();
        [
            Layer::Line {
                points: points.clone(),
                color,
                width: study.width(kind.depth),
                dashed: false,
            },
            Layer::Marks {
                points: end.into_iter().collect(),
                shape: shape(kind.residual),
                radius: MARK,
                color,
                opacity: 1.0,
            },
        ]
    })
    .collect()
}

/// A line ends at its depth.
fn depth_section(study: &Study<'_>) -> Section {
    let depths: Vec<String> = study.depths.iter().map(ToString::to_string).collect();
    Section {
        heading: format!("Depth {}", depths.join(", ")),
        entries: vec![line_entry(theme::INK, false, "ends at its depth")],
    }
}

fn notes(study: &Study<'_>, (epoch, clip): (i64, usize), (least, most): (f64, f64)) -> Vec<String> {
    let mut notes = vec![format!(
        "Norm over one batch of the gradient of the mean loss by the output of block l (0: of the stem), {}; measured in double precision.",
        when(epoch)
    )];
    if epoch > study.first_epoch() && study.clips.len() > 1 {
        notes.push(match &study.clips[clip] {
            value if value.is_null() => "Without clipping of gradients.".into(),
            value => format!("Gradients clipped to norm {value}."),
        });
    }
    notes.push(study.seeds_note("Geometric means"));
    if epoch > study.first_epoch() {
        notes.push("Runs that had diverged are not there.".into());
    }
    if least < LEAST {
        let power = least.log10().round();
        notes.push(format!(
            "Cut off below: the smallest norm is near 1e{power}."
        ));
    }
    if most > MOST {
        let power = most.log10().round();
        notes.push(format!(
            "Cut off above: the largest norm is near 1e{power}."
        ));
    }
    notes
}

/// `before training`, `after 5 epochs`.
pub(super) fn when(epoch: i64) -> String {
    match epoch {
        0 => "before training".into(),
        1 => "after 1 epoch".into(),
        n => format!("after {n} epochs"),
    }
}
