//! Extreme eigenvalues, trace and the gradient's share along the top eigenvectors, by epoch.

use super::{Found, Quantity, Study, largest, log_range, smallest, trace};
use crate::axes::Axis;
use crate::plots::{Figure, Layer, Panel, beside};

/// One row of panels.
struct Measure {
    label: &'static str,
    /// Share from 0 to 1 rather than a positive number over decades.
    is_share: bool,
    value: fn(&[Quantity]) -> Option<f64>,
}

const MEASURES: [Measure; 4] = [
    Measure {
        label: "Largest eigenvalue λ₁",
        is_share: false,
        value: largest,
    },
    Measure {
        label: "−(smallest) / largest",
        is_share: false,
        value: |rows| Some(-smallest(rows)? / largest(rows)?),
    },
    Measure {
        label: "Trace",
        is_share: false,
        value: trace,
    },
    Measure {
        label: "Gradient's share",
        is_share: true,
        value: gradient_share,
    },
];

fn gradient_share(rows: &[Quantity]) -> Option<f64> {
    let top = rows.iter().filter(|row| row.name == "top");
    let shares: Vec<f64> = top.filter_map(|row| row.gradient_share).collect();
    (!shares.is_empty()).then(|| shares.iter().sum())
}

/// A row of panels for each measure, a column for each depth.
pub fn figure(study: &Study<'_>) -> Result<Figure, String> {
    let mut rows = Vec::new();
    for measure in MEASURES {
        let found = study.values(measure.value);
        if let Some(row) = row(study, &measure, &found) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Err("no quantity was measured".into());
    }
    for (place, depth) in study.depths.iter().enumerate() {
        if study.depths.len() > 1 {
            rows[0][place].title = format!("depth {depth}");
        }
    }
    let mut notes = study.notes.clone();
    let ranks = study
        .table
        .iter()
        .filter(|r| r.text("quantity") == Some("top"));
    let ranks = ranks.filter_map(|r| r.integer("rank")).max().unwrap_or(1);
    let vectors = match ranks {
        1 => "eigenvector of the largest eigenvalue".to_owned(),
        n => format!("eigenvectors of the {n} largest eigenvalues"),
    };
    notes.push(format!(
        "−(smallest) / largest: the most negative eigenvalue beside the largest, 0 where the loss is convex. Gradient's share: the part of its squared norm along the {vectors}. A line ends where runs have diverged; values of 0 and below are not drawn on logarithmic axes."
    ));
    Ok(Figure {
        title: "Curvature through training".into(),
        rows,
        panel_size: (210.0, 150.0),
        legend: vec![study.variant_section()],
        notes,
    })
}

fn row(study: &Study<'_>, measure: &Measure, found: &Found) -> Option<Vec<Panel>> {
    let values = || found.values().flat_map(|epochs| epochs.values().flatten());
    let y = if measure.is_share {
        values().next()?;
        Axis::linear(measure.label, 0.0, 1.0)
    } else {
        let (low, high) = log_range(values())?;
        Axis::log(measure.label, low, high)
    };
    let epochs: Vec<f64> = study.epochs.iter().map(|epoch| *epoch as f64).collect();
    let x = Axis {
        log: false,
        ..Axis::of_values("Epoch", &epochs)
    };
    let panels = study.depths.iter().map(|depth| {
        let mut layers: Vec<Layer> = Vec::new();
        for (place, variant) in study.variants.iter().enumerate() {
            let Some(epochs) = found.get(&(*variant, *depth)) else {
                continue;
            };
            let positive = |values: &&Vec<f64>| measure.is_share || values.iter().all(|v| *v > 0.0);
            let shift = 0.012 * (place as f64 - 0.5 * (study.variants.len() as f64 - 1.0));
            let points = epochs.iter().filter(|(_, values)| positive(values));
            let points = points.map(|(epoch, v)| (beside(*epoch as f64, &x, shift), v));
            layers.extend(study.layers(*variant, points));
        }
        Panel {
            title: String::new(),
            x: x.clone(),
            y: y.clone(),
            layers,
        }
    });
    Some(panels.collect())
}
