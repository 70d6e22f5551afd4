//! The loss of a group of sixteen images, and the tangent of its gradient at the outputs.

use reslab_kernels::LANES;
use reslab_kernels::loss::{Targets, Total, cross_entropy, squared_error};

use crate::loss::{Loss, TargetsRef};

/// The losses of up to sixteen samples from `first` on and, times `scale`, their gradients at the
/// outputs, `(outputs, 16)`.
pub(super) fn gradient(
    loss: &Loss,
    targets: TargetsRef<'_>,
    (first, live): (usize, usize),
    scale: f32,
    outputs: &[f32],
    gradient: &mut [f32],
) -> Total {
    let count = outputs.len() / LANES;
    let targets = match targets {
        TargetsRef::Classes(classes) => Targets::Classes(&classes[first..first + live]),
        TargetsRef::Values(values) => {
            Targets::Values(&values[first * count..(first + live) * count])
        }
    };
    match loss {
        Loss::CrossEntropy { label_smoothing } => {
            cross_entropy(outputs, targets, *label_smoothing, scale, Some(gradient))
        }
        Loss::SquaredError => squared_error(outputs, targets, scale, Some(gradient)),
    }
}

/// Σ_k q_k of a sample: what the softmax is multiplied by in the gradient of the cross-entropy. 1 for
/// classes; values are taken as the distribution q itself.
pub(super) fn target_weight(
    loss: &Loss,
    targets: TargetsRef<'_>,
    sample: usize,
    outputs: usize,
) -> f64 {
    match (loss, targets) {
        (Loss::CrossEntropy { label_smoothing }, TargetsRef::Values(values)) => {
            let sum: f64 = values[sample * outputs..(sample + 1) * outputs]
                .iter()
                .map(|&v| f64::from(v))
                .sum();
            let smoothing = f64::from(*label_smoothing);
            (1.0 - smoothing) * sum + smoothing
        }
        _ => 1.0,
    }
}

/// Along the outputs' tangents ż the gradient moves by `w (diag p − p pᵀ) ż` for the cross-entropy,
/// `p = softmax(z)` and w the sample's weight, and by `2/K ż` for the squared error; times `scale`.
/// Lanes past the weights get 0.
pub(super) fn gradient_tangent(
    loss: &Loss,
    weights: &[f64],
    scale: f64,
    outputs: &[f32],
    tangents: &[f32],
    to: &mut [f32],
) {
    let count = outputs.len() / LANES;
    to.fill(0.0);
    if *loss == Loss::SquaredError {
        let factor = 2.0 / count as f64 * scale;
        for (to, tangents) in to.chunks_exact_mut(LANES).zip(tangents.chunks_exact(LANES)) {
            for (to, &tangent) in to.iter_mut().zip(tangents).take(weights.len()) {
                *to = (factor * f64::from(tangent)) as f32;
            }
        }
        return;
    }
    for (lane, weight) in weights.iter().enumerate() {
        let of = |values: &[f32], k: usize| f64::from(values[k * LANES + lane]);
        let top = (0..count)
            .map(|k| of(outputs, k))
            .fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = (0..count).map(|k| (of(outputs, k) - top).exp()).sum();
        let p = |k: usize| (of(outputs, k) - top).exp() / total;
        let mean: f64 = (0..count).map(|k| p(k) * of(tangents, k)).sum();
        for k in 0..count {
            let moved = weight * p(k) * (of(tangents, k) - mean);
            to[k * LANES + lane] = (moved * scale) as f32;
        }
    }
}
