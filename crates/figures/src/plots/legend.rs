//! The legend: sections of samples with labels, in a column.

use super::color_bar;
use super::panel::{label, line};
use super::{Sample, Section};
use crate::scene::{Anchor, Item};
use crate::text::{self, Weight};
use crate::theme;

/// Height of a line.
const LINE: f64 = 17.0;
/// Space above a section that is not the first.
const BETWEEN: f64 = 9.0;
/// Width of a sample.
const SAMPLE: f64 = 26.0;
/// Space between a sample and its label.
const GAP: f64 = 7.0;

/// Width and height of a legend.
pub(super) fn size(sections: &[Section]) -> (f64, f64) {
    let mut width = 0.0f64;
    let mut height = 0.0;
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            height += BETWEEN;
        }
        if !section.heading.is_empty() {
            let heading = text::width(&section.heading, theme::TICK_SIZE, Weight::SemiBold);
            width = width.max(heading);
            height += LINE;
        }
        for entry in &section.entries {
            if let Sample::ColorBar { low, high, log } = entry.sample {
                width = width.max(color_bar::width(low, high, log));
                height += color_bar::HEIGHT;
                continue;
            }
            let words = text::width(&entry.label, theme::TICK_SIZE, Weight::Regular);
            width = width.max(SAMPLE + GAP + words);
            height += LINE;
        }
    }
    (width, height)
}

/// Draws a legend with its upper left corner at (x, y).
pub(super) fn draw(sections: &[Section], (x, y): (f64, f64), items: &mut Vec<Item>) {
    let mut middle = y + 0.5 * LINE;
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            middle += BETWEEN;
        }
        if !section.heading.is_empty() {
            items.push(label(
                &section.heading,
                (x, middle),
                Anchor::Start,
                theme::TICK_SIZE,
                Weight::SemiBold,
            ));
            middle += LINE;
        }
        for entry in &section.entries {
            if let Sample::ColorBar { low, high, log } = entry.sample {
                color_bar::draw((low, high, log), (x, middle - 0.5 * LINE), items);
                middle += color_bar::HEIGHT;
                continue;
            }
            draw_sample(entry.sample, (x, middle), items);
            items.push(label(
                &entry.label,
                (x + SAMPLE + GAP, middle),
                Anchor::Start,
                theme::TICK_SIZE,
                Weight::Regular,
            ));
            middle += LINE;
        }
    }
}

fn draw_sample(sample: Sample, (x, y): (f64, f64), items: &mut Vec<Item>) {
    let centre = x + 0.5 * SAMPLE;
    match sample {
        Sample::Line { color, dashed } => items.push(Item::Line {
            points: vec![(x, y), (x + SAMPLE, y)],
            color,
            width: theme::LINE_WIDTH,
            dash: dashed.then_some(theme::DASH),
        }),
        Sample::Mark {
            shape,
            color,
            radius,
            opacity,
            line: with_line,
        } => {
            if with_line {
                items.push(line(
                    vec![(x, y), (x + SAMPLE, y)],
                    color,
                    theme::LINE_WIDTH,
                ));
            }
            items.push(Item::Mark {
                at: (centre, y),
                shape,
                radius,
                color,
                opacity,
            });
        }
        Sample::Band { color } => items.push(Item::Area {
            points: vec![
                (x, y - 5.0),
                (x + SAMPLE, y - 5.0),
                (x + SAMPLE, y + 5.0),
                (x, y + 5.0),
            ],
            color,
            opacity: 1.8 * theme::BAND_OPACITY,
        }),
        Sample::Interval { color } => {
            for stroke in [
                vec![(centre, y - 6.0), (centre, y + 6.0)],
                vec![(centre - 3.0, y - 6.0), (centre + 3.0, y - 6.0)],
                vec![(centre - 3.0, y + 6.0), (centre + 3.0, y + 6.0)],
            ] {
                items.push(line(stroke, color, 1.2));
            }
        }
        // Drawn as a whole line of the legend.
        Sample::ColorBar { .. } => {}
    }
}
