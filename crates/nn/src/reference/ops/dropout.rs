//! Dropout (Srivastava et al. 2014): in training a number is kept with probability `1 − rate` and
//! then divided by it; in evaluation nothing happens.

use reslab_kernels::noise::Mask;

use super::super::{Mode, Scalar, Tensor};
use super::Numbers;
use crate::network::Dropout;

/// What each number is multiplied by, `0` or `1/(1 − rate)`; `None` in evaluation.
pub fn factors<S: Scalar>(
    dropout: &Dropout,
    numbers: &Numbers<S>,
    input: &Tensor<S>,
) -> Option<Tensor<S>> {
    if numbers.mode == Mode::Evaluation {
        return None;
    }
    let (_, _, width, channels) = input.dim();
    let mask = Mask::of_rate(dropout.rate);
    let scale = S::from_f64(1.0 / (1.0 - dropout.rate));
    let mut factors = Tensor::from_elem(input.dim(), S::zero());
    for (sample, mut factors) in factors.outer_iter_mut().enumerate() {
        let key = numbers.noise.key(dropout.stream, sample);
        for ((y, x, c), factor) in factors.indexed_iter_mut() {
            let place = (y * width + x) * channels + c;
            if mask.keeps(key, place as u32) {
                *factor = scale;
            }
        }
    }
    Some(factors)
}
