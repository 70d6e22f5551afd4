//! The two edges against c: predicted as curves, measured as marks.

use super::{COLORS, Fit, Study};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme;

const SHAPES: [Shape; 2] = [Shape::Disc, Shape::Square];
const MARK: f64 = 3.2;

/// Left ln σ at the edges, right the quantiles from 5 % to 95 %.
pub fn figure(study: &Study) -> Result<Figure, String> {
    let wanted = |fit: &&Fit| fit.law == "many-blocks" && fit.has_small_branches();
    let mut fits: Vec<&Fit> = study.fits.iter().filter(wanted).collect();
    if fits.is_empty() {
        return Err("no residual network of small branches was measured".into());
    }
    fits.sort_by(|a, b| a.c.total_cmp(&b.c));
    let mut formulas: Vec<&str> = fits.iter().map(|fit| fit.case.formula.as_str()).collect();
    formulas.sort_unstable();
    formulas.dedup();
    let (least, most) = (fits[0].c, fits[fits.len() - 1].c);
    let x = Axis::log("c", 0.85 * least, 1.18 * most);
    let panels = [
        ("Edges", fits_of(&fits, |fit| [fit.low, fit.high])),
        (
            "5 % and 95 % quantiles",
            fits_of(&fits, |fit| [fit.q05, fit.q95]),
        ),
    ];
    let all = panels.iter().flat_map(|(_, points)| points);
    let reach = all
        .flat_map(|p| p.3.into_iter().chain(p.2))
        .fold(0.0, |a: f64, b| a.max(b.abs()));
    let y = Axis::linear("ln σ", -1.05 * reach, 1.05 * reach);
    let rows = panels.iter().map(|(title, points)| Panel {
        title: (*title).into(),
        x: x.clone(),
        y: y.clone(),
        layers: layers(points, &formulas),
    });
    Ok(Figure {
        title: "Where the spectrum ends, measured and predicted".into(),
        rows: vec![rows.collect()],
        panel_size: (250.0, 230.0),
        legend: legend(&formulas),
        notes: vec![
            "Products of all blocks before training; c is the predicted sum over blocks of the mean square singular value of ∂F/∂h. Single runs. Lines: law of many blocks.".into(),
        ],
    })
}

/// Formula, c, two predicted, two measured.
type Point<'s> = (&'s str, f64, [f64; 2], [f64; 2]);

fn fits_of<'s>(fits: &[&'s Fit], of: impl Fn(&Fit) -> [(f64, f64); 2]) -> Vec<Point<'s>> {
    let points = fits.iter().map(|fit| {
        let both = of(fit);
        let formula = fit.case.formula.as_str();
        (formula, fit.c, both.map(|b| b.0), both.map(|b| b.1))
    });
    points.collect()
}

fn layers(points: &[Point<'_>], formulas: &[&str]) -> Vec<Layer> {
    let curve = |side: usize| Layer::Line {
        points: points.iter().map(|p| (p.1, p.2[side])).collect(),
        color: theme::INK,
        width: theme::THIN_WIDTH,
        dashed: false,
    };
    let mut layers = vec![curve(0), curve(1)];
    for (index, formula) in formulas.iter().enumerate() {
        let here = points.iter().filter(|p| p.0 == *formula);
        layers.push(Layer::Marks {
            points: here.flat_map(|p| p.3.map(|y| (p.1, y))).collect(),
            shape: SHAPES[index % SHAPES.len()],
            radius: MARK,
            color: COLORS[index % COLORS.len()],
            opacity: 0.8,
        });
    }
    layers
}

fn legend(formulas: &[&str]) -> Vec<Section> {
    let entries = formulas.iter().enumerate().map(|(index, formula)| Entry {
        sample: Sample::Mark {
            shape: SHAPES[index % SHAPES.len()],
            color: COLORS[index % COLORS.len()],
            radius: MARK,
            opacity: 0.8,
            line: false,
        },
        label: (*formula).into(),
    });
    vec![
        Section {
            heading: "Measured".into(),
            entries: entries.collect(),
        },
        Section {
            heading: "Predicted".into(),
            entries: vec![Entry {
                sample: Sample::Line {
                    color: theme::INK,
                    dashed: false,
                },
                label: "law of many blocks".into(),
            }],
        },
    ]
}
