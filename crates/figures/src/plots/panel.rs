//! One panel: grid, data, frame, ticks and labels.

use super::clip::{self, Frame};
use super::{Layer, Panel, levels, space};
use crate::axes::Axis;
use crate::scene::{Anchor, Item, Position, Shape, Text};
use crate::text::{self, Weight};
use crate::theme;

/// Space between a tick and its label.
const LABEL_GAP: f64 = 4.0;
/// Half the width of the caps of an interval.
const CAP: f64 = 3.0;
/// Least space between neighbouring tick labels.
const LEAST_GAP: f64 = 5.0;

/// Space the y axis needs left of the frame.
pub(super) fn left_space(axis: &Axis) -> f64 {
    let widest = axis
        .ticks
        .iter()
        .map(|(_, label)| text::width(label, theme::TICK_SIZE, Weight::Regular))
        .fold(0.0, f64::max);
    theme::TICK + LABEL_GAP + widest + 10.0 + theme::LABEL_SIZE
}

/// Space the x axis needs below the frame.
pub(super) const BELOW: f64 =
    theme::TICK + LABEL_GAP + theme::TICK_SIZE + 7.0 + theme::LABEL_SIZE + 2.0;

/// Space a title needs above the frame.
pub(super) const ABOVE: f64 = theme::TITLE_SIZE + 9.0;

/// Draws a panel into a frame; `labelled` panels carry the labels of the y axis.
pub(super) fn draw(panel: &Panel, frame: Frame, labelled: bool, items: &mut Vec<Item>) {
    for layer in &panel.layers {
        if let Layer::Space { surface, z } = layer {
            space::draw(panel, surface, z, frame, items);
            title(panel, frame, items);
            return;
        }
    }
    for (value, _) in &panel.y.ticks {
        let y = vertical(panel, frame, *value);
        items.push(line(
            vec![(frame.0, y), (frame.2, y)],
            theme::GRID,
            theme::GRID_WIDTH,
        ));
    }
    for layer in &panel.layers {
        draw_layer(panel, layer, frame, items);
    }
    let (l, t, r, b) = frame;
    let around = vec![(l, t), (r, t), (r, b), (l, b), (l, t)];
    items.push(line(around, theme::INK, theme::AXIS_WIDTH));
    x_axis(panel, frame, items);
    y_axis(panel, frame, labelled, items);
    title(panel, frame, items);
}

fn title(panel: &Panel, frame: Frame, items: &mut Vec<Item>) {
    if panel.title.is_empty() {
        return;
    }
    items.push(label(
        &panel.title,
        (0.5 * (frame.0 + frame.2), frame.1 - 0.55 * ABOVE),
        Anchor::Middle,
        theme::TITLE_SIZE,
        Weight::SemiBold,
    ));
}

fn horizontal(panel: &Panel, frame: Frame, value: f64) -> f64 {
    frame.0 + panel.x.position(value) * (frame.2 - frame.0)
}

fn vertical(panel: &Panel, frame: Frame, value: f64) -> f64 {
    frame.3 - panel.y.position(value) * (frame.3 - frame.1)
}

fn draw_layer(panel: &Panel, layer: &Layer, frame: Frame, items: &mut Vec<Item>) {
    let place = |x: f64, y: f64| (horizontal(panel, frame, x), vertical(panel, frame, y));
    match layer {
        Layer::Band { points, color } => {
            let upper = points.iter().map(|&(x, _, high)| place(x, high));
            let lower = points.iter().rev().map(|&(x, low, _)| place(x, low));
            let polygon: Vec<Position> = upper.chain(lower).collect();
            let points = clip::area(&polygon, frame);
            if points.len() > 2 {
                items.push(Item::Area {
                    points,
                    color: *color,
                    opacity: theme::BAND_OPACITY,
                });
            }
        }
        Layer::Line {
            points,
            color,
            width,
            dashed,
        } => {
            let points: Vec<Position> = points.iter().map(|&(x, y)| place(x, y)).collect();
            for points in clip::curve(&points, frame) {
                items.push(Item::Line {
                    points,
                    color: *color,
                    width: *width,
                    dash: dashed.then_some(theme::DASH),
                });
            }
        }
        Layer::Intervals { points, color } => {
            for &(x, low, high) in points {
                let (from, to) = (place(x, low), place(x, high));
                for stroke in [
                    vec![from, to],
                    vec![(from.0 - CAP, from.1), (from.0 + CAP, from.1)],
                    vec![(to.0 - CAP, to.1), (to.0 + CAP, to.1)],
                ] {
                    for points in clip::curve(&stroke, frame) {
                        items.push(line(points, *color, 1.2));
                    }
                }
            }
        }
        Layer::Marks {
            points,
            shape,
            radius,
            color,
            opacity,
        } => items.extend(points.iter().map(|&(x, y)| {
            let (x, y) = place(x, y);
            Item::Mark {
                at: (x.clamp(frame.0, frame.2), inner(y, frame, *shape, *radius)),
                shape: *shape,
                radius: *radius,
                color: *color,
                opacity: *opacity,
            }
        })),
        Layer::Levels { levels, clear_of } => {
            levels::draw(levels, clear_of, place, frame, items);
        }
        Layer::Rectangles { rectangles } => {
            for &(from, to, color) in rectangles {
                let (a, b) = (place(from.0, from.1), place(to.0, to.1));
                // A little over, lest the page shine through between neighbours.
                let (right, below) = (a.0.max(b.0) + 0.3, a.1.max(b.1) + 0.3);
                let (left, above) = (a.0.min(b.0), a.1.min(b.1));
                let corners = [(left, above), (right, above), (right, below), (left, below)];
                let points = clip::area(&corners, frame);
                if points.len() > 2 {
                    items.push(Item::Area {
                        points,
                        color,
                        opacity: 1.0,
                    });
                }
            }
        }
        // Taken before.
        Layer::Space { .. } => {}
    }
}

/// A mark beyond the frame moves onto it; a cross wholly inside, so that it is seen for what it is.
fn inner(y: f64, frame: Frame, shape: Shape, radius: f64) -> f64 {
    match shape {
        Shape::Cross => y.clamp(frame.1 + radius + 2.0, frame.3 - radius - 2.0),
        _ => y.clamp(frame.1, frame.3),
    }
}

fn x_axis(panel: &Panel, frame: Frame, items: &mut Vec<Item>) {
    let (l, _, r, b) = frame;
    let mut free = f64::MIN;
    // The last tick counts most (the deepest network): a label too near to it gives way.
    let last = panel.x.ticks.last().map(|(value, name)| {
        let half = 0.5 * text::width(name, theme::TICK_SIZE, Weight::Regular);
        horizontal(panel, frame, *value) - half - LEAST_GAP
    });
    let count = panel.x.ticks.len();
    for (index, (value, name)) in panel.x.ticks.iter().enumerate() {
        let x = horizontal(panel, frame, *value);
        items.push(line(
            vec![(x, b), (x, b + theme::TICK)],
            theme::INK,
            theme::AXIS_WIDTH,
        ));
        let half = 0.5 * text::width(name, theme::TICK_SIZE, Weight::Regular);
        let crowded = x - half < free || (index + 1 < count && last.is_some_and(|l| x + half > l));
        if !crowded {
            free = x + half + LEAST_GAP;
            let below = b + theme::TICK + LABEL_GAP + 0.5 * theme::TICK_SIZE;
            items.push(label(
                name,
                (x, below),
                Anchor::Middle,
                theme::TICK_SIZE,
                Weight::Regular,
            ));
        }
    }
    for value in &panel.x.minor {
        let x = horizontal(panel, frame, *value);
        items.push(line(
            vec![(x, b), (x, b + 0.5 * theme::TICK)],
            theme::INK,
            0.6,
        ));
    }
    let below = b + BELOW - 0.5 * theme::LABEL_SIZE - 2.0;
    items.push(label(
        &panel.x.label,
        (0.5 * (l + r), below),
        Anchor::Middle,
        theme::LABEL_SIZE,
        Weight::Regular,
    ));
}

fn y_axis(panel: &Panel, frame: Frame, labelled: bool, items: &mut Vec<Item>) {
    let (l, t, _, b) = frame;
    for (value, name) in &panel.y.ticks {
        let y = vertical(panel, frame, *value);
        items.push(line(
            vec![(l - theme::TICK, y), (l, y)],
            theme::INK,
            theme::AXIS_WIDTH,
        ));
        if labelled {
            items.push(label(
                name,
                (l - theme::TICK - LABEL_GAP, y),
                Anchor::End,
                theme::TICK_SIZE,
                Weight::Regular,
            ));
        }
    }
    for value in &panel.y.minor {
        let y = vertical(panel, frame, *value);
        items.push(line(
            vec![(l - 0.5 * theme::TICK, y), (l, y)],
            theme::INK,
            0.6,
        ));
    }
    if labelled {
        let Item::Text(mut name) = label(
            &panel.y.label,
            (
                l - left_space(&panel.y) + 0.5 * theme::LABEL_SIZE,
                0.5 * (t + b),
            ),
            Anchor::Middle,
            theme::LABEL_SIZE,
            Weight::Regular,
        ) else {
            return;
        };
        name.upwards = true;
        items.push(Item::Text(name));
    }
}

pub(super) fn line(points: Vec<Position>, color: theme::Rgb, width: f64) -> Item {
    Item::Line {
        points,
        color,
        width,
        dash: None,
    }
}

pub(super) fn label(words: &str, at: Position, anchor: Anchor, size: f64, weight: Weight) -> Item {
    Item::Text(Text {
        words: words.into(),
        at,
        anchor,
        size,
        weight,
        color: theme::INK,
        upwards: false,
    })
}
