//! Lines of equal height with their levels written on them.
//!
//! A label stands upright on its line, on a patch of white, where the line runs most level, inside
//! the frame and clear of other labels; a line too short for one has none.

use super::clip::{self, Frame};
use crate::scene::{Anchor, Item, Position, Text};
use crate::text::Weight;
use crate::theme::{self, Rgb};

/// One height and the lines along it.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// What is written on the lines.
    pub label: String,
    /// Colour of the lines.
    pub color: Rgb,
    /// The lines, in the units of the axes.
    pub lines: Vec<Vec<(f64, f64)>>,
}

const WIDTH: f64 = 1.1;
const SIZE: f64 = 8.5;
/// Room between labels, and between a label and the frame.
const ROOM: f64 = 3.0;
/// A line must be this many times as long as its label.
const LONG_ENOUGH: f64 = 2.5;
/// Places tried along a line.
const TRIED: usize = 32;
/// Labels stay this far from a path.
const NEAR: f64 = 2.5;
/// Labels of one level in a panel.
const MOST: usize = 2;

type Extent = (f64, f64, f64, f64);

/// Draws the lines, then their labels, the lowest level first, clear of a path.
pub(super) fn draw(
    levels: &[Level],
    clear_of: &[(f64, f64)],
    place: impl Fn(f64, f64) -> Position,
    frame: Frame,
    items: &mut Vec<Item>,
) {
    let mut labelled: Vec<Vec<Vec<Position>>> = Vec::new();
    for level in levels {
        let mut pieces = Vec::new();
        for line in &level.lines {
            let points: Vec<Position> = line.iter().map(|&(x, y)| place(x, y)).collect();
            pieces.extend(clip::curve(&points, frame));
        }
        items.extend(pieces.iter().map(|points| Item::Line {
            points: points.clone(),
            color: level.color,
            width: WIDTH,
            dash: None,
        }));
        labelled.push(pieces);
    }
    let path: Vec<Position> = clear_of.iter().map(|&(x, y)| place(x, y)).collect();
    let mut taken = along_path(&path);
    for (level, mut pieces) in levels.iter().zip(labelled) {
        pieces.sort_by(|a, b| length(b).total_cmp(&length(a)));
        let mut count = 0;
        for piece in &pieces {
            let Some(text) = position(piece, &level.label, frame, &taken) else {
                continue;
            };
            taken.push(text.extent());
            push(text, items);
            count += 1;
            if count == MOST {
                break;
            }
        }
    }
}

/// Small boxes all along a path, close enough to each other that no label fits between.
fn along_path(path: &[Position]) -> Vec<Extent> {
    let boxed = |(x, y): Position| (x - NEAR, y - NEAR, x + NEAR, y + NEAR);
    let mut boxes: Vec<Extent> = path.iter().copied().map(boxed).collect();
    for pair in path.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let count = ((b.0 - a.0).hypot(b.1 - a.1) / NEAR).floor() as usize;
        boxes.extend((1..=count).map(|step| {
            let part = step as f64 / (count + 1) as f64;
            boxed((a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1)))
        }));
    }
    boxes
}

/// The text on its patch of white.
fn push(text: Text, items: &mut Vec<Item>) {
    let (l, t, r, b) = text.extent();
    let (l, t, r, b) = (l - 1.0, t - 1.0, r + 1.0, b - 0.5);
    items.push(Item::Area {
        points: vec![(l, t), (r, t), (r, b), (l, b)],
        color: (255, 255, 255),
        opacity: 0.85,
    });
    items.push(Item::Text(text));
}

fn length(line: &[Position]) -> f64 {
    line.windows(2)
        .map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1))
        .sum()
}

/// Where a line's label goes: of the places with room, where the line is most level.
fn position(line: &[Position], words: &str, frame: Frame, taken: &[Extent]) -> Option<Text> {
    let whole = length(line);
    let mut best: Option<(f64, Text)> = None;
    for step in 0..TRIED {
        // From the middle outwards, so that of equal places the middle one wins.
        let half = (step / 2) as f64 / TRIED as f64;
        let part = if step % 2 == 0 {
            0.5 + half
        } else {
            0.5 - half
        };
        let (at, slope) = along(line, part * whole)?;
        let text = Text {
            words: words.into(),
            at,
            anchor: Anchor::Middle,
            size: SIZE,
            weight: Weight::Regular,
            color: theme::INK,
            upwards: false,
        };
        let (l, t, r, b) = text.extent();
        if whole < LONG_ENOUGH * (r - l) {
            return None;
        }
        let inside =
            l > frame.0 + ROOM && t > frame.1 + ROOM && r < frame.2 - ROOM && b < frame.3 - ROOM;
        let free = taken
            .iter()
            .all(|o| r + ROOM < o.0 || l > o.2 + ROOM || b + ROOM < o.1 || t > o.3 + ROOM);
        let better = best.as_ref().is_none_or(|(least, _)| slope < *least - 1e-9);
        if inside && free && better {
            best = Some((slope, text));
        }
    }
    best.map(|(_, text)| text)
}

/// The point this far along a line, and how steep the line is there: 0 level, 1 upright.
fn along(line: &[Position], mut distance: f64) -> Option<(Position, f64)> {
    let mut found = None;
    for pair in line.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let step = (b.0 - a.0).hypot(b.1 - a.1);
        if step > 0.0 {
            let part = (distance / step).min(1.0);
            let at = (a.0 + part * (b.0 - a.0), a.1 + part * (b.1 - a.1));
            found = Some((at, (b.1 - a.1).abs() / step));
            if distance <= step {
                break;
            }
        }
        distance -= step;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_clear_of_a_path() {
        // A level line with its flat part in the middle, and a path right across that.
        let level = Level {
            label: "0.6".into(),
            color: (0, 0, 0),
            lines: vec![vec![(10.0, 90.0), (40.0, 50.0), (60.0, 50.0), (90.0, 90.0)]],
        };
        let label = |path: &[(f64, f64)]| {
            let mut items = Vec::new();
            let frame = (0.0, 0.0, 100.0, 100.0);
            draw(
                std::slice::from_ref(&level),
                path,
                |x, y| (x, y),
                frame,
                &mut items,
            );
            items.iter().find_map(|item| match item {
                Item::Text(text) => Some(text.extent()),
                _ => None,
            })
        };
        let free = label(&[]).expect("a label");
        assert!(free.1 < 50.0 && free.3 > 50.0, "on the flat part: {free:?}");
        let aside = label(&[(50.0, 0.0), (50.0, 100.0)]).expect("a label");
        assert!(aside.2 < 50.0 || aside.0 > 50.0, "{aside:?}");
        // No room at all: no label.
        let all: Vec<(f64, f64)> = (0..=100)
            .flat_map(|i| [(f64::from(i), 0.0), (f64::from(i), 100.0)])
            .collect();
        assert_eq!(label(&all), None);
    }
}
