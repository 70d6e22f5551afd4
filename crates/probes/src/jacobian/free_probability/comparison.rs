//! A sample of singular values beside its law.

use super::{Law, Spectrum};

/// Shares of the singular values that are not 0 at which quantiles are compared.
pub const PROBABILITIES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// What a sample has in common with a law. Logarithms are natural.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Kolmogorov–Smirnov distance of the distributions of σ, zeros included.
    pub distance: f64,
    /// ln σ at the edges: smallest and largest, predicted.
    pub edges: (f64, f64),
    /// ln of the smallest and of the largest σ of the sample; zeros are −∞.
    pub measured_edges: (f64, f64),
    /// Singular values below the lower edge by more than [`margin`].
    pub outliers_below: usize,
    /// Singular values above the upper edge by more than that.
    pub outliers_above: usize,
    /// E λ of the law.
    pub mean_square: f64,
    /// Mean of λ over the sample.
    pub measured_mean_square: f64,
    /// The same without the outliers above.
    pub trimmed_mean_square: f64,
    /// Quantiles of ln σ at [`PROBABILITIES`] of what is not 0: predicted, measured.
    pub quantiles: [(f64, f64); PROBABILITIES.len()],
    /// Largest difference of these quantiles, in units of half the predicted range from 5 % to 95 %.
    pub deviation: f64,
}

/// How far beyond an edge a singular value of N counts as an outlier: `2 N^(−2/3)` of the width of
/// the support. Edges of random matrices move by the order of `N^(−2/3)`.
pub fn margin(spectrum: &Spectrum, values: usize) -> f64 {
    let (low, high) = support(spectrum);
    2.0 * (values.max(1) as f64).powf(-2.0 / 3.0) * (high - low)
}

/// The edges; of a law that reaches down to 0 from its 1 % quantile on.
pub fn support(spectrum: &Spectrum) -> (f64, f64) {
    let (low, high) = spectrum.edges();
    let zeros = spectrum.zeros();
    if reaches_zero(spectrum) {
        (spectrum.quantile(zeros + 0.01 * (1.0 - zeros)), high)
    } else {
        (low, high)
    }
}

/// Whether the density has no lower edge.
pub fn reaches_zero(spectrum: &Spectrum) -> bool {
    let points = spectrum.points();
    points.first().is_some_and(|p| p.density > 0.0)
}

/// Compares a sample of ln σ, in any order and not empty, with a law.
pub fn compare(law: &Law, spectrum: &Spectrum, ln_sigmas: &[f64]) -> Comparison {
    let mut sorted = ln_sigmas.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let margin = margin(spectrum, n);
    let (low, high) = spectrum.edges();
    let lowest = if reaches_zero(spectrum) {
        f64::NEG_INFINITY
    } else {
        low
    };
    let above = sorted.iter().filter(|x| **x > high + margin).count();
    let square = |part: &[f64]| part.iter().map(|x| (2.0 * x).exp()).sum::<f64>();
    let zeros = spectrum.zeros();
    let quantiles = PROBABILITIES.map(|share| {
        let probability = zeros + share * (1.0 - zeros);
        (
            spectrum.quantile(probability),
            quantile(&sorted, probability),
        )
    });
    let half = 0.5 * (quantiles[PROBABILITIES.len() - 1].0 - quantiles[0].0);
    let differences = quantiles.iter().map(|(p, m)| (p - m).abs() / half);
    Comparison {
        distance: distance(spectrum, &sorted),
        edges: (lowest, high),
        measured_edges: (sorted[0], sorted[n - 1]),
        outliers_below: sorted.iter().filter(|x| **x < lowest - margin).count(),
        outliers_above: above,
        mean_square: law.mean_square(),
        measured_mean_square: square(&sorted) / n as f64,
        trimmed_mean_square: square(&sorted[..n - above]) / (n - above) as f64,
        quantiles,
        deviation: differences.fold(0.0, f64::max),
    }
}

/// The largest difference between the law's distribution and the sample's, on either side of its
/// steps.
fn distance(spectrum: &Spectrum, sorted: &[f64]) -> f64 {
    let n = sorted.len() as f64;
    let gaps = sorted.iter().enumerate().map(|(i, &x)| {
        let below = spectrum.cumulative(x);
        // Zeros are one step, whose lower side is 0 for both.
        let before = if x == f64::NEG_INFINITY {
            0.0
        } else {
            below - i as f64 / n
        };
        let equal = sorted.get(i + 1).is_some_and(|next| *next == x);
        let after = if equal {
            0.0
        } else {
            (i + 1) as f64 / n - below
        };
        before.abs().max(after.abs())
    });
    gaps.fold(0.0, f64::max)
}

/// The quantile of a sorted sample: the i-th of n stands for the share (i + ½)/n, linear between.
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let last = sorted.len() - 1;
    let place = (probability * sorted.len() as f64 - 0.5).clamp(0.0, last as f64);
    let low = place.floor() as usize;
    let (a, b) = (sorted[low], sorted[(low + 1).min(last)]);
    let part = place - low as f64;
    if part == 0.0 || a == b {
        a
    } else {
        a + part * (b - a)
    }
}
