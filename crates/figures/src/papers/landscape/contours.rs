//! Lines of equal loss, each with its level (Li et al. 2018, Figs 3, 5 and 6).

use super::scale::{Scale, level_label};
use super::{ACROSS, Cut, Panels, cut_note, direction, fitted, with_panels};
use crate::axes::Axis;
use crate::contours::{Grid, level_lines};
use crate::plots::{Entry, Figure, Layer, Level, Panel, Sample, Section};
use crate::scene::Shape;
use crate::theme;

/// The lightest colours are left out: they are hard to see as lines on white.
const LIGHTEST: f64 = 0.88;
/// Half the width of the mark at the network.
const CENTRE: f64 = 2.6;

pub(super) fn figure(panels: &Panels<'_>, cut: &Cut) -> Result<Figure, String> {
    panels.ready()?;
    let grids = &panels.shared;
    let scale = Scale::of(grids);
    let x = direction("x", grids.iter().flat_map(|g| g.xs.iter().copied()));
    let ys = grids.iter().flat_map(|g| g.ys.iter().copied());
    let (wide, tall) = size(panels.across(), &x, ys.clone());
    let rows = panels.rows.iter().map(|(statistics, places)| {
        let y = direction(&second(statistics), ys.clone());
        let panel = |place: &super::Place<'_>| {
            let mut layers = lines(place.grid, &scale, &[(0.0, 0.0)]);
            layers.push(centre());
            Panel {
                title: fitted(&place.title, wide),
                x: x.clone(),
                y: y.clone(),
                layers,
            }
        };
        places.iter().map(panel).collect()
    });
    let mut figure = with_panels(
        "Lines of equal loss around each network",
        rows.collect(),
        (wide, tall),
    );
    figure.legend = legend(&scale);
    figure.notes = vec![cut_note(cut, "Loss"), levels_note(&scale)];
    figure.notes.extend(panels.notes());
    Ok(figure)
}

/// Name of the second direction, with the row's kind of statistics.
pub(super) fn second(statistics: &str) -> String {
    match statistics {
        "" => "y".into(),
        kind => format!("y (statistics {kind})"),
    }
}

/// Size of the frames: as high to wide as the grid, within limits.
fn size(across: usize, x: &Axis, ys: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let wide = if across >= ACROSS { 205.0 } else { 250.0 };
    let y = direction("", ys);
    let shape = ((y.high - y.low) / (x.high - x.low)).clamp(0.6, 1.4);
    (wide, wide * shape)
}

/// Gaps in grey, lines of equal height on them, their labels clear of a path.
pub(super) fn lines(grid: &Grid, scale: &Scale, clear_of: &[(f64, f64)]) -> Vec<Layer> {
    let gaps = grid
        .cells()
        .filter(|cell| !grid.whole(*cell))
        .map(|(c, r)| {
            let (from, to) = ((grid.xs[c], grid.ys[r]), (grid.xs[c + 1], grid.ys[r + 1]));
            (from, to, theme::MISSING)
        });
    let (low, high, log) = scale.color_range();
    let axis = if log {
        Axis::log("", low, high)
    } else {
        Axis::linear("", low, high)
    };
    let levels = scale.levels.iter().map(|&level| Level {
        label: level_label(level),
        color: theme::height_color(LIGHTEST * axis.position(level)),
        lines: level_lines(grid, level),
    });
    vec![
        Layer::Rectangles {
            rectangles: gaps.collect(),
        },
        Layer::Levels {
            clear_of: clear_of.to_vec(),
            levels: levels.filter(|level| !level.lines.is_empty()).collect(),
        },
    ]
}

/// The network itself.
fn centre() -> Layer {
    Layer::Marks {
        points: vec![(0.0, 0.0)],
        shape: Shape::Disc,
        radius: CENTRE,
        color: theme::PLAIN,
        opacity: 1.0,
    }
}

fn legend(scale: &Scale) -> Vec<Section> {
    let network = Entry {
        sample: Sample::Mark {
            shape: Shape::Disc,
            color: theme::PLAIN,
            radius: CENTRE,
            opacity: 1.0,
            line: false,
        },
        label: "network".into(),
    };
    let centre = Section {
        heading: String::new(),
        entries: vec![network],
    };
    vec![levels_legend(scale), centre]
}

/// A line for each level, or for some where there are many, the highest at the top.
pub(super) fn levels_legend(scale: &Scale) -> Section {
    let (low, high, log) = scale.color_range();
    let axis = if log {
        Axis::log("", low, high)
    } else {
        Axis::linear("", low, high)
    };
    let every = scale.levels.len().div_ceil(11).max(1);
    let entries = scale.levels.iter().rev().step_by(every).map(|level| Entry {
        sample: Sample::Line {
            color: theme::height_color(LIGHTEST * axis.position(*level)),
            dashed: false,
        },
        label: level_label(*level),
    });
    Section {
        heading: "Loss".into(),
        entries: entries.collect(),
    }
}

pub(super) fn levels_note(scale: &Scale) -> String {
    let mut note = if scale.paper {
        "Levels as in the paper, every 0.5 from 0.1 on, the same in all panels.".to_owned()
    } else {
        "The same levels in all panels.".to_owned()
    };
    if scale.clipped {
        let last = scale.levels.last().copied().unwrap_or(10.0);
        note.push_str(&format!(
            " The loss rises beyond 10; above {} there are no lines.",
            level_label(last)
        ));
    }
    note
}
