//! The training error that the gradients lead to, with and without clipping.

use std::collections::BTreeMap;

use super::{Kind, MARK, Study, line_entry, mean, shape};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Final clean training error against depth.
pub fn figure(study: &Study<'_>, tables: &Tables) -> Result<Figure, String> {
    let mut errors: BTreeMap<&Kind, Vec<f64>> = BTreeMap::new();
    let mut diverged: BTreeMap<&Kind, usize> = BTreeMap::new();
    for row in tables.runs.iter() {
        let Some(kind) = row.text("run_id").and_then(|id| study.kinds.get(id)) else {
            continue;
        };
        match (row.text("status"), row.real("final_train_error")) {
            (Some("finished"), Some(error)) => errors.entry(kind).or_default().push(error),
            (Some("diverged"), _) => *diverged.entry(kind).or_default() += 1,
            _ => {}
        }
    }
    if study.last_epoch() == study.first_epoch() {
        return Err("nothing was trained between measurements".into());
    }
    let depths: Vec<f64> = study.depths.iter().map(|d| *d as f64).collect();
    let x = Axis::of_values("Blocks", &depths);
    let panel = |place: (bool, usize)| {
        let mut layers = Vec::new();
        for residual in [false, true] {
            for clip in 0..study.clips.len() {
                let here = |kind: &Kind| {
                    (kind.batch_norm, kind.init, kind.residual, kind.clip)
                        == (place.0, place.1, residual, clip)
                };
                let points: Vec<(f64, f64)> = errors
                    .iter()
                    .filter(|(kind, _)| here(kind))
                    .map(|(kind, errors)| (kind.depth as f64, mean(errors)))
                    .collect();
                let lost = diverged.keys().filter(|kind| here(kind));
                // Crosses of the clipped stand a little lower, so that both are seen.
                let top = 0.99 - 0.06 * clip as f64 - 0.12 * f64::from(u8::from(residual));
                let lost = lost.map(|kind| (kind.depth as f64, top)).collect();
                let color = theme::kind_color(residual);
                let marks = |points, shape| Layer::Marks {
                    points,
                    shape,
                    radius: MARK,
                    color,
                    opacity: 1.0,
                };
                layers.push(Layer::Line {
                    points: points.clone(),
                    color,
                    width: theme::LINE_WIDTH,
                    dashed: clip > 0,
                });
                layers.push(marks(points, shape(residual)));
                layers.push(marks(lost, Shape::Cross));
            }
        }
        Panel {
            title: study.title(place),
            x: x.clone(),
            y: Axis::percent("Training error (%)", 0.0, 1.05),
            layers,
        }
    };
    let rows = study.panels().into_iter();
    let rows = rows.map(|row| row.into_iter().map(panel).collect());
    let mut legend = vec![study.kind_section(true)];
    if study.clips.len() > 1 {
        legend.push(Section {
            heading: "Clipping".into(),
            entries: vec![
                line_entry(theme::INK, false, "none"),
                line_entry(theme::INK, true, &format!("norm {}", study.clips[1])),
            ],
        });
    }
    if !diverged.is_empty() {
        legend.push(Section {
            heading: String::new(),
            entries: vec![Entry {
                sample: Sample::Mark {
                    shape: Shape::Cross,
                    color: theme::INK,
                    radius: MARK,
                    opacity: 1.0,
                    line: false,
                },
                label: "some diverged".into(),
            }],
        });
    }
    Ok(Figure {
        title: "Training error against depth by initialisation, batch norm and clipping".into(),
        rows: rows.collect(),
        panel_size: (200.0, 150.0),
        legend,
        notes: vec![
            "Clean training error after the last epoch.".into(),
            study.seeds_note("Means"),
            "Crosses: at least one run diverged; from the top plain, plain clipped, residual, residual clipped.".into(),
        ],
    })
}
