//! Elementwise nonlinearities, scaling, and the gate's sigmoid.

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

/// y = factor · x; its own backward.
pub fn scale<S: Scalar>(factor: f64, input: &Tensor<S>) -> Tensor<S> {
    let factor = S::from_f64(factor);
    input.mapv(|x| factor * x)
}

/// The logistic function 1/(1 + e⁻ˣ), without overflow and without loss near 0.
pub fn sigmoid<S: Scalar>(logits: &Tensor<S>) -> Tensor<S> {
    logits.mapv(|x| {
        if x.to_f64() < 0.0 {
            let e = x.exp();
            e / (S::one() + e)
        } else {
            S::one() / (S::one() + (-x).exp())
        }
    })
}
