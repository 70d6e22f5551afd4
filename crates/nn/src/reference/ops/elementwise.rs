//! Elementwise nonlinearities.

use ndarray::Zip;

use super::super::{Scalar, Tensor};
use crate::network::Activation;

/// y = σ(x).
pub fn forward<S: Scalar>(activation: Activation, input: &Tensor<S>) -> Tensor<S> {
    input.map(|&x| match activation {
        Activation::Relu if x.to_f64() > 0.0 => x,
        // A number that is none must show, not turn into 0.
        Activation::Relu if x.to_f64().is_nan() => x,
        Activation::Relu => S::zero(),
        Activation::Tanh => x.tanh(),
        Activation::Identity => x,
    })
}

/// ∂L/∂x = σ'(x) ∂L/∂y; ReLU's derivative at 0 is 0.
pub fn backward<S: Scalar>(
    activation: Activation,
    input: &Tensor<S>,
    grad_output: &Tensor<S>,
) -> Tensor<S> {
    Zip::from(input)
        .and(grad_output)
        .map_collect(|&x, &grad| match activation {
            Activation::Relu if x.to_f64() > 0.0 => grad,
            Activation::Relu => S::zero(),
            Activation::Tanh => {
                let y = x.tanh();
                (S::one() - y * y) * grad
            }
            Activation::Identity => grad,
        })
}
