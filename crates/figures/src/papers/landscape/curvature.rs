//! Maps of curvature over the plane: `|λ_min / λ_max|` (Li et al. 2018, Fig. 7) and `λ_max`.

use super::contours::second;
use super::{
    ACROSS, Cut, Panels, Study, by_cut, cut_note, direction, fitted, sheets, suffix, with_panels,
};
use crate::axes::{Axis, nice_above, number};
use crate::contours::Grid;
use crate::plots::{Entry, Figure, Layer, Named, Panel, Sample, Section};
use crate::theme;

/// From this ratio of highest to lowest on the scale of `λ_max` is logarithmic.
const LOG_FROM: f64 = 8.0;

/// What a map shows.
struct Shown {
    title: &'static str,
    heading: &'static str,
    axis: fn(&[&Grid]) -> Axis,
}

const MAPS: [(&str, &str, Shown); 2] = [
    (
        "ratio",
        "landscape-convexity",
        Shown {
            title: "How far from convex the surface is around each network",
            heading: "|λ min / λ max|",
            axis: ratio_axis,
        },
    ),
    (
        "lambda_max",
        "landscape-lambda-max",
        Shown {
            title: "The largest eigenvalue of the Hessian around each network",
            heading: "λ max",
            axis: lambda_axis,
        },
    ),
];

pub(super) fn figures(study: &Study<'_>, figures: &mut Vec<Named>) {
    let Some(table) = study.tables.instruments.get("landscape_curvature") else {
        return;
    };
    for (column, name, shown) in &MAPS {
        let sheets = sheets(table, &study.networks, &[column]);
        for (cut, keys) in by_cut(&sheets, "plane") {
            let suffix = suffix(&cut, &sheets);
            for (page, panels) in Panels::pages(&study.networks, &sheets, &keys) {
                let figure = figure(&panels, &cut, shown);
                figures.push((format!("{name}{suffix}{page}"), figure));
            }
        }
    }
}

/// From 0 to 1, or closer where all is small.
fn ratio_axis(grids: &[&Grid]) -> Axis {
    let high = grids
        .iter()
        .filter_map(|grid| grid.range())
        .map(|r| r.1)
        .fold(0.0, f64::max);
    Axis::linear("", 0.0, if high > 0.5 { 1.0 } else { nice_above(high) })
}

fn lambda_axis(grids: &[&Grid]) -> Axis {
    let ranges = || grids.iter().filter_map(|grid| grid.range());
    let low = ranges().map(|r| r.0).fold(f64::MAX, f64::min);
    let high = ranges().map(|r| r.1).fold(f64::MIN, f64::max);
    if low > 0.0 && high / low > LOG_FROM {
        Axis::log("", low, high)
    } else {
        Axis::linear("", low.min(0.0), high)
    }
}

fn figure(panels: &Panels<'_>, cut: &Cut, shown: &Shown) -> Result<Figure, String> {
    panels.ready()?;
    let grids = &panels.shared;
    let scale = (shown.axis)(grids);
    // A value fills the cell around its point.
    let bounds = |places: fn(&Grid) -> &Vec<f64>| {
        let all: Vec<f64> = grids.iter().flat_map(|grid| edges(places(grid))).collect();
        all.into_iter()
    };
    let wide = if panels.across() >= ACROSS {
        195.0
    } else {
        240.0
    };
    let x = direction("x", bounds(|g| &g.xs));
    let rows = panels.rows.iter().map(|(statistics, places)| {
        let y = direction(&second(statistics), bounds(|g| &g.ys));
        let panel = |place: &super::Place<'_>| Panel {
            title: fitted(&place.title, wide),
            x: x.clone(),
            y: y.clone(),
            layers: vec![map(place.grid, &scale)],
        };
        places.iter().map(panel).collect()
    });
    let mut figure = with_panels(shown.title, rows.collect(), (wide, wide));
    figure.legend = vec![Section {
        heading: shown.heading.into(),
        entries: vec![Entry {
            sample: Sample::ColorBar {
                low: scale.low,
                high: scale.high,
                log: scale.log,
            },
            label: String::new(),
        }],
    }];
    let above = panels
        .grids()
        .iter()
        .flat_map(|grid| grid.finite())
        .filter(|v| *v > scale.high)
        .count();
    figure.notes = vec![
        cut_note(
            cut,
            "Eigenvalues of the Hessian of the mean loss by the weights",
        ),
        "One scale for all panels.".into(),
    ];
    if above > 0 {
        figure.notes.push(format!(
            "{above} values above {} have its colour.",
            number(scale.high, 1)
        ));
    }
    figure.notes.extend(
        panels
            .notes()
            .into_iter()
            .map(|note| note.replace("have no finite loss: gaps", "have no finite value: grey")),
    );
    Ok(figure)
}

/// Where cells around these places begin and end.
fn edges(places: &[f64]) -> Vec<f64> {
    let n = places.len();
    if n < 2 {
        return places.to_vec();
    }
    let mut edges = vec![1.5 * places[0] - 0.5 * places[1]];
    edges.extend(places.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])));
    edges.push(1.5 * places[n - 1] - 0.5 * places[n - 2]);
    edges
}

fn map(grid: &Grid, scale: &Axis) -> Layer {
    let (xs, ys) = (edges(&grid.xs), edges(&grid.ys));
    let mut rectangles = Vec::with_capacity(grid.values.len());
    for row in 0..grid.ys.len() {
        for column in 0..grid.xs.len() {
            let value = grid.at(column, row);
            let color = if value.is_finite() {
                theme::height_color(scale.position(value))
            } else {
                theme::MISSING
            };
            rectangles.push(((xs[column], ys[row]), (xs[column + 1], ys[row + 1]), color));
        }
    }
    Layer::Rectangles { rectangles }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_meet_half_way_and_lie_around_their_points() {
        assert_eq!(edges(&[-1.0, 0.0, 2.0]), [-1.5, -0.5, 1.0, 3.0]);
        let grid = Grid::from_points(&[
            (0.0, 0.0, 1.0),
            (1.0, 0.0, f64::NAN),
            (0.0, 5.0, 0.0),
            (1.0, 5.0, 0.0),
        ]);
        let Layer::Rectangles { rectangles } = map(&grid, &Axis::linear("", 0.0, 1.0)) else {
            unreachable!()
        };
        assert_eq!(
            rectangles[0],
            ((-0.5, -2.5), (0.5, 2.5), theme::height_color(1.0))
        );
        assert_eq!(rectangles[1].2, theme::MISSING);
    }

    #[test]
    fn the_scale_of_ratios_is_fixed_unless_all_are_small() {
        let of = |high: f64| ratio_axis(&[&Grid::from_points(&[(0.0, 0.0, high)])]).high;
        assert_eq!((of(3.0), of(0.6), of(0.041)), (1.0, 1.0, 0.05));
    }
}
