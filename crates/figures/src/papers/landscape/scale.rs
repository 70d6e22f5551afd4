//! One scale of heights and one set of levels for all panels of a figure.

use crate::axes::{Axis, nice_step};
use crate::contours::Grid;

/// Above this, surfaces are cut off as in the paper's three-dimensional figures.
const CLIP: f64 = 10.0;
/// A log scale reaches down at most this factor below what a tenth of the points lie under.
const BELOW: f64 = 1e3;
/// From this ratio of highest to lowest on the scale is logarithmic.
const LOG_FROM: f64 = 8.0;
/// A panel must cross this many of the paper's levels for them to be used.
const CROSSED: usize = 3;

/// Heights of a figure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    /// Levels of contours, ascending.
    pub levels: Vec<f64>,
    /// Whether they are the paper's: 0.1, 0.6, …, 9.6.
    pub paper: bool,
    /// The vertical axis of surfaces, `Loss`.
    pub axis: Axis,
    /// Whether there is more above the axis.
    pub clipped: bool,
}

impl Scale {
    /// That fits all these.
    pub(super) fn of(grids: &[&Grid]) -> Scale {
        let mut all: Vec<f64> = grids.iter().flat_map(|grid| grid.finite()).collect();
        all.sort_by(f64::total_cmp);
        let (low, high) = match (all.first(), all.last()) {
            (Some(low), Some(high)) => (*low, *high),
            _ => (0.0, 1.0),
        };
        // Where most of it lies higher there is nothing to see below.
        let mostly_below = 2 * all.partition_point(|v| *v <= CLIP) >= all.len();
        let clipped = high > CLIP && mostly_below;
        let top = if clipped { CLIP } else { high };
        let positive = all.iter().copied().find(|v| *v > 0.0);
        let axis = match positive {
            Some(least) if low >= 0.0 && top / least > LOG_FROM => {
                let low_end = all[all.len() / 10].min(top);
                Axis::log("Loss", rounded_down(least.max(low_end / BELOW)), top)
            }
            _ => linear(low, top),
        };
        let paper: Vec<f64> = (0..20).map(|k| 0.1 + 0.5 * f64::from(k)).collect();
        let fits = mostly_below && grids.iter().all(|grid| crossed(grid, &paper) >= CROSSED);
        let levels = if fits { paper } else { levels(&axis) };
        let reached = levels
            .into_iter()
            .filter(|level| *level > low && *level < high);
        Scale {
            levels: reached.collect(),
            paper: fits,
            axis,
            clipped,
        }
    }

    /// Where a level's colour lies: evenly over the levels on the scale of the axis.
    pub(super) fn color_range(&self) -> (f64, f64, bool) {
        let low = self.levels.first().copied().unwrap_or(self.axis.low);
        let high = self.levels.last().copied().unwrap_or(self.axis.high);
        let log = self.axis.log && low > 0.0;
        (
            low,
            if high > low {
                high
            } else {
                low + low.abs().max(1.0)
            },
            log,
        )
    }
}

fn crossed(grid: &Grid, levels: &[f64]) -> usize {
    let (low, high) = grid.range().unwrap_or((0.0, 0.0));
    levels.iter().filter(|v| **v > low && **v < high).count()
}

fn linear(low: f64, high: f64) -> Axis {
    let step = nice_step((high - low).max(f64::MIN_POSITIVE), 6);
    if high > low {
        Axis::linear(
            "Loss",
            (low / step).floor() * step,
            (high / step).ceil() * step,
        )
    } else {
        Axis::linear("Loss", low - 0.5, low + 0.5)
    }
}

/// The next of 1, 2, 5 times a power of ten below.
fn rounded_down(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    let factors = [5.0, 2.0, 1.0].into_iter();
    factors
        .map(|f| f * unit)
        .find(|v| *v <= value)
        .unwrap_or(unit)
}

/// About a dozen round levels over an axis.
fn levels(axis: &Axis) -> Vec<f64> {
    if !axis.log {
        let step = nice_step(axis.high - axis.low, 12);
        let first = (axis.low / step).ceil() as i64;
        let last = (axis.high / step).floor() as i64;
        return (first..=last).map(|k| k as f64 * step).collect();
    }
    let decades = (axis.high / axis.low).log10();
    let steps: &[f64] = match decades {
        d if d > 8.0 => &[1.0],
        d if d > 4.0 => &[1.0, 3.0],
        d if d > 2.0 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0],
    };
    let (first, last) = (
        axis.low.log10().floor() as i32,
        axis.high.log10().ceil() as i32,
    );
    let all =
        (first..=last).flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
    all.filter(|level| axis.holds(*level)).collect()
}

/// A level as it is written on its line.
pub(super) fn level_label(level: f64) -> String {
    if level == 0.0 || (1e-3..1e4).contains(&level.abs()) {
        // Round levels have three digits at most: the shortest form of the rounded number.
        let digits = 2 - level.abs().max(1e-12).log10().floor() as i32;
        let unit = 10f64.powi(digits);
        let rounded = (level * unit).round() / unit;
        return format!("{rounded}").replace('-', "−");
    }
    let exponent = level.abs().log10().floor() as i32;
    format!("{:.0}e{exponent}", level / 10f64.powi(exponent)).replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(values: &[f64]) -> Grid {
        let points: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(i, v)| (i as f64, 0.0, *v))
            .collect();
        Grid::from_points(&points)
    }

    #[test]
    fn the_papers_levels_where_every_panel_crosses_some() {
        let (chaotic, smooth) = (grid(&[0.2, 3.0, 40.0]), grid(&[0.05, 0.3, 2.0]));
        let scale = Scale::of(&[&chaotic, &smooth]);
        assert!(scale.paper && scale.clipped && scale.axis.log);
        assert_eq!(scale.axis.high, 10.0);
        assert_eq!(scale.levels.len(), 20);
        assert!((scale.levels[19] - 9.6).abs() < 1e-12);
        // One flat panel: round levels of its own.
        let flat = grid(&[0.021, 0.022, 0.35]);
        let scale = Scale::of(&[&flat, &smooth]);
        assert!(!scale.paper && !scale.clipped);
        assert!(
            scale
                .levels
                .iter()
                .any(|level| (*level - 0.1).abs() < 1e-12)
        );
    }

    #[test]
    fn narrow_wide_and_empty_ranges_have_levels_within() {
        for values in [
            vec![2.0, 2.1, 2.3],
            vec![1e-9, 1e9, 1e9],
            vec![-3.0, 5.0],
            vec![0.0, 1.0],
            vec![7.0],
        ] {
            let scale = Scale::of(&[&grid(&values)]);
            assert!(scale.levels.len() <= 24, "{values:?}: {:?}", scale.levels);
            let (low, high, _) = scale.color_range();
            assert!(low < high);
            for level in &scale.levels {
                assert!(*level > values[0] && *level < values[values.len() - 1]);
            }
        }
        assert!(Scale::of(&[&grid(&[2.0, 2.1, 2.3])]).levels.len() > 2);
        let (low, high, _) = Scale::of(&[&grid(&[])]).color_range();
        assert!(low < high);
    }

    #[test]
    fn a_log_scale_holds_the_network_under_very_high_hills() {
        // As around deep untrained networks: 2 at the centre, 1e18 far from it.
        let values: Vec<f64> = (0..50)
            .map(|i| 2.0 * 10f64.powf(0.37 * f64::from(i)))
            .collect();
        let axis = Scale::of(&[&grid(&values)]).axis;
        assert!(axis.log && axis.holds(2.0) && axis.holds(values[49]));
        // One point next to zero does not stretch it.
        let mut values = vec![1e-12];
        values.extend((1..50).map(f64::from));
        assert!(Scale::of(&[&grid(&values)]).axis.low >= 1e-3);
    }

    #[test]
    fn levels_are_written_short() {
        let written = [0.1, 0.6, 5.1, 9.6, 150.0, 2e-5, 3e7, -0.5].map(level_label);
        assert_eq!(
            written,
            ["0.1", "0.6", "5.1", "9.6", "150", "2e−5", "3e7", "−0.5"]
        );
    }
}
