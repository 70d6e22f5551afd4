//! The density of ln σ: measured as a histogram, predicted as a curve, one panel a case.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Fit, Study, mean};
use crate::axes::{Axis, nice_above};
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::scene::Shape;
use crate::tables::Tables;
use crate::theme;

/// Panels in a row.
const COLUMNS: usize = 3;
/// Rows of a figure; further ones make another.
const ROWS: usize = 4;
const RUG: f64 = 3.5;
/// Outliers may widen the axis to so many times the width of the law.
const WIDEST: f64 = 4.0;

/// `jacobian-theory-residual` and `jacobian-theory-plain`, where there are such networks.
pub fn figures(study: &Study, tables: &Tables) -> Vec<Named> {
    [(true, "residual"), (false, "plain")]
        .into_iter()
        .flat_map(|(residual, name)| {
            let cases = study.cases(|fit| fit.case.residual == residual && study.is_best(fit));
            let widths: BTreeSet<i64> = cases.iter().map(|(case, _)| case.width).collect();
            let several = widths.len() > 1;
            let formulas = by_formula(cases);
            let count = formulas.len().div_ceil(ROWS);
            let parts = formulas.chunks(ROWS).enumerate();
            let drawn = parts.map(|(part, rows)| {
                let stem = if count > 1 {
                    format!("jacobian-theory-{name}-{}", part + 1)
                } else {
                    format!("jacobian-theory-{name}")
                };
                (stem, figure(study, tables, rows, several))
            });
            drawn.collect::<Vec<_>>()
        })
        .collect()
}

type Cases<'s> = Vec<(&'s Case, Vec<&'s Fit>)>;

/// Rows of at most so many panels of one formula and scale, by width, c or depth.
fn by_formula(cases: Cases<'_>) -> Vec<Cases<'_>> {
    let mut rows: Vec<Cases<'_>> = Vec::new();
    for case in cases {
        let same = |row: &&mut Cases<'_>| {
            let other = row[0].0;
            (&other.formula, &other.scale) == (&case.0.formula, &case.0.scale)
                && row.len() < COLUMNS
        };
        match rows.iter_mut().rev().find(same) {
            Some(row) => row.push(case),
            None => rows.push(vec![case]),
        }
    }
    rows
}

/// Bins of a case: middle, width, measured, predicted, averaged over runs; and all outliers.
struct Histogram {
    bins: Vec<[f64; 4]>,
    outliers: Vec<f64>,
}

fn histogram(fits: &[&Fit], tables: &Tables) -> Option<Histogram> {
    let table = tables.instruments.get("jacobian_density")?;
    let mut bins: BTreeMap<usize, (f64, [f64; 4])> = BTreeMap::new();
    let mut outliers = Vec::new();
    for fit in fits {
        let mut index = 0;
        let rows = table.iter().filter(|row| {
            row.text("run_id") == Some(&fit.run)
                && row.integer("sample") == Some(fit.sample)
                && row.integer("blocks") == Some(fit.case.blocks)
                && row.text("law") == Some(&fit.law)
                && row.text("grow") == Some("input")
        });
        for row in rows {
            let place = row.real("log_sigma")?;
            if row.text("kind") == Some("outlier") {
                outliers.push(place);
                continue;
            }
            let values = ["width", "measured", "predicted"].map(|name| row.real(name));
            let [width, measured, predicted] = values;
            // Bins of runs of one case differ as little as their laws do.
            let (count, sums) = bins.entry(index).or_default();
            *count += 1.0;
            for (sum, value) in sums.iter_mut().zip([place, width?, measured?, predicted?]) {
                *sum += value;
            }
            index += 1;
        }
    }
    let bins = bins.into_values().map(|(n, sums)| sums.map(|s| s / n));
    Some(Histogram {
        bins: bins.collect(),
        outliers,
    })
}

/// `widths` says whether networks of several widths are drawn.
fn figure(
    study: &Study,
    tables: &Tables,
    rows: &[Cases<'_>],
    widths: bool,
) -> Result<Figure, String> {
    let residual = rows[0][0].0.residual;
    let mut outliers = false;
    let rows: Vec<Vec<Panel>> = rows
        .iter()
        .map(|row| {
            let found = row.iter().map(|(case, fits)| {
                let histogram = histogram(fits, tables).filter(|h| !h.bins.is_empty());
                histogram.map(|histogram| (*case, fits, histogram))
            });
            let found: Option<Vec<_>> = found.collect();
            let found = found.ok_or("there are no rows of 'jacobian_density'")?;
            outliers |= found.iter().any(|(_, _, h)| !h.outliers.is_empty());
            let panels = found
                .iter()
                .map(|(case, fits, histogram)| panel(title(case, fits, widths), fits, histogram));
            Ok(panels.collect())
        })
        .collect::<Result<_, String>>()?;
    let law = match residual {
        true => "Law of many blocks; where branches are large that of blocks I + X.",
        false => "Law of plain networks.",
    };
    Ok(Figure {
        title: "Singular values of the Jacobian of all blocks, measured and predicted".into(),
        rows,
        panel_size: (235.0, 120.0),
        legend: legend(residual, outliers),
        notes: vec![
            "Before training, at one input: density of ln σ of the product of all blocks' Jacobians, zeros of σ left out of the picture. KS: Kolmogorov–Smirnov distance to the law, zeros included, mean over runs.".into(),
            law.into(),
            study.seeds_note(),
        ],
    })
}

fn title(case: &Case, fits: &[&Fit], widths: bool) -> String {
    let distance = mean(fits.iter().map(|fit| fit.distance));
    let mut blocks = format!("{} × {}", case.blocks, case.formula);
    if widths {
        blocks += &format!(", N = {}", case.width);
    }
    if case.residual {
        let c = mean(fits.iter().map(|fit| fit.c));
        format!("{blocks}, c = {c:.2}, KS {distance:.3}")
    } else {
        format!("{blocks}, KS {distance:.3}")
    }
}

fn panel(title: String, fits: &[&Fit], histogram: &Histogram) -> Panel {
    let color = theme::kind_color(fits[0].case.residual);
    let bins = &histogram.bins;
    let top = bins
        .iter()
        .map(|bin| bin[2].max(bin[3]))
        .fold(0.0, f64::max);
    let y = Axis::linear("Density of ln σ", 0.0, nice_above(1.02 * top));
    let (first, last) = (bins[0], bins[bins.len() - 1]);
    let (mut low, mut high) = (first[0] - 0.5 * first[1], last[0] + 0.5 * last[1]);
    let reach = WIDEST * (high - low);
    for outlier in &histogram.outliers {
        let room = 0.03 * (high - low);
        low = low.min((outlier - room).max(high - reach));
        high = high.max((outlier + room).min(low + reach));
    }
    let steps: Vec<(f64, f64)> = bins
        .iter()
        .flat_map(|[middle, width, measured, _]| {
            let half = 0.5 * width;
            [(middle - half, *measured), (middle + half, *measured)]
        })
        .collect();
    let predicted: Vec<(f64, f64)> = bins.iter().map(|bin| (bin[0], bin[3])).collect();
    let edge = |side: fn(&Fit) -> f64| mean(fits.iter().map(|fit| side(fit)));
    let edges = [edge(|fit| fit.low.0), edge(|fit| fit.high.0)];
    let mut layers = vec![
        Layer::Band {
            points: steps.iter().map(|(x, h)| (*x, 0.0, *h)).collect(),
            color,
        },
        Layer::Line {
            points: steps,
            color,
            width: 1.0,
            dashed: false,
        },
    ];
    let marks = edges.into_iter().filter(|edge| edge.is_finite());
    layers.extend(marks.map(|edge| Layer::Line {
        points: vec![(edge, y.low), (edge, y.high)],
        color: theme::QUIET,
        width: 1.0,
        dashed: true,
    }));
    layers.push(Layer::Line {
        points: predicted,
        color: theme::INK,
        width: theme::LINE_WIDTH,
        dashed: false,
    });
    layers.push(Layer::Marks {
        points: histogram.outliers.iter().map(|x| (*x, 0.0)).collect(),
        shape: Shape::Square,
        radius: RUG,
        color: OUTLIER,
        opacity: 1.0,
    });
    Panel {
        title,
        x: Axis::linear("ln σ", low, high),
        y,
        layers,
    }
}

/// Reddish purple.
const OUTLIER: theme::Rgb = (0xcc, 0x79, 0xa7);

fn legend(residual: bool, outliers: bool) -> Vec<Section> {
    let line = |color, dashed, label: &str| Entry {
        sample: Sample::Line { color, dashed },
        label: label.into(),
    };
    let kind = if residual { "residual" } else { "plain" };
    let mut measured = vec![line(theme::kind_color(residual), false, kind)];
    if outliers {
        measured.push(Entry {
            sample: Sample::Mark {
                shape: Shape::Square,
                color: OUTLIER,
                radius: RUG,
                opacity: 1.0,
                line: false,
            },
            label: "outlier".into(),
        });
    }
    vec![
        Section {
            heading: "Measured".into(),
            entries: measured,
        },
        Section {
            heading: "Predicted".into(),
            entries: vec![
                line(theme::INK, false, "density"),
                line(theme::QUIET, true, "edge"),
            ],
        },
    ]
}
