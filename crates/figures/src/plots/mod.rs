//! Figures as data: panels in rows beside a legend, laid out into a scene.
//!
//! Panels of a row share their y axis: only the first carries its labels, and any that has another
//! axis. The legend stands right
//! of the panels and notes below them, so neither can cover data.

mod clip;
mod color_bar;
mod layout;
mod legend;
mod levels;
mod means;
mod panel;
mod space;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::check;

use crate::axes::Axis;
use crate::contours::Grid;
use crate::scene::Shape;
use crate::theme::Rgb;

pub use layout::lay_out;
pub use levels::Level;
pub use means::{Means, beside};

/// A whole figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it shows, in one sentence.
    pub title: String,
    /// Panels, row by row from the top.
    pub rows: Vec<Vec<Panel>>,
    /// Width and height of the frame of each panel in logical pixels.
    pub panel_size: (f64, f64),
    /// Legend, section by section.
    pub legend: Vec<Section>,
    /// What a reader must know besides: printed under the panels.
    pub notes: Vec<String>,
}

/// The stem of a figure's files, with the figure or with why it cannot be drawn.
pub type Named = (String, Result<Figure, String>);

/// One pair of axes with what is drawn in them.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Printed above; may be empty.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn, the first at the back. Values beyond the axes are cut off at the frame.
    pub layers: Vec<Layer>,
}

/// A rectangle: one corner, the opposite one, colour.
pub type Rectangle = ((f64, f64), (f64, f64), Rgb);

/// Data drawn in a panel, in the units of its axes.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// The area between a lower and an upper curve: (x, low, high).
    Band {
        /// Its points in order of x.
        points: Vec<(f64, f64, f64)>,
        /// Colour, drawn lightly.
        color: Rgb,
    },
    /// A curve.
    Line {
        /// Its points.
        points: Vec<(f64, f64)>,
        /// Colour.
        color: Rgb,
        /// Width in pixels.
        width: f64,
        /// Dashed rather than solid.
        dashed: bool,
    },
    /// Vertical intervals with caps: (x, low, high).
    Intervals {
        /// Its points.
        points: Vec<(f64, f64, f64)>,
        /// Colour.
        color: Rgb,
    },
    /// Marks at points; one beyond the axes is put on the frame.
    Marks {
        /// Its points.
        points: Vec<(f64, f64)>,
        /// Shape of the marks.
        shape: Shape,
        /// Half their width in pixels.
        radius: f64,
        /// Colour.
        color: Rgb,
        /// From 0 (invisible) to 1.
        opacity: f64,
    },
    /// Lines of equal height, each with its level written on it where there is room.
    Levels {
        /// From the lowest.
        levels: Vec<Level>,
        /// A path that their labels keep clear of.
        clear_of: Vec<(f64, f64)>,
    },
    /// Filled rectangles.
    Rectangles {
        /// The first at the back.
        rectangles: Vec<Rectangle>,
    },
    /// A surface over the panel's axes in three dimensions, seen from the front right. It takes the
    /// whole panel: nothing else is drawn in it.
    Space {
        /// Its heights; cells with a corner that is not finite are left out.
        surface: Grid,
        /// The vertical axis. Heights beyond it are cut off.
        z: Axis,
    },
}

/// A part of a legend under its own heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Heading; may be empty.
    pub heading: String,
    /// Its entries in order.
    pub entries: Vec<Entry>,
}

/// A line of a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What stands in front of the label.
    pub sample: Sample,
    /// The label.
    pub label: String,
}

/// The sample in front of a legend's label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// A stretch of a curve.
    Line {
        /// Colour.
        color: Rgb,
        /// Dashed rather than solid.
        dashed: bool,
    },
    /// A mark, with a stretch of curve through it if `line`.
    Mark {
        /// Its shape.
        shape: Shape,
        /// Colour.
        color: Rgb,
        /// Half its width in pixels.
        radius: f64,
        /// From 0 (invisible) to 1.
        opacity: f64,
        /// Whether a curve runs through it.
        line: bool,
    },
    /// A patch of a band.
    Band {
        /// Colour.
        color: Rgb,
    },
    /// A vertical interval with caps.
    Interval {
        /// Colour.
        color: Rgb,
    },
    /// A bar of the colours of heights with its ticks; the entry's label is not drawn.
    ColorBar {
        /// Height with the darkest colour.
        low: f64,
        /// Height with the lightest colour.
        high: f64,
        /// Whether equal steps are equal factors.
        log: bool,
    },
}
