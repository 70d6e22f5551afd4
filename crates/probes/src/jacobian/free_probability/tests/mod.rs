//! Laws against their equations, moments, tabulated edges, and random matrices; then against the
//! networks of [`reslab_nn`].

mod laws;
mod mean_field;
mod networks;
mod random_matrices;

use ndarray::Array2;
use reslab_nn::random::{ChaCha8Rng, Purpose, normal, stream};

use super::{Law, PlainLaw, Spectrum, Weights};

fn rng(index: u64) -> ChaCha8Rng {
    stream(0, Purpose::Test, 0x7468, index)
}

/// Independent normal entries of variance `t`/n.
fn gaussian(n: usize, t: f64, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let scale = (t / n as f64).sqrt();
    Array2::from_shape_fn((n, n), |_| scale * normal(rng))
}

/// The same with its rows made orthonormal.
fn rotation(n: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    let mut q = gaussian(n, 1.0, rng);
    for i in 0..n {
        for _ in 0..2 {
            let (done, mut rest) = q.view_mut().split_at(ndarray::Axis(0), i);
            let mut row = rest.row_mut(0);
            let along = done.dot(&row);
            row -= &done.t().dot(&along);
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
    }
    q
}

/// ln σ of a square matrix, by one-sided Jacobi rotations of its rows; −∞ where rounding has left
/// something of a 0.
fn ln_singular_values(matrix: &Array2<f64>) -> Vec<f64> {
    let mut rows: Vec<Vec<f64>> = matrix.outer_iter().map(|r| r.to_vec()).collect();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for _ in 0..30 {
        let mut largest = 0.0_f64;
        for i in 1..rows.len() {
            let (before, rest) = rows.split_at_mut(i);
            let second = &mut rest[0];
            for first in before {
                let (a, b, c) = (dot(first, first), dot(second, second), dot(first, second));
                if c == 0.0 {
                    continue;
                }
                largest = largest.max(c.abs() / (a * b).sqrt());
                let zeta = (b - a) / (2.0 * c);
                let t = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + t * t).sqrt();
                for (x, y) in first.iter_mut().zip(second.iter_mut()) {
                    (*x, *y) = (cosine * (*x - t * *y), cosine * (t * *x + *y));
                }
            }
        }
        if largest < 1e-9 {
            break;
        }
    }
    let logs = rows.iter().map(|row| 0.5 * dot(row, row).ln());
    let logs: Vec<f64> = logs.collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let zero = |x: f64| if x < top - 34.0 { f64::NEG_INFINITY } else { x };
    logs.into_iter().map(zero).collect()
}

/// E λ^k over all singular values.
fn moment(spectrum: &Spectrum, k: f64) -> f64 {
    spectrum.expectation(|x| (2.0 * k * x).exp())
}

fn near(found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(
        error <= tolerance * expected.abs().max(1e-300),
        "{found}, not {expected}"
    );
}

fn plain(weights: Weights, layers: usize, relu: bool, ln_gain: f64) -> PlainLaw {
    PlainLaw {
        weights,
        linear: layers,
        gates: if relu { layers } else { 0 },
        open: 0.5,
        ln_gain,
    }
}

fn law_of(variances: &[f64]) -> Spectrum {
    Law::Blocks {
        variances: variances.to_vec(),
    }
    .spectrum()
}
