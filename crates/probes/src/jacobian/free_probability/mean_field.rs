//! Mean-field theory of wide random networks: lengths, slopes, variances of blocks, and the growth of
//! gradients with batch norm.
//!
//! With pre-activations normal of variance v: `q = E φ(√v z)²`, and a layer of weight variance
//! σ_w²/N multiplies squared gradients by `χ = σ_w² E φ'(√v z)²` (Poole et al. 2016; Pennington,
//! Schoenholz, Ganguli 2017, section 2). χ = 1 is criticality.
//!
//! Integrals over z are closed for ReLU and identity. For tanh they are taken by the trapezoid rule,
//! which for analytic functions against a normal density converges like Gauss–Hermite quadrature,
//! and needs no table of nodes.

use std::f64::consts::PI;

use reslab_nn::network::Activation;

/// E of a smooth function of a standard normal number.
pub fn gaussian_mean(of: impl Fn(f64) -> f64) -> f64 {
    const STEP: f64 = 1.0 / 32.0;
    let terms = (-12 * 32..=12 * 32).map(|k| {
        let z = STEP * f64::from(k);
        of(z) * (-0.5 * z * z).exp()
    });
    terms.sum::<f64>() * STEP / (2.0 * PI).sqrt()
}

/// `E φ(√v z)²`.
pub fn length(activation: Activation, v: f64) -> f64 {
    match activation {
        Activation::Identity => v,
        Activation::Relu => 0.5 * v,
        Activation::Tanh => gaussian_mean(|z| (v.sqrt() * z).tanh().powi(2)),
    }
}

/// `E φ(√v z)`.
pub fn mean(activation: Activation, v: f64) -> f64 {
    match activation {
        Activation::Identity | Activation::Tanh => 0.0,
        Activation::Relu => (v / (2.0 * PI)).sqrt(),
    }
}

/// `E φ'(√v z)²`.
pub fn slope(activation: Activation, v: f64) -> f64 {
    match activation {
        Activation::Identity => 1.0,
        Activation::Relu => 0.5,
        Activation::Tanh => gaussian_mean(|z| (1.0 - (v.sqrt() * z).tanh().powi(2)).powi(2)),
    }
}

/// χ of a plain layer whose pre-activations have variance v.
pub fn chi(activation: Activation, weight_variance: f64, v: f64) -> f64 {
    weight_variance * slope(activation, v)
}

/// The variance of pre-activations that a plain layer leaves as it is, `v = σ_w² E φ(√v z)² + σ_b²`,
/// found by iterating from `start`; `None` where it grows beyond all bounds.
pub fn fixed_point(
    activation: Activation,
    (weight_variance, bias_variance): (f64, f64),
    start: f64,
) -> Option<f64> {
    let mut v = start;
    for _ in 0..100_000 {
        let next = weight_variance * length(activation, v) + bias_variance;
        if next.is_nan() || next >= 1e12 {
            return None;
        }
        if (next - v).abs() <= 1e-13 * next {
            return Some(next);
        }
        v = next;
    }
    Some(v)
}

/// σ_w² and σ_b² at which v is a fixed point with χ = 1. σ_b² is below 0 where there are none.
pub fn critical(activation: Activation, v: f64) -> (f64, f64) {
    let weight_variance = 1.0 / slope(activation, v);
    (weight_variance, v - weight_variance * length(activation, v))
}

/// The linear layers and nonlinearities of a residual branch, in order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Weights of variance `weight`/N each, biases of mean square `bias`.
    Linear {
        /// N times the mean square of a weight.
        weight: f64,
        /// Mean square of a bias.
        bias: f64,
    },
    /// A nonlinearity.
    Nonlinear(Activation),
}

/// What a block does in the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockMean {
    /// Mean square singular value of the branch's Jacobian.
    pub variance: f64,
    /// Mean square of what the block puts out.
    pub length: f64,
}

/// A block with shortcut on inputs of mean square `q` whose coordinates have the mean 0: fresh
/// weights make branch and shortcut uncorrelated.
pub fn residual_block(branch: &[Step], q: f64) -> BlockMean {
    let (mut variance, mut v) = (1.0, q);
    for step in branch {
        match *step {
            Step::Linear { weight, bias } => {
                variance *= weight;
                v = weight * v + bias;
            }
            Step::Nonlinear(activation) => {
                variance *= slope(activation, v);
                v = length(activation, v);
            }
        }
    }
    BlockMean {
        variance,
        length: q + v,
    }
}

/// What a plain layer `φ(BN(W h))` multiplies squared gradients by, going backward, in large
/// batches: `E φ'² / Var φ`; π/(π − 1) for ReLU (Yang et al. 2019).
pub fn plain_batch_norm_growth(activation: Activation) -> f64 {
    slope(activation, 1.0) / centred(activation)
}

/// The same of a linear layer with batch norm in batches of B, `(B − 2)/(B − 3)`: what is left is
/// the batch's own direction, which the backward pass of the norm projects out.
pub fn linear_batch_norm_growth(batch: usize) -> f64 {
    let batch = batch as f64;
    (batch - 2.0) / (batch - 3.0)
}

/// Factors of squared gradients over residual blocks `h + φ(BN(W h))`, from the first on: the
/// variance of h over the batch grows by Var φ a block from `start`, and the norm divides by it:
/// `1 + E φ'²/(start + l Var φ)`. Their product grows as a power of depth, not exponentially.
pub fn residual_batch_norm_growth(activation: Activation, start: f64, blocks: usize) -> Vec<f64> {
    let added = centred(activation);
    let factor = |l: usize| 1.0 + slope(activation, 1.0) / (start + l as f64 * added);
    (0..blocks).map(factor).collect()
}

/// Var φ(z).
fn centred(activation: Activation) -> f64 {
    length(activation, 1.0) - mean(activation, 1.0).powi(2)
}
