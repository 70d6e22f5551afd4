//! Axes: a range, a scale, and ticks at round numbers.

/// One axis of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it measures, with the unit in brackets.
    pub label: String,
    /// Value at the left or lower end.
    pub low: f64,
    /// Value at the right or upper end.
    pub high: f64,
    /// Whether equal steps are equal factors.
    pub log: bool,
    /// Labelled ticks.
    pub ticks: Vec<(f64, String)>,
    /// Ticks without label.
    pub minor: Vec<f64>,
}

impl Axis {
    /// A linear axis with exactly this range.
    pub fn linear(label: &str, low: f64, high: f64) -> Axis {
        Axis::scaled(label, low, high, 1.0)
    }

    /// A linear axis for fractions, labelled in percent.
    pub fn percent(label: &str, low: f64, high: f64) -> Axis {
        Axis::scaled(label, low, high, 100.0)
    }

    fn scaled(label: &str, low: f64, high: f64, factor: f64) -> Axis {
        let (low, high) = proper(low, high);
        let step = nice_step((high - low) * factor, 6);
        let decimals = decimals(step);
        let ticks = multiples(low * factor, high * factor, step)
            .into_iter()
            .map(|value| (value / factor, number(value, decimals)))
            .collect();
        Axis {
            label: label.into(),
            low,
            high,
            log: false,
            ticks,
            minor: Vec::new(),
        }
    }

    /// A logarithmic axis with exactly this range of positive values.
    pub fn log(label: &str, low: f64, high: f64) -> Axis {
        let low = if low > 0.0 { low } else { f64::MIN_POSITIVE };
        let high = high.max(low * 1.01);
        let decades = (high / low).log10();
        // Steps within a decade: few over many decades, many over few.
        let steps: &[f64] = match decades {
            d if d > 3.0 => &[1.0],
            d if d > 1.5 => &[1.0, 3.0],
            _ => &[1.0, 2.0, 5.0],
        };
        let every = (decades / 7.0).ceil().max(1.0) as i32;
        let first = low.log10().floor() as i32;
        let last = high.log10().ceil() as i32;
        let mut ticks = Vec::new();
        let mut minor = Vec::new();
        for decade in first..=last {
            let unit = 10f64.powi(decade);
            for digit in 1..10 {
                let value = unit * f64::from(digit);
                if value < low * (1.0 - 1e-9) || value > high * (1.0 + 1e-9) {
                    continue;
                }
                if decade.rem_euclid(every) == 0 && steps.contains(&f64::from(digit)) {
                    ticks.push((value, power_label(digit, decade)));
                } else if every == 1 {
                    minor.push(value);
                }
            }
        }
        Axis {
            label: label.into(),
            low,
            high,
            log: true,
            ticks,
            minor,
        }
    }

    /// An axis whose ticks are the values that occur, such as depths: logarithmic where they span
    /// more than a factor of four, with room at both ends.
    pub fn of_values(label: &str, values: &[f64]) -> Axis {
        let (mut low, mut high) = values
            .iter()
            .fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let log = low > 0.0 && high / low > 4.0;
        let ticks = values.iter().map(|v| (*v, number(*v, 0))).collect();
        let (low, high) = if log {
            let room = (high / low).powf(0.1);
            (low / room, high * room)
        } else {
            let room = if high > low { 0.1 * (high - low) } else { 1.0 };
            (low - room, high + room)
        };
        Axis {
            label: label.into(),
            low,
            high,
            log,
            ticks,
            minor: Vec::new(),
        }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end, beyond them outside.
    pub fn position(&self, value: f64) -> f64 {
        if self.log {
            (value.max(f64::MIN_POSITIVE) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// Whether a value lies on the axis.
    pub fn holds(&self, value: f64) -> bool {
        (-1e-9..=1.0 + 1e-9).contains(&self.position(value))
    }
}

/// A range that is finite and not empty.
fn proper(low: f64, high: f64) -> (f64, f64) {
    if low.is_finite() && high.is_finite() && high > low {
        (low, high)
    } else if low.is_finite() {
        (low, low + 1.0)
    } else {
        (0.0, 1.0)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that cuts `span` into at most `pieces`.
pub fn nice_step(span: f64, pieces: usize) -> f64 {
    let rough = span / pieces as f64;
    let unit = 10f64.powf(rough.log10().floor());
    for factor in [1.0, 2.0, 5.0] {
        if factor * unit >= rough * (1.0 - 1e-9) {
            return factor * unit;
        }
    }
    10.0 * unit
}

/// The next multiple of a nice step at or above `value`: a round end of an axis from 0.
pub fn nice_above(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let step = nice_step(value, 6);
    (value / step - 1e-9).ceil() * step
}

fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

/// Decimals that a multiple of the step needs.
fn decimals(step: f64) -> usize {
    (-step.log10() - 1e-9).ceil().clamp(0.0, 12.0) as usize
}

/// A number with a proper minus sign, thousands apart.
pub fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole.to_string(), format!(".{rest}")),
        None => (text, String::new()),
    };
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && whole.len() > 4 {
            grouped.push('\u{a0}');
        }
        grouped.push(digit);
    }
    let zero = grouped
        .chars()
        .chain(rest.chars())
        .all(|c| !c.is_ascii_digit() || c == '0');
    let sign = if value < 0.0 && !zero { "−" } else { "" };
    format!("{sign}{grouped}{rest}")
}

/// `digit`·10^`decade`: written out near one, as a power of ten further away.
fn power_label(digit: i32, decade: i32) -> String {
    if (-3..=3).contains(&decade) {
        let places = (-decade).max(0) as usize;
        return number(f64::from(digit) * 10f64.powi(decade), places);
    }
    let raised: String = decade
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            c => char::from_u32(u32::from(c) - u32::from('0') + 0x2070).unwrap_or(c),
        })
        .collect();
    if digit == 1 {
        format!("10{raised}")
    } else {
        format!("{digit}×10{raised}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn percent_labels_fractions() {
        let axis = Axis::percent("Error (%)", 0.0, 0.6);
        assert_eq!(labels(&axis), ["0", "10", "20", "30", "40", "50", "60"]);
        assert_eq!(axis.position(0.3), 0.5);
        let fine = Axis::percent("Error (%)", 0.0, 0.012);
        assert_eq!(labels(&fine)[1], "0.2");
    }

    #[test]
    fn log_axes_label_decades_far_apart_and_digits_close_by() {
        let wide = Axis::log("σ", 1e-6, 1e4);
        assert_eq!(labels(&wide)[0], "10⁻⁶");
        assert!(wide.ticks.len() <= 8);
        let close = Axis::log("σ", 0.15, 3.0);
        assert_eq!(labels(&close), ["0.2", "0.5", "1", "2"]);
        assert!((wide.position(0.1) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn depths_are_their_own_ticks() {
        let axis = Axis::of_values("Depth", &[8.0, 20.0, 56.0]);
        assert_eq!(labels(&axis), ["8", "20", "56"]);
        assert!(axis.log);
        assert!(!Axis::of_values("Depth", &[20.0, 32.0, 44.0]).log);
        assert!(Axis::of_values("Depth", &[20.0]).holds(20.0));
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(-2.5, 1), "−2.5");
        assert_eq!(number(-0.0, 1), "0.0");
        assert_eq!(number(64000.0, 0), "64\u{a0}000");
        assert_eq!(number(1202.0, 0), "1202");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn linear_ticks_are_few_round_and_inside(low in -1e3f64..1e3, exponent in -6i32..6, part in 1.0f64..10.0) {
            let high = low + part * 10f64.powi(exponent);
            let axis = Axis::linear("x", low, high);
            prop_assert!((2..=7).contains(&axis.ticks.len()), "{:?}", axis.ticks);
            prop_assert!(axis.ticks.iter().all(|(value, _)| axis.holds(*value)));
            let mut names: Vec<_> = labels(&axis);
            names.dedup();
            prop_assert_eq!(names.len(), axis.ticks.len(), "labels tell ticks apart");
        }

        #[test]
        fn log_ticks_lie_inside_and_exist(low in -8.0f64..8.0, decades in 0.5f64..12.0) {
            let axis = Axis::log("x", 10f64.powf(low), 10f64.powf(low + decades));
            prop_assert!((1..=9).contains(&axis.ticks.len()), "{:?}", axis.ticks);
            prop_assert!(axis.ticks.iter().all(|(value, _)| axis.holds(*value)));
        }

        #[test]
        fn nice_ends_are_near(value in 1e-4f64..1e4) {
            let end = nice_above(value);
            prop_assert!(end >= value * (1.0 - 1e-6) && end <= 1.5 * value, "{} {}", value, end);
        }
    }
}
