//! Largest eigenvalue and trace by depth, before and after training.

use super::{Found, Quantity, Study, largest, log_range, trace};
use crate::axes::Axis;
use crate::plots::{Figure, Panel, beside};

type Measure = (&'static str, fn(&[Quantity]) -> Option<f64>);

const MEASURES: [Measure; 2] = [("Largest eigenvalue λ₁", largest), ("Trace", trace)];

/// A row of panels for each measure, a column for the first epoch and the last.
pub fn figure(study: &Study<'_>) -> Result<Figure, String> {
    let mut epochs = vec![study.epochs.first().copied(), study.epochs.last().copied()];
    epochs.dedup();
    let epochs: Vec<i64> = epochs.into_iter().flatten().collect();
    let mut rows = Vec::new();
    for (label, value) in MEASURES {
        let found = study.values(value);
        let drawn = found.values().flatten();
        let drawn = drawn.filter(|(epoch, _)| epochs.contains(epoch));
        let Some((low, high)) = log_range(drawn.flat_map(|(_, values)| values)) else {
            continue;
        };
        let y = Axis::log(label, low, high);
        let panels = epochs.iter().map(|epoch| panel(study, &found, *epoch, &y));
        rows.push(panels.collect::<Vec<_>>());
    }
    let Some(first) = rows.first_mut() else {
        return Err("no positive curvature was measured".into());
    };
    for (panel, epoch) in first.iter_mut().zip(&epochs) {
        panel.title = super::density::when(*epoch);
    }
    Ok(Figure {
        title: "Curvature by depth".into(),
        rows,
        panel_size: (230.0, 170.0),
        legend: vec![study.variant_section()],
        notes: study.notes.clone(),
    })
}

fn panel(study: &Study<'_>, found: &Found, epoch: i64, y: &Axis) -> Panel {
    let depths: Vec<f64> = study.depths.iter().map(|depth| *depth as f64).collect();
    let x = Axis::of_values("Depth", &depths);
    let mut layers = Vec::new();
    for (place, variant) in study.variants.iter().enumerate() {
        let shift = 0.012 * (place as f64 - 0.5 * (study.variants.len() as f64 - 1.0));
        let points = study.depths.iter().filter_map(|depth| {
            let values = found.get(&(*variant, *depth))?.get(&epoch)?;
            let positive = values.iter().all(|value| *value > 0.0);
            positive.then(|| (beside(*depth as f64, &x, shift), values))
        });
        layers.extend(study.layers(*variant, points));
    }
    Panel {
        title: String::new(),
        x,
        y: y.clone(),
        layers,
    }
}
