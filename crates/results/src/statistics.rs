//! Means over seeds and how far to trust them: sample statistics and Student's t intervals.
//!
//! Everything is summed in the order given. NaN in, NaN out: a value that was not measured has to
//! be left out by the caller.

use std::f64::consts::PI;

/// The probability the intervals cover.
pub const CONFIDENCE: f64 = 0.95;

/// n, mean, spread and interval of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation, with n − 1; `None` for one value.
    pub sd: Option<f64>,
    /// 95 % t-interval of the mean; `None` for one value.
    pub interval: Option<(f64, f64)>,
}

/// Summary of a sample; `None` for no values.
pub fn summarise(values: &[f64]) -> Option<Summary> {
    let mean = mean(values)?;
    let sd = sd(values);
    let interval = sd.map(|sd| {
        let n = values.len();
        let half = t_quantile(0.5 + CONFIDENCE / 2.0, n - 1) * sd / (n as f64).sqrt();
        (mean - half, mean + half)
    });
    Some(Summary {
        n: values.len(),
        mean,
        sd,
        interval,
    })
}

/// Summary of the differences a − b of pairs, for runs that share a seed: what is common to both
/// cancels, so the interval is narrower than that of two independent means.
pub fn paired_difference(pairs: &[(f64, f64)]) -> Option<Summary> {
    let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
    summarise(&differences)
}

/// Arithmetic mean; `None` for no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation with n − 1; `None` for fewer than two values.
pub fn sd(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    let degrees = values.len().checked_sub(1).filter(|degrees| *degrees > 0)?;
    let squares: f64 = values
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum();
    Some((squares / degrees as f64).sqrt())
}

/// Median; `None` for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// Quantile by linear interpolation between order statistics (type 7 of Hyndman & Fan 1996, as in
/// NumPy and R); `probability` is clamped to [0, 1]. `None` for no values.
pub fn quantile(values: &[f64], probability: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.iter().any(|value| value.is_nan()) {
        return Some(f64::NAN);
    }
    let place = probability.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    let weight = place - place.floor();
    // No arithmetic between equal values: inf − inf would be NaN.
    Some(if weight == 0.0 || below == above {
        below
    } else {
        below + weight * (above - below)
    })
}

/// Quantile of Student's t with `degrees` ≥ 1 degrees of freedom, for `probability` in (0.5, 1).
///
/// Bisection on the distribution function, which is a finite sum for whole degrees of freedom.
pub fn t_quantile(probability: f64, degrees: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while t_within(high, degrees) < 2.0 * probability - 1.0 && high < 1e12 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if t_within(middle, degrees) < 2.0 * probability - 1.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// P(|T| ≤ t) for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4), with
/// θ = atan(t/√ν).
fn t_within(t: f64, degrees: usize) -> f64 {
    let theta = (t / (degrees as f64).sqrt()).atan();
    let (sin, cos) = theta.sin_cos();
    let even = degrees.is_multiple_of(2);
    // Even: 1 + 1/2 cos²θ + (1·3)/(2·4) cos⁴θ + …; odd: cosθ + 2/3 cos³θ + …
    let mut term = if even { 1.0 } else { cos };
    let mut sum = 0.0;
    let mut k = if even { 1 } else { 2 };
    while k < degrees {
        sum += term;
        term *= cos * cos * k as f64 / (k + 1) as f64;
        k += 2;
    }
    if even {
        sin * sum
    } else {
        2.0 / PI * (theta + sin * sum)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "{found}, not {expected}"
        );
    }

    /// Quantiles from printed tables of Student's t; the last from the normal quantile z with its
    /// first correction (z³ + z)/4ν.
    #[test]
    fn t_quantiles_are_those_of_the_tables() {
        for (degrees, two_sided_95, two_sided_99) in [
            (1, 12.706_204_736, 63.656_741_162),
            (2, 4.302_652_730, 9.924_843_201),
            (3, 3.182_446_305, 5.840_909_310),
            (4, 2.776_445_105, 4.604_094_871),
            (5, 2.570_581_836, 4.032_142_984),
            (9, 2.262_157_163, 3.249_835_542),
            (10, 2.228_138_852, 3.169_272_673),
            (30, 2.042_272_456, 2.749_995_654),
            (100, 1.983_971_519, 2.625_890_521),
            (100_000, 1.959_987_708, 2.575_878_470),
        ] {
            close(t_quantile(0.975, degrees), two_sided_95, 1e-8);
            close(t_quantile(0.995, degrees), two_sided_99, 1e-7);
        }
    }

    #[test]
    fn a_sample_is_summarised() {
        let summary = summarise(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("values");
        assert_eq!((summary.n, summary.mean), (8, 5.0));
        close(summary.sd.expect("sd"), (32.0f64 / 7.0).sqrt(), 1e-15);
        let (low, high) = summary.interval.expect("interval");
        let half = 2.364_624_251 * (32.0f64 / 7.0).sqrt() / 8.0f64.sqrt();
        close(low, 5.0 - half, 1e-8);
        close(high, 5.0 + half, 1e-8);
    }

    #[test]
    fn few_values_have_no_spread() {
        assert_eq!(summarise(&[]), None);
        assert_eq!(
            summarise(&[3.0]),
            Some(Summary {
                n: 1,
                mean: 3.0,
                sd: None,
                interval: None
            })
        );
        assert_eq!((median(&[]), quantile(&[7.0], 0.9)), (None, Some(7.0)));
    }

    #[test]
    fn quantiles_interpolate() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(median(&values), Some(2.5));
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(
            (quantile(&values, 0.0), quantile(&values, 2.0)),
            (Some(1.0), Some(4.0))
        );
        assert_eq!(
            median(&[f64::INFINITY, f64::INFINITY, 1.0]),
            Some(f64::INFINITY)
        );
        assert!(median(&[f64::NAN, 1.0]).is_some_and(f64::is_nan));
    }

    #[test]
    fn pairing_cancels_what_is_common() {
        let difference = paired_difference(&[(1.1, 1.0), (5.1, 5.0), (9.1, 9.0)]).expect("pairs");
        close(difference.mean, 0.1, 1e-12);
        assert!(difference.sd.is_some_and(|sd| sd < 1e-12));
    }

    proptest! {
        #[test]
        fn shifting_and_scaling_a_sample_shifts_and_scales_its_summary(
            values in prop::collection::vec(-100.0f64..100.0, 2..20),
            shift in -50.0f64..50.0,
            scale in 0.1f64..10.0,
        ) {
            let before = summarise(&values).expect("values");
            let moved: Vec<f64> = values.iter().map(|v| v * scale + shift).collect();
            let after = summarise(&moved).expect("values");
            let (low, high) = before.interval.expect("interval");
            let (low_after, high_after) = after.interval.expect("interval");
            prop_assert!((after.mean - (before.mean * scale + shift)).abs() < 1e-9);
            prop_assert!((low_after - (low * scale + shift)).abs() < 1e-8);
            prop_assert!((high_after - (high * scale + shift)).abs() < 1e-8);
            prop_assert!(low <= before.mean && before.mean <= high);
        }
    }
}
