//! The exponential rate per block: beside theory before training, and through training.
//!
//! Theory, for wide fully connected ReLU networks with blocks of one layer, going one block back:
//! √(π/(π − 1)) in plain networks with batch norm (Yang et al. 2019); without it ρ, where ρ² is half
//! of width times the variance of a weight: `gain` for He's initialisation, `gain`/√2 for Xavier's.
//! With an identity shortcut beside it √(1 + ρ²) if the two terms are orthogonal, and
//! √(1 + ρ² + 2ρ/√π) once activations and gradients point along (1, …, 1), where sums of ReLUs
//! drive them: given W h > 0 the mean of D W is ρ/√π · 1 hᵀ / (√n ‖h‖).

use std::collections::BTreeMap;
use std::f64::consts::PI;

use reslab_results::statistics::summarise;

use super::{Kind, MARK, Study, flow::when, line_entry, mean, shape};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::theme;

/// Where the axis of factors ends.
const MOST: f64 = 2.0;

/// `gradient-rates` and `gradient-rates-training`.
pub fn figures(study: &Study<'_>) -> Vec<Named> {
    let mut figures = vec![("gradient-rates".to_owned(), by_depth(study))];
    if study.epochs.len() > 1 {
        figures.push(("gradient-rates-training".to_owned(), by_epoch(study)));
    }
    figures
}

/// Factors a block going backward, one a run.
fn factors(study: &Study<'_>, epoch: i64) -> BTreeMap<Kind, Vec<f64>> {
    let rates = study.values(("fit", "log_rate"), epoch).into_iter();
    rates
        .map(|(kind, places)| {
            let rates = places.into_values().flatten();
            (kind, rates.map(f64::exp).collect())
        })
        .collect()
}

/// What theory says of a panel: whether of residual networks, and the factor.
fn theory(name: &str, batch_norm: bool) -> Vec<(bool, f64)> {
    if batch_norm {
        return vec![(false, (PI / (PI - 1.0)).sqrt())];
    }
    let (scheme, gain) = name.split_once(" × ").unwrap_or((name, "1"));
    let rho = match (scheme, gain.parse::<f64>()) {
        ("He", Ok(gain)) => gain,
        ("Xavier", Ok(gain)) => gain / 2f64.sqrt(),
        _ => return Vec::new(),
    };
    let orthogonal = 1.0 + rho * rho;
    let aligned = orthogonal + 2.0 * rho / PI.sqrt();
    vec![
        (false, rho),
        (true, orthogonal.sqrt()),
        (true, aligned.sqrt()),
    ]
}

fn by_depth(study: &Study<'_>) -> Result<Figure, String> {
    let factors = factors(study, study.first_epoch());
    if factors.is_empty() {
        return Err("no rate was fitted".into());
    }
    let depths: Vec<f64> = study.depths.iter().map(|d| *d as f64).collect();
    let x = Axis::of_values("Blocks", &depths);
    let y = Axis::linear("Gradient's growth a block", 0.0, MOST);
    let rows = study.panels().into_iter().map(|row| {
        row.into_iter()
            .map(|place| {
                let mut layers = Vec::new();
                let laws = theory(&study.inits[place.1], place.0);
                layers.extend(laws.into_iter().map(|(residual, law)| Layer::Line {
                    points: vec![(x.low, law), (x.high, law)],
                    color: theme::kind_color(residual),
                    width: theme::THIN_WIDTH,
                    dashed: true,
                }));
                let here =
                    |kind: &Kind| (kind.batch_norm, kind.init, kind.clip) == (place.0, place.1, 0);
                for (kind, values) in factors.iter().filter(|(kind, _)| here(kind)) {
                    layers.extend(point(kind, values));
                }
                Panel {
                    title: study.title(place),
                    x: x.clone(),
                    y: y.clone(),
                    layers,
                }
            })
            .collect()
    });
    let laws = Section {
        heading: "Theory".into(),
        entries: vec![
            line_entry(theme::PLAIN, true, "plain"),
            line_entry(theme::RESIDUAL, true, "residual"),
        ],
    };
    Ok(Figure {
        title: format!("Growth of the gradient a block, {}, beside theory", when(study.first_epoch())),
        rows: rows.collect(),
        panel_size: (200.0, 165.0),
        legend: vec![study.kind_section(false), laws],
        notes: vec![
            format!("Growth of ‖∂L/∂h‖ for each block going back, by least squares of its logarithm, {}.", when(study.first_epoch())),
            study.seeds_note("Means"),
            "Dashed: wide ReLU networks; √(π/(π − 1)) = 1.2112 with batch norm, else ρ for plain networks, and for residual ones √(1 + ρ²) where the roads' terms are orthogonal and √(1 + ρ² + 2ρ/√π) where all points along (1, …, 1); ρ is the gain beside He's initialisation. With shortcuts and batch norm growth is no exponential.".into(),
        ],
    })
}

fn point(kind: &Kind, values: &[f64]) -> Vec<Layer> {
    let color = theme::kind_color(kind.residual);
    let depth = kind.depth as f64;
    let interval = summarise(values).and_then(|s| s.interval);
    vec![
        Layer::Intervals {
            points: interval
                .map(|(low, high)| (depth, low, high))
                .into_iter()
                .collect(),
            color,
        },
        Layer::Marks {
            points: vec![(depth, mean(values))],
            shape: shape(kind.residual),
            radius: MARK,
            color,
            opacity: 1.0,
        },
    ]
}

fn by_epoch(study: &Study<'_>) -> Result<Figure, String> {
    let mut curves: BTreeMap<Kind, Vec<(f64, f64)>> = BTreeMap::new();
    for &epoch in &study.epochs {
        for (kind, values) in factors(study, epoch) {
            let point = (epoch as f64, mean(&values));
            curves.entry(kind).or_default().push(point);
        }
    }
    let last = study.last_epoch() as f64;
    let rows = study.panels().into_iter().map(|row| {
        row.into_iter()
            .map(|place| {
                let here = |kind: &Kind| (kind.batch_norm, kind.init) == place;
                let curves = curves.iter().filter(|(kind, _)| here(kind));
                let layers = curves.flat_map(|(kind, points)| {
                    let color = theme::kind_color(kind.residual);
                    [
                        Layer::Line {
                            points: points.clone(),
                            color,
                            width: study.width(kind.depth),
                            dashed: kind.clip > 0,
                        },
                        Layer::Marks {
                            points: points.clone(),
                            shape: shape(kind.residual),
                            radius: 0.75 * MARK,
                            color,
                            opacity: 1.0,
                        },
                    ]
                });
                Panel {
                    title: study.title(place),
                    x: Axis::linear("Epochs of training", 0.0, last),
                    y: Axis::linear("Gradient's growth a block", 0.0, MOST),
                    layers: layers.collect(),
                }
            })
            .collect()
    });
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
    legend.push(Section {
        heading: "Depth".into(),
        entries: vec![Entry {
            sample: Sample::Line {
                color: theme::INK,
                dashed: false,
            },
            label: "wider is deeper".into(),
        }],
    });
    Ok(Figure {
        title: "Growth of the gradient a block, through training".into(),
        rows: rows.collect(),
        panel_size: (200.0, 165.0),
        legend,
        notes: vec![
            "Growth of ‖∂L/∂h‖ for each block going back, by least squares of its logarithm. 1: the gradient holds; above, it explodes going back; below, it vanishes.".into(),
            study.seeds_note("Means"),
            "A line ends where all of its runs have diverged.".into(),
        ],
    })
}
