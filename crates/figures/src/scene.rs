//! A laid-out figure: a flat list of shapes and texts in logical pixels, origin top left.
//!
//! The layout makes one scene; both back ends draw that same scene. Being data, it can be asked
//! whether every text lies inside the canvas.

use crate::text::{self, Weight};
use crate::theme::Rgb;

/// A position in logical pixels, y downwards.
pub type Position = (f64, f64);

/// Where a text's position lies in its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The text starts there.
    Start,
    /// The text is centred there.
    Middle,
    /// The text ends there.
    End,
}

/// A line of text, centred vertically on its capital letters.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// The words.
    pub words: String,
    /// The anchor's position.
    pub at: Position,
    /// Where the anchor lies in the text.
    pub anchor: Anchor,
    /// Pixels per em.
    pub size: f64,
    /// Weight of the font.
    pub weight: Weight,
    /// Colour.
    pub color: Rgb,
    /// Turned a quarter to the left, so that it reads upwards.
    pub upwards: bool,
}

impl Text {
    /// Its box: left, top, right, bottom.
    pub fn extent(&self) -> (f64, f64, f64, f64) {
        let width = text::width(&self.words, self.size, self.weight);
        let before = match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => 0.5 * width,
            Anchor::End => width,
        };
        let up = 0.5 * text::CAP_HEIGHT * self.size;
        let down = up + text::DESCENT * self.size;
        let (x, y) = self.at;
        if self.upwards {
            (x - up, y - width + before, x + down, y + before)
        } else {
            (x - before, y - up, x + width - before, y + down)
        }
    }
}

/// The shapes of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A filled circle.
    Disc,
    /// A filled square.
    Square,
    /// A cross of two strokes: a diverged run.
    Cross,
}

/// One thing to draw.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A stroke through points.
    Line {
        /// Its points.
        points: Vec<Position>,
        /// Colour.
        color: Rgb,
        /// Width of the stroke.
        width: f64,
        /// On and off lengths; solid without.
        dash: Option<(f64, f64)>,
    },
    /// A filled polygon.
    Area {
        /// Its corners.
        points: Vec<Position>,
        /// Colour.
        color: Rgb,
        /// From 0 (invisible) to 1.
        opacity: f64,
    },
    /// A mark at a point.
    Mark {
        /// Its centre.
        at: Position,
        /// Shape.
        shape: Shape,
        /// Half its width.
        radius: f64,
        /// Colour.
        color: Rgb,
        /// From 0 (invisible) to 1.
        opacity: f64,
    },
    /// A line of text.
    Text(Text),
}

/// A figure ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// What it shows, in one sentence: kept in the SVG for readers that cannot see it.
    pub title: String,
    /// Width in logical pixels.
    pub width: u32,
    /// Height in logical pixels.
    pub height: u32,
    /// What to draw, the first at the back.
    pub items: Vec<Item>,
}

impl Scene {
    /// All texts.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        self.items.iter().filter_map(|item| match item {
            Item::Text(text) => Some(text),
            _ => None,
        })
    }

    /// The corners of the box around everything drawn: left, top, right, bottom.
    pub fn extent(&self) -> (f64, f64, f64, f64) {
        let mut all = (f64::MAX, f64::MAX, f64::MIN, f64::MIN);
        let mut grow = |l: f64, t: f64, r: f64, b: f64| {
            all = (all.0.min(l), all.1.min(t), all.2.max(r), all.3.max(b));
        };
        for item in &self.items {
            match item {
                Item::Line { points, width, .. } => {
                    let w = 0.5 * width;
                    points
                        .iter()
                        .for_each(|p| grow(p.0 - w, p.1 - w, p.0 + w, p.1 + w));
                }
                Item::Area { points, .. } => points.iter().for_each(|p| grow(p.0, p.1, p.0, p.1)),
                Item::Mark { at, radius: r, .. } => {
                    grow(at.0 - r, at.1 - r, at.0 + r, at.1 + r);
                }
                Item::Text(text) => {
                    let (l, t, r, b) = text.extent();
                    grow(l, t, r, b);
                }
            }
        }
        all
    }
}
