//! Sums, moments and coefficients against the definition of batch norm in `f64`.

use proptest::prelude::*;

use super::*;
use crate::test_support::{always_the_same, assert_close, numbers};

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

/// `γ (x − μ)/√(σ² + ε) + β` with statistics of the values themselves.
fn normalised(x: &[f64], weight: f64, bias: f64, epsilon: f64) -> Vec<f64> {
    let middle = mean(x);
    let variance = mean(&x.iter().map(|x| (x - middle).powi(2)).collect::<Vec<_>>());
    let scale = weight / (variance + epsilon).sqrt();
    x.iter().map(|x| scale * (x - middle) + bias).collect()
}

proptest! {
    #![proptest_config(always_the_same(64))]

    #[test]
    fn gathered_sums_are_those_of_the_definition(
        pixels in 0usize..12, channels in 1usize..20, live in 0usize..20, seed: u32
    ) {
        let values = numbers(pixels * channels * LANES, seed);
        let shift = numbers(channels, seed ^ 1);
        let before = numbers(2 * channels * LANES, seed ^ 2);
        let mut want = widened(&before);
        for (at, &x) in values.iter().enumerate() {
            let lane = at % (channels * LANES);
            let x = f64::from(x) - f64::from(shift[lane / LANES]);
            want[lane] += x;
            want[channels * LANES + lane] += x * x;
        }
        for &isa in Isa::available() {
            let mut lanes = before.clone();
            let (sum, square) = lanes.split_at_mut(channels * LANES);
            gather(isa, &values, Sums { shift: &shift, sum, square });
            assert_close(isa, "sums", &lanes, &want, 2e-5);
            // Folding adds the live lanes of each channel, and only those.
            let mut totals = vec![1.0; 2 * channels];
            fold_lanes(&lanes, live, &mut totals);
            for (total, lanes) in totals.iter().zip(lanes.chunks_exact(LANES)) {
                let want = 1.0 + widened(&lanes[..live.min(LANES)]).iter().sum::<f64>();
                prop_assert!((total - want).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn moments_are_mean_and_variance_whatever_the_shift(
        count in 1usize..200, offset in -100f32..100.0, seed: u32
    ) {
        let x = widened(&numbers(count, seed)).iter().map(|x| x + f64::from(offset)).collect::<Vec<_>>();
        let shift = offset + 0.3;
        let distance = |x: &f64| x - f64::from(shift);
        let sum = x.iter().map(distance).sum();
        let square = x.iter().map(|x| distance(x).powi(2)).sum();
        let moments = Moments::from_sums(sum, square, count as f64, shift);
        let variance = mean(&x.iter().map(|v| (v - mean(&x)).powi(2)).collect::<Vec<_>>());
        prop_assert!((moments.mean - mean(&x)).abs() < 1e-10);
        prop_assert!((moments.variance - variance).abs() < 1e-10 && moments.variance >= 0.0);
        let (scale, shift) = moments.affine(0.7, -0.2, 1e-5);
        let normal = normalised(&x, f64::from(0.7f32), f64::from(-0.2f32), 1e-5);
        for (x, want) in x.iter().zip(normal) {
            // scale·x and shift may be large and cancel: their own rounding is what is allowed.
            let size = (f64::from(scale) * x).abs() + f64::from(shift).abs() + 1.0;
            let got = f64::from(scale) * x + f64::from(shift);
            prop_assert!((got - want).abs() < 1e-6 * size, "{got}, not {want}");
        }
    }

    /// Against central differences of Σ g y, with the statistics changing along.
    #[test]
    fn backward_is_the_derivative_of_the_definition(
        count in 2usize..24, weight in 0.2f32..2.0, seed: u32
    ) {
        let epsilon = 1e-3;
        let (x, g) = (widened(&numbers(count, seed)), widened(&numbers(count, seed ^ 1)));
        let loss = |x: &[f64], weight: f64, bias: f64| -> f64 {
            normalised(x, weight, bias, epsilon).iter().zip(&g).map(|(y, g)| y * g).sum()
        };
        let middle = mean(&x);
        let square = x.iter().map(|x| x * x).sum::<f64>();
        let moments = Moments::from_sums(x.iter().sum(), square, count as f64, 0.0);
        let (sum, dot) = x.iter().zip(&g).fold((0.0, 0.0), |(sum, dot), (x, g)| {
            (sum + g, dot + g * (x - middle))
        });
        let b = backward(moments, weight, epsilon, sum, dot, count as f64);
        let (w, h) = (f64::from(weight), 1e-5);
        let allowed = |slope: f64| 1e-5 * (1.0 + slope.abs());
        let of_weight = (loss(&x, w + h, 0.0) - loss(&x, w - h, 0.0)) / (2.0 * h);
        prop_assert!((of_weight - f64::from(b.grad_weight)).abs() < allowed(of_weight));
        let of_bias = (loss(&x, w, h) - loss(&x, w, -h)) / (2.0 * h);
        prop_assert!((of_bias - f64::from(b.grad_bias)).abs() < allowed(of_bias));
        for at in 0..count {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[at] += by;
                loss(&x, w, 0.0)
            };
            let slope = (moved(h) - moved(-h)) / (2.0 * h);
            let got = f64::from(b.of_gradient) * g[at]
                + f64::from(b.of_input) * (x[at] - middle)
                + f64::from(b.constant);
            let size = f64::from(b.of_gradient).abs() + slope.abs();
            prop_assert!((got - slope).abs() < 1e-4 * (1.0 + size), "{got}, not {slope}");
        }
    }
}

#[test]
fn a_variance_that_is_not_a_number_stays_so() {
    assert!(
        Moments::from_sums(f64::NAN, f64::NAN, 4.0, 0.0)
            .variance
            .is_nan()
    );
    assert_eq!(Moments::from_sums(2.0, 0.99, 4.0, 0.0).variance, 0.0);
}
