//! Values over seeds at places along an axis: single runs faint, their mean with its 95 % interval,
//! a line through the means.

use reslab_results::statistics::summarise;

use super::{Layer, Sample};
use crate::axes::Axis;
use crate::scene::Shape;
use crate::theme::{self, Rgb};

const MEAN_RADIUS: f64 = 4.0;
const SEED_RADIUS: f64 = 2.4;

/// How a line of means looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Means {
    /// Colour of all of it.
    pub color: Rgb,
    /// Shape of the marks.
    pub shape: Shape,
    /// Dashed rather than solid.
    pub dashed: bool,
}

impl Means {
    /// Its sample in a legend.
    pub fn sample(self) -> Sample {
        Sample::Mark {
            shape: self.shape,
            color: self.color,
            radius: MEAN_RADIUS,
            opacity: 1.0,
            line: true,
        }
    }

    /// What is drawn of values at their places: the line, intervals, single runs where there are
    /// several, and means.
    pub fn layers<'v>(self, values: impl IntoIterator<Item = (f64, &'v Vec<f64>)>) -> Vec<Layer> {
        let (mut means, mut intervals, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
        for (x, all) in values {
            let Some(summary) = summarise(all) else {
                continue;
            };
            means.push((x, summary.mean));
            intervals.extend(summary.interval.map(|(low, high)| (x, low, high)));
            if all.len() > 1 {
                seeds.extend(all.iter().map(|value| (x, *value)));
            }
        }
        let Self {
            color,
            shape,
            dashed,
        } = self;
        let marks = |points, radius, opacity| Layer::Marks {
            points,
            shape,
            radius,
            color,
            opacity,
        };
        vec![
            Layer::Line {
                points: means.clone(),
                color,
                width: theme::LINE_WIDTH,
                dashed,
            },
            Layer::Intervals {
                points: intervals,
                color,
            },
            marks(seeds, SEED_RADIUS, theme::SEED_OPACITY),
            marks(means, MEAN_RADIUS, 1.0),
        ]
    }
}

/// A place on an axis moved to the right by a share of the axis, so that lines that meet can be told
/// apart.
pub fn beside(value: f64, x: &Axis, share: f64) -> f64 {
    if x.log {
        value * (x.high / x.low).powf(share)
    } else {
        value + share * (x.high - x.low)
    }
}
