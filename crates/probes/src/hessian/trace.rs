//! The trace of a symmetric operator by random probing (Hutchinson 1990).

use reslab_nn::random::{self, Purpose, uniform};

use crate::lanczos::{Operator, dot};
use crate::subject::ProbeError;

/// A trace with what is known of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trace {
    /// Mean over draws of `vᵀ A v`.
    pub value: f64,
    /// Its standard error over draws; NaN for a single one.
    pub error: f64,
    /// Draws, each of one product.
    pub draws: usize,
}

/// Probing vectors, the index counting them.
const STREAM: u64 = u64::from_be_bytes(*b"hutchins");

/// The mean of `vᵀ A v` over vectors v of random signs, whose expectation is the trace. The variance
/// of one draw is `2 Σ_{i≠j} A_ij²`: a diagonal operator has none.
pub fn trace(
    operator: &mut Operator<'_>,
    dimension: usize,
    draws: usize,
    seed: u64,
) -> Result<Trace, ProbeError> {
    let mut found = Vec::with_capacity(draws);
    let mut product = vec![0.0; dimension];
    for draw in 0..draws {
        let vector = signs(dimension, seed, STREAM, draw);
        operator(&vector, &mut product)?;
        found.push(dot(&vector, &product));
    }
    let (value, error) = mean_and_error(&found);
    Ok(Trace {
        value,
        error,
        draws,
    })
}

/// A vector of +1 and −1, each as likely.
pub(super) fn signs(dimension: usize, seed: u64, stream: u64, draw: usize) -> Vec<f64> {
    let mut rng = random::stream(seed, Purpose::Probe, stream, draw as u64);
    let sign = |u: f64| if u < 0.5 { 1.0 } else { -1.0 };
    (0..dimension).map(|_| sign(uniform(&mut rng))).collect()
}

/// Mean and its standard error, NaN for a single number.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}
