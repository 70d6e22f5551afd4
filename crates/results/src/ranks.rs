//! Rank correlation, and an interval for it by the bootstrap.

use crate::statistics::quantile;

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 4000;

/// Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs. `None`
/// for fewer than two pairs, or where one side does not vary. NaN is nobody's rank: to be left out by
/// the caller.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    pearson(&ranks(&x), &ranks(&y))
}

/// Ranks from 1, the mean rank for equal values.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let equal = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]).is_eq();
    let mut first = 0;
    for tied in order.chunk_by(equal) {
        let mean = first as f64 + 0.5 * (tied.len() as f64 + 1.0);
        tied.iter().for_each(|place| ranks[*place] = mean);
        first += tied.len();
    }
    ranks
}

fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let n = x.len() as f64;
    let (mean_x, mean_y) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |term: &dyn Fn(f64, f64) -> f64| -> f64 {
        let pairs = x.iter().zip(y);
        pairs.map(|(a, b)| term(a - mean_x, b - mean_y)).sum()
    };
    let (xx, yy) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
    (xx > 0.0 && yy > 0.0).then(|| sum(&|a, b| a * b) / (xx * yy).sqrt())
}

/// 95 % percentile interval of a statistic of pairs by the bootstrap (Efron 1979): pairs are drawn
/// with replacement [`RESAMPLES`] times, always the same draws. Resamples without a value (all
/// alike) are left out. `None` for fewer than four pairs, of which an interval would pretend
/// knowledge.
pub fn bootstrap(
    pairs: &[(f64, f64)],
    statistic: impl Fn(&[(f64, f64)]) -> Option<f64>,
) -> Option<(f64, f64)> {
    if pairs.len() < 4 {
        return None;
    }
    let mut place = 0;
    let mut values = Vec::with_capacity(RESAMPLES);
    let mut sample = Vec::with_capacity(pairs.len());
    for _ in 0..RESAMPLES {
        sample.clear();
        for _ in pairs {
            sample.push(pairs[below(place, pairs.len())]);
            place += 1;
        }
        values.extend(statistic(&sample));
    }
    Some((quantile(&values, 0.025)?, quantile(&values, 0.975)?))
}

/// The `place`-th of a fixed row of random numbers below `n`: SplitMix64 (Steele, Lea, Flood 2014)
/// as a hash of its counter.
fn below(place: u64, n: usize) -> usize {
    let mut z = place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // The bias of a product instead of a remainder is below 2⁻⁵⁰ here.
    ((u128::from(z) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_share_their_mean_where_values_are_equal() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[5.0; 3]), [2.0; 3]);
    }

    /// By hand: ranks 1, 2, 3, 4, 5.5, 5.5 and 2, 3, 4.5, 6, 4.5, 1; covariance 2.25 over variance 17.
    #[test]
    fn correlation_is_that_of_the_ranks() {
        let x = [1.0, 2.0, 3.0, 4.0, 5.0, 5.0];
        let y = [5.0, 6.0, 7.0, 8.0, 7.0, 3.0];
        let pairs: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
        let found = spearman(&pairs).expect("both vary");
        assert!((found - 9.0 / 68.0).abs() < 1e-12, "{found}");
        assert_eq!(spearman(&[(1.0, 2.0), (1.0, 3.0)]), None);
        let cubes: Vec<(f64, f64)> = (-3..4)
            .map(|i| (f64::from(i), f64::from(i * i * i)))
            .collect();
        assert!((spearman(&cubes).expect("varies") - 1.0).abs() < 1e-15);
    }

    #[test]
    fn interval_of_a_mean_is_that_of_the_central_limit() {
        // 100 numbers of mean 0 and variance 1/3: the standard error of the mean is 1/√300.
        let pairs: Vec<(f64, f64)> = (0..100)
            .map(|i| ((f64::from(i) + 0.5) / 50.0 - 1.0, 0.0))
            .collect();
        let mean = |pairs: &[(f64, f64)]| {
            Some(pairs.iter().map(|p| p.0).sum::<f64>() / pairs.len() as f64)
        };
        let (low, high) = bootstrap(&pairs, mean).expect("an interval");
        let expected = 1.96 / 300f64.sqrt();
        assert!((high - expected).abs() < 0.06 * expected, "{high}");
        assert!((low + expected).abs() < 0.06 * expected, "{low}");
        assert_eq!(bootstrap(&pairs[..3], mean), None);
    }

    #[test]
    fn places_are_even() {
        let mut counts = [0_usize; 7];
        for place in 0..70_000 {
            counts[below(place, 7)] += 1;
        }
        assert!(
            counts.iter().all(|c| c.abs_diff(10_000) < 500),
            "{counts:?}"
        );
    }
}
