//! The spread of ln σ against depth for each scaling of the branches (Ling, Qiu 2018).

use super::{COLORS, Fit, Study, mean};
use crate::axes::Axis;
use crate::plots::{Entry, Figure, Layer, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme;

const MARK: f64 = 3.5;
const SCALES: [(&str, &str, Shape); 3] = [
    ("one", "unscaled", Shape::Square),
    ("inverse-sqrt-depth", "1/√L", Shape::Disc),
    ("inverse-depth", "1/L", Shape::Square),
];

/// One panel for each formula that was run at several depths and scalings.
pub fn figure(study: &Study) -> Result<Figure, String> {
    let cases = study.cases(|fit| fit.case.residual);
    let mut formulas: Vec<&str> = cases.iter().map(|(c, _)| c.formula.as_str()).collect();
    formulas.sort_unstable();
    formulas.dedup();
    let several = |formula: &&str| {
        let here: Vec<_> = cases
            .iter()
            .filter(|(c, _)| c.formula == *formula)
            .collect();
        let scales = here.iter().any(|(c, _)| c.scale != here[0].0.scale);
        scales && here.iter().any(|(c, _)| c.blocks != here[0].0.blocks)
    };
    formulas.retain(several);
    let fits: Vec<&Fit> = study
        .fits
        .iter()
        .filter(|fit| formulas.contains(&fit.case.formula.as_str()))
        .collect();
    if fits.is_empty() {
        return Err("no residual network was measured at several depths and scalings".into());
    }
    let mut depths: Vec<f64> = fits.iter().map(|fit| fit.case.blocks as f64).collect();
    depths.sort_by(f64::total_cmp);
    depths.dedup();
    let spreads = fits
        .iter()
        .flat_map(|fit| [fit.q95.0 - fit.q05.0, fit.q95.1 - fit.q05.1]);
    let (low, high) = spreads.fold((f64::MAX, 0.0), |(l, h): (f64, f64), s| {
        (l.min(s), h.max(s))
    });
    let y = Axis::log("Range of ln σ, 5 % to 95 %", 0.8 * low, 1.25 * high);
    let panels = formulas.iter().map(|formula| Panel {
        title: (*formula).into(),
        x: Axis::of_values("Blocks", &depths),
        y: y.clone(),
        layers: SCALES
            .iter()
            .enumerate()
            .flat_map(|(index, (scale, _, shape))| {
                let here: Vec<&&Fit> = fits
                    .iter()
                    .filter(|fit| fit.case.formula == *formula && fit.case.scale == *scale)
                    .collect();
                layers(&here, &depths, COLORS[index], *shape)
            })
            .collect(),
    });
    Ok(Figure {
        title: "Spread of the singular values against depth, by scaling of the branches".into(),
        rows: vec![panels.collect()],
        panel_size: (270.0, 220.0),
        legend: legend(),
        notes: vec![
            "Products of all blocks before training. Solid: law of blocks I + X; dashed: law of many blocks, which asks for small branches.".into(),
            study.seeds_note(),
        ],
    })
}

fn layers(fits: &[&&Fit], depths: &[f64], color: theme::Rgb, shape: Shape) -> Vec<Layer> {
    let spread = |law: &str, side: fn((f64, f64), (f64, f64)) -> f64| -> Vec<(f64, f64)> {
        let at = depths.iter().map(|&depth| {
            let here = fits
                .iter()
                .filter(|fit| fit.law == law && fit.case.blocks as f64 == depth);
            (depth, mean(here.map(|fit| side(fit.q05, fit.q95))))
        });
        at.filter(|point| point.1.is_finite()).collect()
    };
    let line = |law, dashed| Layer::Line {
        points: spread(law, |low, high| high.0 - low.0),
        color,
        width: theme::LINE_WIDTH,
        dashed,
    };
    vec![
        line("many-blocks", true),
        line("blocks", false),
        Layer::Marks {
            points: spread("many-blocks", |low, high| high.1 - low.1),
            shape,
            radius: MARK,
            color,
            opacity: 1.0,
        },
    ]
}

fn legend() -> Vec<Section> {
    let scales = SCALES
        .iter()
        .enumerate()
        .map(|(index, (_, label, shape))| Entry {
            sample: Sample::Mark {
                shape: *shape,
                color: COLORS[index],
                radius: MARK,
                opacity: 1.0,
                line: false,
            },
            label: (*label).into(),
        });
    let line = |dashed, label: &str| Entry {
        sample: Sample::Line {
            color: theme::INK,
            dashed,
        },
        label: label.into(),
    };
    vec![
        Section {
            heading: "Branches times".into(),
            entries: scales.collect(),
        },
        Section {
            heading: "Predicted".into(),
            entries: vec![line(false, "blocks I + X"), line(true, "many blocks")],
        },
    ]
}
