//! The loss of a batch and its gradient at the outputs; definitions in [`crate::loss`].

use super::{Scalar, Tensor};
use crate::error::ShapeError;
use crate::loss::{Loss, TargetsRef};

/// The loss of a batch.
#[derive(Debug, Clone)]
pub struct LossValue<S> {
    /// Mean over the samples.
    pub mean: S,
    /// Gradient of the mean with respect to the outputs, `(N, 1, 1, outputs)`.
    pub grad_outputs: Tensor<S>,
    /// Samples whose largest output (the first of equals) is not their class; 0 for values.
    pub wrong: usize,
}

/// The mean loss of outputs `(N, 1, 1, outputs)`.
///
/// Cross-entropy needs classes; for values it takes them as the distribution `q` itself.
pub fn loss<S: Scalar>(
    loss: &Loss,
    outputs: &Tensor<S>,
    targets: TargetsRef,
) -> Result<LossValue<S>, ShapeError> {
    let (n, _, _, width) = outputs.dim();
    check(targets, n, width)?;
    let samples = S::from_f64(n as f64);
    let mut mean = S::zero();
    let mut wrong = 0;
    let mut grad_outputs = Tensor::from_elem(outputs.dim(), S::zero());
    for sample in 0..n {
        let row: Vec<S> = (0..width).map(|k| outputs[[sample, 0, 0, k]]).collect();
        let target = target(targets, sample, width);
        let (value, grad) = match loss {
            Loss::CrossEntropy { label_smoothing } => {
                cross_entropy(&row, &target, f64::from(*label_smoothing))
            }
            Loss::SquaredError => squared_error(&row, &target),
        };
        mean += value / samples;
        for (k, grad) in grad.into_iter().enumerate() {
            grad_outputs[[sample, 0, 0, k]] = grad / samples;
        }
        if let TargetsRef::Classes(classes) = targets {
            wrong += usize::from(largest(&row) != classes[sample] as usize);
        }
    }
    Ok(LossValue {
        mean,
        grad_outputs,
        wrong,
    })
}

/// −Σ_k q_k log p_k with p = softmax(z) and q = (1 − s) t + s/K. Its gradient is p Σq − q.
fn cross_entropy<S: Scalar>(outputs: &[S], target: &[f64], smoothing: f64) -> (S, Vec<S>) {
    let shift = outputs[largest(outputs)];
    let exponentials: Vec<S> = outputs.iter().map(|&z| (z - shift).exp()).collect();
    let total = exponentials.iter().fold(S::zero(), |sum, &e| sum + e);
    let classes = outputs.len() as f64;
    let mut value = S::zero();
    let mut grad = Vec::with_capacity(outputs.len());
    let q: Vec<f64> = target
        .iter()
        .map(|t| (1.0 - smoothing) * t + smoothing / classes)
        .collect();
    let q_total = S::from_f64(q.iter().sum());
    for (k, &q) in q.iter().enumerate() {
        let q = S::from_f64(q);
        value += q * (total.ln() - (outputs[k] - shift));
        grad.push(q_total * exponentials[k] / total - q);
    }
    (value, grad)
}

/// Mean over outputs of (z − t)².
fn squared_error<S: Scalar>(outputs: &[S], target: &[f64]) -> (S, Vec<S>) {
    let width = S::from_f64(outputs.len() as f64);
    let differences = outputs
        .iter()
        .zip(target)
        .map(|(&z, &t)| z - S::from_f64(t));
    let mut value = S::zero();
    let grad = differences
        .map(|difference| {
            value += difference * difference / width;
            (difference + difference) / width
        })
        .collect();
    (value, grad)
}

/// One sample's target as numbers: a class is its one-hot vector.
fn target(targets: TargetsRef, sample: usize, width: usize) -> Vec<f64> {
    match targets {
        TargetsRef::Classes(classes) => (0..width)
            .map(|k| f64::from(u8::from(k == classes[sample] as usize)))
            .collect(),
        TargetsRef::Values(values) => values[sample * width..(sample + 1) * width]
            .iter()
            .map(|v| f64::from(*v))
            .collect(),
    }
}

fn largest<S: Scalar>(outputs: &[S]) -> usize {
    let larger = |best: usize, k: usize| {
        if outputs[k].to_f64() > outputs[best].to_f64() {
            k
        } else {
            best
        }
    };
    (0..outputs.len()).fold(0, larger)
}

fn check(targets: TargetsRef, samples: usize, outputs: usize) -> Result<(), ShapeError> {
    let (expected, found) = match targets {
        TargetsRef::Classes(classes) => (samples, classes.len()),
        TargetsRef::Values(values) => (samples * outputs, values.len()),
    };
    if expected != found {
        return Err(ShapeError::Length {
            what: "targets",
            expected,
            found,
        });
    }
    if let TargetsRef::Classes(classes) = targets
        && let Some(&class) = classes.iter().find(|class| **class as usize >= outputs)
    {
        return Err(ShapeError::Class { class, outputs });
    }
    Ok(())
}
