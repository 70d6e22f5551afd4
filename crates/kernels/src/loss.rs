//! Losses of a group of sixteen images, and their gradient with respect to the outputs.
//!
//! Slices are `(outputs, 16)`. The loss of each sample is summed in f64, image by image; gradients
//! are multiplied by `scale` (1 / batch for the mean) and are 0 in lanes without an image.
//!
//! Cost: 4 bytes read and 4 written for each output, and for cross-entropy two exponentials.

use crate::LANES;

/// What a group's samples add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Total {
    /// Sum of the losses.
    pub loss: f64,
    /// Samples whose largest output (the first, where equal) is not their class. What is not a
    /// number is wrong.
    pub wrong: usize,
}

/// The largest of one lane's outputs, and where; `None` if one is not a number.
fn largest(outputs: &[f32], lane: usize) -> Option<(usize, f32)> {
    let mut best = (0, f32::NEG_INFINITY);
    for (k, row) in outputs.chunks_exact(LANES).enumerate() {
        if row[lane].is_nan() {
            return None;
        }
        if row[lane] > best.1 {
            best = (k, row[lane]);
        }
    }
    Some(best)
}

fn is_wrong(outputs: &[f32], lane: usize, class: u32) -> bool {
    largest(outputs, lane).is_none_or(|(k, _)| k != class as usize)
}

/// Targets of a group.
#[derive(Debug, Clone, Copy)]
pub enum Targets<'a> {
    /// Classes, as one-hot vectors. A class past the outputs is a vector of zeros.
    Classes(&'a [u32]),
    /// `(samples, outputs)` numbers.
    Values(&'a [f32]),
}

impl Targets<'_> {
    fn samples(self, outputs: usize) -> usize {
        match self {
            Targets::Classes(classes) => classes.len(),
            Targets::Values(values) => values.len() / outputs.max(1),
        }
    }

    fn at(self, outputs: usize, lane: usize, k: usize) -> f64 {
        match self {
            Targets::Classes(classes) => f64::from(u8::from(k == classes[lane] as usize)),
            Targets::Values(values) => f64::from(values[lane * outputs + k]),
        }
    }

    fn is_wrong(self, outputs: &[f32], lane: usize) -> bool {
        match self {
            Targets::Classes(classes) => is_wrong(outputs, lane, classes[lane]),
            Targets::Values(_) => false,
        }
    }
}

/// Softmax cross-entropy of up to 16 samples: `−Σ_k q_k log softmax(z)_k` with
/// `q = (1 − smoothing) t + smoothing / outputs`.
pub fn cross_entropy(
    outputs: &[f32],
    targets: Targets<'_>,
    smoothing: f32,
    scale: f32,
    mut gradient: Option<&mut [f32]>,
) -> Total {
    let count = outputs.len() / LANES;
    let samples = targets.samples(count);
    check(outputs, samples, gradient.as_deref());
    let even = f64::from(smoothing) / count as f64;
    let rest = 1.0 - f64::from(smoothing);
    let mut total = Total::default();
    if let Some(gradient) = gradient.as_deref_mut() {
        gradient.fill(0.0);
    }
    for lane in 0..samples {
        let top = largest(outputs, lane).map_or(f32::NAN, |(_, z)| z);
        let logits = outputs
            .chunks_exact(LANES)
            .map(|row| f64::from(row[lane] - top));
        let log_sum = logits.clone().map(f64::exp).sum::<f64>().ln();
        let target = |k: usize| even + rest * targets.at(count, lane, k);
        // Terms of probability 0 count nothing, also where the logarithm is −∞.
        let terms = logits
            .clone()
            .enumerate()
            .filter(|&(k, _)| target(k) != 0.0);
        total.loss += terms.map(|(k, z)| target(k) * (log_sum - z)).sum::<f64>();
        total.wrong += usize::from(targets.is_wrong(outputs, lane));
        if let Some(gradient) = gradient.as_deref_mut() {
            let whole: f64 = (0..count).map(target).sum();
            for (k, z) in logits.enumerate() {
                let difference = whole * (z - log_sum).exp() - target(k);
                gradient[k * LANES + lane] = (difference * f64::from(scale)) as f32;
            }
        }
    }
    total
}

/// Mean over outputs of `(z − t)²` of up to 16 samples.
pub fn squared_error(
    outputs: &[f32],
    targets: Targets<'_>,
    scale: f32,
    mut gradient: Option<&mut [f32]>,
) -> Total {
    let count = outputs.len() / LANES;
    let samples = targets.samples(count);
    check(outputs, samples, gradient.as_deref());
    let mut total = Total::default();
    if let Some(gradient) = gradient.as_deref_mut() {
        gradient.fill(0.0);
    }
    for lane in 0..samples {
        let mut sum = 0.0;
        for k in 0..count {
            let difference = f64::from(outputs[k * LANES + lane]) - targets.at(count, lane, k);
            sum += difference * difference;
            if let Some(gradient) = gradient.as_deref_mut() {
                let slope = 2.0 * difference / count as f64;
                gradient[k * LANES + lane] = (slope * f64::from(scale)) as f32;
            }
        }
        total.loss += sum / count as f64;
        total.wrong += usize::from(targets.is_wrong(outputs, lane));
    }
    total
}

fn check(outputs: &[f32], samples: usize, gradient: Option<&[f32]>) {
    assert!(
        !outputs.is_empty() && outputs.len().is_multiple_of(LANES),
        "groups of 16 outputs"
    );
    assert!(samples <= LANES, "at most 16 samples in a group");
    assert!(
        gradient.is_none_or(|g| g.len() == outputs.len()),
        "one gradient an output"
    );
}

#[cfg(test)]
mod tests;
