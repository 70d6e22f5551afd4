//! The bar that says which colour is which height.

use super::panel::{label, line};
use crate::axes::Axis;
use crate::scene::{Anchor, Item, Position};
use crate::text::{self, Weight};
use crate::theme;

/// Height of the bar with the room around it.
pub(super) const HEIGHT: f64 = 172.0;

const BAR: f64 = 14.0;
const ABOVE: f64 = 8.0;
const STEPS: usize = 48;
const GAP: f64 = 4.0;

fn axis(low: f64, high: f64, log: bool) -> Axis {
    if log {
        Axis::log("", low, high)
    } else {
        Axis::linear("", low, high)
    }
}

/// Its width with its tick labels.
pub(super) fn width(low: f64, high: f64, log: bool) -> f64 {
    let ticks = axis(low, high, log).ticks;
    let widest = ticks
        .iter()
        .map(|(_, name)| text::width(name, theme::TICK_SIZE, Weight::Regular))
        .fold(0.0, f64::max);
    BAR + theme::TICK + GAP + widest
}

/// Draws it with its upper left corner at (x, y).
pub(super) fn draw((low, high, log): (f64, f64, bool), (x, y): Position, items: &mut Vec<Item>) {
    let axis = axis(low, high, log);
    let (top, bottom) = (y + ABOVE, y + HEIGHT - ABOVE);
    let height = |position: f64| bottom - position * (bottom - top);
    for step in 0..STEPS {
        let from = height(step as f64 / STEPS as f64);
        // A little over, lest the page shine through between steps.
        let to = (height((step + 1) as f64 / STEPS as f64) - 0.3).max(top);
        items.push(Item::Area {
            points: vec![(x, from), (x + BAR, from), (x + BAR, to), (x, to)],
            color: theme::height_color((step as f64 + 0.5) / STEPS as f64),
            opacity: 1.0,
        });
    }
    let right = x + BAR;
    let around = vec![
        (x, top),
        (right, top),
        (right, bottom),
        (x, bottom),
        (x, top),
    ];
    items.push(line(around, theme::INK, theme::AXIS_WIDTH));
    let mut last = f64::MAX;
    for (value, name) in &axis.ticks {
        let y = height(axis.position(*value));
        let tick = vec![(right, y), (right + theme::TICK, y)];
        items.push(line(tick, theme::INK, theme::AXIS_WIDTH));
        if last - y >= theme::TICK_SIZE + 2.0 {
            items.push(label(
                name,
                (right + theme::TICK + GAP, y),
                Anchor::Start,
                theme::TICK_SIZE,
                Weight::Regular,
            ));
            last = y;
        }
    }
}
