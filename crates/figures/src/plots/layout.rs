//! Where panels, legend and notes go.

use super::clip::Frame;
use super::{Figure, Panel, legend, panel};
use crate::scene::{Anchor, Item, Scene, Text};
use crate::text::{self, Weight};
use crate::theme;

/// Space between neighbouring panels.
const BETWEEN: f64 = 20.0;
/// Space between the panels and the legend.
const BEFORE_LEGEND: f64 = 20.0;
/// Height of a line of notes.
const NOTE_LINE: f64 = 15.0;

/// Lays a figure out. The canvas takes the size its content needs.
pub fn lay_out(figure: &Figure) -> Scene {
    let mut items = Vec::new();
    let frames = frames(figure);
    for (row, places) in figure.rows.iter().zip(&frames) {
        for (index, (panel, frame)) in row.iter().zip(places).enumerate() {
            panel::draw(panel, *frame, labelled(row, index), &mut items);
        }
    }
    let all = frames.iter().flatten();
    let right = all.clone().map(|f| f.2).fold(theme::MARGIN, f64::max);
    let top = all.clone().map(|f| f.1).fold(f64::MAX, f64::min);
    let bottom = all.map(|f| f.3).fold(theme::MARGIN, f64::max) + panel::BELOW;
    let (wide, tall) = legend::size(&figure.legend);
    if tall > 0.0 {
        legend::draw(
            &figure.legend,
            (right + BEFORE_LEGEND, top - 4.0),
            &mut items,
        );
    }
    let width = if tall > 0.0 {
        right + BEFORE_LEGEND + wide
    } else {
        right + 12.0
    };
    let mut end = bottom.max(top - 4.0 + tall);
    if !figure.notes.is_empty() {
        end += 8.0;
        for line in wrap(&figure.notes.join(" "), width - theme::MARGIN) {
            items.push(Item::Text(Text {
                words: line,
                at: (theme::MARGIN, end + 0.5 * NOTE_LINE),
                anchor: Anchor::Start,
                size: theme::NOTE_SIZE,
                weight: Weight::Regular,
                color: theme::QUIET,
                upwards: false,
            }));
            end += NOTE_LINE;
        }
    }
    Scene {
        title: figure.title.clone(),
        width: (width + theme::MARGIN).ceil() as u32,
        height: (end + theme::MARGIN).ceil() as u32,
        items,
    }
}

/// Whether a panel carries the labels of its y axis: the first does, and any with another axis.
fn labelled(row: &[Panel], index: usize) -> bool {
    index == 0 || row[index].y != row[0].y
}

/// The frame of every panel. The y axes of a column of rows are aligned.
fn frames(figure: &Figure) -> Vec<Vec<Frame>> {
    let (wide, tall) = figure.panel_size;
    let left = figure
        .rows
        .iter()
        .filter_map(|row| row.first())
        .map(|panel| panel::left_space(&panel.y))
        .fold(0.0, f64::max);
    // Frames begin on whole pixels, where thin lines are sharp.
    let left = (theme::MARGIN + left).ceil();
    let mut top = theme::MARGIN;
    let mut frames = Vec::new();
    for row in &figure.rows {
        if row.iter().any(|panel| !panel.title.is_empty()) {
            top += panel::ABOVE;
        }
        top = top.ceil();
        let mut x = left;
        let mut places = Vec::new();
        for index in 0..row.len() {
            if index > 0 && labelled(row, index) {
                x = (x + panel::left_space(&row[index].y)).ceil();
            }
            places.push((x, top, x + wide, top + tall));
            x += wide + BETWEEN;
        }
        frames.push(places);
        top += tall + panel::BELOW + 8.0;
    }
    frames
}

/// Breaks a text into lines no wider than `width`, at spaces.
fn wrap(words: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        if let Some(line) = lines.last_mut() {
            let longer = format!("{line} {word}");
            if text::width(&longer, theme::NOTE_SIZE, Weight::Regular) <= width {
                *line = longer;
                continue;
            }
        }
        lines.push(word.to_string());
    }
    lines
}
