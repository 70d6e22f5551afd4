//! Batch normalisation (Ioffe, Szegedy 2015), `y = γ x̂ + β` with `x̂ = (x − μ)/√(σ² + ε)`, each
//! channel over batch, rows and columns.
//!
//! In training μ and σ² are those of the batch (σ² biased), and the running statistics move by
//! `momentum` towards them, the variance unbiased, as in PyTorch. Where a channel has a single
//! number, which PyTorch refuses, the unbiased variance is taken to be the biased one, 0. A frozen
//! norm uses its running statistics in training too; they do not move, and no gradient flows
//! through them.

use super::super::{Mode, Scalar, Tensor};
use super::Numbers;
use super::linear::add;
use crate::network::BatchNorm;

/// What a batch was normalised with.
#[derive(Debug)]
pub struct Statistics<S> {
    mean: Vec<S>,
    /// 1/√(σ² + ε).
    inverse_deviation: Vec<S>,
    /// Whether they came from the batch itself, so that gradients flow through them.
    of_batch: bool,
}

/// The statistics to normalise with; in training also moves the running ones.
pub fn statistics<S: Scalar>(
    norm: &BatchNorm,
    numbers: &mut Numbers<S>,
    input: &Tensor<S>,
) -> Statistics<S> {
    let of_batch = numbers.mode == Mode::Training && !norm.frozen;
    let (mean, variance) = if of_batch {
        let (mean, variance) = batch_statistics(input);
        move_running(norm, numbers, count(input), &mean, &variance);
        (mean, variance)
    } else {
        let state = &numbers.state;
        (
            norm.running_mean.of(state).to_vec(),
            norm.running_var.of(state).to_vec(),
        )
    };
    let epsilon = S::from_f64(norm.epsilon);
    let inverse_deviation = variance
        .iter()
        .map(|&v| S::one() / (v + epsilon).sqrt())
        .collect();
    Statistics {
        mean,
        inverse_deviation,
        of_batch,
    }
}

/// y = γ x̂ + β.
pub fn forward<S: Scalar>(
    norm: &BatchNorm,
    parameters: &[S],
    statistics: &Statistics<S>,
    input: &Tensor<S>,
) -> Tensor<S> {
    let (gamma, beta) = (norm.weight.of(parameters), norm.bias.of(parameters));
    let mut output = input.clone();
    for (index, value) in output.indexed_iter_mut() {
        let c = index.3;
        *value = gamma[c] * statistics.normalise(c, *value) + beta[c];
    }
    output
}

/// With g = ∂L/∂y and means over the batch:
/// ∂L/∂β = Σ g, ∂L/∂γ = Σ g x̂, ∂L/∂x = γ/√(σ² + ε) · (g − mean g − x̂ mean(g x̂)),
/// without the two means where the statistics do not depend on the batch.
pub fn backward<S: Scalar>(
    norm: &BatchNorm,
    parameters: &[S],
    statistics: &Statistics<S>,
    input: &Tensor<S>,
    grad_output: &Tensor<S>,
    gradient: &mut [S],
) -> Tensor<S> {
    let gamma = norm.weight.of(parameters);
    let mut grad_gamma = vec![S::zero(); norm.channels];
    let mut grad_beta = vec![S::zero(); norm.channels];
    for ((index, &grad), &x) in grad_output.indexed_iter().zip(input) {
        let c = index.3;
        grad_beta[c] += grad;
        grad_gamma[c] += grad * statistics.normalise(c, x);
    }
    let share = if statistics.of_batch {
        1.0 / count(input)
    } else {
        0.0
    };
    let share = S::from_f64(share);
    let mut grad_input = grad_output.clone();
    for ((index, grad), &x) in grad_input.indexed_iter_mut().zip(input) {
        let c = index.3;
        let through_statistics = grad_beta[c] + statistics.normalise(c, x) * grad_gamma[c];
        *grad = gamma[c] * statistics.inverse_deviation[c] * (*grad - share * through_statistics);
    }
    add(gradient, norm.weight, grad_gamma.iter());
    add(gradient, norm.bias, grad_beta.iter());
    grad_input
}

/// ∂L/∂x alone, where the statistics do not depend on the batch: γ/√(σ² + ε) · g.
pub fn backward_fixed<S: Scalar>(
    norm: &BatchNorm,
    parameters: &[S],
    statistics: &Statistics<S>,
    grad_output: &Tensor<S>,
) -> Tensor<S> {
    let gamma = ndarray::aview1(norm.weight.of(parameters));
    let slope = &gamma * &ndarray::aview1(&statistics.inverse_deviation);
    grad_output * &slope
}

impl<S: Scalar> Statistics<S> {
    /// Whether they came from the batch itself, so that gradients flow through them.
    pub fn are_of_batch(&self) -> bool {
        self.of_batch
    }

    fn normalise(&self, channel: usize, x: S) -> S {
        (x - self.mean[channel]) * self.inverse_deviation[channel]
    }
}

/// Numbers a channel has.
fn count<S>(input: &Tensor<S>) -> f64 {
    let (n, height, width, _) = input.dim();
    (n * height * width) as f64
}

/// Mean and biased variance of each channel.
fn batch_statistics<S: Scalar>(input: &Tensor<S>) -> (Vec<S>, Vec<S>) {
    let channels = input.dim().3;
    let count = S::from_f64(count(input));
    let mut mean = vec![S::zero(); channels];
    for (index, &x) in input.indexed_iter() {
        mean[index.3] += x;
    }
    mean.iter_mut().for_each(|sum| *sum = *sum / count);
    let mut variance = vec![S::zero(); channels];
    for (index, &x) in input.indexed_iter() {
        let deviation = x - mean[index.3];
        variance[index.3] += deviation * deviation;
    }
    variance.iter_mut().for_each(|sum| *sum = *sum / count);
    (mean, variance)
}

fn move_running<S: Scalar>(
    norm: &BatchNorm,
    numbers: &mut Numbers<S>,
    count: f64,
    mean: &[S],
    variance: &[S],
) {
    let new = S::from_f64(norm.momentum);
    let old = S::from_f64(1.0 - norm.momentum);
    let unbiased = S::from_f64(if count > 1.0 {
        count / (count - 1.0)
    } else {
        1.0
    });
    for (running, &mean) in norm
        .running_mean
        .of_mut(&mut numbers.state)
        .iter_mut()
        .zip(mean)
    {
        *running = old * *running + new * mean;
    }
    let running_var = norm.running_var.of_mut(&mut numbers.state);
    for (running, &variance) in running_var.iter_mut().zip(variance) {
        *running = old * *running + new * unbiased * variance;
    }
}
