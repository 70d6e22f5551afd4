//! Eigenvalues of blocks in the complex plane: of I + ∂F/∂h around 1, of plain blocks around 0.

use std::collections::{BTreeMap, BTreeSet};

use super::{Place, Study, not_empty};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme;

/// Blocks that are drawn: more would hide each other.
const BLOCKS: usize = 3;
const MARK: f64 = 1.5;

/// Points of each block.
type Clouds = BTreeMap<i64, Vec<(f64, f64)>>;

/// The figure at an epoch.
pub fn figure(study: &Study<'_>, epoch: i64) -> Result<Figure, String> {
    let asked = |row: reslab_results::table::Row<'_>| {
        row.integer("epoch") == Some(epoch)
            && row.text("what") == Some("eigen")
            && matches!(row.text("kind"), Some("sum" | "branch"))
    };
    let mut places: BTreeMap<Place, Clouds> = BTreeMap::new();
    for (place, row) in study.rows(study.values, asked) {
        if let (Some(block), Some(re), Some(im)) =
            (row.integer("first"), row.real("re"), row.real("im"))
        {
            let clouds = places.entry(place).or_default();
            clouds.entry(block).or_default().push((re, im));
        }
    }
    let blocks: BTreeSet<i64> = places.values().flat_map(BTreeMap::keys).copied().collect();
    let blocks: Vec<i64> = blocks.into_iter().collect();
    let shown: Vec<i64> = reduced(&blocks);
    let there: BTreeSet<Place> = places.keys().copied().collect();
    let rows = study.panels(&there, |place, title| {
        let row = places.iter().filter(|(other, _)| other.kind == place.kind);
        let points = row.flat_map(|(_, clouds)| clouds.values().flatten());
        panel(
            title,
            place,
            &places[&place],
            (&shown, reach(place, points)),
        )
    });
    not_empty(Figure {
        title: "Eigenvalues of blocks in the complex plane".into(),
        rows,
        panel_size: (165.0, 165.0),
        legend: vec![Section {
            heading: "Block".into(),
            entries: shown.iter().enumerate().map(|(i, block)| Entry {
                sample: Sample::Mark {
                    shape: Shape::Disc,
                    color: theme::ordered_color(i, shown.len()),
                    radius: 3.0,
                    opacity: 1.0,
                    line: false,
                },
                label: format!("{}", block + 1),
            }).collect(),
        }],
        notes: study.notes(
            "Eigenvalues of I + ∂F/∂h of residual blocks, before any nonlinearity after the addition, and of ∂F/∂h of plain ones; of many, evenly chosen ones. Rows have their own axes.",
            Some(epoch),
        ),
    })
}

/// The first, the last, and what lies evenly between.
fn reduced(blocks: &[i64]) -> Vec<i64> {
    if blocks.len() <= BLOCKS {
        return blocks.to_vec();
    }
    let step = (blocks.len() - 1) as f64 / (BLOCKS - 1) as f64;
    (0..BLOCKS)
        .map(|i| blocks[(i as f64 * step).round() as usize])
        .collect()
}

fn centre(place: Place) -> f64 {
    if place.kind > 0 { 1.0 } else { 0.0 }
}

/// How far points lie from the centre at most.
fn reach<'p>(place: Place, points: impl Iterator<Item = &'p (f64, f64)>) -> f64 {
    let far = points.map(|(re, im)| (re - centre(place)).abs().max(im.abs()));
    1.08 * far.fold(1e-3, f64::max)
}

fn panel(title: String, place: Place, clouds: &Clouds, (shown, reach): (&[i64], f64)) -> Panel {
    let layers = shown.iter().enumerate().filter_map(|(i, block)| {
        Some(Layer::Marks {
            points: clouds.get(block)?.clone(),
            shape: Shape::Disc,
            radius: MARK,
            color: theme::ordered_color(i, shown.len()),
            opacity: 0.7,
        })
    });
    let centre = centre(place);
    let cross = |points| Layer::Line {
        points,
        color: theme::QUIET,
        width: 0.6,
        dashed: true,
    };
    let mut all = vec![
        cross(vec![(centre - reach, 0.0), (centre + reach, 0.0)]),
        cross(vec![(centre, -reach), (centre, reach)]),
    ];
    all.extend(layers);
    Panel {
        title,
        x: Axis::linear("Real part", centre - reach, centre + reach),
        y: Axis::linear("Imaginary part", -reach, reach),
        layers: all,
    }
}
